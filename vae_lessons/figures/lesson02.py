"""Figures that lesson 02 draws first: repeated estimates, and three estimators of the KL."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from vae_lessons.figures.style import DROWNED, THEORY, TRAINED, normal_density


def plot_estimates(ax: Axes, estimates: ArrayLike, truth: float, predicted_std: float) -> None:
    """A histogram of repeated estimates, and the normal curve predicted for them."""
    estimates = np.asarray(estimates)
    width = 4.5 * predicted_std
    bins = np.linspace(truth - width, truth + width, 46)
    ax.hist(estimates, bins=bins.tolist(), density=True, color=TRAINED, alpha=0.5, label="measured")
    grid = np.linspace(bins[0], bins[-1], 201)
    ax.plot(grid, normal_density(grid, truth, predicted_std), color=THEORY, label="predicted")
    ax.axvline(truth, color=THEORY, linestyle=":", linewidth=1.2, label="closed form")
    ax.set(xlabel="estimate of the KL [nats]", ylabel="density")
    ax.legend(loc="upper left")


def plot_kl_estimators(ax: Axes, log_r: ArrayLike, curves: Mapping[str, ArrayLike], band: ArrayLike) -> None:
    """k1, k2 and k3 against log r, over the `band` (low, high) that holds most draws."""
    low, high = np.asarray(band)
    ax.axvspan(low, high, color=DROWNED, alpha=0.2, linewidth=0)
    ax.axhline(0, color=DROWNED, linewidth=0.8)
    styles = {"k1": (THEORY, "-"), "k2": (DROWNED, "--"), "k3": (TRAINED, "-")}
    for name, curve in curves.items():
        colour, line = styles[name]
        ax.plot(log_r, curve, color=colour, linestyle=line, label=name)
    ax.set(xlabel="log r = log p(z) − log q(z)  [nats]", ylabel="estimate of one draw [nats]")
    ax.legend(loc="upper center")
