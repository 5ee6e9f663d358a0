"""Exercises of notebook 02, the Monte Carlo KL."""

import math

import torch
from torch import Tensor

from vae_lessons.exercises.source import Case, Exercise, Lesson, Mistake, draws, shares
from vae_lessons.montecarlo import log_ratio_std

SETUP = """import math

import torch

from vae_lessons.montecarlo import log_ratio_std"""


def _posteriors(generator: torch.Generator) -> list[Case]:
    """mu, log_sigma (K,) and an error that takes tens to thousands of draws."""

    def draw(n_latents: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, float]:
        mu, log_sigma = draws(generator, n_latents, dtype=dtype), -shares(generator, n_latents, dtype=dtype)
        mu[0] += 2  # so that none has all latents at the prior
        return mu, log_sigma, _error_for(mu, log_sigma, int(torch.randint(50, 3000, (), generator=generator)))

    mu, log_sigma = torch.tensor([1.5, 0.0]), torch.tensor([0.0, 0.0])
    wide = torch.tensor([0.0]), torch.tensor([3.0])
    return [
        Case("one latent of width 1, where 4 draws are exactly enough", (torch.ones(1), torch.zeros(1), 0.5)),
        Case("two latents of width 1", (torch.ones(2), torch.zeros(2), 0.4)),
        Case("two latents, one of them at the prior", (mu, log_sigma, 0.4)),
        Case("a latent that is very wide", (*wide, _error_for(*wide, 40))),
        Case("1 latent", draw(1)),
        Case("3 latents", draw(3)),
        Case("8 latents in double precision", draw(8, torch.float64)),
    ]


def _error_for(mu: Tensor, log_sigma: Tensor, n_draws: int) -> float:
    """A standard error that `n_draws` reach well, and one draw less does not: no rounding turns the answer."""
    variance = (log_ratio_std(mu.double(), log_sigma.double()) ** 2).sum().item()
    return math.sqrt(variance / (n_draws - 0.5))


def _log_ratios(generator: torch.Generator) -> list[Case]:
    """(S, K), with scatters that differ from latent to latent."""

    def draw(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        scales = 0.5 + 2 * torch.rand(shape[-1], generator=generator, dtype=dtype)
        return (scales * (1 + torch.randn(*shape, generator=generator, dtype=dtype))).round(decimals=2)

    return [
        Case("2 draws of 1 latent", (torch.tensor([[1.0], [3.0]]),)),
        Case("3 draws of 2 latents that err together", (torch.tensor([[1.0, 2.0], [2.0, 4.0], [3.0, 3.0]]),)),
        Case("draws that are all alike", (torch.tensor([[2.0, 0.5], [2.0, 0.5]]),)),
        Case("very large log-ratios", (torch.tensor([[4000.0, 100.0], [9000.0, 200.0], [5000.0, 0.0]]),)),
        Case("very small log-ratios", (torch.tensor([[0.004, 0.001], [-0.002, 0.003]], dtype=torch.float64),)),
        Case("6 draws of 2 latents", (draw(6, 2),)),
        Case("50 draws of 8 latents", (draw(50, 8),)),
        Case("double precision", (draw(5, 2, dtype=torch.float64),)),
    ]


def _log_densities(generator: torch.Generator) -> list[Case]:
    """log p and log q at draws from q; where they are equal; and far apart, as when q is narrow."""

    def draw(*shape: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
        return draws(generator, *shape, dtype=dtype) - 1, draws(generator, *shape, dtype=dtype) - 1

    one, two = torch.tensor([-1.0]), torch.tensor([-2.0])
    close = torch.tensor([-1.001], dtype=torch.float64)
    return [
        Case("a single draw, twice as likely under p as under q", (one, torch.tensor([-1.6931]))),
        Case("a draw that p and q find equally likely", (one, one.clone())),
        Case("a draw that p finds far less likely than q", (two - 40, two + 5)),
        Case("a draw that p finds far more likely than q", (two + 5, two - 20)),
        Case("double precision, and p close to q", (close, one.double())),
        Case("7 draws", draw(7)),
        Case("4 draws of 3 latents in double precision", draw(4, 3, dtype=torch.float64)),
    ]


RELATIVE_ERROR = Exercise(
    name="relative-error",
    title="Predict a number",
    task="""With μ = 1.3, σ = 0.6 and 10 000 draws, the KL of one latent is 1.0358 nats with a standard error of
0.0090: it is known to 0.87 %.
An image has 8 such latents, independent, each with the same μ and σ.
One draw of the image is one draw of all its 8 latents, and gives one log-ratio, their sum.
How many draws of the image does its KL need, to be known to 0.87 % as well?""",
    stub="draws = ...",
    answer="draws",
    solution="""def relative_error(n_draws, n_latents):
    one = log_ratio_std(torch.tensor(1.3), torch.tensor(0.6).log()).item()
    return math.sqrt(n_latents) * one / math.sqrt(n_draws) / (n_latents * 1.0358)


draws = 10_000 * (relative_error(10_000, 8) / relative_error(10_000, 1)) ** 2""",
    why="""The KLs add up to 8 times one KL, the scatters only to √8 times one scatter.
So the relative error of the same number of draws is √8 times smaller, and 10 000/8 = 1250 draws do.
The absolute error is larger than before, 0.072 nats.""",
    hints=(
        "How does the KL grow with the number of latents, and how does the scatter of one draw?",
        "Scatter divided by KL changes by √8/8 = 1/√8. And the error falls as 1/√S with the number S of draws.",
    ),
    mistakes=(
        Mistake(
            "draws = 10_000",
            "The relative error of 10 000 draws does not stay the same: the KL grows 8 times, the scatter less.",
        ),
        Mistake(
            "draws = 80_000",
            "That many keep the *absolute* error at 0.009 nats. "
            "The question is about the error relative to the KL, which has grown, too.",
        ),
        Mistake(
            "draws = 10_000 / math.sqrt(8)",
            "The relative error is indeed √8 times smaller. But a number of draws goes with the square of an error.",
        ),
        Mistake(
            "draws = 10_000 * math.sqrt(8)",
            "The scatter does grow by √8, but the KL it is compared with grows by 8: you need fewer draws, not more.",
        ),
        Mistake(
            "draws = 10_000 / 64",
            "You took the scatter to be that of one latent. "
            "Variances add: the scatter of the sum is √8 times as large.",
        ),
    ),
)

DRAWS_NEEDED = Exercise(
    name="draws-needed",
    title="Complete a function",
    task="""How many draws make the standard error of an image's KL as small as you wish?
Write the answer for K independent latents with `mu` and `log_sigma` of shape (K,).
The KL of the image is the sum over its latents.
Return the smallest whole number of draws whose predicted standard error is not above `error`.
`log_ratio_std(mu, log_sigma)` gives the standard deviation of one log-ratio, for each latent.""",
    stub='''def draws_needed(mu, log_sigma, error):
    """The number of draws after which the KL's standard error is `error` nats or less."""
    ...''',
    answer="draws_needed",
    solution='''def draws_needed(mu, log_sigma, error):
    """The number of draws after which the KL's standard error is `error` nats or less."""
    variance = (log_ratio_std(mu, log_sigma) ** 2).sum().item()
    return math.ceil(variance / error**2)''',
    why="""The variances of independent latents add up to the variance of one draw of their sum.
The standard error of S draws is the root of variance/S, so S has to be at least variance/error²,
rounded up.
For one latent at μ = 1.3, σ = 0.6 and an error of 0.05 it says 326.""",
    hints=(
        "First the standard deviation of one draw of the sum. What adds up over independent latents?",
        "Variances add: the variance is the sum of `log_ratio_std(…) ** 2`. Then solve variance/S ≤ error² for S.",
        "`math.ceil(variance / error**2)`",
    ),
    mistakes=(
        Mistake(
            "def draws_needed(mu, log_sigma, error):\n    return math.ceil((log_ratio_std(mu, log_sigma).sum() / error) ** 2)",
            "You added standard deviations. "
            "Of independent latents the variances add: deviations do so only if all latents err "
            "together.",
        ),
        Mistake(
            "def draws_needed(mu, log_sigma, error):\n    return math.ceil((log_ratio_std(mu, log_sigma) ** 2).sum().sqrt() / error)",
            "The error falls as 1/√S, not as 1/S: solve variance/S = error² for S once more.",
        ),
        Mistake(
            "def draws_needed(mu, log_sigma, error):\n    return math.ceil((log_ratio_std(mu, log_sigma) ** 2).sum() / error)",
            "You squared the standard deviation but not the error: S is the square of their ratio.",
        ),
        Mistake(
            "def draws_needed(mu, log_sigma, error):\n    return int((log_ratio_std(mu, log_sigma) ** 2).sum() / error**2)",
            "Rounded down, the last draw is missing: the standard error is still a little above `error`.",
        ),
        Mistake(
            "def draws_needed(mu, log_sigma, error):\n    return int((log_ratio_std(mu, log_sigma) ** 2).sum() / error**2) + 1",
            "One draw too many where the number comes out whole: 4 draws can be exactly enough. "
            "`math.ceil` rounds up only what is not whole.",
        ),
        Mistake(
            "def draws_needed(mu, log_sigma, error):\n    return math.ceil((log_ratio_std(mu, log_sigma) ** 2).mean() / error**2)",
            "That is enough for an average latent. "
            "The KL of the image is the sum over latents, and its variance as well.",
        ),
        Mistake(
            "def draws_needed(mu, log_sigma, error):\n    return math.ceil((log_ratio_std(mu, log_sigma) / error) ** 2)",
            "`log_ratio_std` gives one number for each latent: combine them into one scatter, "
            "that of the sum, before you round.",
        ),
        Mistake(
            "def draws_needed(mu, log_sigma, error):\n    return torch.ceil((log_ratio_std(mu, log_sigma) / error) ** 2).sum()",
            "Nearly: you rounded up for every latent and added the results. Add the variances first, and round once.",
        ),
        Mistake(
            "def draws_needed(mu, log_sigma, error):\n    return math.ceil(1.96**2 * (log_ratio_std(mu, log_sigma) ** 2).sum() / error**2)",
            "With these draws 1.96 standard errors are `error`, the half-width of a 95 % "
            "interval. "
            "One standard error was asked for.",
        ),
    ),
    cases=_posteriors,
    points=2,
)

ERROR_BAR = Exercise(
    name="error-bar",
    title="Find the bug",
    task="""This function gives the KL of an image with its standard error.
Its author is proud: in thousands of experiments of 500 draws each, the interval kl ± 1.96 error has
never missed the truth, where a 95 % interval should miss it in one of 20.
Repair it; the sum over latents is right, and so is the S − 1 of `std()`.
Return a pair of tensors with one number each, in the dtype of the input, as it does now.""",
    stub='''def kl_with_error(log_ratios):
    """log_ratios (S, K), S draws of K latents → the KL summed over latents, its standard error."""
    per_draw = log_ratios.sum(dim=1)
    return per_draw.mean(), per_draw.std()''',
    answer="kl_with_error",
    solution='''def kl_with_error(log_ratios):
    """log_ratios (S, K), S draws of K latents → the KL summed over latents, its standard error."""
    per_draw = log_ratios.sum(dim=1)
    return per_draw.mean(), per_draw.std() / math.sqrt(len(per_draw))''',
    why="""`std()` is the scatter of one draw.
The average of S draws scatters √S times less.
`estimate` from the lesson does the same.
An interval that never misses is as wrong as one that misses too often.""",
    hints=(
        "What does the second number measure: how one draw scatters, or how the average does?",
        "It does not fall when there are more draws. It should, as 1/√S.",
        "`per_draw.std() / math.sqrt(len(per_draw))`",
    ),
    mistakes=(
        Mistake(
            "def kl_with_error(log_ratios):\n    r = log_ratios.sum(dim=1)\n    return r.mean(), r.std() / len(r)",
            "Now the intervals are far too narrow: the variance of an average falls as 1/S, its "
            "standard error as 1/√S.",
        ),
        Mistake(
            "def kl_with_error(log_ratios):\n    r = log_ratios.sum(dim=1)\n    return r.mean(), r.std() / math.sqrt(log_ratios.numel())",
            "You divided by √(S·K). The K latents of a draw were added, not averaged: there are S independent draws.",
        ),
        Mistake(
            "def kl_with_error(log_ratios):\n    r = log_ratios.sum(dim=1)\n    return r.mean(), log_ratios.std() / math.sqrt(len(r))",
            "The scatter now mixes all latents; what was averaged is their sum, and its scatter is wanted.",
        ),
        Mistake(
            "def kl_with_error(log_ratios):\n    r = log_ratios.sum(dim=1)\n    return r.mean(), r.std() / math.sqrt(len(r) - 1)",
            "One degree of freedom is taken off twice: `std()` divides by S − 1 already. Then √S is right.",
        ),
        Mistake(
            "def kl_with_error(log_ratios):\n    r = log_ratios.sum(dim=1)\n    return r.mean(), 1.96 * r.std() / math.sqrt(len(r))",
            "That is the half-width of the interval. "
            "The standard error is wanted, without the 1.96: the caller multiplies.",
        ),
        Mistake(
            "def kl_with_error(log_ratios):\n    r = log_ratios.sum(dim=1)\n    return r.mean(), r.var() / math.sqrt(len(r))",
            "That is a variance divided by √S: its unit would be nats². Start from the standard deviation.",
        ),
        Mistake(
            "def kl_with_error(log_ratios):\n    r = log_ratios.mean(dim=1)\n    return r.mean(), r.std() / math.sqrt(len(r))",
            "√S is right. But the KL of the image is the sum over its latents; you average over them now.",
        ),
        Mistake(
            "def kl_with_error(log_ratios):\n    r = log_ratios.sum(dim=1)\n    return r.mean(), r.std() / math.sqrt(500)",
            "500 is the number of draws in the story. The function should work for any S: take it from its input.",
        ),
        Mistake(
            "def kl_with_error(log_ratios):\n    r = log_ratios.sum(dim=1)\n    return r.mean(), r.std(unbiased=False) / math.sqrt(len(r))",
            "Nearly: divide by S − 1 inside the standard deviation, as `std()` does by itself.",
        ),
        Mistake(
            "def kl_with_error(log_ratios):\n    v = log_ratios.var(dim=0).sum()\n    return log_ratios.sum(dim=1).mean(), (v / len(log_ratios)).sqrt()",
            "Variances add up only where latents are independent, which the draws need not be. "
            "Take the scatter of the sums.",
        ),
        Mistake(
            "def kl_with_error(log_ratios):\n    r = log_ratios.sum(dim=1)\n    return r.mean(), r.var() / len(r)",
            "That is the variance of the average. Its root is the standard error.",
        ),
    ),
    cases=_log_ratios,
    points=2,
)

K3_RATIO = Exercise(
    name="k3-ratio",
    title="Find the bug",
    task="""This k3 is never negative, and it is 0 where p and q agree, as it should be.
But for q = N(0.5, 0.8²) and p = N(0, 1) the KL is 0.168 nats, and the average of this function over
draws from q is 0.120, however many you take.
Find out why, and mend it.""",
    stub='''def k3(log_p, log_q):
    """log p(z) and log q(z) at draws z from q → k3 for each draw, in nats."""
    log_r = log_q - log_p
    return torch.exp(log_r) - 1 - log_r''',
    answer="k3",
    solution='''def k3(log_p, log_q):
    """log p(z) and log q(z) at draws z from q → k3 for each draw, in nats."""
    log_r = log_p - log_q
    return torch.expm1(log_r) - log_r''',
    why="""k3 needs 𝔼[r] = 1 under the distribution the draws come from.
With z from q that holds for r = p/q: ∫ q · p/q dz = ∫ p dz = 1.
For q/p the average is 1.288 here, and 1.288 − 1 − 0.168 = 0.120.
The last term had the wrong sign as well.
Nothing was negative all the same, because eᵘ − 1 − u ≥ 0 for every u.""",
    hints=(
        "k3 adds r − 1 to k1, which must not change the average. For which r is 𝔼[r] = 1, if z comes from q?",
        "In the table of the lesson, r = p(z)/q(z). What is `log_r` here?",
    ),
    mistakes=(
        Mistake(
            "def k3(log_p, log_q):\n    return torch.exp(log_q - log_p) - 1 - (log_p - log_q)",
            "Half mended: the last term has the right sign now, but r is still q/p, whose average is not 1.",
        ),
        Mistake(
            "def k3(log_p, log_q):\n    log_r = log_q - log_p\n    return torch.exp(-log_r) - 1 - log_r",
            "The first term is right now. "
            "But `log_r` is still log q/p, and `- log_r` averages to −KL. "
            "Define it as log p/q, and use it throughout.",
        ),
        Mistake(
            "def k3(log_p, log_q):\n    return torch.exp(log_p - log_q) - (log_p - log_q)",
            "The −1 is lost: where p and q agree, the result should be 0.",
        ),
        Mistake(
            "def k3(log_p, log_q):\n    return log_q - log_p",
            "That is k1: the right average, but it is negative at times, and near the prior it "
            "scatters far more than k3.",
        ),
        Mistake("def k3(log_p, log_q):\n    return 0.5 * (log_p - log_q) ** 2", "That is k2, which is biased."),
        Mistake(
            "def k3(log_p, log_q):\n    return (torch.exp(log_p - log_q) - 1 - (log_p - log_q)).mean()",
            "The formula is right. Leave the averaging to the caller: one value for each draw is wanted.",
        ),
    ),
    cases=_log_densities,
    points=2,
)

LESSON = Lesson("02", SETUP, (RELATIVE_ERROR, DRAWS_NEEDED, ERROR_BAR, K3_RATIO))
