"""The data are what they are called, and a test set that is none is refused."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from vae_lessons.data import digits, split


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


def test_a_kernel_need_not_load_what_it_does_not_use():
    """Fifty megabytes for each of thirty learners: scikit-learn and scipy.stats are imported by no module of ours."""
    modules = "bounds, data, figures, gaussian, lab, model, montecarlo, objective, recipes, sliders, spectrum, stacks, training"
    code = f"import sys; from vae_lessons import {modules}; data.digits(); print(sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "'torch'" in loaded and "'sklearn'" not in loaded and "'scipy.stats'" not in loaded


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
