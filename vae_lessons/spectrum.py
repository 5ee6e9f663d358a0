"""The exact theory: a water level βσ² on the spectrum of the data (notebook 07).

A linear VAE with Gaussian decoder variance σ² and KL weight β has a known optimum. With
λ₁ ≥ λ₂ ≥ … the eigenvalues of the data covariance, and `level` = βσ² [squared data units]:

    KL of direction i      = ½ log(λᵢ / level)   if λᵢ > level, else 0      [nats per example]
    squared error of i     = min(λᵢ, level)      for the K directions the latents can hold

Sources: Tipping and Bishop, "Probabilistic principal component analysis" (1999), for β = 1;
Lucas et al., "Don't blame the ELBO!" (2019), for the VAE; Shannon's reverse water-filling.
NumPy, float64: this is the yardstick that trained models are held against.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from vae_lessons.checks import check_positive, check_tensor


class Spectrum(NamedTuple):
    """The principal directions of a data set.

    Attributes:
        eigenvalues: (D,), of the covariance with 1/N, largest first.
        directions: (D, D), column i is the unit direction of eigenvalue i.
        mean: (D,).
    """

    eigenvalues: NDArray
    directions: NDArray
    mean: NDArray


class LinearOptimum(NamedTuple):
    """The best linear VAE: x̂ = `decoder` z + `mean`, mu(x) = `encoder` (x − mean), constant sigma.

    Attributes:
        decoder: (D, K), column i along principal direction i; 0 where the latent is drowned.
        encoder: (K, D).
        sigma: (K,), the posterior's standard deviations; 1 where the latent is drowned.
        mean: (D,).
    """

    decoder: NDArray
    encoder: NDArray
    sigma: NDArray
    mean: NDArray


def data_spectrum(x: ArrayLike) -> Spectrum:
    """Eigenvalues and directions of the covariance of x (N, D).

    Raises:
        ValueError: x not two-dimensional, empty, or not finite.
    """
    x = np.ascontiguousarray(x, dtype=np.float64)
    check_tensor("x", torch.tensor(x), ndim=2)
    mean = x.mean(axis=0)
    centred = x - mean
    eigenvalues, directions = np.linalg.eigh(centred.T @ centred / len(x))
    return Spectrum(eigenvalues[::-1].clip(min=0), directions[:, ::-1], mean)


def moment_points(spectrum: Spectrum) -> NDArray:
    """2D points with the mean and covariance of the data: two on each principal axis, (2D, D)."""
    axes = spectrum.directions * np.sqrt(len(spectrum.mean) * spectrum.eigenvalues)
    return np.concatenate([spectrum.mean + axes.T, spectrum.mean - axes.T])


def kl_per_latent(eigenvalues: ArrayLike, level: float, n_latents: int) -> NDArray:
    """KL of the first K directions at the optimum, ½ log(λᵢ/level) above the water: (K,), nats."""
    kept = _held(eigenvalues, level, n_latents)
    return 0.5 * np.log(np.maximum(kept / level, 1))


def error_per_direction(eigenvalues: ArrayLike, level: float, n_latents: int) -> NDArray:
    """Expected squared error of all D directions at the optimum: (D,), squared data units.

    min(λᵢ, level) for the K directions that have a latent, λᵢ for the rest.
    """
    errors = np.array(eigenvalues, dtype=np.float64)
    errors[:n_latents] = np.minimum(_held(eigenvalues, level, n_latents), level)
    return errors


def thresholds(eigenvalues: ArrayLike, noise_var: float) -> NDArray:
    """The β at which each direction drowns, λᵢ/σ²: (D,)."""
    check_positive("noise_var", noise_var)
    return np.asarray(eigenvalues, dtype=np.float64) / noise_var


def optimal_elbo(eigenvalues: ArrayLike, noise_var: float, n_latents: int, beta: float = 1.0) -> float:
    """Mean of log p(x|z) − β KL at the linear optimum, in nats per example."""
    level = beta * noise_var
    check_positive("beta * noise_var", level)
    error = error_per_direction(eigenvalues, level, n_latents).sum()
    log_likelihood = -0.5 * (len(np.asarray(eigenvalues)) * np.log(2 * np.pi * noise_var) + error / noise_var)
    return float(log_likelihood - beta * kl_per_latent(eigenvalues, level, n_latents).sum())


def rate_distortion(eigenvalues: ArrayLike, level: float, n_latents: int) -> tuple[float, float]:
    """One point of the Gaussian rate–distortion curve (notebook 09): (rate [nats], squared error).

    With n_latents = D this is Shannon's bound for a Gaussian source, reached by the linear VAE at
    βσ² = level. With fewer it is the linear VAE's own curve, which leaves Shannon's where
    level < λ_{K+1}. The slope, d rate / d error, is −1/(2 level) on both.
    """
    rate = kl_per_latent(eigenvalues, level, n_latents).sum()
    return float(rate), float(error_per_direction(eigenvalues, level, n_latents).sum())


def linear_optimum(spectrum: Spectrum, level: float, n_latents: int) -> LinearOptimum:
    """The weights of the best linear VAE at water level βσ² (unique up to a rotation of z)."""
    kept = np.maximum(_held(spectrum.eigenvalues, level, n_latents), level)
    gain = np.sqrt(kept - level)
    directions = spectrum.directions[:, :n_latents]
    return LinearOptimum(directions * gain, (directions * (gain / kept)).T, np.sqrt(level / kept), spectrum.mean)


def linear_log_likelihood(x: ArrayLike, decoder: ArrayLike, mean: ArrayLike, noise_var: float) -> NDArray:
    """Exact log p(x) of the linear-Gaussian model, log N(x; mean, W Wᵀ + σ² I): (N,), nats.

    Args:
        x: (N, D).
        decoder: W, (D, K).
        mean: (D,).
        noise_var: σ² > 0.
    """
    check_positive("noise_var", noise_var)
    decoder = np.asarray(decoder, dtype=np.float64)
    covariance = decoder @ decoder.T + noise_var * np.eye(len(decoder))
    # The formula, not scipy.stats: that takes a second to import, and 40 MB in every kernel.
    root = np.linalg.cholesky(covariance)
    deviation = np.atleast_2d(np.asarray(x, dtype=np.float64)) - np.asarray(mean, dtype=np.float64)
    whitened = np.linalg.solve(root, deviation.T)
    log_volume = np.log(np.diag(root)).sum() + 0.5 * len(root) * np.log(2 * np.pi)
    return -0.5 * np.square(whitened).sum(0) - log_volume


def ppca_noise_var(eigenvalues: ArrayLike, n_latents: int) -> float:
    """The most likely σ² of probabilistic PCA: the mean of the discarded eigenvalues."""
    discarded = np.asarray(eigenvalues, dtype=np.float64)[n_latents:]
    if discarded.size == 0:
        raise ValueError(f"n_latents must leave eigenvalues to discard, got {n_latents} of {n_latents}")
    return float(discarded.mean())


def _held(eigenvalues: ArrayLike, level: float, n_latents: int) -> NDArray:
    """The eigenvalues of the K directions that have a latent, after checking the arguments."""
    check_positive("level", level)
    eigenvalues = np.asarray(eigenvalues, dtype=np.float64)
    if eigenvalues.ndim != 1 or (np.diff(eigenvalues) > 0).any() or not (eigenvalues >= 0).all():
        raise ValueError("eigenvalues must be a list of numbers ≥ 0, largest first")
    if not 1 <= n_latents <= len(eigenvalues):
        raise ValueError(f"n_latents must lie between 1 and D = {len(eigenvalues)}, got {n_latents}")
    return eigenvalues[:n_latents]
