"""A stored notebook as the source of a page: nothing is run, pictures become files, exercises answer in the page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from book import BookError, exercises, living
from book.course import WIDGET_VIEW, Lesson, text
from book.pictures import Pictures, figure
from book.sliders import slider
from vae_lessons.exercises.source import Exercise
from vae_lessons.exercises.source import Lesson as Exercises

Cell = dict[str, Any]
PICTURES = "../pictures/"  # from lessons/ and slides/


def lesson_page(lesson: Lesson, pictures: Pictures) -> dict[str, Any]:
    """The notebook of a lesson's page."""
    return notebook(page_cells(lesson, pictures))


def notebook(cells: list[Cell], **metadata: object) -> dict[str, Any]:
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    language = {"name": "python", "pygments_lexer": "python"}
    about = {"kernelspec": kernel, "language_info": language, **metadata}
    return {"cells": cells, "metadata": about, "nbformat": 4, "nbformat_minor": 5}


def page_cells(lesson: Lesson, pictures: Pictures) -> list[Cell]:
    """All cells but the links, which the page has itself."""
    return [page_cell for cell in numbered(lesson, pictures) if (page_cell := on_page(cell, lesson)) is not None]


def numbered(lesson: Lesson, pictures: Pictures) -> Iterator[Cell]:
    """The cells with outputs that a page can show."""
    for number, cell in enumerate(lesson.cells):
        if "navigation" in cell["metadata"].get("tags", ()):
            continue
        if cell["cell_type"] == "markdown":
            yield cell
            continue
        outputs = [shown for each in cell["outputs"] for shown in output(each, lesson, number, pictures)]
        yield cell | {"outputs": outputs}


def output(stored: dict[str, Any], lesson: Lesson, number: int, pictures: Pictures) -> list[dict[str, Any]]:
    """One output as the page has it: none, or one."""
    data = stored.get("data", {})
    if WIDGET_VIEW in data:
        name, model_id = f"slider-{number}", data[WIDGET_VIEW]["model_id"]
        try:
            if page := living.widget(lesson.widgets, model_id):
                return [as_html(living.stored(page, data["image/png"], pictures, "../", lesson.number))]
            markup = slider(lesson.widgets, model_id, pictures, PICTURES, name)
        except (KeyError, BookError) as error:
            raise BookError(f"{lesson.name}.ipynb: cell {number} is stored with half a widget ({error}).") from error
        return [as_html(markup)] if markup else []
    if "image/png" in data:
        alt = stored["metadata"].get("image/png", {}).get("alt", "")
        if not alt:
            raise BookError(
                f"{lesson.name}.ipynb: the picture of cell {number} has no text; show it by show(fig, alt)."
            )
        return [as_html(figure(pictures, "".join(data["image/png"]), alt, PICTURES))]
    return [stored]


def as_html(markup: str) -> dict[str, Any]:
    return {"output_type": "display_data", "metadata": {}, "data": {"text/html": markup}}


def on_page(cell: Cell, lesson: Lesson) -> Cell | None:
    """A cell of the exercises as the page has it; any other as it is."""
    role = cell["metadata"].get("role")
    if role is None:
        return cell
    if role == "intro":
        return markdown(exercises.INTRODUCTION)
    if role != "task":
        return None  # the page's own form stands with the task
    of, exercise = find(lesson, cell["metadata"]["exercise"])
    return markdown(f"{exercises.task(exercise, text(cell))}\n\n{exercises.markdown(of, exercise)}")


def find(lesson: Lesson, name: str) -> tuple[Exercises, Exercise]:
    """An exercise of the notebook in the package.

    Raises:
        BookError: the package has none of this name.
    """
    try:
        of: Exercises = import_module(f"vae_lessons.exercises.lesson{lesson.number}").LESSON
        return of, next(exercise for exercise in of.exercises if exercise.name == name)
    except (ModuleNotFoundError, StopIteration) as error:
        raise BookError(f"{lesson.name}.ipynb asks the exercise {name!r}, which the package does not have.") from error


def markdown(source: str) -> Cell:
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def code(source: str) -> Cell:
    return {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": source}


# Slides ----------------------------------------------------------------------------------------


def deck(lesson: Lesson, pictures: Pictures) -> dict[str, Any]:
    """The notebook of a lecture: a mark before each step, which `theme/static/slides.js` turns into slides."""
    return notebook(list(_steps(lesson, pictures)), orphan=True)


def _steps(lesson: Lesson, pictures: Pictures) -> Iterator[Cell]:
    """The cells of the lecture; prose is cut at its headings, and the code of pictures is left out."""
    for cell in numbered(lesson, pictures):
        kind = cell["metadata"].get("slideshow", {}).get("slide_type", "-")
        if kind == "skip":
            continue
        if cell["cell_type"] == "markdown":
            for number, piece in enumerate(re.split(r"\n(?=## )", text(cell))):
                yield mark("slide" if number else kind)
                yield markdown(piece)
        else:
            yield mark(kind)
            yield without_code(cell) if has_picture(cell) else cell


def mark(kind: str) -> Cell:
    return markdown(f'<div class="step" data-kind="{kind}"></div>')


def has_picture(cell: Cell) -> bool:
    return any("<figure" in output.get("data", {}).get("text/html", "") for output in cell["outputs"])


def without_code(cell: Cell) -> Cell:
    return cell | {"metadata": {"tags": ["remove-input"]}}
