"""Figures that lesson 11 draws first: levels of noise, the gap over the number of steps, nats for each level."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from vae_lessons.figures.style import DROWNED, THEORY, TRAINED, plain_ticks
from vae_lessons.montecarlo import Estimate

COLOURS = (THEORY, TRAINED, DROWNED, "black")
LINES = ("-", "--", ":", "-.")


def plot_over_log_snr(ax: Axes, curves: Mapping[str, tuple[ArrayLike, ArrayLike]], ylabel: str) -> None:
    """Curves over the log-SNR of their levels, noise to the left: for each name its places and values."""
    for (name, (places, values)), colour, line in zip(curves.items(), COLOURS, LINES):
        ax.plot(np.asarray(places), np.asarray(values), color=colour, linestyle=line, label=name)
    ax.set(xlabel="log-SNR of the level", ylabel=ylabel)
    ax.legend()


def plot_gaps(
    ax: Axes, steps: ArrayLike, gaps: Mapping[str, ArrayLike], measured: Mapping[int, list[Estimate]]
) -> None:
    """Gaps over T as lines, one for each choice of variances; measured ones as dots, with 2 standard errors."""
    for (name, values), colour, line in zip(gaps.items(), COLOURS, LINES):
        ax.plot(np.asarray(steps), np.asarray(values), color=colour, linestyle=line, label=name)
    for T, estimates in measured.items():
        for estimate, colour in zip(estimates, COLOURS):
            mean, error = float(estimate.mean), float(estimate.std_error)
            ax.errorbar(T, mean, 2 * error, fmt="o", color=colour, markersize=5)
    ax.set(xscale="log", yscale="log", xlabel="T, number of latents", ylabel="gap [nats per digit]")
    plain_ticks(ax.xaxis, (1, 10, 100, 1000))
    plain_ticks(ax.yaxis, (1, 10, 100, 1000))
    ax.legend(loc="upper right")


def plot_nats(ax: Axes, scores: Mapping[str, Estimate]) -> None:
    """Scores in nats per digit, one a row, with 2 standard errors."""
    for row, estimate in enumerate(scores.values()):
        mean, error = float(estimate.mean), float(estimate.std_error)
        ax.errorbar(mean, row, xerr=2 * error, fmt="o", color=TRAINED, markersize=6)
    ax.set(xlabel="nats per digit, higher is better", yticks=range(len(scores)), yticklabels=scores)
    ax.set_ylim(len(scores) - 0.5, -0.5)
