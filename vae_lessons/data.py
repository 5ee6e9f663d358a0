"""Data sets: scikit-learn's handwritten digits, which need no network (from notebook 00 on), and MNIST (lesson 10)."""

from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vae_lessons.checks import check_count, check_tensor, check_type, check_unit_interval
from vae_lessons.idx import FASHION_MNIST, MNIST, Source, arrays


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
    """MNIST as it comes, handwritten digits of 28×28 pixels: 60 000 to train with, 10 000 to test with (lesson 10).

    Source: Y. LeCun, C. Cortes and C. J. C. Burges, "The MNIST database of handwritten digits" (1998). No two of its
    images are equal, and so none is in both parts; in black and white, cut at one half, 9 of the test images have a
    twin among the training images. In memory it takes 220 MB.

    Args:
        folder: holds the four files, packed or not, or a folder "mnist" with them; default: the folder that the
            environment variable VAE_LESSONS_DATA names, or else 12 MB are downloaded once, into the user's cache folder.

    Raises:
        TypeError: folder is no path.
        FileNotFoundError: the folder, or one of its files, is not there.
        ValueError: a file is damaged, or is another than its name says.
        Unavailable: an `OSError` of `downloads`; the files can neither be downloaded nor found in the cache.
    """
    return _parts(MNIST, folder)


def fashion_mnist(folder: str | Path | None = None) -> tuple[Images, Images]:
    """Fashion-MNIST as it comes, clothes in grey in the format of MNIST: 60 000 and 10 000 of 28×28 pixels (lesson 10).

    Source: H. Xiao, K. Rasul and R. Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning
    Algorithms", arXiv:1708.07747 (2017).

    Args:
        folder: as for `mnist`, but with a folder "fashion-mnist", so that one folder can hold both; or else 31 MB.

    Raises:
        TypeError, FileNotFoundError, ValueError, Unavailable: as `mnist`.
    """
    return _parts(FASHION_MNIST, folder)


def _parts(source: Source, folder: str | Path | None) -> tuple[Images, Images]:
    train, train_labels, test, test_labels = arrays(source, folder)
    return _images(train, train_labels), _images(test, test_labels)


def _images(pixels: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Images:
    n, height, width = pixels.shape
    x = np.divide(pixels.reshape(n, height * width), 255, dtype=np.float32)
    return Images(torch.from_numpy(x), torch.from_numpy(labels.astype(np.int64)), (height, width))


def binarised(images: Images, seed: int | None = None) -> Images:
    """The images in black and white, once and for all: each pixel is 0 or 1 (lesson 10).

    Args:
        seed: draw each pixel, 1 with its grey value as its probability, as `resampled` does; by default nothing is
            drawn: a pixel is 1 if its grey value is above one half.

    Raises:
        TypeError, ValueError: no `Images`, pixels outside [0, 1], or no seed.
    """
    check_type("images", images, Images)
    check_tensor("images.x", images.x, "(N, D)")
    check_unit_interval("images.x", images.x)
    if seed is None:
        return images._replace(x=(images.x > 0.5).to(images.x.dtype))
    check_count("seed", seed, at_least=0)
    generator = torch.Generator(images.x.device).manual_seed(seed)
    return images._replace(x=resampled(images.x, generator))


def resampled(x: Tensor, generator: torch.Generator) -> Tensor:
    """Black and white pixels drawn anew from grey ones, each 1 with its grey value as its probability (lesson 10).

    Called for each minibatch, it trains on new pixels in every epoch, as Y. Burda, R. Grosse and R. Salakhutdinov do in
    "Importance Weighted Autoencoders" (2016): ``for grey in shuffled(x, 100, generator): x = resampled(grey, generator)``.

    Args:
        x: (..., D) in [0, 1]
        generator: on the device of x; two calls with it give different pixels.

    Returns:
        (..., D), zeros and ones of the dtype of x; its mean over many draws is x.

    Raises:
        TypeError, ValueError: x not floating point or not in [0, 1], or no generator.
    """
    check_unit_interval("x", x)
    check_type("generator", generator, torch.Generator)
    return torch.bernoulli(x, generator=generator)
