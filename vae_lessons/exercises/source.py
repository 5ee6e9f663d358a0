"""What an exercise is made of: everything about it stands in one place, in `lesson00`, `lesson01`, …

The notebook's cells, the checker, the hints, the graded assignment and the tests all come from there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Mistake(NamedTuple):
    """A wrong answer that people give, and what helps them: code for the learner's cell, and a hint."""

    code: str
    hint: str


class Case(NamedTuple):
    """One call of a learner's function.

    Attributes:
        label: what is special about it, "a batch of 5", as in "On a batch of 5 …".
        args: what it is called with; tensors that require gradients have those compared as well.
        before: the lines that a learner needs before the call, to repeat it.
    """

    label: str
    args: tuple[Any, ...]
    before: str = ""


class Function:
    """An argument that is a function, with the code that a learner is shown for it."""

    def __init__(self, code: str):
        self.code = code
        self.call: Callable[[Tensor], Tensor] = eval(code, {"torch": torch})

    def __call__(self, z: Tensor) -> Tensor:
        return self.call(z)


def draws(generator: torch.Generator, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Fresh standard normal numbers, rounded so that they can be copied by hand."""
    return torch.randn(shape, generator=generator, dtype=dtype).round(decimals=2)


def shares(generator: torch.Generator, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Fresh numbers between 0 and 1, rounded likewise."""
    return torch.rand(shape, generator=generator, dtype=dtype).round(decimals=2)


@dataclass(frozen=True)
class Exercise:
    """One exercise, answered by a number, a word or a function.

    Attributes:
        name: how `check` finds it, "kl-log-var".
        title: what it is, in the notebook.
        task: Markdown.
        stub: the cell that the learner edits; it defines `answer` without being right.
        answer: the name that the stub defines.
        solution: what could stand in its place; the checker compares behaviour with it.
        why: Markdown, shown with the solution.
        hints: one to three steps, each of which gives away more.
        mistakes: the known ones; whoever behaves like one is given its hint.
        cases: makes the calls to compare: small and extreme ones that are always the same, and fresh ones; None
            where no function is asked for.
        alternatives: other results that are right, where the task leaves a choice.
        facts: what a result has to have, by name, where many results are right; from the arguments and the result.
        tolerance: the relative error that a number may have.
        points: in a graded class.
    """

    name: str
    title: str
    task: str
    stub: str
    answer: str
    solution: str
    why: str
    hints: tuple[str, ...]
    mistakes: tuple[Mistake, ...]
    cases: Callable[[torch.Generator], list[Case]] | None = None
    alternatives: tuple[str, ...] = ()
    facts: Callable[[tuple[Any, ...], Any], dict[str, Any]] | None = None
    tolerance: float = 0.01
    points: int = 1


class Lesson(NamedTuple):
    """The exercises of one notebook, and the imports they share."""

    number: str
    setup: str
    exercises: tuple[Exercise, ...]


def run(lesson: Lesson, exercise: Exercise, code: str) -> Any:
    """What `code`, written into the learner's cell, answers."""
    namespace: dict[str, Any] = {}
    exec(compile(lesson.setup, f"<lesson {lesson.number}>", "exec"), namespace)
    exec(compile(code, f"<{exercise.name}>", "exec"), namespace)
    return namespace[exercise.answer]
