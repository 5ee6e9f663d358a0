"""What teachers make from the notebooks: graded assignments, whose points nbgrader itself counts, and slides."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from test_notebooks import ROOT, every_notebook, store_notebooks

from vae_lessons.exercises import find, grade, lesson
from vae_lessons.exercises.source import run
from vae_lessons.opening import child_environment

spec = importlib.util.spec_from_file_location("export_assignment", ROOT / "tools" / "export_assignment.py")
export_assignment = importlib.util.module_from_spec(spec)
spec.loader.exec_module(export_assignment)

GAUSSIAN_KL = ROOT / "notebooks" / "01_gaussian_kl.ipynb"
SOLUTION = re.compile(r"### BEGIN SOLUTION\n(.*)\n### END SOLUTION", re.DOTALL)
HIDDEN = re.compile(r"\n### BEGIN HIDDEN TESTS\n(.*)\n### END HIDDEN TESTS", re.DOTALL)


# Graded assignments ----------------------------------------------------------------------------


def exported(path: Path, course: Path, **options: bool) -> nbformat.NotebookNode:
    notebook = nbformat.read(export_assignment.export(path, course, **options), as_version=4)
    nbformat.validate(notebook)
    return notebook


def with_role(notebook: nbformat.NotebookNode, role: str) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.metadata.get("role") == role]


@every_notebook
def test_an_assignment_has_every_exercise_with_its_points(path, tmp_path):
    notebook, exercises = exported(path, tmp_path), lesson(path.name[:2]).exercises
    answers, checks = with_role(notebook, "stub"), with_role(notebook, "check")
    assert [cell.metadata.exercise for cell in answers] == [exercise.name for exercise in exercises]
    assert [cell.metadata.nbgrader["points"] for cell in checks] == [exercise.points for exercise in exercises]
    marked = [cell.metadata.nbgrader for cell in notebook.cells if "nbgrader" in cell.metadata]
    assert len({meta["grade_id"] for meta in marked}) == len(marked) == 1 + 2 * len(exercises)
    assert all(meta["schema_version"] == 3 for meta in marked)
    assert all(set(meta) >= {"grade", "locked", "solution", "task"} for meta in marked)
    assert all(cell.metadata.nbgrader["solution"] and not cell.metadata.nbgrader["locked"] for cell in answers)
    assert all(cell.metadata.nbgrader["grade"] and cell.metadata.nbgrader["locked"] for cell in checks)


@every_notebook
def test_a_solution_stands_between_its_marks_and_nowhere_else(path, tmp_path):
    notebook = exported(path, tmp_path)
    for exercise, answer, check in zip(
        lesson(path.name[:2]).exercises, *map(with_role, [notebook] * 2, ("stub", "check"))
    ):
        assert SOLUTION.search(answer.source)[1] == exercise.solution
        assert SOLUTION.sub("", answer.source) == f"{exercise.stub}\n"
        assert f'grade("{exercise.name}", {exercise.answer})' in HIDDEN.search(check.source)[1]
        assert HIDDEN.sub("", check.source) == f'check("{exercise.name}", {exercise.answer})'
    assert not [cell for cell in notebook.cells if cell.get("outputs") or "solution(" in cell.source]


def test_exercises_only_leaves_the_lesson_out(tmp_path):
    whole, part = exported(GAUSSIAN_KL, tmp_path / "a"), exported(GAUSSIAN_KL, tmp_path / "b", exercises_only=True)
    assert part.cells[0].source.startswith("## Exercises")
    assert part.cells[1:] == [cell for cell in whole.cells if "role" in cell.metadata]
    assert len(part.cells) < len(whole.cells) / 2


def test_the_settings_of_a_course_are_written_once(tmp_path, capsys):
    settings = tmp_path / "nbgrader_config.py"
    arguments = [str(GAUSSIAN_KL), "--course", str(tmp_path), "--exercises-only"]
    export_assignment.main(arguments)
    assert settings.read_text() == export_assignment.SETTINGS
    settings.write_text("c = get_config()\n")
    capsys.readouterr()
    export_assignment.main(arguments)
    assert settings.read_text() == "c = get_config()\n"
    assert 'c.ClearSolutions.code_stub = {"python": ""}' in capsys.readouterr().out


def test_a_notebook_without_exercises_is_refused(tmp_path):
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "01_empty.ipynb")
    with pytest.raises(ValueError, match="has no exercises"):
        export_assignment.export(tmp_path / "01_empty.ipynb", tmp_path)


def test_grade_says_why_there_are_no_points():
    assert grade("kl-twin", 1.61) is None
    with pytest.raises(AssertionError, match="kl-twin: not answered yet"):
        grade("kl-twin", ...)
    with pytest.raises(AssertionError, match="kl-twin: 2 is the mirror image"):
        grade("kl-twin", 2.0)


def test_a_warning_costs_no_points():
    """Here it would be an error, in nbgrader a line on stderr: both would count as a mistake."""
    grade(BUG, run(*find(BUG), LOUD))


# What nbgrader makes of it ---------------------------------------------------------------------

POINTS = {f"{exercise.name}-check": exercise.points for exercise in lesson("01").exercises}
SOLVED = {exercise.name: exercise.solution for exercise in lesson("01").exercises}
BUG = "kl-mean-bug"
LOUD = f"import warnings\n\n{SOLVED[BUG]}".replace(
    "    return", '    warnings.warn("a warning is no mistake")\n    return'
)
HANDED_IN = {  # for each student, what stands in the cells
    "all-right": SOLVED,
    "two-wrong": {**SOLVED, BUG: find(BUG)[1].mistakes[0].code, "kl-mix-up": "1 / 0"},
    "with-warning": {**SOLVED, BUG: LOUD},
    "untouched": {},
}
SCORES = """
import json
from nbgrader.api import Gradebook

with Gradebook("sqlite:///gradebook.db") as book:
    handed_in = book.assignment_submissions("01_gaussian_kl")
    grades = {s.student.id: {g.name: g.auto_score for n in s.notebooks for g in n.grades} for s in handed_in}
print(json.dumps(grades))
"""


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An nbgrader course in which every student has handed in, and the grading is done."""
    if importlib.util.find_spec("nbgrader") is None:
        pytest.skip("nbgrader is not installed; graded classes need it, learners do not")
    course = tmp_path_factory.mktemp("course")
    export_assignment.main([str(GAUSSIAN_KL), "--course", str(course), "--exercises-only"])
    python(course, "-m", "nbgrader", "generate_assignment", "01_gaussian_kl")
    for student, answers in HANDED_IN.items():
        hand_in(course, student, answers)
    python(course, "-m", "nbgrader", "autograde", "01_gaussian_kl")
    return course


def python(course: Path, *arguments: str) -> str:
    """Run in the course's folder, with the settings of no other course; its standard output."""
    own = {f"JUPYTER_{name}_DIR": str(course / ".jupyter") for name in ("CONFIG", "DATA", "RUNTIME")}
    command, environment = [sys.executable, *arguments], child_environment(ROOT, sys.executable) | own
    done = subprocess.run(command, cwd=course, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def released(course: Path) -> nbformat.NotebookNode:
    return nbformat.read(course / "release" / GAUSSIAN_KL.stem / GAUSSIAN_KL.name, as_version=4)


def hand_in(course: Path, student: str, answers: dict[str, str]) -> None:
    """Write answers into the students' version, whose other cells stay as they are."""
    notebook = released(course)
    for cell in with_role(notebook, "stub"):
        cell.source = answers.get(cell.metadata.exercise, cell.source)
    target = course / "submitted" / student / GAUSSIAN_KL.stem / GAUSSIAN_KL.name
    target.parent.mkdir(parents=True)
    nbformat.write(notebook, target)


def test_students_get_the_stubs_and_the_checks_alone(course):
    notebook = released(course)
    exercises = lesson("01").exercises
    assert [cell.source.rstrip("\n") for cell in with_role(notebook, "stub")] == [e.stub for e in exercises]
    assert [c.source for c in with_role(notebook, "check")] == [f'check("{e.name}", {e.answer})' for e in exercises]
    assert not [cell for cell in notebook.cells if "SOLUTION" in cell.source or "HIDDEN" in cell.source]


def test_nbgrader_gives_the_points_that_are_due(course):
    assert json.loads(python(course, "-c", SCORES)) == {
        "all-right": POINTS,
        "two-wrong": {**POINTS, f"{BUG}-check": 0, "kl-mix-up-check": 0},
        "with-warning": POINTS,
        "untouched": dict.fromkeys(POINTS, 0),
    }


# Slides ----------------------------------------------------------------------------------------

LOCAL = {  # where the page finds what it otherwise takes from the net, and the npm package that has it
    "reveal_url_prefix": ("reveal.js@4.0.2", ""),
    "widget_renderer_url": ("@jupyter-widgets/html-manager@1.0.15", "/dist/embed-amd.js"),
    "require_js_url": ("requirejs@2.3.8", "/require.js"),
    "mathjax_url": ("mathjax@2.7.9", "/MathJax.js?config=TeX-AMS_CHTML-full,Safe"),
    "jquery_url": ("jquery@3.7.1", "/dist/jquery.min.js"),
}


def placed(path: Path) -> nbformat.NotebookNode:
    """A notebook in which every cell has its place in a lecture, whether or not it was stored so."""
    notebook = nbformat.read(path, as_version=4)
    store_notebooks.add_slides(notebook)
    return notebook


def slide_types(notebook: nbformat.NotebookNode) -> list[str]:
    return [cell.metadata.get("slideshow", {}).get("slide_type") for cell in notebook.cells]


@every_notebook
def test_the_stored_places_are_those_of_the_rule(path):
    assert slide_types(nbformat.read(path, as_version=4)) == slide_types(placed(path))


@every_notebook
def test_a_lecture_has_a_sensible_length(path):
    types = slide_types(placed(path))
    shown = [kind for kind in types if kind != "skip"]
    assert set(shown) <= {"slide", "subslide", "fragment", "-"} and shown[0] == "slide"
    assert 2 <= shown.count("slide") <= 16
    lectures = 2 if path.name.startswith(("07", "08")) else 1  # the guide gives them a session each
    assert 6 <= shown.count("slide") + shown.count("subslide") <= 40 * lectures


@every_notebook
def test_a_lecture_has_neither_links_nor_exercises(path):
    notebook = placed(path)
    shown = [cell for cell in notebook.cells if cell.metadata.slideshow.slide_type != "skip"]
    assert not [cell for cell in shown if set(cell.metadata.get("tags", ())) & {"navigation", "exercise"}]
    text = "\n".join(cell.source for cell in shown)
    assert "## Exercises" not in text and "## References" not in text
    pictures = [cell for cell in shown if any("image/png" in o.get("data", {}) for o in cell.get("outputs", ()))]
    assert pictures and all(cell.metadata.slideshow.slide_type == "subslide" for cell in pictures)


@pytest.mark.thorough
@pytest.mark.browser
def test_the_signature_slider_moves_in_a_lecture(tmp_path):
    """Without network, by keys, which the slider keeps for itself: the slide stays."""
    from browser import chromium, new_page
    from frames import Sliders, stored

    page_file, complaints = lecture(ROOT / "notebooks" / "07_kl_vanishing.ipynb", tmp_path), []
    output, *_ = stored("07_kl_vanishing")  # the signature slider is the first
    with chromium() as browser:
        page = new_page(browser, complaints, offline=True)
        page.goto(page_file.as_uri())
        slide = page.locator("section.present > section.present")
        page.wait_for_function("document.querySelectorAll('.noUi-handle').length")
        for _ in range(100):
            if slide.get_by_alt_text(output.frames[output.start].alt, exact=True).is_visible():
                break
            page.keyboard.press("Space")
        address, sliders = page.url, Sliders(slide, output)
        sliders.check()
        sliders.press(0)
        assert page.url == address and slide.locator(".highlight").count() == 0
        page.keyboard.press("Space")
        assert page.url != address
    assert not [complaint for complaint in complaints if not complaint.startswith("Failed to load resource")]


def lecture(path: Path, folder: Path) -> Path:
    """Make slides by the guide's command, with the scripts they need in the same folder."""
    from test_browser import unpack

    nbformat.write(placed(path), folder / path.name)
    scripts = [f"--SlidesExporter.{name}={unpack(package, folder)}{file}" for name, (package, file) in LOCAL.items()]
    config = ["--config", str(ROOT / "teaching" / "slides_config.py")]
    python(folder, "-m", "nbconvert", "--to", "slides", *config, *scripts, path.name)
    return folder / f"{path.stem}.slides.html"
