"""The data of the search: every part of every page, with its heading, its address and its text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

NOT_SEARCHED = {"404", "find"}
SILENT = {"script", "style", "button", "form", "svg"}


class Parts(HTMLParser):
    """Cuts a page's article at its headings; a part begins at its section's id."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[tuple[str, str, list[str]]] = []
        self.silent, self.inside, self.section = 0, False, ""
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
        if tag == "img" and self.parts and not self.silent:
            self.parts[-1][2].append(given.get("alt") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "article":
            self.inside = False
        elif self.silent and (tag in SILENT or tag == "a"):
            self.silent -= 1
        elif self.heading is not None and tag in ("h1", "h2", "h3", "dt"):
            text = " ".join("".join(self.heading).split())
            # A function is found by its name, vae_lessons.module.name; its types are text like any other.
            part = (self.section.split(".", 2)[-1], [text]) if tag == "dt" else (text, [])
            self.parts.append((self.section, *part))
            self.heading = None

    def handle_data(self, data: str) -> None:
        if not self.inside or self.silent:
            return
        if self.heading is not None:
            self.heading.append(data)
        elif self.parts:
            self.parts[-1][2].append(data)


class SearchIndex:
    """The pages of a folder as one JSON file, which only the search loads."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    def entries(self) -> Iterator[dict[str, str]]:
        for path in sorted(self.folder.rglob("*.html")):
            url = path.relative_to(self.folder).as_posix()
            if path.stem not in NOT_SEARCHED and not url.startswith(("_", "slides/")):
                yield from entries(url, path.read_text(encoding="utf-8"))

    def write(self) -> None:
        data = json.dumps(list(self.entries()), ensure_ascii=False, separators=(",", ":"))
        (self.folder / "_static" / "search.json").write_text(data, encoding="utf-8")


def entries(url: str, page: str) -> Iterator[dict[str, str]]:
    """The parts of one page."""
    parser = Parts()
    parser.feed(page)
    title = parser.parts[0][1] if parser.parts else url
    for section, heading, texts in parser.parts:
        text = re.sub(r"\s+", " ", " ".join(texts)).strip()
        yield {"url": f"{url}#{section}" if section else url, "page": title, "heading": heading, "text": text}
