"""Figures that lesson 06 draws first: the spectrum of the data under its water, and what recipes pay."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from numpy.typing import ArrayLike

from vae_lessons.figures.style import DROWNED, THEORY, TRAINED, WATER


class SpectrumArtists(NamedTuple):
    """What `plot_spectrum` drew: moved by `move_water`."""

    bars: BarContainer
    water: Rectangle
    surface: Line2D
    label: Text


def plot_spectrum(ax: Axes, eigenvalues: ArrayLike, level: float, n_latents: int, n_shown: int = 16) -> SpectrumArtists:
    """The signature: eigenvalues as bars, the water level βσ_x² over them, what drowned in grey.

    A bar above the water that has no latent, because K are taken, is hollow.
    """
    shown = np.asarray(eigenvalues)[:n_shown]
    index = np.arange(1, len(shown) + 1)
    bars = ax.bar(index, shown)
    water = Rectangle((0, 0), 1, level, transform=ax.get_yaxis_transform(), color=WATER, alpha=0.35)
    ax.add_patch(water)
    surface = ax.axhline(level, color=THEORY, linewidth=1.2)
    label = ax.text(0.99, 0.96, "", transform=ax.transAxes, ha="right", va="top")
    ax.set(xlabel="principal direction i", ylabel="eigenvalue λᵢ [pixel²]")
    ax.set(xlim=(0.3, index[-1] + 0.7), ylim=(0, 1.75 * shown[0]))
    artists = SpectrumArtists(bars, water, surface, label)
    move_water(artists, level, n_latents)
    return artists


def move_water(artists: SpectrumArtists, level: float, n_latents: int) -> None:
    """Raise or lower the water of `plot_spectrum`."""
    for index, bar in enumerate(artists.bars):
        above = bar.get_height() > level
        bar.set_facecolor(DROWNED if not above else THEORY if index < n_latents else "white")
        bar.set_edgecolor(THEORY if above else DROWNED)
    artists.water.set_height(level)
    artists.surface.set_ydata([level, level])
    artists.label.set_text(f"water level βσₓ² = {level:.2g}")


def plot_errors(ax: Axes, errors: ArrayLike) -> Line2D:
    """Squared error left in each principal direction, as dots over `plot_spectrum`: move with ``set_ydata``."""
    index = np.arange(1, len(np.asarray(errors)) + 1)
    return ax.plot(index, errors, "o", color=TRAINED, label="error of the trained model")[0]


def plot_recipes(ax: Axes, kls: Mapping[str, ArrayLike], alive_above: float) -> None:
    """The KL of each latent (K,), largest first, of up to three models by name, and the line above which one is alive."""
    styles = ((TRAINED, "o", "-"), (THEORY, "s", "--"), (DROWNED, "^", ":"))
    for (name, kl), (colour, marker, line) in zip(kls.items(), styles):
        index = np.arange(1, len(np.asarray(kl)) + 1)
        ax.plot(index, kl, color=colour, marker=marker, linestyle=line, linewidth=1.2, label=name, clip_on=False)
    ax.axhline(alive_above, color="black", linewidth=0.8)
    ax.text(0.995, alive_above, "alive above this line", transform=ax.get_yaxis_transform(), ha="right", va="bottom")
    ax.set(xlabel="latent, largest KL first", ylabel="KL [nats per digit]", xticks=index, ylim=(0, None))
    ax.legend(loc="upper right")
