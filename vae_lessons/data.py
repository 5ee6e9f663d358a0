"""Data sets that need no network: scikit-learn's handwritten digits."""

from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


class Images(NamedTuple):
    """Grey images as rows.

    Attributes:
        x: (N, D) float32 in [0, 1].
        labels: (N,) int64.
        shape: (height, width), with height · width = D.
    """

    x: Tensor
    labels: Tensor
    shape: tuple[int, int]


def digits() -> Images:
    """1797 real handwritten digits of 8×8 pixels, scaled from 0–16 to 0–1.

    Source: the test part of E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten
    Digits" (UCI, 1998), as shipped inside scikit-learn: nothing is downloaded.
    """
    # The file alone: importing scikit-learn takes a second, and 50 MB in every kernel.
    table = np.loadtxt(Path(find_spec("sklearn").origin).parent / "datasets/data/digits.csv.gz", delimiter=",")
    pixels, labels = table[:, :-1], table[:, -1]
    return Images(torch.tensor(pixels / 16, dtype=torch.float32), torch.tensor(labels, dtype=torch.int64), (8, 8))


def split(images: Images, n_test: int, seed: int = 0) -> tuple[Images, Images]:
    """Shuffle once, then cut: (training part, test part), with no image in both.

    Raises:
        ValueError: `n_test` leaves one of the parts empty.
    """
    if not 0 < n_test < len(images.x):
        raise ValueError(f"n_test must lie between 1 and {len(images.x) - 1}, got {n_test}")
    order = torch.randperm(len(images.x), generator=torch.Generator().manual_seed(seed))
    test, train = order[:n_test], order[n_test:]
    return tuple(Images(images.x[part], images.labels[part], images.shape) for part in (train, test))
