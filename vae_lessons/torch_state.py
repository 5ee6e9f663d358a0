"""What is borrowed from the process and given back: torch's generator, its threads, and Ctrl-C."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

_drawing = threading.RLock()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw from torch's global generator as from a fresh one, then give it back as it was; other threads wait."""
    with _drawing, torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Let torch use n CPU threads, then give back as many as it had."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def interrupts_between_steps() -> Iterator[Callable[[], None]]:
    """Let Ctrl-C wait until a step is over, so that no step is left half done.

    Yields a function to call between steps: it raises the KeyboardInterrupt that came. One that comes after the last
    call finds the work done, and is dropped. A second Ctrl-C does not wait.
    Outside the main thread, where Python allows no such thing, nothing changes.
    """
    came: list[int] = []

    def remember(signum: int, frame: object) -> None:
        if came:
            raise KeyboardInterrupt
        came.append(signum)

    def check() -> None:
        if came:
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield check
        return
    before = signal.signal(signal.SIGINT, remember)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, before)
