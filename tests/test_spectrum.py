"""The exact theory against scikit-learn, direct optimisation, and the likelihood of pPCA."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize
from sklearn.decomposition import PCA

from vae_lessons import spectrum as sp
from vae_lessons.data import digits

X = digits().x.double().numpy()


SPECTRUM = sp.data_spectrum(X)


LEVELS = st.floats(0.01, 2)


def test_eigenvalues_are_scikit_learns():
    pca = PCA().fit(X)
    np.testing.assert_allclose(SPECTRUM.eigenvalues, pca.explained_variance_ * (1796 / 1797), atol=1e-12)
    assert SPECTRUM.eigenvalues[:4] == pytest.approx([0.6989, 0.6392, 0.5536, 0.3947], abs=5e-5)
    assert SPECTRUM.eigenvalues.sum() == pytest.approx(4.6933, abs=5e-5)


@pytest.mark.parametrize(
    ("beta", "kl"),
    [(1.0, [0.1674, 0.1228, 0.0509, 0, 0, 0, 0, 0]), (0.5, [0.5140, 0.4694, 0.3974, 0.2283, 0.0410, 0, 0, 0])],
)
def test_reference_kl_per_latent(beta, kl):
    assert sp.kl_per_latent(SPECTRUM.eigenvalues, beta * 0.5, 8) == pytest.approx(kl, abs=5e-5)


def test_up_to_the_water_the_kl_is_exactly_0_whatever_the_last_digit_of_a_logarithm(monkeypatch):
    """NumPy 1.26 and math differed by 7e-15 at this level; β times that was an ELBO of 1e40."""
    assert sp.optimal_elbo([1.0], 1.0, 1, beta=10**54.5) == pytest.approx(-0.5 * (np.log(2 * np.pi) + 1))
    exact = sp.math.log
    monkeypatch.setattr(sp.math, "log", lambda x: np.nextafter(exact(x), -np.inf))
    assert sp.kl_per_latent([2.0, 1.7, 0.5, 0.0], 1.7, 4)[1:].tolist() == [0, 0, 0]


def test_reference_rate_and_error():
    assert sp.kl_per_latent(SPECTRUM.eigenvalues, 0.05, 8).sum() == pytest.approx(7.7552, abs=5e-5)
    assert sp.error_per_direction(SPECTRUM.eigenvalues, 0.05, 8).sum() == pytest.approx(1.9304, abs=5e-5)


def one_direction(lam: float, noise_var: float, beta: float) -> float:
    """The smallest loss of one direction, found by searching over w, a and log s: no theory used."""

    def loss(parameters: np.ndarray) -> float:
        w, a, log_s = parameters
        s2 = np.exp(2 * log_s)
        error = lam * (1 - w * a) ** 2 + w**2 * s2
        return error / (2 * noise_var) + beta * 0.5 * (lam * a**2 + s2 - 2 * log_s - 1)

    starts = ([1.0, 0.5, -0.5], [0.1, 0.1, 0.0])
    return min(optimize.minimize(loss, start, method="BFGS", options={"gtol": 1e-9}).fun for start in starts)


@pytest.mark.parametrize("lam", [0.1, 0.4, 0.55, 0.7, 3.0])
@pytest.mark.parametrize(("noise_var", "beta"), [(0.5, 1.0), (0.25, 1.0), (0.5, 0.2)])
def test_no_search_beats_the_formula_and_it_is_reached(lam, noise_var, beta):
    kl = sp.kl_per_latent([lam], beta * noise_var, 1).sum()
    error = sp.error_per_direction([lam], beta * noise_var, 1).sum()
    assert error / (2 * noise_var) + beta * kl == pytest.approx(one_direction(lam, noise_var, beta), abs=1e-7)


@given(LEVELS)
def test_latents_live_exactly_above_the_water(level):
    alive = sp.kl_per_latent(SPECTRUM.eigenvalues, level, 8) > 0
    np.testing.assert_array_equal(alive, SPECTRUM.eigenvalues[:8] > level)
    np.testing.assert_array_equal(alive, sp.thresholds(SPECTRUM.eigenvalues, level)[:8] > 1)


@given(LEVELS, LEVELS)
def test_rate_falls_and_error_rises_with_the_water(one, other):
    low, high = sorted((one, other))
    assert sp.kl_per_latent(SPECTRUM.eigenvalues, low, 8).sum() >= sp.kl_per_latent(SPECTRUM.eigenvalues, high, 8).sum()
    assert (
        sp.error_per_direction(SPECTRUM.eigenvalues, low, 8) <= sp.error_per_direction(SPECTRUM.eigenvalues, high, 8)
    ).all()


@pytest.mark.parametrize("level", [0.03, 0.2, 0.5, 0.6, 0.8])
def test_optimum_has_the_kl_and_the_error_of_the_formulas(level):
    best = sp.linear_optimum(SPECTRUM, level, 8)
    mu = (X - best.mean) @ best.encoder.T
    kl = 0.5 * ((mu**2).mean(0) + best.sigma**2 - np.log(best.sigma**2) - 1)
    np.testing.assert_allclose(kl, sp.kl_per_latent(SPECTRUM.eigenvalues, level, 8), atol=1e-12)
    residual = ((X - best.mean - mu @ best.decoder.T) ** 2).sum(1).mean() + ((best.decoder * best.sigma) ** 2).sum()
    assert residual == pytest.approx(sp.error_per_direction(SPECTRUM.eigenvalues, level, 8).sum())


@pytest.mark.parametrize("noise_var", [0.0273, 0.3, 0.5])
def test_at_beta_one_the_optimal_elbo_is_the_exact_log_likelihood(noise_var):
    best = sp.linear_optimum(SPECTRUM, noise_var, 8)
    exact = sp.linear_log_likelihood(X, best.decoder, best.mean, noise_var).mean()
    assert sp.optimal_elbo(SPECTRUM.eigenvalues, noise_var, 8) == pytest.approx(exact, abs=1e-9)


def test_ppca_noise_variance_is_the_likeliest():
    best = sp.ppca_noise_var(SPECTRUM.eigenvalues, 8)
    assert best == pytest.approx(0.027329, abs=1e-6)
    at = [sp.optimal_elbo(SPECTRUM.eigenvalues, best * factor, 8) for factor in (0.98, 1.0, 1.02)]
    assert at[1] > at[0] and at[1] > at[2]


def test_alternating_ends_at_the_ppca_variance():
    eigenvalues, noise_var = SPECTRUM.eigenvalues, 4.0
    for _ in range(20):
        noise_var = sp.error_per_direction(eigenvalues, noise_var, 8).sum() / 64
    assert noise_var == pytest.approx(sp.ppca_noise_var(eigenvalues, 8), rel=1e-9)


EIGENVALUES = [2.0, 1.0, 0.5, 0.25, 0.1]


@pytest.mark.parametrize("level", [0.05, 0.3, 0.7, 3.0])
def test_shannons_curve_is_the_cheapest_split_of_the_error(level):
    """Reverse water-filling against a general solver: minimise Σ½log(λ/d) for a given Σd, d ≤ λ."""
    eigenvalues = np.array(EIGENVALUES)
    rate, error = sp.rate_distortion(eigenvalues, level, len(eigenvalues))
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
    (r0, d0), (r1, d1) = (sp.rate_distortion(EIGENVALUES, v, n_latents) for v in (level - 1e-6, level + 1e-6))
    assert (r1 - r0) / (d1 - d0) == pytest.approx(-1 / (2 * level), rel=1e-6)


def test_the_linear_optimum_lies_on_the_curve_and_its_codes_have_unit_covariance():
    best = sp.linear_optimum(SPECTRUM, 0.1, 8)
    mu = (X - best.mean) @ best.encoder.T
    kl = 0.5 * (mu**2 + best.sigma**2 - 1 - 2 * np.log(best.sigma)).sum(1).mean()
    error = ((X - best.mean - mu @ best.decoder.T) ** 2).sum(1).mean() + (best.sigma**2 * best.decoder**2).sum()
    assert sp.rate_distortion(SPECTRUM.eigenvalues, 0.1, 8) == pytest.approx((kl, error), rel=1e-9)
    np.testing.assert_allclose(mu.T @ mu / len(X) + np.diag(best.sigma**2), np.eye(8), atol=1e-9)


def test_fewer_images_than_pixels_leave_directions_without_variance():
    """Rounding would make some of these eigenvalues −1e-18; a variance is not negative, and its root is taken."""
    few = sp.data_spectrum(X[:5])
    assert (few.eigenvalues >= 0).all() and (few.eigenvalues[5:] < 1e-12).all()


def test_a_spectrum_can_be_handed_to_torch():
    assert all(torch.from_numpy(part).isfinite().all() for part in SPECTRUM)


def test_extreme_levels_give_right_numbers():
    assert sp.kl_per_latent([1e300], 1e-300, 1) == pytest.approx([300 * np.log(10)])
    assert sp.optimal_elbo([1.0], torch.tensor(0.5), 1) == sp.optimal_elbo([1.0], 0.5, 1)
    assert sp.linear_log_likelihood([[1e200]], [[1.0]], [0.0], 1.0) == [-np.inf]


BAD = {
    "no water": (lambda: sp.kl_per_latent([1.0], 0.0, 1), "level must be positive, got 0"),
    "NaN": (lambda: sp.kl_per_latent([1.0], float("nan"), 1), "level must be finite"),
    "unsorted": (lambda: sp.kl_per_latent([1.0, 2.0], 1.0, 1), "largest first"),
    "as small as the first, yet unsorted": (lambda: sp.kl_per_latent([3.0, 1.0, 2.0], 1.0, 1), "largest first"),
    "negative": (lambda: sp.kl_per_latent([1.0, -2.0], 1.0, 1), "largest first"),
    "too many latents": (lambda: sp.kl_per_latent([1.0], 1.0, 2), "n_latents must lie between 1 and D = 1, got 2"),
    "one row": (lambda: sp.data_spectrum(np.ones(3)), r"x must have shape \(N, D\)"),
    "NaN data": (lambda: sp.data_spectrum(np.full((2, 2), np.nan)), "x must be finite"),
    "nothing discarded": (lambda: sp.ppca_noise_var([1.0], 1), "n_latents must leave"),
    "no noise and no weight": (lambda: sp.optimal_elbo([1.0], -1.0, 1, beta=-1.0), "noise_var must be positive, got -1"),
    "no weight": (lambda: sp.optimal_elbo([1.0], 1.0, 1, beta=0), "beta must be positive, got 0"),
    "several levels": (lambda: sp.kl_per_latent([1.0], torch.ones(2), 1), "level must be one number"),
    "less than nothing discarded": (lambda: sp.ppca_noise_var([2.0, 1.0], -1), "n_latents must be at least 1, got -1"),
    "unsorted, discarded": (lambda: sp.ppca_noise_var([1.0, 2.0], 1), "eigenvalues must be numbers ≥ 0, largest first"),
    "unsorted, thresholds": (lambda: sp.thresholds([1.0, 2.0], 1.0), "eigenvalues must be numbers ≥ 0, largest first"),
    "one image": (lambda: sp.linear_log_likelihood(X[0], np.ones((64, 1)), X[0], 1.0), r"x must have shape \(N, D\)"),
    "one mean for all": (lambda: sp.linear_log_likelihood(X, np.ones((64, 1)), [0.0], 1.0), r"mean must have shape \(64,\)"),
    "other pixels": (lambda: sp.linear_log_likelihood(X, np.ones((3, 1)), X[0], 1.0), r"decoder must have shape \(64, K\)"),
    "NaN decoder": (lambda: sp.linear_log_likelihood(X, np.full((64, 1), np.nan), X[0], 1.0), "decoder must be finite"),
    "noise lost in rounding": (lambda: sp.linear_log_likelihood(X, 1e9 * np.ones((64, 1)), X[0], 1e-9), "noise_var is too small beside decoder"),
    "pixels too large": (lambda: sp.data_spectrum([[1e200], [0.0]]), "x is too large for float64"),
    "no noise": (lambda: sp.thresholds([1.0], -1.0), "noise_var must be positive, got -1"),
}  # fmt: skip


@pytest.mark.parametrize(("call", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_any_data_have_numpys_covariance_and_its_directions_in_order():
    x = np.random.default_rng(0).normal(3.0, [4.0, 2.0, 1.0], (50, 3)) @ np.array([[1, 2, 0], [0, 1, 1], [1, 0, 1]])
    found = sp.data_spectrum(x)
    covariance = np.cov(x.T, bias=True)
    np.testing.assert_allclose(found.eigenvalues, np.linalg.eigvalsh(covariance)[::-1], rtol=1e-12)
    np.testing.assert_allclose(covariance @ found.directions, found.directions * found.eigenvalues, atol=1e-10)
    np.testing.assert_allclose(found.mean, x.mean(0))


def test_sums_that_overflow_are_told_by_the_largest():
    with pytest.raises(ValueError, match=r"their sum overflows: got 1e\+308"):
        sp.kl_per_latent([1e308, 9e307], 1.0, 1)
    largest = np.finfo(np.float64).max / 2
    assert sp.kl_per_latent([largest, largest], largest, 1) == 0, "the sum of these is still a number"


def test_a_noise_variance_is_above_0():
    with pytest.raises(ValueError, match="noise_var must be positive, got 0"):
        sp.linear_log_likelihood(np.zeros((2, 3)), np.zeros((3, 1)), np.zeros(3), 0.0)


def test_what_overflows_is_told_by_the_result_alone():
    """In a lesson NumPy's warnings would stand above the answer."""
    far = [[1e308, -1e308], [1e308, 1e308], [1e308, 0.0]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sp.thresholds([1e300], 1e-300) == [np.inf]
        assert sp.linear_log_likelihood([[1e308, -1e308]], [[1.0], [1.0]], [-1e308, 1e308], 1.0) == [-np.inf]
        with pytest.raises(ValueError, match=r"x is too large for float64, its squares overflow: got 1e\+308"):
            sp.data_spectrum(far)
        # large enough for a matrix product that adds ∞ and −∞, on any processor
        decoder = 1e200 * np.where(np.arange(17)[:, None] % 2, [-1, 1, -1, 1], 1)
        with pytest.raises(ValueError, match=r"decoder is too large for float64, its squares overflow: got 1e\+200"):
            sp.linear_log_likelihood(np.zeros((1, 17)), decoder, np.zeros(17), 1.0)
