"""The two lists of packages agree, and the promises of the README's first lines hold."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from vae_lessons.packages import requirements

ROOT = Path(__file__).resolve().parent.parent
GROUPS = ("dependencies", "cluster", "test", "health", "mutants", "site")
ON_CONDA = {"matplotlib": "matplotlib-base", "torch": "pytorch-cpu", "playwright": "playwright-python"}


def conda_packages() -> set[str]:
    text = (ROOT / "environment.yml").read_text()
    return set(re.findall(r"^  - ([\w-]+[<>=][^\s#]*)$", text, re.MULTILINE))


def test_environment_yml_agrees_with_pyproject():
    ours = [line for group in GROUPS for line in requirements(ROOT, group)]
    renamed = {re.sub(r"^[\w-]+", lambda name: ON_CONDA.get(name[0], name[0]), line) for line in ours}
    python = re.search(r'requires-python = "(.+)"', (ROOT / "pyproject.toml").read_text())[1]
    assert conda_packages() == renamed | {f"python{python}"}


def test_every_package_has_both_bounds():
    for line in (line for group in (*GROUPS, "classroom") for line in requirements(ROOT, group)):
        assert re.fullmatch(r"[\w-]+>=[\d.]+,<[\d.]+", line), line


def test_every_package_imported_is_asked_for():
    """Whatever the package, the tools and the benchmarks import is listed, or comes with Python.

    `tools/health.py` asks deptry the same of all files, and whether anything listed is of no use.
    """
    names = {"PIL": "pillow", "IPython": "ipython", "jupyter_client": "nbclient"}
    asked = {re.match(r"[\w-]+", line)[0] for line in requirements(ROOT, "dependencies")}
    for_tests = asked | {re.match(r"[\w-]+", line)[0] for line in requirements(ROOT, "test")}
    for folder, listed in {"vae_lessons": asked, "tools": for_tests, "benchmarks": for_tests}.items():
        for path in (ROOT / folder).rglob("*.py"):
            for name in re.findall(r"^\s*(?:from|import) (\w+)", path.read_text(), re.MULTILINE):
                ours = name in ("vae_lessons", "tests") or any(
                    (ROOT / place).exists()
                    for place in (
                        f"tests/{name}.py",
                        f"tools/{name}.py",
                        f"benchmarks/{name}.py",
                        f"docs/{name}",
                        f"docs/{name}.py",
                    )
                )
                of_the_peer = path.name == "training_pythae.py" and name == "pythae"  # run by another environment
                known = ours or of_the_peer or name in sys.stdlib_module_names
                assert known or names.get(name, name) in listed, f"{path.name} imports {name}"


@pytest.mark.parametrize("name", ["LICENSE", "LICENSE-CC-BY-4.0.txt", "README.md", "CONTRIBUTING.md"])
def test_the_files_a_reader_looks_for_are_there(name):
    assert len((ROOT / name).read_text()) > 500


def test_readme_names_what_exists():
    text = (ROOT / "README.md").read_text()
    for target in re.findall(r"\]\(([^):#]+)\)|src=\"([^\":]+)\"", text):
        assert (ROOT / "".join(target)).exists(), target
    assert "python3 -m vae_lessons\n" in text and "python3 -m vae_lessons test\n" in text
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        assert f"notebooks/{path.name}" in text


def test_ci_runs_the_readmes_test_command():
    assert re.search(r"^python3 -m vae_lessons test", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)


def test_the_project_installs_from_a_wheel_with_its_style(tmp_path):
    """Built without isolation and without network; the style file must travel with the package."""
    pytest.importorskip("setuptools", minversion="77", reason="building needs setuptools ≥ 77 in this environment")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q", "-w", tmp_path, ROOT]
    subprocess.run(command, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    import zipfile

    wanted = {"course.mplstyle", "gaussian.py", "recorded/theory-mnist.json", "recorded/theory-mnist.npz"}
    wanted |= {str(path.relative_to(ROOT / "vae_lessons")) for path in (ROOT / "vae_lessons/jupyter").rglob("*.js*")}
    wanted |= {"jupyter/jupyter_lab_config.py"}
    assert {f"vae_lessons/{name}" for name in wanted} <= set(zipfile.ZipFile(wheel).namelist())
