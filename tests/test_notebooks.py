"""What every stored notebook must keep to; that its outputs are right is for `pytest --nbval`."""

import ast
import errno
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
import store_notebooks
from wrap import wrap

from tests.lessons import own_code

ROOT = Path(__file__).resolve().parent.parent
COURSE = store_notebooks.course()
every_notebook = pytest.mark.parametrize("path", COURSE, ids=lambda path: path.stem)
every_lesson = pytest.mark.parametrize("path", COURSE[1:], ids=lambda path: path.stem)


def cells(path: Path, kind: str) -> list[nbformat.NotebookNode]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def prose(path: Path) -> str:
    return "\n\n".join(cell.source for cell in cells(path, "markdown"))


def test_the_heart_of_the_course_is_there():
    stems = {path.stem for path in COURSE}
    assert {"00_start_here", "01_gaussian_kl", "02_monte_carlo_kl", "05_reference_vae", "07_kl_vanishing"} <= stems


@every_notebook
def test_every_code_cell_was_run_in_order(path):
    counts = [cell.execution_count for cell in cells(path, "code")]
    assert counts == list(range(1, len(counts) + 1))


@every_notebook
def test_no_cell_left_a_warning_an_error_or_nothing_to_check(path):
    outputs = [output for cell in cells(path, "code") for output in cell.outputs]
    assert not [output for output in outputs if output.get("name") == "stderr" or output.output_type == "error"]
    assert sum(1 for output in outputs if output.get("name") == "stdout") >= 2


@every_notebook
def test_code_cells_are_for_readers(path):
    sources = [cell.source.splitlines() for cell in cells(path, "code")]
    assert max(len(line) for lines in sources for line in lines) <= 100
    assert max(map(len, sources)) <= 25
    assert sum(len(lines) > 12 for lines in sources) <= max(1, 0.2 * len(sources))


@every_notebook
def test_prose_has_a_sentence_a_line(path):
    for cell in cells(path, "markdown"):
        assert "navigation" in cell.metadata.get("tags", ()) or cell.source == wrap(cell.source)


@every_notebook
def test_all_seeds_come_from_one_line(path):
    code = "\n".join(own_code(path))
    assert len(re.findall(r"^SEED = 0$", code, re.MULTILINE)) == 1
    assert not re.findall(r"(?:seed=|manual_seed\(|default_rng\()(?!SEED)(?!seed)", code)


@every_notebook
def test_a_name_keeps_its_type(path):
    """A name bound in several cells is bound by the same call, or by the same kind of literal, in each."""
    kinds: dict[str, set[str]] = {}
    for source in own_code(path):
        for name, kind in bindings(ast.parse(source)):
            kinds.setdefault(name, set()).add(kind)
    assert {name: found for name, found in kinds.items() if len(found) > 1} == {}


def bindings(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The names that a cell binds, each with how: the function called, the kind of literal, the definition."""
    for node in tree.body:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                yield from bound(target, node.value)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name, type(node).__name__


def bound(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, str]]:
    """The names of one assignment; those of an unpacked call are told apart by their places."""
    if isinstance(target, ast.Name):
        yield target.id, kind(value)
    elif isinstance(target, ast.Tuple | ast.List):
        parts = value.elts if isinstance(value, ast.Tuple | ast.List) else [value] * len(target.elts)
        for place, (name, part) in enumerate(zip(target.elts, parts)):
            yield from ((inner, f"{how} [{place}]") for inner, how in bound(name, part))


def kind(value: ast.expr) -> str:
    return ast.unparse(value.func) if isinstance(value, ast.Call) else type(value).__name__


def test_names_that_change_their_type_are_seen():
    def kinds(code: str) -> list[tuple[str, str]]:
        return list(bindings(ast.parse(code)))

    assert kinds("eps = torch.randn(3)") != kinds("eps = sp.Symbol('eps')")
    assert kinds("eps = torch.randn(3)") == kinds("eps = torch.randn(9, 8)")
    assert kinds("fig, ax = plt.subplots()") == kinds("fig, ax = plt.subplots(figsize=(3, 4))")
    assert kinds("theory = 3.0") != kinds("def theory(beta): return 3.0")


@every_notebook
def test_pictures_have_alternative_text(path):
    for cell in cells(path, "code"):
        for output in cell.outputs:
            if "image/png" in output.get("data", {}) and store_notebooks.WIDGET_VIEW not in output.data:
                assert output.metadata["image/png"]["alt"] == output.data["text/plain"]
                assert len(output.data["text/plain"]) > 30


@every_notebook
def test_every_slider_was_stored_with_all_its_pictures(path):
    notebook = nbformat.read(path, as_version=4)
    state = notebook.metadata.widgets[store_notebooks.WIDGET_STATE]["state"]
    sliders = [model["state"] for model in state.values() if model["model_name"] == "SelectionSliderModel"]
    frames = [model["state"]["value"] for model in state.values() if "<img" in str(model["state"].get("value"))]
    assert sliders and len(frames) >= max(len(slider["_options_labels"]) for slider in sliders)
    assert all(re.search(r'alt="[^"]{20,}"', frame) for frame in frames)


@every_notebook
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#]+\.ipynb)\)", prose(path)):
        assert (path.parent / target).exists(), target


@every_notebook
def test_navigation_is_the_generated_one(path):
    notebook = nbformat.read(path, as_version=4)
    expected = store_notebooks.navigation(path)
    assert [notebook.cells[0].source, notebook.cells[-1].source] == [expected, expected]


@every_lesson
def test_lessons_open_and_close_as_the_design_says(path):
    text = prose(path)
    for part in (
        "**When you are done, you can**",
        "**You need**",
        "**Time:**",
        "**Predict",
        "## Summary",
        "## Exercises",
        "## References",
    ):
        assert part in text, part
    assert re.search(r"^# \d\d · .+\?$", text, re.MULTILINE), "the title is a question"


@every_notebook
def test_the_contents_list_every_notebook(path):
    assert path == COURSE[0] or f"]({path.name})" in prose(COURSE[0])


@every_notebook
def test_files_stay_small(path):
    models_inside = "show_living(" in path.read_text(encoding="utf-8")  # 68 kB for each
    assert path.stat().st_size < (4e6 if models_inside else 2e6)
    assert sum(p.stat().st_size for p in COURSE) < 12e6


@every_notebook
def test_nothing_hides_a_cell_from_nbval(path):
    assert "nbval" not in "".join(cell.source.lower() for cell in cells(path, "code"))
    assert not [cell for cell in cells(path, "code") if any("nbval" in tag for tag in cell.metadata.get("tags", ()))]


def test_the_readme_tells_the_times_of_the_lessons():
    rows = store_notebooks.README.read_text(encoding="utf-8").splitlines()
    assert rows == [store_notebooks.with_times(row) for row in rows]
    assert sum(bool(re.search(r"^\| \[\d\d .*\| \d+ min \| \d+ s \|", row)) for row in rows) == len(COURSE)
    assert store_notebooks.with_times("| [01 KL](x.ipynb) | 1 min | 2 s | what | more |").endswith(" s | what | more |")


def test_model_ids_are_renamed_consistently():
    one, two = "0" * 32, "f" * 32
    text = f'"model_id": "{two}" "IPY_MODEL_{one}" "{two}": {{}} "{one}": {{}} deadbeef'
    renamed = store_notebooks.rename_models(text, "a")
    assert one not in renamed and two not in renamed and "deadbeef" in renamed
    assert len(set(re.findall(r"[0-9a-f]{32}", renamed))) == 2
    assert renamed == store_notebooks.rename_models(text.replace(one, "1" * 32), "a")


def test_state_of_widgets_nobody_sees_is_dropped():
    def model(name: str, **state: object) -> dict:
        return {"model_name": name, "state": state}

    shown, child, hidden = (letter * 32 for letter in "abc")
    state = {
        shown: model("VBoxModel", children=[f"IPY_MODEL_{child}"]),
        child: model("HTMLModel"),
        hidden: model("HTMLModel"),
        "e" * 32: model("LinkModel", source=[f"IPY_MODEL_{shown}", "x"], target=[f"IPY_MODEL_{child}", "y"]),
        "f" * 32: model("LinkModel", source=[f"IPY_MODEL_{hidden}", "x"], target=[f"IPY_MODEL_{child}", "y"]),
    }
    output = nbformat.v4.new_output("display_data", {store_notebooks.WIDGET_VIEW: {"model_id": shown}})
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", outputs=[output])])
    notebook.metadata.widgets = {store_notebooks.WIDGET_STATE: {"state": state}}
    store_notebooks.keep_shown_widgets(notebook)
    kept = notebook.metadata.widgets[store_notebooks.WIDGET_STATE]["state"]
    assert set(kept) == {shown, child, "e" * 32}


@pytest.mark.parametrize(
    ("place", "writer", "name"),
    [
        (nbformat, "write", COURSE[7].name),
        (Path, "write_bytes", "signature.png"),
        (Path, "write_text", "README.md"),
    ],
)
def test_a_full_disk_leaves_the_file_of_before(tmp_path, monkeypatch, place, writer, name):
    """A file that is opened for writing is empty at once, so nothing may be opened under its own name."""
    for file in (*COURSE, store_notebooks.README, store_notebooks.NOTEBOOKS / "signature.png"):
        shutil.copy(file, tmp_path)
    monkeypatch.setattr(store_notebooks, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(store_notebooks, "README", tmp_path / "README.md")
    monkeypatch.setattr(store_notebooks, "run", lambda *_: None)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    monkeypatch.setattr(place, writer, full_disk)
    with pytest.raises(OSError, match="No space left"):
        store_notebooks.store(tmp_path / COURSE[7].name)
    assert {file.name for file in tmp_path.iterdir()} == before.keys()
    assert (tmp_path / name).read_bytes() == before[name]


def full_disk(*arguments, **options):
    """Half of it is written, to whichever of the arguments is the file."""
    (file,) = [argument for argument in arguments if isinstance(argument, Path)]
    with file.open("wb") as half:
        half.write(b"half")
    raise OSError(errno.ENOSPC, "No space left on device")
