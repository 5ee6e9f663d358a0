"""The β lab by its values, in an event loop of its own; in a browser it is in test_browser.py."""

import asyncio
import html
import re
import signal
import threading

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt

from vae_lessons.data import digits
from vae_lessons.lab import BetaLab, Trainee
from vae_lessons.model import LinearVAE, reference_vae
from vae_lessons.objective import negative_elbo
from vae_lessons.spectrum import data_spectrum, error_per_direction, kl_per_latent
from vae_lessons.torch_state import threads
from vae_lessons.training import fit


def seen(lab: BetaLab) -> dict[str, float]:
    """The numbers in the text of the lab's picture."""
    pattern = r"β = (.+): (\d) of 8 above water in theory; step (\d+): total KL (.+), in theory (.+)"
    text = html.unescape(re.search('alt="([^"]*)"', lab.picture.value)[1])
    return dict(zip(("beta", "live", "step", "trained", "theory"), map(float, re.fullmatch(pattern, text).groups())))


async def until(holds) -> None:
    """Give the lab its turns until something holds."""
    while not holds():
        await asyncio.sleep(0.002)


@pytest.fixture(scope="module")
def x():
    return digits().x


@pytest.fixture
def lab(x):
    lab = BetaLab(x)
    yield lab
    plt.close("all")


def test_it_takes_the_steps_that_fit_takes(x):
    """Same seed, same batches, same noise: watching, in between, changes nothing."""
    trainee, directions = Trainee(x[:256], LinearVAE, noise_var=0.5, lr=1e-2, seed=3), torch.eye(64)
    for _ in range(8):
        trainee.step(beta=0.7)
        trainee.state(directions)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = LinearVAE()
    fit(model, x[:256], negative_elbo(0.5, 0.7), epochs=2, batch_size=64, lr=1e-2, seed=3, progress=False)
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, trainee.model.state_dict()[name]), name


def test_latents_drown_and_resurface_in_the_order_of_the_eigenvalues(x):
    """Trained in turn at three β, KL and errors of the linear VAE come to the theory's."""
    trainee, spectrum = Trainee(x, LinearVAE, noise_var=0.5, lr=1e-2, seed=0), data_spectrum(x)
    directions = torch.from_numpy(spectrum.directions.copy()).float()
    for beta, live in ((0.5, 5), (2.0, 0), (0.3, 8)):
        with threads(1):
            for _ in range(800):
                trainee.step(beta)
        kl, errors = trainee.state(directions)
        theory = kl_per_latent(spectrum.eigenvalues, beta * 0.5, 8)
        assert np.count_nonzero(theory) == live
        assert kl.sort(descending=True).values.numpy() == pytest.approx(theory, abs=0.12)
        ideal = error_per_direction(spectrum.eigenvalues, beta * 0.5, 8)
        assert errors[:8].numpy() == pytest.approx(ideal[:8], rel=0.2)


def test_the_first_picture_is_the_untrained_model(lab, x):
    theory = kl_per_latent(data_spectrum(x).eigenvalues, 0.5 * 0.5, 8)
    untrained, _ = Trainee(x, LinearVAE, 0.5, 1e-2, 0).state(torch.eye(64))
    expected = {"beta": 0.5, "live": 5, "step": 0, "trained": untrained.sum().item(), "theory": theory.sum()}
    assert seen(lab) == pytest.approx(expected, abs=0.005)


def test_start_pause_step_reset(lab):
    async def play():
        lab.start()
        await until(lambda: lab.trainee.n_steps > 20)
        assert lab.is_running and lab.buttons["start"].disabled and not lab.buttons["pause"].disabled
        lab.pause()
        await until(lambda: not lab.is_running)

    asyncio.run(play())
    assert not lab.buttons["start"].disabled and lab.buttons["pause"].disabled
    taken = lab.trainee.n_steps
    lab.step()
    assert seen(lab)["step"] == taken + 1
    lab.reset()
    assert seen(lab)["step"] == 0 and len(lab.history) == 1


def test_beta_acts_while_it_trains(lab):
    """Past the last threshold the KL goes; the picture names the β of the slider at once."""

    async def play():
        lab.start()
        await until(lambda: lab.trainee.n_steps > 400)
        before = lab.history[-1][2]
        lab.beta.value = 2.0
        await until(lambda: lab.history[-1][1] == 0 and lab.history[-1][2] < 0.2 * before)
        lab.pause()

    asyncio.run(asyncio.wait_for(play(), 60))
    lab.step()
    assert seen(lab)["beta"] == 2.0 and seen(lab)["theory"] == 0


def test_a_browser_that_is_behind_gets_no_queue(lab, monkeypatch):
    """Without its answer four pictures go out; with it, the next. Patience is set out of reach."""
    monkeypatch.setattr("vae_lessons.lab.PATIENCE", float("inf"))
    first = lab.sent.value

    async def play():
        lab.start()
        await until(lambda: len(lab.history) > 12)
        assert lab.sent.value == lab.seen.value + 4 == first + 3
        lab.seen.value = lab.sent.value
        await until(lambda: lab.sent.value > first + 3)
        lab.pause()

    asyncio.run(asyncio.wait_for(play(), 60))


def test_there_is_one_lab_and_no_thread(lab, x):
    n_threads = threading.active_count()

    async def play():
        lab.start()
        await until(lambda: lab.trainee.n_steps > 0)
        BetaLab(x)
        await until(lambda: not lab.is_running)
        assert threading.active_count() == n_threads

    asyncio.run(asyncio.wait_for(play(), 60))


def test_an_interrupt_stops_it_and_restores_the_handler(lab):
    def ignore(signum, frame):
        """What Jupyter does between cells."""

    before = signal.signal(signal.SIGINT, ignore)

    async def play():
        lab.start()
        await until(lambda: lab.trainee.n_steps > 0)
        signal.raise_signal(signal.SIGINT)
        await until(lambda: not lab.is_running)

    try:
        asyncio.run(asyncio.wait_for(play(), 60))
        assert signal.getsignal(signal.SIGINT) is ignore
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_error_in_training_is_shown_and_reset_goes_on(x):
    lab = BetaLab(x, lr=1e20)
    for _ in range(3):
        lab.step()
    assert (
        "FloatingPointError: the model&#x27;s output became NaN or infinite" in lab.picture.value
        and "<details>" in lab.picture.value
    )
    lab.reset()
    assert seen(lab)["step"] == 0


def test_the_reference_vae_trains_there_too(x):
    lab = BetaLab(x, reference_vae, "MLP VAE in training", lr=3e-3)
    lab.step()
    assert seen(lab)["step"] == 1


BAD = {
    "flat": ({"x": torch.ones(64)}, ValueError, r"x must have shape \(N, D\)"),
    "integers": ({"x": torch.ones(4, 64, dtype=torch.int64)}, TypeError, "x must be a floating-point tensor"),
    "no noise": ({"noise_var": 0.0}, ValueError, "noise_var must be positive, got 0"),
    "lr": ({"lr": -1.0}, ValueError, "lr must be positive, got -1"),
    "beta": ({"beta": 3.0}, ValueError, "beta must lie in 0.1…2.0, got 3.0"),
}


@pytest.mark.parametrize(("options", "error", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_named(options, error, message, x):
    with pytest.raises(error, match=message):
        BetaLab(**{"x": x, **options})
