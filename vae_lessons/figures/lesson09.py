"""Figures that lesson 09 draws first: the aggregate posterior, and rate against squared error."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Ellipse
from numpy.typing import ArrayLike

from vae_lessons.figures.style import DROWNED, THEORY, TRAINED

WIDEST, HIGHEST = 4.9, 22.0  # of the plane of squared error and rate, so that every β of the lesson is in it


def plot_codes(ax: Axes, z: ArrayLike, mu: ArrayLike, sigma: ArrayLike, title: str = "") -> None:
    """Draws z (N, 2) from the aggregate posterior, ±2σ ellipses of a few q(z|x), and the prior's 2σ circle."""
    ax.plot(*np.asarray(z).T, ".", color=DROWNED, markersize=2, alpha=0.6)
    for centre, widths in zip(np.asarray(mu), 4 * np.asarray(sigma)):
        ax.add_patch(Ellipse(centre, *widths, fill=False, edgecolor=TRAINED, linewidth=1.2))
    ax.add_patch(Ellipse((0, 0), 4, 4, fill=False, edgecolor=THEORY, linewidth=1.8, linestyle="--"))
    ax.set(xlim=(-4, 4), ylim=(-4, 4), aspect="equal", xlabel="one latent", title=title)


def plot_split(
    ax: Axes, betas: ArrayLike, information: ArrayLike, mismatch: ArrayLike, kl: ArrayLike, ceiling: float
) -> None:
    """For each β the two parts of the KL as stacked bars, the closed form as a dot; I ≤ ceiling = log N."""
    position = np.arange(len(np.asarray(betas)))
    ax.bar(position, information, color=THEORY, label="I(X; Z): what the code knows")
    ax.bar(position, mismatch, bottom=information, color=DROWNED, label="KL(q(z)‖p(z)): mismatch")
    ax.plot(position, kl, "o", color=TRAINED, label="mean KL: what the model pays")
    ax.axhline(ceiling, color="black", linestyle=":", linewidth=1.2)
    ax.text(position[-1] + 0.4, ceiling + 0.2, f"log N = {ceiling:.2f} nats", ha="right", va="bottom")
    ax.set(xticks=position, xticklabels=betas, xlabel="β", ylabel="[nats per digit]")
    ax.legend(loc="upper right")


def plot_mismatch(
    ax: Axes, ideal_kl: ArrayLike, ideal_mismatch: ArrayLike, kl: ArrayLike, mismatch: ArrayLike, ceiling: float
) -> None:
    """Measured mismatch over KL: an ideal model as a line, trained ones as dots, and what counting forces."""
    least = np.array([ceiling, HIGHEST])
    ax.plot(
        least, least - ceiling, color="black", linestyle=":", linewidth=1.2, label="KL − log N: no less is possible"
    )
    ax.plot(ideal_kl, ideal_mismatch, color=THEORY, label="ideal model, q(z) = N(0, I)")
    ax.plot(kl, mismatch, "o", color=TRAINED, label="trained VAEs", clip_on=False)
    ax.set(xlabel="mean KL: what the model pays [nats per digit]", ylabel="mismatch [nats per digit]")
    ax.set(xlim=(0, HIGHEST), ylim=(0, 15))
    ax.legend(loc="upper left")


def plot_rate_distortion(
    ax: Axes, shannon: ArrayLike, limited: ArrayLike, trained: ArrayLike, by_heart: ArrayLike
) -> None:
    """Rate against squared error: Shannon's Gaussian curve, the linear VAE's, trained models as dots.

    Args:
        shannon, limited, trained, by_heart: (…, 2), rate and squared error, as `spectrum.rate_distortion`
            returns them. by_heart: the ends of the simple memoriser's line; its first is the list itself.
    """
    curves = (shannon, limited, trained, by_heart)
    shannon, limited, trained, by_heart = (np.asarray(points)[:, ::-1].T for points in curves)
    ax.plot(*shannon, color=THEORY, label="Shannon, Gaussian source")
    ax.plot(*limited, color=THEORY, linestyle="--", linewidth=1.2, label="linear VAE, 8 latents")
    ax.plot(*trained, "o", color=TRAINED, label="MLP VAE, 8 latents", clip_on=False)
    ax.plot(*by_heart, color="black", linestyle=":", linewidth=1.2, label="learned by heart")
    ax.plot(*by_heart[:, 0], "*", color="black", markersize=11, clip_on=False)
    ax.set(xlabel="Δ: squared error [pixel² per digit]", ylabel="R: mean KL [nats per digit]")
    ax.set(xlim=(0, WIDEST), ylim=(0, HIGHEST))
    ax.legend(loc="upper right")


def plot_tangent(ax: Axes, square: ArrayLike, ring: ArrayLike, slope: float, reach: float = 2.2) -> None:
    """Two points (rate, squared error) in `plot_rate_distortion`: theory as a square with its tangent, trained as a ring."""
    (rate, error), (trained_rate, trained_error) = np.asarray(square), np.asarray(ring)
    step = reach / np.hypot(1, slope * WIDEST / HIGHEST)  # the same length on the page for every slope
    ends = np.array([-step, step]) / 2
    ax.plot(error + ends, rate + slope * ends, color="black", linewidth=1.2)
    ax.plot(error, rate, "s", color=THEORY, markersize=8)
    ax.plot(trained_error, trained_rate, "o", markersize=12, markerfacecolor="none", color=TRAINED)
