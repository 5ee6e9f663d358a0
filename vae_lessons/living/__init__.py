"""The page that lives: trained VAEs and the exact theory in the browser (lessons 00 and 07, first page of the book).

One module in JavaScript without any library, written in parts of one idea each, that draws from numbers alone.
In a notebook it is a widget, in the book a figure.
"""

from pathlib import Path

HERE = Path(__file__).parent
# Each part imports from those before it only.
PARTS = (
    "theory",
    "network",
    "lab",
    "words",
    "dom",
    "pixels",
    "drawing",
    "charts",
    "parts",
    "prompt",
    "strip",
    "trainer",
    "page",
    "places",
)


def module() -> str:
    """The JavaScript in one piece, an ES module: the parts in order, without the lines that import one another."""
    parts = ((HERE / f"{name}.js").read_text(encoding="utf-8") for name in PARTS)
    lines = (line for part in parts for line in part.splitlines() if not line.startswith("import "))
    return "\n".join(lines) + "\n"


def style() -> str:
    """The page's style sheet."""
    return (HERE / "living.css").read_text(encoding="utf-8")
