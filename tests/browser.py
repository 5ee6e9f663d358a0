"""A real JupyterLab in a real Chromium, and what a learner does in it.

The server gets folders of its own for its settings, signatures and run-time files, and a copy of the
notebooks: nothing of the person who runs the tests is read or changed.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import pytest

from tests import guards
from vae_lessons.opening import child_environment, lab_command, start_trust
from vae_lessons.packages import ROOT

pytest.importorskip("playwright", reason="the package playwright is not installed")
from playwright.sync_api import Browser, Locator, Page, sync_playwright

PATIENCE = 120  # seconds for one step on a busy machine; every wait ends as soon as its condition holds
SOON = 20_000  # milliseconds that a picture may take to follow its slider; usually 20 pass
# The tests close a notebook so soon that the debugger may still wait for an answer of the ended kernel.
# A widget that JupyterLab has lost is brought back by the course's extension, in vae_lessons/jupyter/labextensions.
HARMLESS = ("Could not restore the debugger state: Canceled future", "Error: widget model not found")

OPEN = """async path => {
    await jupyterapp.restored;
    await jupyterapp.activatePlugin('@jupyter-widgets/jupyterlab-manager:plugin');
    window.panel = await jupyterapp.commands.execute('docmanager:open', {path});
    await panel.context.ready;
    await panel.sessionContext.ready;
    await panel.sessionContext.session.kernel.info;
}"""
# Wait until JupyterLab has let go of the file: opened again too soon, it would get the old kernel's widgets.
CLOSE = """async () => {
    const {context} = panel, gone = new Promise(done => context.disposed.connect(done));
    await panel.sessionContext.shutdown();
    panel.dispose();
    await Promise.race([gone, new Promise(done => setTimeout(done, 5000))]);
    await jupyterapp.serviceManager.sessions.refreshRunning();
}"""
RUN_ALL = "() => jupyterapp.commands.execute('notebook:run-all-cells')"
RUN_ONE = """cell => {
    panel.content.activeCellIndex = cell;
    return jupyterapp.commands.execute('notebook:run-cell');
}"""
SAVE = "() => panel.context.save()"
INTERRUPT = "() => panel.sessionContext.session.kernel.interrupt()"
# Resolves to what the code printed, or to the name of its error.
EXECUTE = """async code => {
    const future = panel.sessionContext.session.kernel.requestExecute({code, store_history: false});
    let printed = '';
    future.onIOPub = message => { printed += message.content.text ?? ''; };
    const reply = await future.done;
    return reply.content.ename ?? printed.trim();
}"""
# The same, but it resolves as soon as the code prints something, and leaves its end in `window.ending`.
BEGIN = """code => new Promise(begun => {
    const future = panel.sessionContext.session.kernel.requestExecute({code, store_history: false});
    future.onIOPub = message => { if (message.content.text) begun(); };
    window.ending = future.done.then(reply => reply.content.ename ?? 'no error');
})"""


class Lab(NamedTuple):
    """A running JupyterLab: the copy of the course that it serves, and its address with the token."""

    course: Path
    address: str


class Desk(NamedTuple):
    """JupyterLab in one page, where the tests open one notebook after the other, and its complaints so far."""

    browser: Browser
    course: Path
    page: Page
    complaints: list[str]


@pytest.fixture(name="desk", scope="module")
def desk_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One server for all tests of a file, started only where there is a browser."""
    complaints: list[str] = []
    with chromium() as browser, serve(tmp_path_factory.mktemp("lab")) as lab:
        page = new_page(browser, complaints)
        page.goto(lab.address)
        yield Desk(browser, lab.course, page, complaints)
        page.close()


@pytest.fixture(name="page")
def page_fixture(desk: Desk) -> Iterator[Page]:
    """JupyterLab's page; the test fails if the browser's console has shown an error."""
    yield desk.page
    serious = [complaint for complaint in desk.complaints if not complaint.startswith(HARMLESS)]
    desk.complaints.clear()
    assert not serious, serious


@contextmanager
def serve(folder: Path) -> Iterator[Lab]:
    """Serve trusted copies of the notebooks as the course's own command does; stop the server at the end.

    Neither the server nor a kernel may have asked for an address beyond loopback.
    """
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
    asked = folder / "watch/asked"
    assert not asked.exists(), asked.read_text(encoding="utf-8")


def _environment(folder: Path) -> dict[str, str]:
    """The course's own variables with temporary folders; only matplotlib's list of fonts, slow to make, is shared."""
    folders = {"HOME": "home", "JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "run"}
    for name in folders.values():
        (folder / name).mkdir()
    temporary = {variable: str(folder / name) for variable, name in folders.items()}
    own = child_environment(ROOT, sys.executable) | temporary | {"MPLCONFIGDIR": matplotlib.get_cachedir()}
    return own | guards.watched(folder / "watch")


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


def execute(page: Page, code: str) -> str:
    """Run code in the notebook's kernel; return what it printed, or the name of its error."""
    return evaluate(page, EXECUTE, code)


def click_track(area: Locator, number: int, fraction: float) -> None:
    """Click on the track of a slider, some way from its left end, as soon as it stands still there."""
    track = area.locator(".noUi-target").nth(number)
    track.scroll_into_view_if_needed()
    box = track.bounding_box()
    track.click(position={"x": box["width"] * fraction, "y": box["height"] / 2})


def drag_to_end(area: Locator, number: int, steps: int = 5) -> None:
    """Drag the handle of a slider to the right end with so many movements of the mouse."""
    take_hold(area.locator(".noUi-handle").nth(number))
    box, mouse = area.locator(".noUi-target").nth(number).bounding_box(), area.page.mouse
    mouse.move(box["x"] + box["width"], box["y"] + box["height"] / 2, steps=steps)
    mouse.up()


def take_hold(handle: Locator, attempts: int = 5) -> None:
    """Press the mouse on a handle; where the page grew above it in that moment, the mouse missed it: once more."""
    for _ in range(attempts):
        handle.hover()  # waits until it has glided to its place
        handle.page.mouse.down()
        if "noUi-active" in handle.get_attribute("class"):
            return
        handle.page.mouse.up()
    raise AssertionError(f"the mouse missed the handle {attempts} times")
