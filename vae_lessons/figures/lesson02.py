"""Figures that lesson 02 draws first: repeated estimates."""

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from vae_lessons.figures.style import THEORY, TRAINED, normal_density


def plot_estimates(ax: Axes, estimates: ArrayLike, truth: float, predicted_std: float) -> None:
    """A histogram of repeated estimates, and the normal curve predicted for them."""
    estimates = np.asarray(estimates)
    width = 4.5 * predicted_std
    bins = np.linspace(truth - width, truth + width, 46)
    ax.hist(estimates, bins=bins, density=True, color=TRAINED, alpha=0.5, label="measured")
    grid = np.linspace(bins[0], bins[-1], 201)
    ax.plot(grid, normal_density(grid, truth, predicted_std), color=THEORY, label="predicted")
    ax.axvline(truth, color=THEORY, linestyle=":", linewidth=1.2, label="closed form")
    ax.set(xlabel="estimate of the KL [nats]", ylabel="density")
    ax.legend(loc="upper left")
