"""Training reaches the known optimum, repeats itself, can be interrupted, and sweeps as if alone."""

import os
import signal
import threading

import pytest
import torch

from vae_lessons.data import digits, split
from vae_lessons.model import LinearVAE, StackedLinear, reference_vae
from vae_lessons.objective import gaussian_elbo, negative_elbo, post_loss
from vae_lessons.spectrum import data_spectrum, kl_per_latent, optimal_elbo
from vae_lessons.training import fit, fit_to_optimum, sweep, useful_threads

X = digits().x
SHORT = {"epochs": 2, "progress": False}


def fresh(seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    return reference_vae()


@pytest.mark.parametrize("beta", [1.0, 0.5])
def test_a_linear_vae_trained_to_its_optimum_is_the_theory(beta):
    torch.manual_seed(1)
    model, spectrum = LinearVAE().double(), data_spectrum(X)
    reached = fit_to_optimum(model, X.double(), noise_var=0.5, beta=beta)
    gap = optimal_elbo(spectrum.eigenvalues, 0.5, 8, beta) - reached
    assert -1e-9 < gap < 1e-6
    kl = gaussian_elbo(model(X.double()), X.double(), 0.5).kl.mean(0).sort(descending=True).values.detach()
    theory = torch.from_numpy(kl_per_latent(spectrum.eigenvalues, 0.5 * beta, 8))
    torch.testing.assert_close(kl, theory, rtol=0, atol=2e-3)


def test_every_model_of_a_sweep_is_the_one_fit_alone():
    betas = [0.1, 1.0, 3.0]
    together = sweep(X[:300].double(), betas, noise_var=0.3, n_latents=3, n_hidden=10, seed=4, **SHORT)
    for m, beta in enumerate(betas):
        torch.manual_seed(4)
        alone = reference_vae(n_latents=3, n_hidden=10).double()
        history = fit(alone, X[:300].double(), negative_elbo(0.3, beta), seed=4, **SHORT)
        for ours, theirs in zip(together.model(m).parameters(), alone.parameters()):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-9)
        torch.testing.assert_close(together.history.elbo[:, m], history.elbo)
        torch.testing.assert_close(together.history.kl[:, m], history.kl)


def test_same_seed_same_weights_other_seed_other_weights():
    models = [fresh(), fresh(), fresh()]
    for model, seed in zip(models, (5, 5, 6)):
        torch.rand(seed)  # the global generator's state must not matter
        fit(model, X[:200], negative_elbo(), seed=seed, **SHORT)
    first, second, third = (torch.cat([w.flatten() for w in model.parameters()]) for model in models)
    assert torch.equal(first, second) and not torch.equal(first, third)


def test_sweep_leaves_the_global_generator_alone():
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    sweep(X[:64], [1.0], **SHORT)
    assert torch.equal(torch.rand(1), expected)


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


def test_the_posts_loss_collapses_to_the_mean_image():
    """The map's prediction for lesson 06: KL 0.0000 in all latents, error per pixel = data variance."""
    history = fit(fresh(), X, post_loss, epochs=30, lr=1e-2, progress=False)
    assert history.kl[-1].max() < 1e-3
    assert history.loss[-1].item() == pytest.approx(X.var(0, correction=0).mean().item(), rel=0.02)


def test_digits_are_all_there_and_split_without_overlap():
    images = digits()
    assert (tuple(images.x.shape), images.x.dtype, images.shape) == ((1797, 64), torch.float32, (8, 8))
    assert (images.x.min(), images.x.max(), images.labels.unique().tolist()) == (0, 1, list(range(10)))
    train, test = split(images, n_test=297, seed=1)
    assert len(torch.cat([train.x, test.x]).unique(dim=0)) == len(images.x.unique(dim=0))
    assert (len(train.x), len(test.x)) == (1500, 297)
    assert not torch.equal(test.x, split(images, n_test=297, seed=2)[1].x)


BAD = {
    "no epochs": (lambda: fit(fresh(), X, negative_elbo(), epochs=0), ValueError, "epochs must be at least 1, got 0"),
    "negative lr": (lambda: fit(fresh(), X, negative_elbo(), lr=-1.0), ValueError, "lr must be positive, got -1"),
    "one image": (lambda: fit(fresh(), X[0], negative_elbo()), ValueError, "x must have 2 dimensions"),
    "diverging": (
        lambda: fit(fresh(), X, negative_elbo(1e-30), lr=1e9, progress=False),
        (FloatingPointError, ValueError),
        "the loss became|must be finite",
    ),
    "float32 optimum": (
        lambda: fit_to_optimum(LinearVAE(), X, 0.5),
        TypeError,
        "x must be torch.float64, got torch.float32",
    ),
    "negative beta": (lambda: sweep(X, [1.0, -1.0]), ValueError, "betas must not be negative, got -1"),
    "no betas": (lambda: sweep(X, []), ValueError, "betas must not be empty"),
    "split too far": (lambda: split(digits(), 1797), ValueError, "n_test must lie between 1 and 1796, got 1797"),
}


@pytest.mark.parametrize(("call", "error", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
