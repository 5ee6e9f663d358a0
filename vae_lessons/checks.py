"""Errors that name the argument, what came and what was expected.

Every public function checks its inputs here, so that a slip shows up where it was made:
nothing is silently broadcast, clipped or turned into NaN.
"""

import math
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from numbers import Integral, Real

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

DTYPES = (torch.float32, torch.float64)

_entries_known = ContextVar("_entries_known", default=False)


@contextmanager
def entries_known() -> Iterator[None]:
    """Within, the entries of tensors are not looked at again; their types, dtypes and shapes still are.

    For a training loop, whose images were all looked at once: a pass over every tensor of every step costs as
    much as the step itself, and on a GPU each pass makes the processor wait for the device.
    """
    token = _entries_known.set(True)
    try:
        yield
    finally:
        _entries_known.reset(token)


def check_type(name: str, value: object, kind: type) -> None:
    """Raise a TypeError unless `value` is a `kind`."""
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be of type {kind.__name__}, got {type(value).__name__}")


def check_generators(value: object) -> None:
    """Raise a TypeError unless `value` is one of torch's generators, or a list of at least one."""
    for each in value or [None] if isinstance(value, (list, tuple)) else [value]:
        check_type("generator", each, torch.Generator)


def check_callable(name: str, value: object) -> None:
    """Raise a TypeError unless `value` can be called."""
    if not callable(value):
        raise TypeError(f"{name} must be a function, got {type(value).__name__}")


def check_tensor(name: str, value: Tensor, shape: str = "(...)") -> None:
    """Raise unless `value` is a non-empty, finite tensor of floating point.

    Args:
        shape: its dimensions, a letter each: "(B, D)" stands for two, "(..., B, D)" or "(S, B, ...)" for two or more.

    Raises:
        TypeError: not a tensor, or neither float32 nor float64 (integers would round silently).
        ValueError: empty, NaN or infinite, or the wrong number of dimensions.
    """
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} must be a torch.Tensor, got {type(value).__name__}")
    if value.dtype not in DTYPES:
        raise TypeError(f"{name} must be a floating-point tensor, float32 or float64, got {value.dtype}")
    if shape != "(...)" and not _has_shape(value.ndim, shape):
        raise ValueError(f"{name} must have shape {shape}, got {tuple(value.shape)}")
    if value.numel() == 0:
        raise ValueError(f"{name} must not be empty, got shape {tuple(value.shape)}")
    if not _entries_known.get() and not is_finite(value):
        raise ValueError(f"{name} must be finite, got NaN or infinite entries")


def is_finite(value: Tensor) -> bool:
    """Whether no entry of `value` is NaN or infinite."""
    # one cheap pass first: a finite sum has finite terms, but large terms can overflow their sum
    return math.isfinite(value.detach().sum()) or bool(torch.isfinite(value).all())


def _has_shape(ndim: int, shape: str) -> bool:
    """Whether so many dimensions fit "(B, D)" or "(..., B, D)"."""
    letters = shape.strip("(,)").split(", ")
    return ndim >= len(letters) - 1 if "..." in letters else ndim == len(letters)


def check_alike(shape: str = "(...)", /, **tensors: Tensor) -> None:
    """Check every tensor, and that all have one shape and one dtype: nothing is broadcast.

    Raises:
        TypeError, ValueError: see `check_tensor`; or another shape or dtype than the first.
    """
    (first, reference), *others = tensors.items()
    check_tensor(first, reference, shape)
    for name, value in others:
        check_tensor(name, value)
        if value.shape != reference.shape:
            raise ValueError(
                f"{name} must have the shape of {first}, {tuple(reference.shape)}, got {tuple(value.shape)}"
            )
        check_dtype(name, value, first, reference.dtype)


def check_dtype(name: str, value: Tensor, of: str, dtype: torch.dtype) -> None:
    """Raise a TypeError unless `value` has the dtype of what `of` names: nothing is converted silently."""
    if value.dtype != dtype:
        raise TypeError(f"{name} must have the dtype of {of}, {dtype}, got {value.dtype}")


def check_draws(name: str, value: Tensor, of: str, one: Tensor) -> None:
    """Raise unless `value` is (S, ...), S times the shape of what `of` names, and of its dtype.

    Raises:
        TypeError, ValueError: see `check_tensor`; or another shape or dtype.
    """
    check_tensor(name, value)
    if value.ndim == 0 or value.shape[1:] != one.shape:
        wanted = ", ".join(map(str, ("S", *one.shape)))
        raise ValueError(f"{name} must have shape ({wanted}), S times that of {of}, got {tuple(value.shape)}")
    check_dtype(name, value, of, one.dtype)


def check_input(name: str, value: Tensor, model: nn.Module, n_columns: int, shape: str = "(B, D)") -> None:
    """Raise unless the rows of `value` can go into `model`: so many columns, of its dtype, on its device, finite.

    Raises:
        TypeError, ValueError: see `check_tensor`; or another dtype, width or device.
    """
    check_tensor(name, value)
    check_layer_input(name, value, model, n_columns, shape)


def check_layer_input(name: str, value: Tensor, model: nn.Module, n_columns: int, shape: str = "(..., D)") -> None:
    """`check_input` without looking at the numbers: cheap enough for every layer of every step."""
    check_type(name, value, Tensor)
    if not _has_shape(value.ndim, shape) or value.shape[-1] != n_columns:
        raise ValueError(f"{name} must have shape (B, {n_columns}), got {tuple(value.shape)}")
    weight = next(model.parameters())
    check_dtype(name, value, "the model", weight.dtype)
    if value.device != weight.device:
        raise ValueError(f"{name} must be on the device of the model, {weight.device}, got {value.device}")


def check_one_or_shape(name: str, value: float | Tensor, shape: Sequence[int], like: Tensor | None = None) -> None:
    """Raise unless `value` is one number for all, a scalar tensor too, or a tensor of `shape` (and of like's dtype).

    For arguments that may differ from model to model of a stack: nothing else is broadcast. Call a check
    of its values first, such as `check_positive`.

    Raises:
        TypeError, ValueError: a tensor of another dtype or shape.
    """
    if not isinstance(value, Tensor) or value.ndim == 0:
        return
    if value.shape != torch.Size(shape):
        wanted = f"be one number or have shape {tuple(shape)}" if shape else "be one number"
        raise ValueError(f"{name} must {wanted}, got shape {tuple(value.shape)}")
    if like is not None and value.dtype != like.dtype:
        raise TypeError(f"{name} must be {like.dtype} like the rest, got {value.dtype}")


def check_finite(name: str, value: float | Tensor) -> None:
    """Raise unless `value` is a finite number, or a tensor of finite numbers."""
    _smallest(name, value)


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


def check_number(name: str, value: float | Tensor, above: float = -math.inf) -> float:
    """`value` as a float, once it is known to be one finite number, and above a limit; a scalar tensor is one too.

    Raises:
        TypeError: a bool, text, a list, or None.
        ValueError: NaN, infinite, not above the limit, or a tensor with a shape.
    """
    if isinstance(value, Tensor) and value.ndim > 0:
        raise ValueError(f"{name} must be one number, got shape {tuple(value.shape)}")
    number = _smallest(name, value)
    if not number > above:
        raise ValueError(f"{name} must be {f'above {above:g}' if above else 'positive'}, got {number:g}")
    return number


def check_unit_interval(name: str, value: Tensor) -> None:
    """Raise unless every entry of `value` lies in [0, 1]."""
    check_tensor(name, value)
    if _entries_known.get():
        return
    low, high = value.min().item(), value.max().item()
    if low < 0 or high > 1:
        raise ValueError(f"{name} must lie in [0, 1], got values from {low:g} to {high:g}")


def check_choice(name: str, value: str, choices: Collection[str]) -> None:
    """Raise unless `value` is one of `choices`."""
    if value not in tuple(choices):
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")


def check_count(name: str, value: int, at_least: int = 1) -> None:
    """Raise unless `value` is a whole number of at least `at_least`."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be an int, got {type(value).__name__}")
    if value < at_least:
        raise ValueError(f"{name} must be at least {at_least}, got {value}")


def as_array(name: str, value: ArrayLike | Tensor, shape: str) -> NDArray[np.float64]:
    """`value` as a float64 array of its own, non-empty and finite; a tensor's gradient is left behind.

    Args:
        shape: its dimensions, a letter each, as in `check_tensor`.

    Raises:
        TypeError: no real numbers, or lists of unequal length.
        ValueError: empty, NaN or infinite, or the wrong number of dimensions.
    """
    if isinstance(value, Tensor):
        value = value.detach().cpu()
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must be an array of numbers: {error}") from None
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name} must be an array of real numbers, got {type(value).__name__} of {array.dtype}")
    if not _has_shape(array.ndim, shape):
        raise ValueError(f"{name} must have shape {shape}, got {array.shape}")
    if array.size == 0:
        raise ValueError(f"{name} must not be empty, got shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got NaN or infinite entries")
    return array.astype(np.float64)
