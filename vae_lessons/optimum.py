"""The linear VAE trained to its optimum, for the theory to be held against (notebook 07)."""

import torch
from torch import Tensor

from vae_lessons.checks import check_tensor
from vae_lessons.model import LinearVAE
from vae_lessons.objective import linear_elbo
from vae_lessons.spectrum import data_spectrum, moment_points
from vae_lessons.torch_state import threads


def fit_to_optimum(model: LinearVAE, x: Tensor, noise_var: float, beta: float = 1.0, max_iter: int = 2000) -> float:
    """Train a linear VAE to its optimum by L-BFGS, without sampling and without minibatches.

    Its objective is quadratic in x, so it depends on the data through mean and covariance alone:
    training on `moment_points` (2D rows) is training on x (N rows), several times faster.

    Args:
        model: in float64.
        x: (N, D), float64: in float32 rounding would hide the last digits.

    Returns:
        The mean of log p(x|z) − beta·KL over x, in nats per example: within 1e-6 of
        `spectrum.optimal_elbo`.

    Raises:
        TypeError, ValueError: x not (N, D) and finite, not float64, noise_var ≤ 0, beta < 0.
    """
    check_tensor("x", x, "(N, D)")
    if x.dtype != torch.float64:
        raise TypeError(f"x must be torch.float64, got {x.dtype}")
    points = torch.from_numpy(moment_points(data_spectrum(x.numpy())))
    optimizer = torch.optim.LBFGS(
        model.parameters(),
        max_iter=max_iter,
        max_eval=2 * max_iter,
        history_size=20,
        tolerance_grad=1e-9,
        tolerance_change=1e-13,
        line_search_fn="strong_wolfe",
    )

    def step() -> Tensor:
        optimizer.zero_grad()
        loss = -linear_elbo(model, points, noise_var).weighted(beta).mean()
        loss.backward()
        return loss

    with threads(1):
        optimizer.step(step)
    with torch.no_grad():
        return linear_elbo(model, x, noise_var).weighted(beta).mean().item()
