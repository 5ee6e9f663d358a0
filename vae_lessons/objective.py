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
    check_not_negative,
    check_positive,
    check_tensor,
    check_unit_interval,
)
from vae_lessons.gaussian import kl_to_standard
from vae_lessons.model import LinearVAE, Output


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


ALIVE = 0.1  # nats: a latent whose mean KL is above this is alive


def alive(kl: Tensor) -> Tensor:
    """Which latents are alive: those whose KL, averaged over the data, is above `ALIVE` (notebooks 05 to 08).

    Args:
        kl: mean KL of each latent, (K,) or (M, K) for a stack, in nats.

    Returns:
        bool Tensor of the same shape. A model is alive if one of its latents is: ``alive(kl).any(-1)``.

    Raises:
        TypeError, ValueError: kl not floating point, empty, NaN or infinite.
    """
    check_tensor("kl", kl)
    return kl > ALIVE


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
        gaussian_log_likelihood(_for_each_model(x, output.x_hat), output.x_hat, noise_var),
        kl_to_standard(output.mu, output.log_sigma),
    )


def bernoulli_elbo(output: Output, x: Tensor) -> ElboTerms:
    """The ELBO's terms for Bernoulli pixels, with output.x_hat read as logits."""
    return ElboTerms(
        bernoulli_log_likelihood(_for_each_model(x, output.x_hat), output.x_hat),
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


def negative_elbo(noise_var: float = 0.5, beta: float | Tensor = 1.0) -> Loss:
    """The loss −(log p(x|z) − beta·KL) of a Gaussian decoder: the mean over the batch, in nats per example."""

    def loss(output: Output, x: Tensor) -> tuple[Tensor, ElboTerms]:
        terms = gaussian_elbo(output, x, noise_var)
        return -terms.weighted(beta).mean(-1), terms

    return loss


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
    x = _for_each_model(x, x_hat)
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


def _for_each_model(x: Tensor, x_hat: Tensor) -> Tensor:
    """The same images for every model of a stack: x (B, D) seen as (M, B, D); (B, D) as it is."""
    return x.expand_as(x_hat) if x_hat.ndim == x.ndim + 1 else x
