"""Many models trained at once: a sweep over β, or one model for each seed (notebooks 07 and 08)."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vae_lessons.checks import check_count, check_not_negative, check_tensor
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
        """A copy of model number `index` as an ordinary module, built with `torch.nn.Linear`."""
        model = self.build(nn.Linear)
        model.load_state_dict({name: value[index] for name, value in self.stack.state_dict().items()})
        return model


def sweep(
    x: Tensor,
    betas: Sequence[float],
    *,
    noise_var: float = 0.5,
    n_latents: int = 8,
    n_hidden: int = 100,
    seed: int = 0,
    **options,
) -> Sweep:
    """Train the reference VAE at every β at once: batched matrix products, not a loop over models.

    All models start from the same weights and see the same batches and the same noise, so each
    ends where `fit` would have taken it alone with the same seed.

    Args:
        x: (N, D).
        betas: M KL weights, each ≥ 0.
        options: `epochs`, `batch_size`, `lr` and `progress` of `fit`.

    Raises:
        TypeError, ValueError: see `fit`; or betas empty, negative or not finite.
    """
    check_tensor("x", x, "(N, D)")
    betas = torch.as_tensor(betas, dtype=x.dtype, device=x.device)
    check_tensor("betas", betas, "(M,)")
    check_not_negative("betas", betas)

    def build(layer: Layer) -> LatentGaussian:
        return reference_vae(x.shape[1], n_latents, n_hidden, layer=layer).to(x.device, x.dtype)

    stack = stack_models(build, [seed] * len(betas))
    history = fit(stack, x, negative_elbo(noise_var, betas), seed=seed, **options)
    return Sweep(betas, stack, history, build)


def stack_models(build: Callable[[Layer], LatentGaussian], seeds: Sequence[int]) -> LatentGaussian:
    """One freshly drawn model for each seed, as one module of `StackedLinear` layers (notebook 08).

    Models with the same seed start from the same weights.

    Raises:
        ValueError: no seeds.
    """
    check_count("number of seeds", len(seeds))
    weights = []
    for seed in seeds:
        with seeded(seed):
            weights.append(build(nn.Linear).state_dict())
    stack = build(partial(StackedLinear, len(seeds)))
    stack.load_state_dict({name: torch.stack([w[name] for w in weights]) for name in weights[0]})
    return stack
