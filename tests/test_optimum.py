"""The linear VAE reaches the optimum that theory knows, at any scale, and says so where it does not."""

import math
import signal
import sys
import time
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from vae_lessons import optimum
from vae_lessons.data import digits
from vae_lessons.model import LinearVAE
from vae_lessons.objective import gaussian_elbo, linear_elbo
from vae_lessons.optimum import fit_to_optimum
from vae_lessons.spectrum import data_spectrum, kl_per_latent, optimal_elbo

X = digits().x


def table(name: str) -> torch.Tensor:
    """A raw data set of scikit-learn's, its labels left out."""
    path = Path(find_spec("sklearn").origin).parent / f"datasets/data/{name}.csv"
    return torch.tensor(np.loadtxt(path, delimiter=",", skiprows=1)[:, :-1])


def drawn(n_pixels: int = 64, n_latents: int = 8) -> LinearVAE:
    torch.manual_seed(1)
    return LinearVAE(n_pixels, n_latents).double()


DATA = {
    "digits": X.double(),
    "digits x 16": 16 * X.double(),
    "wine": table("wine_data"),
    "breast cancer": table("breast_cancer"),
}
CASES = [
    ("digits", 0.001, 8),
    ("digits", 0.01, 8),
    ("digits", 0.0273, 8),
    ("digits", 4.0, 8),
    ("digits", 0.01, 63),
    ("digits x 16", 0.5, 8),
    ("wine", 0.5, 2),
    ("wine", 0.5, 12),
    ("breast cancer", 0.5, 29),
]


@pytest.mark.parametrize(("data", "noise_var", "n_latents"), CASES)
def test_it_arrives_at_any_scale_within_a_millionth_of_a_nat(data, noise_var, n_latents):
    x, began = DATA[data], time.process_time()
    reached = fit_to_optimum(drawn(x.shape[1], n_latents), x, noise_var)
    best = optimal_elbo(data_spectrum(x).eigenvalues, noise_var, n_latents)
    assert abs(best - reached) < 1e-6
    assert time.process_time() - began < 20  # 10 on a quiet core


@pytest.mark.parametrize("beta", [1.0, 0.5])
def test_a_linear_vae_trained_to_its_optimum_is_the_theory(beta):
    model, spectrum = drawn(), data_spectrum(X)
    reached = fit_to_optimum(model, X.double(), noise_var=0.5, beta=beta)
    gap = optimal_elbo(spectrum.eigenvalues, 0.5, 8, beta) - reached
    assert -1e-9 < gap < 1e-6
    kl = gaussian_elbo(model(X.double()), X.double(), 0.5).kl.mean(0).sort(descending=True).values.detach()
    theory = torch.from_numpy(kl_per_latent(spectrum.eigenvalues, 0.5 * beta, 8))
    torch.testing.assert_close(kl, theory, rtol=0, atol=2e-3)


def test_single_precision_is_refused():
    with pytest.raises(TypeError, match=r"x must be torch\.float64, got torch.float32"):
        fit_to_optimum(LinearVAE(), X, 0.5)


def test_what_is_returned_is_measured_on_the_data_with_the_models_own_weights():
    model = drawn()
    reached = fit_to_optimum(model, X.double(), 0.1)
    assert reached == linear_elbo(model, X.double(), 0.1).elbo.mean().item()


def test_where_it_cannot_arrive_it_says_how_far_it_got_and_keeps_that():
    x, model = DATA["digits"], drawn()
    start = linear_elbo(model, x, 0.001).elbo.mean().item()
    with pytest.warns(RuntimeWarning, match=r"^not done after 1 rounds, \S+ nats below the optimum") as caught:
        # eight decimals more than float64 has: no training can tell such directions from rounding
        reached = fit_to_optimum(drawn(30, 29), 1e4 * DATA["breast cancer"], 0.001, max_rounds=1)
    assert math.isfinite(reached) and len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fit_to_optimum(model, x, 0.001) > start


def lines_until(moment: float) -> tuple:
    """A tracer that sends Ctrl-C at line number `moment` of the training, and the lines it has passed."""
    passed = iter(range(10**9))

    def trace(frame, event, argument):
        if frame.f_code.co_filename != optimum.__file__ or frame.f_code.co_name == "fit_to_optimum":
            return None
        if event == "line" and next(passed) == moment:
            signal.raise_signal(signal.SIGINT)
        return trace

    return trace, passed


def test_an_interrupt_at_any_line_keeps_the_latents_that_were_trained():
    x = X[:100, 10:20].double()
    best = optimal_elbo(data_spectrum(x).eigenvalues, 0.01, 3)

    def run(moment: float) -> tuple[LinearVAE, float, int]:
        model, (tracer, passed) = drawn(10, 3), lines_until(moment)
        sys.settrace(tracer)
        try:
            reached = fit_to_optimum(model, x, 0.01)
        finally:
            sys.settrace(None)
        return model, reached, next(passed)

    model, _, n_lines = run(math.inf)
    start, reached_at = linear_elbo(drawn(10, 3), x, 0.01).elbo.mean().item(), []
    for moment in range(40, n_lines - 40, n_lines // 12):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model, reached, _ = run(moment)
        assert reached == linear_elbo(model, x, 0.01).elbo.mean().item() >= start
        assert len(caught) == (best - reached > 1e-6)
        assert all(str(warning.message).startswith("interrupted, ") for warning in caught)
        reached_at.append(reached)
    assert reached_at == sorted(reached_at) and len(set(np.round(reached_at, 6))) == 3  # with 1, 2 and 3 latents


def test_an_interrupt_leaves_a_trained_model_no_worse(monkeypatch):
    x, model = X.double(), drawn()
    best = fit_to_optimum(model, x, 0.5)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(optimum, "_train_latent", interrupted)
    assert fit_to_optimum(model, x, 0.5) == best


BAD = {
    "a stack": (lambda: fit_to_optimum(torch.nn.Linear(64, 8), X.double(), 0.5), TypeError, "model must be of type"),
    "other width": (
        lambda: fit_to_optimum(drawn(), X[:, :9].double(), 0.5),
        ValueError,
        r"x must have shape \(B, 64\)",
    ),
    "single model": (lambda: fit_to_optimum(LinearVAE(), X.double(), 0.5), TypeError, "x must have the dtype of the m"),
    "no weight": (
        lambda: fit_to_optimum(drawn(), X.double(), 0.5, beta=0.0),
        ValueError,
        "beta must be positive, got 0",
    ),
    "no rounds": (lambda: fit_to_optimum(drawn(), X.double(), 0.5, max_rounds=0), ValueError, "max_rounds must be at"),
    "too many": (lambda: fit_to_optimum(drawn(64, 65), X.double(), 0.5), ValueError, "n_latents must lie between 1"),
}


@pytest.mark.parametrize(("call", "error", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
