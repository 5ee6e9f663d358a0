"""Figures that lesson 08 draws first: what a nat is worth, and which cure keeps latents alive."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from vae_lessons.figures.style import DROWNED, THEORY, TRAINED, plain_ticks


def plot_nat_price(ax: Axes, ratios: ArrayLike, nats: ArrayLike, gains: ArrayLike) -> None:
    """Net gain of the nats (N,) spent on a direction, (R, N): one curve for each λ/σ_x² in `ratios`, (R,)."""
    for ratio, gain, style in zip(np.asarray(ratios), np.asarray(gains), ("-", "--", "-.", ":")):
        color = THEORY if ratio > 1 else DROWNED
        ax.plot(nats, gain, style, color=color, label=rf"λ/$\sigma_x^2$ = {ratio:g}")
    ax.axhline(0, color="black", linewidth=0.8)
    ax.set(xlabel="nats R spent on the direction", ylabel="log likelihood gained − R  [nats]")
    ax.set(xlim=(0, 1.5), ylim=(-1.2, None))
    ax.legend(loc="lower left", ncols=2)


def plot_noise_curve(ax: Axes, noise_vars: ArrayLike, elbos: ArrayLike, noise_var: float, elbo: float) -> None:
    """The best ELBO against σ_x² on a log axis, (V,) each, its maximum (dotted), and the point at `noise_var`."""
    ax.plot(noise_vars, elbos, color=THEORY, label="best linear VAE")
    ax.axvline(np.asarray(noise_vars)[np.argmax(elbos)], color=THEORY, linestyle=":", linewidth=1.2)
    ax.plot(noise_var, elbo, "o", color=THEORY, clip_on=False)
    ax.set(xscale="log", xlabel=r"$\sigma_x^2$ [pixel², log axis]", ylabel="ELBO [nats per digit]")


def plot_kl_runs(ax: Axes, kl: ArrayLike, color: str, style: str, label: str) -> None:
    """Total KL per epoch, (E, S): one line for each seed."""
    kl = np.asarray(kl)
    lines = ax.plot(np.arange(1, len(kl) + 1), kl, style, color=color, linewidth=1.2)
    lines[0].set_label(label)
    ax.set_yscale("symlog", linthresh=1)
    ax.set(xlabel="epoch", ylabel="total KL\n[nats per digit, symlog]", ylim=(-0.05, 60))
    plain_ticks(ax.yaxis, [0, 0.5, 1, 10, 50])
    ax.legend(loc="upper right")


def plot_corner_gains(ax: Axes, n_corners: ArrayLike, allowed: ArrayLike, trained: Sequence[ArrayLike]) -> None:
    """The ELBO that z gains on M corners, (C,): the most any code can gain, (C,), and of trained seeds, a row each."""
    position = np.arange(len(np.asarray(n_corners)))
    ax.plot(position, allowed, "s-", color=THEORY, label="no code gains more", clip_on=False)
    for place, gains in zip(position, trained):
        ax.plot(np.full(len(np.asarray(gains)), place), gains, "o", color=TRAINED, alpha=0.8, clip_on=False)
    ax.plot([], [], "o", color=TRAINED, label="after warm-up, 4 seeds")
    ax.axhline(0, color="black", linewidth=0.8)
    ax.set(xticks=position, xticklabels=n_corners, xlabel="corners M", ylabel="ELBO gained by z\n[nats per image]")
    ax.legend(loc="upper left")


def plot_trials(ax: Axes, kl: Sequence[ArrayLike], gain: Sequence[ArrayLike], arms: tuple[str, ...]) -> None:
    """What each arm of a trial reached: total KL (A, S) against the ELBO gained by having z (A, S)."""
    looks = zip(("x", "^", "s", "o"), (DROWNED, TRAINED, "#CC79A7", THEORY))
    for arm, one_kl, one_gain, (marker, color) in zip(arms, kl, gain, looks):
        ax.plot(one_kl, one_gain, marker, color=color, label=arm, linestyle="none", alpha=0.8)
    ax.axhline(0, color="black", linewidth=0.8)
    ax.set_xscale("symlog", linthresh=1)
    ax.set_yscale("symlog", linthresh=1)
    ax.set(xlabel="total KL [nats, symlog]", ylabel="ELBO gained by z\n[nats, symlog]", xlim=(-0.2, 40), ylim=(-3, 60))
    plain_ticks(ax.xaxis, [0, 1, 3, 10, 30])
    plain_ticks(ax.yaxis, [-1, 0, 1, 10, 50])


def plot_live_latents(ax: Axes, live: ArrayLike, rows: tuple[str, ...], columns: tuple[str, ...]) -> None:
    """How many latents live in each seed, (R, C, S): "2 3 0 2" in each cell, the more on average the darker."""
    live = np.asarray(live)
    ax.imshow(live.mean(-1), cmap="Blues", vmin=0, vmax=1.6 * max(live.max(), 1), aspect="auto")
    for row, column in np.ndindex(live.shape[:2]):
        ax.text(column, row, "   ".join(map(str, live[row, column])), ha="center", va="center")
    ax.set_xticks(range(len(columns)), columns)
    ax.set_yticks(range(len(rows)), rows)
    ax.tick_params(length=0)
