"""Monte Carlo against the closed form, the aggregate posterior against torch.distributions.

Statistical checks use 4 or 5 standard errors and fixed seeds: by chance alone 4 fail once in
16 000, 5 once in two million."""

import math

import pytest
import torch
from scipy import stats
from torch import distributions as td

from vae_lessons.gaussian import kl_to_standard
from vae_lessons.montecarlo import estimate, kl_estimators, log_ratio, log_ratio_std, mixture_log_density

CASES = [(1.3, 0.6), (0.0, 2.0), (-0.5, 0.9), (0.0, 1.0)]


def gaussian(mu: float, sigma: float) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.tensor(mu, dtype=torch.float64), torch.tensor(sigma, dtype=torch.float64).log()


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(("mu", "sigma"), CASES[:3])
def test_average_log_ratio_is_the_closed_form(mu, sigma):
    q = gaussian(mu, sigma)
    assert abs(estimate(log_ratio(*q, noise(200_000))).z_score(kl_to_standard(*q))) < 4


@pytest.mark.parametrize(("mu", "sigma"), CASES)
def test_predicted_standard_deviation_is_the_one_measured(mu, sigma):
    q = gaussian(mu, sigma)
    n = 200_000
    centred = (log_ratio(*q, noise(n, seed=1)) - kl_to_standard(*q)) ** 2
    variance = estimate(centred)
    assert abs(variance.mean - log_ratio_std(*q) ** 2) <= 5 * variance.std_error + 1e-15


def test_reference_standard_deviation():
    assert log_ratio_std(*gaussian(1.3, 0.6)).item() == pytest.approx(0.90178, abs=1e-5)


def test_estimate_agrees_with_scipy():
    samples = noise(50)
    assert estimate(samples).std_error.item() == pytest.approx(stats.sem(samples.numpy()))
    low, high = stats.norm.interval(0.9, samples.mean(), stats.sem(samples.numpy()))
    assert [v.item() for v in estimate(samples).interval(0.9)] == pytest.approx([low, high])


def test_interval_covers_as_often_as_it_says():
    low, high = estimate(noise(200, 20_000)).interval(0.9)
    share = ((low < 0) & (high > 0)).double().mean()
    assert abs(share - 0.9) < 5 * math.sqrt(0.9 * 0.1 / 20_000)


def test_k1_and_k3_are_unbiased_and_k2_is_not():
    q = gaussian(0.4, 0.9)
    z = {k: estimate(v).z_score(kl_to_standard(*q)) for k, v in kl_estimators(log_ratio(*q, noise(400_000))).items()}
    assert abs(z["k1"]) < 4 and abs(z["k3"]) < 4 and abs(z["k2"]) > 10


def test_k3_has_the_variance_derived_for_it_while_that_is_finite():
    """E[r²] = ∫p²/q = σ²/√(2σ²−1) · exp(mu²/(2σ²−1)) for σ² > ½; its covariance with log r is −(KL + KL')."""
    mu, sigma = 0.2, 1.3
    q = gaussian(mu, sigma)
    excess = 2 * sigma**2 - 1
    second_moment = sigma**2 / math.sqrt(excess) * math.exp(mu**2 / excess)
    reverse = math.log(sigma) + (1 + mu**2) / (2 * sigma**2) - 0.5
    variance = second_moment - 1 + log_ratio_std(*q).item() ** 2 - 2 * (kl_to_standard(*q).item() + reverse)
    k3 = kl_estimators(log_ratio(*q, noise(400_000, seed=3)))["k3"]
    measured = estimate((k3 - kl_to_standard(*q)) ** 2)
    assert abs(measured.z_score(variance)) < 5


def test_estimators_that_cannot_be_negative_are_not():
    k = kl_estimators(log_ratio(*gaussian(1.3, 0.6), noise(10_000)))
    assert k["k1"].min() < 0 and k["k2"].min() >= 0 and k["k3"].min() >= 0


def test_the_estimators_are_the_formulas():
    log_ratios = noise(20)
    k = kl_estimators(log_ratios)
    r = torch.exp(-log_ratios)  # p/q
    torch.testing.assert_close(k["k1"], log_ratios)
    torch.testing.assert_close(k["k2"], 0.5 * torch.log(r) ** 2)
    torch.testing.assert_close(k["k3"], r - 1 - torch.log(r))


@pytest.mark.parametrize("size", [1e-2, 1e-3])
def test_small_differences_keep_their_digits_in_float32(size):
    """Where q is nearly p, r − 1 and sigma² − 1 written out would lose what expm1 keeps."""
    one, mu = torch.tensor(size), torch.tensor(0.0)
    k3 = kl_estimators(one)["k3"].item()
    exact = math.expm1(-one.item()) + one.item()
    assert k3 == pytest.approx(exact, abs=1.2e-7 * size)
    assert log_ratio_std(mu, one).item() == pytest.approx(math.expm1(2 * one.item()) / math.sqrt(2), rel=3e-7)


def test_log_ratio_is_that_of_two_densities_and_finite_as_long_as_it_can_be():
    mu, log_sigma = gaussian(1.3, 0.6)
    eps = noise(50)
    z = mu + log_sigma.exp() * eps
    q, p = td.Normal(mu, log_sigma.exp()), td.Normal(0.0, 1.0)
    torch.testing.assert_close(log_ratio(mu, log_sigma, eps), q.log_prob(z) - p.log_prob(z))
    far = torch.tensor([-1e30, -1e4, -89.0, 89.0, 1e4, 1e30])
    extreme = log_ratio(torch.zeros(6), far, torch.tensor([[0.0], [1.0]]).expand(2, 6))
    assert not extreme.isnan().any()
    assert extreme[0].tolist() == pytest.approx((-far).tolist())  # at z = 0 it is −log sigma


def test_a_wide_q_has_an_infinite_deviation_and_no_nan():
    assert log_ratio_std(torch.zeros(2), torch.tensor([60.0, 1e30])).isinf().all()


def test_one_draw_has_no_standard_error():
    with pytest.raises(ValueError, match="at least 2 draws"):
        estimate(torch.ones(1))


def test_noise_of_the_wrong_shape_is_named():
    with pytest.raises(ValueError, match=r"eps must have shape \(S\), S times that of mu, got \(3, 2\)"):
        log_ratio(*gaussian(0.0, 1.0), noise(3, 2))


@pytest.mark.parametrize("level", [95, 1, 0, -0.5])
def test_level_must_be_a_probability(level):
    with pytest.raises(ValueError, match=f"level must lie between 0 and 1, got {level}"):
        estimate(noise(5)).interval(level)


def test_each_mean_is_held_against_its_own_truth():
    measured = estimate(noise(100, 3))
    truths = [0.0, 0.1, 0.2]
    each = [estimate(noise(100, 3)[:, i]).z_score(truth).item() for i, truth in enumerate(truths)]
    assert measured.z_score(torch.tensor(truths)).tolist() == pytest.approx(each)
    with pytest.raises(ValueError, match=r"truth must be one number or have shape \(3,\), got shape \(1,\)"):
        measured.z_score(torch.zeros(1))


def test_mixtures_too_narrow_for_float64_are_refused():
    narrow = torch.full((2, 1), -400.0, dtype=torch.float64)
    with pytest.raises(ValueError, match="log_sigma is too small for float64"):
        mixture_log_density(torch.zeros(1, 1).double(), torch.zeros(2, 1).double(), narrow)


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


def test_two_draws_are_enough_and_the_interval_is_that_of_95_percent():
    found = estimate(torch.tensor([0.0, 2.0], dtype=torch.float64))
    assert (found.mean.item(), found.std_error.item()) == (1, 1)
    low, high = found.interval()
    assert (high - low).item() == pytest.approx(2 * 1.959964, abs=1e-6)
