"""What was tried, and what held: the records of `tests/trust` and the scores of `tests/mutants.json`, as lists."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def records(tests: Path) -> dict[str, str]:
    """Under `tried_NAME` each record of the folder `trust`, and under `tried_mutants` the scores of the mutants."""
    paths = sorted((tests / "trust").glob("*.json"))
    told = {f"tried_{path.stem}": told_of(json.loads(path.read_text(encoding="utf-8"))) for path in paths}
    return told | {"tried_mutants": scores(json.loads((tests / "mutants.json").read_text(encoding="utf-8")))}


def told_of(record: dict[str, Any]) -> str:
    """A line for each row, and where the rows come from."""
    rows = "\n".join(line(row) for row in record["rows"])
    return f"{rows}\n\nLast recorded {record['date']}: `{record['command']}` ({record['machine']})."


def line(row: dict[str, Any]) -> str:
    """How many held, what was tried, and what was noticed."""
    held = f"**{row['held']} of {row['cases']}**" if row["cases"] else "**not tried**"
    note = f"  \n  {row['note']}" if row["note"] else ""
    return f"- {held}: {row['tried']}{note}"


def scores(record: dict[str, Any]) -> str:
    """For each room the share of its changes that a test noticed, without those that are no fault."""
    lines = ["| module | noticed | of | share |", "| --- | ---: | ---: | ---: |"]
    for room, score in record["scores"].items():
        faults = score["mutants"] - score["no fault"]
        lines.append(f"| `{room}` | {score['noticed']} | {faults} | {score['noticed'] / faults:.1%} |")
    return "\n".join([*lines, "", f"`{record['command']}`"])
