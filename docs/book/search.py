"""The data of the search: every part of every page, with its heading, its address and its text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

from book.tex import plain

NOT_SEARCHED = {"404", "find"}
SILENT = {"script", "style", "button", "form", "svg"}
# All other tags end a word.
WITHIN_A_WORD = {"a", "abbr", "b", "code", "em", "i", "span", "strong", "sub", "sup", "wbr"}


class Part(NamedTuple):
    """What stands below one heading, in pieces as they come; an excerpt shows prose before code."""

    place: str
    heading: str
    prose: list[str]
    code: list[str]


class Parts(HTMLParser):
    """Cuts a page's article at its headings; a part begins at its section's id."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[Part] = []
        self.silent, self.inside, self.section = 0, False, ""
        self.in_code = self.in_math = False
        self.heading: list[str] | None = None

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if tag == "article":
            self.inside = True
        elif tag in SILENT or given.get("class") == "headerlink":
            self.silent += 1
        elif tag in ("section", "dt") and given.get("id"):
            self.section = given["id"] or ""
        if self.inside and (tag in ("h1", "h2", "h3") or (tag == "dt" and given.get("id"))):
            self.heading = []
        if tag == "img":
            self.add(f" {given.get('alt') or ''} ")
        if tag == "pre":
            self.in_code = True
        self.in_math = "math" in (given.get("class") or "").split()
        self.end_word(tag)

    def handle_endtag(self, tag: str) -> None:
        self.end_word(tag)
        self.in_math = False
        if tag == "pre":
            self.in_code = False
        if tag == "article":
            self.inside = False
        elif self.silent and (tag in SILENT or tag == "a"):
            self.silent -= 1
        elif self.heading is not None and tag in ("h1", "h2", "h3", "dt"):
            text = " ".join("".join(self.heading).split())
            # A function is found by its name, vae_lessons.module.name; its types are text like any other.
            heading, prose = (self.section.split(".", 2)[-1], [f"{text} "]) if tag == "dt" else (text, [])
            self.parts.append(Part(self.section, heading, prose, []))
            self.heading = None

    def handle_data(self, data: str) -> None:
        self.add(plain(data) if self.in_math else data)

    def end_word(self, tag: str) -> None:
        if tag not in WITHIN_A_WORD:
            self.add(" ")

    def add(self, text: str) -> None:
        if not self.inside or self.silent:
            return
        if self.heading is not None:
            self.heading.append(text)
        elif self.parts:
            (self.parts[-1].code if self.in_code else self.parts[-1].prose).append(text)


Entry = dict[str, "str | list[str]"]


class SearchIndex:
    """The pages of a folder as one JSON file, which only the search loads."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    def entries(self) -> Iterator[Entry]:
        for path in sorted(self.folder.rglob("*.html")):
            url = path.relative_to(self.folder).as_posix()
            if path.stem not in NOT_SEARCHED and not url.startswith(("_", "slides/")):
                yield from entries(url, path.read_text(encoding="utf-8"))

    def write(self) -> None:
        data = json.dumps(list(self.entries()), ensure_ascii=False, separators=(",", ":"))
        (self.folder / "_static" / "search.json").write_text(data, encoding="utf-8")


def entries(url: str, page: str) -> Iterator[Entry]:
    """The parts of one page, and each row of the glossary by itself."""
    parser = Parts()
    parser.feed(page)
    title = parser.parts[0].heading if parser.parts else url
    for place, heading, prose, code in parser.parts:
        entry: Entry = {"url": f"{url}#{place}" if place else url, "page": title, "heading": heading}
        entry["text"] = joined(prose)
        yield entry | ({"code": joined(code)} if code else {})
    for place, row in re.findall(r'<tr id="([^"]+)"[^>]*>(.*?)</tr>', page, re.S):
        yield {"url": f"{url}#{place}", "page": title, **definition(cells_of(row))}


def joined(pieces: list[str]) -> str:
    return re.sub(r"\s+", " ", "".join(pieces)).strip()


def cells_of(row: str) -> list[str]:
    """The texts of a table's row."""
    return [text_of(cell) for cell in re.findall(r"<td\b[^>]*>(.*?)</td>", row, re.S)]


def text_of(fragment: str) -> str:
    parser = Parts()
    parser.feed(f"<article><h1></h1>{fragment}</article>")
    return joined(parser.parts[0].prose)


def definition(row: list[str]) -> Entry:
    """A row of the glossary: symbol, in code, meaning, Chinese; with the words that it defines."""
    symbol, in_code, meaning, chinese = row
    text = " · ".join(part for part in (meaning, in_code, chinese) if part)
    return {"heading": symbol, "text": text, "terms": terms(symbol, in_code, meaning, chinese)}


def terms(symbol: str, in_code: str, meaning: str, chinese: str) -> list[str]:
    """Its names, the words that its meaning begins with, and those in quotes: “free bits”."""
    first = re.match(r"(?:lesson \d+: )?(?:the |its |a |an |true )?([^:;,(]*)", meaning)
    names = re.split(r"\s*[,，；]\s*", ",".join((symbol, in_code, chinese)))
    return [*filter(None, names), first[1].strip() if first else "", *re.findall("“(.+?)”", meaning)]
