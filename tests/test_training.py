"""Training repeats itself, keeps its history, and can be interrupted."""

import math
import os
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial

import psutil
import pytest
import torch

from vae_lessons import training
from vae_lessons.data import digits
from vae_lessons.model import StackedLinear, reference_vae
from vae_lessons.objective import Loss, gaussian_elbo, negative_elbo
from vae_lessons.stacks import stack_models
from vae_lessons.training import Diverged, History, fit, useful_threads

X = digits().x


SHORT = {"epochs": 2, "progress": False}


def fresh(seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    return reference_vae()


def small_stack(*seeds: int) -> torch.nn.Module:
    return stack_models(lambda layer: reference_vae(n_hidden=5, layer=layer), seeds)


def test_same_seed_same_weights_other_seed_other_weights():
    models = [fresh(), fresh(), fresh()]
    for model, seed in zip(models, (5, 5, 6)):
        torch.rand(seed)  # the global generator's state must not matter
        fit(model, X[:200], negative_elbo(), seed=seed, **SHORT)
    first, second, third = (torch.cat([w.flatten() for w in model.parameters()]) for model in models)
    assert torch.equal(first, second) and not torch.equal(first, third)


def test_history_holds_every_term_and_rises():
    history = fit(fresh(), X, negative_elbo(0.05), epochs=5, progress=False)
    assert (tuple(history.loss.shape), tuple(history.kl.shape)) == ((5,), (5, 8))
    torch.testing.assert_close(history.elbo, history.log_likelihood - history.kl.sum(1))
    torch.testing.assert_close(history.loss, -history.elbo)
    assert history.elbo[-1] > history.elbo[0] + 5 and not history.interrupted


def test_history_weighs_the_short_last_batch_as_a_short_one():
    model = fresh()
    history = fit(model, X[:100], negative_elbo(), epochs=1, batch_size=99, lr=1e-12, progress=False, seed=3)
    generator = torch.Generator().manual_seed(3)
    order = torch.randperm(100, generator=generator)
    with torch.no_grad():
        parts = [gaussian_elbo(model(X[rows], generator=generator), X[rows], 0.5).elbo for rows in order.split(99)]
    torch.testing.assert_close(history.elbo[0], torch.cat(parts).mean())


@pytest.mark.parametrize("steps", [0, 3, 9])
def test_an_interrupt_keeps_what_was_learned(steps):
    """Each epoch of 128 images has 2 steps; the interrupt comes as Ctrl-C would, in the middle of a step."""
    model, calls = fresh(), iter(range(100))
    before = model.head_mu.weight.detach().clone()

    def loss(output, x):
        if next(calls) == steps:
            signal.raise_signal(signal.SIGINT)
        return negative_elbo()(output, x)

    history = fit(model, X[:128], loss, epochs=50, progress=False)
    assert history.interrupted and len(history.loss) == (steps + 1) // 2  # the step it came in is finished
    assert not torch.equal(model.head_mu.weight, before) and next(calls) == steps + 1


def lines_until(moment: float, act: Callable[[], None]) -> Callable:
    """A tracer that calls `act` at line number `moment` of the parts of `fit`, which it counts."""
    passed = iter(range(10**9))

    def trace(frame, event, argument):
        if frame.f_code.co_filename != training.__file__ or frame.f_code.co_name == "fit":
            return None
        if event == "line" and next(passed) == moment:
            act()
        return trace

    trace.passed = passed
    return trace


def test_an_interrupt_at_any_line_of_a_step_keeps_what_was_learned():
    def run(moment: float) -> tuple[History, int]:
        tracer = lines_until(moment, lambda: signal.raise_signal(signal.SIGINT))
        sys.settrace(tracer)
        try:
            history = fit(fresh(), X[:128], negative_elbo(), epochs=3, progress=False)
        finally:
            sys.settrace(None)
        return history, next(tracer.passed)

    whole, n_lines = run(math.inf)
    for moment in range(0, n_lines, 7):
        history, _ = run(moment)
        assert torch.equal(history.loss, whole.loss[: len(history.loss)]), moment
        assert history.interrupted or len(history.loss) == 3


def test_a_real_ctrl_c_stops_a_long_training():
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
    history = fit(fresh(), X, negative_elbo(), epochs=100_000, progress=False)
    assert history.interrupted and 0 < len(history.loss) < 100_000


def test_the_number_of_threads_is_given_back():
    before = torch.get_num_threads()
    fit(fresh(), X[:64], negative_elbo(), **SHORT)
    assert torch.get_num_threads() == before


MODELS = {
    "small": reference_vae,
    "large": partial(reference_vae, 784, 20, 400),
    "stack": partial(reference_vae, layer=partial(StackedLinear, 2)),
}


@pytest.mark.parametrize(
    ("busy", "model", "expected"),
    [(0.1, "stack", 4), (0.1, "large", 4), (0.1, "small", 1), (3.9, "stack", 1), (3.9, "large", 1)],
)
def test_threads_are_used_for_a_stack_or_a_large_model_on_an_idle_machine_only(monkeypatch, busy, model, expected):
    """The load average stands at 4, as after a sweep of our own: what counts is what others do now."""
    monkeypatch.setattr(os, "getloadavg", lambda: (4.0, 4.0, 4.0))
    monkeypatch.setattr(psutil, "cpu_count", lambda: 4)
    monkeypatch.setattr(psutil, "cpu_percent", lambda interval: 100 * busy / 4)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    assert useful_threads(MODELS[model]()) == expected


def failing(*models: int, calls: range) -> Loss:
    """The ELBO's loss, except that it is infinite for some models of a stack at some calls."""
    number = iter(range(10_000))

    def loss(output, images):
        value, terms = negative_elbo()(output, images)
        if next(number) in calls:
            value = value.clone()
            value[list(models)] = torch.inf
        return value, terms

    return loss


def test_a_divergence_keeps_the_history_and_names_the_place_and_the_remedy():
    def loss(output, images):
        return (torch.full((), torch.nan, requires_grad=True), negative_elbo()(output, images)[1])

    with pytest.raises(Diverged, match=r"^the loss became nan in epoch 3, step 5: .* smaller lr, now 0.001") as caught:
        fit(fresh(), X[:128], [negative_elbo(), negative_elbo(), loss], progress=False)
    expected = fit(fresh(), X[:128], negative_elbo(), epochs=2, progress=False)
    assert torch.equal(caught.value.history.loss, expected.loss)


@pytest.mark.parametrize("lr", [1e3, 1e9, 1e30])
def test_steps_that_are_too_large_are_said_to_be(lr):
    with pytest.raises(Diverged, match="smaller lr"):
        fit(fresh(), X, negative_elbo(0.01), lr=lr, progress=False)


def test_weights_that_diverged_before_are_told_apart_from_large_steps():
    model = fresh()
    torch.nn.init.constant_(model.head_mu.weight, torch.nan)
    with pytest.raises(Diverged, match="output became NaN or infinite in epoch 1, step 1: check the model's first"):
        fit(model, X, negative_elbo(), progress=False)


def test_one_model_of_a_stack_diverges_and_the_others_go_on():
    whole, spoiled = (small_stack(0, 1, 2) for _ in range(2))
    expected = fit(whole, X[:128], negative_elbo(), epochs=4, progress=False)
    with pytest.warns(RuntimeWarning, match=r"of the 3 models these diverged: number 1 \(epoch 2\)"):
        history = fit(spoiled, X[:128], failing(1, calls=range(3, 4)), epochs=4, progress=False)
    assert torch.equal(history.loss[:, [0, 2]], expected.loss[:, [0, 2]])
    assert torch.equal(history.kl[:1, 1], expected.kl[:1, 1])
    assert all(values[1:, 1].isnan().all() for values in history[:3])  # also where its loss was finite again
    for ours, theirs in zip(spoiled.parameters(), whole.parameters(), strict=True):
        assert torch.equal(ours[[0, 2]], theirs[[0, 2]]) and ours[1].isnan().all()


def test_outputs_that_overflow_do_not_stop_the_others():
    """A loss would refuse them with a ValueError, for the whole stack."""
    stack = small_stack(0, 1)
    with torch.no_grad():
        stack.head_mu.weight[0] = 1e30
    with pytest.warns(RuntimeWarning, match=r"number 0 \(epoch 1\)"):
        history = fit(stack, X[:128], negative_elbo(), **SHORT)
    assert history.loss[:, 0].isnan().all() and history.loss[:, 1].isfinite().all()


def test_a_stack_of_which_nothing_is_left_diverges():
    stack = small_stack(0, 1)
    with pytest.raises(Diverged, match="the loss became inf in epoch 2") as caught:
        fit(stack, X[:128], failing(0, 1, calls=range(2, 99)), epochs=4, progress=False)
    assert caught.value.history.loss.shape == (1, 2)


def test_each_epoch_uses_its_loss_and_the_last_serves_the_rest():
    seen = []

    def numbered(number: int):
        def loss(output, images):
            seen.append(number)
            return negative_elbo(0.3)(output, images)

        return loss

    fit(fresh(), X[:128], [numbered(0), numbered(1)], epochs=4, batch_size=128, progress=False)
    assert seen == [0, 1, 1, 1]


def test_a_list_of_one_loss_is_that_loss():
    alone, listed = fresh(), fresh()
    fit(alone, X[:128], negative_elbo(0.3), epochs=2, progress=False)
    fit(listed, X[:128], [negative_elbo(0.3)], epochs=2, progress=False)
    assert all(torch.equal(a, b) for a, b in zip(alone.parameters(), listed.parameters()))


BAD = {
    "no epochs": (lambda: fit(fresh(), X, negative_elbo(), epochs=0), ValueError, "epochs must be at least 1, got 0"),
    "negative lr": (lambda: fit(fresh(), X, negative_elbo(), lr=-1.0), ValueError, "lr must be positive, got -1"),
    "one image": (lambda: fit(fresh(), X[0], negative_elbo()), ValueError, r"x must have shape \(B, 64\)"),
    "no losses": (lambda: fit(fresh(), X, []), ValueError, "loss must be a loss or a list"),
}


@pytest.mark.parametrize(("call", "error", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
