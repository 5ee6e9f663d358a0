"""Figures that lesson 05 draws first: a training, and a map of the latents."""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from vae_lessons.figures.style import TRAINED


def plot_history(ax_elbo: Axes, ax_kl: Axes, elbo: ArrayLike, kl: ArrayLike) -> None:
    """Per epoch: the ELBO (E,), and the KL of each latent (E, K)."""
    epochs = np.arange(1, len(np.asarray(elbo)) + 1)
    ax_elbo.plot(epochs, np.asarray(elbo), color=TRAINED)
    ax_elbo.set(xlabel="epoch", ylabel="ELBO [nats per digit]")
    ax_kl.plot(epochs, np.asarray(kl), color=TRAINED, linewidth=1, alpha=0.7)
    ax_kl.set(xlabel="epoch", ylabel="KL [nats]", ylim=(0, None), title="one line for each latent")


def plot_latent_map(ax: Axes, z: ArrayLike, labels: ArrayLike, names: tuple[str, str]) -> None:
    """Two coordinates of z (N, 2), each point drawn as its digit: readable without colour."""
    z, labels = np.asarray(z), np.asarray(labels)
    colours = plt.get_cmap("tab10")
    for label in np.unique(labels):
        chosen = z[labels == label]
        ax.scatter(*chosen.T, marker=f"${label}$", s=28, linewidths=0.4, color=colours(int(label)))
    ax.set(xlabel=names[0], ylabel=names[1])
