"""Everything that Sphinx reads, put together in one folder: lessons, slides, and the pages around them."""

from __future__ import annotations

import ast
import json
import re
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

from book import BookError, cells, living, trust
from book.course import Lesson, check_links, part, prose, read_course
from book.links import Published
from book.pictures import Pictures

# What no reader of the course calls: the command and what it is made of.
NOT_IN_THE_REFERENCE = {"__init__", "__main__", "command", "install", "opening", "packages", "website"}


def assemble(root: Path, source: Path, extra: Path, where: Published) -> list[Lesson]:
    """Write the sources of all pages, and beside them what is published as it is.

    Args:
        source: the folder for Sphinx, made anew.
        extra: the folder for pictures and notebooks, made anew.
        where: the book is to stand.

    Raises:
        BookError: something is missing; says what.
    """
    lessons = read_course(root / "notebooks")
    check_sources(root, lessons)
    for folder in (source, extra):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    pictures = Pictures(extra / "pictures")
    living.publish_module(extra)
    write_lessons(lessons, pictures, source)
    publish_files(root, lessons, extra)
    publish_for_colab(lessons, extra, where)
    write_pages(root, lessons, source, extra, where)
    write_reference(root, source)
    return lessons


def check_sources(root: Path, lessons: Sequence[Lesson]) -> None:
    """No page links to a file that is not there."""
    for lesson in lessons:
        check_links(f"{lesson.name}.ipynb", prose(lesson), root / "notebooks")
    check_links("teaching/README.md", (root / "teaching/README.md").read_text(encoding="utf-8"), root / "teaching")


def write_lessons(lessons: Sequence[Lesson], pictures: Pictures, source: Path) -> None:
    for folder in ("lessons", "slides"):
        (source / folder).mkdir()
    for lesson in lessons:
        page, deck = cells.lesson_page(lesson, pictures), cells.deck(lesson, pictures)
        (source / "lessons" / f"{lesson.name}.ipynb").write_text(json.dumps(page), encoding="utf-8")
        (source / "slides" / f"{lesson.name}.ipynb").write_text(json.dumps(deck), encoding="utf-8")


def publish_files(root: Path, lessons: Sequence[Lesson], extra: Path) -> None:
    """The notebooks to download, one by one and together, and the picture that others show for a link."""
    (extra / "notebooks").mkdir()
    for lesson in lessons:
        shutil.copy(root / "notebooks" / f"{lesson.name}.ipynb", extra / "notebooks")
    pack(extra / "notebooks", extra / "vae_lessons_notebooks.zip")
    shutil.copy(root / "notebooks" / "signature.png", extra)


def pack(folder: Path, archive: Path) -> None:
    """A folder as a zip archive: of the same files the same bytes, whenever it is made."""
    with zipfile.ZipFile(archive, "w") as packed:
        for path in sorted(folder.iterdir()):
            entry = zipfile.ZipInfo(f"{folder.name}/{path.name}")  # dated 1980
            entry.external_attr = 0o644 << 16
            packed.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)


def publish_for_colab(lessons: Sequence[Lesson], extra: Path, where: Published) -> None:
    """The notebooks once more with a first cell that installs the package, where its address is known."""
    if not where.repository:
        return
    (extra / "colab").mkdir()
    for lesson in lessons:
        first = cells.code(where.colab_cell)
        notebook = lesson.notebook | {"cells": [first, *lesson.cells]}
        (extra / "colab" / f"{lesson.name}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")


def write_pages(root: Path, lessons: Sequence[Lesson], source: Path, extra: Path, where: Published) -> None:
    """The pages around the lessons: `docs/pages`, with what is filled in, and the teachers' guide."""
    filled = {
        "living": living.first_page(extra),
        "lessons": "\n".join(f"- [{each.title}](lessons/{each.name}.ipynb){reading_time(each)}" for each in lessons),
        "toctree": "\n".join(f"lessons/{lesson.name}" for lesson in lessons),
        "symbols": part(lessons[0], "Words and symbols"),
        "slides": "\n".join(f"- [{lesson.title}](slides/{lesson.name}.ipynb)" for lesson in lessons),
        "report": where.report,
        "clone": where.clone,
        "citation": citation((root / "CITATION.cff").read_text(encoding="utf-8")),
    } | trust.records(root / "tests")
    for path in sorted((root / "docs/pages").glob("*.md")):
        (source / path.name).write_text(fill(path, filled), encoding="utf-8")
    guide = (root / "teaching/README.md").read_text(encoding="utf-8")
    (source / "teaching.md").write_text(guide.replace("](../notebooks/", "](lessons/"), encoding="utf-8")


def reading_time(lesson: Lesson) -> str:
    """What its first page says of it, to be written behind a link."""
    minutes = re.search(r"\*\*Time.*?\*\*\s+(\d+)\s+minutes\s+to\s+read", prose(lesson))
    return f" · {minutes[1]} minutes" if minutes else ""


def fill(path: Path, filled: dict[str, str]) -> str:
    """A page with its places, written ``<!-- fill: name -->``, filled.

    Raises:
        BookError: there is nothing of that name.
    """
    text = path.read_text(encoding="utf-8")
    for name in re.findall(r"<!-- fill: (\w+) -->", text):
        if name not in filled:
            raise BookError(f"docs/pages/{path.name}: there is nothing to fill in for {name!r}.")
        text = text.replace(f"<!-- fill: {name} -->", filled[name])
    return text


def citation(text: str) -> str:
    """BibTeX, from the lines of CITATION.cff."""
    of = dict(re.findall(r'^(?:  - |    )?([\w-]+): "?([^"\n]+)"?$', text, re.M))
    lines = {"title": of["title"], "author": of["name"], "year": of["date-released"][:4], "version": of["version"]}
    fields = ",\n".join(f"  {name} = {{{value}}}" for name, value in lines.items())
    return f"```text\n@misc{{vae_lessons,\n{fields}\n}}\n```"


# Reference -------------------------------------------------------------------------------------


def write_reference(root: Path, source: Path) -> None:
    """A page for each module of the package, and one that lists them by the first line of their docstrings."""
    (source / "api").mkdir()
    rows = []
    for name, first in modules(root).items():
        page = f"# {name}\n\n```{{eval-rst}}\n.. automodule:: vae_lessons.{name}\n   :members:\n```\n"
        (source / "api" / f"{name}.md").write_text(page, encoding="utf-8")
        rows.append(f"| [{name}]({name}.md) | {first} |")
    table = "\n".join(["| module | |", "| --- | --- |", *rows])
    hidden = "\n".join(modules(root))
    text = f"# Reference\n\nFrom the docstrings of the package `vae_lessons`.\n\n{table}\n\n```{{toctree}}\n:hidden:\n\n{hidden}\n```\n"
    (source / "api" / "index.md").write_text(text, encoding="utf-8")


def modules(root: Path) -> dict[str, str]:
    """The public modules and packages, with the first line of each docstring."""
    package = root / "vae_lessons"
    paths = {path.stem: path for path in package.glob("*.py")} | {
        path.parent.name: path for path in package.glob("*/__init__.py")
    }
    return {
        name: (ast.get_docstring(ast.parse(paths[name].read_text(encoding="utf-8"))) or "").partition("\n")[0]
        for name in sorted(paths)
        if name not in NOT_IN_THE_REFERENCE
    }
