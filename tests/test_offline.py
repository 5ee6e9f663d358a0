"""tools/offline.py: inside there is loopback alone, a kernel is inside too, and what a run says is counted."""

import errno
import sys
from pathlib import Path

import nbformat
import offline
import pytest
import trust

ROOT = Path(__file__).resolve().parent.parent
needs_a_namespace = pytest.mark.skipif(bool(reason := offline.barred()), reason=reason)
GO = "import socket\nprint(socket.socket({kind}).connect_ex(({host!r}, 9)))"


@needs_a_namespace
def test_inside_there_is_loopback_alone():
    report = offline.closed([sys.executable, "-c", "raise SystemExit(7)"])
    assert list(report.seen.values()) == [True] * 5 and (report.asked, report.code) == (0, 7)


@pytest.mark.skipif(sys.platform != "linux", reason="a network namespace needs Linux")
def test_what_is_not_closed_in_is_not_run(monkeypatch):
    """Without a namespace of its own the command does not even start."""
    monkeypatch.setattr(offline, "unshared", list)
    report = offline.closed([sys.executable, "-c", "raise SystemExit(7)"])
    assert not report.seen["another namespace than the caller's"] and report.code == 1


@needs_a_namespace
@pytest.mark.parametrize(
    ("kind", "host", "times"),
    [
        ("", "192.0.2.1", 1),
        ("type=socket.SOCK_DGRAM", "192.0.2.1", 1),
        ("socket.AF_INET6", "2001:db8::1", 1),
        ("", "127.0.0.1", 0),
    ],
)
def test_an_address_elsewhere_is_counted_and_loopback_is_not(kind, host, times):
    assert offline.closed([sys.executable, "-c", GO.format(kind=kind, host=host)]).asked == times


@pytest.mark.thorough
@needs_a_namespace
def test_a_kernel_is_inside_and_what_it_asks_for_is_counted(tmp_path):
    """pytest's own process asks for nothing here: the hook of tests/guards.py would see none of it."""
    code = GO.format(kind="", host="192.0.2.1")
    printed = nbformat.v4.new_output("stream", name="stdout", text=f"{errno.ENETUNREACH}\n")
    cell = nbformat.v4.new_code_cell(code, execution_count=1, outputs=[printed])
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "one.ipynb")
    results = tmp_path / "results.xml"
    options = ["-q", "-p", "no:xdist", "-p", "no:cacheprovider", "--nbval", f"--junitxml={results}"]
    report = offline.closed([sys.executable, "-m", "pytest", *options, str(tmp_path / "one.ipynb")])
    assert (report.asked, report.code) == (1, 0)
    assert trust.counted(results)[0] == {"passed": 1, "failed": 0, "skipped": 0}


SUITE = """<testsuites><testsuite tests="6" failures="1" errors="0" skipped="2" time="3">
<testcase classname="notebooks.01_a.ipynb"><skipped message="Skipped: needs a" /></testcase>
<testcase classname="notebooks.01_a.ipynb"><skipped message="needs a" /></testcase>
<testcase classname="notebooks.02_b.ipynb" /></testsuite></testsuites>"""


@pytest.mark.parametrize("asked", [0, 2])
def test_a_row_says_what_passed_and_what_was_skipped(monkeypatch, asked):
    def closed(command):
        (results,) = [Path(word.partition("=")[2]) for word in command if word.startswith("--junitxml")]
        results.write_text(SUITE, encoding="utf-8")
        assert "notebooks" in command and command[-1] == "-x"
        return offline.Report({"a": True, "b": False}, asked, 1)

    monkeypatch.setattr(offline, "closed", closed)
    report, (silent, cells) = offline.tried("notebooks", ["-x"])
    assert (silent.tried, silent.cases, silent.held) == (offline.SILENT, 2, 0 if asked else 2)
    assert (cells.cases, cells.held) == (4, 3)
    assert cells.note.startswith("1 failed, 2 skipped (2: needs a), 3 s;")
    assert (offline.witnessed([report]).cases, offline.witnessed([report]).held) == (2, 1)


def test_the_first_words_are_parts_and_all_others_are_pytest_s(monkeypatch):
    called = []
    monkeypatch.setattr(offline, "barred", str)
    monkeypatch.setattr(offline, "try_all", lambda *arguments: called.append(arguments) or 0)
    offline.main(["a-l", "-n", "0", "--record"])
    offline.main(["-k", "notebooks"])
    assert called == [(["a-l"], ["-n", "0"], True), (list(offline.PARTS), ["-k", "notebooks"], False)]


def test_every_file_of_tests_belongs_to_a_half():
    halves = [word for part in ("a-l", "m-z") for word in offline.PARTS[part][1] if word.startswith("tests/")]
    assert halves == [f"tests/{path.name}" for path in sorted((ROOT / "tests").glob("test_*.py"))]


def test_without_a_namespace_the_command_says_why(monkeypatch, capsys):
    monkeypatch.setattr(offline, "barred", lambda: f"{offline.REFUSED}: …")
    with pytest.raises(SystemExit):
        offline.main(["browser"])
    assert offline.REFUSED in capsys.readouterr().err
