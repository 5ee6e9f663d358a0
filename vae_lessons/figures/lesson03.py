"""Figures that lesson 03 draws first: q beside the posterior, and the gap below log p(x)."""

import numpy as np
from matplotlib.axes import Axes

from vae_lessons.figures.style import DROWNED, THEORY, TRAINED, normal_density


def plot_q_and_posterior(ax: Axes, q: tuple[float, float], posterior: tuple[float, float]) -> None:
    """Two Gaussians, each given by mean and standard deviation, over the prior."""
    z = np.linspace(-1, 3.2, 421)
    ax.plot(z, normal_density(z), color=DROWNED, linewidth=1, label="prior p(z)")
    ax.fill_between(z, normal_density(z, *posterior), color=THEORY, alpha=0.3, label="posterior p(z|x)")
    ax.plot(z, normal_density(z, *q), color=TRAINED, label="your q(z)")
    ax.set(xlabel="z", ylabel="density", xlim=(-1, 3.2), ylim=(0, 2))
    ax.legend(loc="upper left")


def plot_bound(ax: Axes, elbo: float, log_evidence: float) -> None:
    """The gap between a bound and log p(x), as a bar that hangs from the evidence."""
    ax.bar([0], [log_evidence - elbo], bottom=[elbo], width=0.5, color=TRAINED, alpha=0.5)
    ax.axhline(log_evidence, color=THEORY, label=f"log p(x) = {log_evidence:.2f}")
    ax.axhline(elbo, color=TRAINED, label=f"ELBO = {elbo:.2f}")
    ax.set(ylabel="[nats]", ylim=(log_evidence - 6, log_evidence + 2.2), xlim=(-0.6, 0.6), xticks=[])
    ax.set_title(f"gap = {log_evidence - elbo:.2f} nats")
    ax.legend(loc="upper right")
