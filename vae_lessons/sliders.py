"""Sliders whose pictures are drawn once and switched in the browser (first used in notebook 00).

A `Stack` holds every picture and `jslink` ties its index to the slider, so a move asks nothing
of the kernel: it works in a notebook that was only opened, and in exported HTML.
"""

import base64
import html
import io
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import NamedTuple

import ipywidgets as widgets
import numpy as np
from IPython.display import display
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from PIL import Image

# These sliders need no kernel: without the red broken links (of every widget) that would say otherwise.
QUIET = "<style>.jupyter-widgets-disconnected::before {content: none !important}</style>"

# Draws one picture for one value of each control; returns the text that says what it shows.
Draw = Callable[..., str]


class Control(NamedTuple):
    """One slider.

    Attributes:
        symbol: what is written before it, "β".
        values: its positions, two or more.
        start: the position shown first, as an index into `values`.
        style: how a value is written, as in ``format(value, style)``.
    """

    symbol: str
    values: Sequence[float]
    start: int = 0
    style: str = ".2f"

    def labels(self) -> list[str]:
        return [format(value, self.style) for value in self.values]


def show_frames(fig: Figure, draw: Draw, *controls: Control) -> "FrameSlider":
    """Show the first picture at once, draw one for every combination of values, then bring the sliders.

    Args:
        fig: the figure to draw in; its axes are cleared before each picture, and it is closed.
        draw: called with one value of each control; draws in the axes of `fig` and returns the
            text that says what this picture shows, for readers who do not see it.
        controls: one or two.

    Raises:
        ValueError: no or too many controls, fewer than two values, values written alike, or
            `start` out of range.
    """
    slider = FrameSlider(fig, draw, controls)
    display(slider)
    slider.draw_all()
    return slider


class FrameSlider(widgets.VBox):
    """Sliders over ready-made pictures; where no widgets are shown, the first picture."""

    def __init__(self, fig: Figure, draw: Draw, controls: Sequence[Control]):
        if not 1 <= len(controls) <= 2:
            raise ValueError(f"controls must be one or two, got {len(controls)}")
        for control in controls:
            _check(control)
        self.fig, self.draw, self.controls = fig, draw, tuple(controls)
        self.first, alt = _picture(fig, draw, [control.values[control.start] for control in controls])
        fig.set_layout_engine("none")  # laid out once: axes that stay put, and twice the speed
        super().__init__([_frame(self.first, alt, fig)])

    def draw_all(self) -> None:
        """Draw every picture behind a progress bar, then put the sliders in its place."""
        every = list(product(*(control.values for control in self.controls)))
        bar = widgets.IntProgress(max=len(every), description="drawing")
        self.children = (bar, *self.children)
        pictures = []
        for values in every:
            pictures.append(_frame(*_picture(self.fig, self.draw, values), self.fig))
            bar.value += 1
        plt.close(self.fig)
        self.sliders = tuple(_slider(control) for control in self.controls)
        self.stack = _nest(iter(pictures), self.sliders)
        self.children = (*self.sliders, self.stack)

    def _repr_mimebundle_(self, **kwargs) -> dict:
        """The live widget for Jupyter, and a PNG for places that show none (GitHub, untrusted)."""
        names = " and ".join(control.symbol for control in self.controls)
        fallback = {"image/png": _encode(self.first, "png"), "text/plain": f"A picture with a slider for {names}."}
        return {**super()._repr_mimebundle_(**kwargs), **fallback}


def _check(control: Control) -> None:
    labels = control.labels()
    if len(labels) < 2 or len(set(labels)) < len(labels):
        raise ValueError(f"values of {control.symbol} must be two or more, written differently, got {labels}")
    if not 0 <= control.start < len(labels):
        raise ValueError(f"start of {control.symbol} must lie in 0…{len(labels) - 1}, got {control.start}")


def _picture(fig: Figure, draw: Draw, values: Sequence[float]) -> tuple[Image.Image, str]:
    """One picture and its description, in a figure that is used again: a new one costs more."""
    for ax in fig.axes:
        ax.clear()
    alt = draw(*values)
    fig.canvas.draw()
    return Image.fromarray(np.asarray(fig.canvas.buffer_rgba())).convert("RGB"), alt


def _frame(image: Image.Image, alt: str, fig: Figure) -> widgets.HTML:
    """A picture as an <img> with alternative text, for which `widgets.Image` has no place."""
    style = f"width:{96 * fig.get_figwidth():.0f}px; max-width:100%; aspect-ratio:{image.width}/{image.height}"
    source = f"data:image/webp;base64,{_encode(image, 'webp', lossless=True, method=2, quality=50)}"
    return widgets.HTML(f'{QUIET}<img decoding="sync" style="{style}" alt="{html.escape(alt)}" src="{source}">')


def _encode(image: Image.Image, kind: str, **options) -> str:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return base64.b64encode(buffer.getvalue()).decode()


def _slider(control: Control) -> widgets.SelectionSlider:
    layout = widgets.Layout(width="520px", max_width="100%")
    return widgets.SelectionSlider(
        options=control.labels(), index=control.start, description=control.symbol, layout=layout
    )


def _nest(pictures: Iterator[widgets.HTML], sliders: Sequence[widgets.SelectionSlider]) -> widgets.Stack:
    """Stacks inside stacks, one level for each slider, in the order of `itertools.product`."""
    slider, *inner = sliders
    children = [_nest(pictures, inner) if inner else next(pictures) for _ in slider.options]
    stack = widgets.Stack(children, selected_index=slider.index)
    widgets.jslink((slider, "index"), (stack, "selected_index"))
    return stack
