"""The parts of the checker by themselves: comparing, calling, judging, word for word, on exercises made for it.

`test_exercises` has the course's own exercises, and what learners write.
"""

import math
import signal
import threading
import time
from contextlib import suppress
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from vae_lessons.exercises import calling
from vae_lessons.exercises.calling import Outcome, TooLong, borrowed_luck, outcome, outcomes, plain, time_limit
from vae_lessons.exercises.comparing import (
    alike,
    close,
    difference_in_kind,
    first_difference,
    is_number,
    same_gradients,
)
from vae_lessons.exercises.judging import NO_NOISE, OTHER_NOISE, UNCHANGED, Status, is_untouched, judge
from vae_lessons.exercises.source import Case, Exercise, Lesson, Mistake, run

ONE = torch.ones(2)

# Comparing -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "wanted", "message"),
    [
        (ONE, ONE, None),
        (
            ONE.double(),
            ONE,
            "it returned torch.float64 where torch.float32 is wanted: a dtype should come from the input.",
        ),
        (ONE[:1], ONE, "it returned a tensor of shape (1,) where a tensor of shape (2,) is wanted."),
        (np.ones(2), ONE, "it returned a NumPy array where a tensor of shape (2,) is wanted."),
        (np.ones(2), np.ones(3), None),
        (ONE, np.ones(2), "it returned a tensor of shape (2,) where a NumPy array is wanted."),
        (1, 2.0, None),
        (torch.tensor(1), 2.0, None),
        ("1", 2.0, "it returned a word in quotes where a number is wanted."),
        (ONE, 2.0, "it returned a tensor of shape (2,) where a number is wanted."),
        ("a", "b", None),
        ([1.0, ONE], (1.0, ONE), None),
        ((1.0,), (1.0, 2.0), "it returned a tuple of 1 where a tuple of 2 is wanted."),
        (ONE, (1.0, 2.0), "it returned a tensor of shape (2,) where a tuple of 2 is wanted."),
        ((1.0, "a"), (1.0, 2.0), "part 2 of what it returned is a word in quotes where a number is wanted."),
        (("a", "a"), (1.0, 2.0), "part 1 of what it returned is a word in quotes where a number is wanted."),
    ],
)
def test_another_kind_is_told_in_words(given, wanted, message):
    assert difference_in_kind(given, wanted) == message


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, True),
        (True, True),
        (Fraction(1, 3), True),
        (np.float32(1), True),
        (torch.tensor(1), True),
        (torch.tensor(True), True),
        (np.array(1.0), True),
        (np.array(1, dtype=np.uint8), True),
        (ONE, False),
        (np.ones(1), False),
        (torch.tensor(1j), False),
        (np.array("a"), False),
        ("1", False),
        (1j, False),
        (None, False),
    ],
)
def test_what_is_one_real_number(value, expected):
    assert is_number(value) is expected


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        (1.0, 1.00019, True),  # plain numbers, of whichever precision
        (1.0, 1.00021, False),
        (0.0, 0.9e-7, True),
        (0.0, 1.1e-7, False),
        (ONE, ONE * 1.00019, True),  # single precision
        (ONE, ONE * 1.00025, False),
        (ONE * 0, ONE * 1.9e-5, True),
        (ONE * 0, ONE * 2.1e-5, False),
        (ONE.double(), ONE.double() * (1 + 0.9e-6), True),  # double precision
        (ONE.double(), ONE.double() * (1 + 1.1e-6), False),
        (ONE.double() * 0, ONE.double() * 0.9e-8, True),
        (ONE.double() * 0, ONE.double() * 1.1e-8, False),
        (ONE.double(), ONE * 1.00019, True),  # one of each is single
        (ONE * 1.00019, ONE.double(), True),
        (10_000, 10_001, False),  # counted
        (10_000.0, 10_001, False),
        (1, 1, True),
        (10_000, 10_001.0, True),
        (Fraction(1, 3), 1 / 3, True),
        (ONE, ONE[:1], False),
        (ONE, 1.0, False),
        (torch.tensor(1.0), 1.0, True),
        (ONE, np.ones(2), True),
        (torch.tensor(math.nan), math.nan, True),
        (math.nan, 1.0, False),
        ((1.0, ONE), [1.0, ONE], True),
        ((1.0,), (1.0, 1.0), False),
        ((1.0, 1.0), (1.0, 2.0), False),
        ((1.0,), 1.0, False),
        ("a", "a", True),
        ("a", "b", False),
        (None, None, True),
        (None, "a", False),
        (1.0, None, False),
        ("1.0", 1.0, False),
        (1j, 1j, False),  # cannot be compared
        (torch.tensor(1j), torch.tensor(1j), False),
        (torch.tensor([1j]), ONE[:1], False),
        (ONE[:1], torch.tensor([1j]), False),
    ],
)
def test_the_same_up_to_what_rounding_leaves(one, two, expected):
    assert bool(close(one, two)) is expected


@pytest.mark.parametrize(
    ("given", "wanted", "message"),
    [
        (ONE, ONE, None),
        (2.0, 1.0, "it returned 2 where 1 is right."),
        ((1.0, 2.0, 3.0), (1.0, 1.0, 1.0), "part 2 is 2 where 1 is right."),
        (
            torch.ones(12),
            torch.zeros(12),
            f"it returned [{', '.join('1' * 12)}] where [{', '.join('0' * 12)}] is right.",
        ),
        (torch.eye(13)[2], torch.zeros(13), "entry [2] of what it returned is 1 where 0 is right."),
        ((torch.eye(13)[2],), (torch.zeros(13),), "entry [2] of part 1 is 1 where 0 is right."),
        (torch.eye(13)[2] > 0, torch.zeros(13) > 0, "entry [2] of what it returned is 1 where 0 is right."),
    ],
)
def test_the_first_difference_is_the_one_that_is_told(given, wanted, message):
    assert first_difference(given, wanted) == message


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ((), (), True),
        ((ONE,), (), False),
        ((ONE,), (ONE,), True),
        ((ONE,), (ONE * 2,), False),
        ((None,), (None,), True),
        ((None,), (ONE,), False),
        ((ONE,), (None,), False),
        ((ONE, None), (ONE, ONE), False),
    ],
)
def test_gradients_are_the_same_where_each_is(one, two, expected):
    assert bool(same_gradients(one, two)) is expected


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        (Outcome(1.0), Outcome(1.0), True),
        (Outcome(1.0), Outcome(2.0), False),
        (Outcome(1.0), Outcome(error=ValueError()), False),
        (Outcome(error=ValueError()), Outcome(1.0), False),
        (Outcome(None), Outcome(error=ValueError()), False),
        (Outcome(error=ValueError()), Outcome(None), False),
        (Outcome(error=ValueError("a")), Outcome(error=ValueError("b")), True),
        (Outcome(error=ValueError()), Outcome(error=TypeError()), False),
        (Outcome(1.0, changed=True), Outcome(1.0), False),
        (Outcome(1.0, moved=True), Outcome(1.0), False),
        (Outcome(ONE), Outcome(ONE.double()), False),
        (Outcome(torch.tensor(1.0).double()), Outcome(1.0), True),
        (Outcome(1.0, (ONE,)), Outcome(1.0, (ONE * 2,)), False),
        (Outcome(1.0, (ONE,)), Outcome(1.0, (ONE,)), True),
    ],
)
def test_two_calls_are_alike_if_everything_about_them_is(one, two, expected):
    assert bool(alike(one, two)) is expected


# Calling ---------------------------------------------------------------------------------------


def test_a_call_gets_arguments_of_its_own():
    given = ONE.clone().requires_grad_(), np.ones(2), torch.Generator().manual_seed(3), nn.Linear(2, 2), [1]
    got = []
    outcome(lambda *args: got.extend(args), Case("one", given))
    for mine, theirs in zip(given, got):
        assert mine is not theirs and type(mine) is type(theirs)
    assert got[0].requires_grad and got[0].is_leaf and torch.equal(got[0], given[0])
    assert torch.equal(got[2].get_state(), given[2].get_state())
    assert torch.equal(got[3].weight, given[3].weight)
    doubled = partial(torch.mul, 2)
    assert outcome(lambda f: f is doubled, Case("a function", (doubled,))).value is True
    assert outcome(lambda x: x.requires_grad, Case("a constant", (ONE,))).value is False


@pytest.mark.parametrize(
    ("function", "args", "changed", "moved"),
    [
        (lambda x: x + 1, (ONE,), False, False),
        (lambda x: x.add_(1), (ONE,), True, False),
        (lambda x: x.__setitem__(0, 9), (np.ones(2),), True, False),
        (lambda x, y: y.add_(1), (ONE, ONE), True, False),
        (lambda x: None, (ONE * math.nan,), False, False),
        (lambda x: None, (ONE.bfloat16(),), False, False),
        (lambda g: torch.randn(1, generator=g), (torch.Generator(),), False, True),
        (lambda f, g: torch.randn(1, generator=g), (torch.Generator(), torch.Generator()), False, True),
        (lambda g: None, (torch.Generator(),), False, False),
        (lambda x: x.append(1), ([1],), False, False),  # only numbers are looked at
    ],
)
def test_what_became_of_the_arguments(function, args, changed, moved):
    done = outcome(function, Case("one", args))
    assert (done.changed, done.moved, done.error) == (changed, moved, None)


@pytest.mark.parametrize(
    ("function", "gradients"),
    [
        (lambda x, y: x * 3, [[3, 3], None]),
        (lambda x, y: x * y, [[2, 2], [1, 1]]),
        (lambda x, y: x.detach(), []),
        (lambda x, y: 1.0, []),
    ],
)
def test_gradients_are_those_of_the_sum(function, gradients):
    args = ONE.clone().requires_grad_(), (2 * ONE).requires_grad_()
    done = outcome(function, Case("one", args))
    assert [None if each is None else each.tolist() for each in done.gradients] == gradients and done.error is None


def test_where_no_gradient_is_asked_for_there_is_none():
    done = outcome(lambda x: 3 * x * nn.Parameter(ONE), Case("one", (ONE,)))
    assert done.value.tolist() == [3, 3] and done.gradients == () and done.error is None


@pytest.mark.parametrize("error", [ValueError("a"), SystemExit()])
def test_an_error_is_an_outcome_and_leaves_no_value(error):
    def raises(x):
        raise error

    assert outcome(raises, Case("one", (ONE,))) == Outcome(error=error)


def test_a_value_without_a_gradient_that_exists_has_none():
    """What cannot be differentiated is an error of the call: the value is not kept."""
    done = outcome(lambda x: x * 1j, Case("complex", (ONE.clone().requires_grad_(),)))
    assert isinstance(done.error, RuntimeError) and done.value is None


def test_every_call_has_the_same_luck_and_another_one_if_asked():
    draw = Case("none", ())
    assert outcome(lambda: torch.rand(1).item(), draw).value == outcome(lambda: torch.rand(1).item(), draw).value
    numbers = [outcome(lambda: (torch.rand(1).item(), np.random.rand()), draw, luck).value for luck in (1, 1, 2)]  # noqa: NPY002
    assert numbers[0] == numbers[1] and not set(numbers[0]) & set(numbers[2])
    two = outcomes(lambda: torch.rand(1).item(), [draw, draw], luck=1)
    assert [done.value for done in two] == [numbers[0][0]] * 2
    default = outcomes(lambda: torch.rand(1).item(), [draw])[0].value
    assert default == outcome(lambda: torch.rand(1).item(), draw).value != numbers[0][0]


def test_borrowed_luck_is_given_back_after_an_error_too():
    def state():
        return torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), np.random.get_state()[2]  # noqa: NPY002

    before = state()
    with suppress(ValueError), borrowed_luck():
        outcome(lambda: (torch.rand(1), np.random.rand()), Case("none", ()))  # noqa: NPY002
        assert state() != before
        raise ValueError
    assert state() == before


def test_after_an_endless_loop_no_other_call_is_made(monkeypatch):
    monkeypatch.setattr(calling, "TIME_LIMIT", 0.1)
    calls = []

    def loops(x):
        calls.append(x)
        while len(calls) > 1:
            pass
        return x

    done = outcomes(loops, [Case("one", (1,)), Case("two", (2,)), Case("three", (3,))])
    assert done[0] == Outcome(1) and type(done[1].error) is TooLong and len(done) == len(calls) == 2


@pytest.mark.parametrize("delay", [0, 0.2])
def test_the_limit_holds_also_where_interrupts_are_ignored(monkeypatch, delay):
    """As in a process that a shell started in the background; they are ignored again afterwards.

    Also where a busy machine comes to the first line only when the time is over.
    """
    starts = threading.Timer.start
    monkeypatch.setattr(threading.Timer, "start", lambda timer: (starts(timer), time.sleep(delay)))

    @time_limit(0.1)
    def takes_five_seconds():
        for _ in range(100):
            time.sleep(0.05)

    heard = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(TooLong):
            takes_five_seconds()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, heard)


def timers() -> list[threading.Timer]:
    return [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]


def test_a_limit_that_is_kept_leaves_no_timer_behind():
    for earlier in timers():
        earlier.join(1)  # those of the tests before were told to end
    with time_limit(60):
        [timer] = timers()
        assert timer.daemon
    timer.join(1)
    assert not timer.is_alive()


def test_an_interrupt_of_ones_own_is_no_limit():
    with pytest.raises(KeyboardInterrupt), time_limit(60):
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (ONE.bfloat16(), [1, 1]),
        (ONE.clone().requires_grad_(), [1, 1]),
        (torch.tensor([1j]).conj(), [-1j]),
        (torch.tensor([1j]).conj().imag, [-1]),
    ],
)
def test_any_tensor_is_plain(value, expected):
    assert plain(value).tolist() == expected and plain("a") == "a"


# Judging ---------------------------------------------------------------------------------------


LESSON = Lesson("99", "import torch\n", ())


def exercise(**parts) -> Exercise:
    """An exercise that asks for a function f(x), 2x, with its calls; or what is told instead."""
    usual = {
        "name": "double",
        "title": "",
        "task": "",
        "stub": "def f(x):\n    return x",
        "answer": "f",
        "solution": "def f(x):\n    return 2 * x",
        "why": "",
        "hints": (),
        "mistakes": (Mistake("def f(x):\n    return 3 * x", "not three"),),
        "cases": lambda generator: [Case("ones", (ONE,)), Case("minus ones", (-ONE,))],
    }
    return Exercise(**(usual | parts))


def judged(code: str, **parts):
    one = exercise(**parts)
    return judge(LESSON, one, run(LESSON, one, code), seed=0)


RIGHT, WRONG, NOT_ANSWERED = Status.RIGHT, Status.WRONG, Status.NOT_ANSWERED
CALL = "This is the call:\n    f(torch.tensor([1.0, 1.0]))"
WHERE = '\nWhere it happened:\n  File "<double>", line 2, in f\nZeroDivisionError: division by zero'
NOISY = {
    "stub": "def f(x, generator):\n    ...",
    "solution": "def f(x, generator):\n    return x + torch.randn(2, generator=generator)",
    "mistakes": (),
    "cases": lambda generator: [Case("ones", (ONE, torch.Generator().manual_seed(1)))],
}


@pytest.mark.parametrize(
    ("code", "parts", "verdict"),
    [
        ("def f(x):\n    return x + x", {}, (RIGHT, "")),
        ("def f(x):\n    return x", {}, (NOT_ANSWERED, "")),
        ("def f(x):\n    return ...", {}, (NOT_ANSWERED, "")),
        ("f = ...", {}, (NOT_ANSWERED, "")),
        ("f = 3", {}, (WRONG, "`f` should be a function, and is a number.")),
        ("def f(x):\n    return x * 3", {}, (WRONG, "not three")),
        ("def f(y):\n    return y * 1", {}, (WRONG, UNCHANGED)),
        ("def f(x):\n    return x * 5", {}, (WRONG, f"On ones it returned [5, 5] where [2, 2] is right. {CALL}")),
        ("def f(x):\n    return x.abs() * 2", {}, (WRONG, "On minus ones it returned [2, 2] where [-2, -2] is right. "
         "This is the call:\n    f(torch.tensor([-1.0, -1.0]))")),
        ("def f(x):\n    x * 2", {}, (WRONG, f"On ones it returned nothing: is there a `return`? {CALL}")),
        ("def f(x):\n    return x.mul_(2)", {}, (WRONG, "On ones it changed its input in place; the caller still needs "
         f"it. Make a new tensor instead. {CALL}")),
        ("def f(x):\n    return 1 / 0", {}, (WRONG, f"On ones it raised ZeroDivisionError: division by zero. {CALL}{WHERE}")),
        ("def f(x):\n    return 1 / 0", {"mistakes": (Mistake("def f(x):\n    return x / (1 // 0)", "never by zero"),)},
         (WRONG, f"never by zero{WHERE}")),
        ("def f(x):\n    x * 2", {"stub": "def f(x):\n    pass"}, (WRONG, f"On ones it returned nothing: is there a `return`? {CALL}")),
        ("def f(x):\n    return torch.rand(1).item()", {}, (WRONG, f"On ones it returned a number where a tensor of shape (2,) is wanted. {CALL}")),
        ("def f(x):\n    return x.copy_(torch.rand(2))", {}, (WRONG, "On ones it changed its input in place; the caller still "
         f"needs it. Make a new tensor instead. {CALL}")),
        ("def f(x):\n    return 2 * x", {"solution": "def f(x):\n    return 4 * x", "alternatives": (
            "def f(x):\n    return 5 * x", "def f(x):\n    return x * 2")}, (RIGHT, "")),
        ("def f(x):\n    return torch.rand(2)", {}, (WRONG, NO_NOISE)),
        ("def f(x, generator):\n    return x + torch.randn(2)", NOISY, (WRONG, OTHER_NOISE)),
        ("def f(x, generator):\n    return x + torch.randn(2, generator=generator)", NOISY, (RIGHT, "")),
        ("def f(x, generator):\n    g = torch.Generator().set_state(generator.get_state())\n"
         "    return x + torch.randn(2, generator=g)", NOISY, (WRONG, "On ones the generator stands where it stood, so the "
         "next call would draw the same noise: draw from it, not from a copy. This is the call:\n"
         "    f(torch.tensor([1.0, 1.0]), torch.Generator().manual_seed(1))")),
    ],
)  # fmt: skip
def test_a_verdict_word_for_word(code, parts, verdict):
    assert judged(code, **parts) == verdict


def test_a_loop_that_never_ends_is_said_to_be_one(monkeypatch):
    monkeypatch.setattr(calling, "TIME_LIMIT", 0.1)
    assert judged("def f(x):\n    while True:\n        pass") == (
        WRONG,
        f"On ones it was still running after 0.1 s and was stopped: is there a loop that never ends? {CALL}",
    )


def test_a_call_that_can_be_repeated_is_shown_before_one_that_cannot():
    cases = {"cases": lambda generator: [Case("many", (torch.ones(13),)), Case("ones", (ONE,))]}
    assert judged("def f(x):\n    return 5 * x", **cases).message.startswith("On ones it returned [5, 5]")
    long = {"cases": lambda generator: [Case("many", (torch.ones(13),))]}
    assert judged("def f(x):\n    return 5 * x", **long).message == (
        "On many entry [0] of what it returned is 5 where 2 is right."
    )


def test_the_lines_before_a_call_are_shown_with_it():
    cases = {"cases": lambda generator: [Case("ones", (ONE,), "a = 1\nb = 2")]}
    assert judged("def f(x):\n    return 5 * x", **cases).message.endswith(
        "This is the call:\n    a = 1\n    b = 2\n    f(torch.tensor([1.0, 1.0]))"
    )


def test_gradients_have_to_arrive():
    cases = {"cases": lambda generator: [Case("ones", (ONE.clone().requires_grad_(),))]}
    assert judged("def f(x):\n    return 2 * x.detach()", **cases).message.startswith(
        "On ones the values are right, but the gradients are not: does something cut them (`.item()`, `.detach()`, NumPy)?"
    )
    assert judged("def f(x):\n    return x + x", **cases).status is RIGHT


FACTS = {"facts": lambda args, value: {"its sum is": value.sum().item(), "its length is": len(value)}}


def test_facts_stand_in_for_the_value():
    assert judged("def f(x):\n    return 2 * x.flip(0)", **FACTS) == (RIGHT, "")
    told = judged("def f(x):\n    return 2 * x + 1", **FACTS).message
    assert told.startswith("On ones its sum is 6.0 where 4.0 is right.")


def test_a_fact_may_be_about_value_and_arguments():
    facts = {"facts": lambda args, value: {"the sum of its ratios is": (value / args[0]).sum().item()}}
    assert judged("def f(x):\n    return x + x", **facts) == (RIGHT, "")
    told = judged("def f(x):\n    return 5 * x", **facts).message
    assert told.startswith("On ones the sum of its ratios is 10.0 where 4.0 is right.")


def test_facts_that_hold_by_chance_are_no_right_answer():
    code = "def f(x):\n    r = torch.rand(2)\n    return 4 * r / r.sum() * x"
    assert judged(code, **FACTS, cases=lambda generator: [Case("ones", (ONE,))]) == (WRONG, OTHER_NOISE)


def test_the_seed_makes_the_calls_and_none_makes_fresh_ones():
    seen = []

    def cases(generator):
        seen.append(torch.rand(1, generator=generator).item())
        return [Case("ones", (ONE,))]

    one = exercise(cases=cases)
    answer = run(LESSON, one, one.solution)
    for seed in (0, 0, 1, None, None):
        assert judge(LESSON, one, answer, seed).status is RIGHT
    assert seen[0] == seen[1] and len(set(seen)) == 4


def test_a_stub_is_known_by_what_it_does_not_by_its_comments():
    one = exercise(stub="def f(x):\n    y = [a + 1 for a in x]\n    return y")
    same = "def f(x):\n    # mine\n    y = [a + 1 for a in x]\n    return y"
    for code, untouched in (
        (same, True),
        (same.replace("1", "2"), False),
        (same.replace("y", "z"), False),
        (same.replace("a +", "a -"), False),
        (same.replace("return y", "return y, 3"), False),
        (same.replace("x", "u"), False),
        (same.replace("def f", "def g"), False),
    ):
        name = "g" if "def g" in code else "f"
        namespace: dict = {}
        exec(code, namespace)
        assert is_untouched(one, namespace[name]) is untouched, code
    assert is_untouched(one, ...) and not is_untouched(one, 3) and not is_untouched(one, len)


VALUE = {
    "cases": None,
    "stub": "a = ...",
    "answer": "a",
    "solution": "a = 200.0",
    "mistakes": (Mistake("a = 100.0", "half of it"),),
    "tolerance": 0.01,
}


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("a = 200", (RIGHT, "")),
        ("a = 201.9", (RIGHT, "")),
        ("a = 202.1", (WRONG, "Not this number: 202.1 is too large.")),
        ("a = 197.9", (WRONG, "Not this number: 197.9 is too small.")),
        ("a = ...", (NOT_ANSWERED, "")),
        ("a = -201", (WRONG, "Right but for the sign: -201 is on the wrong side of 0.")),
        ("a = 100.4", (WRONG, "half of it")),  # twice as near as a right one has to be
        ("a = 100.6", (WRONG, "Not this number: 100.6 is too small.")),
        ("a = True", (WRONG, "The answer should be a number, and is a bool.")),
        ("a = '200'", (WRONG, "The answer should be a number, and is a word in quotes.")),
        ("a = [200.0]", (WRONG, "The answer should be a number, and is a list of 1.")),
        ("a = print", (WRONG, "`a` should be a number, and is a function.")),
        ("a = {}", (WRONG, "The answer should be a number, and is a dict.")),
    ],
)
def test_a_number_is_judged_by_its_relative_error(code, verdict):
    assert judged(code, **VALUE) == verdict


WORD = VALUE | {"solution": "a = 'Beta'", "mistakes": (Mistake("a = 'alpha'", "the first"),)}


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("a = ' bEta '", (RIGHT, "")),
        ("a = 'ALPHA'", (WRONG, "the first")),
        ("a = 'c'", (WRONG, "Not this one.")),
        ("a = 3", (WRONG, "The answer should be a word in quotes, and is a number.")),
    ],
)
def test_a_word_is_judged_in_any_case(code, verdict):
    assert judged(code, **WORD) == verdict


def test_a_fraction_is_a_number():
    third = VALUE | {
        "stub": "from fractions import Fraction\na = ...",
        "solution": "from fractions import Fraction\na = Fraction(1, 3)",
    }
    assert judged("a = 0.334", **third).status is RIGHT
    assert (
        judged("from fractions import Fraction\na = Fraction(1, 2)", **third).message
        == "Not this number: 0.5 is too large."
    )


def test_zero_may_be_missed_by_rounding_alone():
    zero = VALUE | {"solution": "a = 0.0"}
    assert judged("a = 9e-10", **zero).status is RIGHT
    assert judged("a = 2e-9", **zero).message == "Not this number: 2e-09 is too large."
