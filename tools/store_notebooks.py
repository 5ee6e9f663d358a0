"""Run notebooks and store their outputs: ``python tools/store_notebooks.py [notebook ...]``.

Without arguments, all of them. Each is run in a fresh kernel, its navigation links, exercises and places in
a lecture are renewed, whatever differs from run to run (times, widget ids) is normalised, and what changed is reported.
A notebook that fails, or warns, is left as it was.
"""

import base64
import hashlib
import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from wrap import wrap

from vae_lessons.exercises import lesson
from vae_lessons.exercises.source import Lesson
from vae_lessons.files import written_whole

INTRODUCTION = """Replace `...` (or mend the code), run the cell, then run the check below it: it tries your answer on fresh numbers and says what may be the matter. Stuck?
`hint("name")` in a new cell gives up to three steps, `solution("name")` a worked answer, and `progress()` lists what you have done in all lessons. The cells below need nothing from above."""
NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def main(arguments: list[str]) -> int:
    paths = [Path(argument).resolve() for argument in arguments] or course()
    return sum([store(path) for path in paths]) and 1


def course() -> list[Path]:
    """The notebooks of the course, in reading order."""
    return sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))


def store(path: Path) -> bool:
    """Run, normalise and write one notebook; report it in a line. True if something is wrong."""
    before = nbformat.read(path, as_version=4)
    notebook = nbformat.read(path, as_version=4)
    add_navigation(notebook, path)
    add_exercises(notebook, path)
    wrap_prose(notebook)
    started = time.monotonic()
    try:
        run(notebook, path.parent)
        refuse_warnings(notebook)
    except Exception as error:
        print(f"{path.name}: not stored\n{error}", file=sys.stderr)
        return True
    seconds = time.monotonic() - started
    add_slides(notebook)
    normalise(notebook, path.stem)
    nbformat.validate(notebook)
    with written_whole(path) as part:
        nbformat.write(notebook, part)
    save_signature(notebook)
    tell_times()
    changed = changes(before, notebook)
    print(f"{path.name}: {seconds:.1f} s, {path.stat().st_size / 1e6:.2f} MB, {', '.join(changed) or 'unchanged'}")
    return False


def wrap_prose(notebook: NotebookNode) -> None:
    """A sentence a line, so that a difference in git is a sentence that was changed."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and "navigation" not in cell.metadata.get("tags", ()):
            cell.source = wrap(cell.source)


def run(notebook: NotebookNode, folder: Path) -> None:
    """Execute every cell in a fresh kernel of this environment, widgets' state included."""
    resources = {"metadata": {"path": folder}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", coalesce_streams=True, resources=resources).execute()


def refuse_warnings(notebook: NotebookNode) -> None:
    """Raise if any cell wrote to stderr: a learner would read it as a fault."""
    for number, output in outputs(notebook):
        if output.get("name") == "stderr":
            raise ValueError(f"cell {number} wrote to stderr: {output.text}")


def outputs(notebook: NotebookNode) -> Iterator[tuple[int, NotebookNode]]:
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", ()):
            yield number, output


def save_signature(notebook: NotebookNode) -> None:
    """Write the picture of the cell tagged "signature" to the file that the README shows."""
    for cell in notebook.cells:
        if "signature" in cell.metadata.get("tags", ()):
            (picture,) = [output.data["image/png"] for output in cell.outputs if "image/png" in output.data]
            with written_whole(NOTEBOOKS / "signature.png") as part:
                part.write_bytes(base64.b64decode(picture))


# Navigation ------------------------------------------------------------------------------------


def add_navigation(notebook: NotebookNode, path: Path) -> None:
    """Put the links to the previous lesson, the contents and the next in the first and last cell."""
    body = [cell for cell in notebook.cells if "navigation" not in cell.metadata.get("tags", ())]
    notebook.cells = [navigation_cell(path, "top"), *body, navigation_cell(path, "bottom")]


def navigation_cell(path: Path, place: str) -> NotebookNode:
    cell = nbformat.v4.new_markdown_cell(navigation(path), metadata={"tags": ["navigation"]})
    cell.id = f"navigation-{place}"
    return cell


def navigation(path: Path) -> str:
    """``← previous | Contents | next →``, from the files that are there and their titles."""
    paths = course()
    place = paths.index(path)
    parts = ["[Contents](00_start_here.ipynb)"]
    if place > 0:
        parts.insert(0, f"← [{title(paths[place - 1])}]({paths[place - 1].name})")
    if place + 1 < len(paths):
        parts.append(f"[{title(paths[place + 1])}]({paths[place + 1].name}) →")
    return " | ".join(parts)


def title(path: Path) -> str:
    """The first heading of a notebook."""
    text = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown")
    return re.search(r"^# (.+)$", text, re.MULTILINE).group(1)


# Times -----------------------------------------------------------------------------------------

README = NOTEBOOKS.parent / "README.md"


class Times(NamedTuple):
    """How long a lesson takes, as its first page says: minutes to read, seconds to run on two cores."""

    read: int
    run: int


def times(number: str) -> Times:
    """The times of a lesson, from its line "**Time:** 35 minutes to read, about 15 seconds to run."."""
    (path,) = NOTEBOOKS.glob(f"{number}_*.ipynb")
    text = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown")
    found = re.search(r"\*\*Time.*?\*\*\s+(\d+)\s+minutes\s+to\s+read,\s+about\s+(\d+)\s+seconds\s+to\s+run", text)
    if found is None:
        raise ValueError(f"{path.name} must say '**Time:** N minutes to read, about N seconds to run'")
    return Times(int(found[1]), int(found[2]))


def tell_times() -> None:
    """Write the times of all lessons into the README's table, whose only source they are."""
    rows = [with_times(row) for row in README.read_text(encoding="utf-8").splitlines()]
    with written_whole(README) as part:
        part.write_text("\n".join(rows) + "\n", encoding="utf-8")


def with_times(row: str) -> str:
    """A row of the table "notebook | read | run | …" with the lesson's own times; any other line as it is."""
    found = re.match(r"\| \[(\d\d) [^|]*\| ", row)
    if found is None:
        return row
    read, run = times(found[1])
    rest = row[found.end() :].split(" | ", 2)[2]
    return f"{found[0]}{read} min | {run} s | {rest}"


# Exercises -------------------------------------------------------------------------------------


def add_exercises(notebook: NotebookNode, path: Path) -> None:
    """Renew the cells of the exercises, which follow the cell "## Exercises", from their one source."""
    body = [cell for cell in notebook.cells if "exercise" not in cell.metadata.get("tags", ())]
    places = [number for number, cell in enumerate(body, start=1) if cell.source.startswith("## Exercises")]
    if len(places) != 1:
        raise ValueError(f"{path.name} must have one cell that begins with '## Exercises', got {len(places)}")
    body[places[0] : places[0]] = exercise_cells(lesson(path.name[:2]))
    notebook.cells = body


def exercise_cells(of: Lesson) -> list[NotebookNode]:
    """The imports, then for each exercise its task, the cell to edit and the check."""
    imports = f"from vae_lessons.exercises import check, hint, progress, solution\n\n{of.setup}"
    cells = [exercise_cell("markdown", INTRODUCTION, "intro"), exercise_cell("code", imports.strip(), "setup")]
    for number, exercise in enumerate(of.exercises, start=1):
        task = f"### {number} · {exercise.title}\n\n{exercise.task}"
        cells.append(exercise_cell("markdown", task, "task", exercise.name))
        cells.append(exercise_cell("code", exercise.stub, "stub", exercise.name))
        cells.append(exercise_cell("code", f'check("{exercise.name}", {exercise.answer})', "check", exercise.name))
    return cells


def exercise_cell(kind: str, source: str, role: str, name: str = "exercises") -> NotebookNode:
    """A cell that says what it is in its metadata: `role` is task, stub or check."""
    new = nbformat.v4.new_markdown_cell if kind == "markdown" else nbformat.v4.new_code_cell
    source = wrap(source) if kind == "markdown" else source
    cell = new(source, metadata={"tags": ["exercise"], "exercise": name, "role": role})
    cell.id = f"{name}-{role}"
    return cell


# Slides ----------------------------------------------------------------------------------------


def add_slides(notebook: NotebookNode) -> None:
    """Say of every cell where it stands in a lecture, for `nbconvert --to slides` (teaching/slides_config.py).

    Left out are the links, what the first code cell sets up, what is tagged optional, and everything from
    "## Exercises" on.
    """
    setup = next(cell for cell in notebook.cells if cell.cell_type == "code")
    end = next(n for n, cell in enumerate(notebook.cells) if cell.source.startswith("## Exercises"))
    for number, cell in enumerate(notebook.cells):
        aside = {"navigation", "optional"} & set(cell.metadata.get("tags", ()))
        left_out = aside or number >= end or (cell is setup and not cell.outputs)
        cell.metadata.slideshow = nbformat.from_dict({"slide_type": "skip" if left_out else slide_type(cell)})


def slide_type(cell: NotebookNode) -> str:
    """A section is a slide, prose and pictures stand below it, and a result comes when it is asked for."""
    if cell.cell_type == "markdown":
        return "slide" if re.search(r"^##? ", cell.source, re.MULTILINE) else "subslide"
    if not cell.outputs:
        return "-"  # beside what stands before it: one key press must show something
    return "subslide" if any("image/png" in output.get("data", {}) for output in cell.outputs) else "fragment"


# Normalising -----------------------------------------------------------------------------------


def normalise(notebook: NotebookNode, name: str) -> None:
    """Drop what differs from run to run, so that a difference in git is a difference in content."""
    notebook.metadata.kernelspec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata.language_info = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    keep_shown_widgets(notebook)
    renamed = json.loads(rename_models(json.dumps(notebook), name))
    notebook.clear()
    notebook.update(nbformat.from_dict(renamed))


def keep_shown_widgets(notebook: NotebookNode) -> None:
    """Keep the state of widgets that an output shows, their parts, and the links between them."""
    stored = notebook.metadata.get("widgets", {}).get(WIDGET_STATE)
    if not stored:
        return
    state = stored["state"]
    shown = [
        output.data[WIDGET_VIEW]["model_id"] for _, output in outputs(notebook) if WIDGET_VIEW in output.get("data", {})
    ]
    kept = reachable(state, shown)
    links = {key for key, model in state.items() if model["model_name"] == "LinkModel" and references(model) <= kept}
    stored["state"] = {key: state[key] for key in state if key in kept | links}


def reachable(state: dict, roots: list[str]) -> set[str]:
    kept, waiting = set(), [root for root in roots if root in state]
    while waiting:
        key = waiting.pop()
        kept.add(key)
        waiting.extend(references(state[key]) - kept)
    return kept


def references(model: dict) -> set[str]:
    """The ids of the other models that a model's state names."""
    return set(re.findall(r"IPY_MODEL_([0-9a-f]{32})", json.dumps(model)))


def rename_models(text: str, name: str) -> str:
    """Number the widgets' random ids in the order they appear."""
    ids = dict.fromkeys(re.findall(r'(?:IPY_MODEL_|"model_id": "|")([0-9a-f]{32})"', text))
    new = {old: hashlib.md5(f"{name} {number}".encode()).hexdigest() for number, old in enumerate(ids)}
    return re.sub(r"[0-9a-f]{32}", lambda match: new.get(match[0], match[0]), text)


# Reporting -------------------------------------------------------------------------------------


def changes(before: NotebookNode, after: NotebookNode) -> list[str]:
    """Which cells' text outputs differ from those stored before, as ``cell 12``."""
    if len(before.cells) != len(after.cells):
        return [f"{len(before.cells)} cells became {len(after.cells)}"]
    pairs = enumerate(zip(before.cells, after.cells))
    return [f"cell {number}" for number, (old, new) in pairs if old.source != new.source or texts(old) != texts(new)]


def texts(cell: NotebookNode) -> list[str]:
    """The outputs of a cell that a reader can read, which are those nbval compares."""
    return [output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.get("outputs", ())]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
