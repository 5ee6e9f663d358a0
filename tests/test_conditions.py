"""tools/conditions.py: what it runs, what it counts, and that a changed output is seen."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from xml.sax.saxutils import quoteattr

import conditions
import nbformat
import pytest
import trust
from conditions import CELLS, CONDITIONS, ONCE, WHOLE, Cell, Condition

from vae_lessons.opening import home_for_now


def notebook(*cells: tuple[str, str]) -> nbformat.NotebookNode:
    """A stored notebook of code cells, each with what it printed, between words."""
    code = [
        nbformat.v4.new_code_cell(
            source,
            execution_count=n,
            outputs=[nbformat.v4.new_output("stream", name="stdout", text=text)] if text else [],
        )
        for n, (source, text) in enumerate(cells, start=1)
    ]
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Words"), *code])


def report(folder: Path, *cases: tuple[str, str]) -> Path:
    """What pytest writes of cells: for each its name and the element inside."""
    lines = [
        f'<testcase classname="notebooks.01_a.ipynb" name={quoteattr(name)}>{inner}</testcase>' for name, inner in cases
    ]
    path = folder / "report.xml"
    path.write_text(f"<testsuites><testsuite>{''.join(lines)}</testsuite></testsuites>", encoding="utf-8")
    return path


def test_the_orders_repeat_code_with_its_stored_outputs():
    before = notebook(("a = 1", "A"), ("a += 1", "B"))
    sources = {
        order: [cell.source for cell in conditions.ordered(before, order).cells] for order in (ONCE, WHOLE, CELLS)
    }
    assert sources[ONCE] == ["a = 1", "a += 1"]
    assert sources[WHOLE] == ["a = 1", "a += 1", "a = 1", "a += 1"]
    assert sources[CELLS] == ["a = 1", "a = 1", "a += 1", "a += 1"]
    assert [cell.outputs[0].text for cell in conditions.ordered(before, CELLS).cells] == ["A", "A", "B", "B"]
    nbformat.validate(conditions.ordered(before, WHOLE))  # no two cells have one id
    assert all(cell.execution_count for cell in conditions.ordered(before, WHOLE).cells)  # else nbval compares nothing


def test_cells_are_named_as_a_reader_sees_them():
    assert [conditions.place(n, 2, ONCE) for n in range(2)] == ["[1]", "[2]"]
    assert [conditions.place(n, 2, WHOLE) for n in range(4)] == ["[1]", "[2]", "[1], second time", "[2], second time"]
    assert [conditions.place(n, 2, CELLS) for n in range(4)] == ["[1]", "[1], second time", "[2]", "[2], second time"]


def test_only_what_passed_held(tmp_path):
    """A failure, an error, a skip and a cell that pytest never came to count as not held."""
    path = report(
        tmp_path,
        ("Cell 0", ""),
        ("Cell 1", '<failure message="other">text</failure>'),
        ("Cell 2", '<error message="stopped" />'),
        ("Cell 3", '<skipped message="why" />'),
        ("internal", "<error />"),
    )
    cells = conditions.judged(path, {Path("01_a.ipynb"): 5}, ONCE)
    assert [cell.held for cell in cells] == [True, False, False, False, False]
    assert [cell.where for cell in cells] == ["01 [1]", "01 [2]", "01 [3]", "01 [4]", "01 [5]"]
    assert "other" in cells[1].shown and cells[4].shown == "did not run"


def test_without_a_report_nothing_held(tmp_path):
    cells = conditions.judged(tmp_path / "none.xml", {Path("01_a.ipynb"): 2}, CELLS)
    assert [cell.held for cell in cells] == [False] * 4


def test_a_row_counts_and_names_the_cells_that_failed():
    row = conditions.row(Condition("x"), [Cell("01 [1]", True, ""), Cell("01 [2]", False, "…")], "other digits")
    assert (row.cases, row.held, row.mark) == (2, 1, "✗")
    assert row.note == "other digits. not held: 01 [2]"


def test_a_note_says_what_the_condition_changed_or_that_it_did_not():
    assert conditions.difference("UTC +14:00", "UTC +00:00") == "UTC +14:00; else UTC +00:00"
    assert conditions.difference("UTC +00:00", "UTC +00:00").startswith("as without it on this machine")
    parts = conditions.difference("NumPy products 1f, torch draws 22", "NumPy products 00, torch draws 22")
    assert parts == "other digits: NumPy products (not: torch draws)"
    assert conditions.difference("a 1, b 2", "a 1, b 2") == "as without it on this machine"


def test_a_row_of_some_lessons_says_which():
    assert conditions.some(conditions.course()) == ""
    assert conditions.some(conditions.course()[1:3]) == "lessons 01, 02 only"


def test_environments_have_the_variables_and_this_copy_of_the_package(tmp_path, monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    there = conditions.Place(tmp_path / "tree", tmp_path / "tree" / "notebooks", tmp_path / "scratch")
    found = conditions.environment(Condition("x", variables={"A": "1", "TZ": None}), there, "python")
    assert found["A"] == "1" and "TZ" not in found
    assert found["PYTHONPATH"].startswith(str(tmp_path / "tree"))


def test_what_this_machine_cannot_make_is_no_row_that_holds(monkeypatch):
    def cannot(*_: object) -> str:
        raise conditions.NotHere("not tried: no such locale")

    monkeypatch.setattr(conditions, "witnessed", cannot)
    row, cells = conditions.tried(CONDITIONS["latin"], conditions.course())
    assert (row.cases, row.note, cells) == (0, "not tried: no such locale", [])


def test_rows_that_ran_replace_older_ones_in_the_order_of_the_conditions(tmp_path, monkeypatch):
    monkeypatch.setattr(trust, "RECORDS", tmp_path)
    record = tmp_path / "conditions.json"
    plain, cells = CONDITIONS["plain"].tried, CONDITIONS["cells"].tried
    record.write_text(json.dumps({"rows": [asdict(trust.Row(cells, 2, 1))]}), encoding="utf-8")
    rows = trust.merged("conditions", [trust.Row(plain, 3, 3)], conditions.ORDER)
    assert [(row.tried, row.held) for row in rows] == [(plain, 3), (cells, 1)]
    assert [row.held for row in trust.merged("conditions", [trust.Row(cells, 2, 2)], conditions.ORDER)] == [2]


def test_every_condition_has_a_row_of_its_own_and_all_but_the_orders_a_witness():
    assert len({condition.tried for condition in CONDITIONS.values()}) == len(CONDITIONS)
    unseen = {name for name, condition in CONDITIONS.items() if condition.witness == conditions.NO_WITNESS}
    assert unseen == {"plain", "twice", "cells"}


def test_who_has_no_home_gets_one_for_now(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert home_for_now() == {}
    for missing in (conditions.NO_FOLDER, str(tmp_path / "gone")):
        monkeypatch.setenv("HOME", missing)
        home = Path(home_for_now()["HOME"])
        assert home.is_dir() and home != tmp_path and os.access(home, os.W_OK)
        home.rmdir()


@pytest.mark.thorough
def test_a_changed_output_and_a_changed_state_make_the_row_fail(tmp_path):
    """The whole way, with a kernel: one cell stores what it does not print, another prints something else each time."""
    path = tmp_path / "01_a.ipynb"
    cells = ("a = 1", ""), ("print(1 + 2)", "3\n"), ("print(1 + 2)", "4\n"), ("a += 1\nprint(a)", "2\n")
    nbformat.write(notebook(*cells), path)
    row, _ = conditions.tried(CONDITIONS["cells"], [path])
    assert (row.cases, row.held, row.mark) == (8, 5, "✗")
    assert row.note == "lessons 01 only. not held: 01 [3]; 01 [3], second time; 01 [4], second time"
