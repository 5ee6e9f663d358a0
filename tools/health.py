"""Lint, format, types, dead code and spelling: ``python tools/health.py``; ``--fix`` mends what can be mended.

CI runs it after the tests, and pre-commit before each commit. It needs ``pip install -e ".[health]"``.
"""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
# Where dead code is looked for; what only tests use is dead.
PATHS = ("vae_lessons", "tools", "benchmarks", "teaching/start_learner.py")


def main(arguments: Sequence[str]) -> int:
    fix = "--fix" in arguments
    with tempfile.TemporaryDirectory() as folder:
        checks = {
            "lint": ["ruff", "check", "--quiet", *(["--fix"] if fix else []), "."],
            "format": ["ruff", "format", "--quiet", *([] if fix else ["--check"]), "."],
            "types": ["mypy"],
            "dead code": ["vulture", *PATHS, *write_cells(Path(folder), "code", "py")],
            "spelling": ["codespell_lib", ".", *write_cells(Path(folder), "markdown", "md")],
        }
        failed = [name for name, command in checks.items() if not passes(command)]
    for name in checks:
        print(f"{'✗' if name in failed else '✓'} {name}")
    return int(bool(failed))


def passes(command: Sequence[str]) -> bool:
    """Run a tool of this environment in the project's folder; what it finds is printed."""
    return subprocess.run([sys.executable, "-m", *command], cwd=ROOT, check=False).returncode == 0


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
