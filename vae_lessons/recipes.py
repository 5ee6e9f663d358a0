"""Losses as code writes them, and the objective each amounts to (notebook 06).

Shapes: B examples, D pixels, K latents.
"""

from typing import NamedTuple

from torch import Tensor
from torch.nn import functional as F

from vae_lessons.checks import check_alike, check_choice, check_count, check_number, check_type
from vae_lessons.gaussian import kl_to_standard
from vae_lessons.model import Output
from vae_lessons.objective import ElboTerms, Loss, gaussian_elbo


def latent_loss(z_mean: Tensor, z_stddev: Tensor, reduction: str = "mean") -> Tensor:
    """The post's KL term, under its own name and with its arguments: a standard deviation, not a log.

    Args:
        z_mean, z_stddev: (B, K), floating point; z_stddev > 0.
        reduction: "mean" over examples and latents, as the post has it, which is the KL divided
            by K (notebook 06 shows what that costs); "sum" over latents and mean over examples,
            the KL of the ELBO; or "none", (B, K).

    Returns:
        Tensor (), or (B, K) without reduction; in nats, at "mean" per latent.

    Raises:
        TypeError, ValueError: other shapes or dtypes, NaN, z_stddev ≤ 0, an unknown reduction.
    """
    check_alike("(B, K)", z_mean=z_mean, z_stddev=z_stddev)
    check_choice("reduction", reduction, ("mean", "sum", "none"))
    if not (z_stddev > 0).all():
        raise ValueError(f"z_stddev must be positive, got {z_stddev.min().item():g}: is it a log?")
    per_latent = kl_to_standard(z_mean, z_stddev.log())
    if reduction == "none":
        return per_latent
    return per_latent.mean() if reduction == "mean" else per_latent.sum(-1).mean()


def post_loss(output: Output, x: Tensor) -> tuple[Tensor, ElboTerms]:
    """The blog post's loss as it stands: mean-squared error plus mean KL, both means over everything.

    Up to scale and a constant it is `negative_elbo` at noise_var = D/(2K) (notebook 06), so that
    is the noise_var its ELBO terms are reported at.

    Args:
        output: what one model, no stack, returned for x.
        x: (B, D).

    Returns:
        The loss, (), and its ELBO terms in nats.

    Raises:
        TypeError, ValueError: no `Output` for these images; other shapes or dtypes, NaN or infinite.
    """
    _check_pass(output, x)
    implied_noise_var = x.shape[-1] / (2 * output.mu.shape[-1])
    terms = gaussian_elbo(output, x, implied_noise_var)
    return F.mse_loss(output.x_hat, x) + terms.kl.mean(), terms  # the mean KL: `latent_loss`


class Recipe(NamedTuple):
    """A loss "squared error + KL" as code writes it (notebook 06).

    Attributes:
        error, kl: how each term is reduced: "mean" over everything, "sum" over everything, or
            "sum_mean", the sum over pixels (or latents) and then the mean over the batch.
        error_weight, kl_weight: factors in front of them.
    """

    error: str
    kl: str
    error_weight: float = 1.0
    kl_weight: float = 1.0


class ImpliedObjective(NamedTuple):
    """The β-ELBO that a recipe amounts to: the product level = βσ_x² is all that it determines (notebook 06)."""

    level: float

    def beta(self, noise_var: float) -> float:
        """β, if you believe this σ_x².

        Raises:
            TypeError, ValueError: noise_var no number above 0.
        """
        return self.level / check_number("noise_var", noise_var, above=0)

    def noise_var(self, beta: float) -> float:
        """σ_x², if you want this β.

        Raises:
            TypeError, ValueError: beta no number above 0.
        """
        return self.level / check_number("beta", beta, above=0)


def implied_objective(recipe: Recipe, n_pixels: int, n_latents: int, batch_size: int | None = None) -> ImpliedObjective:
    """The water level βσ_x² = c_k/(2 c_e) of a loss c_e·|x − x̂|² + c_k·KL per example (notebook 06).

    Raises:
        TypeError, ValueError: no `Recipe`, an unknown reduction, a weight that is not positive, counts below 1;
            or no `batch_size` where one term is summed over the batch and the other averaged.
    """
    check_type("recipe", recipe, Recipe)
    check_number("error_weight", recipe.error_weight, above=0)
    check_number("kl_weight", recipe.kl_weight, above=0)
    if batch_size is not None:
        check_count("batch_size", batch_size)
    for_error = _coefficient("error", recipe.error, n_pixels) * recipe.error_weight
    for_kl = _coefficient("kl", recipe.kl, n_latents) * recipe.kl_weight
    if (recipe.error == "sum") != (recipe.kl == "sum"):
        if batch_size is None:
            raise ValueError("batch_size must be given: one term is summed over the batch, the other averaged")
        for_kl *= batch_size if recipe.kl == "sum" else 1 / batch_size
    return ImpliedObjective(for_kl / (2 * for_error))


def _coefficient(name: str, reduction: str, size: int) -> float:
    """What one pixel's error (or one latent's KL) counts for in a reduction, the batch aside."""
    check_choice(name, reduction, ("mean", "sum", "sum_mean"))
    check_count("n_pixels" if name == "error" else "n_latents", size)
    return 1 / size if reduction == "mean" else 1.0


def recipe_loss(recipe: Recipe) -> Loss:
    """The recipe as a loss to train one model with; its ELBO terms are reported at σ_x² = level, β = 1 (notebook 06).

    Raises:
        TypeError, ValueError: a bad recipe, see `implied_objective`; the loss itself: see `post_loss`.
    """
    implied_objective(recipe, n_pixels=1, n_latents=1, batch_size=1)  # a bad one is named now, not in training

    def loss(output: Output, x: Tensor) -> tuple[Tensor, ElboTerms]:
        _check_pass(output, x)
        implied = implied_objective(recipe, x.shape[-1], output.mu.shape[-1], len(x))
        terms = gaussian_elbo(output, x, implied.level)
        error = _reduced((x - output.x_hat) ** 2, recipe.error)
        return recipe.error_weight * error + recipe.kl_weight * _reduced(terms.kl, recipe.kl), terms

    return loss


def _reduced(table: Tensor, reduction: str) -> Tensor:
    """A table (B, D) or (B, K) as one number, by "mean", "sum" or "sum_mean"."""
    if reduction == "sum_mean":
        return table.sum(-1).mean()
    return table.sum() if reduction == "sum" else table.mean()


def _check_pass(output: Output, x: Tensor) -> None:
    """Raise unless `output` may be what one model returned for x: a mean over a stack would mix its models."""
    check_type("output", output, Output)
    check_alike("(B, D)", x=x, x_hat=output.x_hat)
    check_alike("(B, K)", mu=output.mu, log_sigma=output.log_sigma)
