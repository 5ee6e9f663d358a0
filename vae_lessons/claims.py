"""What a page claims, checked where it stands, with the numbers that bear it out (every notebook)."""

import math
from numbers import Rational, Real

import numpy as np
from torch import Tensor

from vae_lessons.montecarlo import Estimate


def claim(sentence: str, holds: bool | np.bool_ | Tensor, *measured: object) -> None:
    """Print ``✓ sentence: measured``, if the computation bears it out.

    What follows the last ": " may differ in its digits from machine to machine, so it is masked when
    stored notebooks are compared; everything before it must be the same to the letter.

    Args:
        sentence: what is claimed, without ": ".
        holds: one truth value; NaN, a list or a function is none.
        measured: what the claim rests on, printed in this order: numbers to 4 digits, an `Estimate`
            with its standard error, tensors, arrays and tuples of them, SymPy expressions, and words in between.

    Raises:
        TypeError: `holds` is no single truth value.
        ValueError: nothing measured, or a sentence with ": ".
        AssertionError: it does not hold. The notebook stops, and so does its test.
    """
    if ": " in sentence:
        raise ValueError(f"sentence must not contain ': ', which ends it, got {sentence!r}")
    if not measured:
        raise ValueError(f"measured must have at least one number, got none for {sentence!r}")
    shown = " ".join(map(text, measured))
    if not _truth(holds):
        raise AssertionError(f"this does not hold: {sentence}: {shown}")
    print(f"✓ {sentence}: {shown}")


def _truth(holds: object) -> bool:
    """One truth value, of Python, NumPy or torch."""
    if isinstance(holds, Tensor) and holds.ndim == 0:
        holds = holds.item()
    if not isinstance(holds, bool | np.bool_):
        raise TypeError(f"holds must be True or False, got {type(holds).__name__}")
    return bool(holds)


def text(value: object) -> str:
    """A measured value as a claim prints it: 4 significant digits, an error bar where there is one."""
    if isinstance(value, Estimate):
        return _with_error(value)
    if isinstance(value, Tensor | np.ndarray):
        return text(value.tolist())
    if isinstance(value, list | tuple):
        return ", ".join(map(text, value))
    if isinstance(value, Real) and not isinstance(value, Rational):  # whole numbers and fractions are exact
        return _number(float(value))
    return str(value)


def _number(value: float) -> str:
    """4 significant digits, as a person writes them: 0.03312, 17.3, 21345, 1.2e-08."""
    if not math.isfinite(value) or value == 0:
        return f"{value:g}"
    digits = max(0, 3 - math.floor(math.log10(abs(value))))
    return f"{value:.4g}" if abs(value) < 1e-4 else f"{value:.{digits}f}"


def _with_error(estimate: Estimate) -> str:
    """Mean ± standard error, to two digits of the error; several with a comma between."""
    means, errors = estimate.mean.flatten().tolist(), estimate.std_error.flatten().tolist()
    return ", ".join(_one_with_error(mean, error) for mean, error in zip(means, errors))


def _one_with_error(mean: float, error: float) -> str:
    if not math.isfinite(error) or error <= 0:
        return f"{_number(mean)} ± {error:g}"
    digits = max(0, 1 - math.floor(math.log10(error)))
    return f"{mean:.{digits}f} ± {error:.{digits}f}"
