"""Data sets of four files in the IDX format, in a folder or from public mirrors, each file known by its hash.

`data.mnist` and `data.fashion_mnist` (lesson 10) read through here, and so may any data set of this format.
"""

import gzip
import hashlib
import os
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

VARIABLE = "VAE_LESSONS_DATA"
GZIP = b"\x1f\x8b"  # how every packed file begins


class File(NamedTuple):
    """One file of a data set.

    Attributes:
        name: without ".gz".
        packed: SHA-256 of the gzipped file that the mirrors serve.
        unpacked: SHA-256 of the bytes within, whoever packed them.
    """

    name: str
    packed: str
    unpacked: str


class Source(NamedTuple):
    """Where a data set comes from.

    Attributes:
        name: of the data set, and of its folder.
        mirrors: addresses of folders, tried in this order.
        files: images and labels to train with, then images and labels to test with.
    """

    name: str
    mirrors: tuple[str, ...]
    files: tuple[File, File, File, File]


# The unpacked bytes are the original distribution's, and MD5 has the values that its users have published for long.
MNIST = Source(
    "mnist",
    ("https://ossci-datasets.s3.amazonaws.com/mnist", "https://storage.googleapis.com/cvdf-datasets/mnist"),
    (
        File(
            "train-images-idx3-ubyte",
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        ),
        File(
            "train-labels-idx1-ubyte",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        ),
        File(
            "t10k-images-idx3-ubyte",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        ),
        File(
            "t10k-labels-idx1-ubyte",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    ),
)

# The packed hashes are those of TensorFlow Datasets; the MD5 beside them elsewhere are those of the authors' README.
FASHION_MNIST = Source(
    "fashion-mnist",
    (
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
    ),
    (
        File(
            "train-images-idx3-ubyte",
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        ),
        File(
            "train-labels-idx1-ubyte",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        ),
        File(
            "t10k-images-idx3-ubyte",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        ),
        File(
            "t10k-labels-idx1-ubyte",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
    ),
)


def arrays(source: Source, folder: str | Path | None = None, cache: Path | None = None) -> list[NDArray[np.uint8]]:
    """What the four files hold: images (N, H, W) and labels (N,) to train with, then those to test with.

    Args:
        folder: holds the files, or has a folder of the data set's name that does; default: what VAE_LESSONS_DATA
            names, or else what was downloaded, now or before.
        cache: where downloads are kept; default: the user's cache folder.

    Raises:
        TypeError: folder is no path.
        FileNotFoundError: the folder, or one of its files, is not there.
        ValueError: a file is damaged, or is another than its name says.
        Unavailable: an `OSError` of `downloads`; no mirror served the files, or they cannot be kept.
    """
    place = _named(source, folder)
    if place is None:
        from vae_lessons.downloads import download  # its packages cost time and memory, and few kernels need them

        place = download(source, cache)
    return [_read(place, file) for file in source.files]


# A folder with the files ------------------------------------------------------------------------


def _named(source: Source, folder: str | Path | None) -> Path | None:
    """The folder that the argument or the environment names, if one of them does."""
    who, named = ("folder", folder) if folder is not None else (VARIABLE, os.environ.get(VARIABLE) or None)
    if named is None:
        return None
    if not isinstance(named, (str, os.PathLike)):
        raise TypeError(f"{who} must be a path, got {type(named).__name__}")
    place = Path(named).expanduser()
    if not place.is_dir():
        raise FileNotFoundError(f"{who} must name a folder, got {str(place)!r}, which is none")
    return place / source.name if (place / source.name).is_dir() else place


def _read(folder: Path, file: File) -> NDArray[np.uint8]:
    """One file, packed or not, once its bytes are known to be the right ones."""
    path = next((path for path in (folder / file.name, folder / f"{file.name}.gz") if path.exists()), None)
    if path is None:
        raise FileNotFoundError(f"{folder} has neither {file.name} nor {file.name}.gz")
    data = path.read_bytes()
    if data.startswith(GZIP):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"{path} is damaged or incomplete: {error}") from None
    array = parsed(data, str(path))
    if (found := hashlib.sha256(data).hexdigest()) != file.unpacked:
        told = f"unpacked, its SHA-256 must be {file.unpacked}, got {found}"
        raise ValueError(f"{path} is {_known(found)}, not the file of its name: {told}")
    return array


def _known(found: str) -> str:
    """What a file of this hash is."""
    names = {
        file.unpacked: f"{file.name} of {source.name}" for source in (MNIST, FASHION_MNIST) for file in source.files
    }
    return names.get(found, "changed or another file")


def parsed(data: bytes, name: str) -> NDArray[np.uint8]:
    """The array of bytes in a file of the IDX format: 0, 0, type, number of axes, a length for each axis, then the bytes.

    Raises:
        ValueError: another format, another type than bytes, or more or fewer bytes than announced; it starts with `name`.
    """
    if data[:3] != b"\x00\x00\x08" or len(data) < 4 or len(data) < 4 + 4 * data[3]:
        raise ValueError(f"{name} must be bytes in the IDX format, got a file that begins with {data[:4]!r}")
    shape = np.frombuffer(data, ">u4", data[3], offset=4).tolist()
    values = np.frombuffer(data, np.uint8, offset=4 + 4 * data[3])
    if values.size != np.prod(shape, dtype=object):
        raise ValueError(f"{name} announces the shape {tuple(shape)} but has {values.size} bytes for it")
    return values.reshape(shape)
