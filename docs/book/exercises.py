"""The exercises on a page: numbers and choices are answered there, functions say how to run them.

Everything comes from `vae_lessons.exercises`: right answers, known mistakes with their hints, tolerances.
`theme/static/exercises.js` judges as `vae_lessons.exercises.judging` does, and a test compares the two.
"""

from __future__ import annotations

import html
import re
from numbers import Real
from typing import Any

from book.sliders import as_json
from vae_lessons.exercises.source import Exercise, Lesson, run

INTRODUCTION = """Numbers and choices are answered here: a wrong answer is told what may be the matter.
Functions are written in the notebook, where `check` tries them on fresh numbers: [how to run it](../running.md).
Hints and solutions can be opened one at a time."""
# What a task says of the notebook, and what one does on the page in its place.
ON_THE_PAGE = {
    "Replace `...` by your number, run the cell, then the check.": "Write your number into the field, then press Check.",
    "Answer with a letter in quotes.": "Choose a letter, then press Check.",
}


def is_value(exercise: Exercise) -> bool:
    """Whether a page can judge it: its answer is a number or a word, not a function."""
    return exercise.cases is None


def question(lesson: Lesson, exercise: Exercise) -> dict[str, Any]:
    """What the page's checker has to know: the right answer, the known mistakes, the relative error allowed."""
    right = _plain(run(lesson, exercise, exercise.solution))
    mistakes = [[_plain(run(lesson, exercise, mistake.code)), mistake.hint] for mistake in exercise.mistakes]
    return {"name": exercise.name, "right": right, "mistakes": mistakes, "tolerance": exercise.tolerance}


def _plain(value: Any) -> str | float:
    return float(value) if isinstance(value, Real) else str(value)


def task(exercise: Exercise, written: str) -> str:
    """The task of the notebook as the page has it: where a form answers, nothing is said of cells and quotes."""
    if is_value(exercise):
        for sentence, in_its_place in ON_THE_PAGE.items():
            anywhere = r"\s+".join(map(re.escape, sentence.split()))  # the notebook wraps its lines
            written = re.sub(anywhere, in_its_place, written)
        written = re.sub(r'^- `"(\w)"`', r"- **\1**", written, flags=re.M)
    return written


def markdown(lesson: Lesson, exercise: Exercise) -> str:
    """What stands on the page below the task: a form, or the code to complete; then hints and solution."""
    answer = form(question(lesson, exercise)) if is_value(exercise) else stub(exercise)
    hints = "\n\n".join(
        details(f"Hint {number} of {len(exercise.hints)}", hint) for number, hint in enumerate(exercise.hints, start=1)
    )
    worked = details("Solution", f"```python\n{exercise.solution}\n```\n\n{exercise.why}", "solution")
    return f"{answer}\n\n{hints}\n\n{worked}"


def form(data: dict[str, Any]) -> str:
    """The place to answer in; without scripts it says so."""
    name = html.escape(data["name"])
    field = _choices(name, data) if isinstance(data["right"], str) else _number(name)
    return (
        f'<form class="exercise" data-exercise="{name}">{field}<button type="submit">Check</button>'
        f'<p class="verdict" role="status"></p>{as_json(data)}</form>'
    )


def _number(name: str) -> str:
    return f'<label>Your number <input name="{name}" type="text" autocomplete="off" spellcheck="false"></label>'


def _choices(name: str, data: dict[str, Any]) -> str:
    """A letter for each answer that the exercise knows, right or wrong."""
    letters = sorted({data["right"], *(answer for answer, _ in data["mistakes"])})
    radios = "".join(
        f'<label><input type="radio" name="{name}" value="{letter}"> {letter}</label>' for letter in letters
    )
    return f"<fieldset><legend>Your choice</legend>{radios}</fieldset>"


def stub(exercise: Exercise) -> str:
    """The code to edit, and where it can be run."""
    run_it = f'In the notebook, `check("{exercise.name}", {exercise.answer})` tries it: [how to run it](../running.md).'
    return f"```python\n{exercise.stub}\n```\n\n{run_it}"


def details(summary: str, content: str, kind: str = "hint") -> str:
    return f'<details class="{kind}"><summary>{summary}</summary>\n\n{content}\n\n</details>'
