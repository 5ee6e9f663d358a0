"""The fixed encoder of diffusion, z_t = √ᾱ_t x + √(1 − ᾱ_t) ε: its levels and closed forms (notebook 11).

Nothing here is trained: `denoising` has the decoder, `reverse` the exact yardstick. `abar` holds ᾱ_1 > … > ᾱ_T, so that
``abar[t - 1]`` is ᾱ_t; ᾱ_0 = 1 is the image itself, and is not stored. It is float64, since 1 − ᾱ_1 may be 1e-6.

Sources: Sohl-Dickstein et al., "Deep unsupervised learning using nonequilibrium thermodynamics" (2015); Ho, Jain and
Abbeel, "Denoising diffusion probabilistic models" (2020); Kingma et al., "Variational diffusion models" (2021), for the
log signal-to-noise ratio.
"""

import math

import torch
from torch import Tensor

from vae_lessons.checks import (
    check_alike,
    check_count,
    check_dtype,
    check_number,
    check_positive,
    check_tensor,
)
from vae_lessons.gaussian import kl_to_standard


def even_levels(n_steps: int, highest: float = 13.0, lowest: float = -9.2) -> Tensor:
    """ᾱ_1 … ᾱ_T with the log signal-to-noise ratio falling in equal steps: (T,), float64.

    Args:
        n_steps: T; with T = 1 the lowest level alone.
        highest, lowest: log ᾱ/(1 − ᾱ) at t = 1 and t = T.

    Raises:
        TypeError, ValueError: T < 1, no finite numbers, lowest not below highest, or levels too close to 0 or 1, or to
            each other, for float64.
    """
    check_count("n_steps", n_steps)
    highest, lowest = check_number("highest", highest), check_number("lowest", lowest)
    if not -700 < lowest < highest < 36:
        raise ValueError(f"highest and lowest must satisfy −700 < lowest < highest < 36, got {highest:g}, {lowest:g}")
    log_snrs = torch.linspace(lowest, highest, n_steps, dtype=torch.float64).flip(0)
    return _falling(torch.sigmoid(log_snrs), "n_steps is too large for these levels")


def cosine_levels(n_steps: int, last: float = 1e-4) -> Tensor:
    """ᾱ_t = cos²(θ t/T), with θ such that ᾱ_T is `last`: (T,), float64.

    Source: Nichol and Dhariwal, "Improved denoising diffusion probabilistic models" (2021), who shift and clip it instead.

    Raises:
        TypeError, ValueError: T < 1, or `last` no number between 0 and 1.
    """
    check_count("n_steps", n_steps)
    last = check_number("last", last)
    if not 0 < last < 1:
        raise ValueError(f"last must lie between 0 and 1, got {last:g}")
    shares = torch.arange(1, n_steps + 1, dtype=torch.float64) / n_steps
    return _falling(torch.cos(math.acos(math.sqrt(last)) * shares) ** 2, "last is too close to 1, or n_steps too large")


def _falling(abar: Tensor, complaint: str) -> Tensor:
    """Levels, once rounding is known to have kept them apart."""
    try:
        return check_levels(abar)
    except ValueError as error:
        raise ValueError(f"{complaint}: {error}") from None


def check_levels(abar: Tensor) -> Tensor:
    """The same levels, once they are known to be float64, inside (0, 1), and to fall from each to the next.

    Args:
        abar: (T,).

    Raises:
        TypeError, ValueError: they are not.
    """
    check_tensor("abar", abar, "(T,)")
    check_dtype("abar", abar, "levels", torch.float64)
    if abar.min() <= 0 or abar.max() >= 1:
        raise ValueError(f"abar must lie in (0, 1), got values from {abar.min():g} to {abar.max():g}")
    if (abar.diff() >= 0).any():
        worst = int((abar.diff() >= 0).nonzero()[0]) + 1
        raise ValueError(f"abar must fall from each level to the next, got a rise or a pause after t = {worst}")
    return abar


def log_snr(abar: Tensor) -> Tensor:
    """log ᾱ_t/(1 − ᾱ_t), the log of signal over noise, in nats: (T,).

    Args:
        abar: (T,), the levels.

    Raises:
        TypeError, ValueError: see `check_levels`.
    """
    return torch.logit(check_levels(abar))


def step_variances(abar: Tensor) -> tuple[Tensor, Tensor]:
    """The two variances of a step that follow from the levels: β and β̃, each (T,).

    β_t = 1 − ᾱ_t/ᾱ_{t−1} is the noise that the encoder adds from z_{t−1} to z_t.
    β̃_t = β_t (1 − ᾱ_{t−1})/(1 − ᾱ_t) is the variance of q(z_{t−1}|z_t, x); it is 0 at t = 1, where z_0 is x.

    Args:
        abar: (T,), the levels.

    Raises:
        TypeError, ValueError: see `check_levels`.
    """
    before = _before(check_levels(abar))
    beta = (before - abar) / before
    return beta, beta * (1 - before) / (1 - abar)


def _before(abar: Tensor) -> Tensor:
    """ᾱ_0 … ᾱ_{T−1}."""
    return torch.cat([abar.new_ones(1), abar[:-1]])


def noised(x: Tensor, eps: Tensor, abar: Tensor, t: int) -> Tensor:
    """z_t = √ᾱ_t x + √(1 − ᾱ_t) ε, a draw from the encoder q(z_t|x): (B, D).

    Args:
        x, eps: (B, D), images and standard normal noise.
        abar: (T,), the levels.
        t: from 1 to T.

    Raises:
        TypeError, ValueError: other shapes or dtypes, NaN or infinite, or no such level.
    """
    check_alike("(B, D)", x=x, eps=eps)
    level = _level(abar, t)
    return math.sqrt(level) * x + math.sqrt(1 - level) * eps


def _level(abar: Tensor, t: int) -> float:
    """ᾱ_t as a number."""
    check_levels(abar)
    check_count("t", t)
    if t > len(abar):
        raise ValueError(f"t must lie between 1 and T = {len(abar)}, the levels of abar, got {t}")
    return float(abar[t - 1])


def posterior(z: Tensor, x: Tensor, abar: Tensor, t: int) -> tuple[Tensor, float]:
    """Mean (B, D) and variance β̃_t of q(z_{t−1}|z_t, x): one step back, for who knows the image.

    Args:
        z, x: (B, D), z_t and the image, or a guess of it.
        abar: (T,), the levels.
        t: from 1 to T; at t = 1 the mean is x and the variance 0.

    Raises:
        TypeError, ValueError: other shapes or dtypes, NaN or infinite, or no such level.
    """
    check_alike("(B, D)", z=z, x=x)
    level = _level(abar, t)
    before = float(_before(abar)[t - 1])
    beta, kept = (before - level) / before, level / before  # β_t and 1 − β_t
    of_z, of_x = math.sqrt(kept) * (1 - before) / (1 - level), math.sqrt(before) * beta / (1 - level)
    return of_z * z + of_x * x, beta * (1 - before) / (1 - level)


def eps_weights(abar: Tensor, noise_vars: Tensor) -> Tensor:
    """w_t of w_t ‖ε − ε̂‖², what a wrong guess of the noise costs at each level: (T,), nats.

    w_t = β_t²/(2 s_t² (1 − β_t)(1 − ᾱ_t)); with s_t² = β̃_t it is ½ (SNR_{t−1}/SNR_t − 1).

    Args:
        abar: (T,), the levels.
        noise_vars: (T,), s_t² > 0, float64.

    Raises:
        TypeError, ValueError: see `check_levels`; or noise_vars of another shape or dtype, or not positive.
    """
    check_noise_vars(abar, noise_vars)
    beta, _ = step_variances(abar)
    return beta**2 / (2 * noise_vars * (1 - beta) * (1 - abar))


def check_noise_vars(abar: Tensor, noise_vars: Tensor) -> Tensor:
    """The same variances (T,), once it is known that there is one s_t² > 0 for each level, in float64.

    Args:
        abar: (T,), the levels.
        noise_vars: (T,).

    Raises:
        TypeError, ValueError: see `check_levels`; or noise_vars of another shape or dtype, or not positive.
    """
    check_levels(abar)
    check_tensor("noise_vars", noise_vars, "(T,)")
    check_positive("noise_vars", noise_vars)
    check_alike(abar=abar, noise_vars=noise_vars)
    return noise_vars


def prior_kl(x: Tensor, abar: Tensor) -> Tensor:
    """KL( q(z_T|x) ‖ N(0, I) ), the prior term of lesson 01: (B,), nats.

    Args:
        x: (B, D).
        abar: (T,), the levels; only the last one counts.

    Raises:
        TypeError, ValueError: other shapes or dtypes, NaN or infinite.
    """
    check_tensor("x", x, "(B, D)")
    last = float(check_levels(abar)[-1])
    log_sigma = torch.full_like(x, 0.5 * math.log1p(-last))
    return kl_to_standard(math.sqrt(last) * x, log_sigma).sum(-1)
