"""Let a class run one notebook and drag its sliders at the same time, on a real JupyterHub; size machines from it.

    python benchmarks/classroom.py --learners 1 2 4

needs jupyterhub and configurable-http-proxy (see teaching/jupyterhub_config.py, which is the configuration
that is measured), and Linux. Every learner logs in, opens the notebook, runs it cell by cell through the
websocket of their own server, as a browser does, and saves it; all of them run at the same moment. Then all
drag the notebook's live sliders (if it has some) as fast as pictures come, and the hub is killed and started
again while they do: `classwork.py` is what a learner does. Learners and hub share this machine's cores.

Memory is USS, what a learner's processes have for themselves, and PSS, which adds their part of what is
shared (programs and libraries are in memory once for all). Where a class would not fit into the memory that is
free, it is not tried, and a line says so. `--unlimited` measures without the limits on threads that the
configuration sets; `--set NAME=VALUE` adds a variable to every learner's environment. `--record` puts the
rows into tests/trust/load.json.
"""

import argparse
import math
import os
import re
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import nbformat
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
import hub as hubs
import trust
from classwork import Desk, Kept, crash, enter, live_slider, tried
from hub import CONFIG, Hub, missing, running_hub

CLASSES = (30, 300)
CORES = os.cpu_count() or 1
RESERVE = 2048  # MiB that a class leaves to the rest of the machine
HEAD = "learners  load  ready  median  slowest  CPU/run  USS server + kernel   PSS all   peak  slider p50 / p95  CPU/move  kept"
UNIT = (
    "                    s       s        s        s      MiB per learner       MiB    MiB         ms                ms"
)
TIMES = "{n:8d} {load:5.1f} {ready:6.1f} {median:7.1f} {slowest:8.1f} {cpu:8.1f}"
MEMORY = "{server:14.0f} + {kernel:<4.0f} {pss:9.0f} {peak:6.0f}"


class Process(NamedTuple):
    """One process of the hub: its kind, memory in MiB and CPU time in seconds."""

    kind: str
    pss: float
    uss: float
    cpu: float


class Moves(NamedTuple):
    """All moves of the live sliders, by all learners: milliseconds to each picture that came, of how many that should
    have come, and seconds of CPU by what spent them."""

    times: list[float]
    n: int
    cpu: Counter[str]

    @property
    def cpu_each(self) -> float:
        """Milliseconds of CPU for one move."""
        return 1000 * self.cpu.total() / len(self.times)

    def percentiles(self) -> tuple[float, float]:
        """The median, and what 95 % of the moves stay below."""
        middle, high = np.percentile(self.times, [50, 95])
        return float(middle), float(high)


class Result(NamedTuple):
    """What a class of n did; times in seconds, memory and disk in MiB. Who got through the notebook is in `runs`."""

    n: int
    load: float
    ready: float
    runs: list[float]
    cpu: Counter[str]
    peak: float
    disk: float
    processes: list[Process]
    moves: Moves | None
    kept: Kept | None
    reconnections: int

    @property
    def is_whole(self) -> bool:
        """Whether every learner got through the notebook."""
        return len(self.runs) == self.n

    def memory(self, kind: str) -> float:
        """USS of one kind of process, per learner."""
        return sum(process.uss for process in self.processes if process.kind == kind) / self.n

    @property
    def pss(self) -> float:
        return sum(process.pss for process in self.processes)

    @property
    def per_learner(self) -> float:
        return self.memory("server") + self.memory("kernel")

    @property
    def fixed(self) -> float:
        """What does not grow with the class: hub, proxy, and one copy of all that is shared."""
        return self.pss - self.n * self.per_learner

    def expected(self, n: int) -> float:
        """The memory that n learners take while they run."""
        return self.fixed + n * self.per_learner + n / self.n * max(0.0, self.peak - self.pss)

    def row(self) -> str:
        runs = self.runs or [math.nan]
        times = {"median": statistics.median(runs), "slowest": max(runs), "ready": self.ready}
        text = TIMES.format(n=self.n, load=self.load, cpu=self.cpu.total() / self.n, **times)
        sizes = {"server": self.memory("server"), "kernel": self.memory("kernel"), "pss": self.pss, "peak": self.peak}
        text += MEMORY.format(**sizes)
        if self.moves and self.kept:
            middle, high = self.moves.percentiles()
            text += f"{middle:10.0f} / {high:<5.0f} {self.moves.cpu_each:8.0f}  {self.kept.all:3d} of {self.n}"
        return text if self.is_whole else f"{text}  ({len(self.runs)} of {self.n} got through)"


# --- reading /proc ---


def kind(command: str) -> str:
    """What a process of the hub is, from its command line."""
    marks = {"ipykernel": "kernel", "jupyterhub-singleuser": "server", "configurable-http-proxy": "proxy"}
    return next((name for mark, name in marks.items() if mark in command), "hub" if "-m jupyterhub" in command else "")


def look(hub: Hub) -> list[Process]:
    """All processes of the hub, as they are now."""
    found = []
    for pid, command in hub.processes().items():
        try:
            found.append(Process(kind(command), *memory(pid), cpu_time(pid)))
        except OSError:  # ended in between
            continue
    return found


def memory(pid: int) -> tuple[float, float]:
    """PSS and USS."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    sizes = {name: int(size) / 1024 for name, size in re.findall(r"^(\w+): +(\d+) kB", text, re.MULTILINE)}
    return sizes["Pss"], sizes["Private_Clean"] + sizes["Private_Dirty"]


def cpu_time(pid: int) -> float:
    """User and system time, without the children's."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Watch(threading.Thread):
    """The largest PSS of all processes together, looked at twice a second."""

    def __init__(self, hub: Hub) -> None:
        super().__init__(daemon=True)
        self.hub, self.peak, self.done = hub, 0.0, threading.Event()

    def run(self) -> None:
        while not self.done.wait(0.5):
            self.peak = max(self.peak, sum(process.pss for process in look(self.hub)))


@contextmanager
def watched(hub: Hub):
    watch = Watch(hub)
    watch.start()
    try:
        yield watch
    finally:
        watch.done.set()
        watch.join()


def spent(hub: Hub) -> Counter[str]:
    """Seconds of CPU so far, by the kind of process."""
    seconds: Counter[str] = Counter()
    for process in look(hub):
        seconds[process.kind] += process.cpu
    return seconds


def free_memory() -> float:
    """What new programs can have before the machine has to swap, in MiB."""
    return int(re.search(r"^MemAvailable: +(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)[1]) / 1024


def disk(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20


# --- the class ---


def measure(n: int, path: str, config: Path, n_moves: int) -> Result:
    """A hub of its own for n learners, from the first login to the return after a crash."""
    load = os.getloadavg()[0]
    folders = tempfile.TemporaryDirectory(prefix="classroom")
    # The hub is closed before the pool: after Ctrl-C, learners who still wait for an answer then get an error.
    with ThreadPoolExecutor(n) as pool, folders as folder, running_hub(Path(folder), config) as hub:
        with watched(hub) as watch:
            began = time.perf_counter()
            learners = tried(pool, partial(enter, hub), [f"learner{number}" for number in range(n)])
            desks, ready = [Desk(learner, path) for learner in learners], time.perf_counter() - began
            before, start = spent(hub), threading.Barrier(max(len(desks), 1))
            runs = tried(pool, lambda desk: desk.work(start), desks)
            cpu = spent(hub) - before
        after, space = look(hub), disk(hub.folder / "learners") / n
        moving = runs and n_moves and live_slider(nbformat.read(hubs.ROOT / path, as_version=4))
        moves = move_all(hub, desks, pool, n_moves) if moving else None
        kept = crash(hub, desks, pool, n_moves) if moving else None
        reconnections = sum(learner.reconnections for learner in learners)
        return Result(n, load, ready, runs, cpu, watch.peak, space, after, moves, kept, reconnections)


def move_all(hub: Hub, desks: list[Desk], pool: Executor, n_moves: int) -> Moves:
    """All drag their sliders at once, each as fast as the pictures come."""
    before = spent(hub)
    times = [each for one in tried(pool, lambda desk: desk.drag(n_moves), desks) for each in one]
    return Moves(times, n_moves * len(desks), spent(hub) - before)


# --- what follows for a class ---


def advice(results: list[Result]) -> str:
    """The size of a machine for a class, and how it was reached."""
    whole = [result for result in results if result.is_whole]
    if not whole:
        return "\nNo class got through, so nothing follows for others."
    most = max(whole, key=lambda result: result.n)
    above = max(0.0, most.peak - most.pss) / most.n
    lines = [f"\nExtrapolated from {most.n} learners on {CORES} cores, one notebook open each:"]
    lines += [line for size in CLASSES for line in for_a_class(size, most)]
    lines += [
        f"Each further notebook that a learner leaves open takes {most.memory('kernel'):.0f} MiB; while it ran, the peak was",
        f"{above:.0f} MiB per learner higher; the system's own memory comes on top. Seconds are those of CPU divided by",
        "cores: they assume cores like these, and that memory is fast enough for all.",
        f"CPU of a run: {shares(most.cpu, 1 / most.n)} s.",
    ]
    if most.moves:
        lines += [f"CPU of a move: {shares(most.moves.cpu, 1000 / len(most.moves.times))} ms."]
    return "\n".join(lines)


def shares(cpu: Counter[str], factor: float) -> str:
    """What each kind of process spent, the most first."""
    return ", ".join(f"{kind} {factor * seconds:.1f}" for kind, seconds in cpu.most_common())


def for_a_class(size: int, most: Result) -> list[str]:
    """Memory, time and disk of a class of this size."""
    total, cpu = most.fixed + size * most.per_learner, size * most.cpu.total() / most.n
    waits = ", ".join(f"{cores} cores {cpu / cores:.0f} s" for cores in (8, 16, 32, 64))
    memory = f"{most.fixed:.0f} MiB once + {size} × {most.per_learner:.0f} MiB = {total / 1024:.1f} GiB"
    lines = [f"{size} learners: {memory}; {size * most.disk / 1024:.1f} GiB of disk."]
    lines += [f'    If all press "run all" at once, the last is done after: {waits}.']
    if most.moves:
        each = 8000 / most.moves.cpu_each / size
        lines += [f"    If all drag a slider at once, 8 cores draw {each:.1f} pictures a second for each."]
    return lines


# --- what is recorded ---


def rows(result: Result, notebook: str) -> list[trust.Row]:
    """What was tried with one class."""
    n, most = result.n, max(result.runs, default=math.nan)
    who = f"{n} learner{'s' * (n > 1)} on one hub"
    sizes = f"{result.memory('server'):.0f} + {result.memory('kernel'):.0f} MiB each, load {result.load:.1f} before"
    sizes += f", {result.reconnections} connections made again" if result.reconnections else ""
    found = [trust.Row(f"{who}: all run {notebook} at once", n, len(result.runs), f"slowest {most:.0f} s, {sizes}")]
    if result.moves and result.kept:
        middle, high = result.moves.percentiles()
        note = f"p50 {middle:.0f} ms, p95 {high:.0f} ms, {result.moves.cpu_each:.0f} ms of CPU each"
        found.append(
            trust.Row(f"{who}: all drag a live slider, pictures", result.moves.n, len(result.moves.times), note)
        )
        found.append(trust.Row(f"{who}: sliders moved on while the hub was killed", n, result.kept.pictures))
        found.append(trust.Row(f"{who}: variables, files and login kept", n, result.kept.all))
    return found


# --- the command ---

UNLIMITED = """
for name in [name for name in c.Spawner.environment if name.endswith("_THREADS")]:
    del c.Spawner.environment[name]
"""


def configuration(arguments: argparse.Namespace, folder: Path) -> Path:
    """The course's configuration file, or one that loads it and changes what was asked for."""
    variables = dict(one.split("=", 1) for one in arguments.set)
    text = f"load_subconfig({str(CONFIG)!r})\n{UNLIMITED if arguments.unlimited else ''}"
    text += f"c.Spawner.environment.update({variables!r})\nc.Spawner.args.extend({arguments.server!r})\n"
    path = folder / "config.py"
    path.write_text(text)
    return path


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--learners", type=int, nargs="+", default=[1, 2, 4], metavar="N")
    parser.add_argument("--notebook", default="07_kl_vanishing", help="default: %(default)s")
    parser.add_argument("--moves", type=int, default=30, help="of live sliders, by each learner, 4 or more (or 0)")
    parser.add_argument("--record", action="store_true", help="keep the rows in tests/trust/load.json")
    parser.add_argument("--unlimited", action="store_true", help="without the limits on threads")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="for every learner")
    parser.add_argument("--server", action="append", default=[], metavar="OPTION", help="for every learner's server")
    return parser.parse_args()


def measure_all(arguments: argparse.Namespace) -> list[Result]:
    """One class after the other, as long as the next one fits into the memory that is free."""
    results: list[Result] = []
    for n in arguments.learners:
        free = free_memory() - RESERVE
        if results and results[-1].expected(n) > free:
            wanted = f"{results[-1].expected(n) / 1024:.1f} GiB, {free / 1024:.1f} GiB are free"
            print(f"{n:8d} not tried: memory. They would take {wanted}.")
            break
        with tempfile.TemporaryDirectory() as folder:
            config = configuration(arguments, Path(folder))
            results.append(measure(n, f"notebooks/{arguments.notebook}.ipynb", config, arguments.moves))
        print(results[-1].row(), flush=True)
    return results


def main() -> None:
    arguments = parse()
    if reason := missing():
        sys.exit(f"classroom: {reason}")
    hubs.PATIENCE = 900  # a large class on few cores waits longer for a cell than a test may
    print(f"{arguments.notebook} on {CORES} cores{', unlimited' * arguments.unlimited} {' '.join(arguments.set)}")
    print(f"{HEAD}\n{UNIT}", flush=True)
    results = measure_all(arguments)
    print(advice(results))
    if arguments.record:
        new = [row for result in results for row in rows(result, arguments.notebook)]
        trust.record("load", sorted(trust.merged("load", new), key=lambda row: int(row.tried.split()[0])))


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):  # so that `kill` cleans up as Ctrl-C does
        signal.signal(number, signal.default_int_handler)
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
