"""Bounds on log p(x) against torch.distributions and the exact likelihood of the linear-Gaussian model."""

import math
import signal
from functools import partial

import pytest
import torch
from torch import distributions as td

from vae_lessons.bounds import elbo_of_posterior, importance_bound, improve_posterior, log_importance_weights
from vae_lessons.data import digits
from vae_lessons.model import LinearVAE, reference_vae
from vae_lessons.montecarlo import estimate
from vae_lessons.objective import bernoulli_log_likelihood, gaussian_log_likelihood, linear_elbo
from vae_lessons.spectrum import linear_log_likelihood


def orthogonal_linear_vae() -> LinearVAE:
    """A linear VAE whose true posterior has independent latents, with an encoder that is wrong."""
    torch.manual_seed(0)
    model = LinearVAE(n_pixels=6, n_latents=2).double()
    with torch.no_grad():
        columns, _ = torch.linalg.qr(torch.randn(6, 2, dtype=torch.float64))
        model.decoder.weight.copy_(columns * torch.tensor([1.5, 0.7]))
    return model


def test_elbo_of_posterior_is_the_exact_one_on_the_linear_model():
    model = orthogonal_linear_vae()
    x = torch.randn(3, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    mu, log_sigma = (t.detach() for t in model.encode(x))
    exact = linear_elbo(model, x, 0.4).elbo.detach()
    eps = torch.randn(40_000, 3, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    with torch.no_grad():
        parts = torch.stack([elbo_of_posterior(model, x, mu, log_sigma, part, 0.4) for part in eps.split(400)])
    assert (estimate(parts).z_score(exact).abs() < 5).all()


def test_the_improved_posterior_closes_the_gap_where_the_family_contains_the_truth():
    model = orthogonal_linear_vae()
    x = torch.randn(5, 6, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    exact = linear_log_likelihood(x, model.decoder.weight.detach(), model.decoder.bias.detach(), 0.4)
    mu, log_sigma = improve_posterior(model, x, noise_var=0.4, steps=600)
    eps = torch.randn(20_000, 5, 2, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    with torch.no_grad():
        before = elbo_of_posterior(model, x, *model.encode(x), eps, 0.4)
        after = elbo_of_posterior(model, x, mu, log_sigma, eps, 0.4)
    gap = torch.from_numpy(exact) - after
    assert (torch.from_numpy(exact) - before).min() > 0.2 and gap.abs().max() < 0.05


def test_improving_leaves_the_model_alone():
    model = reference_vae()
    before = [w.clone() for w in model.parameters()]
    improve_posterior(model, digits().x[:4], noise_var=0.1, steps=3)
    assert all(torch.equal(a, b) and b.grad is None for a, b in zip(before, model.parameters()))


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def linear() -> LinearVAE:
    torch.manual_seed(0)
    model = LinearVAE(n_pixels=6, n_latents=2).double()
    torch.nn.init.constant_(model.log_sigma, -0.1)
    return model


@torch.no_grad()
@pytest.mark.parametrize("kind", ["gaussian", "bernoulli"])
def test_log_weights_are_those_of_torch_distributions(kind):
    torch.manual_seed(0)
    model = reference_vae(n_pixels=6, n_latents=2, n_hidden=5).double()
    x, eps = (noise(4, 6) > 0).double(), noise(3, 4, 2)
    mu, log_sigma = model.encode(x)
    z = mu + log_sigma.exp() * eps
    x_hat = model.decode(z)
    if kind == "gaussian":
        log_likelihood, decoder = partial(gaussian_log_likelihood, noise_var=0.3), td.Normal(x_hat, 0.3**0.5)
    else:
        log_likelihood, decoder = bernoulli_log_likelihood, td.Bernoulli(logits=x_hat)
    log_joint = decoder.log_prob(x).sum(-1) + td.Normal(0.0, 1.0).log_prob(z).sum(-1)
    expected = log_joint - td.Normal(mu, log_sigma.exp()).log_prob(z).sum(-1)
    torch.testing.assert_close(log_importance_weights(model, x, eps, log_likelihood), expected)


@torch.no_grad()
def test_weights_average_to_the_exact_likelihood(linear):
    """p(x) itself, without a logarithm: unbiased, and here of finite variance."""
    x = 0.3 * noise(3, 6, seed=1)
    log_weights = log_importance_weights(
        linear, x, noise(40_000, 3, 2), partial(gaussian_log_likelihood, noise_var=0.5)
    )
    exact = linear_log_likelihood(x.numpy(), linear.decoder.weight.numpy(), linear.decoder.bias.numpy(), 0.5)
    relative = estimate((log_weights - torch.from_numpy(exact)).exp())
    assert (relative.z_score(1.0).abs() < 4).all()
    assert (relative.std_error < 0.02).all()


def test_bound_is_the_log_of_the_average():
    log_weights = noise(5, 3)
    torch.testing.assert_close(importance_bound(log_weights), log_weights.exp().mean(0).log())
    torch.testing.assert_close(importance_bound(log_weights[:1]), log_weights[0])
    shifted = importance_bound(log_weights - 2000)  # where exp would underflow to 0
    torch.testing.assert_close(shifted, importance_bound(log_weights) - 2000)


@pytest.mark.parametrize("n_samples", [2, 5, 20])
def test_bound_never_falls_with_one_more_draw_on_average(n_samples):
    """For every set of draws: log of the mean ≥ average over leave-one-out sets of the same."""
    log_weights = 3 * noise(n_samples, 200)
    without_one = [importance_bound(log_weights[torch.arange(n_samples) != i]) for i in range(n_samples)]
    assert (importance_bound(log_weights) >= torch.stack(without_one).mean(0) - 1e-12).all()


def test_errors_name_the_argument(linear):
    log_likelihood = partial(gaussian_log_likelihood, noise_var=0.5)
    with pytest.raises(ValueError, match="eps"):
        log_importance_weights(linear, noise(4, 6), noise(4, 2), log_likelihood)
    with pytest.raises(ValueError, match="eps"):
        log_importance_weights(linear, noise(4, 6), noise(3, 4, 5), log_likelihood)
    with pytest.raises(ValueError, match="log_weights"):
        importance_bound(torch.tensor([0.0, math.nan]))


def test_an_interrupt_keeps_the_posterior_found_so_far(monkeypatch):
    model, x = orthogonal_linear_vae(), noise(4, 6, seed=3)
    expected = improve_posterior(model, x, noise_var=0.4, steps=5)
    steps = iter(range(300))

    def step(optimizer):
        if next(steps) == 4:
            signal.raise_signal(signal.SIGINT)  # in the middle of a step, which is finished
        real_step(optimizer)

    real_step = torch.optim.Adam.step
    monkeypatch.setattr(torch.optim.Adam, "step", step)
    stopped = improve_posterior(model, x, noise_var=0.4, steps=300)
    assert all(torch.equal(a, b) for a, b in zip(stopped, expected))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"x": noise(6)}, ValueError, r"x must have shape \(B, 6\), got \(6,\)"),
        ({"x": noise(4, 6).float()}, TypeError, "x must have the dtype of the model, torch.float64"),
        ({"mu": noise(1, 2), "log_sigma": noise(1, 2)}, ValueError, "mu must have a row for each of 4 images in x"),
        ({"mu": noise(4, 3), "log_sigma": noise(4, 3)}, ValueError, r"mu must have shape \(B, 2\)"),
        ({"eps": noise(4, 2)}, ValueError, r"eps must have shape \(S, 4, 2\), S times that of mu, got \(4, 2\)"),
        ({"noise_var": torch.full((3, 1), 0.4)}, ValueError, r"noise_var must be one number, got shape \(3, 1\)"),
        ({"log_sigma": torch.full((4, 2), 720.0).double()}, ValueError, "model overflows: .* it returned NaN or inf"),
    ],
)
def test_what_would_be_spread_over_images_or_draws_is_named(linear, change, error, message):
    good = {"x": noise(4, 6), "mu": noise(4, 2), "log_sigma": noise(4, 2), "eps": noise(3, 4, 2), "noise_var": 0.4}
    elbo_of_posterior(linear, **good)
    with pytest.raises(error, match=message):
        elbo_of_posterior(linear, **good | change)


def test_a_likelihood_of_another_shape_is_refused(linear):
    with pytest.raises(ValueError, match=r"log_likelihood must return shape \(3, 4\).*got \(4,\)"):
        log_importance_weights(linear, noise(4, 6), noise(3, 4, 2), lambda x, x_hat: x.sum((0, -1)))


def test_defaults_are_those_of_lesson_03(linear):
    """300 steps with 8 draws from seed 0; a variance of 0 is refused by its name."""
    x = torch.randn(2, linear.n_pixels, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    plain = improve_posterior(linear, x, 0.5)
    named = improve_posterior(linear, x, 0.5, steps=300, n_samples=8, seed=0)
    assert all(torch.equal(one, other) for one, other in zip(plain, named))
    with pytest.raises(ValueError, match="noise_var must be positive, got 0"):
        improve_posterior(linear, x, 0.0)
    with pytest.raises(ValueError, match="seed must be"):
        improve_posterior(linear, x, 0.5, seed=-1)
