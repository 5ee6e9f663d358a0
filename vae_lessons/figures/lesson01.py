"""Figures that lesson 01 draws first: two densities, the integrand of the KL, and the KL against σ."""

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from vae_lessons.figures.style import DROWNED, THEORY, TRAINED, normal_density


def plot_densities(ax: Axes, mu: float, sigma: float) -> None:
    """q = N(mu, sigma²) over the prior p = N(0, 1)."""
    z = np.linspace(-5, 5, 401)
    ax.plot(z, normal_density(z), color=DROWNED, label="p(z) = N(0, 1)")
    ax.plot(z, normal_density(z, mu, sigma), color=THEORY, label="q(z) = N(μ, σ²)")
    ax.set(xlabel="z", ylabel="density", xlim=(-5, 5), ylim=(0, None))
    ax.legend(loc="upper left")


def plot_integrand(ax: Axes, z: ArrayLike, integrand: ArrayLike) -> None:
    """q(z) log q(z)/p(z) at each z, (N,): the function whose signed area is the KL."""
    z, integrand = np.asarray(z), np.asarray(integrand)
    ax.axhline(0, color=DROWNED, linewidth=0.8)
    ax.plot(z, integrand, color=THEORY)
    ax.fill_between(z, integrand, where=integrand > 0, color=THEORY, alpha=0.25, label="adds to the KL")
    ax.fill_between(z, integrand, where=integrand < 0, color=TRAINED, alpha=0.35, label="takes from it")
    ax.set(xlabel="z", ylabel="q(z) log q(z)/p(z)  [nats]", xlim=(z[0], z[-1]))
    ax.legend(loc="upper left")


def plot_kl_curve(ax: Axes, sigmas: ArrayLike, kls: ArrayLike, at: tuple[float, float], slope: float) -> None:
    """The KL against σ, both (N,), with the point `at` = (σ, KL) and the tangent of `slope` there."""
    ax.plot(sigmas, kls, color=THEORY)
    near = np.array([-0.35, 0.35])
    ax.plot(at[0] + near, at[1] + slope * near, color=TRAINED, label=f"slope σ − 1/σ = {slope:.2f}")
    ax.plot(*at, "o", color=TRAINED)
    ax.set(xlabel="σ", ylabel="KL [nats]", xlim=(0, 2.5), ylim=(-0.3, 4))
    ax.legend(loc="upper right")


def plot_correlated(ax: Axes, cov: ArrayLike) -> None:
    """One and two standard deviations of N(0, cov), cov (2, 2), over those of N(0, I), with their common widths."""
    angle = np.linspace(0, 2 * np.pi, 201)
    circle = np.stack([np.cos(angle), np.sin(angle)])
    ellipse = np.linalg.cholesky(np.asarray(cov)) @ circle
    for radius in (2, 1):
        ax.plot(*(radius * circle), color=DROWNED, label="p = N(0, I)" if radius == 1 else None)
        ax.plot(*(radius * ellipse), color=THEORY, label="q = N(0, Σ)" if radius == 1 else None)
    for side in (-2, 2):
        ax.axvline(side, color=TRAINED, linestyle=":", label="same width along each axis" if side == 2 else None)
        ax.axhline(side, color=TRAINED, linestyle=":")
    ax.set(xlabel="z₁", ylabel="z₂", xlim=(-2.6, 2.6), ylim=(-2.6, 3.9), aspect="equal")
    ax.legend(loc="upper left")
