"""Ways into the course that nobody can walk here: what their files name exists, and what they promise holds."""

import re
from pathlib import Path

import pytest
from PIL import Image

from vae_lessons.packages import ROOT, requirements

yaml = pytest.importorskip("yaml", reason="PyYAML comes with JupyterLab")
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def test_the_moving_picture_is_small_and_has_every_frame_of_the_slider():
    import animate

    assert animate.GIF.stat().st_size < 1_000_000
    with Image.open(animate.GIF) as film:
        assert film.n_frames == len(animate.signature_frames()) > 10
    assert f'src="docs/{animate.GIF.name}"' in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_runs_commands_that_exist_and_names_no_repository(path):
    text = path.read_text(encoding="utf-8")
    jobs = yaml.safe_load(text)["jobs"]
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert any(command.startswith("python -m vae_lessons") for command in commands)
    for name in re.findall(r"python -m vae_lessons (\w+)", text):
        assert name in ("test", "site")
    assert not re.search(r"github\.com/(?!\$\{\{)", text), "the address is the fork's own"


def test_the_tests_run_on_three_systems_with_the_oldest_and_the_newest_python():
    matrix = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text())["jobs"]["tests"]["strategy"]["matrix"]
    assert [system.split("-")[0] for system in matrix["system"]] == ["ubuntu", "macos", "windows"]
    oldest = re.search(r'requires-python = ">=(.+)"', (ROOT / "pyproject.toml").read_text())[1]
    assert matrix["python"][0] == oldest and len(matrix["python"]) == 2


def test_binder_finds_the_environment_and_the_scripts_it_runs():
    assert (ROOT / ".binder/environment.yml").read_text() == (ROOT / "environment.yml").read_text()
    for name in ("postBuild", "start"):
        script = ROOT / ".binder" / name
        assert script.stat().st_mode & 0o111 and script.read_text().startswith("#!/usr/bin/env bash\n")
    assert (ROOT / "vae_lessons/jupyter").is_dir()


def test_the_dockerfile_serves_course_hub_and_book_with_files_that_exist():
    text = (ROOT / "Dockerfile").read_text()
    torch = next(line for line in requirements(ROOT, "dependencies") if line.startswith("torch"))
    assert f'"{torch}"' in text
    assert re.findall(r"^FROM \S+ AS (\w+)$", text, re.M) == ["base", "book", "hub", "learner", "course"]
    for name in re.findall(r"\b((?:docs|teaching)/[\w./]+)", text):
        assert (ROOT / name).exists(), name
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert not {name for name in ignored if (Path(name).suffix == ".py" or name in ("docs", "notebooks", "teaching"))}
