"""Figures that lesson 10 draws first: bounds on log p(x)."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from vae_lessons.figures.style import DROWNED, THEORY, TRAINED, plain_ticks
from vae_lessons.montecarlo import Estimate


def plot_bound_histogram(ax: Axes, values: ArrayLike, title: str = "") -> None:
    """Repeated draws of a bound minus log p(x): their histogram, their mean, and the exact value at 0."""
    values = np.asarray(values)
    weights = np.full(len(values), 1 / (0.15 * len(values)))  # a density, also where values lie outside
    ax.hist(values, bins=np.linspace(-8, 4, 81).tolist(), weights=weights, color=TRAINED, alpha=0.5)
    ax.axvline(values.mean(), color=TRAINED, label=f"mean {values.mean():.2f}".replace("-", "−"))
    ax.axvline(0, color=THEORY, linestyle="--", label="exact log p(x)")
    ax.set(xlabel="bound − log p(x) [nats]", ylabel="density", xlim=(-8, 4), title=title)
    ax.legend(loc="upper left")


def plot_gap(ax: Axes, sizes: Sequence[int], gaps: Sequence[Estimate], rule: ArrayLike, variance: float) -> None:
    """The gap to log p(x) over the number of draws S, measured with 2 standard errors, beside the rule for it."""
    means = np.array([gap.mean for gap in gaps])
    errors = np.array([gap.std_error for gap in gaps])
    ax.plot(sizes, rule, color=THEORY, label="rule Var/(2S)")
    ax.errorbar(sizes, means, 2 * errors, fmt="o", color=TRAINED, label="measured")
    ax.axvline(variance, color="black", linestyle=":", linewidth=1.2, label="S = Var")
    ax.set(xscale="log", yscale="log", xlabel="S, draws per bound", ylabel="gap to log p(x) [nats]")
    plain_ticks(ax.xaxis, (1, 10, 100))
    plain_ticks(ax.yaxis, (0.01, 0.1, 1, 10))
    ax.legend(loc="upper right")


def plot_short_cut(ax: Axes, factors: ArrayLike, elbos: ArrayLike, at_mu: ArrayLike) -> None:
    """ELBO and value at μ, each minus log p(x), over the factor c by which q is too wide."""
    ax.axhline(0, color=THEORY, linestyle="--", label="exact log p(x)")
    ax.plot(factors, at_mu, color=DROWNED, label="value at μ")
    ax.plot(factors, elbos, color=TRAINED, label="ELBO")
    ax.set(xlabel="c: width of q over that of the posterior", ylabel="score − log p(x) [nats]")
    ax.legend(loc="lower center")


def plot_scores(ax: Axes, scores: dict[str, float], exact: float | None = None) -> None:
    """Scores in nats, one a row: bounds as dots, the value at μ, which is no bound, as a grey cross."""
    for row, (name, value) in enumerate(scores.items()):
        is_bound = name != "value at μ"
        ax.plot(value, row, "o" if is_bound else "X", color=TRAINED if is_bound else DROWNED, markersize=7)
    if exact is not None:
        ax.axvline(exact, color=THEORY, label="exact log p(x)")
        ax.legend(loc="upper right")
    ax.set(xlabel="nats per digit", yticks=range(len(scores)), yticklabels=scores, ylim=(-0.5, len(scores) - 0.5))


def plot_table(ax: Axes, values: ArrayLike, names: list[str]) -> None:
    """A square table of scores in nats, negative ones, the darker the nearer to 0."""
    values = np.asarray(values)
    ax.imshow(values, cmap="Blues", vmin=1.2 * values.min(), vmax=0.5 * values.max())
    for (row, column), value in np.ndenumerate(values):
        ax.text(column, row, f"{value:.1f}".replace("-", "−"), ha="center", va="center", fontsize=12)
    places = range(len(names))
    ax.set(xticks=places, xticklabels=names, yticks=places, yticklabels=names)


def plot_long_training(ax: Axes, curves: dict[str, ArrayLike], published: dict[str, float]) -> None:
    """The curves of `recorded` likelihoods by name: −(importance-weighted bound) over time, and published values."""
    for (name, curve), color in zip(curves.items(), (THEORY, TRAINED)):
        _, seconds, _, bound = np.asarray(curve).T
        ax.plot(seconds / 60, bound, color=color, label=name)
        ax.axhline(published[name], color=color, linestyle=":", label=f"{name}, published")
    ax.set(xlabel="training time [minutes of one core]", ylabel="−log p(x), at most\n[nats per image]", ylim=(84, 97))
    ax.legend(loc="upper right", ncols=2)
