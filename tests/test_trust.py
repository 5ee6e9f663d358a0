"""What pyproject.toml promises is what recorded runs have held. `tools/versions.py` leaves this file out of its runs."""

import json
import re
from pathlib import Path

import pytest
import trust
import versions

from vae_lessons.packages import release

ROOT = Path(__file__).resolve().parent.parent


def rows() -> dict[str, trust.Row]:
    """The recorded rows that held in every case, by their first words."""
    recorded = [trust.Row(**each) for each in json.loads((ROOT / "tests/trust/versions.json").read_text())["rows"]]
    return {row.tried: row for row in recorded if row.held == row.cases > 3000}


def releases_in(row: trust.Row) -> dict[str, str]:
    return dict(re.findall(r"([\w-]+) (\d[\d.]*)[,;]", row.note))


def after(version: str, length: int) -> tuple[int, ...]:
    """The first release with so many numbers that is newer than this one: 2.6 after 2.5.5."""
    *first, last = (*release(version), 0, 0)[:length]
    return (*first, last + 1)


@pytest.mark.parametrize(
    ("version", "length", "expected"), [("2.5.5", 2, (2, 6)), ("3", 2, (3, 1)), ("4.9.1", 1, (5,))]
)
def test_the_bound_after_a_release(version, length, expected):
    assert after(version, length) == expected


def test_every_bound_was_met_by_a_whole_run():
    """The lower one by the row of the oldest releases; the upper one is the next after what the newest row had."""
    oldest = releases_in(rows()[f"Python {versions.OLDEST_PYTHON}, {versions.TITLES['oldest']}"])
    newest = releases_in(rows()[f"Python {versions.NEWEST_PYTHON}, {versions.TITLES['newest']}"])
    for line in versions.wanted():
        name, lower, upper = re.fullmatch(r"([\w-]+)>=([\d.]+),<([\d.]+)", line).groups()
        assert release(oldest[name]) == release(lower), line
        assert after(newest[name], upper.count(".") + 1) == release(upper), line


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13"])
def test_every_python_ran_whole(python):
    assert any(tried.startswith(f"Python {python}, ") for tried in rows())
