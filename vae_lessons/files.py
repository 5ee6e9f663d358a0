"""Files that are there whole or not at all: progress, the models of a sweep, recorded results; and one process at a time."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_whole(file: Path) -> Iterator[Path]:
    """A name to write to, which becomes `file` when all is there: a full disk or a kill leaves the file of before.

    Raises:
        OSError: it cannot be written; nothing is left beside `file`.
    """
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        yield part
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def alone(place: Path, waiting: str = "") -> Iterator[None]:
    """One process at a time: who comes second waits, and prints `waiting`. A process that is killed lets the next one in.

    Where there is no such lock (on Windows, on some network disks) nobody waits.

    Args:
        place: a file or folder that is there; it is not changed, and nothing is left beside it.
    """
    lock = _locked(place, waiting)
    try:
        yield
    finally:
        if lock is not None:
            os.close(lock)


def _locked(place: Path, waiting: str) -> int | None:
    try:
        import fcntl
    except ImportError:
        return None
    try:
        lock = os.open(place, os.O_RDONLY)
    except OSError:
        return None
    os.set_inheritable(lock, True)  # for children that are given it: they count as this process, also when it is gone
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if waiting:
            print(waiting, file=sys.stderr, flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError:
        pass
    return lock
