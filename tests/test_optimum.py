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


def gains(monkeypatch, *of_each_latent: float) -> list[int]:
    """Let the training of the latents gain what is told, and nothing once that is used up; the latents it trains."""
    left, trained = list(of_each_latent), []

    def told(k, *_):
        trained.append(k)
        return left.pop(0) if left else 0.0

    monkeypatch.setattr(optimum, "_train_latent", told)
    return trained


def test_it_ends_after_the_round_in_which_no_latent_gains(monkeypatch):
    trained = gains(monkeypatch, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0)
    with pytest.warns(RuntimeWarning, match=r"^nothing more was gained, \S+ nats below the optimum$"):
        fit_to_optimum(drawn(64, 3), X.double(), 0.5)
    assert trained == [0, 1, 2] * 3


@pytest.mark.parametrize(("beta", "rounds"), [(1.0, 2), (0.1, 1)])
def test_a_gain_is_weighed_as_the_objective_is(monkeypatch, beta, rounds):
    trained = gains(monkeypatch, 3e-9)
    with pytest.warns(RuntimeWarning, match="nothing more was gained"):
        fit_to_optimum(drawn(64, 2), X.double(), 0.5, beta)
    assert trained == [0, 1] * rounds


def test_it_gives_up_after_so_many_rounds(monkeypatch):
    trained = gains(monkeypatch, *[1.0] * 99)
    with pytest.warns(RuntimeWarning, match="^not done after 10 rounds, "):
        fit_to_optimum(drawn(64, 1), X.double(), 0.5)
    assert trained == [0] * 10


def test_the_warning_points_to_the_line_that_called(monkeypatch):
    """By itself, since mutmut puts frames of its own between."""
    gains(monkeypatch)
    with pytest.warns(RuntimeWarning) as told:
        fit_to_optimum(drawn(64, 1), X.double(), 0.5)
    assert told[0].filename == __file__


def test_the_warning_says_how_far_it_is_from_the_optimum_of_this_weight(monkeypatch):
    gains(monkeypatch)
    with pytest.warns(RuntimeWarning) as told:
        reached = fit_to_optimum(drawn(64, 1), X.double(), 0.5, beta=0.5)
    missing = optimal_elbo(data_spectrum(X).eigenvalues, 0.5, 1, beta=0.5) - reached
    assert str(told[0].message) == f"nothing more was gained, {missing:.2g} nats below the optimum"


def test_an_interrupt_is_said_to_be_one(monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(optimum, "_train_latent", interrupted)
    with pytest.warns(RuntimeWarning, match=r"^interrupted, \S+ nats below the optimum$"):
        fit_to_optimum(drawn(), X.double(), 0.5)


def test_a_latent_gains_what_its_loss_falls_by():
    """The first round gains nats, another from where it ended nothing."""
    eigenvalues = torch.tensor([4.0, 1.0, 0.1]).double()
    start = optimum.Weights(*(torch.ones(shape).double() for shape in ((3, 1), (1, 3), (1,))))
    weights = optimum.Weights(*(value.clone() for value in start))
    latent = optimum._Latent(torch.eye(3).double(), eigenvalues, 0.5)
    first = latent.loss(latent.coordinates(start.decoder[:, 0], start.encoder[0], start.sigma[0])).item()
    gained = optimum._train_latent(0, weights, start, eigenvalues, 0.5)
    last = latent.loss(latent.coordinates(weights.decoder[:, 0], weights.encoder[0], weights.sigma[0])).item()
    assert gained == pytest.approx(first - last, abs=1e-9) and gained > 1
    assert optimum._train_latent(0, weights, weights, eigenvalues, 0.5) == pytest.approx(0, abs=1e-9)


def latent_of(*eigenvalues: float) -> optimum._Latent:
    variances = torch.tensor(eigenvalues).double()
    return optimum._Latent(torch.eye(len(variances)).double(), variances, 0.5)


def test_coordinates_are_undone_by_weights():
    latent, generator = latent_of(4.0, 1.0, 0.1), torch.Generator().manual_seed(0)
    drawn = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in ((3,), (3,), ())]
    drawn[2] = drawn[2].abs()
    for ours, given in zip(latent.weights(latent.coordinates(*drawn)), drawn, strict=True):
        torch.testing.assert_close(ours, given)


def test_coordinates_are_zero_and_one_where_encoder_and_sigma_fit_the_decoder():
    latent, decoder = latent_of(4.0, 1.0), torch.tensor([1.0, 0.5]).double()
    free = latent.coordinates(decoder, decoder / 1.75, torch.tensor((0.5 / 1.75) ** 0.5).double())
    assert [value.tolist() for value in free] == [[1.0, 0.5], pytest.approx([0, 0]), pytest.approx(1)]
    assert all(value.requires_grad for value in free)
    shifted = latent.coordinates(decoder, decoder / 1.75 + 0.1, torch.tensor(0.5).double())
    unit = (0.5 / 1.75) ** 0.5
    assert shifted[1].tolist() == pytest.approx([0.2 / unit, 0.1 / unit]) and shifted[2].item() == pytest.approx(
        0.5 / unit
    )


def test_the_loss_of_a_silent_latent_is_the_error_alone():
    """No KL, and every variance unexplained."""
    latent, zero = latent_of(4.0, 1.0), torch.zeros(2).double()
    free = latent.coordinates(zero, zero, torch.tensor(1.0).double())
    assert latent.loss(free).item() == pytest.approx(5.0)  # (4 + 1) / (2 · ½)


def test_a_direction_without_variance_has_a_unit_that_rounding_leaves():
    assert latent_of(4.0, 0.0).spread.tolist() == pytest.approx([2, 2e-7])


def test_data_that_do_not_vary_leave_every_latent_silent():
    model = drawn(3, 2)
    reached = fit_to_optimum(model, torch.full((5, 3), 0.3).double(), 0.5)
    assert reached == pytest.approx(-1.5 * math.log(2 * math.pi * 0.5), abs=1e-6)
    assert model.decoder.bias.tolist() == pytest.approx([0.3] * 3)


BAD = {
    "a stack": (
        lambda: fit_to_optimum(torch.nn.Linear(64, 8), X.double(), 0.5),
        TypeError,
        "model must be of type LinearVAE, got Linear",
    ),
    "one image": (
        lambda: fit_to_optimum(drawn(), X[0].double(), 0.5),
        ValueError,
        "x must have shape (N, D), got (64,)",
    ),
    "other width": (
        lambda: fit_to_optimum(drawn(), X[:, :9].double(), 0.5),
        ValueError,
        "x must have shape (B, 64), got (1797, 9)",
    ),
    "single model": (
        lambda: fit_to_optimum(LinearVAE(), X.double(), 0.5),
        TypeError,
        "x must have the dtype of the model, torch.float32, got torch.float64",
    ),
    "no noise": (lambda: fit_to_optimum(drawn(), X.double(), 0.0), ValueError, "noise_var must be positive, got 0"),
    "no weight": (
        lambda: fit_to_optimum(drawn(), X.double(), 0.5, beta=0.0),
        ValueError,
        "beta must be positive, got 0",
    ),
    "no rounds": (
        lambda: fit_to_optimum(drawn(), X.double(), 0.5, max_rounds=0),
        ValueError,
        "max_rounds must be at least 1, got 0",
    ),
    "too many": (
        lambda: fit_to_optimum(drawn(64, 65), X.double(), 0.5),
        ValueError,
        "n_latents must lie between 1 and D = 64, got 65",
    ),
}


@pytest.mark.parametrize(("call", "error", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message
