"""Figures that lesson 05 draws first: a training, several seeds side by side, a map of the latents."""

from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from vae_lessons.figures.style import DROWNED, TRAINED


def plot_history(ax_elbo: Axes, ax_kl: Axes, elbo: ArrayLike, kl: ArrayLike) -> None:
    """Per epoch: the ELBO (E,), and the KL of each latent (E, K)."""
    epochs = np.arange(1, len(np.asarray(elbo)) + 1)
    ax_elbo.plot(epochs, np.asarray(elbo), color=TRAINED)
    ax_elbo.set(xlabel="epoch", ylabel="ELBO [nats per digit]")
    ax_kl.plot(epochs, np.asarray(kl), color=TRAINED, linewidth=1, alpha=0.7)
    ax_kl.set(xlabel="epoch", ylabel="KL [nats]", ylim=(0, None), title="one line for each latent")


def plot_seeds(ax_kl: Axes, ax_elbo: Axes, kl: ArrayLike, elbo: ArrayLike, has_dead: ArrayLike) -> None:
    """M models: their KLs (M, K), sorted, as lines, and total KL against ELBO (M,) as dots.

    Models that have a dead latent, (M,) bool, are grey, with hollow dots.
    """
    kl, elbo, has_dead = np.asarray(kl), np.asarray(elbo), np.asarray(has_dead)
    index = np.arange(1, kl.shape[1] + 1)
    groups = ((~has_dead, TRAINED, TRAINED, "all alive"), (has_dead, DROWNED, "white", "a dead latent"))
    for chosen, colour, face, label in groups:
        style: dict[str, Any] = {"color": colour, "marker": "o", "markerfacecolor": face, "clip_on": False}
        ax_kl.plot(index, -np.sort(-kl[chosen]).T, linewidth=1, markersize=4, **style)
        ax_elbo.plot(kl[chosen].sum(1), elbo[chosen], linestyle="none", label=label, **style)
    ax_kl.set(xlabel="latent, largest KL first", ylabel="KL [nats per digit]", xticks=index, ylim=(0, None))
    ax_elbo.set(xlabel="total KL [nats per digit]", ylabel="ELBO [nats per digit]")
    ax_elbo.legend(loc="lower right")


def plot_latent_map(ax: Axes, z: ArrayLike, labels: ArrayLike, names: tuple[str, str]) -> None:
    """Two coordinates of z (N, 2), each point drawn as its digit: readable without colour."""
    z, labels = np.asarray(z), np.asarray(labels)
    colours = plt.get_cmap("tab10")
    for label in np.unique(labels):
        x, y = z[labels == label].T
        ax.scatter(x, y, marker=f"${label}$", s=28, linewidths=0.4, color=colours(int(label)))
    ax.set(xlabel=names[0], ylabel=names[1])
