"""Closed forms against torch.distributions, SciPy's quadrature, mpmath, and their own properties."""

import math

import mpmath
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from vae_lessons.gaussian import kl, kl_full_to_standard, kl_to_standard, log_density

MEANS = st.floats(-50, 50)
LOGS = st.floats(math.log(1e-6), math.log(1e6))


def double(*values: float) -> list[torch.Tensor]:
    return [torch.tensor(value, dtype=torch.float64) for value in values]


def exact_kl(mu: torch.Tensor, log_sigma: torch.Tensor) -> float:
    """The KL of exactly these floating-point inputs, with 60 digits."""
    with mpmath.workdps(60):
        m, v = mpmath.mpf(mu.item()), 2 * mpmath.mpf(log_sigma.item())
        return float((m**2 + mpmath.exp(v) - v - 1) / 2)


@given(MEANS, LOGS)
def test_kl_is_never_negative(mu, log_sigma):
    assert kl_to_standard(*double(mu, log_sigma)) >= 0


@given(st.floats(-5, 5), st.floats(-3, 3))
def test_kl_is_zero_only_at_the_prior(mu, log_sigma):
    at_prior = abs(mu) < 1e-6 and abs(log_sigma) < 1e-6
    assert at_prior or kl_to_standard(*double(mu, log_sigma)) > 0


def test_kl_is_zero_at_the_prior():
    assert kl_to_standard(*double(0.0, 0.0)) == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("sigma", [1e-6, 1e-3, 0.5, 0.999, 1.0, 1.001, 1.03, 2.0, 1e3, 1e6])
@pytest.mark.parametrize("mu", [0.0, 1e-4, 0.05, 1.3, 1e3])
def test_kl_matches_mpmath_from_a_millionth_to_a_million(mu, sigma, dtype):
    mu = torch.tensor(mu, dtype=dtype)
    log_sigma = torch.tensor(sigma, dtype=torch.float64).log().to(dtype)
    exact = exact_kl(mu, log_sigma)
    tolerance = 1e-5 * (exact if exact > 1e-3 else 1.0)
    assert abs(kl_to_standard(mu, log_sigma).item() - exact) <= tolerance


@pytest.mark.parametrize(("mu", "sigma"), [(0.0, 1.0), (1.3, 0.6), (-2.0, 3.0), (0.3, 0.1)])
def test_kl_matches_quadrature(mu, sigma):
    q, p = stats.norm(mu, sigma), stats.norm(0, 1)
    area, error = integrate.quad(
        lambda z: q.pdf(z) * (q.logpdf(z) - p.logpdf(z)), mu - 30 * sigma, mu + 30 * sigma, points=[mu], epsabs=1e-11
    )
    assert kl_to_standard(*double(mu, math.log(sigma))).item() == pytest.approx(area, abs=1e-9 + error)


def test_reference_value():
    assert kl_to_standard(*double(1.3, math.log(0.6))).item() == pytest.approx(1.0358256, abs=1e-7)


@given(MEANS, st.floats(-3, 3), MEANS, st.floats(-3, 3))
def test_kl_of_a_pair_matches_torch(mu_q, log_sigma_q, mu_p, log_sigma_p):
    arguments = double(mu_q, log_sigma_q, mu_p, log_sigma_p)
    theirs = kl_divergence(Normal(arguments[0], arguments[1].exp()), Normal(arguments[2], arguments[3].exp()))
    torch.testing.assert_close(kl(*arguments), theirs, rtol=1e-9, atol=1e-12)


@given(MEANS, LOGS.filter(lambda s: abs(s) < 5), MEANS)
def test_log_density_matches_torch(mu, log_sigma, x):
    mu, log_sigma, x = double(mu, log_sigma, x)
    torch.testing.assert_close(log_density(x, mu, log_sigma), Normal(mu, log_sigma.exp()).log_prob(x))


def test_gradients_are_mu_and_sigma_squared_minus_one():
    mu = torch.linspace(-3, 3, 7, dtype=torch.float64, requires_grad=True)
    log_sigma = torch.linspace(-2, 2, 7, dtype=torch.float64, requires_grad=True)
    kl_to_standard(mu, log_sigma).sum().backward()
    torch.testing.assert_close(mu.grad, mu.detach())
    torch.testing.assert_close(log_sigma.grad, torch.exp(2 * log_sigma.detach()) - 1)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_full_covariance_matches_torch_and_adds_over_independent_latents(k):
    generator = torch.Generator().manual_seed(k)
    mu, a = torch.randn(k, generator=generator).double(), torch.randn(k, k, generator=generator).double()
    cov = a @ a.mT + torch.eye(k)
    prior = MultivariateNormal(torch.zeros(k).double(), torch.eye(k).double())
    torch.testing.assert_close(kl_full_to_standard(mu, cov), kl_divergence(MultivariateNormal(mu, cov), prior))
    diagonal = torch.diag(cov.diagonal())
    separately = kl_to_standard(mu, 0.5 * cov.diagonal().log()).sum()
    torch.testing.assert_close(kl_full_to_standard(mu, diagonal), separately)
    assert kl_full_to_standard(mu, cov) >= separately - 1e-12


BAD = {
    "a list": ([0.0], torch.zeros(1), TypeError, "mu must be a torch.Tensor, got list"),
    "integers": (torch.zeros(2, dtype=torch.long), torch.zeros(2), TypeError, "mu must be a floating-point tensor"),
    "two shapes": (torch.zeros(2, 8), torch.zeros(8), ValueError, r"log_sigma must have the shape of mu, \(2, 8\)"),
    "two dtypes": (torch.zeros(2), torch.zeros(2).double(), TypeError, "log_sigma must have the dtype of mu"),
    "NaN": (torch.zeros(2), torch.tensor([0.0, math.nan]), ValueError, "log_sigma must be finite"),
    "infinity": (torch.tensor([math.inf]), torch.zeros(1), ValueError, "mu must be finite"),
    "both infinities": (torch.tensor([math.inf, -math.inf]), torch.zeros(2), ValueError, "mu must be finite"),
    "an empty batch": (torch.zeros(0, 8), torch.zeros(0, 8), ValueError, "mu must not be empty"),
}


@pytest.mark.parametrize(("mu", "log_sigma", "error", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_named(mu, log_sigma, error, message):
    with pytest.raises(error, match=message):
        kl_to_standard(mu, log_sigma)


def test_large_finite_values_are_not_taken_for_infinite():
    mu = torch.full((4,), 3e38)
    with pytest.raises(ValueError, match="empty"):
        kl_to_standard(mu[:0], mu[:0])
    assert kl_to_standard(torch.zeros(4), torch.full((4,), -1e38)).isfinite().all()


@pytest.mark.parametrize(
    ("cov", "message"),
    [
        (torch.eye(3), "cov must have shape"),
        (torch.tensor([[1.0, 0.5], [0.0, 1.0]]), "symmetric"),
        (torch.tensor([[1.0, 2.0], [2.0, 1.0]]), "positive definite"),
    ],
)
def test_bad_covariance_is_named(cov, message):
    with pytest.raises(ValueError, match=message):
        kl_full_to_standard(torch.zeros(2), cov)
