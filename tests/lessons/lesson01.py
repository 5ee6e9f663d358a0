"""Lesson 01: for each claim the wrong code it must catch, and the sentences with numbers."""

import math

import sympy as sp
import torch
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from tests.lessons import Names, Wrong
from vae_lessons.gaussian import kl, kl_full_to_standard, kl_to_standard

mu = sp.Symbol("mu", real=True)
sigma, sigma_q, sigma_p = sp.symbols("sigma sigma_q sigma_p", positive=True)
log_sigma = sp.Symbol("log_sigma", real=True)
FORMULA = (mu**2 + sigma**2 - sp.log(sigma**2) - 1) / 2
MEANS, LOG_WIDTHS = torch.tensor([0.3, -1.2]).double(), torch.tensor([0.5, -0.7]).double()
COV = torch.tensor([[1.0, 0.8], [0.8, 1.0]])
FAR = torch.tensor([0.3, -0.9])


def bracket(third: sp.Expr = sigma**2) -> Names:
    """The log-ratio less half the bracket, whose third term is divided by `third`."""
    z = sp.Symbol("z", real=True)
    log_ratio = -sp.log(sigma) - (z - mu) ** 2 / (2 * sigma**2) + z**2 / 2
    half = (-sp.log(sigma**2) + z**2 - (z - mu) ** 2 / third) / 2
    return {"rest": sp.simplify(sp.expand_log(log_ratio - half))}


def integrals(second: sp.Expr = mu**2 + sigma**2, third: sp.Expr = sp.S.NegativeOne) -> Names:
    return {"rest": sp.simplify((-sp.log(sigma**2) + second + third) / 2 - FORMULA)}


def value(log_width: float) -> Names:
    """The KL at μ = 1.3, σ = 0.6, if the encoder's second output is this."""
    here = kl_to_standard(torch.tensor(1.3), torch.tensor(log_width))
    by_sympy = float(FORMULA.subs({mu: 1.3, sigma: 0.6}))
    by_torch = kl_divergence(Normal(1.3, 0.6), Normal(0.0, 1.0))
    return {"error_sympy": abs(here - by_sympy), "error_torch": abs(here - by_torch)}


def slopes(of: sp.Expr = FORMULA) -> Names:
    flat = sp.solve([sp.diff(of, mu), sp.diff(of, sigma)], [mu, sigma], dict=True)
    return {"flat": flat, "prior_alone": [{mu: 0, sigma: 1}]}


def curvature(of: sp.Expr = FORMULA) -> Names:
    return {"curved_up": sp.hessian(of, [mu, sigma]).is_positive_definite}


def autograd(factor: float = 1.0) -> Names:
    """Distances of autograd's slopes from 1.3 and 0.6² − 1, if `factor` · log σ reaches the formula."""
    at_mu, at_log_sigma = torch.tensor(1.3, requires_grad=True), torch.tensor(0.6).log().requires_grad_()
    kl_to_standard(factor * at_mu, factor * at_log_sigma).backward()
    return {"error_mu": abs(at_mu.grad - 1.3), "error_log_sigma": abs(at_log_sigma.grad - (0.6**2 - 1))}


def swapped(narrow: float = math.log(0.1)) -> Names:
    zero, other = torch.tensor(0.0), torch.tensor(narrow)
    return {"times": kl(zero, zero, zero, other) / kl(zero, other, zero, zero)}


def moved(width: sp.Expr = sigma_q / sigma_p) -> Names:
    difference, square = sp.Symbol("d", real=True), 2 * sigma_p**2
    textbook = sp.log(sigma_p / sigma_q) + (sigma_q**2 + difference**2) / square - sp.S.Half
    formula = FORMULA.subs({mu: difference / sigma_p, sigma: width}, simultaneous=True)
    return {"rest": sp.simplify(sp.expand_log(formula - textbook))}


def pairs(swapped: bool = False) -> Names:
    q, p = (MEANS, LOG_WIDTHS), (MEANS.flip(0) + 1, LOG_WIDTHS - 0.4)
    theirs = kl_divergence(*(Normal(mean, log_width.exp()) for mean, log_width in (q, p)))
    ours = kl(*p, *q) if swapped else kl(*q, *p)
    return {"furthest": (ours / theirs - 1).abs().max()}


def correlated(cov: torch.Tensor = COV) -> Names:
    by_hand = -0.5 * math.log(1 - 0.8**2)
    return {"error_by_hand": abs(kl_full_to_standard(torch.zeros(2), cov) - by_hand)}


def diagonal(power: int = 2) -> Names:
    """The matrix formula with σ to this power on the diagonal, and the sum over latents."""
    cov = torch.diag_embed(torch.exp(power * LOG_WIDTHS))
    return {"error_matrix": abs(kl_full_to_standard(MEANS, cov) - kl_to_standard(MEANS, LOG_WIDTHS).sum())}


def full(cov: torch.Tensor = COV) -> Names:
    prior = MultivariateNormal(torch.zeros(2), torch.eye(2))
    theirs = kl_divergence(MultivariateNormal(FAR, COV), prior)
    return {"error_full": abs(kl_full_to_standard(FAR, cov) - theirs)}


def misread(factor: int = 1) -> Names:
    """What is left of the force if exp(factor · log σ) stands for σ²."""
    right = (sp.exp(2 * log_sigma) - 2 * log_sigma - 1) / 2
    wrong = (sp.exp(factor * log_sigma) - factor * log_sigma - 1) / 2
    share = sp.limit(sp.diff(wrong, log_sigma) / sp.diff(right, log_sigma), log_sigma, 0)
    return {"near": share}


def lost(one: int = 1) -> Names:
    """What the misread KL lacks at the prior, if it ends in − one."""
    right = (sp.exp(2 * log_sigma) - 2 * log_sigma - 1) / 2
    wrong = (sp.exp(log_sigma) - log_sigma - one) / 2
    return {"lost_at_prior": (right - wrong).subs(log_sigma, 0)}


def near_the_prior(expm1: bool = True) -> Names:
    """The relative error at log σ = 1e-4 in float32, with expm1 or with the formula as it stands."""
    tiny = torch.tensor(1e-4)
    stable = kl_to_standard(torch.tensor(0.0), tiny) if expm1 else (torch.exp(2 * tiny) - 2 * tiny - 1) / 2
    return {"relative_error": abs(stable / 1e-8 - 1)}


WRONG = [
    Wrong("half the bracket is log q/p", "the third term not divided by σ²", bracket, lambda: bracket(sp.S.One)),
    Wrong("half the sum is the formula", "E[z²] = μ² only", integrals, lambda: integrals(second=mu**2)),
    Wrong("the whole integral is the formula", "E[z²] = σ² only", integrals, lambda: integrals(second=sigma**2)),
    Wrong("SymPy agrees", "σ read as log σ", lambda: value(-0.5108256), lambda: value(0.6)),
    Wrong("torch.distributions agrees", "log σ read as log σ²", lambda: value(-0.5108256), lambda: value(-0.2554128)),
    Wrong("both slopes are 0", "−log σ for −log σ²", slopes, lambda: slopes(FORMULA + sp.log(sigma) / 2)),
    Wrong("the Hessian is", "the sign of the logarithm", curvature, lambda: curvature(FORMULA + 2 * sp.log(sigma))),
    Wrong(
        "the KL of the prior itself is 0",
        "the −1 forgotten",
        lambda: {"lowest": FORMULA.subs({mu: 0, sigma: 1})},
        lambda: {"lowest": (FORMULA + sp.S.Half).subs({mu: 0, sigma: 1})},
    ),
    Wrong("the moved formula", "the width not divided by σ_p", moved, lambda: moved(sigma_q)),
    Wrong("1000 pairs agree", "q and p swapped", pairs, lambda: pairs(swapped=True)),
    Wrong("autograd's slope in μ", "μ doubled on its way", autograd, lambda: autograd(2.0)),
    Wrong("its slope in log σ", "log σ² handed over", autograd, lambda: autograd(2.0)),
    Wrong(
        "the second is over 20 times",
        "log σ² = log 0.1 for the narrow one",
        swapped,
        lambda: swapped(0.5 * math.log(0.1)),
    ),
    Wrong("the KL is −½ log", "the variances alone", correlated, lambda: correlated(torch.eye(2))),
    Wrong("a diagonal Σ", "σ on the diagonal for σ²", diagonal, lambda: diagonal(1)),
    Wrong("a full Σ", "the precision for the covariance", full, lambda: full(torch.linalg.inv(COV))),
    Wrong("near the prior a quarter", "nothing misread", misread, lambda: misread(2)),
    Wrong("at the prior nothing is lost", "the −1 forgotten in one of the two", lost, lambda: lost(one=0)),
    Wrong("kl_to_standard is right", "the formula as it stands", near_the_prior, lambda: near_the_prior(expm1=False)),
]
SENTENCES = {
    "Those 0.511 nats": "abs(kl_correlated - 0.511) < 5e-4",
    "Here a quarter of the KL is gone.": "0.22 < 1 - misread_bug / right_bug < 0.28",
    "σ = 2 costs 0.81 nats, σ = ½ costs 0.32.": "abs(formula.subs({mu: 0, sigma: 2}) - 0.81) < 5e-3 and abs(formula.subs({mu: 0, sigma: sp.S.Half}) - 0.32) < 5e-3",
}
