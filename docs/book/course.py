"""The lessons as they are stored, and what has to hold before a book can be made of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from book import BookError

WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
START = "00_start_here.ipynb"
LINK = re.compile(r"\]\(([^)\s]+)\)")


class Lesson(NamedTuple):
    """One notebook: its file's name without the ending, its first heading, and all of it."""

    name: str
    title: str
    notebook: dict[str, Any]

    @property
    def number(self) -> str:
        return self.name[:2]

    @property
    def cells(self) -> list[dict[str, Any]]:
        return list(self.notebook["cells"])

    @property
    def widgets(self) -> dict[str, Any]:
        """The stored state of all widgets, by their ids."""
        return dict(self.notebook["metadata"].get("widgets", {}).get(WIDGET_STATE, {}).get("state", {}))


def text(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def read_course(folder: Path) -> list[Lesson]:
    """All lessons of a folder in reading order, each looked through.

    Raises:
        BookError: a notebook lacks a title, outputs or the state of its widgets, or is not in the table of lessons.
    """
    lessons = [_read(path) for path in sorted(folder.glob("[0-9][0-9]_*.ipynb"))]
    if not lessons or f"{lessons[0].name}.ipynb" != START:
        raise BookError(f"the lessons must begin with {START}, and there is none in {folder}.")
    for lesson in lessons:
        check_outputs(lesson)
    check_map(lessons)
    return lessons


def _read(path: Path) -> Lesson:
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        prose = "\n".join(text(cell) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    except (ValueError, KeyError) as error:
        raise BookError(f"{path.name} is no notebook: {error}.") from error
    title = re.search(r"^# (.+)$", prose, re.M)
    if title is None:
        raise BookError(f"{path.name} has no title: its first heading must begin with '# '.")
    return Lesson(path.stem, title[1], notebook)


def check_outputs(lesson: Lesson) -> None:
    """Every cell was run, and every widget that a cell shows is stored with its state."""
    remedy = f"store it with: python tools/store_notebooks.py notebooks/{lesson.name}.ipynb"
    for number, cell in enumerate(lesson.cells):
        if cell["cell_type"] != "code":
            continue
        if cell.get("execution_count") is None:
            raise BookError(f"{lesson.name}.ipynb: cell {number} is stored without having been run; {remedy}.")
        for output in cell["outputs"]:
            view = output.get("data", {}).get(WIDGET_VIEW)
            if view and view["model_id"] not in lesson.widgets:
                raise BookError(f"{lesson.name}.ipynb: cell {number} is stored without its widget's state; {remedy}.")


def check_map(lessons: Sequence[Lesson]) -> None:
    """The table of lessons in notebook 00 names every lesson after it, and no other."""
    rows = re.findall(r"^\| \[[^]]+\]\(([^)]+\.ipynb)\)", prose(lessons[0]), re.M)
    names = [f"{lesson.name}.ipynb" for lesson in lessons[1:]]
    for name in names:
        if name not in rows:
            raise BookError(f"{name} is missing from the table of lessons in {START}: add a row there.")
    for row in rows:
        if row not in names:
            raise BookError(f"the table of lessons in {START} names {row}, which is not in the folder.")
    if rows != names:
        raise BookError(f"the table of lessons in {START} must have the order of the files: {', '.join(names)}.")


def prose(lesson: Lesson) -> str:
    return "\n\n".join(text(cell) for cell in lesson.cells if cell["cell_type"] == "markdown")


def part(lesson: Lesson, heading: str) -> str:
    """What stands under a heading, up to the next of its level.

    Raises:
        BookError: there is no such heading.
    """
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", prose(lesson), re.M | re.S)
    if found is None:
        raise BookError(f"{lesson.name}.ipynb has no part '## {heading}', from which a page of the book is made.")
    return found[1].strip()


def check_links(page: str, markdown: str, folder: Path) -> None:
    """Every link of a page to another file of the book leads somewhere.

    Args:
        page: what to call it in the error.
        folder: where it stands; links are relative to it.
    """
    for target in internal_links(markdown):
        if not (folder / target).exists():
            raise BookError(f"{page}: the link to {target} leads nowhere.")


def internal_links(markdown: str) -> Iterator[str]:
    """The files that a text links to, without what stands after '#'; code is no link."""
    without_code = re.sub(r"```.*?```|`[^`\n]*`", "", markdown, flags=re.S)
    for target in LINK.findall(without_code):
        file = target.partition("#")[0]
        if file and not re.match(r"[a-z]+:|//", file):
            yield file
