"""`docs/build.py`: put the sources together, run Sphinx, and exchange the old book for the new one."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from xml.sax.saxutils import escape

from book import BookError
from book.links import Published, published
from book.serve import serve
from book.sources import assemble
from vae_lessons.files import alone

ROOT = Path(__file__).resolve().parent.parent.parent
# Of these a reader would see the fault; others, such as a docstring's line breaks, they would not.
SERIOUS = re.compile(r"\[(myst\.xref|toc|ref|mystnb|docutils|image|download)[\w.]*\]|not found|unknown document")

BUSY = "Another program is building the book: waiting for it …"


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Build the book; show it if asked to. What a person can mend, a full disk too, is one line and the exit code 1."""
    options = parse(arguments)
    try:
        if options.catalogue:
            catalogue(root)
            return 0
        build(root, options.address)
        if options.open:
            serve(root / "site", options.port, published(root, options.address).path, show=can_show())
    except (BookError, OSError) as error:
        print(f"vae_lessons: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 -m vae_lessons site", description="Build the book into site/.")
    parser.add_argument("--open", action="store_true", help="show it on this machine, until Ctrl-C")
    parser.add_argument("--port", type=int, default=0, help="for --open; a free one if not given")
    parser.add_argument("--address", default="", help="where it is to be published, for previews and the sitemap")
    parser.add_argument("--catalogue", action="store_true", help="write the messages to translate into build/catalogue")
    return parser.parse_args(arguments)


def build(root: Path, address: str = "") -> None:
    """Everything from the notebooks to the folder `site`, which stays as it was if something is wrong."""
    started = time.monotonic()
    work, where = root / "build/site", published(root, address)
    with alone(root, BUSY):
        lessons = assemble(root, work / "source", work / "extra", where)
        sphinx(root, work, "html", where)
        finish(work / "html", where)
        exchange(work / "html", root / "site", work / "before")
    files = [path for path in (root / "site").rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files) / 1e6
    seconds = time.monotonic() - started
    print(f"{len(lessons)} lessons, {len(files)} files, {size:.0f} MB in site/, built in {seconds:.0f} s", flush=True)


def exchange(new: Path, place: Path, before: Path) -> None:
    """Put a folder in the place of another, which goes to `before` first: a kill never leaves half of either there."""
    if not place.exists() and before.exists():  # a kill came between the two moves
        before.rename(place)
    shutil.rmtree(before, ignore_errors=True)
    if place.exists():
        shutil.move(place, before)
    shutil.move(new, place)
    shutil.rmtree(before, ignore_errors=True)


def catalogue(root: Path) -> None:
    """The messages of all pages, one .pot file a page, for translators."""
    work, where = root / "build/site", published(root)
    with alone(root, BUSY):
        assemble(root, work / "source", work / "extra", where)
        sphinx(root, work, "gettext", where)
        exchange(work / "gettext", root / "build/catalogue", work / "before")
    print("The messages are in build/catalogue, one file for each page.")


def sphinx(root: Path, work: Path, builder: str, where: Published) -> None:
    """Run Sphinx; raise a `BookError` for what a reader would stumble over."""
    shutil.rmtree(work / builder, ignore_errors=True)
    log = work / "warnings.txt"
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-E",
        "-b",
        builder,
        "-c",
        root / "docs",
        "-w",
        log,
    ]
    command += ["-d", work / "doctrees"]
    variables = {
        "BOOK_EXTRA": str(work / "extra"),
        "BOOK_ADDRESS": where.address,
        "BOOK_REPOSITORY": where.repository,
        "PYTHONWARNINGS": "ignore",
    }
    run = subprocess.run(
        [*command, work / "source", work / builder],
        cwd=root,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        close_fds=False,  # it keeps the lock of `alone`: where this process alone is killed, the next build waits for it
    )
    said = log.read_text(encoding="utf-8") if log.exists() else run.stderr
    serious = [line for line in said.splitlines() if SERIOUS.search(line) and "docstring of" not in line]
    if run.returncode != 0 or serious:
        lines = run.stderr.strip().splitlines() or ["no output"]
        errors = [line for line in lines if re.search(r"(?:Error|exception): ", line)]
        reason = (serious or errors or lines[-1:])[0].strip()
        raise BookError(f"Sphinx: {reason.replace(str(work / 'source') + os.sep, '')} (all of it is in {log})")


def finish(site: Path, where: Published) -> None:
    """What a web server needs besides pages: a sitemap, where the address is known, and no Jekyll on GitHub."""
    (site / ".nojekyll").touch()
    for name in ("objects.inv", ".buildinfo"):
        (site / name).unlink(missing_ok=True)
    shutil.rmtree(site / "_sources", ignore_errors=True)
    if where.address:
        (site / "sitemap.xml").write_text(sitemap(site, where.address), encoding="utf-8")
        (site / "robots.txt").write_text(f"User-agent: *\nSitemap: {where.address}sitemap.xml\n", encoding="utf-8")


def sitemap(site: Path, address: str) -> str:
    """All pages that somebody may look for."""
    pages = [path.relative_to(site).as_posix() for path in sorted(site.rglob("*.html"))]
    listed = [page for page in pages if page not in ("404.html", "find.html") and not page.startswith("_")]
    rows = "".join(f"<url><loc>{escape(address + page.removesuffix('index.html'))}</loc></url>\n" for page in listed)
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
    return f"{head}{rows}</urlset>\n"


def can_show() -> bool:
    """Whether a browser can open here; a Linux without display has text browsers only."""
    return sys.platform != "linux" or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")))
