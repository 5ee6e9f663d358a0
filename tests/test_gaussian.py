"""Closed forms against torch.distributions, SciPy's quadrature, mpmath, and their own properties."""

import math

import mpmath
import pytest
import torch
from hypothesis import given, settings
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


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("sign", [1, -1])
def test_near_the_prior_the_error_is_eps_times_log_sigma(dtype, sign):
    """What the docstring promises, and no more: near sigma = 1 the relative error is eps/|log sigma|."""
    log_sigma = sign * torch.logspace(-12, 1, 400, dtype=torch.float64).to(dtype)
    values = kl_to_standard(torch.zeros_like(log_sigma), log_sigma)
    assert (values >= 0).all()
    for ours, one in zip(values.tolist(), log_sigma):
        exact = exact_kl(torch.zeros(()), one)
        assert abs(ours - exact) <= torch.finfo(dtype).eps * (exact + abs(one.item()))


def test_the_gradient_is_right_to_eps():
    """torch differentiates expm1 as exp, so that near the prior the gradient, too, has an error of eps."""
    log_sigma = torch.logspace(-30, 0.5, 200, dtype=torch.float32, requires_grad=True)
    (slope,) = torch.autograd.grad(kl_to_standard(torch.zeros_like(log_sigma), log_sigma).sum(), log_sigma)
    exact = torch.expm1(2 * log_sigma.detach().double())
    assert ((slope - exact).abs() <= 4 * torch.finfo(torch.float32).eps * (exact + 1)).all()


def test_gradients_are_mu_and_sigma_squared_minus_one():
    mu = torch.linspace(-3, 3, 7, dtype=torch.float64, requires_grad=True)
    log_sigma = torch.linspace(-2, 2, 7, dtype=torch.float64, requires_grad=True)
    kl_to_standard(mu, log_sigma).sum().backward()
    torch.testing.assert_close(mu.grad, mu.detach())
    torch.testing.assert_close(log_sigma.grad, torch.exp(2 * log_sigma.detach()) - 1)
    assert torch.autograd.gradgradcheck(kl_to_standard, (mu, log_sigma))


ANY_NUMBER = st.floats(width=32, allow_nan=False, allow_infinity=False)


@settings(max_examples=300)
@given(st.lists(ANY_NUMBER, min_size=4, max_size=4), st.sampled_from([torch.float32, torch.float64]))
def test_finite_arguments_never_give_nan(values, dtype):
    scale = 1.0 if dtype == torch.float32 else 2.0**896  # to the largest numbers of either
    a, b, c, d = (torch.tensor(value * scale, dtype=dtype) for value in values)
    assert not kl_to_standard(a, b).isnan()
    assert not kl(a, b, c, d).isnan()
    assert not log_density(a, b, c).isnan()


@pytest.mark.parametrize("log_sigma", [-89.0, -100.0, -170.0, 89.0, 170.0])
def test_a_width_beyond_the_range_of_the_dtype_gives_the_right_result(log_sigma):
    """sigma = exp(-89) is no normal float32 number; what depends on log sigma and a ratio of widths is."""
    at, zero = torch.tensor(log_sigma), torch.tensor(0.0)
    assert kl(zero, at, zero, at) == 0
    assert kl(zero, at + 1, zero, at).item() == pytest.approx(exact_kl(zero, torch.tensor(1.0)), rel=1e-5)
    assert log_density(zero, zero, at).item() == pytest.approx(-log_sigma - 0.5 * math.log(2 * math.pi))


def test_overflow_begins_where_the_module_says():
    for dtype, limit in ((torch.float32, 45), (torch.float64, 355)):
        zero = torch.zeros((), dtype=dtype)
        assert kl_to_standard(zero, zero + limit - 1).isfinite() and kl_to_standard(zero, zero + limit).isinf()


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


def test_full_covariances_come_in_batches():
    generator = torch.Generator().manual_seed(0)
    mu = torch.randn(2, 3, 4, generator=generator, dtype=torch.float64)
    a = torch.randn(2, 3, 4, 4, generator=generator, dtype=torch.float64)
    cov = a @ a.mT + torch.eye(4)
    prior = MultivariateNormal(torch.zeros(4).double(), torch.eye(4).double())
    torch.testing.assert_close(kl_full_to_standard(mu, cov), kl_divergence(MultivariateNormal(mu, cov), prior))


def test_near_the_identity_the_full_kl_is_small_and_not_negative():
    generator = torch.Generator().manual_seed(0)
    a = 1e-4 * torch.randn(200, 8, 8, generator=generator, dtype=torch.float64)
    cov = (torch.eye(8) + a + a.mT).float()
    kls = kl_full_to_standard(torch.zeros(200, 8), cov)
    mean = torch.zeros(8, dtype=torch.float64)
    exact = kl_divergence(
        MultivariateNormal(mean.expand(200, 8), cov.double()), MultivariateNormal(mean, torch.eye(8).double())
    )
    assert (kls >= 0).all()
    torch.testing.assert_close(kls, exact.float(), rtol=0.02, atol=0)


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_symmetry_is_judged_relative_to_the_largest_entry(scale):
    cov = scale * torch.tensor([[2.0, 0.5], [0.5, 1.0]], dtype=torch.float64)
    rounded, slanted = cov.clone(), cov.clone()
    rounded[0, 1] *= 1 + 1e-15
    slanted[0, 1] *= 1 + 1e-6
    kl_full_to_standard(torch.zeros(2).double(), rounded)
    with pytest.raises(ValueError, match="cov must be symmetric"):
        kl_full_to_standard(torch.zeros(2).double(), slanted)


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


def test_a_covariance_of_another_dtype_is_named():
    with pytest.raises(TypeError, match=r"cov must have the dtype of mu, torch.float32, got torch.float64"):
        kl_full_to_standard(torch.zeros(2), torch.eye(2).double())


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


@pytest.mark.parametrize("sign", [1, -1])
def test_where_even_a_difference_overflows_the_kl_is_infinite_and_the_density_no_nan(sign):
    """log sigma² of the ratio, 1.2e39, and the distance, 6e38, are no float32 numbers."""
    zero, large = torch.tensor(0.0), torch.tensor(sign * 3e38)
    assert kl(zero, large, zero, -large) == kl(large, zero, -large, zero) == torch.inf
    assert kl(large, zero, -large, large.abs()).isnan().logical_not()
    assert log_density(large, -large, large.abs()) < -1e38


def test_each_covariance_of_a_batch_is_judged_by_its_own_largest_entry():
    cov = torch.tensor([[2.0, 0.5], [0.5, 1.0]], dtype=torch.float64)
    rounded, slanted = 1e12 * cov, cov.clone()
    rounded[0, 1] *= 1 + 1e-15
    slanted[0, 1] *= 1 + 1e-6
    kl_full_to_standard(torch.zeros(2, 2).double(), torch.stack([rounded, cov]))
    with pytest.raises(ValueError, match="cov must be symmetric"):
        kl_full_to_standard(torch.zeros(2, 2).double(), torch.stack([1e12 * cov, slanted]))
