"""Exercises of notebook 11, diffusion."""

from typing import Any

import torch
from torch import Tensor

from vae_lessons.exercises.source import Case, Exercise, Lesson, Mistake, draws, shares

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
            "Either the ratio is upside down (r is the *true* variance over the shared one), or you shared the "
            "harmonic mean: both give this number.",
        ),
        Mistake(
            "nats = 1.032222",
            "You averaged the standard deviations. The best shared *variance* is the mean of the variances.",
        ),
        Mistake("nats = 0.309805", "The ratio is one of variances, and you took that of the standard deviations."),
        Mistake("nats = 1.148662", "You shared the sum of the two variances. The best one is their mean."),
        Mistake("nats = 0", "That would be so with the true variance in each pixel. Here both must share one."),
    ),
    tolerance=0.01,
)

_LEVELS = torch.tensor([0.9, 0.5, 0.1], dtype=torch.float64)  # as in `diffusion`


def _steps(generator: torch.Generator) -> list[Case]:
    """z_t and a guess of its noise, (B, D), with levels (T,) and t."""

    def draw(b: int, d: int, levels: Tensor, t: int, dtype: torch.dtype = torch.float64) -> tuple[Any, ...]:
        return draws(generator, b, d, dtype=dtype), draws(generator, b, d, dtype=dtype), levels, t

    z, guess = torch.tensor([[1.0, -0.5]]).double(), torch.tensor([[0.5, 2.0]]).double()
    fine = torch.linspace(0.99, 0.01, 50, dtype=torch.float64)
    return [
        Case("the last of three levels", (z, guess, _LEVELS, 3)),
        Case("the second of three levels", (z, guess, _LEVELS, 2)),
        Case("the first level, which leads to the image", (z, guess, _LEVELS, 1)),
        Case("a guess of no noise", (z, 0 * guess, _LEVELS, 2)),
        Case("a single level", (z, guess, _LEVELS[1:2], 1)),
        Case("4 images at one of 50 levels", draw(4, 3, fine, 20)),
        Case("the last of 50 levels", draw(2, 3, fine, 50)),
        Case("the first of 50 levels", draw(2, 3, fine, 1)),
        Case("single precision", draw(2, 3, _LEVELS, 2, torch.float32)),
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
            _BACK + _NOW + _BEFORE + _STEP + "return (z - beta / (1 - now) * guess) / (1 - beta).sqrt()",
            "In this form the guess has the factor β_t/√(1−ᾱ_t). The root is missing.",
        ),
        Mistake(
            _BACK + _NOW + _BEFORE + _STEP + "return (z - beta / (1 - now).sqrt() * guess) * (1 - beta).sqrt()",
            "In this form the last step is a division by √(1−β_t). You multiply by it.",
        ),
        Mistake(
            _BACK + _NOW + _BEFORE + _STEP + "return z - beta / (1 - now).sqrt() * guess",
            "In this form a division by √(1−β_t) is still missing.",
        ),
        Mistake(
            _BACK + _NOW + _BEFORE + _IMAGE + _STEP + f"return {_OF_Z} + now.sqrt() * beta / (1 - now) * x_hat",
            "The weight of the image has √ᾱ_{t−1}, the level that the step leads to, and not √ᾱ_t.",
        ),
        Mistake(
            _BACK
            + _NOW
            + _BEFORE
            + "x_hat = (z + (1 - now).sqrt() * guess) / now.sqrt()\n    "
            + _STEP
            + f"return {_OF_Z} + {_OF_X}",
            "The guessed noise has to be taken away from $z_t$, and you add it.",
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

    def draw(b: int, d: int, t: int, dtype: torch.dtype = torch.float64) -> tuple[Any, ...]:
        levels = torch.linspace(0.98, 0.02, 20, dtype=torch.float64)
        return draws(generator, b, d, dtype=dtype), draws(generator, b, d, dtype=dtype), levels, t

    x, eps = torch.tensor([[0.5, -1.0]]).double(), torch.tensor([[1.0, 2.0]]).double()
    return [
        Case("the second of three levels", (x, eps, _LEVELS, 2)),
        Case("the first of three levels", (x, eps, _LEVELS, 1)),
        Case("the last of three levels", (x, eps, _LEVELS, 3)),
        Case("no noise", (x, 0 * eps, _LEVELS, 2)),
        Case("an image of zeros", (0 * x, eps, _LEVELS, 2)),
        Case("a single level", (x, eps, _LEVELS[2:], 1)),
        Case("5 images", draw(5, 4, 7)),
        Case("the last of 20 levels", draw(3, 4, 20)),
        Case("single precision", draw(2, 3, 5, torch.float32)),
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
But for data of variance 1, $z_t$ should have the variance 1 at every level, and at ᾱ_t = ½ it has ¾.
Repair it.
(The solution names the course.)""",
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


def _ladders(generator: torch.Generator) -> list[Case]:
    """Levels (T,), falling."""

    def draw(n_steps: int) -> Tensor:
        falls = shares(generator, n_steps, dtype=torch.float64) + 0.1  # of the log-SNR, so that no two levels are alike
        return (4 - falls.cumsum(0)).sigmoid()

    levels = torch.tensor([0.9, 0.6, 0.1], dtype=torch.float64)
    even = torch.tensor([3.0, 1.0, -1.0, -3.0], dtype=torch.float64).sigmoid()
    return [
        Case("three levels", (levels,)),
        Case("two levels", (levels[:2],)),
        Case("four levels, even in log-SNR", (even,)),
        Case("very fine levels", (torch.tensor([0.99999, 0.9999, 0.999], dtype=torch.float64),)),
        Case("very noisy levels", (torch.tensor([1e-3, 1e-4, 1e-5], dtype=torch.float64),)),
        Case("a single level, and so no step", (levels[:1],)),
        Case("5 levels", (draw(5),)),
        Case("12 levels", (draw(12),)),
        Case("levels that want gradients", (levels.clone().requires_grad_(),)),
    ]


_WEIGHTS = '''def weights(abar):
    """ᾱ_1 … ᾱ_T, (T,) → w_2 … w_T with s_t² = β̃_t, (T − 1,)."""
    '''
_SNR = "snr = abar / (1 - abar)\n    "
_BETA = "beta = 1 - abar[1:] / abar[:-1]\n    "

WEIGHTS = Exercise(
    name="diffusion-weights",
    title="Complete a function",
    task="""From t = 2 on, the KL of a step is $w_t\\,\\|\\varepsilon - \\hat\\varepsilon\\|^2$ if $s_t^2 = \\tilde\\beta_t$.
From the levels alone, compute the weights that the simple loss sets to 1.""",
    stub=_WEIGHTS + "...",
    answer="weights",
    solution=_WEIGHTS + _SNR + "return 0.5 * (snr[:-1] / snr[1:] - 1)",
    why="""The weight is half of the ratio by which the SNR falls in the step, less 1.
On levels that are even in log-SNR the ratio is the same in every step, and so is the weight.""",
    hints=(
        "Which ratio stands in $w_t$, and what is the SNR of a level in terms of its ᾱ?",
        "SNR = ᾱ/(1 − ᾱ). `snr[:-1]` holds the SNR before each step from t = 2 on, `snr[1:]` the one after it.",
        "`0.5 * (snr[:-1] / snr[1:] - 1)`",
    ),
    mistakes=(
        Mistake(
            _WEIGHTS + _SNR + "return snr[:-1] / snr[1:] - 1",
            "Twice too much: $w_t$ has a half, from the 2 in the KL of two Gaussians.",
        ),
        Mistake(_WEIGHTS + _SNR + "return 0.5 * snr[:-1] / snr[1:]", "The −1 is missing: no step, no weight."),
        Mistake(
            _WEIGHTS + _SNR + "return 0.5 * (snr[1:] / snr[:-1] - 1)",
            "The ratio is upside down. The SNR falls, so that of level t − 1 is the larger one.",
        ),
        Mistake(
            _WEIGHTS + _SNR + "return 0.5 * (1 - snr[1:] / snr[:-1])",
            "The ratio is SNR_{t−1}/SNR_t, with the larger one above, and 1 is taken away from it.",
        ),
        Mistake(
            _WEIGHTS + _SNR + "return 0.5 * (snr[:-1] - snr[1:])",
            "The difference of the SNRs weighs the squared error of the guessed *image*. For that of the noise "
            "divide by SNR_t.",
        ),
        Mistake(
            _WEIGHTS + "return 0.5 * (abar[:-1] / abar[1:] - 1)",
            "ᾱ is the signal alone. The SNR is ᾱ/(1 − ᾱ).",
        ),
        Mistake(
            _WEIGHTS + "snr = (abar / (1 - abar)).sqrt()\n    return 0.5 * (snr[:-1] / snr[1:] - 1)",
            "The SNR is a ratio of variances, ᾱ/(1 − ᾱ), without a root.",
        ),
        Mistake(
            _WEIGHTS + "snr = torch.logit(abar)\n    return 0.5 * (snr[:-1] - snr[1:])",
            "That is half the fall of the *log*-SNR, and so the weight only in the limit of small steps.",
        ),
        Mistake(
            _WEIGHTS + _BETA + "return beta / (2 * (1 - beta) * (1 - abar[1:]))",
            "That is the weight with s_t² = β_t. Asked for is the one with β̃_t.",
        ),
        Mistake(
            _WEIGHTS + _BETA + "return beta**2 / (2 * (1 - beta) * (1 - abar[1:]))",
            "The variance s_t² = β̃_t is missing in the denominator.",
        ),
        Mistake(
            _WEIGHTS + _SNR + "w = 0.5 * (snr[:-1] / snr[1:] - 1)\n    return torch.cat([w[:1], w])",
            "One weight too many: at t = 1 β̃ is 0, so there is none. They begin at t = 2.",
        ),
        Mistake(
            _WEIGHTS + _SNR + "w = 0.5 * (snr[:-1] / snr[1:] - 1)\n    return w / w.mean()",
            "You scaled them to a mean of 1. That does for training, but the KL is in nats: leave them as they are.",
        ),
        Mistake(
            _WEIGHTS + "return torch.ones_like(abar[1:])",
            "These are the weights of the simple loss. Asked for are those of the ELBO.",
        ),
    ),
    cases=_ladders,
    points=2,
)

LESSON = Lesson("11", SETUP, (ONE_LATENT, STEP_BACK, NOISE_BUG, WEIGHTS))
