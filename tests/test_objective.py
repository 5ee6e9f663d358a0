"""The ELBO's terms against torch.distributions and the exact likelihood of the linear-Gaussian model."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Bernoulli, Independent, Normal

from vae_lessons.model import LinearVAE, reference_vae
from vae_lessons.montecarlo import estimate
from vae_lessons.objective import (
    bernoulli_elbo,
    bernoulli_log_likelihood,
    gaussian_elbo,
    gaussian_log_likelihood,
    linear_elbo,
    negative_elbo,
    post_loss,
    reduce,
)
from vae_lessons.spectrum import linear_log_likelihood

X = torch.rand(6, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def small_linear(seed: int) -> LinearVAE:
    torch.manual_seed(seed)
    model = LinearVAE(n_pixels=5, n_latents=2).double()
    with torch.no_grad():
        model.log_sigma.normal_()
    return model


@pytest.mark.parametrize("noise_var", [0.01, 0.5, 4.0])
def test_gaussian_log_likelihood_matches_torch(noise_var):
    x_hat = torch.randn_like(X)
    theirs = Independent(Normal(x_hat, math.sqrt(noise_var)), 1).log_prob(X)
    torch.testing.assert_close(gaussian_log_likelihood(X, x_hat, noise_var), theirs)
    learned = torch.tensor(noise_var, dtype=torch.float64)
    torch.testing.assert_close(gaussian_log_likelihood(X, x_hat, learned), theirs)


def test_bernoulli_log_likelihood_matches_torch():
    logits, binary = torch.randn_like(X), (X > 0.5).double()
    theirs = Independent(Bernoulli(logits=logits), 1).log_prob(binary)
    torch.testing.assert_close(bernoulli_log_likelihood(binary, logits), theirs)


def test_terms_are_per_example_and_per_latent():
    output = reference_vae().double()(X)
    for terms in (gaussian_elbo(output, X, 0.5), bernoulli_elbo(output, X)):
        assert (tuple(terms.log_likelihood.shape), tuple(terms.kl.shape)) == ((6,), (6, 8))
        torch.testing.assert_close(terms.elbo, terms.log_likelihood - terms.kl.sum(1))
        torch.testing.assert_close(terms.weighted(0.3), terms.log_likelihood - 0.3 * terms.kl.sum(1))


@pytest.mark.parametrize("seed", range(5))
def test_linear_elbo_is_the_mean_over_the_noise(seed):
    """32 examples and 5 models: each within 5 standard errors of the sampled average."""
    model = small_linear(seed)
    x = torch.randn(32, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    exact = linear_elbo(model, x, 0.3)
    many = x.repeat(4000, 1)
    sampled = gaussian_elbo(model(many, generator=torch.Generator().manual_seed(seed)), many, 0.3)
    measured = estimate(sampled.log_likelihood.reshape(4000, 32))
    assert (measured.z_score(exact.log_likelihood).abs() < 5).all()
    torch.testing.assert_close(exact.kl, sampled.kl[:32])


@given(st.integers(0, 10_000), st.floats(0.05, 5))
def test_elbo_never_exceeds_the_exact_log_likelihood(seed, noise_var):
    model = small_linear(seed)
    x = torch.randn(4, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    elbo = linear_elbo(model, x, noise_var).elbo.detach().numpy()
    decoder = model.decoder.weight.detach().numpy()
    exact = linear_log_likelihood(x, decoder, model.decoder.bias.detach().numpy(), noise_var)
    assert (elbo <= exact + 1e-9).all()


@given(st.permutations(range(6)))
def test_batch_order_does_not_matter(order):
    torch.manual_seed(0)
    model, eps = reference_vae().double(), torch.randn(6, 8, dtype=torch.float64)
    plain = gaussian_elbo(model(X, eps=eps), X, 0.5)
    shuffled = gaussian_elbo(model(X[list(order)], eps=eps[list(order)]), X[list(order)], 0.5)
    torch.testing.assert_close(shuffled.elbo, plain.elbo[list(order)])
    torch.testing.assert_close(shuffled.elbo.mean(), plain.elbo.mean())


def test_post_loss_is_an_elbo_with_noise_var_d_over_2k():
    """Mean-squared error + mean KL = (−ELBO at σ² = D/(2K)) / K, up to a constant."""
    torch.manual_seed(0)
    model = reference_vae(output="relu").double()
    constant = 0.5 * 64 * math.log(2 * math.pi * 64 / 16)
    for _ in range(3):
        output = model(X)
        loss, terms = post_loss(output, X)
        assert loss.item() == pytest.approx(((-terms.elbo.mean() - constant) / 8).item(), rel=1e-12)


def test_reductions_are_what_they_are_called():
    values = torch.tensor([[1.0, 2.0], [3.0, 5.0]])
    assert reduce(values, "mean").tolist() == [1.5, 4.0]
    assert reduce(values, "sum").tolist() == [3.0, 8.0]
    assert reduce(values, "none") is values


def test_negative_elbo_reduces_over_the_batch_alone():
    output = reference_vae().double()(X)
    terms = gaussian_elbo(output, X, 0.5)
    for reduction, expected in (("mean", terms.weighted(2.0).mean()), ("sum", terms.weighted(2.0).sum())):
        torch.testing.assert_close(negative_elbo(0.5, 2.0, reduction)(output, X)[0], -expected)


BAD = {
    "no noise": (lambda: gaussian_log_likelihood(X, X, 0.0), ValueError, "noise_var must be positive, got 0"),
    "negative noise": (lambda: gaussian_log_likelihood(X, X, -1.0), ValueError, "noise_var must be positive, got -1"),
    "NaN noise": (lambda: gaussian_log_likelihood(X, X, math.nan), ValueError, "noise_var must be finite"),
    "noise as text": (lambda: gaussian_log_likelihood(X, X, "0.5"), TypeError, "noise_var must be a number"),
    "other shape": (lambda: gaussian_log_likelihood(X, X[:, :1], 1.0), ValueError, "x_hat must have the shape of x"),
    "pixels of 255": (lambda: bernoulli_log_likelihood(X * 255, X), ValueError, r"x must lie in \[0, 1\]"),
    "negative beta": (lambda: negative_elbo(0.5, -1.0)(reference_vae().double()(X), X), ValueError, "beta must not be"),
    "unknown reduction": (lambda: reduce(X, "batchmean"), ValueError, "reduction must be one of 'mean', 'sum', 'none'"),
}


@pytest.mark.parametrize(("call", "error", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
