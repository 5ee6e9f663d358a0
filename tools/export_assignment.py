"""Export notebooks as nbgrader assignments: ``python tools/export_assignment.py notebook ... --course DIR``.

Each becomes DIR/source/NAME/NAME.ipynb, the teacher's version, made from the exercises' one source. In it a
solution stands below its stub, between nbgrader's marks: students get the stub alone. A check is locked, and
has the points and a hidden test. With --exercises-only the lesson is left out.
"""

import argparse
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from vae_lessons.exercises import find, lesson
from vae_lessons.exercises.source import Exercise

INTRODUCTION = """Replace `...` (or mend the code), run the cell, then run the check below it: it tries your answer on fresh numbers and says what may be the matter. Stuck?
`hint("name")` in a new cell gives up to three steps. An answer counts when its check says ✓."""
SETTINGS = """c = get_config()

# Students get the stub that stands above each solution; nothing is put in the solution's place.
c.ClearSolutions.code_stub = {"python": ""}
"""


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description="Export notebooks as nbgrader assignments.")
    parser.add_argument("notebooks", nargs="+", type=Path, metavar="NOTEBOOK")
    parser.add_argument("--course", required=True, type=Path, metavar="DIR", help="the folder of the nbgrader course")
    parser.add_argument("--exercises-only", action="store_true", help="leave the lesson out")
    options = parser.parse_args(arguments)
    for path in options.notebooks:
        print(export(path, options.course, options.exercises_only))
    write_settings(options.course)


def export(path: Path, course: Path, exercises_only: bool = False) -> Path:
    """Write one notebook's assignment and return where it is.

    Raises:
        ValueError: the notebook has no exercises.
    """
    notebook = assignment(nbformat.read(path, as_version=4), path.name[:2], exercises_only)
    target = course / "source" / path.stem / path.name
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, target)
    return target


def write_settings(course: Path) -> None:
    """Set what the stubs need; a teacher's own settings are left alone, and the line to add is named."""
    path = course / "nbgrader_config.py"
    if not path.exists():
        path.write_text(SETTINGS, encoding="utf-8")
    elif "ClearSolutions.code_stub" not in path.read_text(encoding="utf-8"):
        print(f"Add this to {path}:\n{SETTINGS.splitlines()[-1]}")


# Cells -----------------------------------------------------------------------------------------


def assignment(notebook: NotebookNode, number: str, exercises_only: bool) -> NotebookNode:
    """The teacher's version of a notebook, without outputs and without links to other lessons."""
    cells = [cell for cell in notebook.cells if not exercises_only or is_exercise(cell)]
    notebook.cells = [graded(cell, number) for cell in cells if "navigation" not in cell.metadata.get("tags", ())]
    notebook.metadata.pop("widgets", None)
    if not any("nbgrader" in cell.metadata for cell in notebook.cells):
        raise ValueError(f"notebook {number} has no exercises; tools/store_notebooks.py puts them in")
    nbformat.validate(notebook)
    return notebook


def is_exercise(cell: NotebookNode) -> bool:
    return "role" in cell.metadata or cell.source.startswith("## Exercises")


def graded(cell: NotebookNode, number: str) -> NotebookNode:
    """A cell with its outputs cleared, and what nbgrader has to know about it."""
    if cell.cell_type == "code":
        cell.update(outputs=[], execution_count=None)
    role = cell.metadata.get("role")
    if role == "intro":
        cell.source = INTRODUCTION
    elif role == "setup":
        cell.source = f"from vae_lessons.exercises import check, hint\n\n{lesson(number).setup}".strip()
        mark(cell, locked=True)
    elif role == "stub":
        cell.source = with_solution(find(cell.metadata.exercise)[1])
        mark(cell, solution=True)
    elif role == "check":
        exercise = find(cell.metadata.exercise)[1]
        cell.source += hidden_test(exercise)
        mark(cell, grade=True, locked=True, points=exercise.points)
    return cell


def mark(cell: NotebookNode, **kind: bool | int) -> None:
    """Write nbgrader's metadata, which name the cell by its id."""
    none = {"grade": False, "locked": False, "solution": False, "task": False}
    cell.metadata.nbgrader = nbformat.from_dict({"schema_version": 3, "grade_id": cell.id, **none, **kind})


def with_solution(exercise: Exercise) -> str:
    """The stub first: run as it is, the cell defines the stub and then the solution, which holds."""
    return f"{exercise.stub}\n### BEGIN SOLUTION\n{exercise.solution}\n### END SOLUTION"


def hidden_test(exercise: Exercise) -> str:
    """What gives or refuses the points; nbgrader takes it out of the students' version."""
    test = f'from vae_lessons.exercises import grade\n\ngrade("{exercise.name}", {exercise.answer})'
    return f"\n### BEGIN HIDDEN TESTS\n{test}\n### END HIDDEN TESTS"


if __name__ == "__main__":
    main(sys.argv[1:])
