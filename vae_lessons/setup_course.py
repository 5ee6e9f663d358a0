"""Set the course up once in `.venv`, then open it in JupyterLab or run its tests.

Only the standard library is imported here: this code has to run before anything is installed.
The stamp in `.venv` is written last, so whatever interrupts a set-up, the next run goes on with it.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import webbrowser
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
START = "notebooks/00_start_here.ipynb"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
HELP = """\
python3 -m vae_lessons [options]        open the course in JupyterLab; options (--port=9999) go to JupyterLab
python3 -m vae_lessons test [options]   run every test and every notebook; options go to pytest
The first run installs what is missing into .venv, beside this project's files; Ctrl-C stops it, and the
same command goes on from there. An environment that has the packages already is used as it is."""


class SetupError(Exception):
    """Something that a person has to act on; its text is the one line they get."""


# --- what pyproject.toml asks for, and what is there ---


def requirements(root: Path, array: str) -> list[str]:
    """Read one array of strings from pyproject.toml; Python 3.10 has no tomllib, but the literals are Python's."""
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    return ast.literal_eval(re.search(rf"^{array} = (\[.*?\])$", text, re.M | re.S)[1])


def release(version: str) -> tuple[int, ...]:
    """`"2.10.0+cpu"` as `(2, 10)`: without trailing zeros, tuples compare as versions do."""
    return tuple(map(int, re.sub(r"(\.0+)+$", "", re.match(r"\d+(\.\d+)*", version)[0]).split(".")))


def is_installed(requirement: str) -> bool:
    """Whether the running interpreter has the package, within its bounds (`>=` and `<` only)."""
    name, bounds = re.fullmatch(r"([\w.-]+)((?:,?(?:>=|<)[\d.]+)*)", requirement).groups()
    try:
        installed = release(importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return False
    pairs = re.findall(r"(>=|<)([\d.]+)", bounds)
    return all((installed < release(bound)) == (sign == "<") for sign, bound in pairs)


def venv_python(root: Path) -> Path:
    """The interpreter inside `.venv`."""
    return root / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def fingerprint(root: Path) -> str | None:
    """What the stamp of a finished set-up says; None where `.venv` lacks a working Python or its pip."""
    probe = "import sys, importlib.util as u; print('%d.%d' % sys.version_info[:2] if u.find_spec('pip') else '')"
    try:
        command = [venv_python(root), "-I", "-c", probe]
        version = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
    # The folder counts because an editable installation points to where the clone was.
    digest = hashlib.sha256((root / "pyproject.toml").read_bytes()).hexdigest()
    return f"{version} {digest} {root}" if version else None


# --- setting up ---


@dataclass(frozen=True)
class Step:
    """One command of the set-up, and what to say if it fails but the next step makes up for it."""

    title: str
    command: list[str | Path]
    fallback: str = ""


def has_nvidia() -> bool:
    """Whether this machine shows signs of an NVIDIA driver."""
    return Path("/proc/driver/nvidia").exists() or shutil.which("nvidia-smi") is not None


def plan(root: Path) -> list[Step]:
    """The steps from here to a finished set-up."""
    pip = [venv_python(root), "-m", "pip", "install", "--progress-bar=off"]
    # Matplotlib lists the machine's fonts once, and would say so in red in the first notebook.
    fonts = Step("Fonts for the figures", [venv_python(root), "-c", "import matplotlib.font_manager"])
    steps = [Step("JupyterLab and the other packages", [*pip, "-e", f"{root}[test]"]), fonts]
    if sys.platform == "linux" and not has_nvidia():
        # Linux's ordinary PyTorch brings 2.7 GB of CUDA. No retries: the index is out of reach for some machines.
        torch = next(line for line in requirements(root, "dependencies") if line.startswith("torch"))
        quick = ["--no-deps", "--retries=0", "--timeout=10", f"--index-url={CPU_INDEX}"]
        fallback = "index out of reach: the ordinary build comes next"
        steps.insert(0, Step("PyTorch, CPU build", [*pip, *quick, torch], fallback))
    if fingerprint(root) is None:
        steps.insert(0, Step("Python environment in .venv", [sys.executable, "-m", "venv", root / ".venv"]))
    return steps


def check_machine(root: Path) -> None:
    """Stop before building `.venv` where that cannot succeed."""
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        package = "python{}.{}-venv".format(*sys.version_info)
        raise SetupError(f"this Python lacks venv or ensurepip (Debian, Ubuntu: sudo apt install {package}).")
    needed = 10 if sys.platform == "linux" and has_nvidia() else 2
    free = shutil.disk_usage(root).free / 1e9
    if free < needed:
        raise SetupError(f"the set-up needs about {needed} GB, and {root} has {free:.1f} GB left: make room first.")


def remove_broken(venv: Path) -> None:
    """Make way for a new `.venv` where there is one without a working Python and pip."""
    print(".venv is incomplete or its Python is gone: building it anew.", flush=True)
    try:
        shutil.rmtree(venv)
    except OSError as error:
        raise SetupError(f"cannot remove the broken {venv} ({error.strerror}): remove it by hand.") from error


def forget_unfinished(venv: Path) -> None:
    """Remove the records of packages whose installation was cut short.

    pip takes a package for installed once its METADATA is there, yet copies data files (JupyterLab's
    pages, for one) after that, and INSTALLER after those.
    """
    packages = "Lib/site-packages" if os.name == "nt" else "lib/python*/site-packages"
    for metadata in venv.glob(f"{packages}/*.dist-info"):
        if not (metadata / "INSTALLER").exists():
            shutil.rmtree(metadata)


class Progress:
    """One step's line: renewed in place on a terminal, repeated every five seconds elsewhere."""

    def __init__(self, title: str) -> None:
        self.title, self.start, self.next_line, self.size_told = title, time.monotonic(), 0.0, False

    def show(self, output: str, ending: str = "") -> None:
        """Show the elapsed time, and how far pip has come or how the step ended."""
        self.tell_size(output)
        elapsed = int(time.monotonic() - self.start)
        latest = re.findall(r"^ *((?:Collecting|Downloading|Using|Installing|Requirement) .+)", output, re.M)[-1:]
        note = ending or "".join(f"{output.count('Collecting ')} new packages; {line}" for line in latest)
        line = f"{self.title}  {elapsed // 60}:{elapsed % 60:02d}  {note}"
        if sys.stdout.isatty():
            width = shutil.get_terminal_size().columns - 1
            print("\r" + line[:width].ljust(width), end="\n" if ending else "", flush=True)
        elif ending or elapsed >= self.next_line:
            print(line[:100], flush=True)
            self.next_line = elapsed + 5

    def tell_size(self, output: str) -> None:
        """Say once that the download is going to be large, while it can still be stopped."""
        if not self.size_told and "Collecting nvidia-" in output:
            print("\nPyTorch comes with CUDA here, a download of about 2.7 GB; Ctrl-C stops it.", flush=True)
            self.size_told = True


def run_step(step: Step, number: str, log: Path) -> tuple[bool, str]:
    """Run one step with its output in the log, showing progress; return whether it went well, and the output."""
    progress, start = Progress(f"[{number}] {step.title}"), log.stat().st_size

    def output() -> str:
        return log.read_bytes()[start:].decode(errors="replace")

    with log.open("ab") as sink:
        child = subprocess.Popen(step.command, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT)
    try:
        while child.poll() is None:
            progress.show(output())
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=0.2)
    finally:
        child.terminate()
        child.wait()
    progress.show(output(), "done" if child.returncode == 0 else step.fallback or "failed")
    return child.returncode == 0, output()


def cause(output: str) -> str:
    """Why an installation failed, in a person's words where they are known, else in pip's."""
    if "Errno 28" in output:
        return "the disk is full"
    if re.search(r"connection broken by|ConnectionError|ConnectTimeout|Read timed out|name resolution", output):
        return "no connection to the package index"
    return (re.findall(r"^ERROR: (.+)", output, re.M) or output.splitlines() or ["no output"])[-1]


def set_up(root: Path) -> None:
    """Bring `.venv` to what pyproject.toml asks for."""
    venv = root / ".venv"
    log, stamp = venv / "setup.log", venv / "setup.stamp"
    if fingerprint(root) is None:
        if os.path.lexists(venv):
            remove_broken(venv)
        check_machine(root)
        print(f"Setting the course up in {venv}, once; this takes a few minutes.", flush=True)
    steps = plan(root)
    venv.mkdir(exist_ok=True)
    log.write_bytes(b"")
    stamp.unlink(missing_ok=True)
    forget_unfinished(venv)
    for number, step in enumerate(steps, 1):
        succeeded, output = run_step(step, f"{number}/{len(steps)}", log)
        # A broken download must not end in the large one: only an index out of reach leads on to the next step.
        if not succeeded and (not step.fallback or "Downloading torch" in output):
            raise SetupError(f"{step.title}: {cause(output)}. The same command resumes; details are in {log}.")
    stamp.write_text(fingerprint(root) or "", encoding="utf-8")


def ready_python(root: Path, testing: bool) -> str:
    """The running interpreter where it has every package already, else the one in `.venv`, set up if need be."""
    wanted = requirements(root, "dependencies") + (requirements(root, "test") if testing else [])
    if all(map(is_installed, wanted)):
        return sys.executable
    stamp = root / ".venv" / "setup.stamp"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != fingerprint(root):
        set_up(root)
    return str(venv_python(root))


# --- opening and testing ---


def child_environment(root: Path, python: str) -> dict[str, str]:
    """The variables with which the environment's own programs, kernels and this clone are found first."""
    # JupyterLab's settings for the course: sliders are saved with a page, and no question about news comes up.
    first = {"PATH": Path(python).parent, "PYTHONPATH": root, "JUPYTER_CONFIG_PATH": root / "vae_lessons/jupyter"}
    joined = {name: os.pathsep.join(filter(None, [str(path), os.environ.get(name)])) for name, path in first.items()}
    return os.environ | joined | {"JUPYTER_PREFER_ENV_PATH": "1"}


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
    state, memory = repr((os.environ.get("HOME"), stats)), root / ".venv" / "trusted"
    if memory.exists() and memory.read_text(encoding="utf-8") == state:
        return lambda: None
    command, quiet = [python, "-m", "nbformat.sign", *notebooks], subprocess.DEVNULL
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
            return socket.create_connection((parts.hostname, parts.port), timeout=1).close()
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
    environment = child_environment(root, python)
    finish_trust = start_trust(root, python, environment)
    command, text = lab_command(root, python, options), {"encoding": "utf-8", "errors": "replace"}
    apart = {"stdin": subprocess.DEVNULL, "start_new_session": True}
    with subprocess.Popen(command, cwd=root, env=environment, stderr=subprocess.PIPE, **text, **apart) as server:
        for number in {signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)}:
            signal.signal(number, lambda *_: server.terminate())
        started, last = relay(server.stderr, finish_trust)
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


def run(arguments: list[str], root: Path) -> int:
    """Do what the command line asks for."""
    if not (root / "pyproject.toml").exists():
        raise SetupError("this copy is not inside the project: clone the course and run the command there.")
    if arguments[:1] == ["test"]:
        return run_tests(root, ready_python(root, testing=True), arguments[1:])
    options = arguments[1:] if arguments[:1] == ["--"] else arguments
    return open_course(root, ready_python(root, testing=False), options)


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Run the command; turn what a person can act on into one line and an exit code."""
    if arguments[:1] in (["-h"], ["--help"]):
        print(HELP)
        return 0
    if arguments and arguments[0] != "test" and not arguments[0].startswith("-"):
        print(f"vae_lessons: there is no command {arguments[0]!r}; --help lists them.", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that `kill` stops pip as Ctrl-C does
    try:
        return run(arguments, root)
    except KeyboardInterrupt:
        print("\nStopped; the same command resumes.", file=sys.stderr)
        return 130
    except (SetupError, OSError) as error:
        print(f"vae_lessons: {error}", file=sys.stderr)
        return 1
