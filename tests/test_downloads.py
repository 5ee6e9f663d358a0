"""Data sets in IDX files: from mirrors that fail in every way we know, played on loopback, and from folders.

Nothing here leaves the machine: the data set is a small one of our own, and only addresses and hashes are its own.
"""

import errno
import gzip
import hashlib
import io
import multiprocessing
import re
import socket
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from vae_lessons import downloads, idx
from vae_lessons.downloads import Unavailable, download
from vae_lessons.idx import FASHION_MNIST, MNIST, VARIABLE, File, Source, arrays, parsed

NAMES = [file.name for file in MNIST.files]
RNG = np.random.default_rng(0)
ARRAYS = [RNG.integers(0, 256, shape, dtype=np.uint8) for shape in ((60, 8, 7), (60,), (20, 8, 7), (20,))]


def idx_bytes(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


PLAIN = dict(zip(NAMES, map(idx_bytes, ARRAYS)))
PACKED = {f"{name}.gz": gzip.compress(data, mtime=0) for name, data in PLAIN.items()}
FILES = tuple(File(name, sha256(PACKED[f"{name}.gz"]), sha256(PLAIN[name])) for name in NAMES)
PAGE = b"<!DOCTYPE html><title>Please log in</title>" + b"x" * 5000


class Mirror(BaseHTTPRequestHandler):
    """A server whose folders fail, each in the way of its name."""

    asked: Counter[str]  # how often each folder was asked
    release: threading.Event  # ends what hangs
    hangs: threading.Event  # something does

    def do_GET(self) -> None:
        folder, name = self.path.strip("/").split("/")
        type(self).asked[folder] += 1
        getattr(self, folder)(PACKED[name])

    def send(self, data: bytes, status: int = 200, length: int | None = None) -> None:
        self.send_response(status)
        if length != 0:
            self.send_header("Content-Length", str(length or len(data)))
        self.end_headers()
        self.wfile.write(data)

    def good(self, data: bytes) -> None:
        self.send(data)

    def labels_only(self, data: bytes) -> None:
        self.send(data) if len(data) < 200 else self.send(b"no", 404)

    def missing(self, data: bytes) -> None:
        self.send(b"no such thing", 404)

    def broken(self, data: bytes) -> None:
        self.send(b"out of order", 503)

    def page(self, data: bytes) -> None:
        self.send(PAGE)

    def truncated(self, data: bytes) -> None:
        self.send(data[: len(data) // 2], length=len(data))

    def silently_truncated(self, data: bytes) -> None:
        self.send(data[: len(data) // 2], length=0)

    def changed(self, data: bytes) -> None:
        self.send(gzip.compress(b"something else"))

    def hanging(self, data: bytes) -> None:
        type(self).hangs.set()
        type(self).release.wait()

    def hanging_in_the_middle(self, data: bytes) -> None:
        self.send(data[: len(data) // 2], length=len(data))
        self.hanging(data)

    def slow(self, data: bytes) -> None:
        self.send(b"", length=10**6)
        while not type(self).release.wait(0.005):
            self.wfile.write(data[:1024])

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture(scope="module")
def server():
    Mirror.asked, Mirror.release, Mirror.hangs = Counter(), threading.Event(), threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
    server.handle_error = lambda *_: None  # a client that gives up is what we test
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    Mirror.release.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def source(server, monkeypatch):
    """A function from names of folders to a data set that is there."""
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(downloads, "TIMEOUT", (5.0, 0.2))
    Mirror.asked.clear()
    Mirror.release.clear()
    Mirror.hangs.clear()
    yield lambda *folders: Source("fake", tuple(f"{server}/{folder}" for folder in folders), FILES)
    Mirror.release.set()


def is_right(found: list[np.ndarray]) -> bool:
    return len(found) == 4 and all(map(np.array_equal, found, ARRAYS))


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()} - {"fake.lock", "fake.failed"}


# Mirrors ----------------------------------------------------------------------------------------


def test_a_data_set_is_downloaded_once(source, tmp_path, capfd):
    for _ in range(2):
        assert is_right(arrays(source("good"), cache=tmp_path))
    assert Mirror.asked == {"good": 4} and files_in(tmp_path) == set(PACKED)
    shown = capfd.readouterr().err
    assert all(f"{name}: 100%" in shown for name in PACKED)  # the progress


FAILURES = {
    "missing": "404 Client Error: Not Found",
    "broken": "503 Server Error",
    "page": "a web page .* came instead of the file, beginning with b'<!DOCTYPE html>",
    "truncated": "IncompleteRead",
    "silently_truncated": "hash of downloaded file .* does not match",
    "changed": "hash of downloaded file .* does not match",
    "hanging": "[Rr]ead timed out",
    "hanging_in_the_middle": "[Rr]ead timed out",
    "slow": "too slow: \\d+ bytes in \\d+ s",
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_mirror_that_fails_leaves_nothing_but_its_reason(source, tmp_path, failure, monkeypatch):
    monkeypatch.setattr(downloads, "SLOWEST", 10**7 if failure == "slow" else 0)
    with pytest.raises(Unavailable) as caught:
        arrays(source(failure), cache=tmp_path)
    first, mirror, advice = str(caught.value).split("\n")
    assert first == "fake could not be downloaded:"
    assert re.search(f"/{failure}: .*{FAILURES[failure]}", mirror)
    assert all(name in advice for name in (*PACKED, "`folder`", VARIABLE))
    assert not files_in(tmp_path)


@pytest.mark.parametrize("failure", FAILURES)
def test_the_next_mirror_is_asked(source, tmp_path, failure, monkeypatch):
    monkeypatch.setattr(downloads, "SLOWEST", 10**7 if failure == "slow" else 0)
    assert is_right(arrays(source(failure, "good"), cache=tmp_path))
    assert Mirror.asked == {failure: 1, "good": 4} and files_in(tmp_path) == set(PACKED)


def test_two_mirrors_make_one_data_set(source, tmp_path):
    """The first serves the training images, and the second what the first lacks."""
    served = Source("fake", source("good").mirrors, (FILES[1], FILES[3], FILES[1], FILES[3]))
    download(served, tmp_path)
    Mirror.asked.clear()
    assert is_right(arrays(source("labels_only", "good"), cache=tmp_path))
    assert Mirror.asked == {"labels_only": 1, "good": 2}


def test_nobody_is_there(source, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # and nobody listens
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(Unavailable, match=f"{nobody}: .*refused"):
            arrays(source()._replace(mirrors=(nobody,)), cache=tmp_path)


def test_there_is_no_network(source, tmp_path, monkeypatch):
    """No name has an address; every mirror is named with its reason."""

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    mirrors = ("https://first.example", "http://second.example")
    with pytest.raises(Unavailable) as caught:
        arrays(source()._replace(mirrors=mirrors), cache=tmp_path)
    assert all(re.search(f"{mirror}: .*name resolution", str(caught.value)) for mirror in mirrors)
    assert not files_in(tmp_path)


def test_what_is_in_the_cache_needs_no_network(source, tmp_path):
    download(source("good"), tmp_path)
    assert is_right(arrays(source(), cache=tmp_path))


@pytest.mark.parametrize("bad", [b"", b"junk", PACKED[f"{NAMES[1]}.gz"], PACKED[f"{NAMES[0]}.gz"][:-1]])
def test_a_file_that_went_bad_is_replaced(source, tmp_path, bad):
    path = download(source("good"), tmp_path) / f"{NAMES[0]}.gz"
    path.write_bytes(bad)
    assert is_right(arrays(source("good"), cache=tmp_path)) and Mirror.asked["good"] == 5
    path.write_bytes(bad)
    with pytest.raises(Unavailable):
        arrays(source("missing"), cache=tmp_path)
    assert files_in(tmp_path) == set(PACKED) - {path.name}


def test_what_a_killed_download_left_is_cleared_away(source, tmp_path):
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake/tmpabc").write_bytes(b"half a file")
    assert is_right(arrays(source("good"), cache=tmp_path)) and files_in(tmp_path) == set(PACKED)


def test_ctrl_c_leaves_nothing(source, tmp_path, monkeypatch):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(downloads._Progress, "update", interrupted)
        with pytest.raises(KeyboardInterrupt):
            arrays(source("good"), cache=tmp_path)
    assert not files_in(tmp_path)
    assert is_right(arrays(source("good"), cache=tmp_path))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the full disk is Linux's /dev/full")
def test_a_full_disk_is_no_fault_of_the_mirrors(source, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("pooch.downloaders.open", lambda *_: io.FileIO("/dev/full", "w"), raising=False)
        with pytest.raises(Unavailable) as caught:
            arrays(source("good", "good"), cache=tmp_path)
    assert re.search(f"fake cannot be kept in {tmp_path}/fake: .*No space left on device", str(caught.value))
    assert caught.value.__cause__.errno == errno.ENOSPC and VARIABLE in str(caught.value)
    assert Mirror.asked["good"] == 1 and not files_in(tmp_path)
    assert is_right(arrays(source("good"), cache=tmp_path))


def test_a_cache_that_cannot_be_made_is_named(source, tmp_path):
    (tmp_path / "home").touch()
    with pytest.raises(Unavailable, match=r"fake cannot be kept in .*home/fake: "):
        arrays(source("good"), cache=tmp_path / "home")


# Many at once -----------------------------------------------------------------------------------


def ask(source: Source, cache: Path, start) -> str:
    start.wait()
    return sha256(b"".join(array.tobytes() for array in arrays(source, cache=cache)))


@pytest.mark.thorough
def test_thirty_processes_get_one_good_copy_from_one_download(source, tmp_path):
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["vae_lessons.downloads"])
    with context.Manager() as manager, context.Pool(30) as pool:
        start = manager.Barrier(30)
        found = pool.starmap(ask, [(source("good"), tmp_path, start)] * 30, chunksize=1)
    assert set(found) == {sha256(b"".join(array.tobytes() for array in ARRAYS))}
    assert Mirror.asked == {"good": 4} and files_in(tmp_path) == set(PACKED)


def test_who_waited_shares_the_failure(source, tmp_path, monkeypatch):
    """Thirty learners behind a wall that swallows everything wait for one timeout, not for thirty."""
    monkeypatch.setattr(downloads, "TIMEOUT", (5.0, 30.0))
    waits, told = threading.Event(), []
    monkeypatch.setattr(downloads, "print", lambda *_, **__: waits.set(), raising=False)

    def fails() -> None:
        with pytest.raises(Unavailable) as caught:
            arrays(source("hanging"), cache=tmp_path)
        told.append(str(caught.value))

    first, second = threading.Thread(target=fails), threading.Thread(target=fails)
    first.start()
    assert Mirror.hangs.wait(30)
    second.start()
    assert waits.wait(30)
    Mirror.release.set()
    first.join()
    second.join()
    assert Mirror.asked == {"hanging": 1} and len(told) == 2 and told[0] == told[1]
    assert is_right(arrays(source("good"), cache=tmp_path)), "who comes later tries again"


# Folders ----------------------------------------------------------------------------------------


FAKE = Source("fake", (), FILES)  # no mirror: what is not in the folder is nowhere


@pytest.fixture
def folder(tmp_path):
    """With the four files, unpacked."""
    for name, data in PLAIN.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


def test_a_folder_is_named_by_argument_or_environment(folder, monkeypatch):
    monkeypatch.setenv(VARIABLE, "/nowhere")
    assert is_right(arrays(FAKE, folder)) and is_right(arrays(FAKE, str(folder)))
    monkeypatch.setenv(VARIABLE, str(folder))
    assert is_right(arrays(FAKE))


def test_packed_by_whomever(folder):
    """Other bytes than the mirrors', but the same within; and a file that a browser unpacked without a word."""
    for name in NAMES[1:]:
        (folder / name).unlink()
        (folder / f"{name}.gz").write_bytes(gzip.compress(PLAIN[name], compresslevel=1, mtime=7))
    (folder / f"{NAMES[3]}.gz").write_bytes(PLAIN[NAMES[3]])
    assert is_right(arrays(FAKE, folder))


def test_one_folder_holds_several_data_sets(folder):
    (folder / "other").mkdir()
    for name, array in zip(NAMES, reversed(ARRAYS)):
        (folder / "other" / name).write_bytes(idx_bytes(array))
    other = tuple(File(name, "", sha256(idx_bytes(array))) for name, array in zip(NAMES, reversed(ARRAYS)))
    assert is_right(arrays(Source("other", (), other), folder)[::-1]) and is_right(arrays(FAKE, folder))


def test_training_and_test_files_cannot_be_exchanged(folder):
    (folder / NAMES[0]).write_bytes(PLAIN[NAMES[2]])
    with pytest.raises(ValueError, match=f"{NAMES[0]} is changed or another file, not the file of its name"):
        arrays(FAKE, folder)


def test_a_known_file_under_another_name_is_recognised(folder, monkeypatch):
    monkeypatch.setattr(idx, "FASHION_MNIST", FAKE)
    with pytest.raises(ValueError, match=f"{NAMES[0]} is {NAMES[0]} of fake, not the file of its name"):
        arrays(MNIST, folder)


def packed_to(length: int) -> bytes:
    return PACKED[f"{NAMES[0]}.gz"][:length]


DAMAGES = {
    "cut": (PLAIN[NAMES[0]][:-1], r"announces the shape \(60, 8, 7\) but has 3359 bytes for it"),
    "longer": (PLAIN[NAMES[0]] + b"\0", r"announces the shape \(60, 8, 7\) but has 3361 bytes for it"),
    "another pixel": (PLAIN[NAMES[0]][:-1] + b"\0", "its SHA-256 must be [0-9a-f]{64}, got [0-9a-f]{64}"),
    "packed and cut": (packed_to(-9), "is damaged or incomplete: Compressed file ended"),
    "packed and damaged": (packed_to(40) + bytes(40) + PACKED[f"{NAMES[0]}.gz"][80:], "is damaged or incomplete: "),
    "a page": (PAGE, "must be bytes in the IDX format, got a file that begins with b'<!DO'"),
    "empty": (b"", "must be bytes in the IDX format, got a file that begins with b''"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_named(folder, damage):
    data, message = DAMAGES[damage]
    (folder / NAMES[0]).write_bytes(data)
    with pytest.raises(ValueError, match=f"^{folder}/{NAMES[0]} .*{message}"):
        arrays(FAKE, folder)


def test_what_is_not_there_is_named(folder, monkeypatch):
    (folder / NAMES[2]).unlink()
    with pytest.raises(FileNotFoundError, match=f"{folder} has neither {NAMES[2]} nor {NAMES[2]}.gz"):
        arrays(FAKE, folder)
    with pytest.raises(FileNotFoundError, match=r"folder must name a folder, got '.*nowhere', which is none"):
        arrays(FAKE, folder / "nowhere")
    monkeypatch.setenv(VARIABLE, str(folder / NAMES[0]))
    with pytest.raises(FileNotFoundError, match=r"VAE_LESSONS_DATA must name a folder, got .*, which is none"):
        arrays(FAKE)
    with pytest.raises(TypeError, match="folder must be a path, got int"):
        arrays(FAKE, 3)


# The format and the tables ----------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 4), (0, 5)])
def test_an_array_of_any_shape_is_read(shape):
    array = RNG.integers(0, 256, shape, dtype=np.uint8)
    assert np.array_equal(parsed(idx_bytes(array), "file"), array)


@pytest.mark.parametrize("start", [b"\0\0\x0d\x01", b"\1\0\x08\x01", b"\0\0\x08", b"\0\0\x08\x03\0\0\0\1"])
def test_another_format_is_refused(start):
    """Floats, another magic number, and a head that is cut off."""
    with pytest.raises(ValueError, match="file must be bytes in the IDX format, got a file that begins with"):
        parsed(start, "file")


def test_more_than_memory_can_be_announced():
    """2⁹⁶ bytes: the product must not wrap round to what is there."""
    with pytest.raises(ValueError, match=r"announces the shape .* but has 0 bytes for it"):
        parsed(b"\0\0\x08\x03" + b"\x80\0\0\0" * 3, "file")


@pytest.mark.parametrize("real", [MNIST, FASHION_MNIST], ids=lambda real: real.name)
def test_the_table_of_a_real_data_set_is_whole(real):
    hashes = [number for file in real.files for number in (file.packed, file.unpacked)]
    assert len(set(hashes)) == 8 and all(re.fullmatch("[0-9a-f]{64}", number) for number in hashes)
    assert [file.name for file in real.files] == NAMES and len(real.mirrors) >= 2
    assert all(re.fullmatch(r"https?://[\w./-]+\w", mirror) for mirror in real.mirrors)
