"""The sliders over ready-made pictures: what a notebook says that they should show, and whether they do.

Every expected picture is read from what the notebook has stored, never from what the page shows.
"""

from __future__ import annotations

import html
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from browser import RUN_ALL, SAVE, SOON, Desk, click_track, drag_to_end, evaluate, opened, scroll_to
from living import move_water
from playwright.sync_api import Locator, Page, expect

from tests.lessons import MASK, REPLACEMENT
from vae_lessons.packages import ROOT

WIDGET = "application/vnd.jupyter.widget-view+json"
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
NOT_COMPARED = (WIDGET, "image/png", "image/jpeg")  # by nbval
FIRST = "00_start_here"
NUMBER = r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?"


class Frame(NamedTuple):
    """One picture as its <img> has it; where only the form of its text is known, a pattern."""

    alt: str | re.Pattern[str]
    src: str


class Output(NamedTuple):
    """What one cell that calls `show_frames` has stored.

    Attributes:
        cell: its index in the notebook.
        labels: for each slider, how its positions are written.
        start: for each slider, the position shown first.
        frames: the pictures by positions, one for each slider.
        png: the picture for places without widgets, in base64.
    """

    cell: int
    labels: tuple[list[str], ...]
    start: tuple[int, ...]
    frames: dict[tuple[int, ...], Frame]
    png: str

    def labels_at(self, standing: Sequence[int]) -> list[str]:
        """What the sliders show at these positions."""
        return [labels[index] for labels, index in zip(self.labels, standing)]

    def values(self, standing: Sequence[int]) -> set[float]:
        return set(map(float, self.labels_at(standing)))


def course() -> list[str]:
    """The names of all notebooks, each of which has a slider."""
    return [path.stem for path in sorted(ROOT.glob("notebooks/*.ipynb"))]


def others() -> list[str]:
    """The notebooks after the first."""
    return [name for name in course() if name != FIRST]


def stored(name: str) -> list[Output]:
    return outputs(notebook_path(name))


def notebook_path(name: str) -> Path:
    return ROOT / "notebooks" / f"{name}.ipynb"


def outputs(notebook: Path) -> list[Output]:
    """Read what the sliders of a notebook should show; a call that stored no slider is an error."""
    content = json.loads(notebook.read_text(encoding="utf-8"))
    assert "widgets" in content["metadata"], f"{notebook.name} is stored without its widgets: execute it again"
    state = content["metadata"]["widgets"][WIDGET_STATE]["state"]
    found = [_output(number, content["cells"][number], state) for number in cells_calling(notebook, "show_frames")]
    assert found, f"{notebook.name} has no slider"
    return found


def cells_calling(notebook: Path, *functions: str) -> list[int]:
    """The cells that make widgets, as their sources say: what they stored is what the tests look at."""
    call = re.compile(rf"(?<!def )\b({'|'.join(functions)})\(")
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [n for n, cell in enumerate(cells) if cell["cell_type"] == "code" and call.search("".join(cell["source"]))]


def _output(number: int, cell: dict[str, Any], state: dict[str, Any]) -> Output:
    [data] = [output["data"] for output in cell["outputs"] if WIDGET in output.get("data", {})]
    *sliders, stack = (_follow(state, child) for child in _follow(state, data[WIDGET]["model_id"])["children"])
    labels = tuple(slider["_options_labels"] for slider in sliders)
    start = tuple(slider["index"] for slider in sliders)
    return Output(number, labels, start, dict(_frames(state, stack)), "".join(data["image/png"]).strip())


def _follow(state: dict[str, Any], reference: str) -> dict[str, Any]:
    return state[reference.removeprefix("IPY_MODEL_")]["state"]


def _frames(state: dict[str, Any], model: dict[str, Any]) -> Iterator[tuple[tuple[int, ...], Frame]]:
    """Every picture below a model with its positions: stacks branch, HTML ends a branch."""
    if "value" in model:
        alt, src = re.search(r'alt="([^"]*)" src="([^"]*)"', model["value"]).groups()
        yield (), Frame(html.unescape(alt), src)
    for position, child in enumerate(model.get("children", [])):
        for positions, frame in _frames(state, _follow(state, child)):
            yield (position, *positions), frame


def on_any_machine(output: Output) -> Output:
    """The stored texts, any number in them that is not a slider's position left open, and no pictures."""
    frames = {at: Frame(loosened(frame.alt, output.values(at)), "") for at, frame in output.frames.items()}
    return output._replace(frames=frames)


def loosened(text: str, kept: set[float]) -> re.Pattern[str]:
    """A pattern for the text in which only some numbers have to be the same."""
    words = re.split(f"({NUMBER})", text)  # the numbers are at the odd places
    free = [number % 2 == 1 and float(word) not in kept for number, word in enumerate(words)]
    return re.compile("".join(NUMBER if open_ else re.escape(word) for word, open_ in zip(words, free)))


class Sliders:
    """The sliders of one cell in a page, and where they stand."""

    def __init__(self, area: Locator, output: Output) -> None:
        self.area, self.output, self.standing, self.seen = area, output, list(output.start), {}

    def check(self) -> None:
        """Wait for the picture and the readouts of these positions; exactly one picture may be visible."""
        labels = self.output.labels_at(self.standing)
        expect(self.area.locator(".widget-readout")).to_have_text(labels, timeout=SOON)
        picture, frame = self.area.locator(".widget-html img:visible"), self.output.frames[tuple(self.standing)]
        expect(picture).to_have_attribute("alt", frame.alt, timeout=SOON)
        src = self.seen[tuple(self.standing)] = picture.get_attribute("src")
        if src != frame.src and frame.src:  # no bare assert: its message would hold both pictures
            pytest.fail(f"not the stored picture at {labels}: {frame.alt}")

    def press(self, number: int) -> None:
        """Move one slider with the keys, after one click on its handle."""
        last = len(self.output.labels[number]) - 1
        self.area.locator(".noUi-handle").nth(number).click()
        for key, index in {"End": last, "Home": 0, "ArrowRight": 1, "ArrowLeft": 0}.items():
            self.area.page.keyboard.press(key)
            self.stands(number, index)

    def use_mouse(self, number: int) -> None:
        """Move one slider with the mouse: a click on the middle of its track, then a drag to the right end."""
        last = len(self.output.labels[number]) - 1
        middle = (last + 1) // 2
        click_track(self.area, number, middle / last)
        self.stands(number, middle)
        drag_to_end(self.area, number)
        self.stands(number, last)

    def stands(self, number: int, index: int) -> None:
        self.standing[number] = index
        self.check()

    def move_all(self) -> None:
        """Move every slider in both ways, from the position in which the notebook was stored."""
        self.check()
        for number in range(len(self.standing)):
            self.press(number)
            self.use_mouse(number)
        assert len(set(self.seen.values())) == len(self.seen), "two positions show the same picture"


@contextmanager
def worked_through(desk: Desk, name: str) -> Iterator[Path]:
    """A notebook as a learner uses it: its sliders stand, it runs through, they move, it is saved; yielded still open."""
    saved = desk.course / "notebooks" / f"{name}.ipynb"
    with opened(desk.page, f"notebooks/{name}.ipynb"):
        check_notes(desk.page, name, visible=True)
        for output in stored(name):
            Sliders(scroll_to(desk.page, output.cell), output).check()
        check_living(desk.page, name)
        assert evaluate(desk.page, RUN_ALL), "a cell failed"
        check_notes(desk.page, name, visible=False)
        for output in stored(name):
            Sliders(scroll_to(desk.page, output.cell), on_any_machine(output)).move_all()
        check_living(desk.page, name)
        evaluate(desk.page, SAVE)
        check_run(saved, notebook_path(name))
        yield saved


def check_notes(page: Page, name: str, *, visible: bool) -> None:
    """Live widgets say that they need a kernel exactly as long as they have none."""
    for cell in cells_calling(notebook_path(name), "show_live", "show_lab"):
        note = scroll_to(page, cell).locator(".vae-note")
        expect(note).to_have_count(1)
        expect(note).to_be_visible(visible=visible)


def check_living(page: Page, name: str) -> None:
    """The page that lives asks no kernel: its water moves before and after the run."""
    for cell in cells_calling(notebook_path(name), "show_living"):
        move_water(scroll_to(page, cell))


def check_run(saved: Path, before: Path) -> None:
    """Every cell ran, in order and without an error, and said the same; no widget is one of those stored before.

    nbval runs the notebook that was stored before; so the one saved here would pass it as well.
    """
    cells, cells_before = code_cells(saved), code_cells(before)
    assert [cell["execution_count"] for cell in cells] == [*range(1, len(cells) + 1)], "not run in order"
    for cell, cell_before in zip(cells, cells_before, strict=True):
        assert compared(cell) == compared(cell_before), (compared(cell), compared(cell_before))
    old, new = (set(re.findall(r'"model_id": "(\w+)"', path.read_text(encoding="utf-8"))) for path in (before, saved))
    assert new and not new & old, "a widget was left from before"


def code_cells(notebook: Path) -> list[dict[str, Any]]:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def compared(cell: dict[str, Any]) -> dict[str, str]:
    """What nbval compares: the source, and the texts of the outputs, by kind, without the digits of claims."""
    texts = defaultdict(str, source="".join(cell["source"]))
    for output in cell["outputs"]:
        for kind, text in (output.get("data") or {output.get("name", "error"): output.get("text", "")}).items():
            texts[kind] += "" if kind in NOT_COMPARED else re.sub(MASK, REPLACEMENT, "".join(text))
    return dict(texts)
