"""Figures that lesson 04 draws first: two gradient estimators."""

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from vae_lessons.figures.style import THEORY, TRAINED


def plot_gradient_samples(ax: Axes, by_score: ArrayLike, by_path: ArrayLike, truth: float) -> None:
    """Histograms of single-sample gradients of two estimators; what lies outside the axes is counted."""
    limits = (truth - 40, truth + 40)
    outside = float(np.mean(np.abs(np.asarray(by_score) - truth) > 40))
    label = f"score ({outside:.0%} outside the picture)"
    ax.hist(by_score, bins=80, range=limits, density=True, color=TRAINED, alpha=0.6, label=label)
    ax.hist(by_path, bins=80, range=limits, density=True, color=THEORY, alpha=0.7, label="reparameterised")
    ax.axvline(truth, color="black", linestyle=":", linewidth=1.2, label=f"true gradient {truth:g}")
    ax.set(
        xlabel="one sample's gradient with respect to μ", ylabel="density", xlim=limits, yscale="log", ylim=(1e-4, 2)
    )
    ax.legend(loc="upper left")
