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
    check_input,
    check_not_negative,
    check_one_or_shape,
    check_positive,
    check_tensor,
    check_type,
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
        """log p(x|z) − KL, (B,), in nats: an unbiased estimate of a lower bound on log p(x)."""
        return self.weighted(1.0)

    def weighted(self, beta: float | Tensor) -> Tensor:
        """log p(x|z) − beta·KL, (B,), in nats.

        Args:
            beta: β ≥ 0, one number; or (M,), then model m of a stack gets its own weight.

        Raises:
            TypeError, ValueError: beta negative, NaN or infinite, or of another shape or dtype.
        """
        check_not_negative("beta", beta)
        check_one_or_shape("beta", beta, self.kl.shape[:-2], self.kl)
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
    check_tensor("kl", kl, "(..., K)")
    return kl > ALIVE


# A loss maps one pass and its images to the number to minimise, () or (M,), and the ELBO's terms.
Loss = Callable[[Output, Tensor], tuple[Tensor, ElboTerms]]


def gaussian_log_likelihood(x: Tensor, x_hat: Tensor, noise_var: float | Tensor) -> Tensor:
    """log N(x; x̂, noise_var·I), summed over pixels: (B,), nats (notebook 03).

    Args:
        x, x_hat: floating-point tensors of one shape, (B, D); (M, B, D) for a stack of M.
        noise_var: σ_x² > 0 of every pixel, one number; or (1,), for a stack (M, 1), as `best_noise_var` gives it.

    Raises:
        TypeError, ValueError: other shapes or dtypes, NaN, or noise_var ≤ 0.
    """
    check_alike("(..., B, D)", x=x, x_hat=x_hat)
    check_positive("noise_var", noise_var)
    check_one_or_shape("noise_var", noise_var, (*x.shape[:-2], 1), x)
    log_noise_var = torch.log(noise_var) if isinstance(noise_var, Tensor) else math.log(noise_var)
    squared_error = ((x - x_hat) ** 2).sum(-1)
    return -0.5 * (x.shape[-1] * (math.log(2 * math.pi) + log_noise_var) + squared_error / noise_var)


def bernoulli_log_likelihood(x: Tensor, logits: Tensor) -> Tensor:
    """Σ x log p + (1−x) log(1−p), with p = sigmoid(logits), summed over pixels: (B,), nats.

    A log likelihood for x in {0, 1}. For grey pixels in between it is a cross-entropy: no log
    density of x, but the mean log likelihood of pixels drawn as 1 with probability x (notebook 10).

    Args:
        x, logits: floating-point tensors of one shape, (B, D); (M, B, D) for a stack of M.

    Raises:
        TypeError, ValueError: other shapes or dtypes, NaN, or x outside [0, 1].
    """
    check_alike("(..., B, D)", x=x, logits=logits)
    check_unit_interval("x", x)
    return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)


def gaussian_elbo(output: Output, x: Tensor, noise_var: float | Tensor) -> ElboTerms:
    """The ELBO's terms for p(x|z) = N(x̂, noise_var·I), in nats, from one pass of any of the models (notebook 05).

    Args:
        output: what the model returned for x.
        x: (B, D), for one model or for all of a stack alike; or (M, B, D), other images for each model.
        noise_var: see `gaussian_log_likelihood`.

    Raises:
        TypeError, ValueError: no `Output` for these images; or see `gaussian_log_likelihood`.
    """
    kl = _kl(output)
    return ElboTerms(gaussian_log_likelihood(_for_each_model(x, output.x_hat), output.x_hat, noise_var), kl)


def bernoulli_elbo(output: Output, x: Tensor) -> ElboTerms:
    """The ELBO's terms for Bernoulli pixels, in nats, with output.x_hat read as logits (notebook 10).

    Args:
        output: what the model returned for x.
        x: (B, D) in [0, 1]; or (M, B, D), other images for each model of a stack.

    Raises:
        TypeError, ValueError: no `Output` for these images; or see `bernoulli_log_likelihood`.
    """
    kl, x = _kl(output), _for_each_model(x, output.x_hat)
    check_alike("(..., B, D)", x=x, x_hat=output.x_hat)
    return ElboTerms(bernoulli_log_likelihood(x, output.x_hat), kl)


def linear_elbo(model: LinearVAE, x: Tensor, noise_var: float | Tensor) -> ElboTerms:
    """The linear VAE's terms, in nats, with the expectation over z carried out: no sampling, no noise.

    E|x − W z − b|² = |x − W mu − b|² + Σₖ sigmaₖ² |wₖ|², with wₖ the columns of W (notebook 07).

    Args:
        x: (B, D), of the model's dtype.
        noise_var: σ_x² > 0, one number or (1,).

    Raises:
        TypeError, ValueError: no `LinearVAE`; x of another shape or dtype, NaN or infinite; noise_var ≤ 0.
    """
    check_type("model", model, LinearVAE)
    check_input("x", x, model, model.n_pixels)
    mu, log_sigma = model.encode(x)
    spread = (torch.exp(2 * log_sigma) * (model.decoder.weight**2).sum(0)).sum(-1)
    at_mean = gaussian_log_likelihood(x, model.decode(mu), noise_var)
    return ElboTerms(at_mean - 0.5 * spread / noise_var, kl_to_standard(mu, log_sigma))


def negative_elbo(noise_var: float | Tensor = 0.5, beta: float | Tensor = 1.0) -> Loss:
    """The loss −(log p(x|z) − beta·KL) of a Gaussian decoder: its mean over the batch, nats (notebook 05).

    Args:
        noise_var: σ_x² > 0, one number; or (M, 1), one for each model of a stack.
        beta: β ≥ 0, one number; or (M,), one for each model of a stack.

    Raises:
        TypeError, ValueError: noise_var ≤ 0, beta < 0, NaN or infinite; the loss itself: see `gaussian_elbo`.
    """
    check_positive("noise_var", noise_var)
    check_not_negative("beta", beta)

    def loss(output: Output, x: Tensor) -> tuple[Tensor, ElboTerms]:
        terms = gaussian_elbo(output, x, noise_var)
        return -terms.weighted(beta).mean(-1), terms

    return loss


def best_noise_var(x: Tensor, x_hat: Tensor) -> Tensor:
    """The σ_x² that maximises the Gaussian log likelihood of a batch: its mean squared error per pixel.

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
    check_alike("(..., B, D)", x=x, x_hat=x_hat)
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
        TypeError, ValueError: kl not floating point or not finite, floor < 0 or of another shape.
    """
    check_tensor("kl", kl, "(..., B, K)")
    check_not_negative("floor", floor)
    check_one_or_shape("floor", floor, kl.shape[:-2])
    floor = torch.as_tensor(floor, dtype=kl.dtype, device=kl.device).unsqueeze(-1)
    return torch.maximum(kl.mean(-2), floor).sum(-1)


def _for_each_model(x: Tensor, x_hat: Tensor) -> Tensor:
    """The same images for every model of a stack: x (B, D) seen as (M, B, D); anything else as it is."""
    check_type("x", x, Tensor)
    check_type("x_hat", x_hat, Tensor)
    return x.expand_as(x_hat) if x.ndim == 2 and x_hat.shape[1:] == x.shape else x


def _kl(output: Output) -> Tensor:
    """KL per latent of one pass, once it is known to be one: as many codes as images."""
    check_type("output", output, Output)
    check_type("x_hat", output.x_hat, Tensor)
    kl = kl_to_standard(output.mu, output.log_sigma)
    if output.x_hat.shape[:-1] != kl.shape[:-1]:
        shapes = f"{tuple(output.x_hat.shape)} and {tuple(kl.shape)}"
        raise ValueError(f"output must have one mu for each x_hat, got shapes {shapes}")
    return kl
