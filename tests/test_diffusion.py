"""Diffusion against brute-force joint Gaussians, quadrature and torch.distributions, and what must hold for any levels."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats
from torch import Tensor
from torch import distributions as td

from vae_lessons import denoising, diffusion, reverse
from vae_lessons.montecarlo import estimate

F64 = torch.float64
LEVELS = torch.tensor([0.95, 0.7, 0.35, 0.04], dtype=F64)
LAMBDAS = np.array([2.3, 0.6, 0.01])


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


# -- brute force: the covariance of everything, and conditioning -----------------------------------------------------


def joint_covariance(variance: float, abar: Tensor) -> np.ndarray:
    """Covariance of (x, z_1, …, z_T) in one direction, from the steps z_t = √(1 − β_t) z_{t−1} + √β_t ε."""
    T, levels = len(abar), abar.numpy()
    kept = levels / np.concatenate([[1.0], levels[:-1]])  # 1 − β_t
    steps = np.eye(T + 1)  # (I − shift) (x, z) = noise
    steps[np.arange(1, T + 1), np.arange(T)] = -np.sqrt(kept)
    mix = np.linalg.inv(steps)
    return mix @ np.diag(np.concatenate([[variance], 1 - kept])) @ mix.T


def conditional(cov: np.ndarray, of: int, on: list[int]) -> tuple[np.ndarray, float]:
    """Weights on the known ones, and variance, of one Gaussian coordinate given others."""
    weights = np.linalg.solve(cov[np.ix_(on, on)], cov[on, of])
    return weights, cov[of, of] - weights @ cov[on, of]


def model_covariance(variance: float, abar: Tensor, noise_vars: np.ndarray) -> np.ndarray:
    """Covariance of the decoder's (x, z_1, …, z_T): z_T from N(0, 1), then z_{t−1} = gain z_t + s_t ε."""
    T, truth = len(abar), joint_covariance(variance, abar)
    steps = np.eye(T + 1)
    for t in range(1, T + 1):
        steps[t - 1, t] = -conditional(truth, t - 1, [t])[0].item()
    mix = np.linalg.inv(steps)
    return mix @ np.diag(np.concatenate([noise_vars, [1.0]])) @ mix.T


def gaussian(cov: np.ndarray) -> td.MultivariateNormal:
    return td.MultivariateNormal(torch.zeros(len(cov), dtype=F64), torch.from_numpy(cov))


@pytest.mark.parametrize("T", [1, 2, 3, 4])
def test_marginals_and_true_reverse_variances_are_those_of_the_joint(T):
    v, tau = reverse.marginal_variances(LAMBDAS, LEVELS[:T]), reverse.true_variances(LAMBDAS, LEVELS[:T])
    for i, variance in enumerate(LAMBDAS):
        cov = joint_covariance(variance, LEVELS[:T])
        assert v[:, i] == pytest.approx(np.diag(cov), rel=1e-12)
        assert tau[:, i] == pytest.approx([conditional(cov, t - 1, [t])[1] for t in range(1, T + 1)], rel=1e-9)


@pytest.mark.parametrize("t", [1, 2, 3, 4])
def test_the_step_back_for_who_knows_the_image_is_conditioning(t):
    cov = joint_covariance(1.7, LEVELS)
    z, x = noise(5, 3), noise(5, 3, seed=1)
    mean, variance = diffusion.posterior(z, x, LEVELS, t)
    if t == 1:
        assert torch.equal(mean, x) and variance == 0
    else:
        (of_z, of_x), brute = conditional(cov, t - 1, [t, 0])
        assert torch.allclose(mean, of_z * z + of_x * x, rtol=1e-10) and variance == pytest.approx(brute, rel=1e-10)
    assert variance == pytest.approx(float(diffusion.step_variances(LEVELS)[1][t - 1]), abs=1e-15)


@pytest.mark.parametrize("choice", reverse.CHOICES)
@pytest.mark.parametrize("T", [1, 2, 3, 4])
def test_the_gap_is_the_kl_of_the_two_joints(T, choice):
    shared = reverse.shared_variances(LAMBDAS, LEVELS[:T], choice)
    brute = sum(
        td.kl_divergence(
            gaussian(joint_covariance(one, LEVELS[:T])), gaussian(model_covariance(one, LEVELS[:T], shared))
        )
        for one in LAMBDAS
    )
    assert reverse.gap(LAMBDAS, LEVELS[:T], choice) == pytest.approx(float(brute), rel=1e-9)


# -- the ELBO of a chain ---------------------------------------------------------------------------------------------


def exact_denoiser(variances: np.ndarray, abar: Tensor) -> denoising.Denoiser:
    """E[ε|z_t] for Gaussian data along the axes: √(1 − ᾱ_t) z_t/v_t."""
    v = torch.from_numpy(reverse.marginal_variances(variances, abar))
    return lambda z, t: math.sqrt(1 - float(abar[t - 1])) * z / v[t].to(z.dtype)


def mean_log_density(variances: np.ndarray) -> float:
    return float(-0.5 * (np.log(2 * math.pi * variances) + 1).sum())


@pytest.mark.parametrize("choice", reverse.CHOICES)
@pytest.mark.parametrize("T", [1, 4])
def test_a_monte_carlo_elbo_lies_below_the_truth_by_the_gap(T, choice):
    """To 5 standard errors: by chance once in 1.7 million for each of six."""
    abar, n = LEVELS[:T], 20_000
    shared = torch.from_numpy(reverse.shared_variances(LAMBDAS, abar, choice))
    x = noise(n, 3, seed=2) * torch.from_numpy(LAMBDAS).sqrt()
    terms = denoising.diffusion_elbo(exact_denoiser(LAMBDAS, abar), x, noise(T, n, 3, seed=3), abar, shared)
    log_density = td.Normal(0, torch.from_numpy(LAMBDAS).sqrt()).log_prob(x).sum(-1)
    measured = estimate(log_density - terms.elbo)  # digit by digit: the scatter of log p(x) cancels
    assert abs(measured.z_score(reverse.gap(LAMBDAS, abar, choice))) < 5
    assert log_density.mean() == pytest.approx(mean_log_density(LAMBDAS), abs=0.1)


def test_each_term_is_what_torch_distributions_says():
    x, eps = noise(6, 3), noise(4, 6, 3, seed=1)
    shared = torch.tensor([0.3, 0.2, 0.6, 0.9], dtype=F64)
    terms = denoising.diffusion_elbo(lambda z, t: torch.tanh(z) / t, x, eps, LEVELS, shared)
    assert terms.kl.shape == (3, 6) and terms.elbo.shape == (6,)
    for t in range(1, 5):
        level = float(LEVELS[t - 1])
        z = level**0.5 * x + (1 - level) ** 0.5 * eps[t - 1]
        x_hat = (z - (1 - level) ** 0.5 * torch.tanh(z) / t) / level**0.5
        if t == 1:
            expected = td.Normal(x_hat, 0.3**0.5).log_prob(x).sum(-1)
            assert torch.allclose(terms.log_likelihood, expected)
            continue
        (of_z, of_x), variance = conditional(joint_covariance(1.0, LEVELS), t - 1, [t, 0])
        q = td.Normal(of_z * z + of_x * x, variance**0.5)
        p = td.Normal(of_z * z + of_x * x_hat, float(shared[t - 1]) ** 0.5)
        assert torch.allclose(terms.kl[t - 2], td.kl_divergence(q, p).sum(-1))
    prior = td.kl_divergence(td.Normal(0.04**0.5 * x, 0.96**0.5), td.Normal(torch.zeros_like(x), 1.0)).sum(-1)
    assert torch.allclose(terms.prior_kl, prior)
    assert torch.allclose(terms.elbo, terms.log_likelihood - terms.kl.sum(0) - prior)


def test_one_latent_by_quadrature():
    """The ELBO of T = 1 in one dimension, with a bent guess, integrated by SciPy and with Gauss–Hermite nodes as noise."""
    abar, s2, x = torch.tensor([0.6], dtype=F64), 0.5, 0.8

    def guess(z):
        return np.tanh(z)

    def integrand(z):
        x_hat = (z - 0.4**0.5 * guess(z)) / 0.6**0.5
        q = stats.norm(0.6**0.5 * x, 0.4**0.5)
        return q.pdf(z) * (stats.norm(x_hat, s2**0.5).logpdf(x) + stats.norm.logpdf(z) - q.logpdf(z))

    exact, _ = integrate.quad(integrand, -10, 10, epsabs=1e-12)
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    eps = torch.from_numpy(nodes).reshape(1, -1, 1)
    terms = denoising.diffusion_elbo(
        lambda z, t: torch.tanh(z), torch.full((60, 1), x, dtype=F64), eps, abar, torch.tensor([s2], dtype=F64)
    )
    averaged = (terms.elbo.numpy() * weights).sum() / weights.sum()
    assert averaged == pytest.approx(exact, abs=1e-7)


@pytest.mark.parametrize("T", [2, 3])
def test_the_elbo_of_a_chain_by_quadrature_over_all_its_latents(T):
    """log p(x|z_1) + Σ log p(z_{t−1}|z_t) + log p(z_T) − log q(z|x), integrated by Gauss–Hermite over the whole chain."""
    abar, x = LEVELS[1 : T + 1], 0.8
    shared = np.array([0.5, 0.4, 0.7])[:T]
    denoise = exact_denoiser(np.array([0.6]), abar)
    nodes, weights = np.polynomial.hermite_e.hermegauss(12)
    grid = np.stack(np.meshgrid(*[nodes] * T, indexing="ij")).reshape(T, -1)
    of_grid = np.prod(np.stack(np.meshgrid(*[weights / weights.sum()] * T, indexing="ij")).reshape(T, -1), axis=0)
    kept = abar.numpy() / np.concatenate([[1.0], abar[:-1].numpy()])  # 1 − β_t
    z, log_q = [np.full(grid.shape[1], x)], np.zeros(grid.shape[1])
    for t in range(T):  # up the chain, step by step
        mean, width = np.sqrt(kept[t]) * z[-1], np.sqrt(1 - kept[t])
        z.append(mean + width * grid[t])
        log_q += stats.norm(mean, width).logpdf(z[-1])
    log_p = stats.norm.logpdf(z[T])
    for t in range(T, 0, -1):
        cov = joint_covariance(0.6, abar)
        gain = conditional(cov, t - 1, [t])[0].item()
        log_p += stats.norm(gain * z[t], shared[t - 1] ** 0.5).logpdf(z[t - 1])
    brute = ((log_p - log_q) * of_grid).sum()
    n = len(nodes)
    eps = torch.from_numpy(nodes).reshape(1, n, 1).repeat(T, 1, 1)  # each level alone needs only its own noise
    terms = denoising.diffusion_elbo(denoise, torch.full((n, 1), x, dtype=F64), eps, abar, torch.from_numpy(shared))
    assert (terms.elbo.numpy() * weights).sum() / weights.sum() == pytest.approx(brute, abs=1e-9)


def test_a_step_is_its_weight_times_the_error_of_the_guess():
    """With s² = β̃ the KL is w ‖ε − ε̂‖², and w = ½ (SNR_{t−1}/SNR_t − 1)."""
    x, eps = noise(6, 3), noise(4, 6, 3, seed=1)
    _, beta_tilde = diffusion.step_variances(LEVELS)
    shared = torch.cat([torch.tensor([0.1], dtype=F64), beta_tilde[1:]])
    terms = denoising.diffusion_elbo(lambda z, t: torch.sin(z), x, eps, LEVELS, shared)
    weights = diffusion.eps_weights(LEVELS, shared)
    for t in range(2, 5):
        z = diffusion.noised(x, eps[t - 1], LEVELS, t)
        error = (eps[t - 1] - torch.sin(z)).square().sum(-1)
        assert torch.allclose(terms.kl[t - 2], weights[t - 1] * error)
    snr = LEVELS / (1 - LEVELS)
    assert torch.allclose(weights[1:], 0.5 * (snr[:-1] / snr[1:] - 1))
    assert torch.allclose(diffusion.log_snr(LEVELS), snr.log())


def test_a_guess_that_knows_the_noise_pays_only_for_its_variances():
    x, eps = noise(6, 3), noise(4, 6, 3, seed=1)
    _, beta_tilde = diffusion.step_variances(LEVELS)
    shared = torch.cat([torch.tensor([0.1], dtype=F64), beta_tilde[1:]])
    terms = denoising.diffusion_elbo(lambda z, t: eps[t - 1], x, eps, LEVELS, shared)
    assert terms.kl.abs().max() < 1e-12


def test_the_best_variances_are_the_best():
    x, eps = noise(200, 3) * torch.from_numpy(LAMBDAS).sqrt(), noise(4, 200, 3, seed=1)
    denoise = exact_denoiser(LAMBDAS, LEVELS)
    best = denoising.best_noise_vars(denoise, x, eps, LEVELS)
    at_best = denoising.diffusion_elbo(denoise, x, eps, LEVELS, best).elbo.mean()
    for t in range(4):
        for factor in (0.98, 1.02):
            other = best.clone()
            other[t] *= factor
            assert denoising.diffusion_elbo(denoise, x, eps, LEVELS, other).elbo.mean() < at_best


def test_the_best_variances_tend_to_those_of_the_yardstick():
    n = 50_000
    x, eps = noise(n, 3, seed=4) * torch.from_numpy(LAMBDAS).sqrt(), noise(4, n, 3, seed=5)
    best = denoising.best_noise_vars(exact_denoiser(LAMBDAS, LEVELS), x, eps, LEVELS)
    assert best.numpy() == pytest.approx(reverse.shared_variances(LAMBDAS, LEVELS, "best"), rel=0.03)


@pytest.mark.parametrize("T", [1, 4])
def test_samples_have_the_variance_of_the_decoder(T):
    """To 5 standard errors of a variance, √(2/n), in each of three directions."""
    n, abar = 40_000, LEVELS[:T]
    shared = reverse.shared_variances(LAMBDAS, abar, "beta")
    x = denoising.sample(exact_denoiser(LAMBDAS, abar), noise(T + 1, n, 3), abar, torch.from_numpy(shared))
    expected = [model_covariance(one, abar, shared)[0, 0] for one in LAMBDAS]
    assert x.var(0).numpy() == pytest.approx(expected, rel=5 * math.sqrt(2 / n))
    assert (x.mean(0).abs().numpy() < 5 * np.sqrt(np.array(expected) / n)).all()


def test_noised_images_have_the_spread_they_should():
    x, eps = noise(7, 3), noise(7, 3, seed=1)
    assert torch.allclose(diffusion.noised(x, eps, LEVELS, 4), 0.2 * x + 0.96**0.5 * eps)
    half = diffusion.noised(x.float(), eps.float(), LEVELS, 2)
    assert half.dtype == torch.float32 and torch.allclose(half.double(), diffusion.noised(x, eps, LEVELS, 2), atol=1e-6)


def test_gradients_reach_the_guess():
    weight = torch.tensor(0.3, dtype=F64, requires_grad=True)
    shared = torch.full((4,), 0.5, dtype=F64)
    denoising.diffusion_elbo(lambda z, t: weight * z, noise(6, 3), noise(4, 6, 3), LEVELS, shared).elbo.sum().backward()
    assert weight.grad is not None and weight.grad.isfinite() and weight.grad != 0


# -- what must hold for any levels and any data ----------------------------------------------------------------------

levels = st.lists(st.floats(0.001, 0.999), min_size=1, max_size=8, unique=True).map(lambda a: sorted(a, reverse=True))
spectra = st.lists(st.floats(1e-4, 5.0), min_size=1, max_size=5)
any_choice = st.sampled_from(reverse.CHOICES)


@settings(max_examples=60, deadline=None)
@given(spectra, levels, any_choice)
def test_the_gap_is_never_negative_and_zero_at_the_true_variances(variances, abar, choice):
    assert reverse.gap(variances, abar, choice) >= 0
    true = reverse.true_variances(variances, abar)
    assert reverse.gap_per_step(variances, abar, true).max() == 0
    assert (reverse.gap_per_step(variances, abar, 1.5 * true) > 0).all()


@settings(max_examples=60, deadline=None)
@given(spectra, levels, st.floats(0.3, 3.0))
def test_no_shared_variance_is_better_than_the_best(variances, abar, factor):
    best = reverse.shared_variances(variances, abar, "best")[:, None]
    at_best = reverse.gap_per_step(variances, abar, best).sum(1)
    assert (at_best <= reverse.gap_per_step(variances, abar, factor * best).sum(1) + 1e-12).all()


@settings(max_examples=100, deadline=None)
@given(spectra, levels, st.floats(0.0005, 0.9995), st.sampled_from(["beta", "best"]))
def test_one_level_more_never_raises_the_gap(variances, abar, extra, choice):
    """Also below the last level, since then z_T lies nearer to N(0, I): so only levels between are tried."""
    if not abar[-1] < extra < 1 or extra in abar:
        return
    refined = sorted([*abar, extra], reverse=True)
    assert reverse.gap(variances, refined, choice) <= reverse.gap(variances, abar, choice) + 1e-9


@settings(max_examples=60, deadline=None)
@given(spectra, levels, st.floats(0.0005, 0.9995))
def test_nor_with_beta_tilde_after_the_first_step(variances, abar, extra):
    if not abar[-1] < extra < abar[0] or extra in abar:
        return
    refined = sorted([*abar, extra], reverse=True)
    assert reverse.gap(variances, refined, "beta_tilde") <= reverse.gap(variances, abar, "beta_tilde") + 1e-9


@given(levels)
def test_beta_is_right_for_unit_variance_and_beta_tilde_for_a_point(abar):
    assert reverse.gap([1.0], abar, "beta") == pytest.approx(0, abs=1e-12)
    _, beta_tilde = diffusion.step_variances(torch.tensor(abar, dtype=F64))
    of_point = reverse.true_variances([1e-14], abar)[1:, 0]
    assert of_point == pytest.approx(beta_tilde[1:].numpy(), rel=1e-6)


@settings(deadline=None)
@given(st.integers(1, 1000), st.sampled_from([diffusion.even_levels, diffusion.cosine_levels]))
def test_levels_fall_between_their_ends(T, schedule):
    abar = schedule(T)
    assert abar.shape == (T,) and abar.dtype == F64 and (abar.diff() < 0).all() and abar[-1] > 0 and abar[0] < 1
    assert abar[-1] == pytest.approx(1e-4, rel=0.02)


def test_even_levels_are_even_and_cosine_levels_nested():
    assert diffusion.log_snr(diffusion.even_levels(11, 5.0, -5.0)).numpy() == pytest.approx(np.arange(5, -6, -1))
    assert torch.allclose(diffusion.cosine_levels(20)[1::2], diffusion.cosine_levels(10), rtol=1e-12)


@pytest.mark.parametrize("choice", reverse.CHOICES)
def test_the_gap_falls_like_one_over_T(choice):
    few, many = (reverse.gap(LAMBDAS, diffusion.even_levels(T), choice) for T in (300, 3000))
    assert math.log10(few / many) == pytest.approx(1, abs=0.03)


def test_with_the_true_variances_one_latent_is_enough():
    abar = diffusion.even_levels(1)
    true = reverse.true_variances(LAMBDAS, abar)
    assert reverse.gap_per_step(LAMBDAS, abar, true).sum() == 0
    assert 0 < reverse.prior_gap(LAMBDAS, abar).sum() < 1e-7


# -- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("abar", "complaint"),
    [
        ([0.5, 0.7], "abar must fall"),
        ([0.5, 0.5], "abar must fall"),
        ([1.0, 0.5], r"abar must lie in \(0, 1\)"),
        ([0.5, 0.0], r"abar must lie in \(0, 1\)"),
        ([], "abar must not be empty"),
        ([0.9, math.nan], "abar must be finite"),
        ([[0.9]], "abar must have shape"),
    ],
)
def test_levels_that_are_none(abar, complaint):
    with pytest.raises(ValueError, match=complaint):
        diffusion.log_snr(torch.tensor(abar, dtype=F64))
    with pytest.raises(ValueError, match=complaint):
        reverse.gap(LAMBDAS, np.array(abar), "best")


def test_levels_in_single_precision_are_refused():
    with pytest.raises(TypeError, match="abar must have the dtype"):
        diffusion.log_snr(LEVELS.float())


@pytest.mark.parametrize("schedule", [diffusion.even_levels, diffusion.cosine_levels])
def test_no_steps_are_refused(schedule):
    with pytest.raises(ValueError, match="n_steps must be at least 1"):
        schedule(0)


def test_levels_that_rounding_would_make_equal_are_refused():
    with pytest.raises(ValueError, match="highest and lowest"):
        diffusion.even_levels(5, 1.0, 1.0)
    with pytest.raises(ValueError, match="highest and lowest"):
        diffusion.even_levels(2, 0.0, -800.0)  # ᾱ would underflow to 0
    with pytest.raises(ValueError, match="n_steps is too large"):
        diffusion.even_levels(1000, 35.9, 35.0)


def test_blank_pixels_have_no_density():
    with pytest.raises(ValueError, match="add a little noise"):
        reverse.gap([1.0, 0.0], LEVELS, "best")


@pytest.mark.parametrize("t", [0, 5])
def test_a_level_that_is_not_there(t):
    with pytest.raises(ValueError, match="t must"):
        diffusion.noised(noise(2, 3), noise(2, 3), LEVELS, t)


@pytest.mark.parametrize(
    ("guess", "complaint"),
    [
        (lambda z, t: z[:1], "what denoise returns must have the shape of z"),
        (lambda z, t: z * math.nan, "what denoise returns must be finite"),
    ],
)
def test_a_guess_that_is_none(guess, complaint):
    with pytest.raises(ValueError, match=complaint):
        denoising.sample(guess, noise(5, 2, 3), LEVELS, torch.full((4,), 0.5, dtype=F64))
    with pytest.raises(TypeError, match="dtype of z"):
        denoising.best_noise_vars(lambda z, t: z.float(), noise(2, 3), noise(4, 2, 3), LEVELS)


def test_noise_for_another_number_of_levels_is_refused():
    with pytest.raises(ValueError, match="eps must hold T = 4"):
        denoising.best_noise_vars(lambda z, t: z, noise(2, 3), noise(3, 2, 3), LEVELS)
    with pytest.raises(ValueError, match=r"eps must hold T \+ 1 = 5"):
        denoising.sample(lambda z, t: z, noise(4, 2, 3), LEVELS, torch.full((4,), 0.5, dtype=F64))
