"""What lessons 03 and 06 added: the best q for single images, and the objective a recipe implies."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vae_lessons.data import digits
from vae_lessons.model import LinearVAE, reference_vae
from vae_lessons.montecarlo import estimate
from vae_lessons.objective import (
    Recipe,
    elbo_of_posterior,
    implied_objective,
    linear_elbo,
    negative_elbo,
    post_loss,
    recipe_loss,
)
from vae_lessons.spectrum import linear_log_likelihood
from vae_lessons.training import fit, improve_posterior

X = digits().x
REDUCTIONS = st.sampled_from(["mean", "sum", "sum_mean"])


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
    improve_posterior(model, X[:4], noise_var=0.1, steps=3)
    assert all(torch.equal(a, b) and b.grad is None for a, b in zip(before, model.parameters()))


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


def test_a_summed_recipe_trains_what_its_elbo_trains():
    """Proportional losses give Adam the same steps: float64, so that its epsilon does not matter."""
    models = []
    for loss in (recipe_loss(Recipe("sum_mean", "sum_mean", kl_weight=0.6)), negative_elbo(0.5, beta=0.6)):
        torch.manual_seed(0)
        models.append(reference_vae(n_hidden=8).double())
        fit(models[-1], X[:200].double(), loss, epochs=2, progress=False)
    for ours, theirs in zip(*(model.parameters() for model in models)):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-4)


def test_only_the_product_is_determined():
    implied = implied_objective(Recipe("sum", "sum", kl_weight=3.0), 64, 8)
    assert implied.beta(noise_var=1.0) == implied.level == implied.noise_var(beta=1.0) == 1.5
    assert implied.beta(noise_var=0.5) == 3.0


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
