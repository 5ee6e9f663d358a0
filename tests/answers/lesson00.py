"""Answers to the exercises of notebook 00."""

RIGHT = {
    "nats-to-bits": [
        "bits = lambda nats: nats * math.log2(math.e)",
        "from functools import partial\nfrom operator import mul\nbits = partial(mul, 1 / math.log(2))",
        "import numpy as np\ndef bits(nats):\n    return np.divide(nats, np.log(2))",
        "import torch\ndef bits(nats):\n    return torch.tensor(nats) / math.log(2)",
        """
class Converter:
    def __call__(self, nats):
        return nats / math.log(2)

bits = Converter()
""",
        "from fractions import Fraction\ndef bits(nats):\n    return Fraction(nats) / Fraction(math.log(2))",
    ],
}
WRONG = {
    "nats-to-bits": [
        "def bits(nats):\n    return abs(nats) / math.log(2)",
        "def bits(nats):\n    return round(nats / math.log(2), 2)",
        "def bits(nats):\n    return {'bits': nats / math.log(2)}",
        "def bits(nats):\n    return complex(nats) / math.log(2)",
        "def bits(nats):\n    return nats / math.log(2),",
        "def bits(nats):\n    return str(nats / math.log(2))",
        "def bits(nats):\n    yield nats / math.log(2)",
        "bits = 1.4427",
    ],
}
