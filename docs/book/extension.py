"""What Sphinx does for this book beyond its own: equations for KaTeX, descriptions, and what a template asks."""

from __future__ import annotations

import os
import re
from html import escape
from typing import Any

from docutils import nodes
from numpy.typing import ArrayLike
from sphinx.application import Sphinx
from sphinx.locale import _
from sphinx.util.typing import stringify_annotation

from book.links import Published
from book.search import SearchIndex, cells_of


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_html_math_renderer("katex", (inline_math, None), (block_math, None))
    app.connect("builder-inited", without_own_search)
    app.connect("autodoc-process-docstring", escape_bars, priority=100)
    app.connect("autodoc-process-signature", name_arrays)
    app.connect("autodoc-skip-member", skip_fields)
    app.connect("html-page-context", complete_context)
    app.connect("build-finished", write_index)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def inline_math(translator: Any, node: nodes.math) -> None:
    translator.body.append(f'<span class="math">{escape(node.astext())}</span>')
    raise nodes.SkipNode


def block_math(translator: Any, node: nodes.math_block) -> None:
    """With a place of its own, so that somebody can send a link to it; numbered as they stand on the page."""
    number = translator.equations = getattr(translator, "equations", 0) + 1
    link = f'<a class="headerlink" href="#equation-{number}" title="{_("Link to this equation")}">¶</a>'
    translator.body.append(
        f'<div class="equation" id="equation-{number}">{link}<div class="math block">{escape(node.astext())}</div></div>\n'
    )
    raise nodes.SkipNode


def without_own_search(app: Sphinx) -> None:
    """Sphinx's search splits words at spaces, which Chinese does not have; the book has its own."""
    app.builder.search = False  # type: ignore[attr-defined]


def escape_bars(app: Sphinx, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """|log_sigma| is a size in a docstring, and something else to Sphinx; within backticks it is left alone."""
    lines[:] = ["`".join(_escape(piece, n) for n, piece in enumerate(line.split("`"))) for line in lines]


def _escape(piece: str, number: int) -> str:
    return piece if number % 2 else piece.replace("|", "\\|")


def name_arrays(app: Sphinx, what: str, name: str, value: Any, options: Any, *signature: str | None) -> Any:
    """NumPy's `ArrayLike` is a union of a dozen types, which Python writes out in full."""
    written = stringify_annotation(ArrayLike, "smart")
    return tuple(part and part.replace(written, "ArrayLike") for part in signature)


def skip_fields(app: Sphinx, what: str, name: str, value: Any, skip: bool, options: Any) -> bool | None:
    """A named tuple's fields are told by its docstring, under "Attributes"."""
    return True if type(value).__name__ == "_tuplegetter" else None


def complete_context(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """What `theme/layout.html` asks for."""
    body = tidy(context.get("body", ""))
    if page == "glossary":
        body = name_rows(body)
    folder, name = page.rpartition("/")[::2]
    published = Published(os.environ.get("BOOK_ADDRESS", ""), os.environ.get("BOOK_REPOSITORY", ""))
    top = published.path if page == "404" else ""  # that one is shown at any depth: its links begin at the top
    context |= {
        "body": body,
        "toctree": contents(context["toctree"], top),
        "description": description(doctree),
        "address": published.address,
        "pathto_here": f"{page}.html".removesuffix("index.html"),
        "colab": published.colab,
        "has_math": 'class="math' in body,
        "has_slider": "data-frames" in body,
        "has_living": "data-living" in body,
        "has_exercise": 'class="exercise"' in body,
        "is_deck": folder == "slides",
        "lesson": name if folder == "lessons" else "",
        "report": published.report_page(f"{page}.html"),
    }
    if not page.startswith("api/") and (context.get("prev") or {}).get("link", "").startswith("api/"):
        context["prev"] = {"link": "api/index.html", "title": _("Reference")}  # and not its last module
    if top:
        context["pathto"] = from_top(context["pathto"], top)


def from_top(pathto: Any, top: str) -> Any:
    """Sphinx's `pathto`, for links from the top."""

    def found(*arguments: Any, **options: Any) -> str:
        path: str = pathto(*arguments, **options)
        return path if path.startswith(("http", "#")) else f"{top}{path}"

    return found


def contents(toctree: Any, top: str) -> Any:
    """Sphinx's table of contents, with a level for its headings and, if need be, links from the top."""

    def made(**options: Any) -> str:
        levelled = toctree(**options).replace('role="heading"', 'role="heading" aria-level="2"')
        return re.sub(r'href="(?!http|#|/)', f'href="{top}', levelled) if top else levelled

    return made


def tidy(body: str) -> str:
    """Tables in a box that scrolls, since a phone is narrower than many of them; Chinese cells say that they are."""
    body = re.sub(r"<td>(?=<p>[^<]*[\u4e00-\u9fff][^<]*</p></td>)", '<td lang="zh-Hans">', body)
    body = re.sub(r"<table\b", '<div class="table" role="region" aria-label="Table"><table', body)
    return body.replace("</table>", "</table></div>")


def name_rows(body: str) -> str:
    """A place for each row of the glossary, which the search leads to; and long names may be broken on a phone."""

    def named(found: re.Match[str]) -> str:
        name = re.sub(r"[^\w]+|_+", "-", " ".join(cells_of(found[2])[:2]).lower()).strip("-")
        row = re.sub(r"(?<=\w)_(?=\w+</span></code>)", "_<wbr>", found[2])
        return f'<tr id="term-{name}"{found[1]}>{row}</tr>'

    return re.sub(r"<tr\b([^>]*)>((?:(?!</tr>).)*<td.*?)</tr>", named, body, flags=re.S)


def description(doctree: nodes.document | None) -> str:
    """The first sentences of a page, for search engines and previews."""
    paragraphs = doctree.findall(nodes.paragraph) if doctree is not None else ()
    first = next((re.sub(r"\s+", " ", paragraph.astext()) for paragraph in paragraphs), "")
    return first if len(first) <= 200 else f"{first[:200].rpartition(' ')[0]} …"


def write_index(app: Sphinx, exception: Exception | None) -> None:
    """The data of the search, from the pages as they are."""
    if exception is None and app.builder.name == "html":
        SearchIndex(app.outdir).write()
