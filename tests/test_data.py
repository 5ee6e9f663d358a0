"""The data are what they are called, and a test set that is none is refused."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from vae_lessons.data import Images, binarised, digits, fashion_mnist, mnist, resampled, split
from vae_lessons.idx import FASHION_MNIST, MNIST, VARIABLE, File


def test_digits_are_those_of_scikit_learn():
    """They are read from its file, without importing it: that is its only private part we lean on."""
    bunch, images = load_digits(), digits()
    assert images.shape == (8, 8) and images.x.dtype == torch.float32 and images.labels.dtype == torch.int64
    assert np.array_equal(images.x.numpy() * 16, bunch.data) and np.array_equal(images.labels.numpy(), bunch.target)


def test_train_and_test_share_no_image():
    images = digits()
    train, test = split(images, n_test=297)
    assert len(test.x) == 297 and len(train.x) + len(test.x) == len(images.x)
    together = torch.cat([train.x, test.x])
    assert torch.equal(together.sum(0), images.x.sum(0))


@pytest.mark.thorough
def test_a_kernel_need_not_load_what_it_does_not_use():
    """Fifty megabytes for each of thirty learners: scikit-learn and scipy.stats are imported by no module of ours."""
    modules = "bounds, data, figures, gaussian, lab, model, montecarlo, objective, recipes, sliders, spectrum, stacks, training"
    code = f"import sys; from vae_lessons import {modules}; data.digits(); print(sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "'torch'" in loaded
    assert not [name for name in ("sklearn", "scipy.stats", "pooch", "requests") if f"'{name}'" in loaded]


def test_digits_are_all_there_and_split_without_overlap():
    images = digits()
    assert (tuple(images.x.shape), images.x.dtype, images.shape) == ((1797, 64), torch.float32, (8, 8))
    assert (images.x.min(), images.x.max(), images.labels.unique().tolist()) == (0, 1, list(range(10)))
    train, test = split(images, n_test=297, seed=1)
    assert len(torch.cat([train.x, test.x]).unique(dim=0)) == len(images.x.unique(dim=0))
    assert (len(train.x), len(test.x)) == (1500, 297)
    assert not torch.equal(test.x, split(images, n_test=297, seed=2)[1].x)


def test_a_test_set_of_everything_is_refused():
    with pytest.raises(ValueError, match="n_test must lie between 1 and 1796, got 1797"):
        split(digits(), 1797)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"n_test": 2.0}, TypeError, "n_test must be an int, got float"),
        ({"seed": "0"}, TypeError, "seed must be an int, got str"),
        ({"images": digits().x}, TypeError, "images must be of type Images, got Tensor"),
    ],
)
def test_a_bad_split_is_named(change, error, message):
    with pytest.raises(error, match=message):
        split(**{"images": digits(), "n_test": 2} | change)


# MNIST and Fashion-MNIST ------------------------------------------------------------------------

READERS = {"mnist": (mnist, MNIST), "fashion_mnist": (fashion_mnist, FASHION_MNIST)}


def rows(x: torch.Tensor) -> list[bytes]:
    return [row.tobytes() for row in x.mul(255).byte().numpy()]


@pytest.fixture(scope="module")
def real():
    """Both parts of MNIST."""
    if not os.environ.get(VARIABLE):
        pytest.skip(f"needs MNIST: {VARIABLE} names no folder with its files")
    return mnist()


def test_mnist_is_mnist(real):
    """The published sizes, the first labels, and the mean and deviation of the training pixels in public examples."""
    train, test = real
    assert (train.x.shape, test.x.shape, train.shape, test.shape) == ((60000, 784), (10000, 784), (28, 28), (28, 28))
    assert train.x.dtype == torch.float32 and train.labels.dtype == torch.int64
    assert train.labels[:5].tolist() == [5, 0, 4, 1, 9] and test.labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert (train.x.min(), train.x.max()) == (0, 1)
    assert f"{train.x.mean():.4f} {train.x.std():.4f}" == "0.1307 0.3081"


def test_no_test_image_of_mnist_is_a_training_image(real):
    """None is in both parts, and none twice in one; in black and white, cut at one half, 9 test images have a twin."""
    train, test = (rows(part.x) for part in real)
    assert len(set(train) | set(test)) == 70000
    train, test = (rows(binarised(part).x) for part in real)
    train = set(train)
    assert sum(row in train for row in test) == 9
    train, test = (rows(binarised(part, seed=1).x) for part in real)
    assert set(train).isdisjoint(test)


@pytest.fixture
def fakes(tmp_path, monkeypatch):
    """A folder with two small data sets, whose hashes the two functions are made to expect; returns what is in them."""
    made = {}
    for number, (name, (_, source)) in enumerate(READERS.items()):
        (tmp_path / source.name).mkdir()
        files, pixels = [], np.random.default_rng(number).integers(0, 256, (9, 2, 3), dtype=np.uint8)
        made[name] = (pixels[:6], np.arange(6, dtype=np.uint8), pixels[6:], np.arange(3, dtype=np.uint8))
        for file, array in zip(source.files, made[name]):
            data = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()
            (tmp_path / source.name / file.name).write_bytes(data)
            files.append(File(file.name, "", hashlib.sha256(data).hexdigest()))
        monkeypatch.setattr(f"vae_lessons.data.{name.upper()}", source._replace(files=tuple(files), mirrors=()))
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    return made


@pytest.mark.parametrize("name", READERS)
def test_both_parts_come_from_their_own_files(fakes, name):
    """Grey values of 0–255 become 0–1; what trains and what tests are told apart by name, and by hash too."""
    for part, pixels, labels in zip(READERS[name][0](), fakes[name][::2], fakes[name][1::2]):
        assert part.x.dtype == torch.float32 and part.shape == (2, 3)
        assert np.array_equal(part.x.numpy(), pixels.reshape(-1, 6).astype(np.float32) / np.float32(255))
        assert part.labels.dtype == torch.int64 and np.array_equal(part.labels.numpy(), labels)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("what", ["images-idx3", "labels-idx1"])
def test_test_files_in_the_place_of_training_files_are_refused(fakes, tmp_path, name, what):
    reader, source = READERS[name]
    train, test = (tmp_path / source.name / f"{part}-{what}-ubyte" for part in ("train", "t10k"))
    train.write_bytes(test.read_bytes())
    with pytest.raises(ValueError, match=f"{train.name} is .*, not the file of its name"):
        reader(tmp_path)


# Black and white --------------------------------------------------------------------------------

GREY = Images(torch.tensor([[0.0, 0.5, 0.501, 1.0]]).repeat(20000, 1), torch.zeros(20000, dtype=torch.int64), (2, 2))


def test_a_threshold_of_one_half():
    images = binarised(GREY)
    assert images.x[0].tolist() == [0, 0, 1, 1] and images.x.dtype == GREY.x.dtype
    assert images.labels is GREY.labels and images.shape == GREY.shape


def test_a_seed_draws_once():
    """Zeros and ones whose means are the grey values, to 4 standard errors; black and white stay what they are."""
    images = binarised(GREY, seed=1)
    assert set(images.x.unique().tolist()) == {0, 1} and images.x.dtype == GREY.x.dtype
    assert (images.x.mean(0) - GREY.x[0]).abs().max() < 4 * 0.5 / len(GREY.x) ** 0.5
    assert images.x[:, 0].max() == 0 and images.x[:, 3].min() == 1
    assert torch.equal(images.x, binarised(GREY, seed=1).x) and not torch.equal(images.x, binarised(GREY, seed=2).x)


def test_every_epoch_draws_anew():
    """The first draw is that of `binarised`, and the next differs in half of the pixels at one half."""
    generator = torch.Generator().manual_seed(1)
    first, second = (resampled(GREY.x, generator) for _ in range(2))
    assert torch.equal(first, binarised(GREY, seed=1).x)
    assert (first != second)[:, 1].double().mean().item() == pytest.approx(0.5, abs=4 * 0.5 / len(GREY.x) ** 0.5)
    assert torch.equal(GREY.x[0], torch.tensor([0.0, 0.5, 0.501, 1.0])), "the grey pixels stay as they are"


def test_other_pixels_than_grey_ones_are_refused():
    for bad in (GREY.x * 255, GREY.x - 0.1):
        with pytest.raises(ValueError, match=r"images.x must lie in \[0, 1\], got values from"):
            binarised(GREY._replace(x=bad))
        with pytest.raises(ValueError, match=r"x must lie in \[0, 1\], got values from"):
            resampled(bad, torch.Generator())
    with pytest.raises(TypeError, match=r"x must be a floating-point tensor, float32 or float64, got torch\.uint8"):
        resampled(GREY.x.byte(), torch.Generator())
