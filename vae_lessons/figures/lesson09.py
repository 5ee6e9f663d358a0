"""Figures that lesson 09 draws first: the aggregate posterior, and rate against squared error."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Ellipse
from numpy.typing import ArrayLike

from vae_lessons.figures.style import DROWNED, THEORY, TRAINED


def plot_codes(ax: Axes, z: ArrayLike, mu: ArrayLike, sigma: ArrayLike, title: str = "") -> None:
    """Draws z (N, 2) from the aggregate posterior, ±2σ ellipses of a few q(z|x), and the prior's 2σ circle."""
    ax.plot(*np.asarray(z).T, ".", color=DROWNED, markersize=2, alpha=0.6)
    for centre, widths in zip(np.asarray(mu), 4 * np.asarray(sigma)):
        ax.add_patch(Ellipse(centre, *widths, fill=False, edgecolor=TRAINED, linewidth=1.2))
    ax.add_patch(Ellipse((0, 0), 4, 4, fill=False, edgecolor=THEORY, linewidth=1.8, linestyle="--"))
    ax.set(xlim=(-4, 4), ylim=(-4, 4), aspect="equal", xlabel="one latent", title=title)


def plot_rate_distortion(ax: Axes, shannon: ArrayLike, limited: ArrayLike, trained: ArrayLike) -> None:
    """Rate against squared error: Shannon's Gaussian curve, the linear VAE's, trained models as dots.

    Every argument has two columns, rate and squared error, as `spectrum.rate_distortion` returns them.
    """
    shannon, limited, trained = (np.asarray(points)[:, ::-1].T for points in (shannon, limited, trained))
    ax.plot(*shannon, color=THEORY, label="Shannon, Gaussian source")
    ax.plot(*limited, color=THEORY, linestyle="--", linewidth=1.2, label="linear VAE, 8 latents")
    ax.plot(*trained, "o", color=TRAINED, label="MLP VAE, 8 latents", clip_on=False)
    ax.set(xlabel="D: squared error [pixel² per digit]", ylabel="R: total KL [nats per digit]")
    ax.set(xlim=(0, 4.9), ylim=(0, 16))
    ax.legend(loc="upper right")


def plot_tangent(ax: Axes, rate: float, error: float, level: float, reach: float = 2.2) -> None:
    """The point of a rate–distortion curve at water level βσ², with its tangent of slope −1/(2 level)."""
    slope = -1 / (2 * level)
    step = reach / np.hypot(1, slope * 4.9 / 16)  # the same length on the page for every slope
    ends = np.array([-step, step]) / 2
    ax.plot(error + ends, rate + slope * ends, color="black", linewidth=1.2)
    ax.plot(error, rate, "s", color=THEORY, markersize=8)


def plot_split(
    ax: Axes, betas: ArrayLike, information: ArrayLike, mismatch: ArrayLike, kl: ArrayLike, ceiling: float
) -> None:
    """For each β the two parts of the KL as stacked bars, the closed form as a dot; I ≤ ceiling = log N."""
    position = np.arange(len(np.asarray(betas)))
    ax.bar(position, information, color=THEORY, label="I(X; Z): information")
    ax.bar(position, mismatch, bottom=information, color=DROWNED, label="KL(q(z)‖p(z)): mismatch")
    ax.plot(position, kl, "o", color=TRAINED, label="mean KL, closed form")
    ax.axhline(ceiling, color="black", linestyle=":", linewidth=1.2)
    ax.text(position[-1] + 0.4, ceiling + 0.2, f"log N = {ceiling:.2f} nats", ha="right", va="bottom")
    ax.set(xticks=position, xticklabels=betas, xlabel="β", ylabel="[nats per digit]")
    ax.legend(loc="upper right")
