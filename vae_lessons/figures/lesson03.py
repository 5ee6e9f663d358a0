"""Figures that lesson 03 draws first: q beside the posterior, the gap below log p(x), and what a gap explains."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from vae_lessons.figures.style import DROWNED, THEORY, TRAINED, normal_density


def plot_q_and_posterior(ax: Axes, q: tuple[float, float], posterior: tuple[float, float]) -> None:
    """Two Gaussians, each given by mean and standard deviation, over the prior."""
    z = np.linspace(-1, 4.4, 541)
    ax.plot(z, normal_density(z), color=DROWNED, linewidth=1, label="prior p(z)")
    ax.fill_between(z, normal_density(z, *posterior), color=THEORY, alpha=0.3, label="posterior p(z|x)")
    ax.plot(z, normal_density(z, *q), color=TRAINED, label="your q(z)")
    ax.set(xlabel="z", ylabel="density", xlim=(-1, 4.4), ylim=(0, 2.8))
    ax.legend(loc="upper right")


def plot_bound(ax: Axes, elbo: float, log_evidence: float) -> None:
    """The gap between a bound and log p(x), as a bar that hangs from the evidence."""
    ax.bar([0], [log_evidence - elbo], bottom=[elbo], width=0.5, color=TRAINED, alpha=0.5)
    ax.axhline(log_evidence, color=THEORY, label=f"log p(x) = {log_evidence:.2f}")
    ax.axhline(elbo, color=TRAINED, label=f"ELBO = {elbo:.2f}")
    ax.set(ylabel="[nats]", ylim=(log_evidence - 6, log_evidence + 2.2), xlim=(-0.6, 0.6), xticks=[])
    ax.set_title(f"gap = {log_evidence - elbo:.2f} nats")
    ax.legend(loc="upper right")


def plot_gap_of_width(ax: Axes, sigmas: ArrayLike, gaps: ArrayLike, best: float) -> None:
    """The gap in nats against the width of q, with a line at the posterior's width `best`."""
    ax.axvline(best, color=DROWNED, linewidth=1, linestyle=":")
    ax.plot(sigmas, gaps, color=THEORY)
    ax.set(xlabel="width σ of q", ylabel="gap [nats]", ylim=(0, 1.6))
    label = f"posterior's\nwidth {best:.3f}"
    ax.annotate(label, (best, 1.6), xytext=(5, 0), textcoords="offset points", va="top", fontsize=9)


def plot_two_drops(ax: Axes, names: Sequence[str], with_encoder: ArrayLike, with_best: ArrayLike) -> None:
    """The ELBO on two kinds of images, with the encoder's q and with the best q; the gaps are written between."""
    lower, upper = np.asarray(with_encoder), np.asarray(with_best)
    ax.plot(names, upper, "o-", color=THEORY, label="best q for each image")
    ax.plot(names, lower, "o-", color=TRAINED, label="the encoder's q")
    ax.vlines(names, lower, upper, color=DROWNED, linewidth=1)
    for place, (low, high) in enumerate(zip(lower, upper)):
        ax.annotate(f"gap {high - low:.2f}", (place, (low + high) / 2), xytext=(6, 0), textcoords="offset points")
    ax.set(ylabel="ELBO [nats per digit]", xlim=(-0.35, 1.5))
    ax.legend(loc="upper right")
