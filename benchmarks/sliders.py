"""Time sliders from the key to the new picture, in a real JupyterLab and Chromium; count the pictures of the β lab.

    python benchmarks/sliders.py

One figure, the same values, three ways: pictures drawn beforehand (`show_frames`), pictures that
the kernel updates (`show_live`), and the usual way, `interact` with a figure drawn anew. They take
turns, so that whatever else the machine does slows all three. The clock is the browser's own, from
the key event to two moments: the new picture is ready in the page, decoded; and it was painted
(Element Timing), for which it waits until one of the screen's 60 frames a second is due.
"""

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

import nbformat
import numpy as np
from nbformat import v4
from numpy.typing import ArrayLike
from playwright.sync_api import Locator, Page

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from browser import chromium, evaluate, new_page, opened, scroll_to, serve

AIMS = {"frames": "at most 20", "live": "at most 80", "interact": "none"}  # of the median, in milliseconds
TURN, WARM_UP = 8, 2  # moves in one turn, and moves before them that are not counted
THERE_AND_BACK = ["ArrowRight"] * 40 + ["ArrowLeft"] * 40  # every key changes the value

SETUP = """
import numpy as np
from ipywidgets import FloatSlider, interact
from matplotlib import pyplot as plt

from vae_lessons.data import digits
from vae_lessons.lab import show_lab
from vae_lessons.sliders import Control, Range, show_frames, show_live

plt.style.use("vae_lessons.course")
z = np.linspace(-4, 4, 161)

def bell(mu):
    return np.exp(-0.5 * (z - mu) ** 2)

def new_figure():
    return plt.subplots(1, 2, figsize=(8, 3.5), dpi=100)[0]

def draw(fig, mu):
    left, right = fig.axes
    left.plot(z, bell(0), label="p(z)")
    (line,) = left.plot(z, bell(mu), label="q(z)")
    image = right.imshow(np.outer(bell(-mu), bell(mu)), extent=(-4, 4, -4, 4))
    left.set(xlabel="z", ylabel="density", ylim=(0, 1.3))
    left.legend(loc="upper left")
    right.set(xlabel="z₁", ylabel="z₂")
    return line, image
"""
FRAMES = """
fig = new_figure()

def draw_frame(mu):
    draw(fig, mu)
    return f"μ = {mu:.1f}"

show_frames(fig, draw_frame, Control("μ", np.linspace(-2, 2, 41), style=".1f"));
"""
LIVE = """
live_fig = new_figure()
line, image = draw(live_fig, -2)

def update(mu):
    line.set_ydata(bell(mu))
    image.set_data(np.outer(bell(-mu), bell(mu)))
    return f"μ = {mu:.1f}"

show_live(live_fig, update, Range("μ", -2, 2, start=-2, step=0.1));
"""
INTERACT = """
@interact(mu=FloatSlider(-2, min=-2, max=2, step=0.1))
def draw_anew(mu):
    draw(new_figure(), mu)
    plt.show()
"""
CELLS = {"setup": SETUP, "frames": FRAMES, "live": LIVE, "interact": INTERACT, "lab": "show_lab(digits().x);"}

RUN_ALL = "() => jupyterapp.commands.execute('notebook:run-all-cells')"
# Before a move: ask the browser to time the paint of whatever picture takes the place of this one.
WATCH = """area => {
    const picture = () => area.querySelector('.jp-OutputArea img'), before = picture().src;
    let pressed, ready;
    addEventListener('keydown', event => { pressed = event.timeStamp; }, {capture: true, once: true});
    new MutationObserver((_, observer) => {
        if (!picture() || picture().src === before) return;
        observer.disconnect();
        picture().setAttribute('elementtiming', 'picture');
        ready = picture().decode().then(() => performance.now() - pressed);
    }).observe(area, {subtree: true, childList: true, attributes: true});
    window.moved = new Promise(done => {
        new PerformanceObserver(async (list, observer) => {
            observer.disconnect();
            done([await ready, list.getEntries()[0].renderTime - pressed, picture().src.length / 1000]);
        }).observe({type: 'element'});
    });
}"""
# How many pictures arrive per second, and how many steps are between the first and the last.
COUNT = r"""async (area, seconds) => {
    const step = () => Number(area.querySelector('.jp-OutputArea img').alt.match(/step (\d+)/)[1]);
    const isPicture = node => node instanceof HTMLImageElement;
    let pictures = 0;
    const observer = new MutationObserver(changes => {
        pictures += changes.flatMap(change => [...change.addedNodes]).filter(isPicture).length;
    });
    observer.observe(area, {subtree: true, childList: true});
    const first = step(), began = performance.now();
    await new Promise(done => setTimeout(done, 1000 * seconds));
    observer.disconnect();
    const passed = (performance.now() - began) / 1000;
    return [pictures / passed, (step() - first) / passed];
}"""


class Move(NamedTuple):
    """From a key to its picture, in milliseconds, and the size of the picture's text, in kB.

    Attributes:
        ready: until the picture stands in the page, decoded; all that the course can influence.
        painted: until the browser showed it, which is at the next but one of 60 frames a second.
    """

    ready: float
    painted: float
    kilobytes: float


@contextmanager
def benchmark_page() -> Iterator[Page]:
    """JupyterLab with the cells above, run."""
    with tempfile.TemporaryDirectory() as folder, serve(Path(folder)) as lab, chromium() as browser:
        write_notebook(lab.course / "sliders.ipynb")
        page = new_page(browser, [])
        page.goto(lab.address)
        with opened(page, "sliders.ipynb"):
            assert evaluate(page, RUN_ALL), "a cell of the benchmark's notebook failed"
            yield page


def write_notebook(path: Path) -> None:
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    cells = [v4.new_code_cell(source.strip()) for source in CELLS.values()]
    nbformat.write(v4.new_notebook(cells=cells, metadata=kernel), path)


def cell(page: Page, name: str) -> Locator:
    return scroll_to(page, list(CELLS).index(name))


def in_turns(page: Page, n_moves: int) -> dict[str, list[Move]]:
    """At least so many moves of each way."""
    moves: dict[str, list[Move]] = {way: [] for way in AIMS}
    keys = {way: cycle(THERE_AND_BACK) for way in AIMS}
    while len(moves["interact"]) < n_moves:
        for way in AIMS:
            moves[way] += one_turn(cell(page, way), keys[way])
    return moves


def one_turn(area: Locator, keys: Iterator[str]) -> list[Move]:
    area.locator(".noUi-handle").focus()
    return [move(area, next(keys)) for _ in range(WARM_UP + TURN)][WARM_UP:]


def move(area: Locator, key: str) -> Move:
    area.evaluate(WATCH)
    area.page.keyboard.press(key)
    return Move(*evaluate(area.page, "() => moved"))


def count_lab(page: Page, seconds: float) -> tuple[float, float]:
    """Pictures and gradient steps per second of the β lab, once it is under way."""
    area = cell(page, "lab")
    area.get_by_role("button", name="start").click()
    page.wait_for_timeout(2000)
    return area.evaluate(COUNT, seconds)


def report(moves: dict[str, list[Move]]) -> None:
    print(f"{len(moves['live'])} moves each, machine load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"{'way':10}{'ready':>18}{'painted':>18}{'aim':>12}{'picture':>10}")
    print(f"{'':10}{'median / p95 ms':>18}{'median / p95 ms':>18}{'median ms':>12}{'kB':>10}")
    ready = {way: np.array([each.ready for each in measured]) for way, measured in moves.items()}
    for way, measured in moves.items():
        columns = "".join(f"{in_short(times):>18}" for times in (ready[way], [each.painted for each in measured]))
        print(f"{way:10}{columns}{AIMS[way]:>12}{statistics.mean(each.kilobytes for each in measured):10.0f}")
    ratio = np.median(ready["interact"]) / np.median(ready["live"])
    print(f"ratio interact / live: {ratio:.2f} (aim: at least 1.5)")


def in_short(times: ArrayLike) -> str:
    return f"{np.median(times):.0f} / {np.percentile(times, 95):.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moves", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=10, help="for which the β lab's pictures are counted")
    arguments = parser.parse_args()
    with benchmark_page() as page:
        report(in_turns(page, arguments.moves))
        pictures, steps = count_lab(page, arguments.seconds)
    print(f"β lab: {pictures:.0f} pictures per second (aim: at least 15), {steps:.0f} steps per second (aim: over 300)")


if __name__ == "__main__":
    main()
