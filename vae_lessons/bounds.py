"""Bounds on log p(x) for single images: any Gaussian q, the best one, several draws (notebooks 03 and 10).

Shapes: S draws of z, B examples, D pixels, K latents.
"""

import math
from collections.abc import Callable
from contextlib import suppress

import torch
from torch import Tensor

from vae_lessons.checks import (
    check_alike,
    check_callable,
    check_count,
    check_draws,
    check_input,
    check_number,
    check_tensor,
    check_type,
    is_finite,
)
from vae_lessons.gaussian import kl_to_standard
from vae_lessons.model import LatentGaussian, reparameterize
from vae_lessons.montecarlo import log_ratio
from vae_lessons.objective import gaussian_log_likelihood
from vae_lessons.torch_state import interrupts_between_steps, threads


def elbo_of_posterior(
    model: LatentGaussian, x: Tensor, mu: Tensor, log_sigma: Tensor, eps: Tensor, noise_var: float
) -> Tensor:
    """The ELBO of N(mu, sigma²) as q(z) for each image, averaged over given noise: (B,), nats (notebook 03).

    Args:
        x: (B, D).
        mu, log_sigma: (B, K), from an encoder or anywhere else.
        eps: (S, B, K), standard normal.
        noise_var: σ_x² > 0, one number.

    Raises:
        TypeError, ValueError: other shapes or dtypes, NaN or infinite, noise_var ≤ 0.
    """
    _check_model_and_images(model, x)
    check_alike("(B, K)", mu=mu, log_sigma=log_sigma)
    check_input("mu", mu, model, model.n_latents, "(B, K)")
    if len(mu) != len(x):
        raise ValueError(f"mu must have a row for each of {len(x)} images in x, got shape {tuple(mu.shape)}")
    check_draws("eps", eps, "mu", mu)
    check_number("noise_var", noise_var, above=0)
    z = reparameterize(mu.expand_as(eps), log_sigma.expand_as(eps), eps)
    log_likelihood = gaussian_log_likelihood(x.expand(len(eps), *x.shape), _finite(model.decode(z)), noise_var)
    return log_likelihood.mean(0) - kl_to_standard(mu, log_sigma).sum(-1)


def improve_posterior(
    model: LatentGaussian, x: Tensor, noise_var: float, steps: int = 300, n_samples: int = 8, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Gradient ascent on the ELBO of each image alone, decoder frozen, from the encoder's q(z|x) (notebook 03).

    Ctrl-C ends it early and keeps what was found.

    Args:
        x: (B, D), of the model's dtype.
        noise_var: σ_x² > 0, one number.
        steps, n_samples: of Adam, and of z in each step.

    Returns:
        mu, log_sigma, each (B, K): the best Gaussian found for each image.

    Raises:
        TypeError, ValueError: other shapes or dtypes, NaN or infinite, noise_var ≤ 0, counts below 1.
    """
    _check_model_and_images(model, x)
    check_number("noise_var", noise_var, above=0)
    check_count("steps", steps)
    check_count("n_samples", n_samples)
    check_count("seed", seed, at_least=0)
    with torch.no_grad():
        start = map(_finite, model.encode(x))
    mu, log_sigma = (t.detach().clone().requires_grad_() for t in start)
    generator = torch.Generator().manual_seed(seed)  # on the CPU: the same noise on every device
    optimizer = torch.optim.Adam([mu, log_sigma], lr=0.02)
    with threads(1), suppress(KeyboardInterrupt), interrupts_between_steps() as check_interrupt:
        for _ in range(steps):
            check_interrupt()
            eps = torch.randn(n_samples, *mu.shape, generator=generator, dtype=x.dtype).to(x.device)
            loss = -elbo_of_posterior(model, x, mu, log_sigma, eps, noise_var).sum()
            mu.grad, log_sigma.grad = torch.autograd.grad(loss, [mu, log_sigma])
            optimizer.step()
    return mu.detach(), log_sigma.detach()


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
        TypeError, ValueError: other shapes or dtypes, NaN or infinite; `log_likelihood` is no function, or
            returns anything but (S, B).
    """
    _check_model_and_images(model, x)
    check_callable("log_likelihood", log_likelihood)
    mu, log_sigma = map(_finite, model.encode(x))
    log_ratios = log_ratio(mu, log_sigma, eps).sum(-1)
    x_hat = _finite(model.decode(reparameterize(mu.expand_as(eps), log_sigma.expand_as(eps), eps)))
    log_likelihoods = log_likelihood(x.expand_as(x_hat), x_hat)
    check_type("what log_likelihood returns", log_likelihoods, Tensor)
    if log_likelihoods.shape != log_ratios.shape:
        wanted, got = tuple(log_ratios.shape), tuple(log_likelihoods.shape)
        raise ValueError(f"log_likelihood must return shape {wanted}, one number for each image and draw, got {got}")
    return log_likelihoods - log_ratios


def importance_bound(log_weights: Tensor) -> Tensor:
    """The importance-weighted bound log (1/S) Σ weights over the first dimension, nats (notebook 10).

    On average a lower bound on log p(x): the ELBO at S = 1, never lower with more draws.
    Source: Burda, Grosse and Salakhutdinov, "Importance weighted autoencoders" (2016).

    Args:
        log_weights: (S, ...), from `log_importance_weights`.

    Returns:
        Tensor (...).

    Raises:
        TypeError, ValueError: not floating point, no dimension S, empty, NaN or infinite.
    """
    check_tensor("log_weights", log_weights, "(S, ...)")
    return log_weights.logsumexp(0) - math.log(len(log_weights))


def _check_model_and_images(model: LatentGaussian, x: Tensor) -> None:
    """Raise unless x is a batch (B, D) that this VAE can encode."""
    check_type("model", model, LatentGaussian)
    check_input("x", x, model, model.n_pixels)


def _finite(values: Tensor) -> Tensor:
    """What a model returned, once it is known not to have overflowed."""
    if not is_finite(values):
        raise ValueError("model overflows: for these x, mu, log_sigma or eps it returned NaN or infinite entries")
    return values
