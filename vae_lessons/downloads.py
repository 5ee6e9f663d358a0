"""Files of a data set from public mirrors into the user's cache folder, once, whoever asks and however often (lesson 10).

Nothing is downloaded before a learner asks for a data set. A file has its name only when it is whole.
"""

import hashlib
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import filelock
import pooch
import requests
from tqdm.auto import tqdm

from vae_lessons.idx import GZIP, VARIABLE, File, Source

TIMEOUT = (10.0, 20.0)  # seconds: until a mirror must have taken the call, and between two pieces of a file
SLOWEST = 2000.0  # bytes per second, on average, below which a mirror is given up


class Unavailable(OSError):
    """A data set could neither be downloaded nor found in the cache; the message says what was tried, and what helps."""


def download(source: Source, cache: Path | None = None) -> Path:
    """The folder where all files of `source` are whole; what is not there yet comes from the first mirror that works.

    Raises:
        Unavailable: no mirror served the files, or they cannot be kept.
    """
    folder = Path(cache or pooch.os_cache("vae_lessons")) / source.name
    try:
        if not all(_is_whole(folder, file) for file in source.files):
            folder.mkdir(parents=True, exist_ok=True)
            with _alone(source, folder) as failure:
                _fill(source, folder, failure)
    except Unavailable:
        raise
    except OSError as error:  # no mirror's fault
        raise Unavailable(f"{source.name} cannot be kept in {folder}: {error}.\n{_advice(source)}") from error
    return folder


def _is_whole(folder: Path, file: File) -> bool:
    path = folder / f"{file.name}.gz"
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == file.packed


@contextmanager
def _alone(source: Source, folder: Path) -> Iterator[Path]:
    """One process at a time; yields where to write why it failed.

    Who waited for one that failed shares its failure: thirty that try and fail in turn would take long.
    """
    lock, failure = filelock.FileLock(folder.with_suffix(".lock")), folder.with_suffix(".failed")
    earlier = _time_of(failure)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        print(f"Another program is downloading {source.name}: waiting for it …", file=sys.stderr)
        lock.acquire()
    try:
        if _time_of(failure) not in (earlier, None):
            raise Unavailable(failure.read_text(encoding="utf-8"))
        failure.unlink(missing_ok=True)
        yield failure
    finally:
        lock.release()


def _time_of(path: Path) -> int | None:
    return path.stat().st_mtime_ns if path.exists() else None


def _fill(source: Source, folder: Path, failure: Path) -> None:
    """Fetch what is not there yet, from one mirror after the other."""
    whole = {folder / f"{file.name}.gz" for file in source.files if _is_whole(folder, file)}
    for path in set(folder.iterdir()) - whole:  # went bad since, or was left by a download that was killed
        path.unlink()
    reasons = []
    for mirror in source.mirrors:
        try:
            for file in source.files:
                _retrieve(mirror, file, folder)
            return
        except (requests.RequestException, ValueError) as error:
            reasons.append(f"  {mirror}: {_reason(error)}")
    told = "\n".join([f"{source.name} could not be downloaded:", *reasons, _advice(source)])
    failure.write_text(told, encoding="utf-8")
    raise Unavailable(told)


def _retrieve(mirror: str, file: File, folder: Path) -> None:
    """One file, under its name only when it is whole."""
    name = f"{file.name}.gz"
    pooch.retrieve(f"{mirror}/{name}", f"sha256:{file.packed}", fname=name, path=folder, downloader=_download)


def _download(url: str, output_file: str, _: object) -> None:
    """What pooch calls to have an address written to a file, before it looks at the hash."""
    progress = _Progress(url.rpartition("/")[2])
    with ExitStack() as at_the_end:
        at_the_end.callback(progress.close)

        def close_later(response: requests.Response, **_kept: object) -> None:
            at_the_end.callback(response.close)  # pooch leaves the connection open where it fails

        fetch = pooch.HTTPDownloader(progressbar=progress, timeout=TIMEOUT, hooks={"response": close_later})
        fetch(url, output_file, None)
    with open(output_file, "rb") as file:
        if not (start := file.read(40)).startswith(GZIP):
            page = (
                "a web page (of a network that wants a log-in?)" if start.lstrip().startswith(b"<") else "another file"
            )
            raise ValueError(f"{page} came instead of the file, beginning with {start!r}")


class _Progress:
    """What pooch tells of a download: shown on a bar, and ended if too little comes."""

    total = 0  # bytes, once pooch knows them

    def __init__(self, name: str):
        self.name, self.began, self.came = name, time.monotonic(), 0
        self.bar: Any = None  # made when its length is known

    def update(self, n: int) -> None:
        if self.bar is None:
            self.bar = tqdm(total=self.total or None, desc=self.name, unit="B", unit_scale=True)
        self.came += n
        self.bar.update(n)
        passed = time.monotonic() - self.began
        if self.came < SLOWEST * (passed - TIMEOUT[1]):
            raise requests.Timeout(f"too slow: {self.came} bytes in {passed:.0f} s")

    def reset(self) -> None:
        if self.bar is not None:
            self.bar.reset()

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


def _reason(error: Exception) -> str:
    """Why a mirror failed, without the layers around it."""
    cause = error.args[0] if error.args else error
    return str(getattr(cause, "reason", cause))


def _advice(source: Source) -> str:
    names = ", ".join(f"{file.name}.gz" for file in source.files)
    return (
        f"Try again later, or get {names} in another way, put them into one folder, packed or not, and name it in "
        f"the argument `folder` or the environment variable {VARIABLE}."
    )
