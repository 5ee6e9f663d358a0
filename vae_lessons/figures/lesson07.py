"""Figures that lesson 07 draws first: the KL of each latent, in theory and trained."""

from typing import NamedTuple, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from vae_lessons.figures.style import DROWNED, THEORY, TRAINED, plain_ticks


class KLPerLatent(NamedTuple):
    """What `plot_kl_per_latent` drew: moved by `move_kl_per_latent`."""

    bars: BarContainer
    dots: Line2D | None


def plot_kl_per_latent(
    ax: Axes, theory: ArrayLike, trained: ArrayLike | None = None, name: str = "trained MLP VAE"
) -> KLPerLatent:
    """KL of each latent: theory as bars, the trained model's (called `name`), sorted, as dots."""
    index = np.arange(1, len(np.asarray(theory)) + 1)
    bars, dots = ax.bar(index, theory, color=THEORY, label="theory (linear VAE)"), None
    if trained is not None:
        (dots,) = ax.plot(index, index, "o", color=TRAINED, clip_on=False, label=name)
    ax.set(xlabel="latent, largest KL first", ylabel="KL [nats per digit]", xticks=index)
    ax.legend(loc="upper right")
    artists = KLPerLatent(bars, dots)
    move_kl_per_latent(artists, theory, trained)
    return artists


def move_kl_per_latent(artists: KLPerLatent, theory: ArrayLike, trained: ArrayLike | None = None) -> None:
    """New numbers for `plot_kl_per_latent`."""
    for bar, height in zip(artists.bars, np.asarray(theory)):
        bar.set_height(height)
    if trained is not None:
        cast(Line2D, artists.dots).set_ydata(np.sort(trained)[::-1])


class Race(NamedTuple):
    """What `plot_race` drew: moved by `move_race`."""

    theory: Line2D
    trained: Line2D


def plot_race(ax: Axes, reach: int) -> Race:
    """Total KL over the last `reach` steps of a training that goes on; empty at first."""
    (theory,) = ax.plot([], [], color=THEORY, label="theory at this β")
    (trained,) = ax.plot([], [], color=TRAINED, label="training")
    ax.set_yscale("symlog", linthresh=1)
    ax.set(xlabel="steps ago", ylabel="total KL\n[nats per digit, symlog]", xlim=(-reach, 0), ylim=(-0.05, 30))
    plain_ticks(ax.yaxis, [0, 0.5, 1, 3, 10])
    ax.legend(loc="upper left")
    return Race(theory, trained)


def move_race(artists: Race, steps: ArrayLike, theory: ArrayLike, trained: ArrayLike) -> None:
    """Total KL in theory and in training at each of `steps`, the last of which is now."""
    steps = np.asarray(steps)
    ago = steps - steps[-1]
    artists.theory.set_data(ago, theory)
    artists.trained.set_data(ago, trained)


def plot_total_kl(
    ax: Axes, betas: ArrayLike, theory: ArrayLike, trained_betas: ArrayLike, trained: ArrayLike, thresholds: ArrayLike
) -> None:
    """Total KL against β on a log axis, with a tick on the upper edge where each direction drowns."""
    ax.plot(betas, theory, color=THEORY, label="theory (linear VAE)")
    ax.plot(trained_betas, trained, "o", color=TRAINED, label="trained MLP VAE", clip_on=False)
    for threshold in np.asarray(thresholds):
        ax.axvline(threshold, ymin=0.94, color=DROWNED, linewidth=1.2)
    ax.set(xscale="log", xlabel="β (log axis)", ylabel="total KL [nats per image]", ylim=(0, None))
    shown = np.asarray(betas)
    ticks = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50]
    plain_ticks(ax.xaxis, [tick for tick in ticks if shown.min() <= tick <= shown.max()])
    ax.legend(loc="lower left")


def plot_loss_profiles(ax: Axes, weights: ArrayLike, rise: ArrayLike, betas: ArrayLike) -> None:
    """The loss against w, above its value at w = 0: a row of `rise` (N, W) for each of `betas` (N,), minima as dots."""
    weights = np.asarray(weights)
    styles = ("-", "--", "-.", ":")
    for row, beta, style in zip(np.asarray(rise), np.asarray(betas), styles):
        is_dead = row.min() > -1e-9
        color = DROWNED if is_dead else THEORY
        ax.plot(weights, row, style, color=color, label=f"β = {beta:g}")
        minima = [0.0] if is_dead else np.array([-1, 1]) * abs(weights[row.argmin()])
        ax.plot(minima, np.full(len(minima), row.min()), "o", color=color)
    ax.axhline(0, color="black", linewidth=0.8, zorder=0)
    ax.set(xlabel="decoder weight w [pixel]", ylabel="loss − loss at w = 0\n[nats]")
    ax.legend(loc="upper center", ncols=2)


def plot_advantage(ax: Axes, betas: ArrayLike, advantage: ArrayLike) -> None:
    """How far each trained model's objective lies above the best linear one, against β on a log axis."""
    ax.axhline(0, color=THEORY, label="best linear VAE")
    ax.plot(betas, advantage, "o", color=TRAINED, label="trained MLP VAE", clip_on=False)
    ax.set(xscale="log", xlabel="β (log axis)", ylabel="objective − best linear\n[nats per digit]")
    plain_ticks(ax.xaxis, [0.1, 0.2, 0.5, 1, 2])
    ax.legend(loc="upper right")
