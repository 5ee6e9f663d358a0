"""Does the course hold without any network?  ``python tools/offline.py [PART ...]``

The tests run in a network namespace of their own, which has loopback and nothing else, and so does whatever they start:
kernels, servers, browsers. (The hook in `tests/guards.py` names the test that left, but sees pytest's own process only.)

    notebooks    every notebook against its stored outputs; nothing in it may so much as ask for an address elsewhere
    a-l, m-z     all other tests without browser, in two halves by the names of their files
    browser      the tests with a browser

Without a name all four run. ``--record`` puts their rows into `tests/trust/closed.json`. All other options go to
pytest: ``-n 0``, ``-k name``. It needs Linux and util-linux's `unshare`, and either root or a kernel that lets
everybody make user namespaces; a person who is not root looks like root to the tests then.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import trust

ROOT = Path(__file__).resolve().parent.parent


def _tests(letters: str) -> list[str]:
    """The files of tests whose names begin so."""
    return [path.relative_to(ROOT).as_posix() for path in sorted(ROOT.glob(f"tests/test_[{letters}]*.py"))]


PARTS = {
    "notebooks": ("every notebook's cells", ["notebooks"]),
    "a-l": ("tests without browser, test_a* to test_l*", [*_tests("a-l"), "-m", "not browser"]),
    "m-z": ("tests without browser, test_m* to test_z*", [*_tests("m-z"), "-m", "not browser"]),
    "browser": ("the tests with a browser", ["tests", "-m", "browser"]),
}
CLOSED = "a network namespace with loopback alone, seen from inside"
SILENT = "no notebook asks for an address beyond loopback, its kernel included"
REFUSED = "no network namespace may be made here"  # tests/guards.py excuses it

# Kept free for documentation: where there is a way out, nobody answers, which is another error than "unreachable".
FAR = {"IPv4": (socket.AF_INET, "192.0.2.1"), "IPv6": (socket.AF_INET6, "2001:db8::1")}
NO_WAY = (errno.ENETUNREACH, errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)  # the last two where there is no IPv6
SET_FLAGS, UP = 0x8914, 0x1  # SIOCSIFFLAGS, IFF_UP


def barred() -> str:
    """Why no namespace can be made here, or nothing."""
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return "a network namespace needs Linux and its program unshare"
    tried = subprocess.run(unshared(["true"]), capture_output=True, text=True)
    return f"{REFUSED}: {tried.stderr.strip()}" if tried.returncode else ""


def unshared(command: Sequence[str]) -> list[str]:
    """The command in a network namespace of its own, where nothing is up yet."""
    return ["unshare", "--net", *([] if os.geteuid() == 0 else ["--map-root-user"]), *command]


# Inside -----------------------------------------------------------------------------------------


def raise_loopback() -> None:
    """Switch `lo` on; the kernel then gives it its addresses."""
    import fcntl  # Windows, where tests read this file too, has none

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        fcntl.ioctl(end, SET_FLAGS, struct.pack("16sh14x", b"lo", UP))


def namespace() -> str:
    """What names the network namespace of this process."""
    return os.readlink("/proc/self/ns/net")


def unreachable(family: int, host: str) -> bool:
    """Whether the kernel knows no way to an address, and says so at once."""
    try:
        with socket.socket(family, socket.SOCK_STREAM) as end:
            end.settimeout(2)
            end.connect((host, 9))
    except OSError as error:
        return error.errno in NO_WAY
    return False


def loopback_answers() -> bool:
    """Whether a connection to this machine's own address is made."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname(), 2):
            return True
    except OSError:
        return False


def seen(outside: str) -> dict[str, bool]:
    """What shows that this process is closed in, point by point."""
    points = {
        "another namespace than the caller's": namespace() != outside,
        "no interface but lo": [name for _, name in socket.if_nameindex()] == ["lo"],
        "loopback answers": loopback_answers(),
    }
    return points | {f"{name} unreachable": unreachable(*address) for name, address in FAR.items()}


def asked() -> int:
    """How often any process of this namespace asked for an address elsewhere, since the namespace was made.

    The kernel counts what had no way out, in IPv4 and IPv6; and what a name server on loopback, where there is one
    outside, did not answer.
    """
    four, six = (Path(f"/proc/net/{name}") for name in ("snmp", "snmp6"))
    count = {}
    lines = [line.split() for line in four.read_text().splitlines()]
    for (protocol, *names), (_, *numbers) in zip(lines[::2], lines[1::2]):
        count |= {protocol + name: int(number) for name, number in zip(names, numbers)}
    count |= dict(line.split() for line in six.read_text().splitlines()) if six.exists() else {}
    return sum(int(count.get(name, 0)) for name in ("Ip:OutNoRoutes", "Ip6OutNoRoutes", "Udp:NoPorts"))


def inside(outside: str, report: str, *command: str) -> int:
    """Run a command once this process is seen to be closed in; report that, and how often it asked for more."""
    if namespace() != outside:
        raise_loopback()
    points = seen(outside)
    before = asked()
    code = subprocess.call(command) if all(points.values()) else 1
    Path(report).write_text(json.dumps({"seen": points, "asked": asked() - before, "code": code}), encoding="utf-8")
    return code


# Outside ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Report:
    """What came back from inside: what was seen before the command, how often it asked for more, its exit code."""

    seen: dict[str, bool]
    asked: int
    code: int


def closed(command: Sequence[str], cwd: Path = ROOT) -> Report:
    """Run a command with loopback alone."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        program = [sys.executable, __file__, "--inside", namespace(), str(report)]
        subprocess.run([*unshared(program), *command], cwd=cwd)
        return Report(**json.loads(report.read_text(encoding="utf-8")))


def tried(part: str, options: Sequence[str]) -> tuple[Report, list[trust.Row]]:
    """Run one part of the tests; what came back from inside, and the part's rows."""
    title, which = PARTS[part]
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.xml"
        command = [sys.executable, "-m", "vae_lessons", "test", "--thorough", "-q"]
        report = closed([*command, *which, f"--junitxml={results}", *options])
        rows = [counted(title, report, results)] if results.exists() else [trust.Row(title, 0, 0, "did not run")]
        if part == "notebooks":
            n = len(trust.files(results)) if results.exists() else 0
            rows.insert(0, trust.Row(SILENT, n, 0 if report.asked else n, f"asked {report.asked} times"))
    return report, rows


def counted(title: str, report: Report, results: Path) -> trust.Row:
    """The row of a part: what passed, and in its note what did not run and why."""
    counts, seconds = trust.counted(results)
    why = "; ".join(f"{n}: {reason}" for reason, n in Counter(trust.skips(results)).most_common())
    skipped = f"{counts['skipped']} skipped" + (f" ({why})" if why else "")
    asked_for = f"an address elsewhere was asked for {report.asked} times"
    note = f"{counts['failed']} failed, {skipped}, {seconds:.0f} s; {asked_for}"
    return trust.Row(title, counts["passed"] + counts["failed"], counts["passed"], note)


def witnessed(reports: Sequence[Report]) -> trust.Row:
    """The row of what was seen inside before the tests began."""
    points = [point for report in reports for point in report.seen.items()]
    return trust.Row(CLOSED, len(points), sum(held for _, held in points), ", ".join(dict(points)))


def main(arguments: Sequence[str]) -> int:
    if arguments[:1] == ["--inside"]:
        return inside(*arguments[1:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true", help="put the rows into tests/trust/closed.json")
    parts = list(takewhile(PARTS.__contains__, arguments))  # the first words alone: `-n 0` is pytest's
    wanted, options = parser.parse_known_args(arguments[len(parts) :])
    if reason := barred():
        parser.error(reason)
    return try_all(parts or list(PARTS), options, wanted.record)


def try_all(parts: Sequence[str], options: Sequence[str], keep: bool) -> int:
    """Run the parts, keep what comes as it comes, then the table; 1 if anything did not hold."""
    reports: list[Report] = []
    rows: list[trust.Row] = []
    for part in parts:
        report, new = tried(part, options)
        reports.append(report)
        rows = [witnessed(reports), *rows[1:], *new]
        if keep:
            trust.renew("closed", rows)
    print(trust.table(rows))
    return int(any(row.held < row.cases or not row.cases for row in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
