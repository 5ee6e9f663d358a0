"""Exercises that answer back: ``check``, ``hint``, ``solution`` and ``progress`` (every notebook).

check("kl-log-var", kl_from_log_var)   right, wrong with a hint that fits the mistake, or not answered yet
hint("kl-log-var")                     the next of up to three steps
solution("kl-log-var")                 a worked answer
progress()                             what is done, in all notebooks
grade("kl-log-var", kl_from_log_var)   as `check`, but raises an error unless right (tools/export_assignment.py)
"""

import json
import os
import warnings
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from IPython.display import Markdown, display

from vae_lessons.exercises.judging import Status, Verdict, judge
from vae_lessons.exercises.source import Exercise, Lesson
from vae_lessons.files import alone, written_whole

NUMBERS = tuple(sorted(path.stem[-2:] for path in Path(__file__).parent.glob("lesson[0-9][0-9].py")))
_given: dict[str, int] = {}  # how many hints were shown in this kernel


def lesson(number: str) -> Lesson:
    """The exercises of one notebook, "01"."""
    found: Lesson = import_module(f"vae_lessons.exercises.lesson{number}").LESSON
    return found


def find(name: str) -> tuple[Lesson, Exercise]:
    """An exercise by its name.

    Raises:
        ValueError: there is none of this name.
    """
    for number in NUMBERS:
        for exercise in lesson(number).exercises:
            if exercise.name == name:
                return lesson(number), exercise
    raise ValueError(f"name must be that of an exercise, got {name!r}; progress() lists them")


def check(name: str, answer: Any) -> None:
    """Say whether an answer is right, and if not, what may be the matter.

    Raises:
        ValueError: there is no exercise of this name.
    """
    verdict = _verdict(name, answer)
    words = {Status.NOT_ANSWERED: "not answered yet", Status.RIGHT: "right", Status.WRONG: "not yet"}
    print(f"{verdict.status.value} {name}: {words[verdict.status]}", *filter(None, [verdict.message]), sep="\n")
    if verdict.status is Status.RIGHT:
        _remember(name)


def grade(name: str, answer: Any) -> None:
    """Pass in silence if an answer is right: the hidden test of a graded class.

    Raises:
        AssertionError: it is wrong or missing; says why.
        ValueError: there is no exercise of this name.
    """
    status, message = _verdict(name, answer)
    if status is not Status.RIGHT:
        raise AssertionError(f"{name}: {message or 'not answered yet'}")


def _verdict(name: str, answer: Any) -> Verdict:
    """Without the warnings of the learner's code: nbgrader gives no points to a cell that writes to stderr."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return judge(*find(name), answer)


def hint(name: str) -> None:
    """Print the next hint; each call gives away a little more."""
    hints = find(name)[1].hints
    shown = _given[name] = min(_given.get(name, 0) + 1, len(hints))
    print(f"{shown} of {len(hints)}: {hints[shown - 1]}")
    if shown == len(hints):
        print(f'That was the last one; solution("{name}") shows a worked answer.')


def solution(name: str) -> None:
    """Show a worked answer."""
    _, exercise = find(name)
    display(Markdown(f"```python\n{exercise.solution}\n```\n\n{exercise.why}"))


def progress() -> None:
    """Print what is done, notebook by notebook, and what is left."""
    done = _remembered()
    for number in NUMBERS:
        names = [exercise.name for exercise in lesson(number).exercises]
        marks = ", ".join(f"{'✓' if name in done else '○'} {name}" for name in names)
        print(f"{number}  {sum(name in done for name in names)} of {len(names)}  {marks}")


# What is done, in a file -----------------------------------------------------------------------


def progress_file() -> Path:
    """Beside the notebooks, or where the variable VAE_LESSONS_PROGRESS says. It may be deleted at any time."""
    return Path(os.environ.get("VAE_LESSONS_PROGRESS", "progress.json"))


def _remembered() -> list[str]:
    """The exercises done; none where the file is missing or is not ours to read."""
    try:
        done = json.loads(progress_file().read_text(encoding="utf-8"))["done"]
        return [name for name in done if isinstance(name, str)]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _remember(name: str) -> None:
    """Add one; on a disk that cannot be written, the course goes on without."""
    file = progress_file()
    # Two notebooks at once would each write what the other has not seen.
    with suppress(OSError), alone(file.parent), written_whole(file) as part:
        part.write_text(json.dumps({"done": sorted({*_remembered(), name})}, indent=1), encoding="utf-8")
