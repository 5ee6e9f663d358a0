"""Figures that lesson 00 draws first: real images in a grid."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray


def tile(images: ArrayLike, shape: tuple[int, int], columns: int) -> NDArray[Any]:
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


def plot_rows(ax: Axes, rows: dict[str, ArrayLike], shape: tuple[int, int], title: str = "") -> None:
    """Rows of equally many images, (N, D) each, under one another with the name of each row before it."""
    images = np.concatenate([np.asarray(row) for row in rows.values()])
    plot_images(ax, images, shape, len(images) // len(rows), title)
    height = shape[0] + 1  # a gap of one pixel between rows
    for number, name in enumerate(rows):
        ax.text(-1.5, height * number + shape[0] / 2, name, ha="right", va="center")
