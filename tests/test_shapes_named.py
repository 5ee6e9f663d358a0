"""What a message says of the shape it wanted: the letters of the docstring, not only the argument's name."""

import re
from collections.abc import Callable

import numpy as np
import pytest
import torch

from vae_lessons import bounds, gaussian, montecarlo, objective, recipes, spectrum
from vae_lessons.model import LinearVAE

FLAT, TABLE = torch.ones(3, dtype=torch.float64), torch.ones(2, 3, dtype=torch.float64)
MODEL = LinearVAE(n_pixels=3, n_latents=3).double()
POINT = torch.tensor(1.0, dtype=torch.float64)
THREE = spectrum.Spectrum(np.array([3.0, 2.0, 1.0]), np.eye(3), np.zeros(3))

CALLS: list[tuple[Callable[[], object], str]] = [
    (lambda: gaussian.kl_full_to_standard(POINT, torch.eye(3)), "mu must have shape (..., K)"),
    (lambda: gaussian.kl_full_to_standard(FLAT, FLAT), "cov must have shape (..., K, K)"),
    (lambda: bounds.elbo_of_posterior(MODEL, TABLE, FLAT, FLAT, TABLE[None], 0.5), "mu must have shape (B, K)"),
    (lambda: bounds.importance_bound(POINT), "log_weights must have shape (S, ...)"),
    (lambda: montecarlo.estimate(POINT), "samples must have shape (S, ...)"),
    (lambda: montecarlo.mixture_log_density(FLAT, TABLE, TABLE), "z must have shape (S, K)"),
    (lambda: montecarlo.mixture_log_density(TABLE, FLAT, FLAT), "mu must have shape (N, K)"),
    (lambda: recipes.latent_loss(FLAT, FLAT), "z_mean must have shape (B, K)"),
    (lambda: objective.alive(POINT), "kl must have shape (..., K)"),
    (lambda: objective.bernoulli_log_likelihood(FLAT, FLAT), "x must have shape (..., B, D)"),
    (lambda: objective.floored_kl(FLAT, 0.1), "kl must have shape (..., B, K)"),
    (lambda: spectrum.linear_log_likelihood(TABLE, FLAT, FLAT, 1.0), "decoder must have shape (D, K)"),
    (lambda: spectrum.linear_log_likelihood(TABLE, TABLE.T, TABLE, 1.0), "mean must have shape (D,)"),
    (lambda: spectrum.kl_per_latent(TABLE, 1.0, 1), "eigenvalues must have shape (D,)"),
    (
        lambda: spectrum.linear_optimum(THREE._replace(directions=np.ones(3)), 1.0, 1),
        "spectrum.directions must have shape (D, D)",
    ),
    (lambda: spectrum.linear_optimum(THREE._replace(mean=np.eye(3)), 1.0, 1), "spectrum.mean must have shape (D,)"),
]


@pytest.mark.parametrize(("call", "message"), CALLS, ids=[message for _, message in CALLS])
def test_a_message_names_the_shape(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (
            torch.tensor([[1.0, 0.5], [0.0, 1.0]]),
            "^cov must be symmetric, got a matrix that differs from its transpose$",
        ),
        (-torch.eye(2), "^cov must be positive definite, got a matrix with no Cholesky factor$"),
        (torch.eye(3), r"^cov must have shape \(2, 2\)"),
    ],
)
def test_what_is_no_covariance_is_told(matrix: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gaussian.kl_full_to_standard(torch.zeros(2), matrix)
