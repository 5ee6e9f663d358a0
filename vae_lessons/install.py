"""Install the course into `.venv`, once.

Only the standard library is imported here: this code has to run before anything is installed.
The stamp in `.venv` is written last, so whatever interrupts a set-up, the next run goes on with it.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from vae_lessons.files import alone
from vae_lessons.packages import is_installed, requirements

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
# Matplotlib lists the machine's fonts once, and would say so in red in the first notebook. It has a lock while it writes
# the list, for some milliseconds. A lock that a kill left would make every import wait for 5 seconds, and warn.
FONTS = """\
import pathlib, time, matplotlib
for lock in pathlib.Path(matplotlib.get_cachedir()).glob("fontlist*.matplotlib-lock"):
    for _ in range(50):
        if lock.exists():
            time.sleep(0.1)
    lock.unlink(missing_ok=True)
import matplotlib.font_manager
"""


class SetupError(Exception):
    """Something that a person has to act on; its text is the one line they get."""


def venv_python(root: Path) -> Path:
    """The interpreter inside `.venv`."""
    return root / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def fingerprint(root: Path) -> str | None:
    """What the stamp of a finished set-up says; None where `.venv` lacks a working Python or its pip."""
    # Of a pip whose installation was cut short, INSTALLER is missing: it comes after pip's own files.
    is_whole = "m.distribution('pip').read_text('INSTALLER')"
    probe = f"import sys, importlib.metadata as m; print('%d.%d' % sys.version_info[:2] if {is_whole} else '')"
    try:
        version = subprocess.run(
            [venv_python(root), "-I", "-c", probe], capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
    # The folder counts because an editable installation points to where the clone was.
    digest = hashlib.sha256((root / "pyproject.toml").read_bytes()).hexdigest()
    return f"{version} {digest} {root}" if version else None


@dataclass(frozen=True)
class Step:
    """One command of the set-up, and what to say if it fails but the next step makes up for it."""

    title: str
    command: list[str | Path]
    fallback: str = ""
    variables: dict[str, str] = field(default_factory=dict)


def has_nvidia() -> bool:
    """Whether this machine shows signs of an NVIDIA driver."""
    return Path("/proc/driver/nvidia").exists() or shutil.which("nvidia-smi") is not None


def plan(root: Path, extras: str = "test") -> list[Step]:
    """The steps from here to a finished set-up; `extras` as in ``pip install -e .[test,site]``."""
    python = venv_python(root)
    pip: list[str | Path] = [python, "-m", "pip", "install", "--progress-bar=off"]
    fonts = Step("Fonts for the figures", [python, "-c", FONTS])
    steps = [Step("JupyterLab and the other packages", [*pip, "-e", f"{root}[{extras}]"]), fonts]
    if sys.platform == "linux" and not has_nvidia():
        # Linux's ordinary PyTorch brings 2.7 GB of CUDA. No retries: the index is out of reach for some machines.
        torch = next(line for line in requirements(root, "dependencies") if line.startswith("torch"))
        quick = ["--no-deps", "--retries=0", "--timeout=10", f"--index-url={CPU_INDEX}"]
        fallback = "index out of reach: the ordinary build comes next"
        # In the place of a person's further index, where newer builds for CUDA may be.
        no_other = {"PIP_EXTRA_INDEX_URL": CPU_INDEX}
        steps.insert(0, Step("PyTorch, CPU build", [*pip, *quick, torch], fallback, no_other))
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
    """Remove the records of packages whose installation was cut short, and what pip had moved out of their way.

    pip takes a package for installed once its METADATA is there, yet copies data files (JupyterLab's
    pages, for one) after that, INSTALLER after those, and renames a finished RECORD last. What it is about to
    replace it renames first, to a name with ~, of which every later call of it would complain.
    """
    packages = "Lib/site-packages" if os.name == "nt" else "lib/python*/site-packages"
    for metadata in venv.glob(f"{packages}/*.dist-info"):
        if not (metadata / "INSTALLER").exists() or any(metadata.glob("RECORD*.tmp")):
            shutil.rmtree(metadata)
    for aside in venv.glob(f"{packages}/~*"):
        shutil.rmtree(aside)


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
        # It keeps the lock of `alone`: where this process alone is killed, the next set-up waits for this step.
        child = subprocess.Popen(
            step.command,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            close_fds=False,
            env=os.environ | step.variables,
        )
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


def stamp(root: Path, group: str) -> Path:
    """What says that a set-up is finished; the site's packages come only when they are asked for."""
    return root / ".venv" / ("site.stamp" if group == "site" else "setup.stamp")


def is_finished(root: Path, group: str) -> bool:
    """Whether a set-up came to its end, for this pyproject.toml, this Python and this folder."""
    finished = stamp(root, group)
    return finished.exists() and finished.read_text(encoding="utf-8") == fingerprint(root)


def set_up(root: Path, group: str) -> None:
    """Bring `.venv` to what pyproject.toml asks for; with the group "site", to what the site takes as well."""
    venv = root / ".venv"
    log, stamps = venv / "setup.log", {stamp(root, "test"), stamp(root, group)}
    if fingerprint(root) is None:
        if os.path.lexists(venv):
            remove_broken(venv)
        check_machine(root)
        print(f"Setting the course up in {venv}, once; this takes a few minutes.", flush=True)
    steps = plan(root, "test,site" if group == "site" else "test")
    venv.mkdir(exist_ok=True)
    log.write_bytes(b"")
    for each in stamps:
        each.unlink(missing_ok=True)
    forget_unfinished(venv)
    for number, step in enumerate(steps, 1):
        succeeded, output = run_step(step, f"{number}/{len(steps)}", log)
        # A broken download must not end in the large one: only an index out of reach leads on to the next step.
        if not succeeded and (not step.fallback or "Downloading torch" in output):
            raise SetupError(f"{step.title}: {cause(output)}. The same command resumes; details are in {log}.")
    for each in stamps:
        each.write_text(fingerprint(root) or "", encoding="utf-8")


def ready_python(root: Path, group: str = "dependencies") -> str:
    """The running interpreter where it has every package already, else the one in `.venv`, set up if need be.

    Args:
        group: "test" or "site" where more than the dependencies is needed.
    """
    if all(map(is_installed, requirements(root, "dependencies") + requirements(root, group))):
        return sys.executable
    if not is_finished(root, group):
        with alone(root / "pyproject.toml", "Another set-up is running: waiting for it …"):
            if not is_finished(root, group):
                set_up(root, group)
    return str(venv_python(root))
