"""`python3 -m vae_lessons`: what its arguments ask for, and the one line a person gets when it cannot be done."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from vae_lessons.install import SetupError, ready_python
from vae_lessons.opening import build_site, open_course, run_tests
from vae_lessons.packages import ROOT

HELP = """\
python3 -m vae_lessons [options]        open the course in JupyterLab; options (--port=9999) go to JupyterLab
python3 -m vae_lessons test [options]   run the tests and every notebook; options go to pytest
python3 -m vae_lessons site [options]   build the book on the web into site/; --open shows it, --help lists more
The first run installs what is missing into .venv, beside this project's files; Ctrl-C stops it, and the
same command goes on from there. An environment that has the packages already is used as it is."""


def run(arguments: list[str], root: Path) -> int:
    """Do what the command line asks for."""
    if not (root / "pyproject.toml").exists():
        raise SetupError("this copy is not inside the project: clone the course and run the command there.")
    if arguments[:1] == ["test"]:
        return run_tests(root, ready_python(root, "test"), arguments[1:])
    if arguments[:1] == ["site"]:
        return build_site(root, ready_python(root, "site"), arguments[1:])
    options = arguments[1:] if arguments[:1] == ["--"] else arguments
    return open_course(root, ready_python(root), options)


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Run the command; turn what a person can act on into one line and an exit code."""
    if arguments[:1] in (["-h"], ["--help"]):
        print(HELP)
        return 0
    if arguments and arguments[0] not in ("test", "site") and not arguments[0].startswith("-"):
        print(f"vae_lessons: there is no command {arguments[0]!r}; --help lists them.", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that `kill` stops pip as Ctrl-C does
    try:
        return run(arguments, root)
    except KeyboardInterrupt:
        print("\nStopped; the same command resumes.", file=sys.stderr)
        return 130
    except (SetupError, OSError) as error:
        print(f"vae_lessons: {error}", file=sys.stderr)
        return 1
