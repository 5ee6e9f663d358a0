"""The exact yardstick of diffusion: reverse steps of Gaussian data, and what one shared variance costs (notebook 11).

For data of variance λ in a direction, z_t has the variance v_t = 1 + ᾱ_t (λ − 1), and the true step back is Gaussian:
q(z_{t−1}|z_t) has the variance β_t v_{t−1}/v_t. A chain with the right means, but one variance s_t² for all directions,
has an ELBO below the mean log density of the data by exactly

    KL( q(z_T) ‖ N(0, I) ) + Σ_t Σ_i ½ (r − 1 − log r),    r = true variance / s_t²    [nats per example]

NumPy, float64, like `spectrum`: levels ᾱ and eigenvalues λ may be handed in as lists, arrays or tensors.
Source: the ELBO of Sohl-Dickstein et al., "Deep unsupervised learning using nonequilibrium thermodynamics" (2015); β_t and
β̃_t are the two choices of Ho, Jain and Abbeel, "Denoising diffusion probabilistic models" (2020).
"""

import numpy as np
import torch

from vae_lessons.checks import as_array, check_choice
from vae_lessons.diffusion import check_levels, step_variances
from vae_lessons.spectrum import Array, Numbers

CHOICES = ("beta", "beta_tilde", "best")


def marginal_variances(eigenvalues: Numbers, abar: Numbers) -> Array:
    """v_t of z_t in each direction, 1 + ᾱ_t (λ − 1), from t = 0, the data: (S, D), S = T + 1.

    Args:
        eigenvalues: (D,), > 0: variances of the data, noise included.
        abar: (T,), the levels.

    Returns:
        Row t is level t.

    Raises:
        TypeError, ValueError: no such numbers, NaN or infinite.
    """
    variances, levels = _variances(eigenvalues), _levels(abar)
    return np.vstack([variances, variances * levels[:, None] + (1 - levels)[:, None]])


def true_variances(eigenvalues: Numbers, abar: Numbers) -> Array:
    """Variance of q(z_{t−1}|z_t) in each direction, β_t v_{t−1}/v_t: (T, D).

    Args:
        eigenvalues: (D,), > 0.
        abar: (T,), the levels.

    Raises:
        TypeError, ValueError: no such numbers, NaN or infinite.
    """
    v = marginal_variances(eigenvalues, abar)
    beta, _ = step_variances(torch.from_numpy(_levels(abar)))
    return beta.numpy()[:, None] * (v[:-1] / v[1:])


def shared_variances(eigenvalues: Numbers, abar: Numbers, choice: str) -> Array:
    """One s_t² for all directions of each step: (T,).

    "best" has the smallest gap: the mean of the true variances. "beta" is β_t, best if every λ is 1, and "beta_tilde" is
    β̃_t, best as λ goes to 0. At t = 1 β̃ would be 0, so there it is the best one too.

    Args:
        eigenvalues: (D,), > 0.
        abar: (T,), the levels.
        choice: "beta", "beta_tilde" or "best".

    Raises:
        TypeError, ValueError: no such numbers, NaN or infinite, or another choice.
    """
    check_choice("choice", choice, CHOICES)
    best: Array = true_variances(eigenvalues, abar).mean(axis=1)
    if choice == "best":
        return best
    beta, beta_tilde = (part.numpy() for part in step_variances(torch.from_numpy(_levels(abar))))
    return beta if choice == "beta" else np.concatenate([best[:1], beta_tilde[1:]])


def gap_per_step(eigenvalues: Numbers, abar: Numbers, noise_vars: Numbers) -> Array:
    """½ (r − 1 − log r) of each step and direction, r = true variance / s_t²: (T, D), nats, never negative.

    Args:
        eigenvalues: (D,), > 0.
        abar: (T,), the levels.
        noise_vars: s_t² > 0, (T, 1) for one of each step, or (T, D) for one of each direction too.

    Raises:
        TypeError, ValueError: no such numbers, NaN or infinite.
    """
    true = true_variances(eigenvalues, abar)
    given = as_array("noise_vars", noise_vars, "(T, D)")
    if given.shape not in ((len(true), 1), true.shape):
        raise ValueError(f"noise_vars must have shape ({len(true)}, 1) or {true.shape}, got {given.shape}")
    if not (given > 0).all():
        raise ValueError(f"noise_vars must be positive, got {given.min():g}")
    return _penalty(np.log(true) - np.log(given))


def prior_gap(eigenvalues: Numbers, abar: Numbers) -> Array:
    """KL( q(z_T) ‖ N(0, I) ) of each direction: (D,), nats: the same function, with r = v_T.

    Args:
        eigenvalues: (D,), > 0.
        abar: (T,), the levels.

    Raises:
        TypeError, ValueError: no such numbers, NaN or infinite.
    """
    return _penalty(np.log(marginal_variances(eigenvalues, abar)[-1]))


def gap(eigenvalues: Numbers, abar: Numbers, choice: str) -> float:
    """Mean log density of Gaussian data minus the best ELBO of the chain: nats per example.

    Args:
        eigenvalues: (D,), > 0.
        abar: (T,), the levels.
        choice: of the shared variances, see `shared_variances`.

    Raises:
        TypeError, ValueError: no such numbers, NaN or infinite, or another choice.
    """
    shared = shared_variances(eigenvalues, abar, choice)
    of_steps = gap_per_step(eigenvalues, abar, shared[:, None])
    return float(of_steps.sum() + prior_gap(eigenvalues, abar).sum())


def _penalty(log_r: Array) -> Array:
    """½ (r − 1 − log r), the KL of a Gaussian that is √r times too wide; without cancellation near r = 1."""
    return 0.5 * (np.expm1(log_r) - log_r)


def _variances(eigenvalues: Numbers) -> Array:
    array = as_array("eigenvalues", eigenvalues, "(D,)")
    if not (array > 0).all():
        raise ValueError(f"eigenvalues must be positive, got {array.min():g}: add a little noise to the data")
    return array


def _levels(abar: Numbers) -> Array:
    array = as_array("abar", abar, "(T,)")
    check_levels(torch.from_numpy(array))
    return array
