"""Data sets: scikit-learn's handwritten digits, which need no network (from notebook 00 on), and MNIST (10)."""

from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vae_lessons.checks import check_count, check_tensor, check_type, check_unit_interval
from vae_lessons.downloads import MNIST, Source, unpacked


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

    Raises:
        ModuleNotFoundError: scikit-learn is not there.
    """
    # The file alone: importing scikit-learn takes a second, and 50 MB in every kernel.
    spec = find_spec("sklearn")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("the digits come with scikit-learn, which is not installed")
    table = np.loadtxt(Path(spec.origin).parent / "datasets/data/digits.csv.gz", delimiter=",")
    pixels, labels = table[:, :-1], table[:, -1]
    return Images(torch.tensor(pixels / 16, dtype=torch.float32), torch.tensor(labels, dtype=torch.int64), (8, 8))


def split(images: Images, n_test: int, seed: int = 0) -> tuple[Images, Images]:
    """Shuffle once, then cut: (training part, test part), with no image in both.

    Raises:
        TypeError, ValueError: no `Images`, no whole numbers, or `n_test` leaves one of the parts empty.
    """
    check_type("images", images, Images)
    check_tensor("images.x", images.x, "(N, D)")
    check_count("n_test", n_test)
    check_count("seed", seed, at_least=0)
    if not 0 < n_test < len(images.x):
        raise ValueError(f"n_test must lie between 1 and {len(images.x) - 1}, got {n_test}")
    order = torch.randperm(len(images.x), generator=torch.Generator().manual_seed(seed))
    test, train = (Images(images.x[rows], images.labels[rows], images.shape) for rows in order.tensor_split([n_test]))
    return train, test


def mnist(folder: str | Path | None = None) -> tuple[Images, Images]:
    """MNIST as it comes: 60 000 handwritten digits of 28×28 pixels to train with and 10 000 to test with.

    Args:
        folder: holds the four files, packed or not; default: what VAE_LESSONS_DATA names.
    """
    return _parts(MNIST, folder)


def _parts(source: Source, folder: str | Path | None) -> tuple[Images, Images]:
    train_x, train_labels, test_x, test_labels = (unpacked(source, file, folder) for file in source.files)
    return _images(train_x, train_labels), _images(test_x, test_labels)


def _images(pixels: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Images:
    n, height, width = pixels.shape
    x = torch.from_numpy(pixels.reshape(n, height * width)).float().div_(255)
    return Images(x, torch.from_numpy(labels).long(), (height, width))


def binarised(images: Images, seed: int | None = None) -> Images:
    """The images in black and white, once and for all: every pixel 0 or 1.

    Args:
        seed: draw each pixel, 1 with its grey value as the probability; default: 1 above one half, else 0.
    """
    check_type("images", images, Images)
    check_unit_interval("images.x", images.x)
    if seed is None:
        return images._replace(x=(images.x > 0.5).to(images.x.dtype))
    check_count("seed", seed, at_least=0)
    return images._replace(x=torch.bernoulli(images.x, generator=torch.Generator().manual_seed(seed)))
