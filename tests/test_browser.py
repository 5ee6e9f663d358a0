"""The sliders as a learner meets them: keys and mouse, in JupyterLab and on an exported page.

Every expected picture is read from what the notebook has stored, never from what the page shows.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Frame, Lab, Output, chromium, evaluate, new_page, opened, outputs, scroll_to, serve, with_sliders
from playwright.sync_api import Browser, Locator, Page, expect

from vae_lessons.setup_course import ROOT

SOON = 20_000  # milliseconds that a picture may take to follow its slider; usually 20 pass
NUMBER = r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?"
# The tests close a notebook so soon that the debugger may still wait for an answer of the ended kernel.
HARMLESS = ("Could not restore the debugger state: Canceled future",)
RUN_ALL = "() => jupyterapp.commands.execute('notebook:run-all-cells')"
SAVE = "() => panel.context.save()"
PACKAGES = ("@jupyter-widgets/html-manager@1.0.15", "requirejs@2.3.8", "mathjax@2.7.9")  # nbconvert needs MathJax 2


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

    def click(self, number: int) -> None:
        """Move one slider with the mouse: a click on the middle of its track, then a drag to the right end."""
        track, mouse = self.area.locator(".noUi-target").nth(number), self.area.page.mouse
        track.scroll_into_view_if_needed()
        box, last = track.bounding_box(), len(self.output.labels[number]) - 1
        middle, y = (last + 1) // 2, box["y"] + box["height"] / 2
        mouse.click(box["x"] + box["width"] * middle / last, y)
        self.stands(number, middle)
        self.area.locator(".noUi-handle").nth(number).hover()  # waits until it has glided there
        mouse.down()
        mouse.move(box["x"] + box["width"], y, steps=5)
        mouse.up()
        self.stands(number, last)

    def stands(self, number: int, index: int) -> None:
        self.standing[number] = index
        self.check()

    def move_all(self) -> None:
        """Move every slider in both ways, from the position in which the notebook was stored."""
        self.check()
        for number in range(len(self.standing)):
            self.press(number)
            self.click(number)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def lab(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One server for all tests, started only where there is a browser."""
    with serve(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture(scope="module")
def desk(browser: Browser, lab: Lab) -> Iterator[tuple[Page, list[str]]]:
    """JupyterLab in one page, where the tests open one notebook after the other, and its complaints so far."""
    complaints: list[str] = []
    page = new_page(browser, complaints)
    page.goto(lab.address)
    yield page, complaints
    page.close()


@pytest.fixture
def page(desk: tuple[Page, list[str]]) -> Iterator[Page]:
    """JupyterLab's page; the test fails if the browser's console shows an error meanwhile."""
    page, complaints = desk
    complaints.clear()
    yield page
    assert not [complaint for complaint in complaints if not complaint.startswith(HARMLESS)]


def stored(name: str) -> list[Output]:
    return outputs(ROOT / "notebooks" / f"{name}.ipynb")


@pytest.mark.parametrize("name", with_sliders())
def test_every_picture_is_filed_under_its_labels(name: str) -> None:
    """The text of a picture names the positions at which it is shown: an order mixed up in the stacks is found."""
    for output in stored(name):
        for standing, frame in output.frames.items():
            assert all(named(label, frame.alt) for label in output.labels_at(standing))


def named(label: str, text: str) -> bool:
    """Whether a text names a slider's position: a number in any spelling, a word as it is."""
    is_number = re.fullmatch(NUMBER, label)
    return float(label) in map(float, re.findall(NUMBER, text)) if is_number else label in text


@pytest.mark.browser
@pytest.mark.parametrize("name", with_sliders())
def test_sliders_move_in_a_notebook_that_was_only_opened(page: Page, name: str) -> None:
    """The promise of every lesson: a trusted page works before anything has run."""
    with opened(page, f"notebooks/{name}.ipynb"):
        for output in stored(name):
            Sliders(scroll_to(page, output.cell), output).move_all()


@pytest.mark.browser
def test_untrusted_notebook_shows_the_still_picture(page: Page, lab: Lab) -> None:
    """As on GitHub; one cell less makes it a notebook that nobody has signed."""
    notebook = json.loads((lab.course / "notebooks/07_kl_vanishing.ipynb").read_text(encoding="utf-8"))
    notebook["cells"].pop()
    (lab.course / "untrusted.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    [output] = stored("07_kl_vanishing")
    with opened(page, "untrusted.ipynb"):
        cell = scroll_to(page, output.cell)
        picture = cell.locator(".jp-OutputArea-output img:visible")
        assert picture.get_attribute("src") == f"data:image/png;base64,{output.png}"
        assert cell.locator(".noUi-target, .jupyter-widgets").count() == 0


@pytest.mark.browser
def test_exported_page_moves_without_network(browser: Browser, tmp_path: Path) -> None:
    """A page with its scripts beside it asks nothing of the outside, and its equations are typeset."""
    asked, complaints = [], []
    export(ROOT / "notebooks/07_kl_vanishing.ipynb", tmp_path)
    page = new_page(browser, complaints, offline=True)
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "page.html").as_uri())
    for output in stored("07_kl_vanishing"):
        Sliders(page.locator(".jp-Cell").nth(output.cell), output).move_all()
    page.locator(".mjx-chtml").first.wait_for()
    page.close()
    assert not complaints and {url.partition(":")[0] for url in asked} <= {"file", "data", "blob"}


def export(notebook: Path, folder: Path) -> None:
    """Write the notebook as page.html, with the scripts it needs in the same folder."""
    html = pytest.importorskip("nbconvert.exporters.html")
    widgets, require, mathjax = (unpack(package, folder) for package in PACKAGES)
    exporter = html.HTMLExporter(
        widget_renderer_url=f"{widgets}/dist/embed-amd.js",
        require_js_url=f"{require}/require.js",
        mathjax_url=f"{mathjax}/MathJax.js?config=TeX-AMS_CHTML-full,Safe",
    )
    (folder / "page.html").write_text(exporter.from_filename(str(notebook))[0], encoding="utf-8")


def unpack(package: str, folder: Path) -> str:
    """Fetch one npm package into the folder; return its place there."""
    npm = shutil.which("npm") or pytest.skip("there is no npm to fetch the page's scripts with")
    patience = ["--prefer-offline", "--fetch-retries=0", "--fetch-timeout=60000"]
    packed = subprocess.run([npm, "pack", "--silent", *patience, package], cwd=folder, capture_output=True, text=True)
    if packed.returncode != 0:
        pytest.skip(f"npm cannot fetch {package}")
    archive = packed.stdout.strip()
    shutil.unpack_archive(folder / archive, folder / archive.removesuffix(".tgz"), filter="data")
    return f"{archive.removesuffix('.tgz')}/package"


@pytest.mark.browser
def test_first_notebook_runs_through_and_its_slider_moves(page: Page, lab: Lab) -> None:
    """What a learner does first; the pictures and the numbers measured in them are this machine's own."""
    path = "notebooks/00_start_here.ipynb"
    [output] = stored("00_start_here")
    with opened(page, path):
        assert evaluate(page, RUN_ALL), "a cell failed"
        sliders = Sliders(scroll_to(page, output.cell), output._replace(frames=on_any_machine(output)))
        sliders.move_all()
        evaluate(page, SAVE)
    assert len(set(sliders.seen.values())) == len(sliders.seen)
    check_run(lab.course / path, ROOT / path)
    [saved] = outputs(lab.course / path)
    with opened(page, path):  # its kernel has ended: what was saved has to be enough
        Sliders(scroll_to(page, saved.cell), saved).move_all()


def on_any_machine(output: Output) -> dict[tuple[int, ...], Frame]:
    """The stored texts, any number in them that is not a slider's position left open, and no pictures."""
    return {
        standing: Frame(loosened(frame.alt, output.values(standing)), "") for standing, frame in output.frames.items()
    }


def loosened(text: str, kept: set[float]) -> re.Pattern[str]:
    """A pattern for the text in which only some numbers have to be the same."""
    words = re.split(f"({NUMBER})", text)  # the numbers are at the odd places
    free = [number % 2 == 1 and float(word) not in kept for number, word in enumerate(words)]
    return re.compile("".join(NUMBER if open_ else re.escape(word) for word, open_ in zip(words, free)))


def check_run(saved: Path, before: Path) -> None:
    """Every cell ran, in order and without an error, and no widget is one of those stored before."""
    cells = [cell for cell in json.loads(saved.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == [*range(1, len(cells) + 1)]
    assert not [output for cell in cells for output in cell["outputs"] if output["output_type"] == "error"]
    old, new = (set(re.findall(r'"model_id": "(\w+)"', path.read_text(encoding="utf-8"))) for path in (before, saved))
    assert new and not new & old
