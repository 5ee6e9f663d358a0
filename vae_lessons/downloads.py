"""Files of images in the IDX format, which a folder holds or a mirror serves, each known by its hash."""

import gzip
import hashlib
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class File(NamedTuple):
    """One file in the IDX format."""

    name: str
    sha256: str  # of the bytes when unpacked


class Source(NamedTuple):
    """A data set: images and labels to train with, then images and labels to test with."""

    name: str
    files: tuple[File, File, File, File]


MNIST = Source(
    "mnist",
    (
        File("train-images-idx3-ubyte", "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
        File("train-labels-idx1-ubyte", "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
        File("t10k-images-idx3-ubyte", "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
        File("t10k-labels-idx1-ubyte", "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
    ),
)


def unpacked(source: Source, file: File, folder: str | Path | None = None) -> NDArray[np.uint8]:
    folder = Path(folder or os.environ["VAE_LESSONS_DATA"])
    plain = folder / file.name
    data = plain.read_bytes() if plain.exists() else gzip.decompress((folder / f"{file.name}.gz").read_bytes())
    if (found := hashlib.sha256(data).hexdigest()) != file.sha256:
        raise ValueError(f"{file.name} in {folder} has the SHA-256 {found} when unpacked, not {file.sha256}")
    return parsed(data)


def parsed(data: bytes) -> NDArray[np.uint8]:
    n_axes = data[3]
    shape = np.frombuffer(data, ">u4", n_axes, offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * n_axes).reshape(shape).copy()
