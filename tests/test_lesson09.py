"""The aggregate posterior against torch.distributions, the rate–distortion curve against pPCA and a solver."""

import math

import numpy as np
import pytest
import torch
from scipy import optimize
from torch import distributions as td

from vae_lessons.data import digits
from vae_lessons.montecarlo import mixture_log_density
from vae_lessons.spectrum import data_spectrum, linear_optimum, rate_distortion

EIGENVALUES = [2.0, 1.0, 0.5, 0.25, 0.1]


def codes(n: int = 7, k: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    mu = torch.randn(n, k, generator=generator, dtype=torch.float64)
    return mu, torch.randn(n, k, generator=generator, dtype=torch.float64) - 1


@pytest.mark.parametrize("chunk", [1, 4, 1000])
def test_mixture_is_the_one_of_torch_distributions(chunk):
    mu, log_sigma = codes()
    z = torch.randn(10, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    each = td.Independent(td.Normal(mu, log_sigma.exp()), 1)
    expected = td.MixtureSameFamily(td.Categorical(torch.ones(7, dtype=torch.float64)), each).log_prob(z)
    torch.testing.assert_close(mixture_log_density(z, mu, log_sigma, chunk), expected, rtol=1e-10, atol=1e-10)


def test_one_component_exceeds_the_mixture_by_log_n_at_most():
    mu, log_sigma = codes()
    at_centres = -log_sigma.sum(-1) - 1.5 * math.log(2 * math.pi)
    assert (at_centres - mixture_log_density(mu, mu, log_sigma) <= math.log(7) + 1e-12).all()
    far_apart = 50 * torch.arange(7.0, dtype=torch.float64).unsqueeze(1).expand(7, 3)
    gained = at_centres - mixture_log_density(far_apart, far_apart, log_sigma)
    torch.testing.assert_close(gained, torch.full_like(gained, math.log(7)), rtol=0, atol=1e-6)


def test_mixture_says_what_it_wants():
    mu, log_sigma = codes()
    with pytest.raises(TypeError, match="float64"):
        mixture_log_density(mu.float(), mu.float(), log_sigma.float())
    with pytest.raises(ValueError, match=r"\(N, 2\)"):
        mixture_log_density(mu[:, :2], mu, log_sigma)
    with pytest.raises(ValueError, match="chunk"):
        mixture_log_density(mu, mu, log_sigma, chunk=0)


@pytest.mark.parametrize("level", [0.05, 0.3, 0.7, 3.0])
def test_shannons_curve_is_the_cheapest_split_of_the_error(level):
    """Reverse water-filling against a general solver: minimise Σ½log(λ/d) for a given Σd, d ≤ λ."""
    eigenvalues = np.array(EIGENVALUES)
    rate, error = rate_distortion(eigenvalues, level, len(eigenvalues))
    solved = optimize.minimize(
        lambda d: 0.5 * np.log(eigenvalues / d).sum(),
        eigenvalues * error / eigenvalues.sum(),
        jac=lambda d: -0.5 / d,
        bounds=[(1e-6, v) for v in eigenvalues],
        constraints={"type": "eq", "fun": lambda d: d.sum() - error},
        method="SLSQP",
        options={"ftol": 1e-12},
    )
    assert rate == pytest.approx(solved.fun, abs=1e-5)


@pytest.mark.parametrize(("level", "n_latents"), [(0.3, 5), (0.3, 3), (0.05, 3), (0.05, 5)])
def test_slope_is_minus_one_over_twice_the_level(level, n_latents):
    (r0, d0), (r1, d1) = (rate_distortion(EIGENVALUES, v, n_latents) for v in (level - 1e-6, level + 1e-6))
    assert (r1 - r0) / (d1 - d0) == pytest.approx(-1 / (2 * level), rel=1e-6)


def test_the_linear_optimum_lies_on_the_curve_and_its_codes_have_unit_covariance():
    x = digits().x.double().numpy()
    spectrum = data_spectrum(x)
    best = linear_optimum(spectrum, 0.1, 8)
    mu = (x - best.mean) @ best.encoder.T
    kl = 0.5 * (mu**2 + best.sigma**2 - 1 - 2 * np.log(best.sigma)).sum(1).mean()
    error = ((x - best.mean - mu @ best.decoder.T) ** 2).sum(1).mean() + (best.sigma**2 * best.decoder**2).sum()
    assert rate_distortion(spectrum.eigenvalues, 0.1, 8) == pytest.approx((kl, error), rel=1e-9)
    np.testing.assert_allclose(mu.T @ mu / len(x) + np.diag(best.sigma**2), np.eye(8), atol=1e-9)
