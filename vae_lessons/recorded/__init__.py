"""Results of trainings too long for a lesson, each with the command that makes it again (lessons 00, 06, 07 and 10)."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_lessons.checks import check_choice

FOLDER = Path(__file__).parent


def recorded(name: str) -> dict[str, Any]:
    """The record of this name: numbers, and the settings, commit, machine, seconds and command that made them.

    Raises:
        ValueError: no such record; the message lists those there are.
    """
    check_choice("name", name, [file.stem for file in sorted(FOLDER.glob("*.json"))])
    record: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return record


def recorded_pictures(name: str) -> dict[str, NDArray[np.float32]]:
    """The pictures that belong to a record, by what they show: (..., D), in [0, 1].

    Raises:
        ValueError: no such pictures; the message lists those there are.
    """
    check_choice("name", name, [file.stem for file in sorted(FOLDER.glob("*.npz"))])
    with np.load(FOLDER / f"{name}.npz", allow_pickle=False) as stored:
        return {key: stored[key].astype(np.float32) / 255 for key in stored.files}
