"""Let a class open and run one notebook at the same time, on a real JupyterHub, and size the machine from it.

    python benchmarks/classroom.py --learners 1 2 4

needs jupyterhub and configurable-http-proxy (see teaching/jupyterhub_config.py, which is the configuration
that is measured), and Linux. Every learner logs in, opens the notebook, runs it cell by cell through the
websocket of their own server, as a browser does, and saves it; all of them run at the same moment.

Memory is USS, what a learner's processes have for themselves, and PSS, which adds their part of what is
shared (programs and libraries are in memory once for all). `--unlimited` measures without the limits on
threads that the configuration sets; `--set NAME=VALUE` adds a variable to every learner's environment.
"""

import argparse
import os
import re
import signal
import statistics
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from hub import CONFIG, Hub, Learner, missing, running_hub

CLASS = 30
CORES = os.cpu_count() or 1
HEAD = "learners  load  ready  median  slowest  CPU/run  runs/min/core   USS server + kernel   PSS all   peak"
UNIT = "                    s       s        s        s                      MiB per learner       MiB    MiB"
TIMES = "{n:8d} {load:5.1f} {ready:6.1f} {median:7.1f} {slowest:8.1f} {cpu:8.1f} {rate:14.2f}"
ROW = TIMES + " {server:14.0f} + {kernel:<4.0f} {pss:9.0f} {peak:6.0f}"


class Process(NamedTuple):
    """One process of the hub: its kind, memory in MiB and CPU time in seconds."""

    kind: str
    pss: float
    uss: float
    cpu: float


class Result(NamedTuple):
    """What a class of n did; times in seconds, memory in MiB."""

    n: int
    load: float
    ready: float
    runs: list[float]
    wall: float
    cpu: float
    peak: float
    processes: list[Process]

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

    def row(self) -> str:
        server, kernel = self.memory("server"), self.memory("kernel")
        times = {"median": statistics.median(self.runs), "slowest": max(self.runs), "ready": self.ready}
        rate, cpu = 60 * self.n / self.wall / CORES, self.cpu / self.n
        more = {"rate": rate, "cpu": cpu, "server": server, "kernel": kernel, "pss": self.pss, "peak": self.peak}
        return ROW.format(n=self.n, load=self.load, **times, **more)


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


# --- the class ---


def enter(hub: Hub, name: str) -> Learner:
    learner = Learner(hub, name)
    learner.log_in()
    learner.start_server()
    return learner


def work(learner: Learner, path: str, start: threading.Barrier) -> float:
    """Open the notebook, run it cell by cell, save it with its outputs; the seconds that took."""
    start.wait()
    began = time.perf_counter()
    notebook, kernel = learner.read(path), learner.open_kernel(path)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = kernel.run(cell["source"])
            refuse_errors(cell, learner.name)
    learner.save(path, notebook)
    return time.perf_counter() - began


def refuse_errors(cell: dict[str, Any], name: str) -> None:
    """A run that failed would look fast."""
    errors = [output for output in cell["outputs"] if output["output_type"] == "error"]
    if errors and "raises-exception" not in cell["metadata"].get("tags", ()):
        raise RuntimeError(f"{name}: {errors[0]['ename']}: {errors[0]['evalue']}\nin the cell\n{cell['source']}")


def measure(n: int, path: str, config: Path) -> Result:
    """A hub of its own for n learners, from the first login to the last saved notebook."""
    load = os.getloadavg()[0]
    folders = tempfile.TemporaryDirectory(prefix="classroom")
    # The hub is closed before the pool: after Ctrl-C, learners who still wait for an answer then get an error.
    with ThreadPoolExecutor(n) as pool, folders as folder, running_hub(Path(folder), config) as hub:
        with watched(hub) as watch:
            began = time.perf_counter()
            learners = list(pool.map(lambda number: enter(hub, f"learner{number}"), range(n)))
            ready, before = time.perf_counter() - began, look(hub)
            start, began = threading.Barrier(n), time.perf_counter()
            runs = list(pool.map(lambda learner: work(learner, path, start), learners))
            wall, after = time.perf_counter() - began, look(hub)
        cpu = sum(process.cpu for process in after) - sum(process.cpu for process in before)
        return Result(n, load, ready, runs, wall, cpu, watch.peak, after)


# --- what follows for a class ---


def advice(results: list[Result]) -> str:
    """The size of a machine for a class, and how it was reached."""
    most = max(results, key=lambda result: result.n)
    cpu = most.cpu / most.n
    total = most.fixed + CLASS * most.per_learner
    above = max(0.0, most.peak - most.pss) / most.n
    waits = ", ".join(f"{cores} cores {CLASS * cpu / cores:.0f} s" for cores in (4, 8, 16, 32))
    return f"""
For a class of {CLASS}, extrapolated from {most.n} learners on {CORES} cores:
memory: {most.fixed:.0f} MiB once + {CLASS} × {most.per_learner:.0f} MiB = {total / 1024:.1f} GiB, one notebook open each,
        and {CLASS} × {most.memory("kernel"):.0f} MiB more for each further notebook that all leave open;
        while it ran, the peak was {above:.0f} MiB per learner higher. The system's own memory comes on top.
CPU:    a run takes {cpu:.1f} s of one core, so a core does {60 / cpu:.1f} runs a minute if it has nothing else to do.
        If all {CLASS} press "run all" at once, the last is done after: {waits}.
        (Seconds of CPU divided by cores: assumes cores like these, and that memory is fast enough for all.)"""


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
    parser.add_argument("--unlimited", action="store_true", help="without the limits on threads")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="for every learner")
    parser.add_argument("--server", action="append", default=[], metavar="OPTION", help="for every learner's server")
    return parser.parse_args()


def main() -> None:
    arguments = parse()
    if reason := missing():
        sys.exit(f"classroom: {reason}")
    print(f"{arguments.notebook} on {CORES} cores{', unlimited' * arguments.unlimited} {' '.join(arguments.set)}")
    print(f"{HEAD}\n{UNIT}", flush=True)
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for n in arguments.learners:
            results.append(measure(n, f"notebooks/{arguments.notebook}.ipynb", configuration(arguments, Path(folder))))
            print(results[-1].row(), flush=True)
    print(advice(results))


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):  # so that `kill` cleans up as Ctrl-C does
        signal.signal(number, signal.default_int_handler)
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
