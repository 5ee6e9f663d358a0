"""Right, wrong, or not answered: by what an answer does, never by how it is written."""

from collections.abc import Callable
from enum import Enum
from functools import cache
from numbers import Real
from textwrap import indent
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import numpy as np
import torch

from vae_lessons.exercises import calling
from vae_lessons.exercises.calling import Outcome, TooLong, borrowed_luck, outcome, outcomes, plain
from vae_lessons.exercises.comparing import alike, difference_in_kind, first_difference, same_gradients
from vae_lessons.exercises.source import Case, Exercise, Lesson, Mistake, run
from vae_lessons.exercises.wording import call, kind, where_it_happened
from vae_lessons.torch_state import threads


class Status(Enum):
    NOT_ANSWERED = "○"
    WRONG = "✗"
    RIGHT = "✓"


class Verdict(NamedTuple):
    """What `check` says."""

    status: Status
    message: str = ""


UNCHANGED = "It still does what it did before."
DIFFERENT = "Two calls with the same arguments gave different results: "
OTHER_NOISE = DIFFERENT + "use the noise (or the generator) that is handed in, and no other."
NO_NOISE = DIFFERENT + "this function should draw nothing at random, and keep nothing from one call to the next."
NOISE = {"eps", "generator"}  # the arguments that bring noise

known = cache(run)  # what the course's own code answers: a solution, a mistake


def judge(lesson: Lesson, exercise: Exercise, answer: Any, seed: int | None = None) -> Verdict:
    """Compare an answer with the solution; if it is wrong, find the known mistake that behaves like it.

    Args:
        seed: of the random inputs; fresh ones each time if not given.
    """
    if is_untouched(exercise, answer):
        return Verdict(Status.NOT_ANSWERED)
    if exercise.cases is None:
        return _judge_value(lesson, exercise, answer)
    if not callable(answer):
        return Verdict(Status.WRONG, f"`{exercise.answer}` should be a function, and is {kind(answer)}.")
    with threads(1), borrowed_luck():
        return _judge_function(lesson, exercise, answer, exercise.cases(_generator(seed)))


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


def _judge_value(lesson: Lesson, exercise: Exercise, answer: Any) -> Verdict:
    right = known(lesson, exercise, exercise.solution)
    if callable(answer):
        return Verdict(Status.WRONG, f"`{exercise.answer}` should be {kind(right)}, and is a function.")
    if _agree(answer, right, exercise.tolerance):
        return Verdict(Status.RIGHT)
    for mistake in exercise.mistakes:  # more strictly: a hint that misfits is worse than none
        if _agree(answer, known(lesson, exercise, mistake.code), exercise.tolerance / 2):
            return Verdict(Status.WRONG, mistake.hint)
    return Verdict(Status.WRONG, _difference(answer, right, exercise.tolerance))


def _agree(answer: Any, expected: Any, tolerance: float) -> bool:
    """Whether two answers are the same: numbers to a relative error, words in any case."""
    if isinstance(expected, str) or isinstance(answer, str):
        words = isinstance(expected, str) and isinstance(answer, str)
        return words and answer.strip().casefold() == expected.strip().casefold()
    try:
        one, two = np.asarray(plain(answer), dtype=float), np.asarray(plain(expected), dtype=float)
    except (TypeError, ValueError):
        return False
    return one.shape == two.shape and np.allclose(one, two, rtol=tolerance, atol=1e-9)


def _difference(answer: Any, right: Any, tolerance: float) -> str:
    """What can be said about a wrong value that is no known mistake."""
    if isinstance(right, Real) and isinstance(answer, Real) and not isinstance(answer, bool):
        if _agree(-answer, right, tolerance):
            return f"Right but for the sign: {float(answer):g} is on the wrong side of 0."
        return f"Not this number: {float(answer):g} is too {'large' if answer > right else 'small'}."
    if type(answer) is not type(right):
        return f"The answer should be {kind(right)}, and is {kind(answer)}."
    return "Not this one."


# Functions -------------------------------------------------------------------------------------


class Trial(NamedTuple):
    """An answer that was tried: the calls, what it did in each, and what the solution did."""

    lesson: Lesson
    exercise: Exercise
    answer: Callable[..., Any]
    cases: list[Case]
    given: list[Outcome]
    wanted: list[Outcome]


def _judge_function(lesson: Lesson, exercise: Exercise, answer: Callable[..., Any], cases: list[Case]) -> Verdict:
    given = outcomes(answer, cases)
    if any(done.value is ... for done in given):
        return Verdict(Status.NOT_ANSWERED)
    right = known(lesson, exercise, exercise.solution)
    trial = Trial(lesson, exercise, answer, cases, given, [outcome(right, case) for case in cases])
    problems = [_problem(exercise, *each) for each in zip(cases, given, trial.wanted)]
    if any(problems):
        if any(_behaves_like(trial, code) for code in exercise.alternatives):
            return Verdict(Status.RIGHT)
        return Verdict(Status.WRONG, _explanation(trial, problems))
    if exercise.facts and not all(_repeats(trial, place) for place in range(len(cases))):
        return Verdict(Status.WRONG, OTHER_NOISE)
    return Verdict(Status.RIGHT)


def _explanation(trial: Trial, problems: list[str | None]) -> str:
    """The hint for a known mistake; or that it is random; or the first call that goes wrong and can be repeated."""
    failing = [number for number, problem in enumerate(problems) if problem]
    place = next((number for number in failing if _how_to_repeat(trial, number)), failing[0])
    failed = trial.given[place]
    where = where_it_happened(failed.error, ours=(__file__, calling.__file__))
    unchanged = () if failed.value is None else (Mistake(trial.exercise.stub, UNCHANGED),)
    for mistake in (*trial.exercise.mistakes, *unchanged):
        if _behaves_like(trial, mistake.code):
            return f"{mistake.hint}{where}"
    if _has_right_kind(failed, trial.wanted[place]) and not _repeats(trial, place):
        return OTHER_NOISE if _is_given_noise(trial.exercise) else NO_NOISE
    return f"On {trial.cases[place].label} {problems[place]}{_how_to_repeat(trial, place)}{where}"


def _how_to_repeat(trial: Trial, place: int) -> str:
    """The call as lines to paste; nothing where it is too long for that."""
    lines = call(trial.exercise.answer, trial.cases[place])
    return f" This is the call:\n{indent(lines, '    ')}" if lines else ""


def _has_right_kind(given: Outcome, wanted: Outcome) -> bool:
    return not (_failure(given) or difference_in_kind(given.value, wanted.value))


def _is_given_noise(exercise: Exercise) -> bool:
    """Whether one of its arguments brings noise."""
    [function] = [c for c in compile(exercise.stub, "", "exec").co_consts if isinstance(c, CodeType)]
    return bool(NOISE & set(function.co_varnames))


def _behaves_like(trial: Trial, code: str) -> bool:
    """Whether it did in every call what this code does."""
    function = known(trial.lesson, trial.exercise, code)
    return all(alike(done, outcome(function, case)) for done, case in zip(trial.given, trial.cases))


def _repeats(trial: Trial, place: int) -> bool:
    """Whether another call with the same arguments, but other luck, gives the same."""
    again = outcomes(trial.answer, [trial.cases[place]], luck=1)
    return alike(trial.given[place], again[0])


def _problem(exercise: Exercise, case: Case, given: Outcome, wanted: Outcome) -> str | None:
    """The first thing that is wrong with one call, or None."""
    return (
        _failure(given)
        or difference_in_kind(given.value, wanted.value)
        or _difference_in_value(exercise, case, given, wanted)
        or _difference_beside(given, wanted)
    )


def _failure(given: Outcome) -> str | None:
    """What is wrong whatever the right value is."""
    if isinstance(given.error, TooLong):
        return f"it was still running after {calling.TIME_LIMIT:g} s and was stopped: is there a loop that never ends?"
    if given.error is not None:
        return f"it raised {type(given.error).__name__}: {given.error}."
    if given.changed:
        return "it changed its input in place; the caller still needs it. Make a new tensor instead."
    return "it returned nothing: is there a `return`?" if given.value is None else None


def _difference_in_value(exercise: Exercise, case: Case, given: Outcome, wanted: Outcome) -> str | None:
    if exercise.facts is None:
        return first_difference(given.value, wanted.value)
    facts = (exercise.facts(case.args, done.value) for done in (given, wanted))
    pairs = zip(*(each.items() for each in facts))
    return next((f"{name} {one} where {two} is right." for (name, one), (_, two) in pairs if one != two), None)


def _difference_beside(given: Outcome, wanted: Outcome) -> str | None:
    """The value is right; but there is more to a call."""
    if not same_gradients(given.gradients, wanted.gradients):
        return (
            "the values are right, but the gradients are not: does something cut them (`.item()`, `.detach()`, NumPy)?"
        )
    if wanted.moved and not given.moved:
        return "the generator stands where it stood, so the next call would draw the same noise: draw from it, not from a copy."
    return None
