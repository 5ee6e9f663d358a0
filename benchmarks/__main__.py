"""Run the quick benchmarks, and write one table of their ratios.

    VAE_LESSONS_DATA=folder python -m benchmarks
    VAE_LESSONS_DATA=folder python -m benchmarks --peer-python peer/bin/python --out table.md

Each is a program of its own, which can be run alone and for longer; what is quick about it here stands in `QUICK`.
From what it prints, the table takes the lines that begin with "ratio", as in "ratio live / drawn: 1.9 (aim: ...)".
The ratios compare two ways in one run; the seconds belong to this machine, as busy as it was.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent
QUICK = {
    "training": ["--epochs", "1", "--images", "12800", "--rounds", "2"],
    "sweep": ["--epochs", "5", "--rounds", "1", "--no-tables"],
    "sliders": ["--moves", "8", "--seconds", "3"],
}
PATIENCE = 95  # seconds for each, so that all end within five minutes
RATIO = re.compile(r"ratio (?P<what>.+?):\s+(?P<ratio>[\d.]+),?\s*(?P<rest>.*)")


class Row(NamedTuple):
    """A line of the table: the number, of which benchmark, what it compares, and what else is to be said."""

    ratio: str
    name: str
    what: str
    rest: str


def rows_of(name: str, output: str) -> list[Row]:
    """The ratios that a benchmark printed."""
    found = [match for match in map(RATIO.fullmatch, output.splitlines()) if match]
    return [Row(match["ratio"], name, match["what"], " ".join(match["rest"].split())) for match in found]


def run(name: str, options: Sequence[str], patience: float) -> tuple[list[Row], str]:
    """The rows of one benchmark, and all that it printed; one that fails has a row that says so."""
    command = [sys.executable, "-u", str(FOLDER / f"{name}.py"), *options]
    start = time.perf_counter()
    code, printed = output_of(command, patience)
    rows, last = rows_of(name, printed), (printed.splitlines() or ["it printed nothing"])[-1]
    if code is None:
        rows.append(Row("–", name, "", f"not done after {patience:.0f} s"))
    elif code or not rows:
        rows.append(Row("–", name, "", f"ended with {code}: {last}"))
    took = f"took {time.perf_counter() - start:.0f} s"
    return [row._replace(rest=f"{row.rest}; {took}".lstrip("; ")) for row in rows], printed


def output_of(command: list[str], patience: float) -> tuple[int | None, str]:
    """The exit status and what was printed; after so many seconds the command is ended, with all that it started."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, **pipes, text=True, start_new_session=True) as process:
        try:
            printed = process.communicate(timeout=patience)[0]
            return process.returncode, printed
        except subprocess.TimeoutExpired:
            end(process)
            return None, process.communicate()[0]
        except BaseException:
            end(process)
            raise


def end(process: subprocess.Popen[str]) -> None:
    """A process that leads a session of its own, and all that it started."""
    os.killpg(process.pid, signal.SIGKILL)


def table(rows: Sequence[Row], loads: Sequence[float]) -> str:
    """As Markdown, with the machine it was measured on."""
    load = " to ".join(f"{number:.1f}" for number in loads)
    lines = [
        f"{os.cpu_count()} cores, load {load}; torch {version('torch')}; {time.strftime('%Y-%m-%d %H:%M')}",
        "",
        "| ratio | benchmark | of | |",
        "| ---: | --- | --- | --- |",
        *("| " + " | ".join(cell.replace("|", "/") for cell in row) + " |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("only", nargs="*", choices=[[], *QUICK], default=[], help="some of them")
    parser.add_argument("--peer-python", help="see benchmarks/training.py")
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks.md"), help="where to write the table")
    asked = parser.parse_args()
    peer = {"training": ["--peer-python", asked.peer_python] if asked.peer_python else []}
    rows, loads = [], [os.getloadavg()[0]]
    for name in asked.only or QUICK:
        some, printed = run(name, QUICK[name] + peer.get(name, []), PATIENCE)
        print(f"-- {name}\n{printed}", flush=True)
        rows += some
    text = table(rows, [*loads, os.getloadavg()[0]])
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(text, encoding="utf-8")
    print(text)
    return int(any(row.ratio == "–" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
