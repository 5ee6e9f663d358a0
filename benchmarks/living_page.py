"""How fast the living page is in a real Chromium, how large, and whether its memory stays flat.

    python benchmarks/living_page.py
    python benchmarks/living_page.py --minutes 10

β goes up and down its slider, with one input event for each picture of the screen, at full speed and with the
processor slowed four times. A move is `Page.draw`: theory, trained network, and everything that is written and drawn;
what the browser then lays out and paints shows in the pictures a second. Memory is the heap after a collection of garbage.
"""

import argparse
import statistics
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from playwright.sync_api import Page

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from book.living import first_page, publish_module
from book.serve import server
from browser import chromium

DRAG_FOR, TRAIN_FOR, FIRST = 5, 5, 10  # seconds; the heap is first read after so many of dragging
SLOWER = 4
HTML = """<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,"><link rel="stylesheet" href="living/living.css"><body>{}
<script type="module" src="living/living.js"></script></body></html>"""
# When the first chart stands on the page, in milliseconds from the beginning of the visit.
WATCH = """const look = () => document.querySelector("[data-living] .column") ? window.shown = performance.now() : requestAnimationFrame(look);
look();"""
DRAG = """async ([seconds, isTimed]) => {
    const root = document.querySelector("[data-living]"), {page} = root, times = [];
    const slider = root.querySelector(".slide input"), begun = performance.now();
    if (isTimed) page.draw = function () {
        const start = performance.now();
        Object.getPrototypeOf(page).draw.call(page);
        times.push(performance.now() - start);
    };
    let pictures = 0, passed = 0;
    while (passed < seconds) {
        await new Promise(requestAnimationFrame);
        pictures += 1;
        passed = (performance.now() - begun) / 1000;
        slider.value = 300 + 300 * Math.sin(passed * Math.PI / 2);
        slider.dispatchEvent(new Event("input"));
    }
    delete page.draw;
    return {rate: pictures / passed, times};
}"""
TRAIN = """async seconds => {
    const {trainer} = document.querySelector("[data-living]").page;
    await trainer.toggle();
    const [step, begun] = [trainer.lab.nSteps, performance.now()];
    await new Promise(done => setTimeout(done, 1000 * seconds));
    const rate = 1000 * (trainer.lab.nSteps - step) / (performance.now() - begun);
    await trainer.toggle();
    return rate;
}"""


class Row(NamedTuple):
    """A line of the table."""

    what: str
    value: str
    aim: str = ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1, help="how long to drag for the memory (default: 1)")
    minutes = parser.parse_args().minutes
    with tempfile.TemporaryDirectory() as folder:
        sizes = build(Path(folder))
        with visit(Path(folder)) as page:
            rows = [*sizes, *speeds(page), *memory(page, minutes)]
    for row in rows:
        print(f"{row.what:45} {row.value:>22}   {row.aim}")


def build(folder: Path) -> list[Row]:
    """The page with the recorded models, as the book has it; how large it is."""
    publish_module(folder)
    (folder / "index.html").write_text(HTML.format(first_page(folder)), encoding="utf-8")
    own = sum(path.stat().st_size for path in folder.rglob("*") if path.suffix in {".html", ".js", ".css"})
    weights = sum(path.stat().st_size for path in folder.rglob("weights-*.bin"))
    return [
        Row("page without weights [kB]", f"{own / 1000:.0f}", "at most 200"),
        Row("weights [kB]", f"{weights / 1000:.0f}", "at most 1500"),
    ]


@contextmanager
def visit(folder: Path) -> Iterator[Page]:
    """The page in a browser, with all that it shows at first."""
    with chromium() as browser, server(folder) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.add_init_script(WATCH)
        page.goto(f"http://127.0.0.1:{running.server_address[1]}/")
        page.wait_for_function("() => document.querySelector('[data-living]').page?.network")
        yield page
        running.shutdown()


def speeds(page: Page) -> list[Row]:
    """The first picture, pictures and moves while β is dragged, and steps of the lab; also on a slower processor."""
    session, shown = page.context.new_cdp_session(page), page.evaluate("window.shown")
    rows = [Row("first chart after [ms]", f"{shown:.0f}", "at most 500")]
    page.evaluate(DRAG, [DRAG_FOR, False])  # all networks are there from now on
    for factor, pictures, speed in ((1, "at least 60", ""), (SLOWER, "at least 30", f", {SLOWER} times slower")):
        session.send("Emulation.setCPUThrottlingRate", {"rate": factor})
        drag = page.evaluate(DRAG, [DRAG_FOR, True])
        rows.append(Row(f"pictures a second{speed}", f"{drag['rate']:.1f}", pictures))
        rows.append(Row(f"a move{speed} [ms]", in_words(drag["times"]), "" if speed else "median at most 8"))
        steps = page.evaluate(TRAIN, TRAIN_FOR)
        rows.append(Row(f"steps of the lab a second{speed}", f"{steps:.0f}", "" if speed else "at least 300"))
    session.send("Emulation.setCPUThrottlingRate", {"rate": 1})
    return rows


def in_words(times: list[float]) -> str:
    return f"{statistics.median(times):.1f} (95 %: {statistics.quantiles(times, n=20)[-1]:.1f})"


def memory(page: Page, minutes: float) -> list[Row]:
    """The heap and the number of nodes after ten seconds of dragging, and at the end."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.enable")
    rows = []
    for passed, more in ((FIRST, FIRST), (60 * minutes, 60 * minutes - FIRST)):
        page.evaluate(DRAG, [more, False])
        rows.append(Row(f"heap after {passed:g} s [MB], nodes", held(session), "" if passed == FIRST else "as before"))
    return rows


def held(session: Any) -> str:
    """What is held after a collection of garbage: objects, what stands behind the elements, and arrays of numbers."""
    session.send("HeapProfiler.collectGarbage")
    heap, nodes = session.send("Runtime.getHeapUsage"), session.send("Memory.getDOMCounters")["nodes"]
    parts = ("usedSize", "embedderHeapUsedSize", "backingStorageSize")
    return f"{sum(heap.get(part, 0) for part in parts) / 1e6:.2f}, {nodes}"


if __name__ == "__main__":
    main()
