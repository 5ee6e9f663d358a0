"""Trained models as the page in the browser reads them: numbers as JSON, weights as 16-bit floats (lessons 00 and 07)."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vae_lessons.checks import check_number, check_tensor, check_type
from vae_lessons.model import VAE, LatentGaussian
from vae_lessons.objective import gaussian_elbo
from vae_lessons.spectrum import data_spectrum
from vae_lessons.stacks import Sweep

N_EXAMPLES = 10  # the first digits of the data: one of each


def packed(models: Sweep, x: Tensor, noise_var: float) -> tuple[dict[str, Any], bytes]:
    """What the page needs of a sweep of reference VAEs, and their weights.

    The latents of each model are numbered anew, the one with the largest mean KL first: another order of the code,
    and the same model.

    Args:
        models: M reference VAEs of images of 8 × 8 pixels.
        x: (N, 64), what they were trained on, in sixteenths.
        noise_var: σ_x² > 0 in training.

    Returns:
        The numbers: spectrum, sizes, some images; and for each model, lowest level first, βσ_x², the mean KL of each
        latent in nats and the mean squared error, both of the rounded weights. And the weights, model after model in
        the order of `state_dict`, as 16-bit floats, little end first.

    Raises:
        TypeError, ValueError: other models or images, or weights beyond 65504, where 16-bit floats end.
    """
    check_type("models", models, Sweep)
    check_type("models.stack", models.stack, VAE)
    check_type("the last layer of models.stack", getattr(models.stack.decoder, "output", None), nn.Identity)
    _check_weights(models.stack)
    sixteenths = in_sixteenths(x)
    noise_var = check_number("noise_var", noise_var, above=0)
    order = models.betas.argsort().tolist()
    halves = [_rounded(models.model(number), x) for number in order]
    rows = [_row(models, number, weights, x, noise_var) for number, weights in zip(order, halves)]
    first = models.model(0)
    assert isinstance(first, VAE)
    examples = [list(sixteenths[64 * i : 64 * (i + 1)]) for i in range(min(N_EXAMPLES, len(x)))]
    sizes = {"nPixels": 64, "nHidden": first.encoder.n_features, "nLatents": first.n_latents}
    numbers = {"sizes": sizes, "noiseVar": noise_var, "examples": examples}
    numbers["eigenvalues"] = [float(f"{value:.9g}") for value in data_spectrum(x).eigenvalues]
    return {**numbers, "models": rows}, b"".join(weights.astype("<f2").tobytes() for weights in halves)


def in_sixteenths(x: Tensor) -> bytes:
    """Images (N, 64) whose pixels are sixteenths, one byte a pixel.

    Raises:
        TypeError, ValueError: no such images.
    """
    check_tensor("x", x, "(N, D)")
    sixteenths = x * 16
    if x.shape[1] != 64 or not torch.equal(sixteenths, sixteenths.round().clamp(0, 16)):
        raise ValueError(f"x must be images of 64 pixels in sixteenths from 0 to 1, got shape {tuple(x.shape)}")
    return sixteenths.byte().numpy().tobytes()


def unpacked(model: LatentGaussian, halves: NDArray[np.float16]) -> None:
    """Give a model the weights of one that was packed.

    Raises:
        ValueError: too few or too many numbers.
    """
    state = model.state_dict()
    sizes = [value.numel() for value in state.values()]
    if len(halves) != sum(sizes):
        raise ValueError(f"halves must hold {sum(sizes)} numbers for this model, got {len(halves)}")
    parts = torch.from_numpy(halves.astype(np.float64)).split(sizes)
    model.load_state_dict({name: part.reshape(value.shape) for (name, value), part in zip(state.items(), parts)})


def _rounded(model: LatentGaussian, x: Tensor) -> NDArray[np.float16]:
    """All weights in a row, the latents sorted by their KL."""
    order = _mean_terms(model, x, 1.0)[0].argsort(descending=True)
    state = model.state_dict()
    for name, value in state.items():
        if name.startswith("head_"):
            state[name] = value[order]
        elif name == "decoder.linear1.weight":
            state[name] = value[:, order]
    return torch.cat([value.flatten() for value in state.values()]).numpy().astype(np.float16)


def _check_weights(stack: LatentGaussian) -> None:
    """Raise unless 16-bit floats can hold all of them."""
    largest = float(np.finfo(np.float16).max)
    weights = torch.cat([value.flatten() for value in stack.state_dict().values()]).abs()
    if not (weights <= largest).all():  # NaN is not, either
        raise ValueError(f"models must have weights of at most {largest:g}, got {weights.max():g}")


def _row(models: Sweep, number: int, halves: NDArray[np.float16], x: Tensor, noise_var: float) -> dict[str, Any]:
    """What one model pays and misses."""
    model = models.model(number).double()
    unpacked(model, halves)
    kl, error = _mean_terms(model, x.double(), noise_var)
    level = models.betas[number].item() * noise_var
    return {"level": float(f"{level:.6g}"), "kl": [round(each, 5) for each in kl.tolist()], "error": round(error, 5)}


@torch.no_grad()
def _mean_terms(model: LatentGaussian, x: Tensor, noise_var: float) -> tuple[Tensor, float]:
    """Mean KL of each latent, (K,) in nats, and the mean squared error with one draw of z for each image."""
    output = model(x, generator=torch.Generator().manual_seed(0))
    return gaussian_elbo(output, x, noise_var).kl.mean(0), (output.x_hat - x).square().sum(-1).mean().item()
