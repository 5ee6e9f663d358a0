"""What each learner of a class does, as the pages of their browser do it: open and run a notebook, drag its live
sliders, and come back after the hub has crashed and was started again.

`classroom.py` lets all of them do it at once, and measures.
"""

import json
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from itertools import chain, cycle, islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from hub import Hub, Kernel, Learner

# Asked from the kernel; a page is told the same when the widgets are shown.
ASK = """
import json
about = [[one.model_id, each.symbol, each.low, each.high] for one, each in zip(SLIDER.sliders, SLIDER.controls)]
print(json.dumps([SLIDER.picture.model_id, about]))
"""
T, R = TypeVar("T"), TypeVar("R")
LIVE = re.compile(r"^(\w+) = show_live\(", re.MULTILINE)


def enter(hub: Hub, name: str) -> Learner:
    learner = Learner(hub, name)
    learner.log_in()
    learner.start_server()
    return learner


class Desk:
    """One learner with one notebook: its kernel stays from step to step, its page is opened anew in each."""

    def __init__(self, learner: Learner, path: str) -> None:
        self.learner, self.path = learner, path

    def __str__(self) -> str:
        return self.learner.name

    # --- running ---

    def work(self, start: threading.Barrier) -> float:
        """Open the notebook, run it cell by cell, save it with its outputs; the seconds that took."""
        start.wait()
        began = time.perf_counter()
        self.notebook, kernel = self.learner.read(self.path), self.learner.open_kernel(self.path)
        self.kernel_id = kernel.id
        for cell in self.notebook["cells"]:
            if cell["cell_type"] == "code":
                cell["outputs"] = kernel.run(cell["source"])
                refuse_errors(cell, self.learner.name)
        self.learner.save(self.path, self.notebook)
        kernel.close()
        return time.perf_counter() - began

    # --- moving ---

    def drag(self, n: int) -> list[float]:
        """Move the live sliders n times, each in turn; the milliseconds to each picture."""
        kernel = Kernel(self.learner, self.kernel_id)
        picture, sliders = json.loads(kernel.text(ASK.replace("SLIDER", live_slider(self.notebook))))
        times = [move(kernel, picture, slider, value) for slider, value in islice(values(sliders, n), n)]
        kernel.close()
        return times

    # --- what is kept ---

    def remember(self) -> None:
        """A variable that is in no file."""
        kernel = Kernel(self.learner, self.kernel_id)
        kernel.text(f"trained_for_an_hour = {self.learner.name!r}")
        kernel.close()

    def has_kept_all(self) -> bool:
        """Whether the learner is still logged in, with the variable in the kernel and every output in the file."""
        kernel = Kernel(self.learner, self.kernel_id)
        kept = kernel.text("print(trained_for_an_hour)").strip() == self.learner.name
        kernel.close()
        saved = [cell.get("outputs") for cell in self.learner.read(self.path)["cells"]]
        return self.learner.is_ready() and kept and saved == [cell.get("outputs") for cell in self.notebook["cells"]]


def live_slider(notebook: dict[str, Any]) -> str:
    """The name that the notebook gives to its live slider; nothing where it has none."""
    found = LIVE.search("\n".join(cell["source"] for cell in notebook["cells"]))
    return found[1] if found else ""


def refuse_errors(cell: dict[str, Any], name: str) -> None:
    """A run that failed would look fast."""
    errors = [output for output in cell["outputs"] if output["output_type"] == "error"]
    if errors and "raises-exception" not in cell["metadata"].get("tags", ()):
        raise RuntimeError(f"{name}: {errors[0]['ename']}: {errors[0]['evalue']}\nin the cell\n{cell['source']}")


def values(sliders: list[list[Any]], n: int) -> Iterator[tuple[list[Any], float]]:
    """The sliders in turn, and for each a value that goes from its low to its high end, and again."""
    each = -(-n // len(sliders))
    steps = (step for step in cycle(range(1, each + 1)) for _ in sliders)
    for slider, step in zip(cycle(sliders), steps):
        *_, low, high = slider
        yield slider, round(low + (high - low) * step / (each + 1), 2)


def move(kernel: Kernel, picture: str, slider: list[Any], value: float) -> float:
    """Milliseconds from sending a value to the arrival of its picture; the kernel is idle again when this returns.

    A page, too, sends the next value when the kernel is idle, so nobody drags faster.
    """
    began, arrived = time.perf_counter(), None
    update = {"method": "update", "state": {"value": value}, "buffer_paths": []}
    for kind, content in kernel.answers(kernel.send("comm_msg", {"comm_id": slider[0], "data": update})):
        if kind == "comm_msg" and content["comm_id"] == picture and shows(content, slider[1], value):
            arrived = time.perf_counter()
    if arrived is None:
        raise RuntimeError(f"no picture followed {slider[1]} = {value}")
    return 1000 * (arrived - began)


def shows(content: dict[str, Any], symbol: str, value: float) -> bool:
    """Whether an update brings a picture whose text for those who do not see it names this value."""
    html = content["data"].get("state", {}).get("value", "")
    return "<img" in html and f"{symbol} = {value:.2f}" in html


# --- all at once ---


def tried(pool: Executor, step: Callable[[T], R], each: Iterable[T]) -> list[R]:
    """What the step returns for those who could do it, all at once; an error of one learner is said, and counts."""

    def try_one(one: T) -> list[R]:
        try:
            return [step(one)]
        except Exception as error:
            print(f"{one}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            return []

    return list(chain.from_iterable(pool.map(try_one, each)))


# --- a crash of the hub ---


class Kept(NamedTuple):
    """Of how many learners all the pictures came while the hub was away, and of how many nothing was lost."""

    pictures: int
    all: int


def crash(hub: Hub, desks: list[Desk], pool: Executor, n_moves: int) -> Kept:
    """Kill the hub while all learners have what is in no file; they go on without it until it is started again."""
    tried(pool, Desk.remember, desks)
    hub.stop(signal.SIGKILL)
    pictures = tried(pool, lambda desk: len(desk.drag(n_moves)) == n_moves, desks)
    hub.start()
    return Kept(sum(pictures), sum(tried(pool, Desk.has_kept_all, desks)))
