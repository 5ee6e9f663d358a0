"""Recipes: the objective that a loss implies, the blog post's own loss among them."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vae_lessons.data import digits
from vae_lessons.model import Output, reference_vae
from vae_lessons.objective import gaussian_elbo, negative_elbo
from vae_lessons.recipes import Recipe, implied_objective, latent_loss, post_loss, recipe_loss
from vae_lessons.training import fit

X = digits().x


REDUCTIONS = st.sampled_from(["mean", "sum", "sum_mean"])


@given(
    REDUCTIONS,
    REDUCTIONS,
    st.floats(0.01, 10),
    st.floats(0.01, 10),
    st.integers(1, 6),
    st.integers(1, 5),
    st.integers(2, 9),
)
def test_a_recipe_is_the_elbo_it_implies_up_to_a_factor(error, kl, error_weight, kl_weight, d, k, b):
    """The ratio of the two coefficients, measured by changing the error and the KL alone."""
    recipe = Recipe(error, kl, error_weight, kl_weight)
    level = implied_objective(recipe, d, k, b).level
    squares, nats = torch.rand(b, d, dtype=torch.float64), torch.rand(b, k, dtype=torch.float64)
    reductions = {"mean": torch.mean, "sum": torch.sum, "sum_mean": lambda t: t.sum(1).mean()}
    loss = error_weight * reductions[error](squares) + kl_weight * reductions[kl](nats)
    elbo = squares.sum() / (2 * level) + nats.sum()  # β = 1, σ² = level
    first, second = error_weight * reductions[error](squares), kl_weight * reductions[kl](nats)
    assert (first / second).item() == pytest.approx((squares.sum() / (2 * level) / nats.sum()).item())
    assert (loss / elbo).item() == pytest.approx((second / nats.sum()).item())


def test_the_posts_recipe_is_the_posts_loss():
    output = reference_vae().double()(X[:20].double())
    ours, _ = recipe_loss(Recipe("mean", "mean"))(output, X[:20].double())
    assert ours.item() == pytest.approx(post_loss(output, X[:20].double())[0].item())
    assert implied_objective(Recipe("mean", "mean"), 64, 8).level == pytest.approx(4)
    assert implied_objective(Recipe("mean", "mean"), 784, 8).level == pytest.approx(49)


def test_a_recipe_reports_its_terms_at_the_variance_it_implies():
    output, recipe = reference_vae().double()(X[:20].double()), Recipe("sum_mean", "mean", kl_weight=3.0)
    _, terms = recipe_loss(recipe)(output, X[:20].double())
    expected = gaussian_elbo(output, X[:20].double(), noise_var=3 / (2 * 8))
    torch.testing.assert_close(terms.log_likelihood, expected.log_likelihood)
    torch.testing.assert_close(terms.kl, expected.kl)


def test_a_summed_recipe_trains_what_its_elbo_trains():
    """Proportional losses give Adam the same steps: float64, so that its epsilon does not matter."""
    models = []
    for loss in (recipe_loss(Recipe("sum_mean", "sum_mean", kl_weight=0.6)), negative_elbo(0.5, beta=0.6)):
        torch.manual_seed(0)
        models.append(reference_vae(n_hidden=8).double())
        fit(models[-1], X[:200].double(), loss, epochs=2, progress=False)
    for ours, theirs in zip(*(model.parameters() for model in models)):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-4)


def test_a_recipe_reports_the_elbo_at_its_level():
    """At σ_x² = level and β = 1: here the level is ½·0.6."""
    recipe = Recipe("sum_mean", "sum_mean", kl_weight=0.6)
    x = X[:20].double()
    output = reference_vae().double()(x)
    _, terms = recipe_loss(recipe)(output, x)
    expected = torch.distributions.Normal(output.x_hat, math.sqrt(0.3)).log_prob(x).sum(-1)
    torch.testing.assert_close(terms.log_likelihood, expected)


@pytest.mark.parametrize("loss", [recipe_loss(Recipe("mean", "mean")), post_loss])
def test_a_recipe_refuses_one_image_and_stacks(loss):
    output = reference_vae()(X[:4])
    with pytest.raises(ValueError, match=r"x must have shape \(B, D\), got \(64,\)"):
        loss(output, X[0])
    with pytest.raises(ValueError, match="x_hat must have the shape of x"):
        loss(output._replace(x_hat=output.x_hat.expand(2, 4, 64)), X[:4])


@pytest.mark.parametrize("batch_size", [-1, 0])
def test_a_batch_has_at_least_one_image(batch_size):
    with pytest.raises(ValueError, match=f"batch_size must be at least 1, got {batch_size}"):
        implied_objective(Recipe("sum", "mean"), 64, 8, batch_size)


def test_a_bad_recipe_is_refused_before_training():
    with pytest.raises(ValueError, match="kl_weight must be positive, got -1"):
        recipe_loss(Recipe("mean", "mean", kl_weight=-1.0))
    with pytest.raises(TypeError, match="recipe must be of type Recipe, got str"):
        recipe_loss("mean")


def test_only_the_product_is_determined():
    implied = implied_objective(Recipe("sum", "sum", kl_weight=3.0), 64, 8)
    assert implied.beta(noise_var=1.0) == implied.level == implied.noise_var(beta=1.0) == 1.5
    assert implied.beta(noise_var=0.5) == 3.0


def test_post_loss_is_an_elbo_with_noise_var_d_over_2k():
    """Mean-squared error + mean KL = (−ELBO at σ² = D/(2K)) / K, up to a constant."""
    torch.manual_seed(0)
    model = reference_vae(output="relu").double()
    constant = 0.5 * 64 * math.log(2 * math.pi * 64 / 16)
    for _ in range(3):
        output = model(X[:6].double())
        loss, terms = post_loss(output, X[:6].double())
        assert loss.item() == pytest.approx(((-terms.elbo.mean() - constant) / 8).item(), rel=1e-12)


def test_the_posts_loss_collapses_to_the_mean_image():
    """The map's prediction for lesson 06: KL 0.0000 in all latents, error per pixel = data variance."""
    torch.manual_seed(0)
    history = fit(reference_vae(), X, post_loss, epochs=30, lr=1e-2, progress=False)
    assert history.kl[-1].max() < 1e-3
    assert history.loss[-1].item() == pytest.approx(X.var(0, correction=0).mean().item(), rel=0.02)


def test_latent_loss_reductions():
    mean, std = torch.randn(5, 8).double(), torch.rand(5, 8).double() + 0.1
    table = 0.5 * (mean**2 + std**2 - torch.log(std**2) - 1)
    torch.testing.assert_close(latent_loss(mean, std), table.mean())
    torch.testing.assert_close(latent_loss(mean, std, "sum"), table.sum() / 5)
    torch.testing.assert_close(latent_loss(mean, std, "none"), table)


BAD = {
    "no batch size": (Recipe("sum", "mean"), "batch_size must be given"),
    "unknown reduction": (
        Recipe("batchmean", "sum"),
        "error must be one of 'mean', 'sum', 'sum_mean', got 'batchmean'",
    ),
    "no weight": (Recipe("sum", "sum", kl_weight=0.0), "kl_weight must be positive, got 0"),
}


@pytest.mark.parametrize(("recipe", "message"), BAD.values(), ids=BAD)
def test_bad_recipes_are_named(recipe, message):
    with pytest.raises(ValueError, match=message):
        implied_objective(recipe, 64, 8)


BAD_LATENT_LOSS = {
    "negative width": (
        lambda: latent_loss(torch.zeros(1, 2), torch.tensor([[1.0, -1.0]])),
        "z_stddev must be positive, got -1",
    ),
    "unknown reduction": (
        lambda: latent_loss(torch.zeros(1, 2), torch.ones(1, 2), "batchmean"),
        "reduction must be one of",
    ),
}


@pytest.mark.parametrize(("call", "message"), BAD_LATENT_LOSS.values(), ids=BAD_LATENT_LOSS)
def test_bad_arguments_of_latent_loss_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_one_factor_of_the_product_is_the_level_over_the_other():
    implied = implied_objective(Recipe("mean", "mean"), n_pixels=64, n_latents=8)
    assert implied.beta(0.5) == 8 and implied.noise_var(2.0) == 2


@pytest.mark.parametrize("kl", ["mean", "sum", "sum_mean"])
@pytest.mark.parametrize("error", ["mean", "sum", "sum_mean"])
def test_a_recipe_is_computed_as_code_does(error, kl):
    """5 images of 3 pixels and 2 latents, so that no size can stand for another; by hand, with weights."""
    generator = torch.Generator().manual_seed(0)
    x, x_hat = torch.rand(2, 5, 3, generator=generator, dtype=torch.float64)
    mu, log_sigma = torch.randn(2, 5, 2, generator=generator, dtype=torch.float64)
    squares, kls = (x - x_hat) ** 2, (mu**2 + torch.exp(2 * log_sigma) - 1) / 2 - log_sigma
    by_hand = {"mean": torch.mean, "sum": torch.sum, "sum_mean": lambda table: table.sum() / 5}
    loss, terms = recipe_loss(Recipe(error, kl, 0.7, 0.3))(Output(x_hat, mu, log_sigma, mu), x)
    assert loss.item() == pytest.approx((0.7 * by_hand[error](squares) + 0.3 * by_hand[kl](kls)).item())
    level = implied_objective(Recipe(error, kl, 0.7, 0.3), 3, 2, 5).level
    expected = -0.5 * (3 * math.log(2 * math.pi * level) + squares.sum(1) / level)
    torch.testing.assert_close(terms.log_likelihood, expected)
    torch.testing.assert_close(terms.kl, kls)


def test_a_width_of_0_is_no_standard_deviation():
    with pytest.raises(ValueError, match="z_stddev must be positive, got 0: is it a log"):
        latent_loss(torch.zeros(2, 3), torch.zeros(2, 3))


@pytest.mark.parametrize("loss", [post_loss, recipe_loss(Recipe("mean", "mean"))])
def test_a_pass_of_a_stack_is_refused_with_the_shape_that_is_wanted(loss):
    x, codes = torch.rand(2, 5, 3), torch.rand(2, 5, 2)
    with pytest.raises(ValueError, match=r"^x must have shape \(B, D\), got \(2, 5, 3\)$"):
        loss(Output(x, codes, codes, codes), x)
    with pytest.raises(ValueError, match=r"^mu must have shape \(B, K\), got \(2, 5, 2\)$"):
        loss(Output(x[0], codes, codes, codes), x[0])
