"""Figures by what they draw, and their colours by what eyes can tell apart."""

from itertools import combinations

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt

from vae_lessons import figures


def test_tiles_keep_every_image_in_its_place():
    images = torch.arange(6.0)[:, None] * torch.ones(1, 4)
    picture = figures.tile(images, (2, 2), columns=3)
    assert picture.shape == (5, 8)
    corners = [picture[3 * (i // 3), 3 * (i % 3)] for i in range(6)]
    assert corners == [0, 1, 2, 3, 4, 5]
    with pytest.raises(ValueError, match="columns must divide the number of images, 6, got 4"):
        figures.tile(images, (2, 2), columns=4)


def test_spectrum_shows_live_drowned_and_unheld_bars():
    fig, ax = plt.subplots()
    figures.plot_spectrum(ax, [3.0, 2.0, 1.0, 0.5], level=0.9, n_latents=2)
    colours = [plt.matplotlib.colors.to_hex(bar.get_facecolor()).upper() for bar in ax.patches[:4]]
    assert colours == [figures.THEORY, figures.THEORY, "#FFFFFF", figures.DROWNED.upper()]
    assert [bar.get_height() for bar in ax.patches[:4]] == [3.0, 2.0, 1.0, 0.5]
    plt.close(fig)


def test_kl_dots_are_sorted_and_bars_are_the_theory():
    fig, ax = plt.subplots()
    figures.plot_kl_per_latent(ax, [0.5, 0.2, 0.0], torch.tensor([0.1, 0.6, 0.3]))
    assert [bar.get_height() for bar in ax.patches] == [0.5, 0.2, 0.0]
    assert ax.lines[0].get_ydata() == pytest.approx([0.6, 0.3, 0.1])
    plt.close(fig)


def test_every_figure_names_its_axes():
    fig, axes = plt.subplots(2, 4)
    a = axes.ravel()
    figures.plot_densities(a[0], 1.0, 0.5)
    figures.plot_integrand(a[1], [-1.0, 0.0, 1.0], [0.1, -0.1, 0.2])
    figures.plot_kl_curve(a[2], [0.5, 1.0], [0.2, 0.0], (0.5, 0.2), -1.5)
    figures.plot_estimates(a[3], [1.0, 1.1, 0.9], 1.0, 0.1)
    figures.plot_history(a[4], a[5], [1.0, 2.0], np.ones((2, 3)))
    figures.plot_latent_map(a[6], np.zeros((3, 2)), np.array([0, 1, 1]), ("one", "two"))
    figures.plot_total_kl(a[7], [0.1, 1.0], [2.0, 0.0], [0.5], [1.0], [0.9])
    assert all(ax.get_xlabel() and ax.get_ylabel() for ax in a)
    plt.close(fig)


def test_shown_figures_carry_their_text(capsys):
    fig, _ = plt.subplots()
    figures.show(fig, "what it shows")
    assert not plt.fignum_exists(fig.number)


COLOURS = {name: getattr(figures, name) for name in ("THEORY", "TRAINED", "DROWNED")}


PAIRS = list(combinations(COLOURS, 2))


# How three kinds of colour-blind eyes see linear RGB (Machado, Oliveira, Fernandes, 2009, severity 1).
EYES = {
    "usual": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear_rgb(colour: str) -> np.ndarray:
    """#RRGGBB without its gamma."""
    rgb = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def cielab(rgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of linear RGB: distances are what eyes tell apart, and L* is what greyscale keeps."""
    xyz = TO_XYZ @ rgb.clip(0, 1) / TO_XYZ.sum(1)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("name", COLOURS)
def test_colours_stand_out_from_white(name):
    """Three to one is what WCAG asks of graphics."""
    luminance = (TO_XYZ @ linear_rgb(COLOURS[name]))[1]
    assert 1.05 / (luminance + 0.05) > 3


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize(("one", "two"), PAIRS)
def test_colour_blind_eyes_tell_colours_apart(one, two, eyes):
    seen = [cielab(np.array(EYES[eyes]) @ linear_rgb(COLOURS[name])) for name in (one, two)]
    assert np.linalg.norm(seen[0] - seen[1]) > 25  # 2.3 is just noticeable, side by side


@pytest.mark.parametrize(("one", "two"), PAIRS)
def test_greyscale_tells_colours_apart(one, two):
    lightness = [cielab(linear_rgb(COLOURS[name]))[0] for name in (one, two)]
    assert abs(lightness[0] - lightness[1]) > 12


def test_figures_without_a_named_colour_begin_with_the_same_two():
    with plt.style.context("vae_lessons.course"):
        cycle = plt.rcParams["axes.prop_cycle"].by_key()["color"]
    assert [f"#{colour.lstrip('#')}".upper() for colour in cycle[:2]] == [figures.THEORY, figures.TRAINED]
