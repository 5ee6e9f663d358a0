"""What the models of a sweep are: β, σ_x², sizes and seeds, and which of them can be stacked (notebook 07)."""

from collections.abc import Sequence
from itertools import groupby, pairwise, product
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from vae_lessons.checks import check_count, check_not_negative, check_number, check_positive, check_type


class Setting(NamedTuple):
    """One model of a sweep: its objective, its sizes, its luck.

    Attributes:
        beta: β ≥ 0, the weight of the KL.
        noise_var: σ_x² > 0.
        n_latents, n_hidden: K and the width; K may exceed the number of pixels, which leaves latents dead.
        seed: of the first weights, of the shuffling and of the noise.
    """

    beta: float = 1.0
    noise_var: float = 0.5
    n_latents: int = 8
    n_hidden: int = 100
    seed: int = 0


def grid(**values: Sequence[float] | NDArray[np.floating]) -> list[Setting]:
    """Every combination: ``grid(beta=[0.1, 1, 4], seed=range(10))`` has 30 settings, the rest at their defaults.

    Args:
        values: for some of the fields of `Setting` the values to try, (M,) each.

    Raises:
        TypeError, ValueError: another name, no values, or values that no model can have.
    """
    for name in values:
        if name not in Setting._fields:
            raise ValueError(f"{name} is none of {', '.join(Setting._fields)}")
    return check_settings(
        [Setting(**dict(zip(values, some))) for some in product(*map(_listed, values, values.values()))]
    )


def _listed(name: str, values: Any) -> list[Any]:
    if isinstance(values, (str, bytes)) or not hasattr(values, "__iter__"):
        raise TypeError(f"{name} must be a list of the values to try, got {type(values).__name__}")
    if not (listed := list(values)):
        raise ValueError(f"{name} must have at least one value, got none")
    return listed


def check_settings(settings: Sequence[Setting], dtype: torch.dtype = torch.float64) -> list[Setting]:
    """The settings in Python's own numbers, once models of this dtype can have them.

    Raises:
        TypeError, ValueError: none at all, β < 0, σ_x² ≤ 0, NaN, infinite in this dtype, or counts below 1.
    """
    check_type("settings", settings, Sequence)
    if not settings:
        raise ValueError("settings must hold at least one, got none")
    checked = [_checked(setting) for setting in settings]
    check_not_negative("beta", torch.tensor([setting.beta for setting in checked], dtype=dtype))
    check_positive("noise_var", torch.tensor([setting.noise_var for setting in checked], dtype=dtype))
    return checked


def _checked(setting: Setting) -> Setting:
    if not isinstance(setting, Setting):
        raise TypeError(f"settings must hold nothing but `Setting`, got {type(setting).__name__}")
    beta = check_number("beta", setting.beta)
    check_not_negative("beta", beta)
    noise_var = check_number("noise_var", setting.noise_var, above=0)
    check_count("n_latents", setting.n_latents)
    check_count("n_hidden", setting.n_hidden)
    check_count("seed", setting.seed, at_least=0)
    return Setting(beta, noise_var, *(int(count) for count in setting[2:]))


def in_stacks(settings: Sequence[Setting], at_most: int) -> list[list[Setting]]:
    """Settings of the same sizes together, in equal parts of at most so many; each setting once.

    The widest come first, since workers that end with small tasks end at about the same time. Within a size the same
    seeds stand side by side: models with one seed share their batches and their noise, which is cheaper.
    """

    def sizes(setting: Setting) -> tuple[int, int]:
        return -setting.n_hidden, -setting.n_latents

    stacks = []
    for _, group in groupby(sorted(set(settings), key=lambda one: (*sizes(one), one.seed, one)), sizes):
        alike = list(group)
        n_parts = -(-len(alike) // at_most)
        cuts = [part * len(alike) // n_parts for part in range(n_parts + 1)]
        stacks += [alike[begin:end] for begin, end in pairwise(cuts)]
    return stacks
