"""Open the course in JupyterLab, run its tests, or build its site, with the interpreter that has its packages."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import webbrowser
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import urlsplit

from vae_lessons.install import SetupError

START = "notebooks/00_start_here.ipynb"


def child_environment(root: Path, python: str) -> dict[str, str]:
    """The variables with which the environment's own programs, kernels and this clone are found first."""
    # JupyterLab's settings for the course: sliders are saved with a page, no question about news comes up, and
    # nothing on the web is asked for a newer JupyterLab.
    first = {"PATH": Path(python).parent, "PYTHONPATH": root, "JUPYTER_CONFIG_PATH": root / "vae_lessons/jupyter"}
    joined = {name: os.pathsep.join(filter(None, [str(path), os.environ.get(name)])) for name, path in first.items()}
    return os.environ | joined | {"JUPYTER_PREFER_ENV_PATH": "1"}


def home_for_now() -> dict[str, str]:
    """HOME as a new folder, gone when this process ends, for who has none that can be written; else nothing.

    Without one JupyterLab does not start, and Matplotlib complains in the first cell that imports it.
    """
    home = os.path.expanduser("~")
    if os.path.isdir(home) and os.access(home, os.W_OK):
        return {}
    folder = tempfile.mkdtemp(prefix="vae_lessons-home-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return {"HOME": folder}


def has_browser() -> bool:
    """Whether a browser can open here; a Linux without display has text browsers only, which take the terminal."""
    names = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    if sys.platform == "linux" and not any(map(os.environ.get, names)):
        return False
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


def lab_command(root: Path, python: str, options: list[str]) -> list[str]:
    """JupyterLab with the clone as its folder and the first notebook as its page."""
    command = [python, "-m", "jupyterlab", f"--ServerApp.root_dir={root}", f"--LabApp.default_url=/lab/tree/{START}"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command += ["--allow-root"]
    return command + ([] if has_browser() else ["--no-browser"]) + options


def start_trust(root: Path, python: str, environment: dict[str, str]) -> Callable[[], None]:
    """Start marking the notebooks as trusted, or their sliders need the cells to run; return what waits for it.

    It takes seconds, so `.venv` remembers for which state of the files it has been done.
    """
    notebooks = sorted((root / "notebooks").glob("*.ipynb"))
    stats = [(path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in notebooks]
    state, memory = repr((environment.get("HOME"), stats)), root / ".venv" / "trusted"
    if memory.exists() and memory.read_text(encoding="utf-8") == state:
        return lambda: None
    command, quiet = [python, "-m", "nbformat.sign", *map(str, notebooks)], subprocess.DEVNULL
    child = subprocess.Popen(command, env=environment, stdin=quiet, stdout=quiet, stderr=quiet)

    def finish() -> None:
        if child.wait() != 0:
            print("The notebooks could not be marked as trusted: run their cells to see the sliders.", flush=True)
        elif memory.parent.exists():
            memory.write_text(state, encoding="utf-8")

    return finish


def wait_until_served(address: str) -> None:
    """Wait (for ten seconds at most) until the address answers: JupyterLab names it a little earlier."""
    parts, deadline = urlsplit(address), time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection((parts.hostname, parts.port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)


def relay(lines: Iterable[str], finish_trust: Callable[[], None]) -> tuple[bool, str]:
    """Print the server's address once and its errors as they come; return whether it started, and its last words."""
    started, showing, last = False, True, ""
    for line in map(str.rstrip, lines):
        if entry := re.match(r"\[([A-Z]) [^]]*\] ?(.*)", line):
            # Critical at the start are the address in several forms, or the end, which the caller reports.
            showing = entry[1] == "E" or (entry[1] == "C" and started and entry[2] != "")
        last = (entry[2] if entry else line) or last
        if not started and (address := re.search(rf"http\S+/lab/tree/{START}\S*", line)):
            started = True
            finish_trust()
            wait_until_served(address[0])
            print(f"\nThe course is at  {address[0]}\nCtrl-C here stops it.\n", flush=True)
        elif showing:
            print(line, file=sys.stderr, flush=True)
    return started, last


def open_course(root: Path, python: str, options: list[str]) -> int:
    """Run JupyterLab until it ends.

    It gets a session of its own: Ctrl-C then reaches this process alone, which asks it to stop, once.
    Two signals at a time can kill it before it has ended its kernels.
    """
    environment = child_environment(root, python) | home_for_now()
    finish_trust = start_trust(root, python, environment)
    with subprocess.Popen(
        lab_command(root, python, options),
        cwd=root,
        env=environment,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    ) as server:
        for number in {signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)}:
            signal.signal(number, lambda *_: server.terminate())
        started, last = relay(server.stderr or (), finish_trust)
    if not started:
        finish_trust()
        raise SetupError(f"JupyterLab did not start: {last} (If it is the port, try --port=9999.)")
    return server.returncode


def run_tests(root: Path, python: str, options: list[str]) -> int:
    """Run pytest over the tests and the notebooks; return its exit code."""
    signal.signal(signal.SIGINT, lambda *_: None)  # pytest answers Ctrl-C itself, with its summary
    n_workers = min(os.cpu_count() or 1, 4)
    workers = ["-n", str(n_workers), "--dist", "loadfile"]  # a notebook needs one kernel for all its cells
    command = [python, "-m", "pytest", "--nbval", *workers, *options]
    # Workers that compete for the cores with several threads each wait for one another, some of them for a minute.
    one_thread = {"OMP_NUM_THREADS": "1"} if n_workers > 1 else {}
    return subprocess.call(command, cwd=root, env=one_thread | child_environment(root, python))


def build_site(root: Path, python: str, options: list[str]) -> int:
    """Build the book on the web, and show it if the options say so; return the exit code."""
    signal.signal(signal.SIGINT, lambda *_: None)  # the child ends its server itself
    command = [python, str(root / "docs/build.py"), *options]
    return subprocess.call(command, cwd=root, env=child_environment(root, python))
