"""Exercises of notebook 09, rate and distortion."""

import numpy as np
import torch

from vae_lessons.exercises.source import Case, Exercise, Lesson, Mistake, draws

SETUP = """import math

import numpy as np
import torch
from scipy.optimize import brentq

from vae_lessons.gaussian import log_density
from vae_lessons.spectrum import rate_distortion"""

MNIST = Exercise(
    name="rd-mnist",
    title="Predict a number",
    task="""MNIST has 60 000 training images.
A VAE reports a mean KL of 25 nats per image on them.
How many of these nats are mismatch, KL(q(z)‖p(z)), at least?
Here q(z) is the average over all 60 000.""",
    stub="at_least = ...",
    answer="at_least",
    solution="""import math

at_least = 25 - math.log(60_000)""",
    why="""Naming one of 60 000 images takes log 60 000 = 11.0 nats, and no code can tell more than everything:
I(X; Z) ≤ 11.0.
The other 14.0 nats are mismatch.
With ten times as many images the same KL would leave room for 2.3 more nats of information: the
bound belongs to N as much as to the model.""",
    hints=(
        "KL = information + mismatch. How large can the information be?",
        "A code cannot tell more than which of the N images it is: log N nats.",
    ),
    mistakes=(
        Mistake("at_least = 11.002", "That is log N, the most that the information can be. The mismatch is the rest."),
        Mistake(
            "import math\nat_least = 25 - math.log2(60_000)",
            "You subtracted bits from nats: log₂ 60 000 = 15.9 bits are 11.0 nats.",
        ),
        Mistake(
            "import math\nat_least = 25 - math.log10(60_000)", "Nats go with the natural logarithm, not with log₁₀."
        ),
        Mistake(
            "import math\nat_least = 25 - math.log(1797)",
            "That is the ceiling of the course's 1797 digits. MNIST has more images to name.",
        ),
        Mistake("at_least = 0", "A mismatch of 0 would make all 25 nats information. Is there that much to tell?"),
    ),
)


def _spectra(generator: torch.Generator) -> list[Case]:
    """Falling eigenvalues with a rate in nats."""

    def draw(n: int, fall: float) -> np.ndarray:
        noise = 0.5 + torch.rand(n, generator=generator, dtype=torch.float64).numpy()
        return np.sort((noise * fall ** np.arange(n)).round(3))[::-1].copy()

    def rate(low: float, high: float) -> float:
        return round(low + (high - low) * float(torch.rand((), generator=generator)), 2)

    return [
        Case("one direction", (np.array([1.0]), 0.5)),
        Case("3 directions and a small rate", (np.array([0.5, 0.2, 0.1]), 0.25)),
        Case("two directions and a large rate", (np.array([4.0, 1.0]), 2.0)),
        Case("a very large first direction", (np.array([30.0, 2.0, 0.5]), 0.15)),
        Case("very large variances", (np.array([4000.0, 1000.0]), 2.0)),
        Case("very small variances", (np.array([0.004, 0.001]), 2.0)),
        Case("a very small rate", (np.array([1.0, 0.5]), 0.01)),
        Case("a water level far below 0.01", (np.array([0.7, 0.6]), 10.0)),
        Case("equal directions", (np.array([0.5, 0.5, 0.5, 0.1]), rate(0.3, 1.0))),
        Case("3 directions", (draw(3, 0.2), rate(0.2, 0.3))),
        Case("12 directions", (draw(12, 0.7), rate(1.0, 2.0))),
        Case("12 directions and a large rate", (draw(12, 0.9), rate(9.0, 12.0))),
    ]


_LEVEL = "def level_for_rate(eigenvalues, rate):"

LEVEL = Exercise(
    name="rd-level",
    title="Complete a function",
    task="""You have a budget of so many nats per image: at which water level does Shannon's curve have this
rate?
`rate_distortion(eigenvalues, level, n_latents)` gives the curve: the rate, then the squared error.
`brentq(f, a, b)` finds the root of `f` between `a` and `b`, where `f` must have two signs.
Shannon's curve has a code for every direction.
`rate` is positive.
Return the level right to 0.01 %.""",
    stub='''def level_for_rate(eigenvalues, rate):
    """eigenvalues, an array, largest first; rate in nats → the water level, a number."""
    ...''',
    answer="level_for_rate",
    solution='''def level_for_rate(eigenvalues, rate):
    """eigenvalues, an array, largest first; rate in nats → the water level, a number."""

    def missing(level):
        return rate_distortion(eigenvalues, level, len(eigenvalues))[0] - rate

    lowest = 0.5 * eigenvalues[0] * math.exp(-2 * rate)  # the first direction alone takes more
    return brentq(missing, lowest, eigenvalues[0])''',
    why="""The rate falls from infinity to 0 while the level rises from 0 to λ₁, so there is one root.
At the level λ₁e^(−2R) the first direction alone has the rate R, which gives a safe lower end.
For the digits at 5 nats the level is 0.108.
With 8 latents it would be 0.100: the ninth direction, above the water there, has to go without a
code.""",
    hints=(
        "At the level λ₁ the rate is 0, at a very small level it is large. In between it passes `rate` once.",
        "`rate_distortion` returns two numbers, the rate first. How many latents does Shannon have?",
        "`brentq(lambda level: rate_distortion(eigenvalues, level, len(eigenvalues))[0] - rate, …, eigenvalues[0])`",
    ),
    mistakes=(
        Mistake(
            _LEVEL + "\n    def f(v):\n        return rate_distortion(eigenvalues, v, 8)[0] - rate\n"
            "    return brentq(f, 1e-9, eigenvalues[0])",
            "`n_latents=8` is the curve of the 8-latent VAE, which leaves Shannon's below λ₉, and "
            "does not exist for fewer than 8 directions. "
            "Shannon has a code for every direction.",
        ),
        Mistake(
            _LEVEL + "\n    def f(v):\n        return rate_distortion(eigenvalues, v, len(eigenvalues))[0] - rate\n"
            "    return brentq(f, 0.01, 1)",
            "Your bracket does not hold the level for every spectrum: it lies between a tiny "
            "number and `eigenvalues[0]`.",
        ),
        Mistake(
            _LEVEL + "\n    def f(v):\n        return rate_distortion(eigenvalues, v, len(eigenvalues))[1] - rate\n"
            "    return brentq(f, 1e-9, eigenvalues[0])",
            "You searched for the level whose *squared error* is `rate`: `rate_distortion` "
            "returns the rate first, then the error.",
        ),
        Mistake(
            _LEVEL + "\n    live = len(eigenvalues)\n"
            "    return float(np.exp(np.log(eigenvalues).mean() - 2 * rate / live))",
            "You counted every direction with ½ log(λ/level). Those under water cost 0, not a negative number of nats.",
        ),
        Mistake(
            _LEVEL + "\n    def f(v):\n        return np.log(np.maximum(eigenvalues / v, 1)).sum() - rate\n"
            "    return brentq(f, 1e-9, eigenvalues[0])",
            "A live direction costs ½ log(λ/level): without the ½ you spend half the nats.",
        ),
        Mistake(
            _LEVEL + "\n    def f(v):\n"
            "        return rate_distortion(eigenvalues, v, len(eigenvalues))[0] - rate * math.log(2)\n"
            "    return brentq(f, 1e-9, eigenvalues[0])",
            "You took `rate` for bits. It is in nats, as everything in this course.",
        ),
        Mistake(
            _LEVEL + "\n    return float(eigenvalues[0] * math.exp(-2 * rate))",
            "That spends all nats on the first direction. "
            "The level is the same for all live directions, and each takes its part.",
        ),
    ),
    cases=_spectra,
    points=2,
)


def _mixtures(generator: torch.Generator) -> list[Case]:
    """Points z with the codes of N images, all in double precision as in the lesson."""

    def draw(*shape: int) -> torch.Tensor:
        return draws(generator, *shape, dtype=torch.float64)

    def double(*rows: list[float]) -> torch.Tensor:
        return torch.tensor(rows, dtype=torch.float64)

    mu = double([0.0], [1.0])
    return [
        Case("one point and one posterior", (double([0.5]), double([0.0]), double([0.0]))),
        Case("one point and two posteriors", (double([0.0]), mu, double([0.0], [-1.0]))),
        Case("a point far from two narrow posteriors", (double([20.0]), mu, double([-3.0], [-3.0]))),
        Case("a very wide posterior beside a very narrow one", (double([1.0]), mu, double([10.0], [-10.0]))),
        Case("two latents", (double([0.0, 1.0]), double([0.0, 0.0], [1.0, 1.0]), double([0.0, 0.0], [0.0, -1.0]))),
        Case("one point, 6 posteriors, 2 latents", (draw(1, 2), draw(6, 2), 0.5 * draw(6, 2) - 1)),
        Case("4 points, 5 posteriors, 3 latents", (draw(4, 3), draw(5, 3), 0.5 * draw(5, 3) - 0.5)),
    ]


_AGGREGATE = '''def log_aggregate(z, mu, log_sigma):
    """z (S, K); mu, log_sigma (N, K), all float64 → log q(z) at each z, (S,)."""
    zs = z[:, None].expand(-1, len(mu), -1)  # every z with every posterior: (S, N, K)
    each = log_density(zs, mu.expand_as(zs), log_sigma.expand_as(zs))
    '''

AGGREGATE = Exercise(
    name="rd-aggregate",
    title="Find the bug",
    task="""A colleague measures the mismatch with this log q(z), and it comes out negative, which no KL is.
Repair it.
It should also stand a z so far from all posteriors that their densities are 0 in floating point.""",
    stub=_AGGREGATE + "return each.sum(-1).mean(1)",
    answer="log_aggregate",
    solution=_AGGREGATE + "return each.sum(-1).logsumexp(1) - math.log(len(mu))",
    why="""q(z) is an average of densities, and the code averaged their *logs*.
By Jensen that is too low, and far too low where posteriors are narrow: a single image that lives
elsewhere pulls it down.
`logsumexp` − log N is the log of the average, without ever leaving the logs.""",
    hints=(
        "q(z) is the average of N densities. What does the code average?",
        (
            "You want the log of a mean of exponentials. "
            "`exp` would underflow far away: which function of PyTorch does it safely?"
        ),
        "`logsumexp` adds the densities up. An average needs one more term.",
    ),
    mistakes=(
        Mistake(
            _AGGREGATE + "return each.sum(-1).logsumexp(1)",
            "That is the log of the *sum* of the densities, log N too high. "
            "The mismatch would be log N too large, the information log N too small.",
        ),
        Mistake(
            _AGGREGATE + "return each.sum(-1).exp().mean(1).log()",
            "Right on paper, but far from all posteriors every `exp` is 0 and the log is −∞. Stay in logs.",
        ),
        Mistake(
            _AGGREGATE + "return (each.logsumexp(1) - math.log(len(mu))).sum(-1)",
            "You averaged for each latent by itself and multiplied the results. "
            "That is the product of the marginals, which cannot show what the latents do "
            "together.",
        ),
        Mistake(
            _AGGREGATE + "return each.sum(-1).logsumexp(1) - math.log(mu.shape[-1])",
            "You divided by the number of latents. The average runs over the N posteriors.",
        ),
        Mistake(
            _AGGREGATE + "return each.sum(-1).logsumexp(1) + math.log(len(mu))",
            "Dividing by N is *subtracting* log N.",
        ),
        Mistake(
            _AGGREGATE + "return each.sum(-1).max(1).values - math.log(len(mu))",
            "Only the nearest posterior is counted. Where posteriors overlap the others matter as well.",
        ),
        Mistake(
            _AGGREGATE + "return each.mean(1).sum(-1) - math.log(len(mu))",
            "You still average logs, and log N is subtracted on top. The average has to be taken of the densities.",
        ),
    ),
    cases=_mixtures,
    points=2,
)

CEILING = Exercise(
    name="rd-ceiling",
    title="Recognise a bug by its number",
    task="""A colleague measures I(X; Z) of the lesson's model at β = 0.01, several times with fresh images, and
finds 4.605 nats each time.
You find about 7.5.
What did the colleague do?

- `"a"`: computed it in bits
- `"b"`: took q(z) over the batch of 100 images that the pairs came from, not over all 1797
- `"c"`: averaged log densities in place of densities in log q(z)
- `"d"`: forgot − log N in log q(z)""",
    stub="culprit = ...",
    answer="culprit",
    solution='culprit = "b"',
    why="""4.605 is log 100.
An average over 100 images that contains the image itself cannot give more than log 100, and narrow
codes reach that.
The number is then a property of the batch size, not of the model, and its standard error is tiny:
precise and wrong.""",
    hints=(
        "Fresh images and always the same number: it looks like a ceiling. Which ceiling did the lesson find?",
        "Which number has 4.605 as its logarithm?",
    ),
    mistakes=(
        Mistake('culprit = "a"', "Bits are smaller units, so their number is larger: 7.5 nats are 10.8 bits."),
        Mistake(
            'culprit = "c"',
            "An average of logs is below the log of the average: log q(z) would be too low, and "
            "the information too high, here more than 1000 nats.",
        ),
        Mistake(
            'culprit = "d"',
            "log q(z) would be 7.49 nats too high, and the information 7.49 too small: about 0 here.",
        ),
    ),
)

LESSON = Lesson("09", SETUP, (MNIST, LEVEL, AGGREGATE, CEILING))
