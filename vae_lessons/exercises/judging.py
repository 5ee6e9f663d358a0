"""Right, wrong, or not answered: by what an answer does, never by how it is written."""

import traceback
from collections.abc import Callable, Sequence
from enum import Enum
from numbers import Real
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from vae_lessons.exercises import calling
from vae_lessons.exercises.calling import Outcome, TooLong, outcomes, plain
from vae_lessons.exercises.source import Case, Exercise, Lesson, Mistake, run


class Status(Enum):
    NOT_ANSWERED = "○"
    WRONG = "✗"
    RIGHT = "✓"


class Verdict(NamedTuple):
    """What `check` says."""

    status: Status
    message: str = ""


UNCHANGED = "It still does what it did before."
RANDOM = "Two calls with the same arguments gave different results: use the noise (or the generator) that is handed in, and no other."


def judge(lesson: Lesson, exercise: Exercise, answer: Any, seed: int | None = None) -> Verdict:
    """Compare an answer with the solution; if it is wrong, find the known mistake that behaves like it.

    Args:
        seed: of the random inputs; fresh ones each time if not given.
    """
    if is_untouched(exercise, answer):
        return Verdict(Status.NOT_ANSWERED)
    right = run(lesson, exercise, exercise.solution)
    if exercise.cases is None:
        return _judge_value(lesson, exercise, answer, right)
    if not callable(answer):
        return Verdict(Status.WRONG, f"`{exercise.answer}` should be a function, and is {_kind(answer)}.")
    return _judge_function(lesson, exercise, answer, right, _generator(seed))


def _generator(seed: int | None) -> torch.Generator:
    generator = torch.Generator()
    return generator.manual_seed(generator.seed() % 2**31 if seed is None else seed)


def is_untouched(exercise: Exercise, answer: Any) -> bool:
    """Whether the stub was left as it is; a function by its compiled code."""
    if isinstance(answer, FunctionType):
        stubs = [c for c in compile(exercise.stub, "", "exec").co_consts if isinstance(c, CodeType)]
        return any(_same_code(stub, answer.__code__) for stub in stubs if stub.co_name == answer.__name__)
    return answer is ...


def _same_code(one: CodeType, two: CodeType) -> bool:
    return (one.co_code, one.co_names, one.co_varnames) == (two.co_code, two.co_names, two.co_varnames) and (
        len(one.co_consts) == len(two.co_consts)
        and all(_same_code(a, b) if isinstance(a, CodeType) else a == b for a, b in zip(one.co_consts, two.co_consts))
    )


# Values ----------------------------------------------------------------------------------------


def _judge_value(lesson: Lesson, exercise: Exercise, answer: Any, right: Any) -> Verdict:
    if callable(answer):
        return Verdict(Status.WRONG, f"`{exercise.answer}` should be {_kind(right)}, and is a function.")
    if _agree(answer, right, exercise.tolerance):
        return Verdict(Status.RIGHT)
    for mistake in exercise.mistakes:
        if _agree(answer, run(lesson, exercise, mistake.code), exercise.tolerance):
            return Verdict(Status.WRONG, mistake.hint)
    return Verdict(Status.WRONG, _difference(answer, right))


def _agree(answer: Any, expected: Any, tolerance: float) -> bool:
    """Whether two answers are the same: numbers to a relative error, words in any case."""
    if isinstance(expected, str) or isinstance(answer, str):
        words = isinstance(expected, str) and isinstance(answer, str)
        return words and answer.strip().casefold() == expected.strip().casefold()
    try:
        one, two = np.asarray(answer, dtype=float), np.asarray(expected, dtype=float)
    except (TypeError, ValueError):
        return False
    return one.shape == two.shape and np.allclose(one, two, rtol=tolerance, atol=1e-9)


def _difference(answer: Any, right: Any) -> str:
    """What can be said about a wrong value that is no known mistake."""
    if isinstance(right, Real) and isinstance(answer, Real) and not isinstance(answer, bool):
        return f"Not this number: {answer:g} is too {'large' if answer > right else 'small'}."
    if type(answer) is not type(right):
        return f"The answer should be {_kind(right)}, and is {_kind(answer)}."
    return "Not this one."


# Functions -------------------------------------------------------------------------------------


def _judge_function(
    lesson: Lesson, exercise: Exercise, answer: Callable, right: Callable, generator: torch.Generator
) -> Verdict:
    cases = exercise.cases(generator)
    given = outcomes(answer, cases)
    if any(outcome.value is ... for outcome in given):
        return Verdict(Status.NOT_ANSWERED)
    problems = list(map(_problem, cases, given, outcomes(right, cases)))
    if not any(problems):
        return Verdict(Status.RIGHT)
    place = next(number for number, problem in enumerate(problems) if problem)
    known = (
        [*exercise.mistakes, Mistake(exercise.stub, UNCHANGED)] if given[place].value is not None else exercise.mistakes
    )
    for mistake in known:
        if all(map(_alike, given, outcomes(run(lesson, exercise, mistake.code), cases))):
            return Verdict(Status.WRONG, mistake.hint + _traceback(given[place]))
    if not all(map(_alike, given, outcomes(answer, cases, luck=1))):
        return Verdict(Status.WRONG, RANDOM)
    return Verdict(Status.WRONG, problems[place] + _traceback(given[place]))


def _problem(case: Case, given: Outcome, wanted: Outcome) -> str | None:
    """The first thing that is wrong with one call, or None."""
    problem = _failure(given) or _difference_in_kind(given.value, wanted.value)
    if problem is None and not _close(given.value, wanted.value):
        problem = _first_difference(given.value, wanted.value) + _called_with(case.args)
    if problem is None and not _same_gradients(given.gradients, wanted.gradients):
        problem = (
            "the values are right, but the gradients are not: does something cut them (`.item()`, `.detach()`, NumPy)?"
        )
    return problem and f"On {case.label} {problem}"


def _failure(given: Outcome) -> str | None:
    """What is wrong whatever the right value is."""
    if isinstance(given.error, TooLong):
        return f"it was still running after {calling.TIME_LIMIT:g} s and was stopped: is there a loop that never ends?"
    if given.error is not None:
        return f"it raised {type(given.error).__name__}: {given.error}"
    if given.changed:
        return "it changed its input in place; the caller still needs it. Make a new tensor instead."
    return "it returned nothing: is there a `return`?" if given.value is None else None


def _difference_in_kind(given: Any, wanted: Any) -> str | None:
    """Another type, shape or dtype."""
    if isinstance(wanted, Tensor) != isinstance(given, Tensor) and not (
        isinstance(wanted, Real) and isinstance(given, Tensor) and given.ndim == 0
    ):
        return f"it returned {_kind(given)} where {_kind(wanted)} is wanted."
    if not isinstance(wanted, Tensor):
        return None if _is_comparable(given, wanted) else f"it returned {_kind(given)} where {_kind(wanted)} is wanted."
    if given.shape != wanted.shape:
        return f"it returned shape {tuple(given.shape)} where {tuple(wanted.shape)} is wanted."
    if given.dtype != wanted.dtype:
        return f"it returned {given.dtype} where {wanted.dtype} is wanted: a dtype should come from the input."
    return None


def _is_comparable(given: Any, wanted: Any) -> bool:
    if isinstance(wanted, tuple | list):
        return isinstance(given, tuple | list) and len(given) == len(wanted)
    return isinstance(given, type(wanted)) or (
        isinstance(wanted, Real) and (isinstance(given, Real) or np.ndim(given) == 0)
    )


def _close(one: Any, two: Any) -> bool:
    if isinstance(one, tuple | list) and isinstance(two, tuple | list):
        return len(one) == len(two) and all(map(_close, one, two))
    if isinstance(one, str) or isinstance(two, str):
        return isinstance(one, str) and isinstance(two, str) and one == two
    if one is None or two is None:
        return one is two
    rtol, atol = _tolerance(one, two)
    try:
        one, two = (torch.as_tensor(each, dtype=torch.float64) for each in (one, two))
    except (TypeError, ValueError, RuntimeError):
        return False
    return one.shape == two.shape and torch.allclose(one, two, rtol=rtol, atol=atol, equal_nan=True)


def _tolerance(*values: Any) -> tuple[float, float]:
    """Relative and absolute: what single precision leaves, or double; a plain number may have been through either."""
    dtypes = {value.dtype for value in values if isinstance(value, Tensor)}
    if not dtypes:
        return 2e-4, 1e-7
    return (1e-6, 1e-8) if dtypes == {torch.float64} else (2e-4, 2e-5)


def _same_gradients(one: tuple[Tensor | None, ...], two: tuple[Tensor | None, ...]) -> bool:
    return len(one) == len(two) and all(
        (a is None and b is None) or (a is not None and b is not None and _close(a, b)) for a, b in zip(one, two)
    )


def _alike(one: Outcome, two: Outcome) -> bool:
    """Whether a learner's call did what a known mistake does."""
    if one.error is not None or two.error is not None:
        return type(one.error) is type(two.error)
    return (
        one.changed == two.changed
        and _same_dtype(one.value, two.value)
        and _close(one.value, two.value)
        and _same_gradients(one.gradients, two.gradients)
    )


def _same_dtype(one: Any, two: Any) -> bool:
    """A plain number may stand for a tensor of any dtype."""
    return not (isinstance(one, Tensor) and isinstance(two, Tensor)) or one.dtype == two.dtype


# Words -----------------------------------------------------------------------------------------


def _traceback(outcome: Outcome) -> str:
    """Where the learner's own code raised its error, if it did."""
    if outcome.error is None or isinstance(outcome.error, TooLong):
        return ""
    ours = (__file__, calling.__file__)
    frames = [
        frame
        for frame in traceback.extract_tb(outcome.error.__traceback__)
        if frame.filename not in ours and "site-packages" not in frame.filename
    ]
    lines = "".join(traceback.format_list(frames) + traceback.format_exception_only(outcome.error))
    return f"\nWhere it happened:\n{lines.rstrip()}"


def _kind(value: Any) -> str:
    """ "a tensor", "a function", "an int": the type in words."""
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if callable(value):
        return "a function"
    name = {"str": "word in quotes", "NoneType": "None", "float": "number"}.get(
        type(value).__name__, type(value).__name__
    )
    return name if name == "None" else f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _first_difference(given: Any, wanted: Any) -> str:
    """Where two results begin to differ, and what stands there."""
    if isinstance(wanted, tuple | list):
        number = next(number for number, pair in enumerate(zip(given, wanted)) if not _close(*pair))
        return f"part {number + 1} is wrong: {_first_difference(given[number], wanted[number])}"
    if np.ndim(plain(wanted)) == 0 or np.shape(plain(given)) != np.shape(plain(wanted)):
        return f"it returned {_brief(given)} where {_brief(wanted)} is right."
    one, two = plain(given).astype(float), plain(wanted).astype(float)
    off = np.nan_to_num(np.abs(one - two), nan=np.inf) > 2e-4 * np.abs(two) + 1e-7
    place = tuple(np.argwhere(off)[0]) if off.any() else tuple(np.argwhere(one != two)[0])
    index = ", ".join(map(str, place))
    return f"entry [{index}] of what it returned is {one[place]:.6g} where {two[place]:.6g} is right."


def _called_with(args: Sequence[Any]) -> str:
    """The arguments, if they can be shown in a line."""
    small = all(isinstance(arg, Real | str) or (hasattr(arg, "shape") and np.prod(arg.shape) <= 6) for arg in args)
    return f" It was called with {_brief(args)}." if small else ""


def _brief(value: Any) -> str:
    """A number, a word, or a small tensor in one line; of a large one its shape."""
    if isinstance(value, tuple):
        return f"({', '.join(map(_brief, value))})"
    if isinstance(value, Tensor | np.ndarray):
        small = np.prod(value.shape) <= 6
        return str(np.round(plain(value), 6).tolist()) if small else f"values of shape {tuple(value.shape)}"
    return f"{value:.6g}" if isinstance(value, float) else repr(value)
