"""Exercises of notebook 01, the Gaussian KL."""

import torch
from torch import Tensor

from vae_lessons.exercises.source import Case, Exercise, Lesson, Mistake, draws

SETUP = "import torch"


def _codes(generator: torch.Generator, *shape: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, ...]:
    """Fresh mu and log_var of one shape."""
    return tuple(draws(generator, *shape, dtype=dtype) for _ in range(2))


def _batches(generator: torch.Generator) -> list[Case]:
    """mu, log_var (B, K): small ones, the prior, extreme widths and means, and fresh ones."""
    widths = torch.tensor([[30.0, -30.0]])
    return [
        Case("one image with one latent", (torch.tensor([[1.0]]), torch.tensor([[0.5]]))),
        Case("two images with two latents", (torch.tensor([[1.0, 0.0], [2.0, 0.5]]), torch.zeros(2, 2))),
        Case("the prior itself", (torch.zeros(1, 2), torch.zeros(1, 2))),
        Case("a very wide latent beside a very narrow one", (torch.zeros(1, 2), widths)),
        Case("the same in double precision", (torch.zeros(1, 2).double(), widths.double())),
        Case("means far from 0", (torch.tensor([[1000.0], [-1000.0]]), torch.zeros(2, 1))),
        Case("a batch of one", _codes(generator, 1, 3)),
        Case("a batch of 5 with 3 latents", _codes(generator, 5, 3)),
        Case("double precision", _codes(generator, 4, 2, dtype=torch.float64)),
    ]


def _pairs(generator: torch.Generator) -> list[Case]:
    """The same, single numbers, and two with gradients."""
    return [
        Case("single numbers", (torch.tensor([1.0]), torch.tensor([0.5]))),
        *_batches(generator),
        Case(
            "inputs that want gradients",
            (torch.tensor([1.0, -0.5]).requires_grad_(), torch.tensor([0.5, -2.0]).requires_grad_()),
        ),
    ]


TWIN = Exercise(
    name="kl-twin",
    title="Predict a number",
    task="""With μ = 0, a width of σ = ½ costs 0.318 nats.
A second value, σ > 1, costs the same.
Guess it from the slider, then find it: two digits are enough.
`sympy.nsolve` or a few tries with `kl_to_standard` will do.""",
    stub="twin = ...",
    answer="twin",
    solution="""import sympy as sp

sigma = sp.Symbol("sigma", positive=True)
cost = (sigma**2 - sp.log(sigma**2) - 1) / 2
twin = float(sp.nsolve(cost - cost.subs(sigma, 0.5), sigma, 1.5))""",
    why="""The KL is ½(σ² − log σ² − 1) at μ = 0.
It is no mirror image around σ = 1, neither in σ nor in log σ: the twin of ½ is 1.61.""",
    hints=(
        "Write down the KL at μ = 0 and set it equal to its value at σ = ½. The constant −1 drops out.",
        "You look for the root above 1 of σ² − log σ² = ¼ − log ¼.",
        "`sp.nsolve(sigma**2 - sp.log(sigma**2) - 0.25 + sp.log(0.25), sigma, 1.5)`",
    ),
    mistakes=(
        Mistake(
            "twin = 2.0",
            "2 is the mirror image of ½ in log σ, but the KL has no such mirror: σ = 2 costs 0.81 nats, not 0.32.",
        ),
        Mistake(
            "twin = 1.5",
            "1.5 is as far from 1 as ½ is, but the logarithm makes the left side steeper: σ = 1.5 "
            "costs only 0.22 nats.",
        ),
        Mistake(
            "twin = 0.5", "That is the value itself. The twin lies above 1, where σ² has taken over from the logarithm."
        ),
        Mistake("twin = 2.587", "That is σ²; the question is about σ."),
    ),
)

LOG_VAR = Exercise(
    name="kl-log-var",
    title="Complete a function",
    task="""Much public code lets the encoder return `log_var` = log σ².
Write the KL to the standard normal for it, one value per coordinate: no sum, no mean.
It should keep the shape and the dtype of its inputs, hold for any width, and let gradients through.""",
    stub='''def kl_from_log_var(mu, log_var):
    """KL( N(mu, exp(log_var)) ‖ N(0, 1) ) for each coordinate, in nats."""
    ...''',
    answer="kl_from_log_var",
    solution='''def kl_from_log_var(mu, log_var):
    """KL( N(mu, exp(log_var)) ‖ N(0, 1) ) for each coordinate, in nats."""
    return 0.5 * (mu**2 + torch.expm1(log_var) - log_var)''',
    why="""½(μ² + σ² − log σ² − 1) with σ² = exp(log_var).
`expm1(v)` is exp(v) − 1 without the rounding error near v = 0.""",
    hints=(
        "Start from ½(μ² + σ² − log σ² − 1). Which of its terms is `log_var` itself?",
        "σ² is `log_var.exp()`, and log σ² is `log_var`, without a factor 2.",
        "`0.5 * (mu**2 + torch.expm1(log_var) - log_var)`",
    ),
    mistakes=(
        Mistake(
            "def kl_from_log_var(mu, log_var):\n    return 0.5 * (mu**2 + (2 * log_var).exp() - 2 * log_var - 1)",
            "You read `log_var` as log σ. It is log σ² already: no factor 2.",
        ),
        Mistake(
            "def kl_from_log_var(mu, log_var):\n    return -0.5 * (mu**2 + log_var.exp() - log_var - 1)",
            "The sign is wrong: a KL is never negative. −½ goes with 1 + log σ² − μ² − σ², +½ with the opposite.",
        ),
        Mistake(
            "def kl_from_log_var(mu, log_var):\n    return (0.5 * (mu**2 + log_var.exp() - log_var - 1)).sum(-1)",
            "The sum over latents comes later: here one value per coordinate is wanted.",
        ),
        Mistake(
            "def kl_from_log_var(mu, log_var):\n    return (0.5 * (mu**2 + log_var.exp() - log_var - 1)).mean()",
            "No mean here: one value per coordinate is wanted. What a mean does to the model is told in lesson 06.",
        ),
        Mistake(
            "def kl_from_log_var(mu, log_var):\n    return 0.5 * (mu**2 + log_var.exp() - log_var)",
            "Half a nat too much: the KL of the prior from itself, at mu = 0 and log_var = 0, should be 0.",
        ),
        Mistake(
            "def kl_from_log_var(mu, log_var):\n    return 0.5 * (mu**2 + log_var.exp() + log_var - 1)",
            "The sign of the logarithm is wrong: it is what stops σ from shrinking to 0.",
        ),
        Mistake(
            "def kl_from_log_var(mu, log_var):\n    return 0.5 * (mu**2 + (0.5 * log_var).exp() - log_var - 1)",
            "exp(½ log_var) is σ; the formula has σ².",
        ),
        Mistake(
            "def kl_from_log_var(mu, log_var):\n    return mu**2 + log_var.exp() - log_var - 1",
            "Twice too large: the factor ½ is missing.",
        ),
        Mistake(
            "def kl_from_log_var(mu, log_var):\n    mu, v = mu.detach(), log_var.detach()\n    return 0.5 * (mu**2 + v.exp() - v - 1)",
            "The values are right, but no gradient gets through: something cuts it, such as "
            "`.detach()`, `torch.tensor(…)` or NumPy. "
            "Nothing could be trained with it.",
        ),
        Mistake(
            "def kl_from_log_var(mu, log_var):\n    v = log_var.clamp(-20, 20)\n    return 0.5 * (mu**2 + v.exp() - v - 1)",
            "Right for ordinary widths, but a limit on `log_var` makes a very wide or very narrow "
            "q cheaper than it is.",
        ),
    ),
    cases=_pairs,
    points=2,
)

MEAN_BUG = Exercise(
    name="kl-mean-bug",
    title="Find the bug",
    task="""Two models are compared by this function.
Every latent of either costs about 0.5 nats per image, but one model has 2 latents and the other 20.
The function reports 0.5 nats for both.
Repair it, so that it returns what its first line says, for a batch of any size: a tensor with one
number.""",
    stub='''def kl_per_example(mu, log_var):
    """mu, log_var (B, K) → the KL of one example, averaged over the batch."""
    return -0.5 * torch.mean(1 + log_var - mu**2 - log_var.exp())''',
    answer="kl_per_example",
    solution='''def kl_per_example(mu, log_var):
    """mu, log_var (B, K) → the KL of one example, averaged over the batch."""
    return -0.5 * torch.sum(1 + log_var - mu**2 - log_var.exp(), dim=1).mean()''',
    why="""Latents are independent under q and under p, so their KLs add up: the sum over them is the KL of one
example.
Examples are repeated measurements of it, so the mean over the batch is the KL per example.
`torch.mean` averages over both axes, which is K times too small.
It makes the number independent of the batch size, as its author wished, and of the number of
latents as well.""",
    hints=(
        "What should the two models cost per image? Which of the two axes has to be averaged over, and which not?",
        "The KLs of latents add up. First `dim=1`, the latents, then the batch.",
        "`torch.sum(…, dim=1).mean()`",
    ),
    mistakes=(
        Mistake(
            "def kl_per_example(mu, log_var):\n    return -0.5 * torch.sum(1 + log_var - mu**2 - log_var.exp())",
            "That is the KL of the whole batch: it grows with the batch size.",
        ),
        Mistake(
            "def kl_per_example(mu, log_var):\n    return -0.5 * torch.sum(1 + log_var - mu**2 - log_var.exp(), dim=0).mean()",
            "The axes are swapped: dim 0 is the batch, dim 1 the latents. "
            "To multiply the mean by the batch size does the same.",
        ),
        Mistake(
            "def kl_per_example(mu, log_var):\n    return -0.5 * torch.sum(1 + log_var - mu**2 - log_var.exp(), dim=1)",
            "One step is left: you have one KL for each example, and the average over the batch is wanted.",
        ),
        Mistake(
            "def kl_per_example(mu, log_var):\n    return 0.5 * torch.sum(1 + log_var - mu**2 - log_var.exp(), dim=1).mean()",
            "The sign was right before: this KL is negative, which no KL is.",
        ),
    ),
    cases=_batches,
    points=2,
)

MIX_UP = Exercise(
    name="kl-mix-up",
    title="Recognise a bug by its number",
    task="""An encoder returns μ = 0.5 and log σ = 0.4.
A colleague reports a KL of 0.171 nats for it, you get 0.338.
What did the colleague do?

- `"a"`: forgot the factor ½
- `"b"`: read log σ as log σ²
- `"c"`: read log σ as σ
- `"d"`: swapped q and p""",
    stub="culprit = ...",
    answer="culprit",
    solution='culprit = "b"',
    why="""With log σ² = 0.4, σ² = e^0.4 = 1.49 and the KL is ½(0.25 + 1.49 − 0.4 − 1) = 0.171.
Nothing crashes and nothing is negative: only the number tells.""",
    hints=(
        "Compute each of the four and compare.",
        (
            "You get ½(0.25 + e^0.8 − 0.8 − 1). "
            "Readings b and c put another σ² into ½(0.25 + σ² − log σ² − 1). "
            "Reading a leaves out the ½. "
            "Reading d is ½((1 + 0.25)/σ² + log σ² − 1)."
        ),
    ),
    mistakes=(
        Mistake(
            'culprit = "a"', "Without the ½ the number would be twice too large, 0.676; the colleague's is too small."
        ),
        Mistake('culprit = "c"', "With σ = 0.4 the KL would be ½(0.25 + 0.16 − log 0.16 − 1) = 0.621."),
        Mistake('culprit = "d"', "KL(p‖q) = ½((1 + 0.25)/σ² + log σ² − 1) with σ² = e^0.8 is 0.181."),
    ),
)

LESSON = Lesson("01", SETUP, (TWIN, LOG_VAR, MEAN_BUG, MIX_UP))
