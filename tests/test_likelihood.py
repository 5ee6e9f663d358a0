"""The long training of benchmarks/likelihood.py: it goes on where it stopped, and its estimate is right where that is known."""

import pickle
from functools import partial
from pathlib import Path

import likelihood
import pytest
import torch
from likelihood import Training, bound, evaluate, record_of, weights_of
from torch import Tensor

from vae_lessons.bounds import importance_bound
from vae_lessons.model import VAE
from vae_lessons.objective import bernoulli_elbo, bernoulli_log_likelihood


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same program with 20 pixels and 3 latents."""
    monkeypatch.setattr(likelihood, "build", partial(likelihood.build, n_pixels=20, n_hidden=8, n_latents=3))
    monkeypatch.setattr(likelihood, "CURVE", (10, 4))


@pytest.fixture
def grey() -> Tensor:
    return torch.rand(230, 20, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def black_and_white(grey: Tensor) -> Tensor:
    return torch.bernoulli(grey[:30], generator=torch.Generator().manual_seed(1))


def weights(training: Training) -> Tensor:
    return torch.cat([weight.detach().flatten() for weight in training.model.parameters()])


@pytest.mark.parametrize("kind", ["vae", "iwae"])
def test_a_stop_between_epochs_changes_nothing(
    kind: str, grey: Tensor, black_and_white: Tensor, tmp_path: Path
) -> None:
    straight = Training(kind, 3, 0, tmp_path / "straight")
    straight.run(grey, black_and_white)
    stopped = Training(kind, 3, 0, tmp_path / "stopped")
    stopped._epoch(grey)
    stopped.epoch = 1
    stopped.save()
    again = Training(kind, 3, 0, tmp_path / "stopped")
    assert again.epoch == 1
    again.run(grey, black_and_white)
    assert torch.equal(weights(again), weights(straight))
    assert [point[0] for point in again.curve] == [point[0] for point in straight.curve] == [3]


def test_every_epoch_draws_new_pixels(grey: Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Tensor] = []

    def look(model: VAE, x: Tensor, *others: object) -> Tensor:
        seen.append(x)
        return bound(model, x, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(likelihood, "bound", look)
    training = Training("vae", 2, 0, tmp_path)
    training._epoch(grey[:100])
    training._epoch(grey[:100])
    first, second = (x.sort(0).values for x in seen)
    assert set(first.unique().tolist()) == {0.0, 1.0}
    assert not torch.equal(first, second)


def test_other_settings_are_refused(tmp_path: Path) -> None:
    Training("vae", 3, 0, tmp_path).save()
    with pytest.raises(ValueError, match=r"begun with other settings: .*'epochs': 3.*now .*'epochs': 4"):
        Training("vae", 4, 0, tmp_path)


def test_a_checkpoint_runs_no_code(tmp_path: Path) -> None:
    class Harmful:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "harm",)  # type: ignore[return-value]

    torch.save({"settings": Harmful()}, tmp_path / "vae.pt")
    with pytest.raises(pickle.UnpicklingError):
        Training("vae", 3, 0, tmp_path)
    assert not (tmp_path / "harm").exists()


def test_a_full_disk_is_told_and_leaves_the_checkpoint_of_before(
    grey: Tensor, black_and_white: Tensor, tmp_path: Path
) -> None:
    resource = pytest.importorskip("resource", reason="a limit on the size of files stands for a full disk")
    Training("vae", 3, 0, tmp_path).save()
    before = (tmp_path / "vae.pt").read_bytes()
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, usual[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            Training("vae", 3, 0, tmp_path).run(grey, black_and_white)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert [file.name for file in tmp_path.iterdir()] == ["vae.pt"]
    assert (tmp_path / "vae.pt").read_bytes() == before


def test_a_diverging_run_says_so_and_keeps_its_checkpoint(
    grey: Tensor, black_and_white: Tensor, tmp_path: Path
) -> None:
    training = Training("vae", 3, 0, tmp_path)
    training.save()
    with torch.no_grad():
        training.model.head_mu.bias.fill_(torch.nan)
    with pytest.raises(FloatingPointError, match="the loss became nan in epoch 1"):
        training.run(grey, black_and_white)
    assert weights(Training("vae", 3, 0, tmp_path)).isfinite().all()


def test_an_evaluation_goes_on_where_it_stopped(black_and_white: Tensor, tmp_path: Path) -> None:
    straight = evaluate(Training("vae", 1, 0, tmp_path / "a"), black_and_white, draws=60, size=10)
    evaluate(Training("vae", 1, 0, tmp_path / "b"), black_and_white[:20], draws=60, size=10)
    assert torch.equal(evaluate(Training("vae", 1, 0, tmp_path / "b"), black_and_white, draws=60, size=10), straight)


def test_a_finished_evaluation_is_read_again(black_and_white: Tensor, tmp_path: Path) -> None:
    numbers = evaluate(Training("vae", 1, 0, tmp_path), black_and_white, draws=60, size=10)
    assert torch.equal(evaluate(Training("vae", 1, 0, tmp_path), black_and_white, draws=60, size=10), numbers)


def test_the_estimate_is_exact_for_a_decoder_that_ignores_z(black_and_white: Tensor) -> None:
    """There log p(x) = log p(x|z), and with q = p every draw weighs the same."""
    model = likelihood.build()
    with torch.no_grad():
        for layer in (model.head_mu, model.head_log_sigma, model.decoder[0]):
            layer.weight.zero_()
            layer.bias.zero_()
        exact = bernoulli_log_likelihood(black_and_white, model.decode(torch.zeros(30, 3)))
    log_weights = weights_of(model, black_and_white, 120, torch.Generator())
    assert log_weights.shape == (120, 30)
    torch.testing.assert_close(importance_bound(log_weights), exact)
    torch.testing.assert_close(log_weights.mean(0), exact)


def test_the_two_bounds_are_what_they_are_called(black_and_white: Tensor) -> None:
    """On average over many draws; each within 4 standard errors, so chance alone fails one time in 16 000."""
    model, generator = likelihood.build(), torch.Generator().manual_seed(0)
    log_weights = weights_of(model, black_and_white, 5 * 4000, generator)
    of_five = importance_bound(log_weights.unflatten(0, (5, 4000)))  # (4000, B): five draws each
    with torch.no_grad():
        for n_samples, draws in ((1, log_weights.mean(1)), (5, of_five.mean(1))):
            values = torch.stack([bound(model, black_and_white, n_samples, generator) for _ in range(400)])
            error = (values.var() / 400 + draws.var() / len(draws)).sqrt()
            assert abs(values.mean() - draws.mean()) < 4 * error
    assert of_five.mean() > log_weights.mean()


def test_the_elbo_has_its_kl_in_closed_form(black_and_white: Tensor) -> None:
    model, generator = likelihood.build(), torch.Generator()
    value = bound(model, black_and_white, 1, generator.manual_seed(5))
    output = model(black_and_white, generator=generator.manual_seed(5))
    assert value == bernoulli_elbo(output, black_and_white).elbo.mean()


def test_the_record_has_the_errors_and_the_way_to_it(black_and_white: Tensor, tmp_path: Path) -> None:
    training = Training("iwae", 2, 0, tmp_path)
    numbers = torch.tensor([[5.0, 4.0, 10.0], [7.0, 5.0, 2.0], [6.0, 3.0, 30.0], [6.0, 4.0, 20.0]])
    result = record_of(training, numbers, draws=60)
    assert result["nll"] == 4.0
    assert result["nll_standard_error"] == round((2 / 3) ** 0.5 / 2, 3)
    assert result["effective_draws_below_10"] == 0.25
    assert result["command"] == "python benchmarks/likelihood.py iwae --epochs 2"
    assert result["samples"] == 5
