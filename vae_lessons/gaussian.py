"""Closed forms for Gaussians: log density and KL divergence, in nats.

Derived in notebook 01. A Gaussian is given by `mu` and `log_sigma` (the log of the standard
deviation, neither the variance nor its log), because that is what the encoder returns.
Unless a name says otherwise, results are per coordinate and have the shape of the arguments:
sum over the last dimension for a diagonal Gaussian in K dimensions.
"""

import math

import torch
from torch import Tensor

from vae_lessons.checks import check_alike, check_tensor


def log_density(x: Tensor, mu: Tensor, log_sigma: Tensor) -> Tensor:
    """log N(x; mu, sigma²) per coordinate, in nats.

    Args:
        x, mu, log_sigma: floating-point tensors of one shape, (...).

    Raises:
        TypeError, ValueError: other dtypes or shapes, empty, NaN or infinite.
    """
    check_alike(x=x, mu=mu, log_sigma=log_sigma)
    standardised = (x - mu) * torch.exp(-log_sigma)
    return -0.5 * (standardised**2 + math.log(2 * math.pi)) - log_sigma


def kl_to_standard(mu: Tensor, log_sigma: Tensor) -> Tensor:
    """KL( N(mu, sigma²) ‖ N(0, 1) ) = ½(mu² + sigma² − log sigma² − 1) per coordinate, in nats.

    Args:
        mu, log_sigma: floating-point tensors of one shape, (...), often (B, K).

    Returns:
        Tensor (...): never negative, and 0 only at mu = 0, log_sigma = 0.

    Raises:
        TypeError, ValueError: other dtypes or shapes, empty, NaN or infinite.
    """
    check_alike(mu=mu, log_sigma=log_sigma)
    log_variance = 2 * log_sigma
    # expm1(v) − v is sigma² − 1 − log sigma² without the cancellation near sigma = 1
    return 0.5 * (mu**2 + torch.expm1(log_variance) - log_variance)


def kl(mu_q: Tensor, log_sigma_q: Tensor, mu_p: Tensor, log_sigma_p: Tensor) -> Tensor:
    """KL( N(mu_q, sigma_q²) ‖ N(mu_p, sigma_p²) ) per coordinate, in nats.

    KL does not change when both Gaussians are shifted and scaled together; moving p to the
    standard normal leaves a case already solved.

    Args:
        mu_q, log_sigma_q, mu_p, log_sigma_p: floating-point tensors of one shape, (...).

    Raises:
        TypeError, ValueError: other dtypes or shapes, empty, NaN or infinite.
    """
    check_alike(mu_q=mu_q, log_sigma_q=log_sigma_q, mu_p=mu_p, log_sigma_p=log_sigma_p)
    return kl_to_standard((mu_q - mu_p) * torch.exp(-log_sigma_p), log_sigma_q - log_sigma_p)


def kl_full_to_standard(mu: Tensor, cov: Tensor) -> Tensor:
    """KL( N(mu, cov) ‖ N(0, I) ) = ½(tr cov + muᵀmu − K − log det cov), in nats.

    Args:
        mu: (..., K).
        cov: (..., K, K), symmetric and positive definite.

    Returns:
        Tensor (...).

    Raises:
        TypeError, ValueError: other dtypes or shapes, NaN, or `cov` not positive definite.
    """
    check_tensor("mu", mu)
    check_tensor("cov", cov)
    if cov.shape != (*mu.shape, mu.shape[-1]):
        raise ValueError(f"cov must have shape {(*mu.shape, mu.shape[-1])}, got {tuple(cov.shape)}")
    if not torch.allclose(cov, cov.mT):
        raise ValueError("cov must be symmetric, got a matrix that differs from its transpose")
    factor, failed = torch.linalg.cholesky_ex(cov)
    if failed.any():
        raise ValueError("cov must be positive definite, got a matrix with no Cholesky factor")
    log_det = 2 * factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    trace = cov.diagonal(dim1=-2, dim2=-1).sum(-1)
    return 0.5 * (trace + (mu**2).sum(-1) - mu.shape[-1] - log_det)
