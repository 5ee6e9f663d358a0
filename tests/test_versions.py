"""tools/versions.py asks pip for the right releases."""

import json
import re
from pathlib import Path

import pytest
import trust
import versions

from vae_lessons.packages import release

ROOT = Path(__file__).resolve().parent.parent
LINES = ["numpy>=1.26,<2.5", "torch>=2.4,<2.14", "sympy>=1.12,<1.15", "matplotlib>=3.8,<3.12", "jupyterlab>=4.2,<4.7"]


def test_the_oldest_are_the_lower_bounds():
    pins = ["numpy==1.26", "torch==2.4", "sympy==1.12", "matplotlib==3.8", "jupyterlab==4.2"]
    assert versions.constraints("oldest", LINES) == pins
    assert len(versions.constraints("oldest", versions.wanted())) == len(versions.wanted()) > 20


def test_prereleases_are_asked_of_four_packages():
    bounds = ["numpy>=1.26.dev0", "sympy>=1.12.dev0", "matplotlib>=3.8.dev0", "jupyterlab>=4.2.dev0"]
    assert versions.constraints("pre", LINES) == bounds
    assert versions.constraints("allowed", LINES) == versions.constraints("newest", LINES) == []


@pytest.mark.parametrize("name", versions.BOUNDED)
def test_lifting_changes_upper_bounds_only(name):
    before = (ROOT / name).read_text(encoding="utf-8")
    after = versions.lifted(before)
    assert re.findall(r"([\w-]+>=[\d.]+),", after) == re.findall(r"([\w-]+>=[\d.]+),", before)
    assert set(re.findall(r",<([\d.]+)", after)) == {"9999"}
    assert re.sub(r",<[\d.]+", "", after) == re.sub(r",<[\d.]+", "", before)


def test_a_new_row_takes_the_place_of_the_one_before(tmp_path, monkeypatch):
    monkeypatch.setattr(trust, "RECORDS", tmp_path)
    rows = [trust.Row("b", 2, 1), trust.Row("a", 3, 3), trust.Row("b", 4, 4)]
    assert trust.merged("versions", rows[:1]) == rows[:1]
    for row in rows:
        trust.record("versions", trust.merged("versions", [row]))
    assert json.loads((tmp_path / "versions.json").read_text(encoding="utf-8"))["rows"] == [
        {"tried": "a", "cases": 3, "held": 3, "note": ""},
        {"tried": "b", "cases": 4, "held": 4, "note": ""},
    ]


def test_what_pytest_counted_is_what_the_row_says(tmp_path, monkeypatch):
    """Of 9 tests 2 failed, 1 broke off and 3 were skipped: 3 passed."""
    suite = '<testsuites><testsuite tests="9" failures="2" errors="1" skipped="3" time="7.6"/></testsuites>'

    def run(command: list[str], cwd: Path) -> None:
        assert "not browser" in command and command[-1] == "-x"
        (tmp_path / "results.xml").write_text(suite, encoding="utf-8")

    monkeypatch.setattr(versions.subprocess, "run", run)
    assert versions.tested(tmp_path / "tree", ["-x"]) == ({"passed": 3, "failed": 3, "skipped": 3}, 7.6)


# What was tried ---------------------------------------------------------------------------------


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


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_every_python_ran_whole(python):
    assert f"Python {python}, {versions.TITLES['allowed']}" in rows()
