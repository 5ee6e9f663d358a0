"""What `check` says of a value: its kind in words, itself as code to paste, two of them so that they differ."""

import traceback
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vae_lessons.exercises.calling import TooLong, plain
from vae_lessons.exercises.source import Case

SMALL = 12  # values that can be read at a glance
NAMES = {"str": "word in quotes", "complex": "complex number", "ndarray": "NumPy array"}


def kind(value: Any) -> str:
    """ "a tensor of shape (5, 3)", "a function", "a number": the type in words."""
    if value is None:
        return "None"
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}" if value.ndim else "a tensor with one number"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    if callable(value):
        return "a function"
    if isinstance(value, Real) and not isinstance(value, bool):
        return "a number"
    name = NAMES.get(type(value).__name__, type(value).__name__)
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def call(name: str, case: Case) -> str | None:
    """A call as lines to paste into a cell; None where that would be long, or cannot be."""
    written = [as_code(arg) for arg in case.args]
    if None in written:
        return None
    return "\n".join([*case.before.splitlines(), f"{name}({', '.join(map(str, written))})"])


def as_code(value: Any) -> str | None:
    """What makes this argument: a number, a small tensor or array, a generator, what brings its own code."""
    if isinstance(value, Tensor | np.ndarray):
        return _array_as_code(value) if 0 < np.prod(value.shape) <= SMALL else None
    if isinstance(value, torch.Generator):
        fresh = f"torch.Generator().manual_seed({value.initial_seed()})"
        return fresh if torch.equal(eval(fresh).get_state(), value.get_state()) else "generator"
    if isinstance(value, float):
        return _number(value)
    return repr(value) if isinstance(value, int) else getattr(value, "code", None)


def _array_as_code(value: Tensor | np.ndarray) -> str:
    numbers = _nested(plain(value), _number)
    if isinstance(value, np.ndarray):
        return f"np.array({numbers})"
    double = ", dtype=torch.float64" if value.dtype == torch.float64 else ""
    return f"torch.tensor({numbers}{double}){'.requires_grad_()' if value.requires_grad else ''}"


def _number(value: Any) -> str:
    """With all digits that its precision has."""
    return str(value) if np.isfinite(value) else f"float('{value}')"


def _nested(values: np.ndarray, write: Callable[[Any], str]) -> str:
    if values.ndim == 0:
        return write(values[()])
    return f"[{', '.join(_nested(each, write) for each in values)}]"


# Two results that differ -----------------------------------------------------------------------


def told_apart(one: np.ndarray, two: np.ndarray) -> tuple[str, str]:
    """Both in words, with as many digits as it takes to tell them apart."""
    for digits in (6, 9, 12, 17):
        texts = [_nested(values, f"{{:.{digits}g}}".format) for values in (one, two)]
        if texts[0] != texts[1]:
            break
    return texts[0], texts[1]


def worst(one: np.ndarray, two: np.ndarray) -> tuple[int, ...]:
    """Where two arrays differ most, measured by what stands there."""
    with np.errstate(all="ignore"):
        off = np.nan_to_num(np.abs(one - two) / (np.abs(two) + 1e-3), nan=0.0, posinf=1e300)
    off[np.isnan(one) != np.isnan(two)] = np.inf
    return tuple(map(int, np.unravel_index(off.argmax(), off.shape)))


# Errors ----------------------------------------------------------------------------------------


def where_it_happened(error: BaseException | None, ours: Sequence[str]) -> str:
    """The lines of the learner's own code that raised an error; nothing if there was none."""
    if error is None or isinstance(error, TooLong):
        return ""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename not in ours and "site-packages" not in frame.filename
    ]
    lines = "".join(traceback.format_list(frames) + traceback.format_exception_only(error))
    return f"\nWhere it happened:\n{lines.rstrip()}"
