"""The ELBO's terms against torch.distributions and the exact likelihood of the linear-Gaussian model."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize
from torch import nn
from torch.distributions import Bernoulli, Independent, Normal

from vae_lessons.data import digits
from vae_lessons.model import VAE, Layer, LinearVAE, Output, reference_vae
from vae_lessons.montecarlo import estimate
from vae_lessons.objective import (
    alive,
    bernoulli_elbo,
    bernoulli_log_likelihood,
    best_noise_var,
    floored_kl,
    gaussian_elbo,
    gaussian_log_likelihood,
    linear_elbo,
    negative_elbo,
)
from vae_lessons.spectrum import linear_log_likelihood
from vae_lessons.stacks import stack_models

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


def test_negative_elbo_is_the_mean_over_the_batch():
    output = reference_vae().double()(X)
    terms = gaussian_elbo(output, X, 0.5)
    torch.testing.assert_close(negative_elbo(0.5, 2.0)(output, X)[0], -terms.weighted(2.0).mean())


def one_pass(*shape: int) -> Output:
    """What a model might have returned: x_hat (..., B, D) and 3 latents."""
    generator = torch.Generator().manual_seed(1)
    x_hat = torch.rand(*shape, generator=generator, dtype=torch.float64)
    mu, log_sigma = torch.randn(2, *shape[:-1], 3, generator=generator, dtype=torch.float64)
    return Output(x_hat, mu, log_sigma, mu)


@pytest.mark.parametrize(
    "score",
    [
        lambda x: gaussian_elbo(one_pass(6, 64), x, 0.5),
        lambda x: bernoulli_elbo(one_pass(6, 64), x),
        lambda x: negative_elbo(0.5)(one_pass(6, 64), x),
        lambda x: best_noise_var(x, one_pass(6, 64).x_hat),
        lambda x: gaussian_log_likelihood(x, one_pass(6, 64).x_hat, 0.5),
    ],
)
def test_one_image_is_not_scored_against_a_batch(score):
    score(X)
    with pytest.raises(ValueError, match=r"x must have shape \(..., B, D\), got \(64,\)"):
        score(X[0])


def test_every_model_of_a_stack_may_have_images_of_its_own():
    output, own = one_pass(2, 6, 64), torch.stack([X, X.flip(0)])
    together = gaussian_elbo(output, own, 0.5)
    for m in range(2):
        alone = gaussian_elbo(Output(*(part[m] for part in output)), own[m], 0.5)
        torch.testing.assert_close(together.elbo[m], alone.elbo)
    shared = gaussian_elbo(output, X, 0.5)
    torch.testing.assert_close(shared.elbo[0], together.elbo[0])


def test_a_weight_may_be_a_scalar_tensor_or_one_for_each_model():
    terms, of_stack = gaussian_elbo(one_pass(6, 64), X, 0.5), gaussian_elbo(one_pass(2, 6, 64), X, 0.5)
    assert torch.equal(terms.weighted(torch.tensor(0.3, dtype=torch.float64)), terms.weighted(0.3))
    each = of_stack.weighted(torch.tensor([0.3, 0.7], dtype=torch.float64))
    torch.testing.assert_close(each, torch.stack([of_stack.weighted(0.3)[0], of_stack.weighted(0.7)[1]]))


SQUARE = torch.zeros(6, 6)  # as many images as pixels: what is of the wrong kind would fit
PER_MODEL = {
    "a variance for each pixel": (lambda: gaussian_log_likelihood(SQUARE, SQUARE, torch.ones(6)), "noise_var"),
    "a variance for each image": (lambda: gaussian_log_likelihood(SQUARE, SQUARE, torch.ones(6, 1)), "noise_var"),
    "a row of variances": (lambda: gaussian_log_likelihood(X.expand(2, 6, 64), X.expand(2, 6, 64), torch.ones(1, 2)), "noise_var"),
    "a weight for each image": (lambda: gaussian_elbo(one_pass(6, 64), X, 0.5).weighted(torch.ones(6)), "beta"),
    "a floor for each latent": (lambda: floored_kl(torch.ones(6, 3), torch.ones(3)), "floor"),
    "a floor for each image": (lambda: floored_kl(torch.ones(2, 3, 3), torch.ones(3)), "floor"),
}  # fmt: skip


@pytest.mark.parametrize(("call", "name"), PER_MODEL.values(), ids=PER_MODEL)
def test_only_what_belongs_to_models_is_spread_over_them(call, name):
    with pytest.raises(ValueError, match=f"{name} must be one number"):
        call()


def test_codes_of_other_images_are_refused():
    output = one_pass(6, 64)
    with pytest.raises(ValueError, match=r"one mu for each x_hat, got shapes \(6, 64\) and \(1, \d+\)"):
        gaussian_elbo(output._replace(mu=output.mu[:1], log_sigma=output.log_sigma[:1]), X, 0.5)


DTYPES = {
    "images": (lambda: linear_elbo(small_linear(0), torch.zeros(2, 5), 0.5), "x must have the dtype of the model"),
    "variance": (lambda: gaussian_log_likelihood(X, X, torch.ones(1)), "noise_var must be torch.float64 like the rest"),
    "weight": (lambda: gaussian_elbo(one_pass(2, 6, 64), X, 0.5).weighted(torch.ones(2)), "beta must be torch.float64"),
    "a pass that is none": (lambda: gaussian_elbo(X, X, 0.5), "output must be of type Output, got Tensor"),
}  # fmt: skip


@pytest.mark.parametrize(("call", "message"), DTYPES.values(), ids=DTYPES)
def test_a_slip_of_type_is_named(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_a_bad_loss_is_refused_when_it_is_made():
    with pytest.raises(ValueError, match="noise_var must be positive, got 0"):
        negative_elbo(0.0)
    with pytest.raises(ValueError, match="beta must not be negative"):
        negative_elbo(0.5, -1.0)


def small(layer: Layer = nn.Linear) -> VAE:
    return reference_vae(n_latents=3, n_hidden=10, layer=layer).double()


def test_best_noise_var_is_the_maximum_of_torchs_normal_log_probability():
    x, x_hat = torch.randn(2, 20, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).unbind(0)

    def minus_log_probability(log_variance: float) -> float:
        return -torch.distributions.Normal(x_hat, np.exp(0.5 * log_variance)).log_prob(x).sum().item()

    found = optimize.minimize_scalar(minus_log_probability, bounds=(-3, 3), method="bounded", options={"xatol": 1e-9})
    assert best_noise_var(x, x_hat).item() == pytest.approx(np.exp(found.x), rel=1e-5)


def test_free_bits_against_a_loop():
    kl = torch.rand(4, 5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    floors = torch.tensor([0.0, 0.4, 0.5, 0.9], dtype=torch.float64)
    expected = [sum(max(float(floors[m]), float(np.mean(kl[m, :, k].numpy()))) for k in range(3)) for m in range(4)]
    assert floored_kl(kl, floors).tolist() == pytest.approx(expected)
    assert floored_kl(kl[1], 0.4).item() == pytest.approx(expected[1])


def test_below_the_floor_there_is_no_gradient():
    kl = torch.tensor([[0.5, 0.02]], requires_grad=True)
    floored_kl(kl, 0.1).backward()
    assert kl.grad.tolist() == [[1.0, 0.0]]


def test_in_a_stack_every_model_gets_its_own_variance():
    images = digits().x[:128].double()
    stack = stack_models(small, [0, 1])
    output = stack(images, generator=torch.Generator().manual_seed(0))
    together = gaussian_elbo(output, images, best_noise_var(images, output.x_hat)).elbo
    for m, seed in enumerate((0, 1)):
        alone = stack_models(small, [seed])(images, generator=torch.Generator().manual_seed(0))
        expected = gaussian_elbo(alone, images, best_noise_var(images, alone.x_hat)).elbo
        torch.testing.assert_close(together[m], expected[0])


@torch.no_grad()
def test_grey_cross_entropy_is_the_mean_over_random_binarisations():
    grey, logits = (
        torch.rand(1, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64),
        torch.randn(1, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64),
    )
    binary = torch.bernoulli(grey.expand(40_000, 8), generator=torch.Generator().manual_seed(1))
    values = estimate(bernoulli_log_likelihood(binary, logits.expand(40_000, 8)))
    assert abs(values.z_score(bernoulli_log_likelihood(grey, logits).item())) < 4


def test_a_weight_without_dimension_is_a_number():
    terms = gaussian_elbo(reference_vae().double()(X), X, 0.5)
    torch.testing.assert_close(terms.weighted(torch.tensor(0.3, dtype=torch.float64)), terms.weighted(0.3))


def test_alive_is_above_a_tenth_of_a_nat():
    kl = torch.tensor([[0.0, 0.09, 0.11], [0.1, 0.05, 0.0]])
    assert alive(kl).tolist() == [[False, False, True], [False, False, False]]
    assert alive(kl).any(-1).tolist() == [True, False]


BAD = {
    "no noise": (lambda: gaussian_log_likelihood(X, X, 0.0), ValueError, "noise_var must be positive, got 0"),
    "negative noise": (lambda: gaussian_log_likelihood(X, X, -1.0), ValueError, "noise_var must be positive, got -1"),
    "NaN noise": (lambda: gaussian_log_likelihood(X, X, math.nan), ValueError, "noise_var must be finite"),
    "noise as text": (lambda: gaussian_log_likelihood(X, X, "0.5"), TypeError, "noise_var must be a number"),
    "other shape": (lambda: gaussian_log_likelihood(X, X[:, :1], 1.0), ValueError, "x_hat must have the shape of x"),
    "pixels of 255": (lambda: bernoulli_log_likelihood(X * 255, X), ValueError, r"x must lie in \[0, 1\]"),
    "negative beta": (lambda: negative_elbo(0.5, -1.0)(reference_vae().double()(X), X), ValueError, "beta must not be"),
    "predictions of other images": (lambda: best_noise_var(X, X[:, :3]), ValueError, "x_hat must have the shape"),
    "negative floor": (lambda: floored_kl(X, -0.1), ValueError, "floor must not be negative"),
    "NaN in the KL": (lambda: floored_kl(torch.full((2, 3), torch.nan), 0.1), ValueError, "kl must be finite"),
}


@pytest.mark.parametrize(("call", "error", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_the_plain_loss_is_that_of_lesson_07():
    """What the defaults are: β = 1 and half a squared pixel of noise."""
    output = one_pass(6, 64)
    torch.testing.assert_close(negative_elbo()(output, X)[0], -gaussian_elbo(output, X, 0.5).elbo.mean())


def test_a_floor_has_the_dtype_of_the_kl():
    kl = torch.full((2, 3), 0.1)
    assert floored_kl(kl, 0.5).dtype == torch.float32
    assert floored_kl(kl, torch.tensor(0.5, dtype=torch.float64)).dtype == torch.float32
