"""What is recorded can be made again, is read whole, and agrees with what can be recomputed from it."""

import errno
import json
import re
from pathlib import Path

import numpy as np
import pytest
import recording

from vae_lessons.recorded import FOLDER, recorded, recorded_pictures

ROOT = Path(__file__).resolve().parent.parent
NAMES = sorted(file.stem for file in FOLDER.glob("*.json"))
THEORY = [name for name in NAMES if name.startswith("theory")]


@pytest.mark.parametrize("name", NAMES)
def test_every_record_says_how_it_was_made(name: str) -> None:
    record = recorded(name)
    program = re.fullmatch(r"python (benchmarks/\w+\.py) [\w .-]+", record["command"])
    assert program, record["command"]
    assert (ROOT / program[1]).exists()
    assert re.fullmatch(r"[0-9a-f]{7,}\+?", record["commit"])
    assert record["seconds"] > 0
    assert {"settings", "machine", "torch"} <= set(record)


def test_what_is_not_there_is_named_with_what_is() -> None:
    with pytest.raises(ValueError, match=r"name must be one of .*theory-mnist.*got 'emnist'"):
        recorded("emnist")
    with pytest.raises(ValueError, match=r"name must be one of .*theory-mnist.*got 'likelihood-vae'"):
        recorded_pictures("likelihood-vae")


@pytest.mark.parametrize("name", THEORY)
def test_a_record_of_the_theory_is_whole(name: str) -> None:
    """A KL for each β and latent, largest first; eigenvalues in order, and within the sum of all."""
    record = recorded(name)
    kl, eigenvalues = np.array(record["kl"]), np.array(record["eigenvalues"])
    assert kl.shape == (len(record["betas"]), record["settings"]["n_latents"])
    assert (kl >= 0).all() and (np.diff(kl, axis=1) <= 0).all()
    assert (np.diff(eigenvalues) <= 0).all() and eigenvalues.sum() < record["total_variance"]


@pytest.mark.parametrize("name", THEORY)
def test_the_pictures_of_a_record_are_pictures(name: str) -> None:
    pictures, n_betas = recorded_pictures(name), len(recorded(name)["betas"])
    assert pictures["images"].shape == (10, 784)
    assert pictures["reconstructions"].shape == (n_betas, 10, 784)
    assert pictures["samples"].shape == (n_betas, 20, 784)
    for values in pictures.values():
        assert values.dtype == np.float32 and 0 <= values.min() < values.max() <= 1


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("likelihood")])
def test_a_recorded_likelihood_is_a_bound_below_its_elbo(name: str) -> None:
    record = recorded(name)
    assert record["nll"] < record["negative_elbo"]
    assert record["draws"] == 5000 and record["test_images"] == 10_000
    epochs, seconds, *_ = zip(*record["curve"])
    assert epochs[-1] == record["settings"]["epochs"] and sorted(seconds) == list(seconds)


def test_a_full_disk_leaves_the_record_of_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording.record("some", {"number": 1}, tmp_path)

    def full(file: Path, text: str, **options: str) -> None:
        with file.open("w") as half:
            half.write(text[: len(text) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        recording.record("some", {"number": 2}, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["some.json"]
    assert json.loads((tmp_path / "some.json").read_text()) == {"number": 1}
