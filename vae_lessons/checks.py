"""Errors that name the argument, what came and what was expected.

Every public function checks its inputs here, so that a slip shows up where it was made:
nothing is silently broadcast, clipped or turned into NaN.
"""

import math
from numbers import Real

import torch
from torch import Tensor


def check_tensor(name: str, value: Tensor, ndim: int | None = None) -> None:
    """Raise unless `value` is a non-empty, finite, floating-point tensor (of `ndim` dimensions).

    Raises:
        TypeError: not a tensor, or not floating point (integers would round silently).
        ValueError: empty, NaN or infinite, or the wrong number of dimensions.
    """
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} must be a torch.Tensor, got {type(value).__name__}")
    if not value.is_floating_point():
        raise TypeError(f"{name} must be a floating-point tensor, got {value.dtype}")
    if ndim is not None and value.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} dimensions, got shape {tuple(value.shape)}")
    if value.numel() == 0:
        raise ValueError(f"{name} must not be empty, got shape {tuple(value.shape)}")
    # one cheap pass first: a finite sum has finite terms, but large terms can overflow their sum
    if not math.isfinite(value.detach().sum()) and not torch.isfinite(value).all():
        raise ValueError(f"{name} must be finite, got NaN or infinite entries")


def check_alike(**tensors: Tensor) -> None:
    """Check every tensor, and that all have one shape and one dtype: nothing is broadcast."""
    for name, value in tensors.items():
        check_tensor(name, value)
    (first, reference), *others = tensors.items()
    for name, value in others:
        if value.shape != reference.shape:
            raise ValueError(
                f"{name} must have the shape of {first}, {tuple(reference.shape)}, got {tuple(value.shape)}"
            )
        if value.dtype != reference.dtype:
            raise TypeError(f"{name} must have the dtype of {first}, {reference.dtype}, got {value.dtype}")


def check_positive(name: str, value: float | Tensor) -> None:
    """Raise unless every entry of `value` is a finite number above zero."""
    if not (smallest := _smallest(name, value)) > 0:
        raise ValueError(f"{name} must be positive, got {smallest:g}")


def check_not_negative(name: str, value: float | Tensor) -> None:
    """Raise unless every entry of `value` is a finite number, zero or above."""
    if not (smallest := _smallest(name, value)) >= 0:
        raise ValueError(f"{name} must not be negative, got {smallest:g}")


def _smallest(name: str, value: float | Tensor) -> float:
    """The smallest entry of a number or a tensor, once it is known to be finite."""
    if isinstance(value, Tensor):
        check_tensor(name, value)
        return value.min().item()
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number or a torch.Tensor, got {type(value).__name__}")
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite, got {value}")
    return float(value)


def check_unit_interval(name: str, value: Tensor) -> None:
    """Raise unless every entry of `value` lies in [0, 1]."""
    check_tensor(name, value)
    low, high = value.min().item(), value.max().item()
    if low < 0 or high > 1:
        raise ValueError(f"{name} must lie in [0, 1], got values from {low:g} to {high:g}")


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise unless `value` is one of `choices`."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")


def check_count(name: str, value: int, at_least: int = 1) -> None:
    """Raise unless `value` is a whole number of at least `at_least`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int, got {type(value).__name__}")
    if value < at_least:
        raise ValueError(f"{name} must be at least {at_least}, got {value}")
