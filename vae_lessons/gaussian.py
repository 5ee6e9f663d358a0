"""Closed forms for Gaussians: log density and KL divergence, in nats.

Derived in notebook 01. A Gaussian is given by `mu` and `log_sigma` (the log of the standard
deviation, neither the variance nor its log), because that is what the encoder returns.
Unless a name says otherwise, results are per coordinate and have the shape of the arguments:
sum over the last dimension for a diagonal Gaussian in K dimensions.

Finite arguments never give NaN. A result too large for its dtype is infinite, as everywhere in
torch: sigma² is from log_sigma = 45 on in float32 and from 355 on in float64, mu² from 2e19 and 1e154.
"""

import math

import torch
from torch import Tensor

from vae_lessons.checks import check_alike, check_dtype, check_tensor


def log_density(x: Tensor, mu: Tensor, log_sigma: Tensor) -> Tensor:
    """log N(x; mu, sigma²) per coordinate, in nats.

    Args:
        x, mu, log_sigma: floating-point tensors of one shape, (...).

    Returns:
        Tensor (...): −inf where ((x − mu)/sigma)² overflows.

    Raises:
        TypeError, ValueError: other dtypes or shapes, empty, NaN or infinite.
    """
    check_alike(x=x, mu=mu, log_sigma=log_sigma)
    standardised = _over_sigma(x - mu, log_sigma)
    return -0.5 * (standardised**2 + math.log(2 * math.pi)) - log_sigma


def kl_to_standard(mu: Tensor, log_sigma: Tensor) -> Tensor:
    """KL( N(mu, sigma²) ‖ N(0, 1) ) = ½(mu² + sigma² − log sigma² − 1) per coordinate, in nats.

    `expm1` keeps what sigma² − 1 would lose near sigma = 1: the error is below eps·(KL + |log_sigma|), with
    eps the dtype's rounding unit, not eps itself. So the *relative* error still grows near the prior, to
    eps/|log_sigma|; the gradient, mu and sigma² − 1, is right to about eps·(1 + sigma²).

    Args:
        mu, log_sigma: floating-point tensors of one shape, (...), often (B, K).

    Returns:
        Tensor (...): never negative, and 0 only where mu² and log_sigma² underflow or both are 0.

    Raises:
        TypeError, ValueError: other dtypes or shapes, empty, NaN or infinite.
    """
    check_alike(mu=mu, log_sigma=log_sigma)
    return _kl_to_standard(mu, log_sigma)


def kl(mu_q: Tensor, log_sigma_q: Tensor, mu_p: Tensor, log_sigma_p: Tensor) -> Tensor:
    """KL( N(mu_q, sigma_q²) ‖ N(mu_p, sigma_p²) ) per coordinate, in nats.

    KL does not change when both Gaussians are shifted and scaled together; moving p to the
    standard normal leaves a case already solved.

    Args:
        mu_q, log_sigma_q, mu_p, log_sigma_p: floating-point tensors of one shape, (...).

    Returns:
        Tensor (...): never negative, infinite where it overflows.

    Raises:
        TypeError, ValueError: other dtypes or shapes, empty, NaN or infinite.
    """
    check_alike(mu_q=mu_q, log_sigma_q=log_sigma_q, mu_p=mu_p, log_sigma_p=log_sigma_p)
    log_ratio = (log_sigma_q - log_sigma_p).clamp(max=torch.finfo(mu_q.dtype).max)  # ∞ − ∞ would be NaN
    return _kl_to_standard(_over_sigma(mu_q - mu_p, log_sigma_p), log_ratio)


def kl_full_to_standard(mu: Tensor, cov: Tensor) -> Tensor:
    """KL( N(mu, cov) ‖ N(0, I) ) = ½(tr cov + muᵀmu − K − log det cov), in nats.

    With the Cholesky factor L, cov = L Lᵀ, the trace is the sum of all Lᵢⱼ² and log det is 2 Σ log Lᵢᵢ.
    So this is the KL of independent latents with widths Lᵢᵢ, plus half of every square below the diagonal.

    Args:
        mu: (..., K).
        cov: (..., K, K), symmetric and positive definite, of mu's dtype.

    Returns:
        Tensor (...): never negative.

    Raises:
        TypeError, ValueError: other dtypes or shapes, NaN, or `cov` not symmetric or not positive definite.
    """
    check_tensor("mu", mu, "(..., K)")
    check_tensor("cov", cov, "(..., K, K)")
    check_dtype("cov", cov, "mu", mu.dtype)
    if cov.shape != (*mu.shape, mu.shape[-1]):
        wanted = (*mu.shape, mu.shape[-1])
        raise ValueError(f"cov must have shape {wanted} for mu of shape {tuple(mu.shape)}, got {tuple(cov.shape)}")
    rounding = 100 * torch.finfo(cov.dtype).eps * cov.abs().amax((-2, -1))
    if ((cov - cov.mT).abs().amax((-2, -1)) > rounding).any():
        raise ValueError("cov must be symmetric, got a matrix that differs from its transpose")
    factor, failed = torch.linalg.cholesky_ex(cov)
    if failed.any():
        raise ValueError("cov must be positive definite, got a matrix with no Cholesky factor")
    log_widths = factor.diagonal(dim1=-2, dim2=-1).log()
    below: Tensor = factor.tril(-1).square().sum((-2, -1))
    return _kl_to_standard(mu, log_widths).sum(-1) + 0.5 * below


def _kl_to_standard(mu: Tensor, log_sigma: Tensor) -> Tensor:
    """`kl_to_standard` of arguments that are known to fit."""
    return 0.5 * mu**2 + (0.5 * torch.expm1(2 * log_sigma) - log_sigma)


def _over_sigma(difference: Tensor, log_sigma: Tensor) -> Tensor:
    """difference / sigma, in two steps of √sigma: sigma leaves the dtype's range before the result does."""
    limits = torch.finfo(log_sigma.dtype)
    root = torch.exp(-0.5 * log_sigma).clamp(limits.tiny, limits.max)
    return difference * root * root
