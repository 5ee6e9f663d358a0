"""Does the course hold on another Python and with other releases?  ``python tools/versions.py --python 3.11``

One command tries one row of the table. It clones what is committed, installs it there as the course's own commands do,
and runs every test without browser and every notebook:

    --python 3.11    the newest releases that pyproject.toml allows, on this Python (3.13 where none is named)
    --oldest         every package at its lower bound, on the oldest Python
    --newest         no upper bounds: the newest releases that the index has
    --pre            as --newest, with the pre-releases of NumPy, SymPy, Matplotlib and JupyterLab; a failure is no error

The environment is thrown away afterwards unless ``--folder`` names a place for it; a second run there goes on with it.
``--record`` puts the row into ``tests/trust/versions.json``. All other options go to pytest: ``-n 0``, ``-k name``.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import trust

from vae_lessons.install import venv_python
from vae_lessons.packages import requirements

ROOT = Path(__file__).resolve().parent.parent
OLDEST_PYTHON, NEWEST_PYTHON = "3.10", "3.13"
TITLES = {
    "allowed": "the newest releases that pyproject.toml allows",
    "oldest": "every package at its lower bound",
    "newest": "the newest releases there are",
    "pre": "pre-releases of NumPy, SymPy, Matplotlib, JupyterLab",
}
LOOKED_AHEAD = ("numpy", "sympy", "matplotlib", "jupyterlab")
BOUNDED = ("pyproject.toml", "environment.yml", "Dockerfile")
SET_UP = "from pathlib import Path; from vae_lessons.install import set_up; set_up(Path.cwd(), 'test')"
VERSIONS = (
    "import platform; from importlib.metadata import version; print(platform.python_version(), *map(version, {}))"
)


def pinned(lines: list[str]) -> list[str]:
    """Each requirement at its lower bound: ``numpy>=1.26,<2.5`` as ``numpy==1.26``."""
    return [re.sub(r">=([\d.]+),.*", r"==\1", line) for line in lines]


def with_prereleases(lines: list[str]) -> list[str]:
    """Lower bounds that are pre-releases themselves: with such a bound pip takes a package's other pre-releases, too."""
    names = {re.split(">=", line)[0]: line for line in lines}
    return [re.sub(r">=([\d.]+),.*", r">=\1.dev0", names[name]) for name in LOOKED_AHEAD]


def lifted(text: str) -> str:
    """A file of BOUNDED with upper bounds that no release reaches."""
    return re.sub(r"(>=[\d.]+,<)[\d.]+", r"\g<1>9999", text)


def wanted(root: Path = ROOT) -> list[str]:
    """What pyproject.toml asks for to run and to test the course."""
    return requirements(root, "dependencies") + requirements(root, "test")


def constraints(mode: str, lines: list[str]) -> list[str]:
    """What pip has to keep to besides pyproject.toml."""
    return {"oldest": pinned, "pre": with_prereleases}.get(mode, lambda _: [])(lines)


def interpreter(version: str) -> str:
    """The Python of this version: on the PATH, or the last of pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    of_pyenv = sorted(pyenv.glob(f"versions/{version}.*/bin/python"), key=lambda path: len(str(path)))
    found = of_pyenv[-1] if of_pyenv else shutil.which(f"python{version}")
    if not found:
        sys.exit(f"there is no Python {version} here, neither pyenv's nor on the PATH")
    return str(found)


def renew(tree: Path, mode: str) -> None:
    """What is committed, as it is or with its upper bounds lifted."""
    if not tree.exists():
        subprocess.run(["git", "clone", "--quiet", ROOT, tree], check=True)
    subprocess.run(["git", "-C", tree, "fetch", "--quiet", ROOT, "HEAD"], check=True)
    subprocess.run(["git", "-C", tree, "reset", "--quiet", "--hard", "FETCH_HEAD"], check=True)
    for path in map(tree.joinpath, BOUNDED if mode in ("newest", "pre") else ()):
        path.write_text(lifted(path.read_text(encoding="utf-8")), encoding="utf-8")


def install(tree: Path, python: str, mode: str) -> None:
    """The course's own set-up, with this Python; what a kept folder has is brought up to date.

    The file of constraints, empty or not, stands for the machine's own.
    """
    kept_to = tree.parent / "constraints.txt"
    kept_to.write_text("\n".join(constraints(mode, wanted(tree))) + "\n", encoding="utf-8")
    of_pip = {"PIP_CONSTRAINT": str(kept_to), "PIP_UPGRADE": "1", "PIP_UPGRADE_STRATEGY": "eager"}
    subprocess.run([python, "-c", SET_UP], cwd=tree, env=os.environ | of_pip, check=True)


def tested(tree: Path, options: list[str]) -> tuple[dict[str, int], float]:
    """How many tests passed, failed and were skipped, and the seconds."""
    results = tree.parent / "results.xml"
    results.unlink(missing_ok=True)
    command = [venv_python(tree), "-m", "vae_lessons", "test", "-m", "not browser", "--thorough", "-q"]
    # test_trust.py asks for the rows that are being made.
    command += [f"--junitxml={results}", "--ignore=tests/test_trust.py"]
    subprocess.run([*command, *options], cwd=tree)
    return trust.counted(results)


def releases(tree: Path) -> tuple[str, str]:
    """The Python and, as one line, the release of every package that the environment was made for."""
    names = [line.split(">=")[0] for line in wanted(tree)]
    python, *found = subprocess.check_output([venv_python(tree), "-c", VERSIONS.format(names)], text=True).split()
    return python, ", ".join(f"{name} {release}" for name, release in zip(names, found))


def row(tree: Path, mode: str, options: list[str]) -> trust.Row:
    """Run the tests in a finished environment: which releases they met, and what came of it."""
    python, names = releases(tree)
    commit = subprocess.check_output(["git", "-C", tree, "rev-parse", "--short", "HEAD"], text=True).strip()
    counts, seconds = tested(tree, options)
    note = f"{names}; {counts['failed']} failed, {counts['skipped']} skipped, {seconds:.0f} s; commit {commit}"
    tried = f"Python {'.'.join(python.split('.')[:2])}, {TITLES[mode]}"
    return trust.Row(tried, counts["passed"] + counts["failed"], counts["passed"], note)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for mode in ("oldest", "newest", "pre"):
        parser.add_argument(f"--{mode}", dest="mode", action="store_const", const=mode, default="allowed")
    parser.add_argument("--python", metavar="3.N", help="another Python than the row's own")
    parser.add_argument("--folder", type=Path, help="keep the environment here")
    parser.add_argument("--record", action="store_true", help="write the row into tests/trust/versions.json")
    asked, options = parser.parse_known_args()
    python = interpreter(asked.python or (OLDEST_PYTHON if asked.mode == "oldest" else NEWEST_PYTHON))
    with tempfile.TemporaryDirectory() as passing:
        tree = (asked.folder or Path(passing)).resolve() / "tree"
        renew(tree, asked.mode)
        install(tree, python, asked.mode)
        tried = row(tree, asked.mode, options)
    print(trust.table([tried]))
    if asked.record:
        trust.renew("versions", [tried])
    return int(tried.held != tried.cases and asked.mode != "pre")


if __name__ == "__main__":
    sys.exit(main())
