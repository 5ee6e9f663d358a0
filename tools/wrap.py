"""Wrap the prose of a notebook: every sentence begins on a line of its own, no line is longer than 100 columns.

A change to one sentence is then a change to its lines alone. Nothing that Markdown reads by the line is
touched: code, tables, formulas, headings, HTML.
"""

import re
from collections.abc import Iterator

WIDTH = 100
# A word is not broken inside a formula, code or a link.
WORD = re.compile(r"(?:\$[^$\n]+\$|`[^`\n]+`|\[[^\]]*\]\([^)\s]*\)|\S)+")
# What would begin a list, a heading or a quotation if it came first on a line.
NOT_FIRST = re.compile(r"[-+*#>|=]+$|\d+[.)]$|[#>|=]")
ENDS = re.compile(r"""[.?!]["')*_”’\]]*$""")
ABBREVIATION = re.compile(r"^(?:[A-Z]\.|al\.|e\.g\.|i\.e\.|cf\.|ex\.|no\.|vs\.)$")
ITEM = re.compile(r"^( *(?:[-*]|\d+\.) +)(.*)$")
VERBATIM = re.compile(r"^(?:\||#|<|    |>|---|\s*$)|(?:  |\\)$")


def wrap(source: str) -> str:
    """The same Markdown with its prose wrapped."""
    wrapped: list[str] = []
    prose: list[str] = []
    closing = ""  # what ends the block that is being copied as it is
    for line in source.splitlines():
        opened = next((mark for mark in ("```", "$$") if line.count(mark) % 2), "")
        if closing or opened or "$$" in line or (VERBATIM.search(line) and not _goes_on(prose, line)):
            wrapped += [*_filled(prose), line]
            prose = []
            closing = "" if closing and opened == closing else closing or opened
        elif ITEM.match(line) and prose:
            wrapped += _filled(prose)
            prose = [line]
        else:
            prose.append(line)
    return "\n".join([*wrapped, *_filled(prose)])


def _goes_on(prose: list[str], line: str) -> bool:
    """Whether an indented line continues the item of a list rather than being code."""
    return bool(prose) and ITEM.match(prose[0]) is not None and line.startswith("    ") and bool(line.strip())


def _filled(prose: list[str]) -> list[str]:
    """One paragraph, or one item of a list with its hanging indent."""
    if not prose:
        return []
    item = ITEM.match(prose[0])
    first, rest = (item[1], [item[2], *prose[1:]]) if item else ("", prose)
    hanging = " " * len(first)
    lines = [line for sentence in _sentences(" ".join(rest)) for line in _lines(sentence, WIDTH - len(first))]
    return [(hanging if number else first) + line for number, line in enumerate(lines)]


def _sentences(text: str) -> Iterator[list[str]]:
    """The words of each sentence."""
    words = WORD.findall(text)
    start = 0
    for number, word in enumerate(words, start=1):
        ends = ENDS.search(word) and not ABBREVIATION.match(word)
        if number == len(words) or (ends and not NOT_FIRST.match(words[number])):
            yield words[start:number]
            start = number


def _lines(words: list[str], width: int) -> Iterator[str]:
    """A sentence in lines, none of which begins with a word that Markdown would read as a mark."""
    line = words[0]
    for word in words[1:]:
        if len(line) + 1 + len(word) > width and not NOT_FIRST.match(word):
            yield line
            line = word
        else:
            line += f" {word}"
    yield line
