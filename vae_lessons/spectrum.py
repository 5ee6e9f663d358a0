"""The exact theory: a water level βσ_x² on the spectrum of the data (notebook 07).

A linear VAE with Gaussian decoder variance σ_x² and KL weight β has a known optimum. With
λ₁ ≥ λ₂ ≥ … the eigenvalues of the data covariance, and `level` = βσ_x² [squared data units]:

    KL of direction i      = ½ log(λᵢ / level)   if λᵢ > level, else 0      [nats per example]
    squared error of i     = min(λᵢ, level)      for the K directions the latents can hold

Sources: Tipping and Bishop, "Probabilistic principal component analysis" (1999), for β = 1;
Lucas et al., "Don't blame the ELBO!" (2019), for the VAE; Shannon's reverse water-filling.
NumPy, float64: this is the yardstick that trained models are held against. Arrays may be handed in
as lists, arrays or tensors of any real dtype; numbers may be scalar tensors.
"""

import math
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from vae_lessons.checks import as_array, check_count, check_number, check_type

Array: TypeAlias = NDArray[np.float64]
Numbers: TypeAlias = ArrayLike | Tensor


class Spectrum(NamedTuple):
    """The principal directions of a data set.

    Attributes:
        eigenvalues: (D,), of the covariance with 1/N, largest first.
        directions: (D, D), column i is the unit direction of eigenvalue i.
        mean: (D,).
    """

    eigenvalues: Array
    directions: Array
    mean: Array


class LinearOptimum(NamedTuple):
    """The best linear VAE: x̂ = `decoder` z + `mean`, mu(x) = `encoder` (x − mean), constant sigma.

    Attributes:
        decoder: (D, K), column i along principal direction i; 0 where the latent is drowned.
        encoder: (K, D).
        sigma: (K,), the posterior's standard deviations; 1 where the latent is drowned.
        mean: (D,).
    """

    decoder: Array
    encoder: Array
    sigma: Array
    mean: Array


def data_spectrum(x: Numbers) -> Spectrum:
    """Eigenvalues and directions of the covariance of x, (N, D).

    Raises:
        TypeError, ValueError: x no numbers, not two-dimensional, empty, NaN or infinite, or with
            squares that overflow.
    """
    x = as_array("x", x, "(N, D)")
    with np.errstate(over="ignore", invalid="ignore"):
        mean = x.mean(axis=0)
        centred = x - mean
        covariance = centred.T @ centred / len(x)
    if not np.isfinite(covariance).all():
        raise ValueError(f"x is too large for float64, its squares overflow: got {abs(x).max():g}")
    eigenvalues, directions = np.linalg.eigh(covariance)
    # rounding leaves some at −1e-17 where the data fill fewer than D dimensions
    return Spectrum(eigenvalues[::-1].clip(min=0), directions[:, ::-1].copy(), mean)


def kl_per_latent(eigenvalues: Numbers, level: float, n_latents: int) -> Array:
    """KL of the first K directions at the optimum, ½ log(λᵢ/level) above the water: (K,), nats.

    Args:
        eigenvalues: (D,), ≥ 0, largest first.
        level: βσ_x² > 0, one number.
        n_latents: K, from 1 to D.

    Raises:
        TypeError, ValueError: no such numbers, NaN or infinite.
    """
    level = check_number("level", level, above=0)
    kept = _with_latent(eigenvalues, n_latents)
    above_water: Array = np.log(np.maximum(kept, level)) - math.log(level)
    # NumPy's logarithm and math's may differ in the last digit: below the water the KL is 0 all the same.
    kl: Array = 0.5 * np.where(kept > level, above_water, 0.0)
    return kl


def error_per_direction(eigenvalues: Numbers, level: float, n_latents: int) -> Array:
    """Expected squared error of all D directions at the optimum: (D,), squared data units.

    min(λᵢ, level) for the K directions that have a latent, λᵢ for the rest.

    Args:
        eigenvalues: (D,), ≥ 0, largest first.
        level: βσ_x² > 0, one number.
        n_latents: K, from 1 to D.

    Raises:
        TypeError, ValueError: no such numbers, NaN or infinite.
    """
    level = check_number("level", level, above=0)
    errors = _eigenvalues(eigenvalues)
    errors[:n_latents] = np.minimum(_with_latent(errors, n_latents), level)
    return errors


def thresholds(eigenvalues: Numbers, noise_var: float) -> Array:
    """The β at which each direction drowns, λᵢ/σ_x²: (D,).

    Args:
        eigenvalues: (D,), ≥ 0, largest first.
        noise_var: σ_x² > 0, one number.

    Raises:
        TypeError, ValueError: no such numbers, NaN or infinite.
    """
    noise_var = check_number("noise_var", noise_var, above=0)
    with np.errstate(over="ignore"):
        return _eigenvalues(eigenvalues) / noise_var


def optimal_elbo(eigenvalues: Numbers, noise_var: float, n_latents: int, beta: float = 1.0) -> float:
    """Mean of log p(x|z) − β KL at the linear optimum, in nats per example.

    Args:
        eigenvalues: (D,), ≥ 0, largest first.
        noise_var, beta: σ_x² > 0 and β > 0, one number each.
        n_latents: K, from 1 to D.

    Raises:
        TypeError, ValueError: no such numbers, NaN or infinite.
    """
    noise_var = check_number("noise_var", noise_var, above=0)
    beta = check_number("beta", beta, above=0)
    rate, error = rate_distortion(eigenvalues, beta * noise_var, n_latents)
    n_pixels = len(_eigenvalues(eigenvalues))
    return -0.5 * (n_pixels * math.log(2 * math.pi * noise_var) + error / noise_var) - beta * rate


def rate_distortion(eigenvalues: Numbers, level: float, n_latents: int) -> tuple[float, float]:
    """One point of the Gaussian rate–distortion curve (notebook 09): (rate [nats], squared error).

    With n_latents = D this is Shannon's bound for a Gaussian source, reached by the linear VAE at
    βσ_x² = level. With fewer it is the linear VAE's own curve, which leaves Shannon's where
    level < λ_{K+1}. The slope, d rate / d error, is −1/(2 level) on both.

    Args:
        eigenvalues: (D,), ≥ 0, largest first.
        level: βσ_x² > 0, one number.
        n_latents: K, from 1 to D.

    Raises:
        TypeError, ValueError: no such numbers, NaN or infinite.
    """
    rate = kl_per_latent(eigenvalues, level, n_latents).sum()
    return float(rate), float(error_per_direction(eigenvalues, level, n_latents).sum())


def linear_optimum(spectrum: Spectrum, level: float, n_latents: int) -> LinearOptimum:
    """The weights of the best linear VAE at water level βσ_x² (unique up to a rotation of z).

    Args:
        level: βσ_x² > 0, one number.
        n_latents: K, from 1 to D.

    Raises:
        TypeError, ValueError: no `Spectrum` of finite numbers, or no such level or n_latents.
    """
    spectrum = _checked(spectrum)
    level = check_number("level", level, above=0)
    kept = np.maximum(_with_latent(spectrum.eigenvalues, n_latents), level)
    gain = np.sqrt(kept - level)
    directions = spectrum.directions[:, :n_latents]
    return LinearOptimum(directions * gain, (directions * (gain / kept)).T, np.sqrt(level / kept), spectrum.mean)


def linear_log_likelihood(x: Numbers, decoder: Numbers, mean: Numbers, noise_var: float) -> Array:
    """Exact log p(x) of the linear-Gaussian model, log N(x; mean, W Wᵀ + σ_x² I): (N,), nats (notebook 10).

    Args:
        x: (N, D).
        decoder: W, (D, K).
        mean: (D,).
        noise_var: σ_x² > 0, one number.

    Returns:
        Array (N,): −inf where a square overflows.

    Raises:
        TypeError, ValueError: other shapes, no numbers, NaN or infinite; a decoder whose squares overflow; or
            a noise_var so small beside W Wᵀ that rounding leaves no Cholesky factor.
    """
    x, decoder, mean = (
        as_array("x", x, "(N, D)"),
        as_array("decoder", decoder, "(D, K)"),
        as_array("mean", mean, "(D,)"),
    )
    noise_var = check_number("noise_var", noise_var, above=0)
    n_pixels = x.shape[1]
    if len(decoder) != n_pixels:
        raise ValueError(f"decoder must have shape ({n_pixels}, K) for x of shape {x.shape}, got {decoder.shape}")
    if len(mean) != n_pixels:
        raise ValueError(f"mean must have shape ({n_pixels},) for x of shape {x.shape}, got {mean.shape}")
    # The formula, not scipy.stats: that takes a second to import, and 40 MB in every kernel.
    root = _root_of_covariance(decoder, noise_var)
    with np.errstate(over="ignore"):
        whitened = np.linalg.solve(root, (x - mean).T)
        squares = np.square(whitened).sum(0)
        squares[np.isnan(squares)] = np.inf  # ∞ − ∞ on the way
    log_volume = float(np.log(np.diag(root)).sum()) + 0.5 * n_pixels * math.log(2 * math.pi)
    log_densities: Array = -0.5 * squares - log_volume
    return log_densities


def _root_of_covariance(decoder: Array, noise_var: float) -> NDArray[np.floating[Any]]:
    """The Cholesky factor of W Wᵀ + σ_x² I, (D, D)."""
    with np.errstate(over="ignore", invalid="ignore"):  # ∞ − ∞ in a product is invalid, on some processors
        covariance = decoder @ decoder.T + noise_var * np.eye(len(decoder))
    if not np.isfinite(covariance).all():
        raise ValueError(f"decoder is too large for float64, its squares overflow: got {abs(decoder).max():g}")
    try:
        return np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        raise ValueError(f"noise_var is too small beside decoder for float64, got {noise_var:g}") from None


def ppca_noise_var(eigenvalues: Numbers, n_latents: int) -> float:
    """The most likely σ_x² of probabilistic PCA: the mean of the discarded eigenvalues (notebook 08).

    Args:
        eigenvalues: (D,), ≥ 0, largest first.
        n_latents: K, from 1 to D − 1.

    Raises:
        TypeError, ValueError: no such numbers, NaN or infinite.
    """
    eigenvalues = _eigenvalues(eigenvalues)
    check_count("n_latents", n_latents)
    if n_latents >= len(eigenvalues):
        raise ValueError(f"n_latents must leave eigenvalues to discard, got {n_latents} of {len(eigenvalues)}")
    return float(eigenvalues[n_latents:].mean())


def _eigenvalues(eigenvalues: Numbers) -> Array:
    """A copy, once it is known that these can be a spectrum."""
    array = as_array("eigenvalues", eigenvalues, "(D,)")
    if (array[1:] > array[:-1]).any() or array[-1] < 0:
        raise ValueError("eigenvalues must be numbers ≥ 0, largest first")
    if array[0] > np.finfo(np.float64).max / len(array):
        raise ValueError(f"eigenvalues are too large for float64, their sum overflows: got {array[0]:g}")
    return array


def _with_latent(eigenvalues: Numbers, n_latents: int) -> Array:
    """The eigenvalues of the K directions that have a latent."""
    array = _eigenvalues(eigenvalues)
    check_count("n_latents", n_latents)
    if n_latents > len(array):
        raise ValueError(f"n_latents must lie between 1 and D = {len(array)}, got {n_latents}")
    return array[:n_latents]


def _checked(spectrum: Spectrum) -> Spectrum:
    """The same spectrum, once its parts are known to fit together."""
    check_type("spectrum", spectrum, Spectrum)
    eigenvalues = _eigenvalues(spectrum.eigenvalues)
    directions = as_array("spectrum.directions", spectrum.directions, "(D, D)")
    mean = as_array("spectrum.mean", spectrum.mean, "(D,)")
    if not directions.shape == (len(mean), len(eigenvalues)) == (len(eigenvalues), len(mean)):
        raise ValueError(f"spectrum must have D = {len(eigenvalues)} throughout, got {directions.shape}, {mean.shape}")
    return Spectrum(eigenvalues, directions, mean)
