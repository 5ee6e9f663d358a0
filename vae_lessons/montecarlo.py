"""Averages of random numbers, with their standard errors (notebooks 02 and 09).

An estimate without its error bar is not a measurement: every function here returns both.
"""

import math
import statistics
from typing import NamedTuple

import torch
from torch import Tensor

from vae_lessons.checks import (
    check_alike,
    check_count,
    check_draws,
    check_finite,
    check_number,
    check_one_or_shape,
    check_tensor,
)


class Estimate(NamedTuple):
    """A sample mean, its standard error, and the number of samples it rests on.

    Attributes:
        mean, std_error: (...), the shape of one sample, in its unit.
        n_samples: S.
    """

    mean: Tensor
    std_error: Tensor
    n_samples: int

    def interval(self, level: float = 0.95) -> tuple[Tensor, Tensor]:
        """The normal confidence interval: mean ± 1.96 standard errors at level 0.95; both ends (...).

        Raises:
            TypeError, ValueError: `level` no number between 0 and 1, both excluded.
        """
        level = check_number("level", level)
        if not 0 < level < 1:
            raise ValueError(f"level must lie between 0 and 1, got {level:g}")
        half_width = statistics.NormalDist().inv_cdf((1 + level) / 2) * self.std_error
        return self.mean - half_width, self.mean + half_width

    def z_score(self, truth: float | Tensor) -> Tensor:
        """How many standard errors the mean lies from `truth`, (...): beyond ±4 once in 16 000 tries.

        Args:
            truth: one number, or a tensor (...) with one for each mean.

        Raises:
            TypeError, ValueError: `truth` of another shape than the mean, NaN or infinite.
        """
        check_finite("truth", truth)
        check_one_or_shape("truth", truth, self.mean.shape)
        return (self.mean - truth) / self.std_error


def estimate(samples: Tensor) -> Estimate:
    """Mean and standard error over the first dimension.

    Args:
        samples: (S, ...), S ≥ 2 independent draws.

    Returns:
        An `Estimate` with mean and standard error of shape (...).

    Raises:
        TypeError, ValueError: not floating point, NaN or infinite, or fewer than two draws.
    """
    check_tensor("samples", samples, "(S, ...)")
    if len(samples) < 2:
        raise ValueError(f"samples must hold at least 2 draws, got shape {tuple(samples.shape)}")
    std_error = samples.std(dim=0, correction=1) / len(samples) ** 0.5
    return Estimate(samples.mean(dim=0), std_error, len(samples))


def log_ratio(mu: Tensor, log_sigma: Tensor, eps: Tensor) -> Tensor:
    """log q(z) − log p(z) per coordinate at z = mu + sigma·eps, for q = N(mu, sigma²), p = N(0, 1).

    With eps drawn from N(0, 1) its mean is KL(q ‖ p). Since (z − mu)/sigma is eps, and the two
    normalisers differ by sigma alone, it is ½(z² − eps²) − log_sigma, computed as ½(z − eps)(z + eps) − log_sigma.

    Args:
        mu, log_sigma: floating-point tensors of one shape, (...).
        eps: (S, ...), standard normal noise.

    Returns:
        Tensor (S, ...), in nats; infinite where z² overflows, from log_sigma = 45 on in float32.

    Raises:
        TypeError, ValueError: other dtypes or shapes, empty, NaN or infinite.
    """
    check_alike(mu=mu, log_sigma=log_sigma)
    check_draws("eps", eps, "mu", mu)
    z = mu + log_sigma.exp().clamp(max=torch.finfo(mu.dtype).max) * eps  # finite, since eps may be 0
    return (z - eps) * (0.5 * z + 0.5 * eps) - log_sigma


def log_ratio_std(mu: Tensor, log_sigma: Tensor) -> Tensor:
    """Standard deviation of one `log_ratio`, √(½(sigma²−1)² + mu² sigma²), in nats: derived in notebook 02.

    Args:
        mu, log_sigma: floating-point tensors of one shape, (...).

    Returns:
        Tensor (...); infinite where sigma² overflows, from log_sigma = 45 on in float32.

    Raises:
        TypeError, ValueError: other dtypes or shapes, empty, NaN or infinite.
    """
    check_alike(mu=mu, log_sigma=log_sigma)
    return torch.hypot(torch.expm1(2 * log_sigma) / math.sqrt(2), mu * torch.exp(log_sigma))


def kl_estimators(log_ratios: Tensor) -> dict[str, Tensor]:
    """Three per-sample estimators of KL(q ‖ p) from log q(z) − log p(z) with z from q.

    Source: J. Schulman, "Approximating KL divergence" (2020); notebook 02 derives bias and variance.

    Args:
        log_ratios: (...), in nats, from `log_ratio`.

    Returns:
        For each name a Tensor (...), in nats:

        - "k1": the log-ratio: unbiased, either sign.
        - "k2": half its square: biased, never negative.
        - "k3": r − 1 − log r with r = p/q: unbiased, never negative, but of infinite variance
          for Gaussians with sigma² ≤ ½.

    Raises:
        TypeError, ValueError: not floating point, empty, NaN or infinite.
    """
    check_tensor("log_ratios", log_ratios)
    k3 = torch.expm1(-log_ratios) + log_ratios
    return {"k1": log_ratios, "k2": 0.5 * log_ratios**2, "k3": k3}


def mixture_log_density(z: Tensor, mu: Tensor, log_sigma: Tensor, chunk: int = 1000) -> Tensor:
    """log q(z) of the aggregate posterior q(z) = (1/N) Σₙ N(z; muₙ, sigmaₙ²), all N summed (notebook 09).

    Args:
        z: (S, K), float64: the squares below cancel where sigma is small.
        mu, log_sigma: (N, K), one diagonal Gaussian for each of N examples.
        chunk: how many z are held against all N at a time; changes memory, not the result.

    Returns:
        Tensor (S,), in nats.

    Raises:
        TypeError, ValueError: other dtypes or shapes, empty, NaN or infinite, chunk < 1, or z/sigma beyond 1e154.
    """
    check_tensor("z", z, "(S, K)")
    check_alike("(N, K)", mu=mu, log_sigma=log_sigma)
    check_count("chunk", chunk)
    if z.shape[1] != mu.shape[1]:
        raise ValueError(f"mu must have shape (N, {z.shape[1]}) like z, got {tuple(mu.shape)}")
    if z.dtype != torch.float64 or mu.dtype != torch.float64:
        raise TypeError(f"z and mu must be torch.float64, got {z.dtype} and {mu.dtype}")
    precision = torch.exp(-2 * log_sigma)
    # log N(z; mu, sigma²) summed over K, with the square multiplied out: two matrix products
    of_mu = -0.5 * (mu**2 * precision + math.log(2 * math.pi)).sum(-1) - log_sigma.sum(-1) - math.log(len(mu))
    parts = (part @ (mu * precision).T - 0.5 * part**2 @ precision.T + of_mu for part in torch.split(z, chunk))
    log_q = torch.cat([part.logsumexp(-1) for part in parts])
    if log_q.isnan().any():
        raise ValueError(f"log_sigma is too small for float64, squares of z/sigma overflow, got {log_sigma.min():g}")
    return log_q
