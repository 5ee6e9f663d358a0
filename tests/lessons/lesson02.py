"""Lesson 02: for each claim the wrong code it must catch, and the sentences with numbers."""

import math
from functools import cache

import sympy as sp
import torch
from torch import Tensor

from tests.lessons import Names, Wrong
from vae_lessons import symbolic as sym
from vae_lessons.gaussian import kl_to_standard
from vae_lessons.montecarlo import Estimate, estimate, kl_estimators, log_ratio, log_ratio_std

MU, SIGMA = torch.tensor(1.3, dtype=torch.float64), torch.tensor(0.6, dtype=torch.float64)
TRUTH = kl_to_standard(MU, SIGMA.log()).item()
PER_DRAW = log_ratio_std(MU, SIGMA.log()).item()


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@cache
def experiments(n_samples: int, n_times: int, seed: int = 0) -> Tensor:
    """The log-ratios of many experiments, (S, n_times)."""
    return log_ratio(MU.expand(n_times), SIGMA.log().expand(n_times), noise(n_samples, n_times, seed=seed))


# The average, its error, its interval -------------------------------------------------------------


def formula(sign: int = 1, factor: float = 1.0) -> Names:
    """`sign` −1 averages log p − log q; `factor` ½ reads log σ as log σ²."""
    truth = kl_to_standard(MU, factor * SIGMA.log()).item()
    return {"z_score": estimate(sign * experiments(10_000, 1)[:, 0]).z_score(truth)}


def variance(of_square: int = 2) -> Names:
    """The variance of ε² as 2, or something else."""
    exact = sym.expectation((sym.log_ratio() - sym.kl_to_standard()) ** 2)
    by_hand = sym.mu**2 * sym.sigma**2 + of_square * (sym.sigma**2 - 1) ** 2 / 4
    return {"difference": sp.simplify(exact - by_hand)}


def scatter(per_draw: float = PER_DRAW, root: float = 0.5) -> Names:
    return {"scatter": experiments(100, 20_000).mean(0).std(), "predicted": per_draw / 100**root}


def skewness(values: Tensor) -> Tensor:
    return (((values - values.mean()) / values.std()) ** 3).mean()


@cache
def lean(n_averaged: int = 64) -> Names:
    draws = experiments(1024, 2000)
    averages = draws.reshape(64, -1)[:n_averaged].mean(0)
    return {"lean": skewness(draws.flatten()), "lean_64": skewness(averages), "yardstick": math.sqrt(6 / len(averages))}


@cache
def coverage(n_samples: int = 500, level: float = 0.95, normal: bool = False) -> Names:
    """The share of intervals with the truth in them, from log-ratios or from numbers that do not lean."""
    samples = TRUTH + PER_DRAW * noise(n_samples, 10_000) if normal else experiments(n_samples, 10_000)
    low, high = estimate(samples).interval(level)
    above, below = (high < TRUTH).double().mean(), (low > TRUTH).double().mean()
    return {"coverage": 1 - above - below, "missed_above": above, "missed_below": below}


def quadrature(low: float = -10, high: float = 12) -> Names:
    from scipy import integrate

    def integrand(z: float) -> float:
        log_q = -0.5 * ((z - 1.3) / 0.6) ** 2 - math.log(0.6 * math.sqrt(2 * math.pi))
        return math.exp(log_q) * (log_q + 0.5 * z**2 + 0.5 * math.log(2 * math.pi))

    return {"off": abs(integrate.quad(integrand, low, high)[0] - TRUTH)}


def eight(mean: bool = False, root: float = 0.5) -> Names:
    ratios = experiments(10_000, 8)
    measured = estimate(ratios.mean(-1) if mean else ratios.sum(-1))
    return {
        "z_eight": measured.z_score(8 * TRUTH),
        "eight": measured,
        "eight_error": 8**root * PER_DRAW / math.sqrt(10_000),
    }


# Three estimators ----------------------------------------------------------------------------------

NEAR = torch.tensor(0.1, dtype=torch.float64), torch.tensor(0.95, dtype=torch.float64).log()


@cache
def near(sign: int = 1, square_of_variance: bool = False) -> Names:
    """`sign` −1 takes r = q/p for p/q."""
    of_all: dict[str, Estimate] = {
        name: estimate(k) for name, k in kl_estimators(sign * log_ratio(*NEAR, noise(200_000))).items()
    }
    truth = kl_to_standard(*NEAR)
    ratios = {"less_k2": of_all["k1"].std_error / of_all["k2"].std_error}
    ratios["less_k3"] = of_all["k1"].std_error / of_all["k3"].std_error
    second = log_ratio_std(*NEAR) ** 2
    k2_mean = (second if square_of_variance else second + truth**2) / 2
    return {**of_all, **ratios, "near_truth": truth, "k2_mean": 2 * k2_mean if square_of_variance else k2_mean}


def k1_thrice() -> Names:
    right = near()
    return {**right, "k2": right["k1"], "k3": right["k1"], "less_k2": torch.tensor(1.0), "less_k3": torch.tensor(1.0)}


def limit(powers: tuple[int, int] = (2, -1)) -> Names:
    """Where the z² term of log(pᵃ qᵇ) vanishes."""
    logs = [sp.log(sym.density(0, 1)), sp.log(sym.density())]
    exponent = sp.expand(sp.expand_log(sum(a * log for a, log in zip(powers, logs)), force=True))
    (found,) = sp.solve(exponent.coeff(sym.z, 2), sym.sigma)
    return {"limit_var": found**2}


def average_kl(squared_mean: sp.Expr) -> Names:
    """The KL with the squared mean replaced by its average over the data."""
    average = sym.kl_to_standard().subs(sym.mu**2, squared_mean)
    return {"at_limit": float(average.subs(sym.sigma, 1 / sp.sqrt(2)))}


@cache
def spreads(sigma: float = 0.5, n_runs: int = 20, ratio_sign: int = 1) -> Names:
    mu, log_sigma = torch.tensor(1.3, dtype=torch.float64), torch.tensor(sigma, dtype=torch.float64).log()
    k = kl_estimators(ratio_sign * log_ratio(mu, log_sigma, noise(1_000_000, seed=1)))

    def spread(name: str) -> Tensor:
        scatters = k[name].reshape(n_runs, -1).std(1)
        return scatters.max() / scatters.min()

    return {"spread_k1": spread("k1"), "spread_k3": spread("k3")}


WRONG = [
    Wrong("the formula lies", "log σ read as log σ²", formula, lambda: formula(factor=0.5)),
    Wrong("the formula lies", "log p − log q", formula, lambda: formula(sign=-1)),
    Wrong("variance − [", "ε² given the variance 3, its fourth moment", variance, lambda: variance(3)),
    Wrong(
        "20 000 answers scatter", "ε² given the variance 3", scatter, lambda: scatter(math.sqrt(0.6084 + 0.75 * 0.4096))
    ),
    Wrong("20 000 answers scatter", "divided by S in place of √S", scatter, lambda: scatter(root=1.0)),
    Wrong("at S = 64 an eighth", "averages of 32 draws", lean, lambda: lean(32)),
    Wrong("at S = 500 it covers", "5 draws in place of 500", coverage, lambda: coverage(5)),
    Wrong("at S = 500 it covers", "a 90 % interval", coverage, lambda: coverage(level=0.9)),
    Wrong("it misses below more", "numbers that do not lean", coverage, lambda: coverage(normal=True)),
    Wrong("quadrature agrees", "an interval that cuts the tail off", quadrature, lambda: quadrature(-1, 4)),
    Wrong("8 formulas lie", "the mean over latents in place of the sum", eight, lambda: eight(mean=True)),
    Wrong("the error is √8", "8 times the error of one latent", eight, lambda: eight(root=1.0)),
    Wrong("the error is √8", "the mean over latents in place of the sum", eight, lambda: eight(mean=True)),
    Wrong("k2 and k3 scatter", "the log-ratio for all three", near, k1_thrice),
    Wrong("k1 has no bias", "r = q/p in place of p/q", near, lambda: near(sign=-1)),
    Wrong("k3 has no bias", "r = q/p in place of p/q", near, lambda: near(sign=-1)),
    Wrong("k2 is off", "the log-ratio for all three", near, k1_thrice),
    Wrong("k2 has the mean", "the ½ forgotten", near, lambda: near(square_of_variance=True)),
    Wrong("the coefficient is 0", "p²/q² in place of p²/q", limit, lambda: limit((2, -2))),
    Wrong(
        "at σ² = ½ such a latent",
        "means of variance 1",
        lambda: average_kl(1 - sym.sigma**2),
        lambda: average_kl(sp.S.One),
    ),
    Wrong("20 runs agree", "runs of 500 draws", spreads, lambda: spreads(n_runs=2000)),
    Wrong("on k3 they differ", "a q as wide as the prior", spreads, lambda: spreads(sigma=1.0)),
]

AT_5 = "estimate(experiments(5, 20_000))"
SENTENCES = {
    "beyond ±2 once in 22 tries": "abs(1 / (1 - math.erf(2 / math.sqrt(2))) - 22) < 0.5",
    "About −0.25 is left, where −0.24 was predicted": "-0.28 < lean_64 < -0.20",
    "One draw has a skewness near −2": "-2.1 < lean < -1.85",
    "about twice as many on one side as on the other": "1.5 < missed_below / missed_above < 2.6",
    "With 5 it is not: it covers about 80 %": f"abs(sum(((a < truth) & (truth < b)).double().mean() for a, b in [{AT_5}.interval(0.95)]) - 0.805) < 0.012",
    "brings the coverage from about 80 % to about 87 %": f"abs((abs({AT_5}.z_score(truth)) < 2.776).double().mean() - 0.872) < 0.012",
}
