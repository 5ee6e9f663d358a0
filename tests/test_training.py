"""Training repeats itself, keeps its history, and can be interrupted."""

import math
import os
import re
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial

import psutil
import pytest
import torch

from vae_lessons import checks, training
from vae_lessons.data import digits
from vae_lessons.model import Output, StackedLinear, reference_vae
from vae_lessons.objective import Loss, gaussian_elbo, negative_elbo
from vae_lessons.stacks import stack_models
from vae_lessons.training import Diverged, History, fit, gradient_step, shuffled, useful_threads

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
    assert history.elbo[-1] > history.elbo[0] + 5 and history.interrupted is False


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
    assert torch.equal(caught.value.history.loss, expected.loss) and caught.value.history.interrupted is False


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
        stack.head_mu.weight[0] = 3e38  # so that mu is infinite
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


def test_fit_is_told_nothing_and_trains_as_its_signature_says():
    untold, told = fresh(), fresh()
    history = fit(untold, X[:70], negative_elbo())
    expected = fit(told, X[:70], negative_elbo(), epochs=40, batch_size=64, lr=1e-3, seed=0, progress=False)
    assert len(history.loss) == 40 and torch.equal(history.loss, expected.loss)


def test_progress_counts_epochs_and_can_be_turned_off(capsys):
    fit(fresh(), X[:64], negative_elbo(), epochs=2)
    assert re.search(r"2 epochs .*00:00 < 00:00", capsys.readouterr().err)
    fit(fresh(), X[:64], negative_elbo(), epochs=2, progress=False)
    assert capsys.readouterr().err == ""


def test_the_first_epoch_looks_at_every_image_and_the_later_ones_trust_it():
    seen = []

    def loss(output, images):
        seen.append(checks._entries_known.get())
        return negative_elbo()(output, images)

    fit(fresh(), X[:64], loss, epochs=3, progress=False)
    assert seen == [False, True, True] and not checks._entries_known.get()


def test_a_step_is_that_of_the_optimizer_on_this_loss_with_this_noise():
    ours, theirs = fresh(), fresh()
    optimizers = [torch.optim.SGD(model.parameters(), lr=0.1) for model in (ours, theirs)]
    for _ in range(2):  # the second must not see the gradients of the first
        value, terms = gradient_step(ours, X[:9], negative_elbo(), optimizers[0], torch.Generator().manual_seed(3))
        expected = negative_elbo()(theirs(X[:9], generator=torch.Generator().manual_seed(3)), X[:9])
        optimizers[1].zero_grad()
        expected[0].backward()
        optimizers[1].step()
        assert torch.equal(value, expected[0]) and torch.equal(terms.kl, expected[1].kl)
        assert torch.equal(terms.log_likelihood, expected[1].log_likelihood)
        assert not (value.requires_grad or terms.kl.requires_grad or terms.log_likelihood.requires_grad)
    assert all(map(torch.equal, ours.parameters(), theirs.parameters()))


@pytest.mark.parametrize(
    ("mu", "log_sigma", "x_hat", "overflows"),
    [
        (1.2e19, math.log(1.2e19), 0.0, True),  # each alone has a square, their sum has none
        (1.2e19, 0.0, 1.2e19, True),
        (0.0, math.log(1.2e19), 1.2e19, True),
        (1.2e19, 0.0, 0.0, False),
        (1e15, 0.0, 1e15, False),
        (math.nan, 0.0, 0.0, True),
        (0.0, math.nan, 0.0, True),
        (0.0, 0.0, math.nan, True),
    ],
)
def test_a_pass_overflows_where_the_square_of_its_largest_deviation_does(mu, log_sigma, x_hat, overflows):
    def pass_with(*values: float) -> Output:
        mu, log_sigma, x_hat = (torch.zeros(2, 3, 1).index_fill_(0, torch.tensor([1]), value) for value in values)
        for value in (mu, log_sigma, x_hat):
            value[1, 1:] = 0  # in one row of the second model alone
        return output_of(mu, log_sigma, x_hat)

    assert training._overflows(pass_with(mu, log_sigma, x_hat)).tolist() == [False, overflows]


def output_of(mu: torch.Tensor, log_sigma: torch.Tensor, x_hat: torch.Tensor) -> Output:
    named = {"mu": mu, "log_sigma": log_sigma, "x_hat": x_hat}
    return Output(**{name: named.get(name, torch.zeros_like(mu)) for name in Output._fields})


@pytest.mark.parametrize(("taken", "expected"), [(0, "step 1: check"), (1, "step 2: the steps are too large")])
def test_the_likely_cause_counts_the_steps_that_were_taken(taken, expected):
    model = fresh()
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(taken):
        gradient_step(model, X[:9], negative_elbo(), optimizer, torch.Generator())
    assert training._likely_cause(optimizer).startswith(expected)


def test_what_diverged_is_told_word_for_word():
    stack = small_stack(0, 1, 2)
    with pytest.warns(RuntimeWarning) as caught:
        fit(stack, X[:128], failing(0, 2, calls=range(3, 4)), epochs=4, progress=False)
    assert str(caught[0].message) == (
        "of the 3 models these diverged: number 0 (epoch 2), 2 (epoch 2), at lr = 0.001; try a smaller lr"
    )
    assert len(caught) == 1


def test_what_diverged_is_told_at_the_line_that_called_fit():
    """By itself, since mutmut puts frames of its own between."""
    with pytest.warns(RuntimeWarning) as caught:
        fit(small_stack(0, 1), X[:64], failing(0, calls=range(1)), epochs=1, progress=False)
    assert caught[0].filename == __file__


def test_an_error_of_the_loss_itself_passes():
    def refuses(output, images):
        raise ValueError("no such pixels")

    with pytest.raises(ValueError, match=r"^no such pixels$"):
        fit(small_stack(0, 1), X[:64], refuses, progress=False)


def test_a_loss_that_refuses_and_one_that_is_infinite_lose_two_models_at_once():
    """The first model's output overflows, which the loss refuses; of the others it makes one infinite."""
    stack = small_stack(0, 1, 2)
    with torch.no_grad():
        stack.head_mu.weight[0] = 3e38  # so that mu is infinite
    with pytest.warns(RuntimeWarning, match=r"number 0 \(epoch 1\), 2 \(epoch 1\)"):
        history = fit(stack, X[:64], failing(2, calls=range(1)), epochs=1, progress=False)
    assert history.loss[0].isnan().tolist() == [True, False, True]


def test_a_gradient_step_of_a_stack_marks_the_lost_model_alone():
    stack = small_stack(0, 1)
    optimizer = torch.optim.Adam(stack.parameters())
    value, terms = gradient_step(stack, X[:9], failing(1, calls=range(1)), optimizer, torch.Generator())
    assert value.isnan().tolist() == [False, True]
    assert terms.kl.isnan().all((1, 2)).tolist() == terms.log_likelihood.isnan().all(1).tolist() == [False, True]
    assert terms.kl[0].isfinite().all() and terms.log_likelihood[0].isfinite().all()
    assert not (value.requires_grad or terms.kl.requires_grad)


def test_a_weight_that_the_loss_does_not_reach_has_no_gradient_to_spoil():
    stack = small_stack(0, 1)
    stack.register_parameter("unused", torch.nn.Parameter(torch.ones(2)))
    with pytest.warns(RuntimeWarning, match="number 1"):
        fit(stack, X[:64], failing(1, calls=range(1)), epochs=1, progress=False)
    assert stack.unused.tolist() == [1, 1]


def test_a_training_that_ends_in_its_first_epoch_has_an_empty_history():
    history = training._history([], True)
    assert [tuple(value.shape) for value in history[:3]] == [(0,), (0,), (0, 0)]
    assert history.interrupted and history.elbo.shape == (0,)


def test_shuffled_gives_each_example_once_in_the_order_of_its_generator():
    x = torch.arange(10.0).unsqueeze(1)
    batches = list(shuffled(x, 4, torch.Generator().manual_seed(1)))
    order = torch.randperm(10, generator=torch.Generator().manual_seed(1))
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert torch.equal(torch.cat(batches), x[order])
    two = list(shuffled(x, 4, [torch.Generator().manual_seed(seed) for seed in (1, 2)]))
    assert [batch.shape for batch in two] == [(2, 4, 1), (2, 4, 1), (2, 2, 1)]
    assert torch.equal(torch.cat(two, 1)[0], x[order])
    assert not torch.equal(torch.cat(two, 1)[1], x[order])


def wide(n_hidden: int) -> torch.nn.Module:
    return reference_vae(1000, 2, n_hidden)


@pytest.mark.parametrize(("n_hidden", "idle", "expected"), [(200, 4, 4), (199, 4, 1), (200, 1, 1)])
def test_a_model_is_large_from_200_000_weights_in_a_matrix(monkeypatch, n_hidden, idle, expected):
    monkeypatch.setattr(psutil, "cpu_percent", lambda interval: 0.0)
    monkeypatch.setattr(torch, "get_num_threads", lambda: idle)
    assert useful_threads(wide(n_hidden)) == expected


@pytest.mark.parametrize(("busy", "expected"), [(0.49, 2), (0.5, 1)])
def test_a_machine_is_idle_below_half_a_core(monkeypatch, busy, expected):
    waited = []

    def percent(interval: float) -> float:
        waited.append(interval)
        return 100 * busy / 8

    monkeypatch.setattr(psutil, "cpu_percent", percent)
    monkeypatch.setattr(psutil, "cpu_count", lambda: 8)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    assert useful_threads(wide(200)) == expected and waited == [0.1]


def test_fit_uses_the_threads_that_pay_and_gives_them_back(monkeypatch):
    """Told by what torch is asked for: where the tests of mutants fork, more threads than one would hang."""
    used, asked = [], [1]

    def loss(output, images):
        used.append(asked[-1])
        return negative_elbo()(output, images)

    monkeypatch.setattr(torch, "get_num_threads", lambda: asked[-1])
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    monkeypatch.setattr(training, "useful_threads", lambda model: 2)
    fit(fresh(), X[:64], loss, epochs=1, progress=False)
    assert used == [2] and asked == [1, 2, 1]


LOSS = negative_elbo()
REFUSED = {
    "no epochs": (lambda: fit(fresh(), X, LOSS, epochs=0), ValueError, "epochs must be at least 1, got 0"),
    "no images in a batch": (
        lambda: fit(fresh(), X, LOSS, batch_size=0),
        ValueError,
        "batch_size must be at least 1, got 0",
    ),
    "negative lr": (lambda: fit(fresh(), X, LOSS, lr=-1.0), ValueError, "lr must be positive, got -1"),
    "lr of zero": (lambda: fit(fresh(), X, LOSS, lr=0.0), ValueError, "lr must be positive, got 0"),
    "one image": (lambda: fit(fresh(), X[0], LOSS), ValueError, "x must have shape (B, 64), got (64,)"),
    "model": (
        lambda: fit(torch.nn.Linear(64, 64), X, LOSS),
        TypeError,
        "model must be of type LatentGaussian, got Linear",
    ),
    "no losses": (
        lambda: fit(fresh(), X, []),
        ValueError,
        "loss must be a loss or a list of at least one, got an empty list",
    ),
    "no loss": (lambda: fit(fresh(), X, 3), TypeError, "loss must be of type Sequence, got int"),
    "one bad loss": (lambda: fit(fresh(), X, [LOSS, 3]), TypeError, "loss must be a function, got int"),
    "seed": (lambda: fit(fresh(), X, LOSS, seed=-1), ValueError, "seed must be at least 0, got -1"),
    "one bad seed": (
        lambda: fit(small_stack(0, 1), X, LOSS, seed=[0, -1]),
        ValueError,
        "seed must be at least 0, got -1",
    ),
    "seeds of a single model": (
        lambda: fit(fresh(), X, LOSS, seed=[1, 2]),
        ValueError,
        "seed must be one, or a list of one for each of 0 models, got [1, 2]",
    ),
    "seeds": (
        lambda: fit(small_stack(0, 1), X, LOSS, seed=[1]),
        ValueError,
        "seed must be one, or a list of one for each of 2 models, got [1]",
    ),
    "threads of no model": (
        lambda: useful_threads(torch.nn.Linear(2, 2)),
        TypeError,
        "model must be of type LatentGaussian, got Linear",
    ),
    "shuffled": (
        lambda: list(shuffled([1.0], 1, torch.Generator())),
        TypeError,
        "x must be a torch.Tensor, got list",
    ),
    "shuffled, a number": (
        lambda: list(shuffled(X[0, 0], 1, torch.Generator())),
        ValueError,
        "x must have shape (N, ...), got ()",
    ),
    "shuffled, batches": (
        lambda: list(shuffled(X, 0, torch.Generator())),
        ValueError,
        "batch_size must be at least 1, got 0",
    ),
    "shuffled, seed": (lambda: list(shuffled(X, 1, 3)), TypeError, "generator must be of type Generator, got int"),
    "step, model": (
        lambda: gradient_step(torch.nn.Linear(2, 2), X, LOSS, *tools()),
        TypeError,
        "model must be of type LatentGaussian, got Linear",
    ),
    "step, loss": (lambda: gradient_step(fresh(), X, 3, *tools()), TypeError, "loss must be a function, got int"),
    "step, optimizer": (
        lambda: gradient_step(fresh(), X, LOSS, 3, torch.Generator()),
        TypeError,
        "optimizer must be of type Optimizer, got int",
    ),
    "step, generator": (
        lambda: gradient_step(fresh(), X, LOSS, tools()[0], 3),
        TypeError,
        "generator must be of type Generator, got int",
    ),
}


def tools() -> tuple[torch.optim.Optimizer, torch.Generator]:
    return torch.optim.SGD(fresh().parameters()), torch.Generator()


@pytest.mark.parametrize(("call", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message
