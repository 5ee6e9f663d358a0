"""Two guards over every test: none is skipped that could have run here, and none leaves this machine.

`.ci/run` says with VAE_LESSONS_EVERY_TEST which environment it has made: "course", or "classroom", where nbgrader and
JupyterHub are there too, and what is `thorough` is not left out. A skip for any reason that is not listed here then
counts as a failure.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from pathlib import Path
from typing import Any

from vae_lessons.packages import ROOT

VARIABLE = "VAE_LESSONS_EVERY_TEST"
ASKED = "VAE_LESSONS_TESTS_ASKED"  # the file in which a watched process that a test has started reports
# What no environment of CI has, by the first words of the reason.
# A namespace only where the kernel has refused; that `unshare` is not there is no excuse.
NOWHERE = ("needs MNIST", "no Python older than 3.10", "no network namespace may be made here", "too long for CI")
# What only the classroom has: the files whose tests wait for it, which `.ci/run` runs again there.
IN_THE_CLASSROOM = {
    "jupyterhub is not installed": "test_hub.py",
    "nbgrader is not installed": "test_teaching.py",
    "nbval runs this lesson": "test_browser_others.py",
}

HERE = (
    None,
    "",
    b"",
    "localhost",
    b"localhost",
    socket.gethostname(),
)  # asked before the watch: the question is watched, too
visited: list[str] = []  # addresses beyond loopback that this process asked for since the last test


def excused(reason: str, file: str) -> bool:
    """Whether a test of this file may be skipped for this reason, in the environment that runs."""
    environment = os.environ.get(VARIABLE)
    if environment is None or reason.startswith(NOWHERE):
        return True
    later = [name for start, name in IN_THE_CLASSROOM.items() if reason.startswith(start)]
    return environment == "course" and later == [file]


def is_loopback(host: object) -> bool:
    """Whether a name or number means this machine alone; no name at all does."""
    if host in HERE:
        return True
    try:
        address = ipaddress.ip_address(host.decode() if isinstance(host, bytes) else str(host).partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def destination(event: str, arguments: tuple[Any, ...]) -> object:
    """The host that a system call is about; None if it is about none, or sends nothing."""
    if event == "socket.getaddrinfo":
        return arguments[0]
    if event not in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        return None
    end, address = arguments[:2]
    # A datagram socket is connected to learn this machine's own address (distributed does), without a packet.
    silent = event == "socket.connect" and end.type == socket.SOCK_DGRAM
    return address[0] if end.family in (socket.AF_INET, socket.AF_INET6) and address and not silent else None


def stay_here(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook: notes and refuses whatever would leave loopback. Python cannot remove it."""
    if event.startswith("socket.") and not is_loopback(host := destination(event, arguments)):
        visited.append(f"{event} {host!r}")
        if file := os.environ.get(ASKED):
            with open(file, "a", encoding="utf-8") as asked:
                asked.write(f"{visited[-1]} by {sys.argv}\n")
        raise PermissionError(f"tests stay on this machine: {event} {host!r}")


def watch() -> None:
    """Begin to watch this process; once."""
    sys.addaudithook(stay_here)


def watched(folder: Path) -> dict[str, str]:
    """Variables with which every Python that is started is watched as well, and reports to `folder`/asked."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text("from tests import guards\n\nguards.watch()\n", encoding="utf-8")
    return {"PYTHONPATH": f"{ROOT}{os.pathsep}{folder}", ASKED: str(folder / "asked")}
