"""What was tried and what held: one row for each thing, a table to read, a record beside the command that made it."""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from xml.etree import ElementTree

from vae_lessons.files import written_whole

ROOT = Path(__file__).resolve().parents[1]
RECORDS = ROOT / "tests" / "trust"


@dataclass(frozen=True)
class Row:
    """One thing that was tried in some number of cases, and in how many of them it held."""

    tried: str
    cases: int
    held: int
    note: str = ""

    @property
    def mark(self) -> str:
        if self.cases == 0:
            return "–"  # could not be tried
        return "✓" if self.held == self.cases else "✗"


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    lines = ["| | tried | held | note |", "| --- | --- | --- | --- |"]
    return "\n".join(lines + [f"| {row.mark} | {row.tried} | {row.held} of {row.cases} | {row.note} |" for row in rows])


def counted(results: Path) -> tuple[dict[str, int], float]:
    """How many tests passed, failed and were skipped by what ``pytest --junitxml`` wrote, and the seconds."""
    suite = _suite(results)
    total, *bad, skipped = (int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped"))
    counts = {"passed": total - sum(bad) - skipped, "failed": sum(bad), "skipped": skipped}
    return counts, float(suite.get("time", 0))


def skips(results: Path) -> list[str]:
    """Why tests were skipped, once for each."""
    return [each.get("message", "").removeprefix("Skipped: ") for each in _suite(results).iter("skipped")]


def files(results: Path) -> set[str]:
    """The files that the tests stand in, as pytest names them."""
    return {each.get("classname", "") for each in _suite(results).iter("testcase")}


def _suite(results: Path) -> ElementTree.Element:
    suite = ElementTree.parse(results).getroot().find("testsuite")
    if suite is None:
        raise ValueError(f"{results} has no suite of tests")
    return suite


def machine() -> str:
    """The cores, the interpreter and the libraries that a figure depends on; no name and no path."""
    import torch

    return (
        f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, PyTorch {torch.__version__}"
    )


def commit() -> str:
    """The short name of the commit that was tried; a changed tree says so, unless only records were changed."""

    def said(*words: str) -> str:
        return subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=True).stdout

    changed = said("status", "--porcelain", "--untracked-files=no", "--", ".", ":(exclude)tests/trust")
    return said("describe", "--always").strip() + ("-dirty" if changed else "")


def merged(name: str, new: Sequence[Row], order: Sequence[str] = ()) -> list[Row]:
    """The recorded rows, new ones in the place of what was tried before; in this order, else by what was tried."""
    path = RECORDS / f"{name}.json"
    old = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    rows = {row.tried: row for row in (*(Row(**each) for each in old), *new)}
    return [rows[tried] for tried in order or sorted(rows) if tried in rows]


def record(name: str, rows: Sequence[Row]) -> Path:
    """Save the rows as tests/trust/NAME.json, with the command, the day, the commit and the machine."""
    path = RECORDS / f"{name}.json"
    command = " ".join(["python", *(arg.replace(f"{ROOT}{os.sep}", "") for arg in sys.argv)])
    facts = {"command": command, "date": datetime.date.today().isoformat(), "commit": commit(), "machine": machine()}
    path.parent.mkdir(exist_ok=True)
    text = json.dumps({**facts, "rows": [asdict(row) for row in rows]}, indent=1, ensure_ascii=False)
    with written_whole(path) as part:  # a kill leaves the record of before
        part.write_text(text + "\n", encoding="utf-8")
    return path


def renew(name: str, new: Sequence[Row], order: Sequence[str] = ()) -> Path:
    """Save new rows among those recorded, in the place of what was tried before."""
    return record(name, merged(name, new, order))
