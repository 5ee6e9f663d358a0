"""What benchmarks/classroom.py does beside the clock: which values are sent, which picture counts, what is said of it."""

import argparse
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import classroom
import classwork
import memory
import pytest
from classroom import Moves, Process, Result
from classwork import Kept

ROOT = Path(__file__).resolve().parent.parent
SLIDERS = [["one", "σ_x²", 0.05, 1.0], ["two", "β", 0.05, 2.0]]
PICTURE = '<img alt="σ_x² = 0.30, β = 1.00: 3 of 8 latents" src="…">'


def a_class(n: int, moves: Moves | None = None, kept: Kept | None = None, through: int | None = None) -> Result:
    """Each learner has a server of 100 MiB and a kernel of 300; hub and what is shared take 250, a run 20 each more."""
    mine = [Process(kind, uss + 50 / n, uss, 1.0) for kind, uss in (("server", 100.0), ("kernel", 300.0))] * n
    processes = [Process("hub", 150.0, 140.0, 1.0), *mine]
    peak = sum(process.pss for process in processes) + 20 * n
    runs, cpu = [9.0] * (n if through is None else through), Counter(kernel=17.0 * n, server=1.0 * n)
    return Result(n, 0.5, 3.0, runs, cpu, peak, 12.0, processes, moves, kept, n - len(runs))


# --- the sliders ---


@pytest.mark.parametrize("n", [4, 7, 30])
def test_every_move_changes_its_slider_also_in_a_second_round(n):
    sent = [move for _ in range(2) for _, move in zip(range(n), classwork.values(SLIDERS, n))]
    for one, _, low, high in SLIDERS:
        of_one = [value for (name, *_), value in sent if name == one]
        assert all(before != after for before, after in pairwise(of_one))
        assert all(low < value < high for value in of_one)
    assert [name for (name, *_), _ in sent[:3]] == ["one", "two", "one"]


@pytest.mark.parametrize(
    ("html", "counts"),
    [
        (PICTURE, True),
        (PICTURE.replace("0.30", "0.31"), False),  # of an earlier move
        (PICTURE.replace("<img", "<p"), False),
        ("<details><summary><b>⚠ ValueError: σ_x² = 0.30</b></summary></details>", False),
    ],
)
def test_only_the_picture_of_this_value_counts(html, counts):
    assert classwork.shows({"data": {"method": "update", "state": {"value": html}}}, "σ_x²", 0.3) is counts
    assert not classwork.shows({"data": {"method": "echo_update"}}, "σ_x²", 0.3)


class FakeKernel:
    """Sends these comm messages after every request."""

    def __init__(self, *messages: tuple[str, str]) -> None:
        self.messages, self.sent = messages, []

    def send(self, kind, content):
        self.sent.append((kind, content))
        return "request"

    def answers(self, request):
        for comm, html in self.messages:
            yield "comm_msg", {"comm_id": comm, "data": {"state": {"value": html}}}


def test_a_move_sends_what_a_page_sends_and_is_timed_to_its_picture():
    kernel = FakeKernel(("one", "0.3"), ("picture", PICTURE))
    assert 0 <= classwork.move(kernel, "picture", SLIDERS[0], 0.3) < 1000
    data = {"method": "update", "state": {"value": 0.3}, "buffer_paths": []}
    assert kernel.sent == [("comm_msg", {"comm_id": "one", "data": data})]


@pytest.mark.parametrize("messages", [[], [("another", PICTURE)]])
def test_a_move_without_its_picture_is_an_error(messages):
    with pytest.raises(RuntimeError, match="no picture followed σ_x²"):
        classwork.move(FakeKernel(*messages), "picture", SLIDERS[0], 0.3)


def test_the_live_slider_of_07_has_a_name_and_others_have_none():
    read = {path.name[:2]: json.loads(path.read_text()) for path in (ROOT / "notebooks").glob("[0-9]*.ipynb")}
    joined = {n: {"cells": [{"source": "".join(cell["source"])} for cell in one["cells"]]} for n, one in read.items()}
    assert classwork.live_slider(joined["07"]) == "live_slider"
    assert classwork.live_slider(joined["02"]) == ""


def test_a_learner_who_fails_is_named_and_does_not_count(capsys):
    def step(name):
        if name == "ada":
            raise RuntimeError("the kernel is gone")
        return name.upper()

    with ThreadPoolExecutor(2) as pool:
        assert classwork.tried(pool, step, ["bo", "ada", "cy"]) == ["BO", "CY"]
    assert capsys.readouterr().err == "ada: RuntimeError: the kernel is gone\n"


# --- what is said ---


def test_memory_is_what_is_there_once_and_what_each_learner_takes():
    four = a_class(4)
    assert (four.per_learner, round(four.fixed)) == (400, 250)
    assert round(four.expected(10)) == 250 + 10 * (400 + 20)
    text = "\n".join(classroom.for_a_class(300, four))
    assert "300 learners: 250 MiB once + 300 × 400 MiB = 117.4 GiB; 3.5 GiB of disk" in text
    assert "64 cores 84 s" in text and "slider" not in text
    moving = a_class(4, Moves([5.0] * 2, 2, Counter(kernel=0.012, proxy=0.008)), Kept(4, 4))
    assert "8 cores draw 2.7 pictures" in classroom.for_a_class(300, moving)[-1]
    assert "kernel 6.0, proxy 4.0 ms" in classroom.advice([a_class(1), moving])


def test_a_class_that_does_not_fit_is_not_tried(monkeypatch, capsys):
    tried = []
    monkeypatch.setattr(classroom, "measure", lambda n, *_: tried.append(n) or a_class(n))
    monkeypatch.setattr(classroom, "free_memory", lambda: classroom.RESERVE + 250 + 4 * 420.0 + 1)
    options = {"learners": [1, 4, 5, 6], "notebook": "07", "moves": 4, "set": [], "server": [], "unlimited": False}
    assert [result.n for result in classroom.measure_all(argparse.Namespace(**options))] == tried == [1, 4]
    assert "5 not tried: memory. They would take 2.3 GiB, 1.9 GiB are free." in capsys.readouterr().out


def test_what_is_recorded_says_how_many_held():
    moves = Moves([float(n) for n in range(101)], 120, Counter(kernel=0.606))
    run, drag, away, kept = classroom.rows(a_class(4, moves, Kept(3, 2), through=3), "07_kl_vanishing")
    assert (run.cases, run.held, drag.cases, drag.held) == (4, 3, 120, 101)
    assert (away.cases, away.held, kept.cases, kept.held) == (4, 3, 4, 2)
    assert drag.note == "p50 50 ms, p95 95 ms, 6 ms of CPU each"
    assert "100 + 300 MiB each" in run.note and run.tried.startswith("4 learners")
    assert run.note.endswith("1 connections made again")
    [alone] = classroom.rows(a_class(1, through=0), "01_gaussian_kl")
    assert (alone.cases, alone.held) == (1, 0) and "slowest nan s" in alone.note


def test_nothing_follows_from_a_class_that_did_not_get_through():
    assert "from 4 learners" in classroom.advice([a_class(4), a_class(8, through=7)])
    assert classroom.advice([a_class(8, through=0)]) == "\nNo class got through, so nothing follows for others."
    assert a_class(8, through=0).row().endswith("(0 of 8 got through)")


# --- benchmarks/memory.py ---


def test_kernels_are_measured_with_the_environment_of_a_class():
    variables = memory.environment(["MALLOC_ARENA_MAX=1"])
    assert variables["OMP_NUM_THREADS"] == variables["MALLOC_ARENA_MAX"] == "1"
    assert variables["JUPYTER_CONFIG_PATH"].startswith(str(ROOT / "vae_lessons" / "jupyter"))
