"""What `faults.py` disturbs, where it is no command of its own: ``python tools/faults_work.py NAME SOCKET``, in a copy.

It imports what the work takes, once, and forks a process for each request, in a session of its own. That announces through
a pipe that it begins, and each opening for writing, renaming and removing in the copy.
"""

import gzip
import hashlib
import os
import random
import shutil
import socket
import sys
import traceback
from collections.abc import Callable
from functools import cache
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
READY, WRITES = b"r", b"w"
SITE_FILES = 300
NAMES = ("train-images", "train-labels", "test-images", "test-labels")
DOWNLOADED = ("cache/fake/*.gz",)


@cache
def packed() -> dict[str, bytes]:
    """Four files of a data set, the same in every process."""
    rng = random.Random(0)
    return {name: gzip.compress(rng.randbytes(10**6), mtime=0) for name in NAMES}


def announce(pipe: int) -> None:
    """From here on, say what is about to be written."""
    os.write(pipe, READY)

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        opens = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if not opens and event not in ("os.rename", "os.remove", "os.rmdir", "os.mkdir"):
            return
        paths = [Path(each).absolute() for each in arguments[:2] if isinstance(each, (str, os.PathLike))]
        if any(path.is_relative_to(HERE) and not path.is_relative_to(HERE / "build") for path in paths):
            os.write(pipe, WRITES)

    sys.addaudithook(hear)


Act = Callable[[int], None]  # its number is 0, or 1 and 2 where two do it at once


def progress() -> Act:
    """The right numbers and words of all lessons, one after the other; of two learners, each gives every second one."""
    from vae_lessons.exercises import NUMBERS, check, lesson
    from vae_lessons.exercises.judging import judge
    from vae_lessons.exercises.source import run

    os.environ["VAE_LESSONS_PROGRESS"] = str(HERE / "progress.json")
    asked = [(of, each) for of in map(lesson, NUMBERS) for each in of.exercises if each.cases is None]
    answers = [(each.name, run(of, each, each.solution)) for of, each in asked]
    for (of, each), (_, answer) in zip(asked, answers):
        judge(of, each, answer)  # which keeps the solution: the writing is what takes the time

    def act(number: int) -> None:
        for name, answer in answers[number - 1 :: 2] if number else answers:
            check(name, answer)

    return act


def download() -> Act:
    """Four files from a mirror on loopback."""
    from vae_lessons import downloads, idx

    files = tuple(idx.File(name, hashlib.sha256(data).hexdigest(), "") for name, data in packed().items())
    source = idx.Source("fake", (f"http://127.0.0.1:{os.environ['FAULTS_PORT']}",), files)
    return lambda number: print(downloads.download(source, HERE / "cache"))


def training() -> Act:
    """Six models of a sweep, one task each, then a benchmark's training and its evaluation."""
    import torch

    from vae_lessons.data import digits
    from vae_lessons.settings import grid
    from vae_lessons.sweeps import train_many

    sys.path.insert(0, str(HERE / "benchmarks"))
    from likelihood import Training, evaluate

    torch.set_num_threads(1)
    x, grey = digits().x[:600], torch.rand(300, 784, generator=torch.Generator().manual_seed(0))
    settings = grid(beta=(0.1, 0.3, 0.5, 0.7, 0.9, 1.1))

    def act(number: int) -> None:
        train_many(x, settings, folder=HERE / "sweep", models_per_task=1, epochs=4, progress=False)
        benchmark = Training("vae", 6, 0, HERE / "likelihood")
        benchmark.run(grey, grey.round())
        evaluate(benchmark, grey.round()[:100], draws=50, size=20)

    return act


def frames() -> Act:
    """Forty pictures of a slider, then the moving picture of the README."""
    import numpy as np
    from matplotlib import pyplot as plt

    sys.path.insert(0, str(HERE / "docs"))
    import animate

    from vae_lessons.sliders import Control, FrameSlider

    def act(number: int) -> None:
        fig, ax = plt.subplots()

        def draw(beta: float) -> str:
            ax.plot(np.linspace(0, 1, 50) ** beta)
            return f"β = {beta:.2f}"

        slider = FrameSlider(fig, draw, [Control("β", list(np.linspace(0.1, 2, 40)))])
        slider.draw_all()
        if len(slider.pictures.children) != 40:
            raise ValueError("pictures are missing")
        animate.main()

    return act


def store() -> Act:
    """Four notebooks, without running them: the writing is what is looked at."""
    import store_notebooks

    def act(number: int) -> None:
        lessons = [str(path) for path in store_notebooks.course() if path.name[:2] in ("01", "02", "03", "07")]
        sys.exit(store_notebooks.main(lessons))

    # Without a run there are no new widgets, and their names stay.
    vars(store_notebooks).update(run=lambda *_: None, normalise=lambda *_: None)
    return act


def exchange() -> Act:
    """A build whose Sphinx is quick: the exchange is what is looked at."""
    sys.path.insert(0, str(HERE / "docs"))
    from book import command

    def quick(root: Path, work: Path, builder: str, where: object) -> None:
        shutil.rmtree(work / builder, ignore_errors=True)
        (work / builder).mkdir(parents=True)
        for page in range(SITE_FILES):
            (work / builder / f"{page}.html").write_text(f"new {page}", encoding="utf-8")

    vars(command).update(sphinx=quick, assemble=lambda *_: [])
    return lambda number: sys.exit(command.main([], HERE))


# For each request a process ------------------------------------------------------------------------


def forked(act: Act, number: int, pipe: int, words: int) -> int:
    """The process that does it; its words go to one descriptor, its announcements to the other."""
    if pid := os.fork():
        return pid
    os.setsid()
    os.chdir(HERE)
    os.dup2(words, 1)
    os.dup2(words, 2)
    code = 1
    try:
        announce(pipe)
        act(number)
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def answer(act: Act, channel: socket.socket) -> None:
    """A number and two descriptors ask for a process, and get its pid; a pid alone asks for its end, and gets its code."""
    while True:
        message, fds, *_ = socket.recv_fds(channel, 100, 2)
        if not message:
            return
        if fds:
            reply = forked(act, int(message), *fds)
            for fd in fds:
                os.close(fd)
        else:
            reply = os.waitstatus_to_exitcode(os.waitpid(int(message), 0)[1])
        channel.send(str(reply).encode())


if __name__ == "__main__":
    work = {each.__name__: each for each in (progress, download, training, frames, store, exchange)}
    channel = socket.socket(fileno=int(sys.argv[2]))
    act = work[sys.argv[1]]()
    channel.send(READY)
    answer(act, channel)
