"""Pure drawing: every function takes the axes and the numbers, and keeps nothing.

The look (sizes, type, colours) is in course.mplstyle: ``plt.style.use("vae_lessons.course")``.
Blue is theory or the exact value, orange is measured or trained, grey is drowned. In greyscale they
are dark, light and middle; tests/test_sliders.py computes how far apart, for colour-blind eyes too.
"""

import io
from typing import NamedTuple

import numpy as np
from IPython.display import display
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Ellipse, Rectangle
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter
from numpy.typing import ArrayLike, NDArray

THEORY, TRAINED, WATER, DROWNED = "#004A86", "#E87200", "#56B4E9", "#6E6E6E"


def show(fig: Figure, alt: str) -> None:
    """Display a figure with the text that says what it shows, then close it.

    `alt` reaches readers who do not see the picture, and `pytest --nbval` compares it.
    """
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png")
    plt.close(fig)
    bundle = {"image/png": buffer.getvalue(), "text/plain": alt}
    display(bundle, metadata={"image/png": {"alt": alt}}, raw=True)


def _normal(z: NDArray, mean: float = 0.0, std: float = 1.0) -> NDArray:
    """The density of N(mean, std²); scipy.stats has it too, and takes a second and 40 MB to import."""
    return np.exp(-0.5 * ((z - mean) / std) ** 2) / (std * np.sqrt(2 * np.pi))


def plot_densities(ax: Axes, mu: float, sigma: float) -> None:
    """q = N(mu, sigma²) over the prior p = N(0, 1)."""
    z = np.linspace(-5, 5, 401)
    ax.plot(z, _normal(z), color=DROWNED, label="p(z) = N(0, 1)")
    ax.plot(z, _normal(z, mu, sigma), color=THEORY, label="q(z) = N(μ, σ²)")
    ax.set(xlabel="z", ylabel="density", xlim=(-5, 5), ylim=(0, None))
    ax.legend(loc="upper left")


def plot_integrand(ax: Axes, mu: float, sigma: float) -> None:
    """q(z) log q(z)/p(z), the function whose signed area is the KL."""
    z = np.linspace(-5, 5, 401)
    integrand = _normal(z, mu, sigma) * (0.5 * z**2 - 0.5 * ((z - mu) / sigma) ** 2 - np.log(sigma))
    ax.axhline(0, color=DROWNED, linewidth=0.8)
    ax.plot(z, integrand, color=THEORY)
    ax.fill_between(z, integrand, where=integrand > 0, color=THEORY, alpha=0.25, label="adds to the KL")
    ax.fill_between(z, integrand, where=integrand < 0, color=TRAINED, alpha=0.35, label="takes from it")
    ax.set(xlabel="z", ylabel="q(z) log q(z)/p(z)  [nats]", xlim=(-5, 5))
    ax.legend(loc="upper left")


def plot_kl_curve(ax: Axes, mu: float, sigma: float) -> None:
    """KL( N(mu, s²) ‖ N(0, 1) ) against s, with the point at sigma and its tangent sigma − 1/sigma."""
    s = np.linspace(0.1, 2.5, 241)
    ax.plot(s, 0.5 * (mu**2 + s**2 - np.log(s**2) - 1), color=THEORY)
    kl, slope = 0.5 * (mu**2 + sigma**2 - np.log(sigma**2) - 1), sigma - 1 / sigma
    near = np.array([-0.35, 0.35])
    ax.plot(sigma + near, kl + slope * near, color=TRAINED, label=f"slope σ − 1/σ = {slope:.2f}")
    ax.plot(sigma, kl, "o", color=TRAINED)
    ax.set(xlabel="σ", ylabel="KL [nats]", xlim=(0, 2.5), ylim=(-0.3, 4))
    ax.legend(loc="upper right")


def plot_q_and_posterior(ax: Axes, q: tuple[float, float], posterior: tuple[float, float]) -> None:
    """Two Gaussians, each given by mean and standard deviation, over the prior."""
    z = np.linspace(-1, 3.2, 421)
    ax.plot(z, _normal(z), color=DROWNED, linewidth=1, label="prior p(z)")
    ax.fill_between(z, _normal(z, *posterior), color=THEORY, alpha=0.3, label="posterior p(z|x)")
    ax.plot(z, _normal(z, *q), color=TRAINED, label="your q(z)")
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


def plot_estimates(ax: Axes, estimates: ArrayLike, truth: float, predicted_std: float) -> None:
    """A histogram of repeated estimates, and the normal curve predicted for them."""
    estimates = np.asarray(estimates)
    width = 4.5 * predicted_std
    bins = np.linspace(truth - width, truth + width, 46)
    ax.hist(estimates, bins=bins, density=True, color=TRAINED, alpha=0.5, label="measured")
    grid = np.linspace(bins[0], bins[-1], 201)
    ax.plot(grid, _normal(grid, truth, predicted_std), color=THEORY, label="predicted")
    ax.axvline(truth, color=THEORY, linestyle=":", linewidth=1.2, label="closed form")
    ax.set(xlabel="estimate of the KL [nats]", ylabel="density")
    ax.legend(loc="upper left")


def tile(images: ArrayLike, shape: tuple[int, int], columns: int) -> NDArray:
    """(N, D) rows of pixels as one picture with `columns` images a row and white gaps of one pixel."""
    images = np.asarray(images).reshape(-1, *shape)
    if len(images) % columns:
        raise ValueError(f"columns must divide the number of images, {len(images)}, got {columns}")
    padded = np.pad(images, ((0, 0), (0, 1), (0, 1)))
    height, width = padded.shape[1:]
    rows = padded.reshape(-1, columns, height, width).swapaxes(1, 2)
    return rows.reshape(-1, columns * width)[:-1, :-1]


def plot_images(ax: Axes, images: ArrayLike, shape: tuple[int, int], columns: int, title: str = "") -> None:
    """Images in a grid, 0 white and 1 black; values outside [0, 1] show as the nearer end."""
    ax.imshow(tile(images, shape, columns), vmin=0, vmax=1, interpolation="nearest")
    ax.set_axis_off()
    ax.set_title(title)


def plot_history(ax_elbo: Axes, ax_kl: Axes, elbo: ArrayLike, kl: ArrayLike) -> None:
    """Per epoch: the ELBO (E,), and the KL of each latent (E, K)."""
    epochs = np.arange(1, len(np.asarray(elbo)) + 1)
    ax_elbo.plot(epochs, np.asarray(elbo), color=TRAINED)
    ax_elbo.set(xlabel="epoch", ylabel="ELBO [nats per digit]")
    ax_kl.plot(epochs, np.asarray(kl), color=TRAINED, linewidth=1, alpha=0.7)
    ax_kl.set(xlabel="epoch", ylabel="KL [nats]", ylim=(0, None), title="one line for each latent")


def plot_latent_map(ax: Axes, z: ArrayLike, labels: ArrayLike, names: tuple[str, str]) -> None:
    """Two coordinates of z (N, 2), each point drawn as its digit: readable without colour."""
    z, labels = np.asarray(z), np.asarray(labels)
    colours = plt.get_cmap("tab10")
    for label in np.unique(labels):
        chosen = z[labels == label]
        ax.scatter(*chosen.T, marker=f"${label}$", s=28, linewidths=0.4, color=colours(int(label)))
    ax.set(xlabel=names[0], ylabel=names[1])


class Spectrum(NamedTuple):
    """What `plot_spectrum` drew: moved by `move_water`."""

    bars: BarContainer
    water: Rectangle
    surface: Line2D
    label: Text


def plot_spectrum(ax: Axes, eigenvalues: ArrayLike, level: float, n_latents: int, n_shown: int = 16) -> Spectrum:
    """The signature: eigenvalues as bars, the water level βσ² over them, what drowned in grey.

    A bar above the water that has no latent, because K are taken, is hollow.
    """
    shown = np.asarray(eigenvalues)[:n_shown]
    index = np.arange(1, len(shown) + 1)
    bars = ax.bar(index, shown)
    water = ax.add_patch(Rectangle((0, 0), 1, level, transform=ax.get_yaxis_transform(), color=WATER, alpha=0.35))
    surface = ax.axhline(level, color=THEORY, linewidth=1.2)
    label = ax.text(0.99, 0.96, "", transform=ax.transAxes, ha="right", va="top")
    ax.set(xlabel="principal direction i", ylabel="eigenvalue λᵢ [pixel²]")
    ax.set(xlim=(0.3, index[-1] + 0.7), ylim=(0, 1.55 * shown[0]))
    artists = Spectrum(bars, water, surface, label)
    move_water(artists, level, n_latents)
    return artists


def move_water(artists: Spectrum, level: float, n_latents: int) -> None:
    """Raise or lower the water of `plot_spectrum`."""
    for index, bar in enumerate(artists.bars):
        above = bar.get_height() > level
        bar.set_facecolor(DROWNED if not above else THEORY if index < n_latents else "white")
        bar.set_edgecolor(THEORY if above else DROWNED)
    artists.water.set_height(level)
    artists.surface.set_ydata([level, level])
    artists.label.set_text(f"water level βσ² = {level:.2g}")


def plot_errors(ax: Axes, errors: ArrayLike) -> Line2D:
    """Squared error left in each principal direction, as dots over `plot_spectrum`: move with ``set_ydata``."""
    index = np.arange(1, len(np.asarray(errors)) + 1)
    return ax.plot(index, errors, "o", color=TRAINED, label="error of the trained model")[0]


class KLPerLatent(NamedTuple):
    """What `plot_kl_per_latent` drew: moved by `move_kl_per_latent`."""

    bars: BarContainer
    dots: Line2D | None


def plot_kl_per_latent(
    ax: Axes, theory: ArrayLike, trained: ArrayLike | None = None, name: str = "trained MLP VAE"
) -> KLPerLatent:
    """KL of each latent: theory as bars, the trained model's (called `name`), sorted, as dots."""
    index = np.arange(1, len(np.asarray(theory)) + 1)
    bars, dots = ax.bar(index, theory, color=THEORY, label="theory (linear VAE)"), None
    if trained is not None:
        (dots,) = ax.plot(index, index, "o", color=TRAINED, clip_on=False, label=name)
    ax.set(xlabel="latent, largest KL first", ylabel="KL [nats per digit]", xticks=index)
    ax.legend(loc="upper right")
    artists = KLPerLatent(bars, dots)
    move_kl_per_latent(artists, theory, trained)
    return artists


def move_kl_per_latent(artists: KLPerLatent, theory: ArrayLike, trained: ArrayLike | None = None) -> None:
    """New numbers for `plot_kl_per_latent`."""
    for bar, height in zip(artists.bars, np.asarray(theory)):
        bar.set_height(height)
    if trained is not None:
        artists.dots.set_ydata(np.sort(trained)[::-1])


class Race(NamedTuple):
    """What `plot_race` drew: moved by `move_race`."""

    theory: Line2D
    trained: Line2D


def plot_race(ax: Axes, reach: int) -> Race:
    """Total KL over the last `reach` steps of a training that goes on; empty at first."""
    (theory,) = ax.plot([], [], color=THEORY, label="theory at this β")
    (trained,) = ax.plot([], [], color=TRAINED, label="training")
    ax.set_yscale("symlog", linthresh=1)
    ax.set(xlabel="steps ago", ylabel="total KL\n[nats per digit, symlog]", xlim=(-reach, 0), ylim=(-0.05, 30))
    ax.yaxis.set_major_locator(FixedLocator([0, 0.5, 1, 3, 10]))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(ScalarFormatter())
    ax.legend(loc="upper left")
    return Race(theory, trained)


def move_race(artists: Race, steps: ArrayLike, theory: ArrayLike, trained: ArrayLike) -> None:
    """Total KL in theory and in training at each of `steps`, the last of which is now."""
    ago = np.asarray(steps) - steps[-1]
    artists.theory.set_data(ago, theory)
    artists.trained.set_data(ago, trained)


def plot_total_kl(
    ax: Axes, betas: ArrayLike, theory: ArrayLike, trained_betas: ArrayLike, trained: ArrayLike, thresholds: ArrayLike
) -> None:
    """Total KL against β on a log axis, with a tick on the upper edge where each direction drowns."""
    ax.plot(betas, theory, color=THEORY, label="theory (linear VAE)")
    ax.plot(trained_betas, trained, "o", color=TRAINED, label="trained MLP VAE", clip_on=False)
    for threshold in np.asarray(thresholds):
        ax.axvline(threshold, ymin=0.94, color=DROWNED, linewidth=1.2)
    ax.set(xscale="log", xlabel="β (log axis)", ylabel="total KL [nats per digit]", ylim=(0, None))
    ax.xaxis.set_major_locator(FixedLocator([0.1, 0.2, 0.5, 1, 2]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(ScalarFormatter())
    ax.legend(loc="lower left")


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


def plot_nat_price(ax: Axes, ratios: ArrayLike) -> None:
    """Net gain ½r(1 − e^−2R) − R of R nats spent on a direction of λ/σ² = r, one curve for each r."""
    nats = np.linspace(0, 1.5, 151)
    styles = ("-", "--", "-.", ":")
    for r, style in zip(np.sort(ratios)[::-1], styles):
        color = THEORY if r > 1 else DROWNED
        ax.plot(nats, 0.5 * r * (1 - np.exp(-2 * nats)) - nats, style, color=color, label=f"λ/σ² = {r:g}")
    ax.axhline(0, color="black", linewidth=0.8)
    ax.set(xlabel="nats R spent on the direction", ylabel="fit gained − R  [nats]", xlim=(0, 1.5), ylim=(-1.2, None))
    ax.legend(loc="lower left", ncols=2)


def plot_noise_curve(ax: Axes, noise_vars: ArrayLike, elbos: ArrayLike, noise_var: float, elbo: float) -> None:
    """The best ELBO against σ² on a log axis, its maximum (dotted), and the point at `noise_var`."""
    ax.plot(noise_vars, elbos, color=THEORY, label="best linear VAE")
    ax.axvline(np.asarray(noise_vars)[np.argmax(elbos)], color=THEORY, linestyle=":", linewidth=1.2)
    ax.plot(noise_var, elbo, "o", color=THEORY, clip_on=False)
    ax.set(xscale="log", xlabel="σ² [pixel², log axis]", ylabel="ELBO [nats per digit]")


def plot_kl_runs(ax: Axes, kl: ArrayLike, color: str, style: str, label: str) -> None:
    """Total KL per epoch, (E, S): one line for each seed."""
    kl = np.asarray(kl)
    lines = ax.plot(np.arange(1, len(kl) + 1), kl, style, color=color, linewidth=1.2)
    lines[0].set_label(label)
    ax.set_yscale("symlog", linthresh=1)
    ax.set(xlabel="epoch", ylabel="total KL\n[nats per digit, symlog]", ylim=(-0.05, 60))
    ax.yaxis.set_major_locator(FixedLocator([0, 0.5, 1, 10, 50]))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(ScalarFormatter())
    ax.legend(loc="upper right")


def plot_trials(ax: Axes, kl: ArrayLike, gain: ArrayLike, arms: tuple[str, ...]) -> None:
    """What each arm of a trial reached: total KL (A, S) against the ELBO gained by having z (A, S)."""
    looks = zip(("x", "^", "s", "o"), (DROWNED, TRAINED, "#CC79A7", THEORY))
    for arm, one_kl, one_gain, (marker, color) in zip(arms, np.asarray(kl), np.asarray(gain), looks):
        ax.plot(one_kl, one_gain, marker, color=color, label=arm, linestyle="none", alpha=0.8)
    ax.axhline(0, color="black", linewidth=0.8)
    ax.set_yscale("symlog", linthresh=1)
    ax.set(
        xlabel="total KL [nats per digit]", ylabel="ELBO gained by z\n[nats, symlog]", xlim=(-0.5, 12), ylim=(-3, 60)
    )
    ax.yaxis.set_major_locator(FixedLocator([-1, 0, 1, 10, 50]))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(ScalarFormatter())


def plot_bound_histogram(ax: Axes, values: ArrayLike, title: str = "") -> None:
    """Repeated draws of a bound minus log p(x): their histogram, their mean, and the exact value at 0."""
    values = np.asarray(values)
    weights = np.full(len(values), 1 / (0.15 * len(values)))  # a density, also where values lie outside
    ax.hist(values, bins=np.linspace(-8, 4, 81), weights=weights, color=TRAINED, alpha=0.5)
    ax.axvline(values.mean(), color=TRAINED, label=f"mean {values.mean():.2f}".replace("-", "−"))
    ax.axvline(0, color=THEORY, linestyle="--", label="exact log p(x)")
    ax.set(xlabel="bound − log p(x) [nats]", ylabel="density", xlim=(-8, 4), title=title)
    ax.legend(loc="upper left")


def plot_counts(ax: Axes, counts: ArrayLike, n: int, rows: tuple[str, ...], columns: tuple[str, ...]) -> None:
    """A table of counts out of n, (R, C): "4/5" in each cell, the fuller the darker."""
    counts = np.asarray(counts)
    ax.imshow(counts, cmap="Blues", vmin=0, vmax=1.6 * n, aspect="auto")
    for (row, column), count in np.ndenumerate(counts):
        ax.text(column, row, f"{count}/{n}", ha="center", va="center")
    ax.set_xticks(range(len(columns)), columns)
    ax.set_yticks(range(len(rows)), rows)
    ax.tick_params(length=0)


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
