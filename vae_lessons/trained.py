"""The models of a sweep once they are trained, as bytes that travel between machines and stay in a folder (notebook 07)."""

import hashlib
import io
import pickle
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from types import NoneType
from typing import Any, NamedTuple

import torch
from torch import Tensor

from vae_lessons.files import written_whole
from vae_lessons.model import VAE, reference_vae
from vae_lessons.settings import Setting
from vae_lessons.torch_state import seeded
from vae_lessons.training import History

About = dict[str, Any]  # the data and the options that a result depends on, beside its settings


class Trained(NamedTuple):
    """One model of a sweep.

    Attributes:
        setting: see `Setting`.
        history: of its finished epochs, as `fit` alone gives it; None if it was not trained.
        weights: its `state_dict`, on the CPU; None if there is an error.
        error: why there is no model, or "".
    """

    setting: Setting
    history: History | None = None
    weights: dict[str, Tensor] | None = None
    error: str = ""

    def model(self) -> VAE:
        """The trained model as an ordinary module, built with `torch.nn.Linear`.

        Raises:
            ValueError: there is none, and why.
        """
        if self.weights is None:
            raise ValueError(f"{self.setting} has no model: {self.error}")
        first = self.weights["encoder.linear1.weight"]
        with seeded(self.setting.seed):
            model = reference_vae(first.shape[1], self.setting.n_latents, self.setting.n_hidden).to(first.dtype)
        model.load_state_dict(self.weights)
        return model


def about(x: Tensor, options: dict[str, Any]) -> About:
    """What tells the results for these data, x of shape (N, D), and these options from others."""
    digest = hashlib.sha256(x.detach().cpu().contiguous().numpy().tobytes()).hexdigest()
    return {"x": f"{tuple(x.shape)} {x.dtype} {digest[:16]}", "vae_lessons": version("vae_lessons"), **options}


def to_bytes(of: About, models: list[Trained]) -> bytes:
    """The models as a file that `torch.load` reads without running anything: plain numbers, text and tensors."""
    histories = [None if one.history is None else list(one.history[:3]) for one in models]
    rows = [[list(one.setting), history, one.weights, one.error] for one, history in zip(models, histories)]
    file = io.BytesIO()
    torch.save({"about": of, "models": rows}, file)
    return file.getvalue()


def from_bytes(kept: bytes, of: About) -> list[Trained]:
    """The models again.

    Raises:
        ValueError: the bytes are damaged, or of other data or options.
    """
    try:
        read = torch.load(io.BytesIO(kept), weights_only=True)
        theirs, rows = read["about"], read["models"]
        models = [Trained(Setting(*row[0]), _history(row[1]), *row[2:]) for row in rows]
    except (RuntimeError, EOFError, LookupError, TypeError, ValueError, pickle.UnpicklingError) as error:
        raise ValueError(f"no result of `train_many`, or a damaged one ({type(error).__name__})") from None
    if theirs != of:
        names = [name for name in {**of, **theirs} if theirs.get(name) != of.get(name)]
        told = "; ".join(f"{name} was {theirs.get(name)} there and is {of.get(name)} here" for name in names)
        raise ValueError(f"of other data or options: {told}")
    return models


def _history(columns: list[Tensor] | None) -> History | None:
    return None if columns is None else History(columns[0], columns[1], columns[2])


class Folder:
    """The finished tasks of a sweep, each in a file that is there whole or not at all; without a path, nothing is kept.

    Raises:
        TypeError: no path.
        OSError: the folder cannot be made, or nothing can be written there.
    """

    def __init__(self, path: str | Path | None):
        if not isinstance(path, (str, Path, NoneType)):
            raise TypeError(f"folder must be a path or None, got {type(path).__name__}")
        self.path = None if path is None else Path(path)
        if self.path:
            self.path.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=self.path).close()  # now, rather than after the first hour

    def read(self, of: About) -> Iterator[Trained]:
        """What earlier calls finished.

        Raises:
            ValueError: a file is damaged, or belongs to other data or options.
        """
        for file in sorted(self.path.glob("*.pt")) if self.path else []:
            try:
                yield from from_bytes(file.read_bytes(), of)
            except ValueError as error:
                raise ValueError(f"folder: {file} is {error}; delete it, or give another folder") from None

    def write(self, result: bytes) -> None:
        """Keep the result of one task.

        Raises:
            OSError: it cannot be written; the files that were there are as they were.
        """
        if self.path is None:
            return
        file = self.path / f"models-{hashlib.sha256(result).hexdigest()[:16]}.pt"
        with written_whole(file) as part:
            part.write_bytes(result)
