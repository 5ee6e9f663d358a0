"""Training repeats itself, keeps its history, and can be interrupted."""

import os
import signal
import threading

import pytest
import torch

from vae_lessons.data import digits
from vae_lessons.model import StackedLinear, reference_vae
from vae_lessons.objective import gaussian_elbo, negative_elbo
from vae_lessons.training import fit, useful_threads

X = digits().x


SHORT = {"epochs": 2, "progress": False}


def fresh(seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    return reference_vae()


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
    assert history.interrupted and len(history.loss) == steps // 2
    assert torch.equal(model.head_mu.weight, before) == (steps == 0)


def test_a_real_ctrl_c_stops_a_long_training():
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
    history = fit(fresh(), X, negative_elbo(), epochs=100_000, progress=False)
    assert history.interrupted and 0 < len(history.loss) < 100_000


def test_the_number_of_threads_is_given_back():
    before = torch.get_num_threads()
    fit(fresh(), X[:64], negative_elbo(), **SHORT)
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(("load", "stacked", "expected"), [(0.1, True, 4), (0.1, False, 1), (3.9, True, 1)])
def test_threads_are_used_for_a_stack_on_an_idle_machine_only(monkeypatch, load, stacked, expected):
    monkeypatch.setattr(os, "getloadavg", lambda: (load, load, load))
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    model = reference_vae(layer=lambda n_in, n_out: StackedLinear(2, n_in, n_out)) if stacked else reference_vae()
    assert useful_threads(model) == expected


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
    "one image": (lambda: fit(fresh(), X[0], negative_elbo()), ValueError, r"x must have shape \(N, D\)"),
    "diverging": (
        lambda: fit(fresh(), X, negative_elbo(1e-30), lr=1e9, progress=False),
        (FloatingPointError, ValueError),
        "the loss became|must be finite",
    ),
    "no losses": (lambda: fit(fresh(), X, []), ValueError, "loss must be a loss or a list"),
}


@pytest.mark.parametrize(("call", "error", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
