"""Weights and times of the finished book: ``python docs/measure.py`` after ``python3 -m vae_lessons site``.

Each lesson is opened in Chromium over loopback with the processor slowed down four times. *Readable*: text is painted
and the equations on the screen are set. *Slider*: a key press on the first slider has brought another picture to the screen.
Both count from the start of the visit, in seconds. Needs the packages of the tests, and Debian's chromium.
"""

import os
import shutil
import threading
from pathlib import Path
from typing import NamedTuple

from book.serve import server
from playwright.sync_api import Browser, sync_playwright

SITE = Path(__file__).resolve().parent.parent / "site"
SLOWER = 4
READABLE = """async () => {
    await document.fonts.ready;
    await new Promise(painted => requestAnimationFrame(() => requestAnimationFrame(painted)));
    const unset = document.querySelector(".math:not(.set)");  // the first of them in the text is the highest
    return unset?.getBoundingClientRect().top < innerHeight ? NaN : performance.now() / 1000;
}"""
MOVED = """async () => {
    const picture = document.querySelector("[data-frames] img"), input = document.querySelector("[data-frames] input");
    const before = picture.src;
    input.focus();
    input.value = input.max;
    input.dispatchEvent(new Event("input"));
    await picture.decode();
    await new Promise(painted => requestAnimationFrame(() => requestAnimationFrame(painted)));
    return picture.src === before ? NaN : performance.now() / 1000;
}"""


class Visit(NamedTuple):
    """One page: kilobytes without pictures, kilobytes of the pictures that came by themselves, and seconds."""

    page: str
    text_kb: float
    pictures_kb: float
    readable: float
    slider: float | None


def main() -> None:
    pages = ["index.html", *sorted(f"lessons/{path.name}" for path in (SITE / "lessons").glob("*.html"))]
    with server(SITE) as running, sync_playwright() as driver:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        print(f"{'page':34}{'text':>8}{'pictures':>10}{'readable':>10}{'slider':>8}")
        for page in pages:
            report(visit(browser, f"http://127.0.0.1:{running.server_address[1]}/", page))
        running.shutdown()


def visit(browser: Browser, address: str, name: str) -> Visit:
    """Open one page with nothing kept from before."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(120_000)
    asked: set[str] = set()
    page.on("request", lambda request: asked.add(request.url.removeprefix(address).partition("?")[0]))
    page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    page.goto(address + name)
    readable = page.evaluate(READABLE)
    files = {name: (SITE / name).stat().st_size for name in asked if (SITE / name).is_file()}
    pictures = sum(size for name, size in files.items() if name.startswith("pictures/"))
    text = sum(files.values()) - pictures
    slider = page.evaluate(MOVED) if page.locator("[data-frames]").count() else None
    page.close()
    return Visit(name, text / 1e3, pictures / 1e3, readable, slider)


def report(done: Visit) -> None:
    slider = f"{done.slider:6.1f} s" if done.slider is not None else "      –"
    print(f"{done.page:34}{done.text_kb:5.0f} kB{done.pictures_kb:7.0f} kB{done.readable:8.1f} s{slider}", flush=True)


if __name__ == "__main__":
    main()
