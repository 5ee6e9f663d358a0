"""Settings: every refusal word for word, Python's own numbers, and which models are trained together, in which order."""

import numpy as np
import pytest
import torch

from vae_lessons.settings import Setting, check_settings, grid, in_stacks

REFUSED = {
    "name": (lambda: grid(betas=[1]), ValueError, "betas is none of beta, noise_var, n_latents, n_hidden, seed"),
    "number": (lambda: grid(beta=1.0), TypeError, "beta must be a list of the values to try, got float"),
    "text": (lambda: grid(beta="12"), TypeError, "beta must be a list of the values to try, got str"),
    "bytes": (lambda: grid(seed=b"12"), TypeError, "seed must be a list of the values to try, got bytes"),
    "none": (lambda: grid(beta=[]), ValueError, "beta must have at least one value, got none"),
    "beta": (lambda: grid(beta=[1, -1]), ValueError, "beta must not be negative, got -1"),
    "beta, text": (lambda: grid(beta=["1"]), TypeError, "beta must be a number or a torch.Tensor, got str"),
    "noise_var": (lambda: grid(noise_var=[0.0]), ValueError, "noise_var must be positive, got 0"),
    "n_latents": (lambda: grid(n_latents=[0]), ValueError, "n_latents must be at least 1, got 0"),
    "n_hidden": (lambda: grid(n_hidden=[0]), ValueError, "n_hidden must be at least 1, got 0"),
    "seed": (lambda: grid(seed=[-1]), ValueError, "seed must be at least 0, got -1"),
    "no list": (lambda: check_settings(Setting), TypeError, "settings must be of type Sequence, got type"),
    "no settings": (lambda: check_settings([]), ValueError, "settings must hold at least one, got none"),
    "another tuple": (
        lambda: check_settings([Setting(), (1.0,)]),
        TypeError,
        "settings must hold nothing but `Setting`, got tuple",
    ),
    "beta in single precision": (
        lambda: check_settings([Setting(beta=1e60)], torch.float32),
        ValueError,
        "beta must be finite, got NaN or infinite entries",
    ),
    "noise_var in single precision": (
        lambda: check_settings([Setting(noise_var=1e-60)], torch.float32),
        ValueError,
        "noise_var must be positive, got 0",
    ),
}


@pytest.mark.parametrize(("call", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_a_refusal_names_what_came(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message


def test_a_setting_is_the_course_model_unless_told_otherwise():
    assert Setting() == (1.0, 0.5, 8, 100, 0) and grid() == [Setting()]


def test_settings_come_back_in_pythons_own_numbers():
    (one,) = grid(beta=np.array([0.0]), noise_var=[np.float64(2)], n_latents=[np.int64(1)], n_hidden=[np.int64(1)])
    assert one == (0.0, 2.0, 1, 1, 0) and [type(value) for value in one] == [float, float, int, int, int]
    assert check_settings([Setting(beta=1e60, noise_var=1e-60)])[0].beta == 1e60


def test_the_widest_come_first_and_seeds_stand_side_by_side():
    settings = grid(beta=[1, 2], n_latents=[2, 3], n_hidden=[4, 7], seed=[0, 1])
    stacks = in_stacks(settings[::-1] + settings, 3)
    assert [[(s.n_hidden, s.n_latents, s.seed, s.beta) for s in stack] for stack in stacks] == [
        part
        for width, latents in ((7, 3), (7, 2), (4, 3), (4, 2))
        for part in (
            [(width, latents, 0, 1), (width, latents, 0, 2)],
            [(width, latents, 1, 1), (width, latents, 1, 2)],
        )
    ]


@pytest.mark.parametrize(("at_most", "sizes"), [(1, [1] * 7), (2, [1, 2, 2, 2]), (3, [2, 2, 3]), (7, [7]), (99, [7])])
def test_parts_are_as_few_as_can_be_and_nearly_equal(at_most, sizes):
    assert sorted(map(len, in_stacks(grid(beta=range(7)), at_most))) == sizes
