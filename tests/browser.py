"""A real JupyterLab in a real Chromium, and what a notebook says that its sliders should show.

The server gets folders of its own for its settings, signatures and run-time files, and a copy of the
notebooks: nothing of the person who runs the tests is read or changed.
"""

from __future__ import annotations

import html
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import pytest

from vae_lessons.setup_course import ROOT, child_environment, lab_command, start_trust

pytest.importorskip("playwright", reason="the package playwright is not installed")
from playwright.sync_api import Browser, Locator, Page, sync_playwright  # noqa: E402

WIDGET = "application/vnd.jupyter.widget-view+json"
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
PATIENCE = 120  # seconds for one step on a busy machine; every wait ends as soon as its condition holds

OPEN = """async path => {
    await jupyterapp.restored;
    window.panel = await jupyterapp.commands.execute('docmanager:open', {path});
    await panel.context.ready;
    await panel.sessionContext.ready;
    await panel.sessionContext.session.kernel.info;
}"""
CLOSE = "async () => { await panel.sessionContext.shutdown(); panel.dispose(); }"


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


def with_sliders() -> list[str]:
    """The notebooks that call `show_frames`, whether or not a slider was stored."""
    read = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(ROOT.glob("notebooks/*.ipynb"))}
    return [name for name, notebook in read.items() if any(map(calls_show_frames, notebook["cells"]))]


def outputs(notebook: Path) -> list[Output]:
    """Read what the sliders of a notebook should show; a call that stored no slider is an error."""
    content = json.loads(notebook.read_text(encoding="utf-8"))
    assert "widgets" in content["metadata"], f"{notebook.name} is stored without its widgets: execute it again"
    state = content["metadata"]["widgets"][WIDGET_STATE]["state"]
    cells = [(number, cell) for number, cell in enumerate(content["cells"]) if calls_show_frames(cell)]
    return [_output(number, cell, state) for number, cell in cells]


def calls_show_frames(cell: dict[str, Any]) -> bool:
    """Whether a cell makes sliders, as its source says: what it stored is what the tests look at."""
    return cell["cell_type"] == "code" and re.search(r"(?<!def )\bshow_frames\(", "".join(cell["source"])) is not None


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


class Lab(NamedTuple):
    """A running JupyterLab: the copy of the course that it serves, and its address with the token."""

    course: Path
    address: str


@contextmanager
def serve(folder: Path) -> Iterator[Lab]:
    """Serve trusted copies of the notebooks as the course's own command does; stop the server at the end."""
    course, token = folder / "course", secrets.token_hex(16)
    shutil.copytree(ROOT / "notebooks", course / "notebooks", ignore=shutil.ignore_patterns(".*"))
    environment = _environment(folder)
    finish_trust = start_trust(course, sys.executable, environment)
    options = ["--no-browser", "--ip=127.0.0.1", "--port=0", "--expose-app-in-browser"]
    command = lab_command(course, sys.executable, [*options, f"--IdentityProvider.token={token}"])
    with (folder / "log").open("wb") as log:
        quiet = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, "start_new_session": True}
        with subprocess.Popen(command, cwd=course, env=environment, **quiet) as server:
            try:
                finish_trust()
                yield Lab(course, f"{_address(folder, server)}lab?token={token}")
            finally:
                server.terminate()
    assert server.returncode == 0, (folder / "log").read_text()


def _environment(folder: Path) -> dict[str, str]:
    """The course's own variables with temporary folders; only matplotlib's list of fonts, slow to make, is shared."""
    folders = {"HOME": "home", "JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "run"}
    for name in folders.values():
        (folder / name).mkdir()
    temporary = {variable: str(folder / name) for variable, name in folders.items()}
    return child_environment(ROOT, sys.executable) | temporary | {"MPLCONFIGDIR": matplotlib.get_cachedir()}


def _address(folder: Path, server: subprocess.Popen[bytes]) -> str:
    """Wait for the file in which the server names its port; for a moment that file is empty."""
    deadline = time.monotonic() + PATIENCE
    while server.poll() is None and time.monotonic() < deadline:
        for path in (folder / "run").glob("jpserver-*.json"):
            if text := path.read_text():
                return json.loads(text)["url"]
        time.sleep(0.1)
    raise AssertionError("JupyterLab did not start:\n" + (folder / "log").read_text())


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's browser without a window; the tests that need it are skipped where it is missing."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("there is no program chromium")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=arguments)
        yield browser
        browser.close()


def new_page(browser: Browser, complaints: list[str], *, offline: bool = False) -> Page:
    """A page that waits long enough, and adds the errors of its console to `complaints`."""
    page = browser.new_page(viewport={"width": 1280, "height": 900}, offline=offline)
    page.set_default_timeout(1000 * PATIENCE)
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return page


def evaluate(page: Page, script: str, argument: Any = None) -> Any:
    """Await a JavaScript function in the page, but not for ever: Playwright's own `evaluate` has no time limit."""
    limit = f"new Promise((_, fail) => setTimeout(() => fail(new Error('too slow')), {1000 * PATIENCE}))"
    return page.evaluate(f"argument => Promise.race([({script})(argument), {limit}])", argument)


@contextmanager
def opened(page: Page, path: str) -> Iterator[None]:
    """Open a notebook in JupyterLab and wait until it could run; end its kernel at the end."""
    page.wait_for_function("window.jupyterapp")
    evaluate(page, OPEN, path)
    try:
        yield
    finally:
        evaluate(page, CLOSE)


def scroll_to(page: Page, cell: int) -> Locator:
    """Bring a cell into view, since JupyterLab builds a cell only when it is about to be seen."""
    evaluate(page, "cell => panel.content.scrollToItem(cell)", cell)
    return page.locator(f'.jp-Notebook [data-windowed-list-index="{cell}"]')
