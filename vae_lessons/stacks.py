"""Many models trained at once: a sweep over β, or one model for each seed (notebooks 07 and 08)."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from vae_lessons.checks import (
    as_array,
    check_callable,
    check_count,
    check_not_negative,
    check_number,
    check_one_or_shape,
    check_positive,
    check_tensor,
    check_type,
)
from vae_lessons.model import LatentGaussian, Layer, StackedLinear, reference_vae
from vae_lessons.objective import negative_elbo
from vae_lessons.torch_state import seeded
from vae_lessons.training import History, fit


class Sweep(NamedTuple):
    """M trained models, one for each β.

    Attributes:
        betas: (M,).
        stack: all of them as one module; its tensors have M in front.
        history: see `History`.
        build: makes an untrained model of this architecture from a layer class.
    """

    betas: Tensor
    stack: LatentGaussian
    history: History
    build: Callable[[Layer], LatentGaussian]

    def model(self, index: int) -> LatentGaussian:
        """A copy of model number `index` as an ordinary module, built with `torch.nn.Linear`.

        Raises:
            TypeError, ValueError: no whole number from 0 to M − 1.
        """
        check_count("index", index, at_least=0)
        if index >= len(self.betas):
            raise ValueError(f"index must be less than {len(self.betas)}, the number of models, got {index}")
        model = self.build(nn.Linear)
        model.load_state_dict({name: value[index] for name, value in self.stack.state_dict().items()})
        return model


def sweep(
    x: Tensor,
    betas: Sequence[float] | Tensor,
    *,
    noise_var: float | Sequence[float] | Tensor = 0.5,
    n_latents: int = 8,
    n_hidden: int = 100,
    seed: int | Sequence[int] = 0,
    **options: Any,
) -> Sweep:
    """Train the reference VAE at every β at once: batched matrix products, not a loop over models.

    Models with the same seed start from the same weights and see the same batches and the same noise.
    Each ends where `fit` would have taken it alone with its seed.

    Args:
        x: (N, D).
        betas: (M,), KL weights, each ≥ 0.
        noise_var: σ_x² > 0, one number; or (M,), one for each model.
        seed: of first weights, shuffling and noise; one for all, or a list of M.
        options: `epochs`, `batch_size`, `lr` and `progress` of `fit`.

    Returns:
        All models and their history. A model that diverges is left behind, see `fit`: its columns of the history
        are NaN from there, and the others are what they would have been without it.

    Raises:
        TypeError, ValueError: see `fit`; or betas empty, negative or not finite.
        Diverged: every model diverged.

    Warns:
        RuntimeWarning: some models diverged, and which: number m is the one of ``betas[m]``.
    """
    check_tensor("x", x, "(N, D)")
    betas = torch.as_tensor(as_array("betas", betas, "(M,)"), dtype=x.dtype, device=x.device)
    check_not_negative("betas", betas)
    noise_var = _noise_vars(noise_var, betas)
    seeds = _seeds(seed, len(betas))

    def build(layer: Layer) -> LatentGaussian:
        return reference_vae(x.shape[1], n_latents, n_hidden, layer=layer).to(x.device, x.dtype)

    stack = stack_models(build, seeds)
    one_for_all = len(set(seeds)) == 1  # then one draw of batches and noise serves all
    history = fit(stack, x, negative_elbo(noise_var, betas), seed=seeds[0] if one_for_all else seeds, **options)
    return Sweep(betas, stack, history, build)


def _seeds(seed: int | Sequence[int], n_models: int) -> list[int]:
    """One for each model."""
    seeds = list(seed) if isinstance(seed, Sequence) else [seed] * n_models
    for each in seeds:
        check_count("seed", each, at_least=0)
    if len(seeds) != n_models:
        raise ValueError(f"seed must be one, or one for each of {n_models} models, got {len(seeds)}")
    return seeds


def _noise_vars(noise_var: float | Sequence[float] | Tensor, betas: Tensor) -> float | Tensor:
    """σ_x² as `negative_elbo` takes it: one number, or (M, 1)."""
    if isinstance(noise_var, Sequence) or (isinstance(noise_var, Tensor) and noise_var.ndim):
        noise_var = torch.as_tensor(as_array("noise_var", noise_var, "(M,)"), dtype=betas.dtype, device=betas.device)
        check_positive("noise_var", noise_var)
        check_one_or_shape("noise_var", noise_var, betas.shape)
        return noise_var.unsqueeze(1)
    return check_number("noise_var", noise_var, above=0)


def stack_models(build: Callable[[Layer], LatentGaussian], seeds: Sequence[int]) -> LatentGaussian:
    """One freshly drawn model for each seed, as one module of `StackedLinear` layers (notebook 08).

    Models with the same seed start from the same weights.

    Raises:
        TypeError, ValueError: no seeds, one that is no whole number from 0, or a build that returns no model.
    """
    check_callable("build", build)
    check_type("seeds", seeds, Sequence)
    if not seeds:
        raise ValueError("seeds must hold at least one, got none")
    weights = []
    for seed in seeds:
        check_count("seeds", seed, at_least=0)
        with seeded(seed):
            model = build(nn.Linear)
            check_type("what build returns", model, LatentGaussian)
            weights.append(model.state_dict())
    with seeded(0):
        stack = build(partial(StackedLinear, len(seeds)))  # its own weights are overwritten
    stack.load_state_dict({name: torch.stack([w[name] for w in weights]) for name in weights[0]})
    return stack
