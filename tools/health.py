"""The code's health: ``python tools/health.py``; ``--fix`` mends what can be mended.

Lint, format, types, dead code, dependencies that are unused or unnamed, licences that nobody has looked at, spelling.

CI runs it after the tests, and pre-commit before each commit. It needs ``pip install -e ".[health]"``; and for the types
of the JavaScript TypeScript's compiler, which it fetches once into ``build/`` where there is npm.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import nbformat
from licences import COURSE as EVERYBODY
from licences import GROUPS

ROOT = Path(__file__).resolve().parent.parent
# Where dead code is looked for; what only tests use is dead.
PATHS = ("vae_lessons", "tools", "benchmarks", "teaching/start_learner.py")
# Whose modules deptry takes for ours, besides those of the packages that lie in the clone itself.
MODULES = (".", "tools", "tests", "benchmarks", "docs")
# What a learner's kernel reads, which may import only what every learner has.
COURSE = ("vae_lessons", "notebooks", "teaching")
TYPESCRIPT = "typescript@>=5.8 <8"  # both ends tried


def main(arguments: Sequence[str]) -> int:
    fix = "--fix" in arguments
    extras = ",".join(group for group in GROUPS if group != EVERYBODY)
    with tempfile.TemporaryDirectory() as folder:
        checks = {
            "lint": ["ruff", "check", "--quiet", *(["--fix"] if fix else []), "."],
            "format": ["ruff", "format", "--quiet", *([] if fix else ["--check"]), "."],
            "types": ["mypy"],
            "dead code": ["vulture", *PATHS, *write_cells(Path(folder), "code", "py")],
            "dependencies": ["deptry", *MODULES],
            "dependencies of the course": ["deptry", *COURSE, f"--optional-dependencies-dev-groups={extras}"],
            "spelling": ["codespell_lib", ".", *write_cells(Path(folder), "markdown", "md")],
        }
        found = {name: passes(sys.executable, "-m", *command) for name, command in checks.items()}
    found["licences"] = passes(sys.executable, "tools/licences.py", "--quiet")
    compiler = typescript()
    if compiler is None:
        print("– types of the JavaScript: not looked at, there is no npm")
    else:
        found["types of the JavaScript"] = passes(compiler, "-p", "vae_lessons/living/jsconfig.json")
    for name, is_well in found.items():
        print(f"{'✓' if is_well else '✗'} {name}")
    return int(not all(found.values()))


def passes(*command: str) -> bool:
    """Run a tool in the project's folder; what it finds is printed."""
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def typescript() -> str | None:
    """TypeScript's compiler, fetched if need be; None where there is no npm."""
    folder, npm = ROOT / "build/typescript", shutil.which("npm")
    program = folder / "node_modules/.bin/tsc"
    if not program.exists() and npm:
        install = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), TYPESCRIPT]
        subprocess.run(install, cwd=ROOT, check=True)
    return str(program) if program.exists() else None


def write_cells(folder: Path, kind: str, suffix: str) -> list[str]:
    """The code or the prose of each notebook as a file, for tools that do not read notebooks; their names."""
    names = []
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = [cell.source for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == kind]
        path = folder / f"lesson_{notebook.stem}.{suffix}"
        path.write_text("\n\n".join(cells), encoding="utf-8")
        names.append(str(path))
    return names


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
