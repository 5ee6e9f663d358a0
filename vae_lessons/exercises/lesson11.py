"""Exercises of notebook 11, diffusion."""

from typing import Any

import torch
from torch import Tensor

from vae_lessons.exercises.source import Case, Exercise, Lesson, Mistake, draws

SETUP = """import math

import torch"""

ONE_LATENT = Exercise(
    name="diffusion-one-latent",
    title="Predict a number",
    task="""Gaussian data have two pixels, with variances λ = 0.5 and 0.02.
A diffusion with T = 1 has so low a level, ᾱ_1 ≈ 0, that $z_1$ is pure noise.
Its decoder has the right mean, and one variance $s_1^2$ for both pixels, the best one.
By how many nats does its ELBO lie below the mean log density of the data?
Give it right to 1 %.""",
    stub="nats = ...",
    answer="nats",
    solution="""import math

shared = (0.5 + 0.02) / 2  # the best: the mean of the true variances
nats = sum(0.5 * (v / shared - 1 - math.log(v / shared)) for v in (0.5, 0.02))""",
    why="""From pure noise nothing can be learned, so the true step back is the data themselves, with variances
0.5 and 0.02.
The shared variance is their mean, 0.26, and the ratios are r = 1.92 and 0.077.
Since they average to 1, what is left is ½ Σ log(0.26/λ) = log(0.26/0.1) = 0.956 nats: an arithmetic
mean over a geometric one.
The log density of a Gaussian with one variance for both pixels lies just so far below the true one.""",
    hints=(
        "What is the true variance of x given $z_1$, in each pixel, if $z_1$ says nothing about x?",
        "The best shared variance is the mean of the true ones. What are the two ratios r?",
        "Sum ½(r − 1 − log r) over r = 0.5/0.26 and r = 0.02/0.26.",
    ),
    mistakes=(
        Mistake("nats = 0.477756", "That is the average over the two pixels. Nats of pixels add up."),
        Mistake(
            "nats = 1.562585",
            "That is the gap with the variance β_1 = 1. The best shared variance is the mean of 0.5 and 0.02.",
        ),
        Mistake(
            "nats = 1.6",
            "You shared the geometric mean, 0.1. The sum of ½(r − 1 − log r) is smallest at the arithmetic one.",
        ),
        Mistake("nats = 1.378512", "That is right in bits. Nats use the natural logarithm."),
        Mistake("nats = 1.911022", "Twice too many: ½(r − 1 − log r) has a half."),
        Mistake(
            "nats = 1.129438",
            "You took the larger variance for both. That is never too narrow, but the mean is better.",
        ),
        Mistake("nats = 10.390562", "You took the smaller variance for both, and r = 25 in the other pixel is dear."),
        Mistake(
            "nats = 4.804489",
            "The ratio is upside down: r is the *true* variance over the shared one.",
        ),
        Mistake("nats = 0", "That would be so with the true variance in each pixel. Here both must share one."),
    ),
    tolerance=0.01,
)

_LEVELS = torch.tensor([0.9, 0.5, 0.1])


def _steps(generator: torch.Generator) -> list[Case]:
    """z_t and a guess of its noise, (B, D), with levels (T,) and t."""

    def draw(b: int, d: int, levels: Tensor, t: int, dtype: torch.dtype = torch.float32) -> tuple[Any, ...]:
        return draws(generator, b, d, dtype=dtype), draws(generator, b, d, dtype=dtype), levels.to(dtype), t

    z, guess = torch.tensor([[1.0, -0.5]]), torch.tensor([[0.5, 2.0]])
    fine = torch.linspace(0.99, 0.01, 50)
    return [
        Case("the last of three levels", (z, guess, _LEVELS, 3)),
        Case("the second of three levels", (z, guess, _LEVELS, 2)),
        Case("the first level, which leads to the image", (z, guess, _LEVELS, 1)),
        Case("a guess of no noise", (z, 0 * guess, _LEVELS, 2)),
        Case("a single level", (z, guess, torch.tensor([0.2]), 1)),
        Case("4 images at one of 50 levels", draw(4, 3, fine, 20)),
        Case("the last of 50 levels", draw(2, 3, fine, 50)),
        Case("the first of 50 levels", draw(2, 3, fine, 1)),
        Case("double precision", draw(2, 3, _LEVELS, 2, torch.float64)),
        Case("a guess that wants gradients", (z, guess.clone().requires_grad_(), _LEVELS, 2)),
    ]


_BACK = '''def step_back(z, guess, abar, t):
    """z_t and the guess of its noise, (B, D); abar (T,) → mean of p(z_{t−1}|z_t), (B, D)."""
    '''
_NOW = "now = abar[t - 1]  # ᾱ_t\n    "
_BEFORE = "before = abar[t - 2] if t > 1 else torch.ones_like(now)  # ᾱ_{t−1}\n    "
_IMAGE = "x_hat = (z - (1 - now).sqrt() * guess) / now.sqrt()\n    "
_STEP = "beta = 1 - now / before\n    "
_OF_Z = "(1 - beta).sqrt() * (1 - before) / (1 - now) * z"
_OF_X = "before.sqrt() * beta / (1 - now) * x_hat"
_HO = "return (z - beta / (1 - now).sqrt() * guess) / "

STEP_BACK = Exercise(
    name="diffusion-step-back",
    title="Complete a function",
    task="""One step down the chain.
Given $z_t$ and a guess $\\hat\\varepsilon$ of the noise in it, return the mean of $p(z_{t-1}|z_t)$:
first the guess $\\hat x$ of the image, then the mean of $q(z_{t-1}|z_t, x)$ with $\\hat x$ in the
place of $x$.
The levels are counted from t = 1, so `abar[0]` is ᾱ_1, and ᾱ_0 = 1 is not stored.""",
    stub='''def step_back(z, guess, abar, t):
    """z_t and the guess of its noise, (B, D); abar (T,) → mean of p(z_{t−1}|z_t), (B, D)."""
    ...''',
    answer="step_back",
    solution=_BACK + _NOW + _BEFORE + _IMAGE + _STEP + f"return {_OF_Z} + {_OF_X}",
    why="""The two weights are those of $q(z_{t-1}|z_t, x)$.
At t = 1 the first is 0 and the second 1: the last step returns the guessed image itself.
Put together, it is $(z_t - \\beta_t\\,\\hat\\varepsilon/\\sqrt{1-ᾱ_t})/\\sqrt{1-\\beta_t}$, as Ho, Jain
and Abbeel write it.""",
    hints=(
        "From $z_t = \\sqrt{ᾱ_t}\\,x + \\sqrt{1-ᾱ_t}\\,\\varepsilon$, what is x if the noise were $\\hat\\varepsilon$?",
        "β_t = 1 − ᾱ_t/ᾱ_{t−1}. Which ᾱ stands in `abar[t - 1]`, and what is ᾱ_0?",
        "√(1−β_t) (1−ᾱ_{t−1})/(1−ᾱ_t) times z, plus √ᾱ_{t−1} β_t/(1−ᾱ_t) times the guessed image.",
    ),
    mistakes=(
        Mistake(
            _BACK + _NOW + "before = abar[t - 2]  # ᾱ_{t−1}\n    " + _IMAGE + _STEP + f"return {_OF_Z} + {_OF_X}",
            "At t = 1 `abar[t - 2]` is `abar[-1]`, the *last* level: Python counts it from the end. "
            "There ᾱ_0 = 1 is wanted.",
        ),
        Mistake(
            _BACK
            + "now = abar[t] if t < len(abar) else abar[t - 1]\n    before = abar[t - 1]\n    "
            + _IMAGE
            + _STEP
            + f"return {_OF_Z} + {_OF_X}",
            "You are one level too far: `abar[0]` is ᾱ_1, so ᾱ_t is `abar[t - 1]`.",
        ),
        Mistake(
            _BACK + _NOW + "before = abar[max(t - 2, 0)]\n    " + _IMAGE + _STEP + f"return {_OF_Z} + {_OF_X}",
            "Right from t = 2 on. But before ᾱ_1 comes ᾱ_0 = 1, the image itself, and not ᾱ_1 once more.",
        ),
        Mistake(
            _BACK + _NOW + _BEFORE + _IMAGE + "return x_hat",
            "That is the guess of the image, all the way back. One step back is a mixture of it with $z_t$.",
        ),
        Mistake(
            _BACK + _NOW + _BEFORE + _IMAGE + "return before.sqrt() * x_hat",
            "That is the mean of z_{t−1} for who knows x and not z_t: √ᾱ_{t−1} x̂. What z_t says is lost.",
        ),
        Mistake(
            _BACK + _NOW + _BEFORE + _IMAGE + "return before.sqrt() * x_hat + (1 - before).sqrt() * guess",
            "You noised the guess anew with the guessed noise. That is the step of DDIM, "
            "and not the mean of q(z_{t−1}|z_t, x).",
        ),
        Mistake(
            _BACK
            + _NOW
            + _BEFORE
            + "x_hat = (z - (1 - now) * guess) / now.sqrt()\n    "
            + _STEP
            + f"return {_OF_Z} + {_OF_X}",
            "In the guess of the image the noise has the factor √(1 − ᾱ_t). The root is missing.",
        ),
        Mistake(
            _BACK
            + _NOW
            + _BEFORE
            + "x_hat = (z - (1 - now).sqrt() * guess) / now\n    "
            + _STEP
            + f"return {_OF_Z} + {_OF_X}",
            "In the guess of the image the division is by √ᾱ_t. The root is missing.",
        ),
        Mistake(
            _BACK + _NOW + _BEFORE + _IMAGE + "beta = 1 - now\n    " + f"return {_OF_Z} + {_OF_X}",
            "1 − ᾱ_t is the noise of all steps up to t. One step adds β_t = 1 − ᾱ_t/ᾱ_{t−1}.",
        ),
        Mistake(
            _BACK + _NOW + _BEFORE + _STEP + _HO + "now.sqrt()",
            "In this form the last division is by √(1−β_t), of one step, and not by √ᾱ_t, of all.",
        ),
        Mistake(
            _BACK + _NOW + _BEFORE + _STEP + _HO + "(1 - beta)",
            "In this form the last division is by √(1−β_t). The root is missing.",
        ),
        Mistake(
            _BACK + _NOW + _BEFORE + _IMAGE + _STEP + f"return {_OF_X} + (1 - beta).sqrt() * z",
            "The weight of z has a second factor, (1−ᾱ_{t−1})/(1−ᾱ_t): it is 0 at t = 1.",
        ),
        Mistake(
            _BACK + _NOW + _BEFORE + "x_hat = guess\n    " + _STEP + f"return {_OF_Z} + {_OF_X}",
            "You put the guess of the *noise* where the guess of the *image* belongs.",
        ),
    ),
    cases=_steps,
    points=2,
)


def _noisy(generator: torch.Generator) -> list[Case]:
    """Images and noise, (B, D), with levels (T,) and t."""

    def draw(b: int, d: int, t: int, dtype: torch.dtype = torch.float32) -> tuple[Any, ...]:
        levels = torch.linspace(0.98, 0.02, 20, dtype=dtype)
        return draws(generator, b, d, dtype=dtype), draws(generator, b, d, dtype=dtype), levels, t

    x, eps = torch.tensor([[0.5, -1.0]]), torch.tensor([[1.0, 2.0]])
    return [
        Case("the second of three levels", (x, eps, _LEVELS, 2)),
        Case("the first of three levels", (x, eps, _LEVELS, 1)),
        Case("the last of three levels", (x, eps, _LEVELS, 3)),
        Case("no noise", (x, 0 * eps, _LEVELS, 2)),
        Case("an image of zeros", (0 * x, eps, _LEVELS, 2)),
        Case("a single level", (x, eps, torch.tensor([0.3]), 1)),
        Case("5 images", draw(5, 4, 7)),
        Case("the last of 20 levels", draw(3, 4, 20)),
        Case("double precision", draw(2, 3, 5, torch.float64)),
    ]


_NOISY = '''def noisy(x, eps, abar, t):
    """x and standard normal eps, (B, D); abar (T,), abar[0] is ᾱ_1 → z_t, (B, D)."""
    level = abar[t - 1]  # ᾱ_t
    '''

NOISE_BUG = Exercise(
    name="diffusion-noise-bug",
    title="Find the bug",
    task="""The notebooks of a public course on diffusion had this line.
The model trains, the loss falls, and the pictures are not bad.
But at the level with ᾱ_t = ½, the noise in $z_t$ has a variance of ¼.
Repair it.""",
    stub=_NOISY + "return level.sqrt() * x + (1 - level) * eps",
    answer="noisy",
    solution=_NOISY + "return level.sqrt() * x + (1 - level).sqrt() * eps",
    why="""The variance of the noise is 1 − ᾱ_t, so its factor is √(1 − ᾱ_t).
Without the root the network is trained on $z_t$ with too little noise, and sampling, whose formulas
are right, then hands it noise that it never saw.
No error message says so.
Issue 1 of `Ryota-Kawamura/How-Diffusion-Models-Work` reports it, and copies of the line stand in at
least ten more public files.
The same root was missing in a sampler of `labmlai/annotated_deep_learning_paper_implementations`
until its issue 152.""",
    hints=(
        "What is the variance of a standard normal number times a factor?",
        "With ᾱ_t = ½ the signal has the factor 0.71. Which factor of the noise makes the two *squares* add up to 1?",
        "`(1 - level).sqrt()`",
    ),
    mistakes=(
        Mistake(
            _NOISY + "return level * x + (1 - level) * eps",
            "Now both roots are missing. ᾱ and 1 − ᾱ are variances: each factor is the root of one.",
        ),
        Mistake(
            _NOISY + "return level * x + (1 - level).sqrt() * eps",
            "The noise is right now, but you took the root from the signal: its factor is √ᾱ_t.",
        ),
        Mistake(
            _NOISY + "return level.sqrt() * x + (1 - level.sqrt()) * eps",
            "1 − √ᾱ_t is not √(1 − ᾱ_t): the *squares* of the two factors have to add up to 1.",
        ),
        Mistake(
            _NOISY + "return level.sqrt() * x + (1 - level**2).sqrt() * eps",
            "Under the root stands 1 − ᾱ_t, and not 1 − ᾱ_t²: the signal's factor is √ᾱ_t, its square ᾱ_t.",
        ),
        Mistake(
            _NOISY + "return level.sqrt() * x + (1 - level) ** 2 * eps",
            "You squared it. The variance of the noise is 1 − ᾱ_t, so its factor is the root of that.",
        ),
        Mistake(
            _NOISY.replace("abar[t - 1]", "abar[min(t, len(abar) - 1)]")
            + "return level.sqrt() * x + (1 - level).sqrt() * eps",
            "The roots are right, but the level is the next one: t counts from 1, and `abar[0]` is ᾱ_1.",
        ),
        Mistake(
            _NOISY + "return (1 - level).sqrt() * x + level.sqrt() * eps",
            "Signal and noise are exchanged: at a high level, ᾱ near 1, most of z is the image.",
        ),
        Mistake(
            _NOISY + "return level.sqrt() * x + (1 - level).sqrt() * torch.randn_like(x)",
            "The factor is right, but you drew other noise. The training must know which noise it was: use eps.",
        ),
        Mistake(
            _NOISY + "return x + ((1 - level) / level).sqrt() * eps",
            "The ratio of noise to signal is right, but not the size: z_t/√ᾱ_t is what you return.",
        ),
    ),
    cases=_noisy,
)


def _true_variances(generator: torch.Generator) -> list[Case]:
    """True variances of T steps in D directions, (T, D)."""

    def draw(t: int, d: int, dtype: torch.dtype = torch.float32) -> Tensor:
        return draws(generator, t, d, dtype=dtype).exp()

    two = torch.tensor([[0.5, 0.02]])
    return [
        Case("one step, two directions", (two,)),
        Case("two steps", (torch.tensor([[0.5, 0.02], [0.3, 0.1]]),)),
        Case("equal variances", (torch.full((2, 3), 0.2),)),
        Case("a single direction", (torch.tensor([[0.4], [0.1]]),)),
        Case("steps of very different size", (torch.tensor([[0.5, 0.4, 0.3], [5e-6, 2e-6, 1e-6]]),)),
        Case("one direction with hardly any variance", (torch.tensor([[1.0, 1e-12, 1.0]]),)),
        Case("3 steps, 5 directions", (draw(3, 5),)),
        Case("double precision", (draw(4, 3, torch.float64),)),
        Case("variances that want gradients", (two.clone().requires_grad_(),)),
    ]


_GAP = '''def gap_of_steps(variances):
    """True variances, (T, D) → gap of each step with its best shared variance, (T,), nats."""
    '''
_SHARED = "shared = variances.mean(1, keepdim=True)\n    "
_RATIO = "r = variances / shared\n    "

STEP_GAP = Exercise(
    name="diffusion-step-gap",
    title="Complete a function",
    task="""Each of T steps back has its true variances in D directions.
The decoder has the right means, and for each step one variance for all directions, the best one.
Return what each step costs in nats, summed over its directions.""",
    stub='''def gap_of_steps(variances):
    """True variances, (T, D) → gap of each step with its best shared variance, (T,), nats."""
    ...''',
    answer="gap_of_steps",
    solution=_GAP + _SHARED + _RATIO + "return 0.5 * (r - 1 - r.log()).sum(1)",
    why="""The best shared variance is the mean over directions, of each step by itself.
With it Σ r = D, so the first two terms cancel, and the gap is ½ Σ log(mean/variance).
It is 0 only if all directions have the same variance.""",
    hints=(
        "Which shared variance makes Σ ½(r − 1 − log r) smallest? The lesson solves it for two directions.",
        "The mean over dimension 1, with `keepdim=True`, so that it divides each row.",
        "`r = variances / variances.mean(1, keepdim=True)`, then ½(r − 1 − log r), summed over dimension 1.",
    ),
    mistakes=(
        Mistake(
            _GAP + _SHARED + _RATIO + "return 0.5 * (r - 1 - r.log()).mean(1)",
            "You averaged over the directions. Nats of directions add up.",
        ),
        Mistake(
            _GAP + _SHARED + _RATIO + "return 0.5 * (r - 1 - r.log()).sum()",
            "You summed over the steps too. Each step has a gap of its own: (T,).",
        ),
        Mistake(
            _GAP + _SHARED + _RATIO + "return (r - 1 - r.log()).sum(1)",
            "Twice too many: ½(r − 1 − log r) has a half.",
        ),
        Mistake(
            _GAP + "shared = variances.mean()\n    " + _RATIO + "return 0.5 * (r - 1 - r.log()).sum(1)",
            "You shared one variance among all *steps*. Each step has its own, shared by its directions.",
        ),
        Mistake(
            _GAP + "shared = variances.mean(0)\n    " + _RATIO + "return 0.5 * (r - 1 - r.log()).sum(1)",
            "You averaged over the steps. The mean is over directions, dimension 1.",
        ),
        Mistake(
            _GAP
            + "shared = variances.log().mean(1, keepdim=True).exp()\n    "
            + _RATIO
            + "return 0.5 * (r - 1 - r.log()).sum(1)",
            "You shared the geometric mean, which is the best for the KL the other way round. Here it is the arithmetic one.",
        ),
        Mistake(
            _GAP + _SHARED + "r = shared / variances\n    return 0.5 * (r - 1 - r.log()).sum(1)",
            "The ratio is upside down: r is the *true* variance over the shared one.",
        ),
        Mistake(
            _GAP
            + "shared = variances.max(1, keepdim=True).values\n    "
            + _RATIO
            + "return 0.5 * (r - 1 - r.log()).sum(1)",
            "You shared the largest variance. That is never too narrow, but the mean is better.",
        ),
        Mistake(
            _GAP + _SHARED + _RATIO + "return 0.5 * r.log().sum(1)",
            "The sign is turned: the gap is ½ Σ log(mean/variance), which is never negative.",
        ),
        Mistake(
            _GAP + _SHARED + "return 0.5 * shared.log().squeeze(1) - 0.5 * variances.log().sum(1)",
            "The log of the mean counts once for each of the D directions.",
        ),
        Mistake(
            _GAP + _SHARED + _RATIO + "return 0.5 * (r - 1 - r.log2()).sum(1)",
            "Nats use the natural logarithm, `log`.",
        ),
        Mistake(
            _GAP + _SHARED + "r = (variances / shared).sqrt()\n    return 0.5 * (r - 1 - r.log()).sum(1)",
            "The ratio is one of variances, not of standard deviations.",
        ),
    ),
    cases=_true_variances,
    points=2,
)

LESSON = Lesson("11", SETUP, (ONE_LATENT, STEP_BACK, NOISE_BUG, STEP_GAP))
