"""Exercises of notebook 04, reparameterisation."""

from typing import Any

import torch
from torch import Tensor

from vae_lessons.exercises.source import Case, Exercise, Function, Lesson, Mistake, draws, shares

SETUP = """import numpy as np
import torch"""


def _rewards(generator: torch.Generator) -> list[Case]:
    """f, mu, sigma, eps (S,) and a baseline; one f is a step, one sigma is small, one is large."""

    def draw(n_draws: int, sigma: float, dtype: torch.dtype = torch.float32) -> tuple[float, float, Tensor, float]:
        mu, baseline = (round(number, 2) for number in torch.randn(2, generator=generator).tolist())
        return mu, sigma, draws(generator, n_draws, dtype=dtype), baseline + 2

    square, eps = Function("lambda z: z**2"), torch.tensor([1.0, -0.5])
    step = Function("lambda z: (z > 0.5).float()")
    return [
        Case("f = z² and two draws", (square, 1.0, 0.5, eps, 2.0)),
        Case("f = z² without a baseline", (square, 1.0, 2.0, eps, 0.0)),
        Case("a step, f(z) = 1 for z > ½ and 0 below", (step, 0.3, 1.5, eps, 0.5)),
        Case("a small σ", (square, 1.0, 0.05, eps, 0.5)),
        Case("a large σ", (square, 1.0, 50.0, eps, -3.0)),
        Case("f = cos and one draw", (Function("torch.cos"), *draw(1, 2.0))),
        Case("6 draws", (square, *draw(6, 0.7))),
        Case("double precision", (square, *draw(5, 0.7, torch.float64))),
    ]


def _log_vars(generator: torch.Generator) -> list[Case]:
    """mu, log_var and eps of one shape."""

    def draw(*shape: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, ...]:
        return tuple(draws(generator, *shape, dtype=dtype) for _ in range(3))

    mu, eps = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, -2.0]])
    return [
        Case("a width of 0.368", (torch.tensor([[0.5]]), torch.tensor([[-2.0]]), torch.tensor([[1.0]]))),
        Case("a very narrow q", (mu, torch.tensor([[-30.0, -12.0]]), eps)),
        Case("a very wide q", (mu, torch.tensor([[100.0, 20.0]]), eps)),
        Case("a very wide q in double precision", (mu.double(), torch.tensor([[800.0, 20.0]]).double(), eps.double())),
        Case("a single number", draw(1, 1)),
        Case("a batch of 5 with 2 latents", draw(5, 2)),
        Case("double precision", draw(4, 2, dtype=torch.float64)),
        Case(
            "inputs that want gradients",
            (mu.clone().requires_grad_(), torch.tensor([[-2.0, 0.5]]).requires_grad_(), eps),
        ),
    ]


def _seeded(generator: torch.Generator) -> list[Case]:
    """mu, sigma and a generator of noise; one generator has been drawn from before."""

    def draw(*shape: int) -> tuple[Any, ...]:
        mu, sigma = draws(generator, *shape), shares(generator, *shape) + 0.5
        seed = int(torch.randint(2**31, (1,), generator=generator))
        return mu, sigma, torch.Generator().manual_seed(seed)

    one, two = torch.tensor([[1.0, -1.0]]), torch.tensor([[0.5, 2.0]])
    leaves = one.clone().requires_grad_(), two.clone().requires_grad_()
    zeros_and_ones = torch.zeros(2, 8).double(), torch.ones(2, 8).double()
    used = torch.Generator().manual_seed(1)
    torch.randn(3, generator=used)
    before = "generator = torch.Generator().manual_seed(1)\ntorch.randn(3, generator=generator)"
    return [
        Case("a batch of one", (one, two, torch.Generator().manual_seed(0))),
        Case("a generator that has been drawn from before", (one, two, used), before),
        Case("a width of 0", (one, torch.zeros(1, 2), torch.Generator().manual_seed(0))),
        Case("a batch of 2", (torch.zeros(2, 2), torch.ones(2, 2), torch.Generator().manual_seed(0))),
        Case("double precision", (one.double(), two.double(), torch.Generator().manual_seed(0))),
        Case("inputs that want gradients", (*leaves, torch.Generator().manual_seed(0))),
        Case("a batch of 3 with 2 latents", draw(3, 2)),
        Case("a batch of 20 with 8 latents", draw(20, 8)),
        Case("double precision and 8 latents", (*zeros_and_ones, torch.Generator().manual_seed(0))),
    ]


SCORE_NOISE = Exercise(
    name="score-noise",
    title="Predict a number",
    task="""For f(z) = 3z the reparameterised slope ∂/∂μ is 3 at every draw: its variance is 0.
What is the variance of the score-function estimator f(z)(z − μ)/σ² at μ = 0?
It does not depend on σ.
Recall that 𝔼[ε⁴] = 3.""",
    stub="variance = ...",
    answer="variance",
    solution="""mean = 3 * 1  # of 3ε², since 𝔼[ε²] = 1
mean_square = 3**2 * 3  # of 9ε⁴, since 𝔼[ε⁴] = 3
variance = mean_square - mean**2""",
    why="""At μ = 0, z = σε, and the estimator is 3ε².
Its mean is 3, as it should be, its mean square 9 · 3 = 27, its variance 27 − 9 = 18.
For the simplest of all functions, the path has no noise at all, and the score has a lot.""",
    hints=(
        "Put z = σε into the estimator: what becomes of σ?",
        "It is 3ε². Now 𝔼[(3ε²)²] − 𝔼[3ε²]².",
    ),
    mistakes=(
        Mistake(
            "variance = 0.0", "That is the variance of the reparameterised slope. The score estimator varies with ε."
        ),
        Mistake("variance = 27.0", "That is 𝔼[g²]. The square of the mean, 3², is still to be subtracted."),
        Mistake(
            "variance = 3.0",
            "That is the mean of the estimator, which is right for a slope of 3. How far does it scatter?",
        ),
        Mistake("variance = 6.0", "A factor 3 in front of ε² multiplies the variance by 3², not by 3."),
        Mistake(
            "variance = 9.0",
            "That would be 9 times a variance of 1, that of ε. Here it is ε² that varies, with variance 2.",
        ),
        Mistake(
            "variance = 2.0", "That is the variance of ε². The factor 3 in front of it is squared in the variance."
        ),
    ),
)

BASELINE = Exercise(
    name="score-baseline",
    title="Complete a function",
    task="""The score estimator needs no derivative of f, so it works even for a step.
Write it with a *baseline* b, a constant taken off f before anything else, which leaves the mean
alone and can cut the noise:

$$ g = \\big(f(z) - b\\big)\\,\\nabla_\\mu \\log q(z), \\qquad z = \\mu + \\sigma\\varepsilon . $$

Return one estimate of the slope in μ for each draw.""",
    stub='''def score_slope(f, mu, sigma, eps, baseline):
    """f a function of z; mu, sigma, baseline numbers; eps (S,) → S estimates of the slope in mu."""
    ...''',
    answer="score_slope",
    solution='''def score_slope(f, mu, sigma, eps, baseline):
    """f a function of z; mu, sigma, baseline numbers; eps (S,) → S estimates of the slope in mu."""
    z = mu + sigma * eps
    return (f(z) - baseline) * eps / sigma''',
    why="""∇ log q(z) with respect to μ is (z − μ)/σ² = ε/σ.
Its mean is 0, so a constant times it adds nothing to the mean: b is free, and only the noise
depends on it.""",
    hints=(
        "∇ log q(z) with respect to μ stands in the lesson, under Rule 1. What is it in terms of ε?",
        "(z − μ)/σ² = ε/σ, with one σ below the line.",
    ),
    mistakes=(
        Mistake(
            "def score_slope(f, mu, sigma, eps, baseline):\n    return f(mu + sigma * eps) * eps / sigma - baseline",
            "You took the baseline off the slope: that shifts its mean by −b. "
            "It has to be taken off f, before the multiplication.",
        ),
        Mistake(
            "def score_slope(f, mu, sigma, eps, baseline):\n    return (f(mu + sigma * eps) - baseline) * eps / sigma**2",
            "(z − μ)/σ² is ε/σ: z − μ brings a σ along. Your slopes are wrong by a factor 1/σ.",
        ),
        Mistake(
            "def score_slope(f, mu, sigma, eps, baseline):\n    return (f(mu + sigma * eps) - baseline) * eps",
            "The score is ε/σ, not ε. Without the 1/σ the mean of your slopes is σ times the true slope.",
        ),
        Mistake(
            "def score_slope(f, mu, sigma, eps, baseline):\n    return (baseline - f(mu + sigma * eps)) * eps / sigma",
            "The sign is wrong: samples that do better than the baseline should pull μ towards them, not push it away.",
        ),
        Mistake(
            "def score_slope(f, mu, sigma, eps, baseline):\n    return (f(eps) - baseline) * eps / sigma",
            "f was asked about ε. It should judge the sample, z = μ + σε.",
        ),
        Mistake(
            "def score_slope(f, mu, sigma, eps, baseline):\n    return f(mu + sigma * eps) * eps / sigma",
            "The mean is right, but the baseline is not used.",
        ),
        Mistake(
            "def score_slope(f, mu, sigma, eps, baseline):\n    return (f(mu + sigma * eps) - baseline) * (eps**2 - 1) / sigma",
            "That is the slope in σ. For the slope in μ, log q is differentiated with respect to μ.",
        ),
        Mistake(
            "def score_slope(f, mu, sigma, eps, baseline):\n    return ((f(mu + sigma * eps) - baseline) * eps / sigma).mean()",
            "The formula is right. "
            "Leave the averaging to the caller, who also wants to see the noise: one estimate for "
            "each draw.",
        ),
        Mistake(
            "def score_slope(f, mu, sigma, eps, baseline):\n    z = (mu + sigma * eps).requires_grad_()\n    return torch.autograd.grad(f(z).sum(), z)[0]",
            "That is the reparameterised slope. It needs the derivative of f, and autograd finds none in a step.",
        ),
    ),
    cases=_rewards,
    points=2,
)

LOG_VAR_SAMPLE = Exercise(
    name="sample-log-var",
    title="Find the bug",
    task="""The encoder returns `log_var`, the log of the *variance*, and the KL in the loss reads it so.
The sample does not: at `log_var` = −2 its noise is scaled by 0.135, and σ is 0.368.
Repair it.
A model is trained through it, so gradients must pass.
It should hold for any σ that fits into the dtype, also where σ² does not.""",
    stub='''def reparameterize(mu, log_var, eps):
    """z from N(mu, exp(log_var)), given standard normal eps of the same shape."""
    return mu + torch.exp(log_var) * eps''',
    answer="reparameterize",
    solution='''def reparameterize(mu, log_var, eps):
    """z from N(mu, exp(log_var)), given standard normal eps of the same shape."""
    return mu + torch.exp(0.5 * log_var) * eps''',
    why="""log σ = ½ log σ², so σ = exp(½ `log_var`).
With the bug the decoder saw noise of width σ², while the KL charged for σ: for σ < 1 the codes were
more exact than had been paid for.
The root of `exp(log_var)` is σ as well, until the variance gets too large for the dtype: 10³⁸ in
single precision.
Nothing crashes, and the loss goes down: a wrong factor of 2 in a logarithm has to be looked for.""",
    hints=(
        "What has to stand in front of ε: the variance or its root?",
        "The root of exp(v) is exp(v/2).",
    ),
    mistakes=(
        Mistake(
            "def reparameterize(mu, log_var, eps):\n    return mu + torch.exp(2 * log_var) * eps",
            "The 2 is on the wrong side: now z has standard deviation σ⁴.",
        ),
        Mistake(
            "def reparameterize(mu, log_var, eps):\n    return mu + 0.5 * torch.exp(log_var) * eps",
            "Half the variance is not its root: the ½ belongs into the exponent.",
        ),
        Mistake(
            "def reparameterize(mu, log_var, eps):\n    return mu + torch.sqrt(log_var) * eps",
            "You took the root of the logarithm, which is NaN wherever the variance is below 1. "
            "Take the root of the variance.",
        ),
        Mistake(
            "def reparameterize(mu, log_var, eps):\n    return mu + torch.exp(torch.sqrt(log_var)) * eps",
            "The root is taken too early: the logarithm is negative wherever the variance is "
            "below 1, and its root NaN.",
        ),
        Mistake(
            "def reparameterize(mu, log_var, eps):\n    return mu + log_var * eps",
            "The logarithm itself is no width: it can be negative. It has to be exponentiated.",
        ),
        Mistake(
            "def reparameterize(mu, log_var, eps):\n    return mu + torch.exp(0.5 * log_var.detach()) * eps",
            "The values are right, but `.detach()` cuts σ off: the log likelihood could no longer "
            "tell the encoder to be more exact.",
        ),
        Mistake(
            "def reparameterize(mu, log_var, eps):\n    return mu + torch.exp(log_var).sqrt() * eps",
            "Right for ordinary widths. "
            "But for a very wide q the variance overflows before its root is taken: halve the "
            "logarithm, then exponentiate.",
        ),
        Mistake(
            "def reparameterize(mu, log_var, eps):\n    return (mu + torch.exp(0.5 * log_var) * eps).detach()",
            "The values are right, but this is a plain sample now: no gradient reaches μ or σ, "
            "which was the point of it.",
        ),
    ),
    cases=_log_vars,
    points=2,
)

NUMPY_NOISE = Exercise(
    name="numpy-noise",
    title="Find the bug",
    task="""The post's line again: noise that `torch.manual_seed` does not reach, on the CPU whatever the
model's device, rounded to float32.
Make it torch's noise, drawn once from `generator`, standard normal, with the shape, dtype and
device of `mu`.
The check compares with such a draw from an equal generator, so all randomness has to come from the
one that is given.
The next call should draw other noise from it, and gradients have to pass.""",
    stub='''def sample_latent(mu, sigma, generator):
    """z from N(mu, sigma²), mu and sigma (B, K), with noise from torch's generator."""
    std_z = torch.from_numpy(np.random.normal(0, 1, size=sigma.size())).float()
    return mu + sigma * std_z''',
    answer="sample_latent",
    solution='''def sample_latent(mu, sigma, generator):
    """z from N(mu, sigma²), mu and sigma (B, K), with noise from torch's generator."""
    std_z = torch.randn(mu.shape, generator=generator, dtype=mu.dtype, device=mu.device)
    return mu + sigma * std_z''',
    why="""A generator that is passed on makes one function repeatable without touching the rest of the
program.
`dtype` and `device` from `mu` keep it working in double precision and on a GPU.
`standard_noise(mu, generator)` of the course does this.""",
    hints=(
        "`torch.randn` takes a shape and `generator=`.",
        "Two more arguments make the noise like `mu`: `dtype=mu.dtype`, `device=mu.device`.",
    ),
    mistakes=(
        Mistake(
            "def sample_latent(mu, sigma, generator):\n    return mu + sigma * torch.randn(mu.shape, generator=generator)",
            "Right in float32. "
            "But for double-precision inputs the noise is still made in float32: give "
            "`torch.randn` the dtype and the device of `mu`.",
        ),
        Mistake(
            "def sample_latent(mu, sigma, generator):\n    return torch.normal(mu, sigma, generator=generator)",
            "The values are right, but that is a plain sample: its gradients with respect to mu "
            "and sigma are 0. "
            "Write μ + σε.",
        ),
        Mistake(
            "def sample_latent(mu, sigma, generator):\n    return mu + sigma * torch.randn(mu.shape[1:], generator=generator, dtype=mu.dtype)",
            "All images of the batch share one noise vector: ε needs the whole shape (B, K).",
        ),
        Mistake(
            "def sample_latent(mu, sigma, generator):\n    return mu + sigma * torch.rand(mu.shape, generator=generator, dtype=mu.dtype)",
            "`rand` is uniform between 0 and 1. Standard normal noise comes from `randn`.",
        ),
        Mistake(
            "def sample_latent(mu, sigma, generator):\n    return mu + sigma * torch.randn_like(mu)",
            "This noise comes from torch's global generator; `generator` is not used, so the caller cannot repeat it.",
        ),
        Mistake(
            "def sample_latent(mu, sigma, generator):\n    return mu + sigma**2 * torch.randn(mu.shape, generator=generator, dtype=mu.dtype)",
            "`sigma` is the standard deviation: z = μ + σε, without a square.",
        ),
        Mistake(
            "def sample_latent(mu, sigma, generator):\n    g = torch.Generator().manual_seed(0)\n    return mu + sigma * torch.randn(mu.shape, generator=g, dtype=mu.dtype)",
            "A generator seeded inside gives the same noise at every call. "
            "The noise should come from the one that the caller passes.",
        ),
        Mistake(
            "def sample_latent(mu, sigma, generator):\n    g = torch.Generator().manual_seed(generator.initial_seed())\n    return mu + sigma * torch.randn(mu.shape, generator=g, dtype=mu.dtype)",
            "You start the generator again from its seed, so every call gives the same noise. "
            "Draw from the one that is handed in, where it stands.",
        ),
        Mistake(
            "def sample_latent(mu, sigma, generator):\n    g = torch.Generator().set_state(generator.get_state())\n    return mu + sigma * torch.randn(mu.shape, generator=g, dtype=mu.dtype)",
            "You draw from a copy of the generator: the one that is handed in stands still, and "
            "the next call gives the same noise.",
        ),
        Mistake(
            "def sample_latent(mu, sigma, generator):\n    return torch.randn(mu.shape, generator=generator, dtype=mu.dtype)",
            "The noise is right; now scale it with sigma and shift it by mu.",
        ),
    ),
    cases=_seeded,
    points=2,
)

LESSON = Lesson("04", SETUP, (SCORE_NOISE, BASELINE, LOG_VAR_SAMPLE, NUMPY_NOISE))
