"""The ELBO and what is trained from it (notebooks 03, 05 and 06).

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
    check_not_negative,
    check_positive,
    check_tensor,
    check_unit_interval,
)
from vae_lessons.gaussian import kl_to_standard
from vae_lessons.model import LatentGaussian, LinearVAE, Output, latent_loss, reparameterize


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
        noise_var: σ² of every pixel, a positive number or scalar tensor.

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

    A log likelihood for x in {0, 1}; for grey pixels in between it is a cross-entropy, and
    bounds nothing (notebook 10).

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


def reduce(per_example: Tensor, reduction: str) -> Tensor:
    """"mean" or "sum" over examples (the last dimension), or "none"."""
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


def _for_each_model(x: Tensor, output: Output) -> Tensor:
    """The same images for every model of a stack: x (B, D) seen as (M, B, D); (B, D) as it is."""
    return x.expand_as(output.x_hat) if output.x_hat.ndim == x.ndim + 1 else x
