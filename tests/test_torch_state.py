"""What is borrowed from the process is given back: torch's generator, its threads, and Ctrl-C."""

import signal
import threading
from contextlib import suppress

import torch

from vae_lessons.torch_state import interrupts_between_steps, seeded, threads


def test_what_is_drawn_within_depends_on_the_seed_alone_and_nothing_outside_on_what_was_drawn():
    before = torch.get_rng_state()
    drawn = []
    for seed in (3, 3, 4):
        torch.rand(seed)
        left = torch.get_rng_state()
        with seeded(seed):
            drawn.append(torch.rand(2).tolist())
        assert torch.equal(torch.get_rng_state(), left)
    assert drawn[0] == drawn[1] == torch.rand(2, generator=torch.Generator().manual_seed(3)).tolist() != drawn[2]
    assert not torch.equal(torch.get_rng_state(), before)


def test_the_generator_is_given_back_after_an_error():
    before = torch.get_rng_state()
    with suppress(ZeroDivisionError), seeded(3):
        torch.rand(1)
        raise ZeroDivisionError
    assert torch.equal(torch.get_rng_state(), before)


def test_another_thread_waits_for_its_turn_to_draw():
    turn, drawn = threading.Event(), []

    def draw() -> None:
        turn.set()
        with seeded(1):
            drawn.append(torch.rand(1).item())

    other = threading.Thread(target=draw)
    with seeded(0):
        with seeded(0):  # one may draw within another
            pass
        other.start()
        assert turn.wait(10)
        other.join(0.05)
        assert other.is_alive() and not drawn
    other.join(10)
    assert drawn == [torch.rand(1, generator=torch.Generator().manual_seed(1)).item()]


def test_the_number_of_threads_is_the_one_asked_for_and_given_back_after_an_error(monkeypatch):
    """Told by what torch is asked for: where the tests of mutants fork, more threads than one would hang."""
    asked = [4]
    monkeypatch.setattr(torch, "get_num_threads", lambda: asked[-1])
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    with suppress(ZeroDivisionError), threads(3):
        asked.append(2)  # by whoever
        raise ZeroDivisionError
    assert asked == [4, 3, 2, 4]


def ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


def test_ctrl_c_waits_until_the_step_is_over():
    steps = []
    with suppress(KeyboardInterrupt), interrupts_between_steps() as check:
        check()
        ctrl_c()
        steps.append("finished")
        check()
        steps.append("begun")
    assert steps == ["finished"]


def test_a_second_ctrl_c_does_not_wait():
    steps = []
    with suppress(KeyboardInterrupt), interrupts_between_steps():
        ctrl_c()
        steps.append("finished")
        ctrl_c()
        steps.append("another")
    assert steps == ["finished"]


def test_ctrl_c_after_the_last_step_finds_the_work_done():
    with interrupts_between_steps() as check:
        check()
        ctrl_c()


def test_ctrl_c_is_python_s_own_again_afterwards_and_after_an_error():
    before = signal.getsignal(signal.SIGINT)
    with suppress(ZeroDivisionError), interrupts_between_steps():
        assert signal.getsignal(signal.SIGINT) is not before
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGINT) is before


def test_outside_the_main_thread_ctrl_c_is_left_as_it_is():
    """Python lets no other thread say what it does."""
    before, seen = signal.getsignal(signal.SIGINT), []

    def work() -> None:
        with interrupts_between_steps() as check:
            check()
            seen.append(signal.getsignal(signal.SIGINT))

    worker = threading.Thread(target=work)
    worker.start()
    worker.join(10)
    assert seen == [before]
