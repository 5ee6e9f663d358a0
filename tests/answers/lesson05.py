"""Answers to the exercises of notebook 05."""

ENCODE = "def encode(hidden, head_mu, head_log_sigma, x):\n"
SPLIT = "def split_off(x, n_test, generator):\n"

RIGHT = {
    "vae-exchange-rate": ["less_error = 0.09", "less_error = torch.tensor(0.09, requires_grad=True)"],
    "vae-interpolate": [
        """
def interpolate(model, x_a, x_b, steps):
    mu = model.encode(torch.cat([x_a, x_b]))[0]
    t = torch.linspace(0, 1, steps, dtype=x_a.dtype)
    return model.decode(torch.stack([1 - t, t], dim=1) @ mu)
""",
        """
def interpolate(model, x_a, x_b, steps):
    with torch.no_grad():
        (a, _), (b, _) = model.encode(x_a), model.encode(x_b)
        return torch.cat([model.decode(torch.lerp(a, b, i / (steps - 1))) for i in range(steps)])
""",
        """
def interpolate(model, x_a, x_b, steps):
    a, b = model(x_a).mu, model(x_b).mu
    z = torch.stack([a[0] + i * (b[0] - a[0]) / (steps - 1) for i in range(steps)])
    return model.decode(z)
""",
        """
from functools import partial

def walk(dim, model, x_a, x_b, steps):
    a, b = model.encode(x_a)[0], model.encode(x_b)[0]
    t = torch.arange(steps).to(a).unsqueeze(dim) / (steps - 1)
    return model.decode(torch.einsum("sj,jk->sk", torch.cat([1 - t, t], dim), torch.cat([a, b])))

interpolate = partial(walk, 1)
""",
        """
import numpy as np

class Walk:
    def __call__(self, model, x_a, x_b, steps):
        a, b = (model.encode(x)[0].detach().numpy() for x in (x_a, x_b))
        return model.decode(torch.from_numpy(np.linspace(a[0], b[0], steps).astype(a.dtype)))

interpolate = Walk()
""",
        "interpolate = lambda m, a, b, n: m.decoder(m.head_mu(m.encoder(a)) + torch.linspace(0, 1, n).to(a)[:, None] * (m.head_mu(m.encoder(b)) - m.head_mu(m.encoder(a))))",
    ],
    "vae-relu-bug": [
        ENCODE + "    h = hidden(x).clamp(min=0)\n    return head_mu(h), head_log_sigma(h)",
        ENCODE
        + "    h = torch.nn.functional.relu(hidden(x), inplace=True)\n    return [head_mu(h), head_log_sigma(h)]",
        """
from typing import NamedTuple

class Q(NamedTuple):
    mu: torch.Tensor
    log_sigma: torch.Tensor

encode = lambda hidden, head_mu, head_log_sigma, x: Q(*(head(torch.relu(hidden(x))) for head in (head_mu, head_log_sigma)))
""",
        """
from functools import partial

def with_activation(activation, hidden, head_mu, head_log_sigma, x):
    with torch.no_grad():
        h = activation(hidden(x))
        return head_mu(h), head_log_sigma(h)

encode = partial(with_activation, torch.nn.ReLU())
""",
        ENCODE
        + """
    h = x @ hidden.weight.T + hidden.bias
    h = torch.where(h > 0, h, torch.zeros_like(h))
    return h @ head_mu.weight.T + head_mu.bias, h @ head_log_sigma.weight.T + head_log_sigma.bias
""",
        """
class Encoder(torch.nn.Module):
    def forward(self, hidden, head_mu, head_log_sigma, x):
        h = torch.nn.Sequential(hidden, torch.nn.ReLU())(x)
        both = torch.nn.functional.linear(
            h,
            torch.cat([head_mu.weight, head_log_sigma.weight]),
            torch.cat([head_mu.bias, head_log_sigma.bias]),
        )
        return both.chunk(2, dim=1)

encode = Encoder()
""",
    ],
    "vae-split-bug": [
        # once rejected: other ways to shuffle
        SPLIT
        + "    order = torch.rand(len(x), generator=generator).argsort()\n    return x[order[n_test:]], x[order[:n_test]]",
        SPLIT
        + "    order = torch.randn(len(x), generator=generator).sort().indices\n    train, test = order.split([len(x) - n_test, n_test])\n    return x[train], x[test]",
        """
from torch.utils.data import random_split

def split_off(x, n_test, generator):
    parts = random_split(x, [len(x) - n_test, n_test], generator=generator)
    return x[parts[0].indices], x[parts[1].indices]
""",
        SPLIT
        + """
    test = torch.zeros(len(x), dtype=torch.bool)
    test[torch.randperm(len(x), generator=generator)[:n_test]] = True
    return x[~test], x[test]
""",
        """
import numpy as np

class Split:
    def __call__(self, x, n_test, generator):
        seed = torch.randint(2**31, (1,), generator=generator).item()
        order = torch.from_numpy(np.random.default_rng(seed).permutation(len(x)))
        return x[order[n_test:]], x[order[:n_test]]

split_off = Split()
""",
        SPLIT
        + """
    shuffled = x.clone()
    for last in range(len(x) - 1, 0, -1):
        other = torch.randint(last + 1, (1,), generator=generator).item()
        shuffled[[last, other]] = shuffled[[other, last]]
    return shuffled[n_test:], shuffled[:n_test]
""",
        """
from functools import partial

def cut(first, x, n_test, generator):
    x = x[torch.randperm(len(x), generator=generator)]
    return x[first : len(x) - n_test], x[len(x) - n_test :]

split_off = partial(cut, 0)
""",
    ],
}
WRONG = {
    "vae-exchange-rate": ["less_error = -0.09", "less_error = 0.18", "less_error = [0.09]"],
    "vae-interpolate": [
        "def interpolate(model, x_a, x_b, steps):\n    a, b = model(x_a).z, model(x_b).z\n    t = torch.linspace(0, 1, steps).to(a)[:, None]\n    return model.decode(a + t * (b - a))",
        "def interpolate(model, x_a, x_b, steps):\n    a, b = model.encode(x_a)[0], model.encode(x_b)[0]\n    t = torch.linspace(0, 1, steps).to(a)[:, None] ** 2\n    return model.decode(a + t * (b - a))",
        "def interpolate(model, x_a, x_b, steps):\n    a, b = model.encode(x_a)[0], model.encode(x_b)[0]\n    return [model.decode(a + i / (steps - 1) * (b - a)) for i in range(steps)]",
        "def interpolate(model, x_a, x_b, steps):\n    a, b = model.encode(x_a)[0], model.encode(x_b)[0]\n    t = torch.linspace(0, 1, steps + 2).to(a)[:, None]\n    return model.decode(a + t * (b - a))",
    ],
    "vae-relu-bug": [
        ENCODE + "    h = torch.relu(hidden(x))\n    return head_mu(h), head_mu(h)",
        ENCODE
        + "    h = torch.relu(hidden(x))\n    return torch.distributions.Normal(head_mu(h), head_log_sigma(h).exp())",
        ENCODE + "    h = torch.relu(hidden(x))\n    return {'mu': head_mu(h), 'log_sigma': head_log_sigma(h)}",
        ENCODE + "    h = torch.relu(hidden(x))\n    return head_mu(h), head_log_sigma(h).clamp(-5, 5)",
        ENCODE
        + "    h = torch.relu(hidden(x))\n    return head_mu(h).detach().numpy(), head_log_sigma(h).detach().numpy()",
        ENCODE + "    h = torch.sigmoid(hidden(x))\n    return head_mu(h), head_log_sigma(h)",
        ENCODE + "    h = torch.relu(hidden(x))\n    return torch.cat([head_mu(h), head_log_sigma(h)], 1)",
    ],
    "vae-split-bug": [
        # once accepted
        SPLIT
        + "    o = torch.randperm(len(x), generator=generator)\n    return x[o[n_test:]].numpy(), x[o[:n_test]].numpy()",
        SPLIT
        + "    o = torch.randperm(len(x), generator=generator)\n    return x[o[n_test:]].double(), x[o[:n_test]].double()",
        # and others
        SPLIT + "    o = torch.randperm(len(x))\n    return x[o[n_test:]], x[o[:n_test]]",
        SPLIT
        + "    g = torch.Generator().manual_seed(0)\n    o = torch.randperm(len(x), generator=g)\n    return x[o[n_test:]], x[o[:n_test]]",
        SPLIT
        + "    o = torch.randint(len(x), (len(x),), generator=generator)\n    return x[o[n_test:]], x[o[:n_test]]",
        SPLIT
        + "    o = torch.randperm(len(x), generator=generator)\n    torch.randperm(len(x), generator=generator)\n    return x[n_test:], x[:n_test]",
        SPLIT
        + "    o = torch.randperm(n_test, generator=generator)\n    p = n_test + torch.randperm(len(x) - n_test, generator=generator)\n    return x[p], x[o]",
        SPLIT + "    o = torch.randperm(len(x), generator=generator)\n    return o[n_test:], o[:n_test]",
        SPLIT + "    o = torch.randperm(len(x), generator=generator)\n    return x[o[n_test:]]",
        # one block of neighbours at a random place
        SPLIT
        + "    k = int(torch.randint(len(x), (1,), generator=generator))\n    r = torch.roll(x, k, 0)\n    return r[n_test:], r[:n_test]",
        SPLIT
        + "    i = int(torch.randint(len(x) - n_test + 1, (1,), generator=generator))\n    return torch.cat([x[:i], x[i + n_test:]]), x[i:i + n_test]",
    ],
}
