"""What a kill, a full disk, a lost permission or a second process leaves behind: ``python tools/faults.py [NAMES…]``

Each thing that the course writes is made once undisturbed, in a private copy of this checkout. Then it is disturbed:

    killed        SIGKILL to the whole process group, at ten moments drawn evenly from the time it takes
    at a write    the same, within 3 ms of ten of the moments at which it opens, renames or removes a file
    disk full     on a small tmpfs, where a fifth, two fifths, … of the room it takes is free; it needs root
    read-only     write permission gone from everything, from the files alone, and in the middle
    two at once   two processes that do the same in the same folder

It holds if what stands under its final name is whole, the old or the new, and if the same command then makes what the
undisturbed run made. ``--record`` writes tests/trust/faults.json; rows of names that were not asked for stay in it.
``--add`` counts them together with those recorded: ``--kills 5 --seed 1`` makes five more.
It needs Linux. Set-up takes its packages from a folder of wheels, ``build/wheels``, filled once by pip.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from faults_work import DOWNLOADED, READY, SITE_FILES, packed
from trust import ROOT, Row, merged, renew, table

LATEST = 0.003  # seconds after a write has begun
STORED = "notebooks/02_monte_carlo_kl.ipynb"
STAMP = ".venv/setup.stamp"
Files = dict[str, str]  # what stands under a final name, and its digest


# What is disturbed -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Target:
    """One thing that the course writes.

    Attributes:
        command: makes it, in a copy of the checkout; or the name of what makes it in `faults_work`.
        finals: the files that count, as patterns; their digests are compared with the old and the new ones.
        parse: for files that grow, and whose bytes may differ: what one says, or an error where it is damaged.
        prepare: what the copy has before, so that old and new differ.
        lost: what a kill costs.
        quiet: a fault of the disk is not reported, on purpose.
        kinds: how it is disturbed.
        pairs: how often two run at once.
    """

    name: str
    title: str
    command: list[str] | str
    finals: tuple[str, ...]
    lost: str
    parse: Callable[[Path], str] | None = None
    prepare: Callable[[Path], None] = lambda copy: None
    quiet: bool = False
    kinds: tuple[str, ...] = ("killed", "at a write", "disk full", "read-only", "two at once")
    pairs: int = 5
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def sets_up(self) -> bool:
        return self.finals[0] == STAMP


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]


def of_progress(file: Path) -> str:
    return json.dumps(json.loads(file.read_text(encoding="utf-8"))["done"])


def of_weights(file: Path) -> str:
    """The settings and weights of a file of models; the seconds it took are left out."""
    import torch

    read = torch.load(file, weights_only=True)
    if isinstance(read, dict) and "model" in read:
        read = [read["epoch"], [value.tolist() for value in read["model"].values()]]
    return hashlib.sha256(repr(read).encode()).hexdigest()[:16]


def old_notebooks(copy: Path) -> None:
    """Notebooks without their last links, another time in the README and another picture: storing mends all three."""
    for path in sorted((copy / "notebooks").glob("*.ipynb")):
        read = json.loads(path.read_text(encoding="utf-8"))
        read["cells"].pop()
        path.write_text(json.dumps(read, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    readme = copy / "README.md"
    readme.write_text(re.sub(r"\| \d+ min", "| 1 min", readme.read_text(encoding="utf-8")), encoding="utf-8")
    (copy / "notebooks/signature.png").write_bytes(b"old")


def few_packages(copy: Path) -> None:
    """Of the packages only some, for what is no matter of how many: a set-up takes a third of the time."""
    file = copy / "pyproject.toml"
    others = r'^    "(?!matplotlib|torch|pytest|nbval)[\w-]+>=.*\n'
    file.write_text(re.sub(others, "", file.read_text(encoding="utf-8"), flags=re.MULTILINE), encoding="utf-8")


def old_picture(copy: Path) -> None:
    (copy / "docs/signature.gif").write_bytes(b"old")


def old_site(copy: Path) -> None:
    (copy / "site").mkdir()
    for number in range(SITE_FILES):
        (copy / f"site/{number}.html").write_text(f"old {number}", encoding="utf-8")


BASE = next(
    (line.split(" = ")[1] for line in (Path(sys.prefix) / "pyvenv.cfg").read_text().splitlines() if "home = " in line),
    "",
)
PACKAGES = ".venv/lib/python*/site-packages/**/*"
SET_UP = ["-m", "vae_lessons", "test", "--version"]
WHEELS = ROOT / "build/wheels"
FROM_WHEELS = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(WHEELS), "PIP_NO_COMPILE": "1", "PATH": "/usr/bin:/bin"}

TARGETS = [
    Target(
        "progress",
        "progress.json",
        "progress",
        ("progress.json",),
        "the ✓ of the answer being checked",
        of_progress,
        quiet=True,
        pairs=10,
    ),
    Target("download", "a download", "download", DOWNLOADED, "the file being fetched; whole ones are kept"),
    Target(
        "training",
        "a sweep with a folder, and a benchmark that resumes",
        "training",
        ("sweep/*.pt", "likelihood/*.pt"),
        "the model, the epoch or the batch being computed",
        of_weights,
    ),
    Target(
        "frames",
        "frames of a slider, and the README's moving picture of them",
        "frames",
        ("docs/signature.gif",),
        "the pictures drawn so far",
        prepare=old_picture,
    ),
    Target(
        "store",
        f"store_notebooks on {STORED[10:12]}",
        [sys.executable, "tools/store_notebooks.py", STORED],
        ("notebooks/*", "README.md"),
        "the run of the notebook",
        prepare=old_notebooks,
        kinds=("killed", "two at once"),
        pairs=2,
    ),
    Target(
        "writing",
        "store_notebooks where it writes (four notebooks, not run)",
        "store",
        ("notebooks/*", "README.md"),
        "what was not stored yet",
        prepare=old_notebooks,
    ),
    Target(
        "exchange",
        "the new site in the place of the old",
        "exchange",
        ("site/*",),
        "the building of it",
        prepare=old_site,
        environment={"GIT_CEILING_DIRECTORIES": "/"},
    ),
    Target(
        "site",
        "the site's build",
        [sys.executable, "-m", "vae_lessons", "site"],
        ("site/**/*",),
        "the building of it",
        prepare=old_site,
        kinds=("killed", "disk full", "read-only", "two at once"),
        pairs=2,
    ),
    Target(
        "setup",
        "set-up",
        [f"{BASE}/python3", *SET_UP],
        (STAMP, PACKAGES),
        "the package being installed; those before it are kept",
        kinds=("killed",),
        environment=FROM_WHEELS,
    ),
    Target(
        "few",
        "set-up of PyTorch, Matplotlib, pytest and what they need",
        [f"{BASE}/python3", *SET_UP],
        (STAMP, PACKAGES),
        "the package being installed, or the environment where it was not whole",
        prepare=few_packages,
        kinds=("killed", "first step killed", "disk full", "read-only", "two at once"),
        environment=FROM_WHEELS,
        pairs=2,
    ),
]


# One run in a copy -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ended:
    """How a run came out: its exit code, its words, its seconds, and how many writes it announced."""

    code: int
    said: str
    seconds: float
    writes: int


def environment(target: Target, copy: Path) -> dict[str, str]:
    """One thread, no bytecode beside the sources, the copy's own package; for a set-up nothing of this environment."""
    ours = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(copy), "OMP_NUM_THREADS": "1", "NO_PROXY": "*"}
    made = {**os.environ, **ours, "FAULTS_PORT": str(PORT), **target.environment}
    for name in ("VIRTUAL_ENV", "VAE_LESSONS_DATA", *(["PYTHONPATH"] if target.sets_up else [])):
        made.pop(name, None)
    if target.sets_up:  # the list of fonts is a part of it; pip is slow without bytecode
        made["MPLCONFIGDIR"] = str(copy / "build/matplotlib")
        del made["PYTHONDONTWRITEBYTECODE"]
    return made


class Ready:
    """`faults_work`, whose imports are done: each process is forked from it."""

    def __init__(self, target: Target, copy: Path, fallen: Sequence[str] = ()):
        self.channel, theirs = socket.socketpair()
        command = [
            *fallen,
            sys.executable,
            str(copy / "tools/faults_work.py"),
            str(target.command),
            str(theirs.fileno()),
        ]
        fds = [theirs.fileno()]
        self.process = subprocess.Popen(command, cwd=copy, env=environment(target, copy), pass_fds=fds)
        theirs.close()
        if self.channel.recv(1) != READY:
            raise RuntimeError(f"{target.title}: its imports failed")

    def start(self, number: int, pipe: int, words: int) -> int:
        socket.send_fds(self.channel, [str(number).encode()], [pipe, words])
        return int(self.channel.recv(100))

    def code(self, pid: int) -> int:
        self.channel.send(str(pid).encode())
        return int(self.channel.recv(100))

    def close(self) -> None:
        self.channel.close()
        self.process.wait()


class Running:
    """A process group of its own that does it; what `faults_work` announces comes through a pipe."""

    def __init__(self, target: Target, copy: Path, ready: Ready | None, number: int = 0, fallen: Sequence[str] = ()):
        self.pipe, theirs = os.pipe()
        self.words = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        self.started, self.ready = time.monotonic(), ready
        if ready:
            self.pid = ready.start(number, theirs, self.words.fileno())
        else:
            streams = {"stdin": subprocess.DEVNULL, "stdout": self.words, "stderr": subprocess.STDOUT}
            session = {"pass_fds": [theirs], "start_new_session": True}
            self.process = subprocess.Popen(
                [*fallen, *target.command], cwd=copy, env=environment(target, copy), **streams, **session
            )
            self.pid = self.process.pid
        os.close(theirs)

    def wait_for(self, writes: int) -> None:
        """Until it is ready (0), or begins the write of this number; returns where it ends before."""
        for _ in range(writes + 1):
            if not os.read(self.pipe, 1):
                return

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def end(self) -> Ended:
        """Wait for the end, and for that of its children."""
        writes, started = 0, self.started
        while piece := os.read(self.pipe, 1 if writes == 0 else 4096):  # ends when no process of it is left
            started = time.monotonic() if piece == READY else started
            writes += len(piece) - (piece == READY)
        seconds = time.monotonic() - started
        os.close(self.pipe)
        code = self.ready.code(self.pid) if self.ready else self.process.wait()
        self.words.seek(0)
        return Ended(code, self.words.read(), seconds, writes)


def found(target: Target, copy: Path) -> Files:
    """What stands under a final name."""
    paths = sorted({path for pattern in target.finals for path in copy.glob(pattern) if path.is_file()})
    return {str(path.relative_to(copy)): told(target, path) for path in paths if counts(path)}


def counts(path: Path) -> bool:
    """Whether a file is one that two equal runs make alike."""
    return "__pycache__" not in path.parts and path.name not in ("RECORD", "REQUESTED") and path.suffix != ".part"


def told(target: Target, path: Path) -> str:
    if target.parse is None:
        return digest(path)
    try:
        return target.parse(path)
    except Exception as error:
        return f"damaged: {type(error).__name__}"


def listed(copy: Path) -> set[str]:
    return {str(path.relative_to(copy)) for path in copy.rglob("*") if ".venv" not in path.parts and path.is_file()}


# What counts as whole ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Known:
    """The folder before and after an undisturbed run."""

    old: Files
    new: Files
    names: set[str]
    ended: Ended


def damage(target: Target, copy: Path, known: Known) -> str:
    """What stands under a final name and is neither the old nor the new; or ""."""
    now = found(target, copy)
    if target.name in ("exchange", "site"):  # a folder: one or the other
        return "" if now in (known.old, known.new, {}) else f"a site of {len(now)} files is neither the old nor the new"
    if target.sets_up:  # the stamp says that all is there
        return "stamp without packages" if STAMP in now and now != known.new else ""
    if target.parse:  # it grows; what is whole can be read
        wrong = [name for name, is_now in now.items() if is_now.startswith("damaged")]
    else:
        wrong = [name for name, is_now in now.items() if is_now not in (known.old.get(name), known.new.get(name))]
    missing = sorted(known.old.keys() - now.keys())
    return ", ".join([f"{name} is neither old nor new" for name in wrong] + [f"{name} is gone" for name in missing])


def left(copy: Path, known: Known) -> set[str]:
    """Files that neither the old nor the new folder has, by the form of their names."""
    strange = {name for name in listed(copy) - known.names if not name.startswith("build/")}
    return {re.sub(r"[0-9a-f]{16}|\d+(?=\.part)|(?<=tmp)\w+", "*", Path(name).name) for name in strange}


@dataclass(frozen=True)
class Case:
    """One disturbance: what was wrong with it, if anything, and what it left behind until the next try and after it."""

    fault: str = ""
    left: frozenset[str] = frozenset()
    stays: frozenset[str] = frozenset()
    gone: bool = False  # nothing stood under the final name


def last_line(said: str) -> str:
    return (said.strip().splitlines() or ["nothing said"])[-1][:200]


# The disturbances --------------------------------------------------------------------------------


class Bench:
    """The private copies of one target: made anew for each case, always at the same path."""

    def __init__(self, target: Target, folder: Path, rng: random.Random, kills: int = 10):
        self.target, self.folder, self.rng, self.kills = target, folder, rng, kills
        self.base, self.copy, self.fallen = folder / "base", folder / "copy", list[str]()
        copy_checkout(self.base)
        target.prepare(self.base)
        self.ready = Ready(target, self.fresh()) if isinstance(target.command, str) else None
        self.known = self.learnt()

    def fresh(self) -> Path:
        shutil.rmtree(self.copy, ignore_errors=True)
        shutil.copytree(self.base, self.copy, symlinks=True)
        return self.copy

    def learnt(self) -> Known:
        copy = self.fresh()
        old, names = found(self.target, copy), listed(copy)
        ended = self.run().end()
        if ended.code != 0:
            raise RuntimeError(f"{self.target.title}: {ended.said[-2000:]}")
        print(f"{self.target.title}: {ended.seconds:.1f} s undisturbed, {ended.writes} writes", flush=True)
        return Known(old, found(self.target, copy), names | listed(copy), ended)

    def run(self, number: int = 0) -> Running:
        return Running(self.target, self.copy, self.ready, number, self.fallen)

    def until_ready(self, running: Running) -> None:
        """Where it announces that it begins: until then."""
        if self.ready:
            running.wait_for(0)

    def judged(self, fault: str = "") -> Case:
        """Look at what was left, try again, and look at the result."""
        try:
            fault = fault or damage(self.target, self.copy, self.known)
        except (ValueError, KeyError) as error:
            fault = f"damaged: {error}"
        behind, gone = left(self.copy, self.known), bool(self.known.old) and not found(self.target, self.copy)
        again = self.run().end()
        if not fault and again.code != 0:
            fault = f"the next try failed: {last_line(again.said)}"
        elif not fault and (now := found(self.target, self.copy)) != self.known.new:
            differing = sorted(
                name for name in now.keys() | self.known.new.keys() if now.get(name) != self.known.new.get(name)
            )
            fault = f"the next try made something else: {len(differing)} files, {differing[:3]}"
        return Case(fault, frozenset(behind), frozenset(left(self.copy, self.known)), gone)

    def killed(self, share: float = 1.0) -> Iterator[Case]:
        def until(running: Running) -> None:
            self.until_ready(running)
            time.sleep(self.rng.uniform(0, share * self.known.ended.seconds))

        return self.each_killed(until)

    def at_a_write(self) -> Iterator[Case]:
        def until(running: Running) -> None:
            running.wait_for(self.rng.randint(1, self.known.ended.writes))
            time.sleep(self.rng.uniform(0, LATEST))

        return self.each_killed(until)

    def first_step_killed(self) -> Iterator[Case]:
        """Within the making of the environment, whose pip may then be half there."""
        return self.killed(share=0.3)

    def each_killed(self, until: Callable[[Running], None]) -> Iterator[Case]:
        """So many kills; where a run had ended before, it was none."""
        kills = 0
        while kills < self.kills:
            self.fresh()
            running = self.run()
            until(running)
            running.kill()
            if running.end().code == -signal.SIGKILL:
                kills += 1
                yield self.judged()

    def disk_full(self) -> Iterator[Case]:
        needed = max(size(self.known_folder()) - size(self.base), 8192)
        for fifths in range(5) if self.ready else (2, 4):
            shutil.rmtree(self.copy, ignore_errors=True)
            with small_disk(self.copy, size(self.base) + 2 * needed + 2**22):
                shutil.copytree(self.base, self.copy, symlinks=True, dirs_exist_ok=True)
                running = self.run() if self.target.sets_up else None
                if running:  # it looks at the room before it begins
                    time.sleep(fifths / 5 * self.known.ended.seconds)
                filler = fill(self.copy, 0 if running else needed * fifths // 5)
                ended = (running or self.run()).end()
                fault = self.unless_told(ended, r"No space left|disk")
                filler.unlink()
                yield self.judged(fault)

    def known_folder(self) -> Path:
        """A copy in which it has been made."""
        self.fresh()
        self.run().end()
        return self.copy

    def read_only(self) -> Iterator[Case]:
        usual, self.fallen = self.ready, mortal()
        self.ready = Ready(self.target, self.fresh(), self.fallen) if usual else None
        for which in ("all", "files", "in the middle"):
            self.fresh()
            if which != "in the middle":
                forbid(self.copy, also_folders=which == "all")
            running = self.run()
            if which == "in the middle":
                self.until_ready(running)
                time.sleep(self.rng.uniform(0, self.known.ended.seconds))
                forbid(self.copy, also_folders=True)
            ended = running.end()
            fault = self.unless_told(ended, r"Permission denied|cannot be|not permitted")
            allow(self.copy)
            yield self.judged(fault)

        if self.ready:
            self.ready.close()
        self.ready, self.fallen = usual, []

    def unless_told(self, ended: Ended, words: str) -> str:
        """A fault, unless the run came out right after all or said what was the matter."""
        right = ended.code == 0 and found(self.target, self.copy) == self.known.new
        if right or self.target.quiet or re.search(words, ended.said):
            return damage(self.target, self.copy, self.known)
        return f"did not say what was the matter: {last_line(ended.said)}"

    def two_at_once(self) -> Iterator[Case]:
        for _ in range(self.target.pairs):
            copy = self.fresh()
            both = [self.run(number) for number in (1, 2)]
            ended = [running.end() for running in both]
            failed = [each for each in ended if each.code != 0]
            fault = f"one failed: {last_line(failed[0].said)}" if failed else ""
            if not fault and (now := found(self.target, copy)) != self.known.new:
                names = {name for name, _ in set(now.items()) ^ set(self.known.new.items())}
                fault = f"not what one alone makes: {len(names)} files, {sorted(names)[:3]}"
            yield self.judged(fault)


KINDS: dict[str, Callable[[Bench], Iterator[Case]]] = {
    "killed": Bench.killed,
    "first step killed": Bench.first_step_killed,
    "at a write": Bench.at_a_write,
    "disk full": Bench.disk_full,
    "read-only": Bench.read_only,
    "two at once": Bench.two_at_once,
}


def copy_checkout(to: Path) -> None:
    """The files that git knows or would take, as they are now."""
    listing = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)


def size(folder: Path) -> int:
    """Bytes on the disk, in whole blocks."""
    return sum(-path.lstat().st_size // 4096 * -4096 for path in folder.rglob("*"))


@contextlib.contextmanager
def small_disk(folder: Path, room: int) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={room}", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path, but: int) -> Path:
    """A file that leaves so many bytes free."""
    filler = folder / "build" / "filler"
    filler.parent.mkdir(exist_ok=True)
    with filler.open("wb") as file, contextlib.suppress(OSError):
        while (free := shutil.disk_usage(folder).free - but) > 0:
            os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), min(free, 2**20))
    return filler


def mortal() -> list[str]:
    """What makes root as subject to permissions as anybody."""
    return ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"] if os.geteuid() == 0 else []


def forbid(folder: Path, also_folders: bool) -> None:
    for path in [*folder.rglob("*"), folder]:
        if not path.is_symlink() and (also_folders or path.is_file()):
            path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))


def allow(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | stat.S_IWUSR)


# The mirror of the download ----------------------------------------------------------------------


def send(asked: BaseHTTPRequestHandler) -> None:
    """A file, in pieces, so that all of them take about a second."""
    data = packed()[asked.path.rpartition("/")[2].removesuffix(".gz")]
    asked.send_response(200)
    asked.send_header("Content-Length", str(len(data)))
    asked.end_headers()
    with contextlib.suppress(OSError):  # who asked was killed
        for start in range(0, len(data), 2**14):
            asked.wfile.write(data[start : start + 2**14])
            time.sleep(0.004)


MIRROR = type("Mirror", (BaseHTTPRequestHandler,), {"do_GET": send, "log_message": lambda *words: None})
PORT = 0


def serve() -> None:
    global PORT
    server = ThreadingHTTPServer(("127.0.0.1", 0), MIRROR)
    PORT = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()


# Rows --------------------------------------------------------------------------------------------


def row(target: Target, kind: str, cases: Sequence[Case]) -> Row:
    held = sum(not case.fault for case in cases)
    parts = [f"lost: {'nothing' if kind == 'two at once' else target.lost}"]
    behind, stays = (Counter(name for case in cases for name in getattr(case, key)) for key in ("left", "stays"))
    if behind:
        names = [f"{name} ({n}×)" for name, n in behind.most_common(4)]
        parts.append(f"left: {', '.join(names)}" + ("" if stays else ", cleared away by the next try"))
    if gone := sum(case.gone for case in cases):
        parts.append(f"nothing stood in its place {gone}×")
    if kind in ("disk full", "read-only"):
        parts.append("the learner is told nothing, and goes on" if target.quiet else "it says why")
    parts += [f"✗ {fault}" for fault in sorted({case.fault for case in cases} - {""})[:3]]
    return Row(f"{target.title}: {kind}", len(cases), held, "; ".join(parts))


def rows(target: Target, kinds: Sequence[str], seed: int, kills: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="faults") as folder:
        bench = Bench(target, Path(folder), random.Random(seed), kills)
        for kind in [kind for kind in target.kinds if kind in kinds]:
            if kind == "disk full" and not may_mount(Path(folder)):
                yield Row(f"{target.title}: {kind}", 0, 0, "not tried: mounting a tmpfs is not allowed here")
                continue
            yield row(target, kind, list(KINDS[kind](bench)))
        if bench.ready:
            bench.ready.close()


def with_recorded(row: Row) -> Row:
    """A row, and the one recorded before, as one."""
    elder = next((each for each in merged("faults", []) if each.tried == row.tried), None)
    if elder is None:
        return row
    notes = dict.fromkeys([*elder.note.split("; "), *row.note.split("; ")])
    return Row(row.tried, elder.cases + row.cases, elder.held + row.held, "; ".join(filter(None, notes)))


def may_mount(folder: Path) -> bool:
    try:
        with small_disk(folder / "probe", 2**20):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


def bring_wheels() -> None:
    """What set-up would download, once, through pip's own configuration."""
    if not any(WHEELS.glob("torch-*")):
        command = [sys.executable, "-m", "pip", "download", "-q", "-d", str(WHEELS), f"{ROOT}[test,site]"]
        subprocess.run([*command, "setuptools", "wheel"], check=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [target.name for target in TARGETS]
    parser.add_argument("names", nargs="*", metavar="NAMES", help=f"of {', '.join(names)}; all if none")
    parser.add_argument("--kind", action="append", choices=KINDS, help="only so disturbed; may be repeated")
    parser.add_argument("--record", action="store_true", help="write tests/trust/faults.json")
    parser.add_argument("--add", action="store_true", help="to the recorded rows, in place of replacing them")
    parser.add_argument("--kills", type=int, default=10, help="of each kind of kill")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    options = parser.parse_args()
    if unknown := set(options.names) - set(names):
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(names)}")
    serve()
    made: list[Row] = []
    order = [f"{target.title}: {kind}" for target in TARGETS for kind in target.kinds]
    for target in [target for target in TARGETS if target.name in (options.names or names)]:
        if target.sets_up:
            bring_wheels()
        for each in rows(target, options.kind or list(KINDS), options.seed, options.kills):
            made.append(with_recorded(each) if options.add else each)
            print(table(made).splitlines()[-1], flush=True)
            if options.record:  # now: what comes next may take long
                renew("faults", made, order)
    print(table(made))
    return int(any(each.held < each.cases for each in made))


if __name__ == "__main__":
    sys.exit(main())
