"""The notebooks as a learner meets them: the first opened, run through, saved, opened again; one exported.

Live sliders and the lab are moved in test_browser_live.py, and the sliders of all notebooks on the pages of the book
(test_site_browser.py). The other notebooks run through in JupyterLab in test_browser_others.py, which CI calls by itself.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import anywidget
import pytest
from browser import Desk, desk_fixture, new_page, opened, page_fixture, scroll_to  # noqa: F401  (two are fixtures)
from frames import (
    FIRST,
    NUMBER,
    Sliders,
    cells_calling,
    check_living,
    course,
    notebook_path,
    outputs,
    stored,
    worked_through,
)
from living import move_water
from playwright.sync_api import Page, expect

PACKAGES = ("@jupyter-widgets/html-manager@1.0.15", "requirejs@2.3.8", "mathjax@2.7.9")  # nbconvert needs MathJax 2


@pytest.mark.parametrize("name", course())
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
def test_first_notebook_moves_again_after_it_was_saved(desk: Desk, page: Page) -> None:
    """What a learner does first; when it is opened again its kernel has ended, and what was saved has to be enough."""
    with worked_through(desk, FIRST) as saved:
        pass
    with opened(page, f"notebooks/{saved.name}"):
        for output in outputs(saved):
            Sliders(scroll_to(page, output.cell), output).move_all()
        check_living(page, FIRST)


@pytest.mark.browser
def test_untrusted_notebook_shows_the_still_picture(desk: Desk, page: Page) -> None:
    """As on GitHub; one cell less makes it a notebook that nobody has signed."""
    notebook = json.loads((desk.course / "notebooks/07_kl_vanishing.ipynb").read_text(encoding="utf-8"))
    notebook["cells"].pop()
    (desk.course / "untrusted.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    output, *_ = stored("07_kl_vanishing")  # the signature slider is the first
    with opened(page, "untrusted.ipynb"):
        cell = scroll_to(page, output.cell)
        picture = cell.locator(".jp-OutputArea-output img:visible")
        assert picture.get_attribute("src") == f"data:image/png;base64,{output.png}"
        assert cell.locator(".noUi-target, .jupyter-widgets").count() == 0


@pytest.mark.thorough
@pytest.mark.browser
def test_exported_page_moves_without_network(desk: Desk, tmp_path: Path) -> None:
    """A page with its scripts beside it asks nothing of the outside, and its equations are typeset."""
    asked, complaints, notebook = [], [], notebook_path("07_kl_vanishing")
    export(notebook, tmp_path)
    page = new_page(desk.browser, complaints, offline=True)
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "page.html").as_uri())
    for output in stored("07_kl_vanishing"):
        Sliders(page.locator(".jp-Cell").nth(output.cell), output).move_all()
    for cell in cells_calling(notebook, "show_living"):
        move_water(page.locator(".jp-Cell").nth(cell))
    for cell in cells_calling(notebook, "show_live", "show_lab"):
        expect(page.locator(".jp-Cell").nth(cell).locator(".vae-note")).to_be_visible()
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
    page = exporter.from_filename(str(notebook))[0]
    # anywidget's own script would be asked for on the web, too.
    shutil.copy(Path(anywidget.__file__).parent / "nbextension/index.js", folder / "anywidget.js")
    beside = '<script>requirejs.config({paths: {anywidget: "anywidget"}})</script>'
    (folder / "page.html").write_text(page.replace("</head>", f"{beside}</head>", 1), encoding="utf-8")


def unpack(package: str, folder: Path) -> str:
    """Fetch one npm package into the folder; return its place there."""
    npm = shutil.which("npm") or pytest.skip("there is no npm to fetch the page's scripts with")
    patience = ["--prefer-offline", "--fetch-retries=0", "--fetch-timeout=60000"]
    pack = [npm, "pack", "--silent", *patience, package]
    packed = subprocess.run(pack, cwd=folder, capture_output=True, text=True, check=False)
    if packed.returncode != 0:
        pytest.skip(f"npm cannot fetch {package}")
    archive = packed.stdout.strip()
    shutil.unpack_archive(folder / archive, folder / archive.removesuffix(".tgz"), filter="data")
    return f"{archive.removesuffix('.tgz')}/package"
