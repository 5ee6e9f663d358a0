"""Calling a learner's function: on arguments of its own, for a limited time, whatever it raises."""

import _thread
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from vae_lessons.exercises.source import Case

TIME_LIMIT = 10.0  # seconds for all calls of one check
LUCK = 20_131_220  # not a seed that a learner's own code would use


class Outcome(NamedTuple):
    """What one call did: gave a value and gradients, or raised an error; what became of its inputs.

    Attributes:
        changed: whether a tensor or an array that it was given was written to.
        moved: whether a generator that it was given has been drawn from.
    """

    value: Any = None
    gradients: tuple[Tensor | None, ...] = ()
    error: BaseException | None = None
    changed: bool = False
    moved: bool = False


class TooLong(Exception):
    """The learner's function was stopped."""


def outcomes(function: Callable[..., Any], cases: Sequence[Case], luck: int = LUCK) -> list[Outcome]:
    """Call the function on every case; after an endless loop it is not called again.

    `luck` seeds the global random numbers before each call: a mistake that draws some is recognised
    by drawing the same, and that it draws any by giving it another luck. See `borrowed_luck`.
    """
    done: list[Outcome] = []
    try:
        with time_limit(TIME_LIMIT):
            for case in cases:
                done.append(outcome(function, case, luck))
    except TooLong as error:
        done.append(Outcome(error=error))
    return done


def outcome(function: Callable[..., Any], case: Case, luck: int = LUCK) -> Outcome:
    """One call, on arguments of its own, without a time limit: for the functions of the course."""
    args = [_copy(arg) for arg in case.args]
    value: Any = None
    gradients: tuple[Tensor | None, ...] = ()
    raised: BaseException | None = None
    try:
        np.random.seed(luck)  # noqa: NPY002 (learners draw from this one)
        torch.default_generator.manual_seed(luck)
        value = function(*args)
        gradients = _gradients(value, args)
    except (Exception, SystemExit) as error:
        value, raised = None, error
    return Outcome(value, gradients, raised, _was_changed(args, case.args), _has_moved(args, case.args))


@contextmanager
def borrowed_luck() -> Iterator[None]:
    """Let calls seed the global generators of NumPy and torch, then give them back as they were."""
    of_numpy, of_torch = np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(of_numpy)  # noqa: NPY002
        torch.set_rng_state(of_torch)


def _copy(arg: Any) -> Any:
    """An argument of its own for every call."""
    if isinstance(arg, Tensor):
        return arg.detach().clone().requires_grad_(arg.requires_grad)
    if isinstance(arg, torch.Generator):
        return torch.Generator().set_state(arg.get_state())
    return arg if callable(arg) and not isinstance(arg, torch.nn.Module) else deepcopy(arg)


def _gradients(value: Any, args: Sequence[Any]) -> tuple[Tensor | None, ...]:
    """Of the sum of the value with respect to the arguments that ask for it; empty if it depends on none."""
    wanted = [arg for arg in args if isinstance(arg, Tensor) and arg.requires_grad]
    if not wanted or not isinstance(value, Tensor) or not value.requires_grad:
        return ()
    return torch.autograd.grad(value.sum(), wanted, allow_unused=True)


def _was_changed(args: Sequence[Any], before: Sequence[Any]) -> bool:
    """Whether a tensor or an array was written to."""
    pairs = [(one, two) for one, two in zip(args, before) if isinstance(one, Tensor | np.ndarray)]
    return any(not np.array_equal(plain(one), plain(two), equal_nan=True) for one, two in pairs)


def _has_moved(args: Sequence[Any], before: Sequence[Any]) -> bool:
    """Whether noise was drawn from a generator."""
    pairs = [(one, two) for one, two in zip(args, before) if isinstance(one, torch.Generator)]
    return any(not torch.equal(one.get_state(), two.get_state()) for one, two in pairs)


def plain(value: Any) -> Any:
    """A tensor as an array; anything else as it is."""
    if not isinstance(value, Tensor):
        return value
    value = value.detach().cpu().resolve_conj().resolve_neg()
    return (value.float() if value.dtype == torch.bfloat16 else value).numpy()  # NumPy has no bfloat16


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Stop what runs in the main thread after some seconds, as Jupyter's stop button does.

    Raises:
        TooLong: it was stopped. A learner's own interrupt passes as it is.
    """
    expired = threading.Event()

    def interrupt() -> None:
        expired.set()
        _thread.interrupt_main()

    timer = threading.Timer(seconds, interrupt)
    timer.daemon = True
    try:
        with _hearing_interrupts():
            timer.start()  # within: an interrupt that comes before it is heard is lost
            yield
    except KeyboardInterrupt:
        if not expired.is_set():
            raise
        raise TooLong from None
    finally:
        timer.cancel()


@contextmanager
def _hearing_interrupts() -> Iterator[None]:
    """What a shell started in the background ignores interrupts, also those of its own timer: here it does not."""
    is_deaf = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if is_deaf:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        if is_deaf:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
