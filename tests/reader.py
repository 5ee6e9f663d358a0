"""The built book in a browser that reaches nothing else, for the tests that read it."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from browser import chromium
from filelock import FileLock
from playwright.sync_api import Browser, Locator, Page, expect

from vae_lessons.packages import ROOT

ADDRESS = "https://example.org/course/"
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


class Site(NamedTuple):
    """The built book, and where it is served; the browser that reads it has no other network."""

    folder: Path
    address: str
    browser: Browser

    def pages(self) -> list[str]:
        return sorted(path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*.html"))


@contextmanager
def served(temporary: Path) -> Iterator[Site]:
    """The book of this checkout, from a folder of its own."""
    pytest.importorskip("myst_nb", reason="Sphinx and MyST-NB are not installed; `python3 -m vae_lessons site` does it")
    from book import serve

    with chromium() as browser, serve.server(built(temporary), top="/course/") as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield Site(built(temporary), f"http://127.0.0.1:{running.server_address[1]}/course/", browser)
        running.shutdown()


def built(temporary: Path) -> Path:
    """Build the book once in a run of the tests, whose workers have neighbouring folders; return where it is."""
    from book import command

    root = (temporary.parent if "PYTEST_XDIST_WORKER" in os.environ else temporary) / "clone"
    with FileLock(f"{root}.lock"):
        if not root.exists():
            root.mkdir()
            for name in ("docs", "notebooks", "teaching", "tests", "vae_lessons", "CITATION.cff"):
                (root / name).symlink_to(ROOT / name)
            command.build(root, ADDRESS)
    return root / "site"


class Visit:
    """One page of the browser, and what it asked for and complained about."""

    def __init__(self, site: Site, **options: Any) -> None:
        self.site, self.outside, self.complaints = site, [], []
        self.context = site.browser.new_context(viewport=DESKTOP, reduced_motion="reduce", **options)
        self.page = self.context.new_page()
        self.page.on("request", self._note)
        self.page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _note(self, request: Any) -> None:
        if not request.url.startswith((self.site.address, "data:", "blob:")):
            self.outside.append(request.url)

    def open(self, name: str) -> Page:
        self.page.goto(self.site.address + name)
        return self.whole()

    def follow(self, link: Locator, address: str) -> Page:
        """Click a link that leads to this address, a regular expression."""
        link.click()
        expect(self.page).to_have_url(re.compile(address))
        return self.whole()

    def whole(self) -> Page:
        """All equations are set, and all parts laid out: until then, what one is about to click may move away."""
        self.page.wait_for_function("document.documentElement.classList.contains('ready')")  # looks at every frame
        return self.page


@contextmanager
def visiting(site: Site) -> Iterator[Visit]:
    """A page; fails at its end if it asked anything of the outside, or left anything in its console."""
    visit = Visit(site)
    yield visit
    visit.context.close()
    assert not visit.outside and not visit.complaints, (visit.outside, visit.complaints)
