"""The decoder of diffusion: a chain of Gaussians whose means come from a guess of the noise (notebook 11).

p(z_{t−1}|z_t) has the mean of q(z_{t−1}|z_t, x) with a guess of the image in the place of x, and one variance s_t² for
all pixels; p(z_T) = N(0, I), and z_0 is the image. A guess is a function ``denoise(z, t)``: from z_t, (B, D), and t to the
noise in it, (B, D). Levels `abar`, (T,), are those of `diffusion`.

Source: Ho, Jain and Abbeel, "Denoising diffusion probabilistic models" (2020).
"""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from vae_lessons.checks import check_callable, check_draws, check_dtype, check_tensor, check_type, is_finite
from vae_lessons.diffusion import check_levels, check_noise_vars, noised, posterior, prior_kl
from vae_lessons.gaussian import kl, log_density

Denoiser: TypeAlias = Callable[[Tensor, int], Tensor]


class DiffusionTerms(NamedTuple):
    """The ELBO of each image, term by term, in nats.

    Attributes:
        log_likelihood: (B,), log p(x|z_1).
        kl: (T − 1, B), of t = 2 … T: KL( q(z_{t−1}|z_t, x) ‖ p(z_{t−1}|z_t) ).
        prior_kl: (B,), KL( q(z_T|x) ‖ N(0, I) ).
    """

    log_likelihood: Tensor
    kl: Tensor
    prior_kl: Tensor

    @property
    def elbo(self) -> Tensor:
        """(B,), nats."""
        return self.log_likelihood - self.kl.sum(0) - self.prior_kl


def diffusion_elbo(denoise: Denoiser, x: Tensor, eps: Tensor, abar: Tensor, noise_vars: Tensor) -> DiffusionTerms:
    """The ELBO of each image, with one draw of z_t at each level: its mean over eps is the ELBO.

    Args:
        denoise: from z_t, (B, D), and t to a guess of the noise, (B, D).
        x: (B, D).
        eps: (T, B, D), standard normal noise.
        abar: (T,), the levels.
        noise_vars: (T,), s_t² > 0, float64.

    Returns:
        Terms in nats, (B,) and (T − 1, B).

    Raises:
        TypeError, ValueError: other shapes or dtypes, NaN or infinite, or such a guess.
    """
    check_noise_vars(abar, noise_vars)
    log_sigmas = 0.5 * noise_vars.log()
    kls = []
    for t, z, mean in _means(denoise, x, eps, abar):
        log_sigma = torch.full_like(x, float(log_sigmas[t - 1]))
        if t == 1:
            log_likelihood = log_density(x, mean, log_sigma).sum(-1)
        else:
            true_mean, true_var = posterior(z, x, abar, t)
            kls.append(kl(true_mean, torch.full_like(x, 0.5 * math.log(true_var)), mean, log_sigma).sum(-1))
    of_steps = torch.stack(kls) if kls else x.new_zeros(0, len(x))
    return DiffusionTerms(log_likelihood, of_steps, prior_kl(x, abar))


def best_noise_vars(denoise: Denoiser, x: Tensor, eps: Tensor, abar: Tensor) -> Tensor:
    """The s_t² that give this guess its best ELBO on these images: (T,), float64.

    s_t² = β̃_t plus the mean square by which the means of p and q differ: as in lesson 08, what is left unexplained.
    No gradient flows through them.

    Args:
        denoise: from z_t, (B, D), and t to a guess of the noise, (B, D).
        x: (B, D).
        eps: (T, B, D), standard normal noise.
        abar: (T,), the levels.

    Raises:
        TypeError, ValueError: other shapes or dtypes, NaN or infinite, or such a guess; or a variance of 0.
    """
    left = []
    for t, z, mean in _means(denoise, x, eps, abar):
        true_mean, true_var = posterior(z, x, abar, t)
        left.append(true_var + (true_mean - mean).double().square().mean().item())
    return check_noise_vars(abar, torch.tensor(left, dtype=torch.float64))


def _means(denoise: Denoiser, x: Tensor, eps: Tensor, abar: Tensor) -> Iterator[tuple[int, Tensor, Tensor]]:
    """For each t: t, z_t, and the mean of p(z_{t−1}|z_t)."""
    check_callable("denoise", denoise)
    check_tensor("x", x, "(B, D)")
    check_draws("eps", eps, "x", x)
    if len(eps) != len(check_levels(abar)):
        raise ValueError(f"eps must hold T = {len(abar)} draws, one for each level, got shape {tuple(eps.shape)}")
    for t in range(1, len(abar) + 1):
        z = noised(x, eps[t - 1], abar, t)
        yield t, z, _step_mean(denoise, z, abar, t)


def _step_mean(denoise: Denoiser, z: Tensor, abar: Tensor, t: int) -> Tensor:
    """The mean of p(z_{t−1}|z_t)."""
    guess = denoise(z, t)
    check_type("what denoise returns", guess, Tensor)
    if guess.shape != z.shape:
        raise ValueError(f"what denoise returns must have the shape of z, {tuple(z.shape)}, got {tuple(guess.shape)}")
    check_dtype("what denoise returns", guess, "z", z.dtype)
    level = float(abar[t - 1])
    x_hat = (z - math.sqrt(1 - level) * guess) / math.sqrt(level)
    if not is_finite(x_hat):
        raise ValueError(f"what denoise returns must be finite, got NaN or infinite entries at t = {t}")
    return posterior(z, x_hat, abar, t)[0]


def sample(denoise: Denoiser, eps: Tensor, abar: Tensor, noise_vars: Tensor) -> Tensor:
    """Images from noise, down the chain from z_T to x: (B, D).

    Args:
        denoise: from z_t, (B, D), and t to a guess of the noise, (B, D).
        eps: standard normal noise, (S, B, D) with S = T + 1: z_T itself is the last one, and each step adds one.
        abar: (T,), the levels.
        noise_vars: (T,), s_t² > 0, float64.

    Raises:
        TypeError, ValueError: other shapes or dtypes, NaN or infinite, or such a guess.
    """
    check_callable("denoise", denoise)
    check_noise_vars(abar, noise_vars)
    check_tensor("eps", eps, "(S, B, D)")
    if len(eps) != len(abar) + 1:
        raise ValueError(f"eps must hold T + 1 = {len(abar) + 1} draws, got shape {tuple(eps.shape)}")
    z = eps[-1]
    for t in range(len(abar), 0, -1):
        z = _step_mean(denoise, z, abar, t) + math.sqrt(float(noise_vars[t - 1])) * eps[t - 1]
        if not is_finite(z):
            raise ValueError(f"noise_vars is too large, or eps: z overflows at t = {t}")
    return z
