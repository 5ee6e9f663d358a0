"""What all figures share: colours, ticks, the normal density, and `show`.

The look (sizes, type, colours) is in course.mplstyle: ``plt.style.use("vae_lessons.course")``.
Blue is theory or the exact value, orange is measured or trained, grey is drowned. In greyscale they
are dark, light and middle; tests/test_figures.py computes how far apart, for colour-blind eyes too.
"""

import io
from collections.abc import Sequence

import numpy as np
from IPython.display import display
from matplotlib import pyplot as plt
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter
from numpy.typing import NDArray

Array = NDArray[np.float64]
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


def normal_density(z: Array, mean: float = 0.0, std: float = 1.0) -> Array:
    """The density of N(mean, std²) at z; scipy.stats has it too, and takes a second and 40 MB to import."""
    density: Array = np.exp(-0.5 * ((z - mean) / std) ** 2) / (std * np.sqrt(2 * np.pi))
    return density


def plain_ticks(axis: Axis, places: Sequence[float]) -> None:
    """Ticks at `places` only, written as plain numbers: for logarithmic and symlog axes."""
    axis.set_major_locator(FixedLocator(places))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(ScalarFormatter())
