"""The linear VAE trained to its optimum, for the theory to be held against (notebook 07).

Trained as it stands, it creeps: where the data vary 100 000 times more in one direction than the level βσ_x²,
thousands of steps leave it whole nats below the optimum. Two things make L-BFGS arrive.
The latents are trained one after another, each on what those before it leave unexplained, so that none
has to find its place among the others. And each is trained in coordinates in which a step means the same
everywhere: the data along their principal axes; the encoder and sigma relative to those that would fit the decoder
as it is at that moment. No number of the solution is written down: each is trained, from the model's own weights.
Shapes: D pixels, K latents.
"""

import warnings
from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from vae_lessons.checks import check_count, check_input, check_number, check_tensor, check_type
from vae_lessons.model import LinearVAE
from vae_lessons.objective import linear_elbo
from vae_lessons.spectrum import Spectrum, data_spectrum, optimal_elbo
from vae_lessons.torch_state import interrupts_between_steps, threads

CLOSE = 1e-6  # nats: nearer to the theory than any page prints
STILL = 1e-9  # nats: a round over all latents that gains less is the last


class Weights(NamedTuple):
    """A linear VAE of centred data, in the coordinates of their principal axes.

    Attributes:
        decoder: (D, K).
        encoder: (K, D).
        sigma: (K,).
    """

    decoder: Tensor
    encoder: Tensor
    sigma: Tensor


def fit_to_optimum(model: LinearVAE, x: Tensor, noise_var: float, beta: float = 1.0, max_rounds: int = 10) -> float:
    """Train a linear VAE to its optimum by L-BFGS, without sampling and without minibatches (notebook 07).

    Its objective is quadratic in x, so it knows the data through their mean and covariance alone. It is given
    them as mean, principal axes and eigenvalues: from the very spectrum that `spectrum.optimal_elbo`, its judge,
    is computed from. What it returns is measured on x itself.
    Ctrl-C ends it early, and keeps the latents that were trained.

    Args:
        model: in float64.
        x: (N, D), float64: in float32 rounding would hide the last digits.
        noise_var: σ_x² > 0, in squared units of x.
        beta: β > 0.
        max_rounds: over all latents; one does nearly all of the work, the second finds nothing left to gain.

    Returns:
        The mean of log p(x|z) − β·KL over x, in nats per example: within 1e-6 of `spectrum.optimal_elbo`.

    Raises:
        TypeError, ValueError: x not (N, D), not float64 or not finite; the model another one, or not in float64;
            more latents than pixels; noise_var, beta or max_rounds not positive.

    Warns:
        RuntimeWarning: it ended further than 1e-6 from the optimum, and how far. What was learned is kept.
    """
    check_type("model", model, LinearVAE)
    check_tensor("x", x, "(N, D)")
    if x.dtype != torch.float64:
        raise TypeError(f"x must be torch.float64, got {x.dtype}")
    check_input("x", x, model, model.n_pixels)
    check_number("noise_var", noise_var, above=0)
    check_number("beta", beta, above=0)
    check_count("max_rounds", max_rounds)
    spectrum = data_spectrum(x)
    best = optimal_elbo(spectrum.eigenvalues, noise_var, model.n_latents, beta)
    with threads(1):
        ending = _train(model, x, spectrum, noise_var, beta, max_rounds)
        reached = _mean_elbo(model, x, noise_var, beta)
    if not best - reached < CLOSE:
        warnings.warn(f"{ending}, {best - reached:.2g} nats below the optimum", RuntimeWarning, stacklevel=2)
    return reached


def _train(model: LinearVAE, x: Tensor, spectrum: Spectrum, noise_var: float, beta: float, max_rounds: int) -> str:
    """Train the latents in turn, until a whole round gains nothing; how it ended, as a sentence begins."""
    before = _mean_elbo(model, x, noise_var, beta), [weight.detach().clone() for weight in model.parameters()]
    eigenvalues = torch.tensor(spectrum.eigenvalues, dtype=torch.float64)
    starts = _in_axes(model, spectrum)
    silent = torch.zeros_like(starts.decoder), torch.zeros_like(starts.encoder), torch.ones_like(starts.sigma)
    weights = Weights(*silent)
    ending = f"not done after {max_rounds} rounds"
    with interrupts_between_steps() as check_interrupt:
        try:
            for _ in range(max_rounds):
                gained = 0.0
                for k in range(model.n_latents):
                    check_interrupt()
                    gained += _train_latent(k, weights, starts, eigenvalues, beta * noise_var)
                starts = weights
                if beta * gained < STILL:
                    ending = "nothing more was gained"
                    break
        except KeyboardInterrupt:
            ending = "interrupted"
        _put(model, weights, spectrum)
        if not _mean_elbo(model, x, noise_var, beta) >= before[0]:  # it came trained, and was interrupted
            _overwrite(model.parameters(), before[1])
    return ending


def _train_latent(k: int, weights: Weights, starts: Weights, eigenvalues: Tensor, level: float) -> float:
    """Train one latent from its start, the others as they are; the gain in nats over its start, at β = 1."""
    others = [weights.decoder.clone(), weights.encoder]
    others[0][:, k] = 0
    residual = torch.eye(len(eigenvalues), dtype=torch.float64) - others[0] @ others[1]
    latent = _Latent(residual, eigenvalues, level)
    free = latent.coordinates(starts.decoder[:, k], starts.encoder[k], starts.sigma[k])
    first, last = latent.minimise(free)
    with torch.no_grad():
        weights.decoder[:, k], weights.encoder[k], weights.sigma[k] = latent.weights(free)
    return first - last


class _Latent:
    """One latent that is trained on what the others leave unexplained.

    Args:
        residual: (D, D), the map from centred x to what is left of it.
        eigenvalues: (D,), of the data.
        level: βσ_x².
    """

    def __init__(self, residual: Tensor, eigenvalues: Tensor, level: float):
        self.residual, self.eigenvalues, self.level = residual, eigenvalues, level
        self.spread = eigenvalues.clamp(min=1e-14 * eigenvalues[0].item() + 1e-300).sqrt()

    def fitting(self, decoder: Tensor) -> tuple[Tensor, Tensor]:
        """The encoder (D,) and sigma that would fit this decoder: the units the free ones are measured in."""
        precision = decoder @ decoder + self.level
        return (decoder @ self.residual) / precision, (self.level / precision).sqrt()

    def coordinates(self, decoder: Tensor, encoder: Tensor, sigma: Tensor) -> list[Tensor]:
        """What L-BFGS moves, for these weights: decoder (D,), the encoder's deviation (D,), sigma's ratio ()."""
        fit, fit_sigma = self.fitting(decoder)
        free = decoder, (encoder - fit) * self.spread / fit_sigma, sigma / fit_sigma
        return [value.clone().requires_grad_() for value in free]

    def weights(self, free: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """The decoder (D,), the encoder (D,) and sigma () at these coordinates: `coordinates` undone."""
        decoder, deviation, ratio = free
        fit, fit_sigma = self.fitting(decoder)
        return decoder, fit + deviation * fit_sigma / self.spread, ratio.abs() * fit_sigma

    def loss(self, free: list[Tensor]) -> Tensor:
        """Squared error / (2βσ_x²) + KL of this latent, averaged over the data: −ELBO/β, up to a constant."""
        decoder, encoder, sigma = self.weights(free)
        at_mean = (self.residual - torch.outer(decoder, encoder)) ** 2 @ self.eigenvalues
        error = at_mean.sum() + (decoder @ decoder) * sigma**2
        kl = 0.5 * (self.eigenvalues @ encoder**2 + sigma**2 - 2 * sigma.log() - 1)
        return error / (2 * self.level) + kl

    def minimise(self, free: list[Tensor]) -> tuple[float, float]:
        """Move the coordinates to the minimum; the loss before and after."""
        first = self.loss(free).item()
        rounding = 1e-13 * max(1.0, first)
        optimizer = torch.optim.LBFGS(
            free,
            max_iter=300,
            max_eval=600,
            history_size=50,
            tolerance_grad=1e-9,
            tolerance_change=rounding,
            line_search_fn="strong_wolfe",
        )

        def evaluate() -> Tensor:
            optimizer.zero_grad()
            loss = self.loss(free)
            loss.backward()
            return loss

        optimizer.step(evaluate)
        return first, self.loss(free).item()


def _in_axes(model: LinearVAE, spectrum: Spectrum) -> Weights:
    """The model's weights along the principal axes; its biases aside, for the data are centred there."""
    axes = torch.tensor(spectrum.directions, dtype=torch.float64)
    with torch.no_grad():
        return Weights(axes.T @ model.decoder.weight, model.head_mu.weight @ axes, model.log_sigma.exp())


@torch.no_grad()
def _put(model: LinearVAE, weights: Weights, spectrum: Spectrum) -> None:
    """Turn the weights back to pixels, and let the biases carry the mean of the data."""
    axes, mean = (torch.tensor(array, dtype=torch.float64) for array in (spectrum.directions, spectrum.mean))
    encoder = weights.encoder @ axes.T
    parameters = model.head_mu.weight, model.head_mu.bias, model.log_sigma, model.decoder.weight, model.decoder.bias
    _overwrite(parameters, [encoder, -encoder @ mean, weights.sigma.log(), axes @ weights.decoder, mean])


@torch.no_grad()
def _overwrite(parameters: Iterable[Tensor], values: Iterable[Tensor]) -> None:
    for parameter, value in zip(parameters, values, strict=True):
        parameter.copy_(value)


@torch.no_grad()
def _mean_elbo(model: LinearVAE, x: Tensor, noise_var: float, beta: float) -> float:
    return linear_elbo(model, x, noise_var).weighted(beta).mean().item()
