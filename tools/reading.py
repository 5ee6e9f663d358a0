"""How a lesson reads, in figures beside its goals: ``python tools/reading.py [notebook ...]``.

It serves the author and is no gate: a figure says where to look, not what to write. Exercises and
links are left out; formulas, tables and code count as no words of prose.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import nbformat
import numpy as np
from nbformat import NotebookNode

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"


class Page(NamedTuple):
    """What a lesson's author wrote: the code cells, and the prose as paragraphs."""

    code: list[str]
    paragraphs: list[str]


class Figure(NamedTuple):
    """One figure of a lesson, and whether it is as it should be."""

    name: str
    goal: str
    of: Callable[[Page], float]
    good: Callable[[float], bool]


def main(arguments: Sequence[str]) -> int:
    paths = [Path(argument) for argument in arguments] or sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    pages = {path.stem[:2]: read(path) for path in paths}
    if len(pages) > 1:
        pages["all"] = Page(*([*chain(*parts)] for parts in zip(*pages.values())))
    print("  ".join(["lesson", *(figure.name for figure in FIGURES)]))
    print("  ".join(["goal  ", *(figure.goal.rjust(len(figure.name)) for figure in FIGURES)]))
    for name, page in pages.items():
        print("  ".join([name.ljust(6), *(shown(figure, page) for figure in FIGURES)]))
    return 0


def shown(figure: Figure, page: Page) -> str:
    """The figure, with a * where it misses its goal."""
    value = figure.of(page)
    return f"{value:.1f}{' ' if figure.good(value) else '*'}".rjust(len(figure.name))


def read(path: Path) -> Page:
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if not is_generated(cell)]
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    prose = [cell.source for cell in cells if cell.cell_type == "markdown"]
    return Page(code, [paragraph for source in prose for paragraph in paragraphs(source)])


def is_generated(cell: NotebookNode) -> bool:
    return bool({"navigation", "exercise"} & set(cell.metadata.get("tags", ())))


def paragraphs(source: str) -> list[str]:
    """Running text only: every item of a list is a paragraph, headings, tables, formulas and code are none."""
    source = re.sub(r"```.*?```|\$\$.*?\$\$|<[^>]+>", "\n\n", source, flags=re.DOTALL)
    source = re.sub(r"^([-*]|\d+\.) ", "\n\n", source, flags=re.MULTILINE)
    source = re.sub(r"`[^`]*`|\$[^$]*\$", "x", source)
    source = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", source)
    blocks = [block.strip() for block in re.split(r"\n\s*\n", source)]
    return [block for block in blocks if block and not re.match(r"#|\||    ", block)]


# Code --------------------------------------------------------------------------------------------


def lines(cell: str) -> list[str]:
    return [line for line in cell.splitlines() if line.strip()]


def nodes_per_line(page: Page) -> float:
    """How much happens on a line: the expressions and statements that Python finds there."""
    trees = [ast.walk(ast.parse(cell)) for cell in page.code]
    nodes = sum(isinstance(node, ast.expr | ast.stmt) for tree in trees for node in tree)
    return nodes / sum(len(lines(cell)) for cell in page.code)


def long_cells(page: Page) -> float:
    """The number of lines that 90 % of the cells keep within."""
    return float(np.quantile([len(lines(cell)) for cell in page.code], 0.9))


def commented(page: Page) -> float:
    """Lines of code with a comment, in %."""
    tokens = [token for cell in page.code for token in tokenize.generate_tokens(io.StringIO(cell).readline)]
    comments = sum(token.type == tokenize.COMMENT for token in tokens)
    return 100 * comments / sum(len(lines(cell)) for cell in page.code)


# Prose -------------------------------------------------------------------------------------------


def in_parentheses(page: Page) -> float:
    """Words in parentheses, in %."""
    text = "\n\n".join(page.paragraphs)
    inside = re.findall(r"\(([^()]*)\)", text)
    return 100 * sum(len(part.split()) for part in inside) / len(text.split())


def longest_paragraph(page: Page) -> float:
    return max(len(paragraph.split()) for paragraph in page.paragraphs)


def long_sentences(page: Page) -> float:
    """The number of words that 90 % of the sentences keep within."""
    sentences = [part for paragraph in page.paragraphs for part in re.split(r"(?<=[.?!])\s+", paragraph) if part]
    return float(np.quantile([len(sentence.split()) for sentence in sentences], 0.9))


def words_per_cell(page: Page) -> float:
    return sum(len(paragraph.split()) for paragraph in page.paragraphs) / len(page.code)


FIGURES = (
    Figure("nodes/line", "<= 6.5", nodes_per_line, lambda value: value <= 6.5),
    Figure("lines/cell 90 %", "<= 10", long_cells, lambda value: value <= 10),
    Figure("comments %", "8-15", commented, lambda value: 8 <= value <= 15),
    Figure("parentheses %", "<= 3", in_parentheses, lambda value: value <= 3),
    Figure("longest paragraph", "<= 110", longest_paragraph, lambda value: value <= 110),
    Figure("words/sentence 90 %", "< 25", long_sentences, lambda value: value < 25),
    Figure("words/code cell", "-", words_per_cell, lambda value: True),
)

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
