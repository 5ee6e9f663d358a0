"""tools/versions.py asks pip for the right releases."""

import json
import re
from pathlib import Path

import pytest
import trust
import versions

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
        trust.renew("versions", [row])
    assert json.loads((tmp_path / "versions.json").read_text(encoding="utf-8"))["rows"] == [
        {"tried": "a", "cases": 3, "held": 3, "note": ""},
        {"tried": "b", "cases": 4, "held": 4, "note": ""},
    ]


def test_what_pytest_counted_is_what_the_row_says(tmp_path, monkeypatch):
    """Of 9 tests 2 failed, 1 broke off and 3 were skipped: 3 passed."""
    suite = '<testsuites><testsuite tests="9" failures="2" errors="1" skipped="3" time="7.6"/></testsuites>'

    def run(command: list[str], cwd: Path) -> None:
        assert "not browser" in command and "--thorough" in command and command[-1] == "-x"
        (tmp_path / "results.xml").write_text(suite, encoding="utf-8")

    monkeypatch.setattr(versions.subprocess, "run", run)
    assert versions.tested(tmp_path / "tree", ["-x"]) == ({"passed": 3, "failed": 3, "skipped": 3}, 7.6)
