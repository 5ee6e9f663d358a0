"""The book on the web, without Sphinx and without a browser: what stops a build, and what its pages are made of."""

from __future__ import annotations

import base64
import copy
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import unicodedata
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from book import BookError, cells, command, exercises, links, search, serve, sources, tex
from book.course import WIDGET_STATE, WIDGET_VIEW, Lesson, check_links, part, prose, read_course
from book.pictures import Pictures
from book.sliders import slider
from PIL import Image

from vae_lessons.exercises import NUMBERS, lesson
from vae_lessons.files import alone
from vae_lessons.packages import ROOT

Notebook = dict[str, Any]


def picture(colour: str) -> str:
    """A small WebP in base64, as frames are stored."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 4), colour).save(buffer, "webp", lossless=True)
    return base64.b64encode(buffer.getvalue()).decode()


def code(source: str, *outputs: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "source": source,
        "outputs": list(outputs),
        "execution_count": 1,
        "metadata": metadata,
    }


def shown(model_id: str) -> dict[str, Any]:
    data = {WIDGET_VIEW: {"model_id": model_id}, "text/plain": "A picture with a slider for β."}
    return {"output_type": "display_data", "data": data, "metadata": {}}


def frame(label: str) -> dict[str, Any]:
    alt = f"β = {label} &lt;"
    tag = f'<style></style><img decoding="sync" style="width:720px; max-width:100%" alt="{alt}" src="data:image/webp;base64,{picture(label)}">'
    return {"model_name": "HTMLModel", "state": {"value": tag}}


def widgets() -> dict[str, Any]:
    """A slider over two frames, as ipywidgets stores it."""
    control = {"_options_labels": ["red", "blue"], "index": 1, "description": "β"}
    return {
        "box": {"model_name": "VBoxModel", "state": {"children": ["IPY_MODEL_control", "IPY_MODEL_stack"]}},
        "control": {"model_name": "SelectionSliderModel", "state": control},
        "stack": {"model_name": "StackModel", "state": {"children": ["IPY_MODEL_red", "IPY_MODEL_blue"]}},
        "red": frame("red"),
        "blue": frame("blue"),
    }


def notebook(*cells: dict[str, Any], state: dict[str, Any] | None = None) -> Notebook:
    metadata = {} if state is None else {"widgets": {WIDGET_STATE: {"state": state}}}
    return {"cells": list(cells), "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


START = "# 00 · Start\n\n| lesson | |\n| --- | --- |\n| [01 One](01_one.ipynb) | ? |\n| [02 Two](02_two.ipynb) | ? |"
COURSE = {
    "00_start_here": notebook(cells.markdown(START)),
    "01_one": notebook(cells.markdown("# 01 · One"), code("show()", shown("box")), state=widgets()),
    "02_two": notebook(cells.markdown("# 02 · Two\n\nSee [one](01_one.ipynb)."), code("print(1)")),
}


@pytest.fixture(name="course")
def course_fixture(tmp_path: Path) -> Callable[[dict[str, Notebook]], Path]:
    """Writes notebooks into a folder."""

    def write(notebooks: dict[str, Notebook]) -> Path:
        for name, content in notebooks.items():
            (tmp_path / f"{name}.ipynb").write_text(json.dumps(content))
        return tmp_path

    return write


def test_a_course_in_order_is_read(course):
    lessons = read_course(course(COURSE))
    assert [(each.number, each.title) for each in lessons] == [
        ("00", "00 · Start"),
        ("01", "01 · One"),
        ("02", "02 · Two"),
    ]


def without_run(notebooks: dict[str, Notebook]) -> None:
    notebooks["02_two"]["cells"][1]["execution_count"] = None


def without_widgets(notebooks: dict[str, Notebook]) -> None:
    notebooks["01_one"]["metadata"] = {}


def without_title(notebooks: dict[str, Notebook]) -> None:
    notebooks["01_one"]["cells"][0]["source"] = "## One"


def without_row(notebooks: dict[str, Notebook]) -> None:
    notebooks["00_start_here"]["cells"][0]["source"] = START.replace("| [02 Two](02_two.ipynb) | ? |", "")


def without_lesson(notebooks: dict[str, Notebook]) -> None:
    notebooks["00_start_here"]["cells"][0]["source"] = f"{START}\n| [03 Three](03_three.ipynb) | ? |"


def without_start(notebooks: dict[str, Notebook]) -> None:
    del notebooks["00_start_here"]


def in_disorder(notebooks: dict[str, Notebook]) -> None:
    first, second = START.splitlines()[-2:]
    notebooks["00_start_here"]["cells"][0]["source"] = "\n".join([*START.splitlines()[:-2], second, first])


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (without_run, "02_two.ipynb: cell 1 is stored without having been run; store it with: python tools/store_"),
        (without_widgets, "01_one.ipynb: cell 1 is stored without its widget's state; store it with"),
        (without_title, "01_one.ipynb has no title"),
        (without_row, "02_two.ipynb is missing from the table of lessons in 00_start_here.ipynb"),
        (without_lesson, "the table of lessons in 00_start_here.ipynb names 03_three.ipynb, which is not"),
        (without_start, "the lessons must begin with 00_start_here.ipynb"),
        (in_disorder, "must have the order of the files: 01_one.ipynb, 02_two.ipynb"),
    ],
)
def test_what_is_missing_stops_the_build_with_a_sentence_that_names_it(course, harm, sentence):
    notebooks = copy.deepcopy(COURSE)
    harm(notebooks)
    with pytest.raises(BookError, match=re.escape(sentence)):
        read_course(course(notebooks))


def test_a_file_that_is_no_notebook_is_named(course):
    folder = course(COURSE)
    (folder / "02_two.ipynb").write_text("{")
    with pytest.raises(BookError, match=r"02_two.ipynb is no notebook"):
        read_course(folder)


def test_a_broken_link_is_named_with_its_page(tmp_path):
    (tmp_path / "there.md").touch()
    text = "[a](there.md#part) [b](https://x.org/gone) [c](#here) `[d](code)` ```\n[e](block)\n```"
    check_links("page.md", text, tmp_path)
    with pytest.raises(BookError, match=r"^page\.md: the link to gone\.md leads nowhere\.$"):
        check_links("page.md", f"{text} [f](gone.md)", tmp_path)


def test_the_command_says_it_in_one_line_and_leaves_the_old_book(tmp_path, capsys):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "site").mkdir()
    (tmp_path / "site/index.html").write_text("old")
    assert command.main([], tmp_path) == 1
    error = capsys.readouterr().err
    assert error.startswith("vae_lessons: the lessons must begin with 00_start_here") and error.count("\n") == 1
    assert (tmp_path / "site/index.html").read_text() == "old"


def test_where_nothing_can_be_written_the_command_says_so_in_one_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sources, "read_course", lambda folder: [])
    (tmp_path / "teaching").mkdir()
    (tmp_path / "teaching/README.md").touch()
    (tmp_path / "build").write_text("in the way")
    assert command.main([], tmp_path) == 1
    error = capsys.readouterr().err
    assert error.startswith("vae_lessons: [Errno") and "build/site" in error and error.count("\n") == 1


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for Sphinx is a POSIX script")
@pytest.mark.thorough
def test_a_sphinx_whose_parent_was_killed_keeps_the_lock(tmp_path):
    """Else the next build would begin beside it, in the same folder."""
    (tmp_path / "python").write_text("#!/bin/sh\nkill -9 $PPID\nsleep 1\n")
    (tmp_path / "python").chmod(0o755)
    code = (
        "import pathlib, sys; from book.command import alone, published, sphinx; root = pathlib.Path(sys.argv[1])\n"
        "sys.executable = root / 'python'\n"
        "with alone(root): sphinx(root, root, 'html', published(root))"
    )
    paths = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "docs")])}
    killed = subprocess.run([sys.executable, "-c", code, tmp_path], env=paths, stderr=subprocess.DEVNULL, check=False)
    assert killed.returncode == -signal.SIGKILL
    started = time.monotonic()
    with alone(tmp_path):
        assert time.monotonic() - started > 0.5


# Pages ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("killed_at", range(4))
def test_a_kill_never_leaves_half_a_book(tmp_path, monkeypatch, killed_at):
    """The last of these comes when the new one is there, and the old one lies beside it."""
    new, place, before = (tmp_path / name for name in ("new", "site", "before"))
    for folder in (new, place):
        folder.mkdir()
        (folder / "index.html").write_text(folder.name)
    left = iter(range(killed_at))

    def until_killed(act):
        return lambda *args, **kwargs: act(*args, **kwargs) if next(left, None) is not None else 1 / 0

    with monkeypatch.context() as patch, suppress(ZeroDivisionError):
        for name in ("move", "rmtree"):
            patch.setattr(shutil, name, until_killed(getattr(shutil, name)))
        command.exchange(new, place, before)
    shown = (place / "index.html").read_text() if place.exists() else (before / "index.html").read_text()
    assert shown == ("new" if killed_at == 3 else "site")
    if not new.exists():
        (new.mkdir(), (new / "index.html").write_text("new"))
    command.exchange(new, place, before)
    assert (place / "index.html").read_text() == "new" and not before.exists() and not new.exists()


def test_a_slider_keeps_its_labels_its_start_and_its_frames_with_their_texts(tmp_path):
    markup = slider(widgets(), "box", Pictures(tmp_path), "../pictures/", "slider-1")
    data = json.loads(re.search(r'<script type="application/json">(.*)</script>', markup)[1])
    assert data["labels"] == [["red", "blue"]]
    assert [alt for _, alt in data["frames"]] == ["β = red <", "β = blue <"]
    for colour, (file, _) in zip([(255, 0, 0), (0, 0, 255)], data["frames"]):
        assert Image.open(tmp_path / Path(file).name).convert("RGB").getpixel((0, 0)) == colour
    assert f'<img src="{data["frames"][1][0]}" alt="β = blue &lt;"' in markup  # it starts at index 1
    assert 'value="1" aria-valuetext="blue"' in markup and '<label for="slider-1-0">β</label>' in markup
    assert "</script>" not in re.search(r"json\">(.*)</script>", markup)[1]


def test_half_a_widget_and_a_picture_without_text_are_named(tmp_path):
    pictures = Pictures(tmp_path)
    state = widgets()
    del state["stack"]
    broken = Lesson("01_one", "One", notebook(code("show()", shown("box")), state=state))
    with pytest.raises(BookError, match=r"01_one\.ipynb: cell 0 is stored with half a widget"):
        cells.lesson_page(broken, pictures)
    png = {"output_type": "display_data", "data": {"image/png": picture("red")}, "metadata": {}}
    mute = Lesson("01_one", "One", notebook(code("show()", png)))
    with pytest.raises(BookError, match=r"01_one\.ipynb: the picture of cell 0 has no text"):
        cells.lesson_page(mute, pictures)


def test_an_exercise_that_the_package_lacks_is_named(tmp_path):
    task = cells.markdown("### 1") | {"metadata": {"role": "task", "exercise": "no-such"}}
    with pytest.raises(BookError, match=r"01_one\.ipynb asks the exercise 'no-such'"):
        cells.lesson_page(Lesson("01_one", "One", notebook(task)), Pictures(tmp_path))


def test_a_deck_cuts_prose_at_headings_leaves_out_what_is_skipped_and_the_code_of_pictures(tmp_path):
    skipped = code("x = 1", slideshow={"slide_type": "skip"})
    prose = cells.markdown("before\n## A\n\ntext") | {"metadata": {"slideshow": {"slide_type": "subslide"}}}
    pictured = code("show()", shown("box"), slideshow={"slide_type": "subslide"})
    deck = cells.deck(Lesson("01_one", "One", notebook(skipped, prose, pictured, state=widgets())), Pictures(tmp_path))
    marks = [re.search(r'data-kind="(\w+)"', cell["source"]) for cell in deck["cells"]]
    assert [found[1] for found in marks if found] == ["subslide", "slide", "subslide"]
    assert [cell["metadata"].get("tags") for cell in deck["cells"] if cell["cell_type"] == "code"] == [["remove-input"]]


VALUES = [
    (number, exercise) for number in NUMBERS for exercise in lesson(number).exercises if exercises.is_value(exercise)
]


@pytest.mark.parametrize(("number", "exercise"), VALUES, ids=[exercise.name for _, exercise in VALUES])
def test_a_page_asks_with_what_python_asks_with(number, exercise):
    question = exercises.question(lesson(number), exercise)
    assert [hint for _, hint in question["mistakes"]] == [mistake.hint for mistake in exercise.mistakes]
    offered = re.findall(r'value="(\w)"', exercises.form(question))
    assert offered == re.findall(r'^- `"(\w)"`', exercise.task, re.M)  # none for a number
    assert isinstance(question["right"], str) == bool(offered)
    page = exercises.markdown(lesson(number), exercise)
    assert all(hint in page for hint in (*exercise.hints, exercise.solution, exercise.why))


NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def stored(path: Path) -> Lesson:
    return Lesson(path.stem, "", json.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_beside_a_form_nothing_is_said_of_cells_and_quotes(path):
    for cell in stored(path).cells:
        if cell["metadata"].get("role") == "task":
            asked, form, _ = cells.on_page(cell, stored(path))["source"].partition("<form")
            assert not form or not re.search(r'\bcell\b|\bquotes\b|`\.\.\.`|`"', asked), asked


@pytest.mark.parametrize(("sentence", "on_the_page"), exercises.ON_THE_PAGE.items())
def test_what_the_page_says_in_its_place_belongs_to_a_task(sentence, on_the_page):
    """And it stands there once, however the notebook wraps its lines; a function's task keeps its words."""
    value = next(exercise for _, exercise in VALUES if sentence in exercise.task)
    wrapped = value.task.replace(" ", "\n")
    assert exercises.task(value, wrapped).count(on_the_page) == 1
    function = lesson("01").exercises[1]
    assert not exercises.is_value(function) and exercises.task(function, value.task) == value.task


def test_the_glossary_has_the_table_of_notebook_00_with_its_chinese_terms():
    content = json.loads((ROOT / "notebooks/00_start_here.ipynb").read_text(encoding="utf-8"))
    table = part(Lesson("00_start_here", "", content), "Words and symbols")
    assert "后验坍塌" in table and "证据下界" in table and "## " not in table
    with pytest.raises(BookError, match="no part '## Gone'"):
        part(Lesson("00_start_here", "", content), "Gone")


def test_the_first_page_tells_how_long_a_lesson_takes():
    lesson = Lesson(
        "01_one", "One", notebook(cells.markdown("**Time:** 35 minutes to\nread, about 15 seconds to run."))
    )
    assert sources.reading_time(lesson) == " · 35 minutes"
    assert sources.reading_time(Lesson("01_one", "One", notebook(cells.markdown("No time.")))) == ""


def test_a_place_that_nothing_fills_is_named(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("a <!-- fill: one --> b")
    assert sources.fill(page, {"one": "1"}) == "a 1 b"
    with pytest.raises(BookError, match=r"page\.md: there is nothing to fill in for 'one'"):
        sources.fill(page, {})


def test_the_reference_lists_what_has_a_docstring():
    found = sources.modules(ROOT)
    assert found["gaussian"].startswith("Closed forms") and "exercises" in found and "install" not in found
    assert all(found.values())


def test_the_citation_is_that_of_the_project():
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.M)[1]
    bibtex = sources.citation(text)
    assert f"version = {{{version}}}" in bibtex and "author = {The authors of vae_lessons}" in bibtex
    assert re.search(r"year = \{20\d\d\}", bibtex)


# Addresses --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("remote", "address", "repository"),
    [
        ("https://github.com/Some/course.git", "https://some.github.io/course/", "Some/course"),
        ("git@github.com:some/course", "https://some.github.io/course/", "some/course"),
        ("git@github.com:some/some.github.io.git", "https://some.github.io/", "some/some.github.io"),
        ("https://example.org/some/course.git", "", ""),
        ("", "", ""),
    ],
)
def test_addresses_come_from_the_remote_or_are_left_out(remote, address, repository):
    assert links.from_remote(remote) == (address, repository)
    given = links.from_remote(remote, "https://example.org/vae")
    assert given == ("https://example.org/vae/", repository) and given.path == "/vae/"
    assert repository in given.report and repository in given.colab
    report = f"https://github.com/{repository}/issues/new?title=lessons/03_elbo.html%3A%20"
    folder = repository.rpartition("/")[2]
    assert given.clone == (f"git clone https://github.com/{repository}\ncd {folder}\n" if repository else "")
    assert given.report_page("lessons/03_elbo.html") == (report if repository else "")


def test_colab_gets_the_package_alone_and_only_where_it_can_be_fetched(tmp_path):
    lessons = [Lesson("01_one", "One", COURSE["01_one"])]
    sources.publish_for_colab(lessons, tmp_path, links.from_remote(""))
    assert not list(tmp_path.iterdir())
    sources.publish_for_colab(lessons, tmp_path, links.from_remote("https://github.com/some/course"))
    first, *others = json.loads((tmp_path / "colab/01_one.ipynb").read_text())["cells"]
    assert others == COURSE["01_one"]["cells"]
    assert first["source"].splitlines()[-1].startswith("%pip install --quiet --no-deps")
    assert "git+https://github.com/some/course" in first["source"]


def test_a_sitemap_has_the_pages_that_are_looked_for(tmp_path):
    for name in ("index", "404", "find", "lessons/01_one"):
        (tmp_path / f"{name}.html").parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.html").touch()
    found = re.findall("<loc>(.*)</loc>", command.sitemap(tmp_path, "https://example.org/"))
    assert found == ["https://example.org/", "https://example.org/lessons/01_one.html"]


def test_the_search_finds_parts_with_their_headings_and_leaves_out_scripts_and_forms():
    page = """<nav>menu</nav><article><section id="top"><h1>Page<a class="headerlink" href="#top">¶</a></h1><p>One 后验</p>
    <pre>x<span>(</span>y)</pre><p>costs <span class="math">\\tfrac12\\mu^2</span>, <code>so</code>.</p><script>{"x": 1}</script><form>Check</form><img alt="a blur"><section id="sub"><h2>Part</h2><p>Two</p>
    <dl><dt class="sig" id="vae_lessons.model.VAE.encode">encode(x: Tensor) → Tensor</dt><dd>Three</dd></dl>
    </section></section></article><footer>end</footer>"""
    assert list(search.entries("p.html", page)) == [
        {
            "url": "p.html#top",
            "page": "Page",
            "heading": "Page",
            "text": "One 后验 costs ½μ², so. a blur",
            "code": "x(y)",
        },
        {"url": "p.html#sub", "page": "Page", "heading": "Part", "text": "Two"},
        {
            "url": "p.html#vae_lessons.model.VAE.encode",
            "page": "Page",
            "heading": "VAE.encode",
            "text": "encode(x: Tensor) → Tensor Three",
        },
    ]


def test_the_search_has_each_row_of_the_glossary_with_the_words_that_it_defines():
    rows = """<article><section id="w"><h1>Words</h1><table><tr><th>symbol</th></tr><tr id="term-delta"><td>
    <p><span class="math">\\delta, \\mu</span></p></td><td><p><code>log_<wbr>floor</code></p></td>
    <td><p>lesson 11: the price of a nat, “free bits”: all</p></td><td lang="zh-Hans"><p>比特，码</p></td></tr></table>"""
    *_, row = search.entries("glossary.html", rows)
    assert row == {
        "url": "glossary.html#term-delta",
        "page": "Words",
        "heading": "δ, μ",
        "text": "lesson 11: the price of a nat, “free bits”: all · log_floor · 比特，码",
        "terms": ["δ", "μ", "log_floor", "比特", "码", "price of a nat", "free bits"],
    }


@pytest.mark.parametrize(
    ("formula", "typed"),
    [
        (r"\mathcal N(\mu, \sigma_x^2)", "N(μ, σ_x²)"),
        (r"\log p(x \mid z)", "log p(x|z)"),
        (r"-\log\sigma^2", "− log σ²"),
        (r"\tfrac12\log\frac{\lambda}{2\ell}", "½ log(λ/(2ℓ))"),
        (r"\frac1S \sum_{s=1}^{S} w_s", "(1/S) Σ_(s=1)^S w_s"),
        (r"\frac{1}{2(1 + \sigma)}", "1/(2(1 + σ))"),
        (r"\sqrt{p(1-p)} + \sqrt{\bar\alpha_{t-1}}\,x", "√(p(1−p)) + √ᾱ_(t−1) x"),
        (r"\lVert x - \hat x\rVert^2", "‖x − x̂‖²"),
        (r"\underbrace{\mathbb E_q\big[w\big]}_{\text{the bound}} \;\le\; 10^{-4}", "𝔼_q[w] (the bound) ≤ 10⁻⁴"),
        (r"\begin{aligned} a &= b \\ &= c \end{aligned}", "a = b; = c"),
        (r"\left(- \log{\left(\sigma^{2} \right)} \right)\unheard", "(− log(σ²))"),
        (r"\operatorname{tr}\Sigma + x^\top x, \cos^2", "tr Σ + xᵀ x, cos²"),
    ],
)
def test_a_formula_becomes_what_a_person_types(formula, typed):
    assert tex.plain(formula) == unicodedata.normalize("NFC", typed)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_command_in_a_lessons_formulas_is_known(path):
    written = re.sub(r"```.*?```|`[^`]*`", "", prose(stored(path)), flags=re.S)
    formulas = re.findall(r"\$\$(.+?)\$\$|\$([^$\n]+)\$", written, re.S)
    assert formulas
    commands = {command for pair in formulas for command in re.findall(r"\\[A-Za-z]+|\\.", "".join(pair))}
    assert commands - tex.KNOWN == set()


def test_the_server_is_on_this_machine_alone_and_shows_the_books_own_page_for_what_is_missing(tmp_path):
    (tmp_path / "404.html").write_text("no such page")
    (tmp_path / "page.html").write_text("a page")
    with serve.server(tmp_path, top="/course/") as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        host, port = running.server_address
        with urllib.request.urlopen(f"http://{host}:{port}/course/page.html?q=1") as answer:
            assert answer.read() == b"a page"
        with pytest.raises(urllib.error.HTTPError) as missing:
            urllib.request.urlopen(f"http://{host}:{port}/page.html")
        with missing.value as answer:
            assert host == "127.0.0.1" and answer.code == 404 and answer.read() == b"no such page"
        running.shutdown()


@pytest.mark.thorough
def test_the_catalogue_has_the_messages_of_a_notebook_and_of_the_pages_around_it(tmp_path):
    pytest.importorskip("myst_nb", reason="Sphinx and MyST-NB are not installed; `python3 -m vae_lessons site` does it")
    (tmp_path / "source").mkdir()
    (tmp_path / "extra").mkdir()
    (tmp_path / "source/index.md").write_text("# A book\n\nThe first sentence.\n\n```{toctree}\none\n```\n")
    page = cells.notebook([cells.markdown("# One\n\nA lesson's sentence."), code("show()", cells.as_html("<p>x</p>"))])
    (tmp_path / "source/one.ipynb").write_text(json.dumps(page))
    command.sphinx(ROOT, tmp_path, "gettext", links.from_remote(""))
    found = "".join(path.read_text() for path in (tmp_path / "gettext").rglob("*.pot"))
    assert 'msgid "The first sentence."' in found and 'msgid "A lesson\'s sentence."' in found


# What is published beside the pages ------------------------------------------------------------


def test_an_archive_of_the_same_files_has_the_same_bytes(tmp_path):
    """Otherwise every build of the book would be another one, and a build after a kill could not be compared."""
    archives = []
    for name, seconds in (("one", 1e9), ("two", 1.5e9)):
        folder = tmp_path / name / "notebooks"
        folder.mkdir(parents=True)
        for letter in "ba" if name == "one" else "ab":
            (folder / f"{letter}.ipynb").write_text(letter)
            os.utime(folder / f"{letter}.ipynb", (seconds, seconds))
        archives.append(tmp_path / f"{name}.zip")
        sources.pack(folder, archives[-1])
    one, two = (archive.read_bytes() for archive in archives)
    assert one == two
    shutil.unpack_archive(archives[0], tmp_path / "three")
    assert [path.read_text() for path in sorted((tmp_path / "three/notebooks").iterdir())] == ["a", "b"]
