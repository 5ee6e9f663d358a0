"""The ELBO and what is trained from it (notebooks 03, 05, 06 and 10).

Terms stay per example and per latent until the last line; the reduction is always written out,
because a mean in the wrong place changes the model that is being trained (notebook 06).
Shapes: B examples, D pixels, K latents; a stack of M models puts M in front.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from vae_lessons.checks import (
    check_alike,
    check_choice,
    check_count,
    check_not_negative,
    check_positive,
    check_tensor,
    check_unit_interval,
)
from vae_lessons.gaussian import kl_to_standard
from vae_lessons.model import LatentGaussian, LinearVAE, Output, latent_loss, reparameterize
from vae_lessons.montecarlo import log_ratio


class ElboTerms(NamedTuple):
    """The two terms of the ELBO, in nats.

    Attributes:
        log_likelihood: log p(x|z) at one z drawn from q(z|x), (B,).
        kl: KL( q(z|x) ‖ p(z) ) per latent, (B, K).
    """

    log_likelihood: Tensor
    kl: Tensor

    @property
    def elbo(self) -> Tensor:
        """log p(x|z) − KL, (B,): an unbiased estimate of a lower bound on log p(x)."""
        return self.weighted(1.0)

    def weighted(self, beta: float | Tensor) -> Tensor:
        """log p(x|z) − beta·KL, (B,). With beta (M,), model m of a stack gets its own weight."""
        check_not_negative("beta", beta)
        if isinstance(beta, Tensor):
            beta = beta.unsqueeze(-1)
        return self.log_likelihood - beta * self.kl.sum(-1)


# A loss maps one pass and its images to the number to minimise, () or (M,), and the ELBO's terms.
Loss = Callable[[Output, Tensor], tuple[Tensor, ElboTerms]]


def gaussian_log_likelihood(x: Tensor, x_hat: Tensor, noise_var: float | Tensor) -> Tensor:
    """log N(x; x̂, noise_var·I), summed over pixels: (B,), nats.

    Args:
        x, x_hat: floating-point tensors of one shape, (B, D).
        noise_var: σ² of every pixel, a positive number or scalar tensor; (M, 1) for a stack of M.

    Raises:
        TypeError, ValueError: other shapes or dtypes, NaN, or noise_var ≤ 0.
    """
    check_alike(x=x, x_hat=x_hat)
    check_positive("noise_var", noise_var)
    log = torch.log if isinstance(noise_var, Tensor) else math.log
    squared_error = ((x - x_hat) ** 2).sum(-1)
    return -0.5 * (x.shape[-1] * log(2 * math.pi * noise_var) + squared_error / noise_var)


def bernoulli_log_likelihood(x: Tensor, logits: Tensor) -> Tensor:
    """Σ x log p + (1−x) log(1−p), with p = sigmoid(logits), summed over pixels: (B,), nats.

    A log likelihood for x in {0, 1}. For grey pixels in between it is a cross-entropy: no log
    density of x, but the mean log likelihood of pixels drawn as 1 with probability x (notebook 10).

    Raises:
        TypeError, ValueError: other shapes or dtypes, NaN, or x outside [0, 1].
    """
    check_alike(x=x, logits=logits)
    check_unit_interval("x", x)
    return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)


def gaussian_elbo(output: Output, x: Tensor, noise_var: float | Tensor) -> ElboTerms:
    """The ELBO's terms for p(x|z) = N(x̂, noise_var·I), from one pass of any of the models."""
    return ElboTerms(
        gaussian_log_likelihood(_for_each_model(x, output), output.x_hat, noise_var),
        kl_to_standard(output.mu, output.log_sigma),
    )


def bernoulli_elbo(output: Output, x: Tensor) -> ElboTerms:
    """The ELBO's terms for Bernoulli pixels, with output.x_hat read as logits."""
    return ElboTerms(
        bernoulli_log_likelihood(_for_each_model(x, output), output.x_hat),
        kl_to_standard(output.mu, output.log_sigma),
    )


def linear_elbo(model: LinearVAE, x: Tensor, noise_var: float | Tensor) -> ElboTerms:
    """The linear VAE's terms with the expectation over z carried out: no sampling, no noise.

    E|x − W z − b|² = |x − W mu − b|² + Σₖ sigmaₖ² |wₖ|², with wₖ the columns of W.
    """
    check_tensor("x", x, ndim=2)
    mu, log_sigma = model.encode(x)
    spread = (torch.exp(2 * log_sigma) * (model.decoder.weight**2).sum(0)).sum(-1)
    at_mean = gaussian_log_likelihood(x, model.decode(mu), noise_var)
    return ElboTerms(at_mean - 0.5 * spread / noise_var, kl_to_standard(mu, log_sigma))


def elbo_of_posterior(
    model: LatentGaussian, x: Tensor, mu: Tensor, log_sigma: Tensor, eps: Tensor, noise_var: float
) -> Tensor:
    """The ELBO of N(mu, sigma²) as q(z) for each image, averaged over given noise: (B,), nats (notebook 03).

    Args:
        x: (B, D).
        mu, log_sigma: (B, K), from an encoder or anywhere else.
        eps: (S, B, K), standard normal.
    """
    z = reparameterize(mu.expand_as(eps), log_sigma.expand_as(eps), eps)
    log_likelihood = gaussian_log_likelihood(x.expand(len(eps), *x.shape), model.decode(z), noise_var)
    return log_likelihood.mean(0) - kl_to_standard(mu, log_sigma).sum(-1)


def log_importance_weights(
    model: LatentGaussian, x: Tensor, eps: Tensor, log_likelihood: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    """log p(x|z) + log p(z) − log q(z|x) at z = mu + sigma·eps: (S, B), nats (notebook 10).

    Their exponentials average to p(x) over eps from N(0, 1); they themselves average to the ELBO.

    Args:
        x: (B, D).
        eps: (S, B, K), standard normal noise.
        log_likelihood: of pixels (S, B, D) under the decoder's output of that shape, summed over D:
            `bernoulli_log_likelihood`, or ``partial(gaussian_log_likelihood, noise_var=0.03)``.

    Raises:
        TypeError, ValueError: see `montecarlo.log_ratio` and `log_likelihood`.
    """
    mu, log_sigma = model.encode(x)
    log_ratios = log_ratio(mu, log_sigma, eps).sum(-1)
    x_hat = model.decode(mu + log_sigma.exp() * eps)
    return log_likelihood(x.expand_as(x_hat), x_hat) - log_ratios


def importance_bound(log_weights: Tensor) -> Tensor:
    """The importance-weighted bound log (1/S) Σ weights over the first dimension, nats (notebook 10).

    On average a lower bound on log p(x): the ELBO at S = 1, never lower with more draws.
    Source: Burda, Grosse and Salakhutdinov, "Importance weighted autoencoders" (2016).

    Args:
        log_weights: (S, ...), from `log_importance_weights`.

    Returns:
        Tensor (...).
    """
    check_tensor("log_weights", log_weights)
    return log_weights.logsumexp(0) - math.log(len(log_weights))


def reduce(per_example: Tensor, reduction: str) -> Tensor:
    """ "mean" or "sum" over examples (the last dimension), or "none"."""
    check_choice("reduction", reduction, ("mean", "sum", "none"))
    return per_example if reduction == "none" else getattr(per_example, reduction)(-1)


def negative_elbo(noise_var: float = 0.5, beta: float | Tensor = 1.0, reduction: str = "mean") -> Loss:
    """The loss −(log p(x|z) − beta·KL) of a Gaussian decoder, in nats: per example at "mean"."""

    def loss(output: Output, x: Tensor) -> tuple[Tensor, ElboTerms]:
        terms = gaussian_elbo(output, x, noise_var)
        return reduce(-terms.weighted(beta), reduction), terms

    return loss


def post_loss(output: Output, x: Tensor) -> tuple[Tensor, ElboTerms]:
    """The blog post's loss as it stands: mean-squared error plus mean KL, both means over everything.

    Up to scale and a constant it is `negative_elbo` at noise_var = D/(2K) (notebook 06), so that
    is the noise_var its ELBO terms are reported at.
    """
    check_alike(x=x, x_hat=output.x_hat)
    implied_noise_var = x.shape[-1] / (2 * output.mu.shape[-1])
    loss = F.mse_loss(output.x_hat, x) + latent_loss(output.mu, output.log_sigma.exp())
    return loss, gaussian_elbo(output, x, implied_noise_var)


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
    """The β-ELBO that a recipe amounts to: the product level = βσ² is all that it determines."""

    level: float

    def beta(self, noise_var: float) -> float:
        """β, if you believe this σ²."""
        return self.level / noise_var

    def noise_var(self, beta: float) -> float:
        """σ², if you want this β."""
        return self.level / beta


def implied_objective(recipe: Recipe, n_pixels: int, n_latents: int, batch_size: int | None = None) -> ImpliedObjective:
    """The water level βσ² = c_k/(2 c_e) of a loss c_e·|x − x̂|² + c_k·KL per example (notebook 06).

    Raises:
        ValueError: an unknown reduction, a weight that is not positive, or no `batch_size` where
            one term is summed over the batch and the other averaged.
    """
    check_positive("error_weight", recipe.error_weight)
    check_positive("kl_weight", recipe.kl_weight)
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
    """The recipe as a loss to train with; its ELBO terms are reported at σ² = level, β = 1."""

    def loss(output: Output, x: Tensor) -> tuple[Tensor, ElboTerms]:
        implied = implied_objective(recipe, x.shape[-1], output.mu.shape[-1], len(x))
        terms = gaussian_elbo(output, x, implied.level)
        error = _reduced((x - output.x_hat) ** 2, recipe.error)
        return recipe.error_weight * error + recipe.kl_weight * _reduced(terms.kl, recipe.kl), terms

    return loss


def _reduced(table: Tensor, reduction: str) -> Tensor:
    """A table (B, D) or (B, K) as one number, by "mean", "sum" or "sum_mean"."""
    return table.sum(-1).mean() if reduction == "sum_mean" else getattr(table, reduction)()


def best_noise_var(x: Tensor, x_hat: Tensor) -> Tensor:
    """The σ² that maximises the Gaussian log likelihood of a batch: its mean squared error per pixel.

    Derived in notebook 08. Source: O. Rybkin, K. Daniilidis, S. Levine, "Simple and effective VAE
    training with calibrated decoders" (2021).

    Args:
        x: (B, D).
        x_hat: (B, D), or (M, B, D) from a stack.

    Returns:
        Tensor (1,), or (M, 1): fits `noise_var` of `gaussian_elbo`.

    Raises:
        TypeError, ValueError: other shapes or dtypes, empty, NaN or infinite.
    """
    x = x.expand_as(x_hat) if x_hat.ndim == x.ndim + 1 else x
    check_alike(x=x, x_hat=x_hat)
    return ((x - x_hat) ** 2).mean((-2, -1)).unsqueeze(-1)


def floored_kl(kl: Tensor, floor: float | Tensor) -> Tensor:
    """Free bits: Σₖ max(floor, mean KL of latent k), in nats (notebook 08).

    Below the floor a latent's KL has no gradient, so nothing pushes it further down.
    Source: D. P. Kingma et al., "Improved variational inference with inverse autoregressive
    flow" (2016), with the mean over the batch inside the maximum.

    Args:
        kl: per example and latent, (B, K) or (M, B, K).
        floor: δ ≥ 0, nats per latent; (M,) for a stack of M.

    Returns:
        Tensor () or (M,).

    Raises:
        TypeError, ValueError: kl not floating point or not finite, floor < 0.
    """
    check_tensor("kl", kl)
    check_not_negative("floor", floor)
    floor = torch.as_tensor(floor, dtype=kl.dtype, device=kl.device).unsqueeze(-1)
    return torch.maximum(kl.mean(-2), floor).sum(-1)


def _for_each_model(x: Tensor, output: Output) -> Tensor:
    """The same images for every model of a stack: x (B, D) seen as (M, B, D); (B, D) as it is."""
    return x.expand_as(output.x_hat) if output.x_hat.ndim == x.ndim + 1 else x
