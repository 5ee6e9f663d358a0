"""Two results side by side: of the same kind, and the same up to what rounding leaves."""

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vae_lessons.exercises.calling import Outcome, plain
from vae_lessons.exercises.wording import SMALL, kind, told_apart, worst


def difference_in_kind(given: Any, wanted: Any, what: str = "it returned") -> str | None:
    """Another type, length, shape or dtype, in words; None if there is no such difference.

    Args:
        what: how the sentence begins, "it returned" or "part 2 of what it returned is".
    """
    if isinstance(wanted, tuple):
        return _difference_in_parts(given, wanted, what)
    if not isinstance(wanted, Tensor):
        return None if _is_like(given, wanted) else f"{what} {kind(given)} where {kind(wanted)} is wanted."
    if not isinstance(given, Tensor) or given.shape != wanted.shape:
        return f"{what} {kind(given)} where {kind(wanted)} is wanted."
    if given.dtype != wanted.dtype:
        return f"{what} {given.dtype} where {wanted.dtype} is wanted: a dtype should come from the input."
    return None


def _difference_in_parts(given: Any, wanted: tuple[Any, ...], what: str) -> str | None:
    if not isinstance(given, tuple | list) or len(given) != len(wanted):
        return f"{what} {kind(given)} where {kind(wanted)} is wanted."
    parts = enumerate(zip(given, wanted), start=1)
    found = [difference_in_kind(*pair, f"part {number} of what it returned is") for number, pair in parts]
    return next(filter(None, found), None)


def _is_like(given: Any, wanted: Any) -> bool:
    """A number may be of any kind: of Python, of NumPy, a tensor with one number."""
    return is_number(given) if isinstance(wanted, Real) else isinstance(given, type(wanted))


def is_number(value: Any) -> bool:
    """Whether it is one real number."""
    if isinstance(value, Tensor | np.ndarray):
        return value.ndim == 0 and plain(value).dtype.kind in "biuf"
    return isinstance(value, Real)


def close(one: Any, two: Any) -> bool:
    """Whether two results are the same up to rounding; what is no number has to be equal."""
    if isinstance(one, tuple | list) and isinstance(two, tuple | list):
        return len(one) == len(two) and all(map(close, one, two))
    if not (_has_numbers(one) and _has_numbers(two)):
        return type(one) is type(two) and isinstance(one, str | None) and one == two
    rtol, atol = _tolerance(one, two)
    first, second = (np.asarray(plain(each), dtype=float) for each in (one, two))
    return first.shape == second.shape and np.allclose(first, second, rtol=rtol, atol=atol, equal_nan=True)


def _has_numbers(value: Any) -> bool:
    return is_number(value) or (isinstance(value, Tensor | np.ndarray) and plain(value).dtype.kind in "biuf")


def _tolerance(*values: Any) -> tuple[float, float]:
    """Relative and absolute: what single precision leaves, or double; none for a whole number that was counted."""
    dtypes = {value.dtype for value in values if isinstance(value, Tensor)}
    if isinstance(values[-1], int):
        return 0.0, 0.0
    if not dtypes:  # plain numbers, which may have been through either
        return 2e-4, 1e-7
    return (1e-6, 1e-8) if dtypes == {torch.float64} else (2e-4, 2e-5)


def first_difference(given: Any, wanted: Any, part: str = "") -> str | None:
    """Two results of the same kind, with so many digits that they look different; of large ones an entry."""
    if close(given, wanted):
        return None
    if isinstance(wanted, tuple):
        names = [f"part {number}" for number in range(1, len(wanted) + 1)]
        return next(filter(None, map(first_difference, given, wanted, names)))
    one, two = (np.asarray(plain(each), dtype=float) for each in (given, wanted))
    place: tuple[int, ...]
    if one.size <= SMALL:
        what, place = f"{part} is" if part else "it returned", ()
    else:
        place = worst(one, two)
        what = f"entry {list(place)} of {part or 'what it returned'} is"
    return "{} {} where {} is right.".format(what, *told_apart(one[place], two[place]))


def same_gradients(one: Sequence[Tensor | None], two: Sequence[Tensor | None]) -> bool:
    """Whether two calls have the same gradients; where nothing arrives there is none."""
    return len(one) == len(two) and all(
        (a is None and b is None) or (a is not None and b is not None and close(a, b)) for a, b in zip(one, two)
    )


def alike(one: Outcome, two: Outcome) -> bool:
    """Whether two calls did the same: a learner's, and that of a known mistake."""
    if one.error is not None or two.error is not None:
        return type(one.error) is type(two.error)
    return (
        (one.changed, one.moved) == (two.changed, two.moved)
        and _same_dtype(one.value, two.value)
        and close(one.value, two.value)
        and same_gradients(one.gradients, two.gradients)
    )


def _same_dtype(one: Any, two: Any) -> bool:
    """A plain number may stand for a tensor of any dtype."""
    return not (isinstance(one, Tensor) and isinstance(two, Tensor)) or one.dtype == two.dtype
