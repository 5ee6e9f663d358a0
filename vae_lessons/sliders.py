"""The two kinds of slider: pictures drawn beforehand (notebook 00), and pictures drawn as you move (notebook 07).

*Frames* need no kernel: a `Stack` holds every picture and `jslink` ties its index to the slider, so
they move in a notebook that was only opened, and in exported HTML. *Live* sliders ask the kernel
for every picture: for values in between, and for more of them than could be drawn beforehand.
"""

import html
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import NamedTuple

import ipywidgets as widgets
from IPython.display import display
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from PIL import Image

from vae_lessons.pictures import Canvas, draw_image, encode, img_tag, quick_img_tag

# Frames need no kernel: without the red broken links that ipywidgets puts where there is none.
QUIET = (
    "<style>.vae-frames.jupyter-widgets-disconnected::before, .vae-frames .jupyter-widgets-disconnected::before"
    " {content: none !important}</style>"
)
# Live sliders do need one, and say so exactly where there is none.
NOTE = """<style>.vae-note {display: none} .jupyter-widgets-disconnected .vae-note {display: block}</style>
<div class="vae-note">This picture is computed while you move: run the notebook up to here to bring it to life.</div>"""

# Shows one value of each control in the figure; returns the text that says what is to be seen.
Draw = Callable[..., str]


class Control(NamedTuple):
    """One slider over ready-made pictures.

    Attributes:
        symbol: what is written before it, "β".
        values: its positions, two or more.
        start: the position shown first, as an index into `values`.
        style: how a value is written, as in ``format(value, style)``.
        unit: written after the symbol, in brackets; empty for a pure number.
    """

    symbol: str
    values: Sequence[float]
    start: int = 0
    style: str = ".2f"
    unit: str = ""

    def labels(self) -> list[str]:
        return [format(value, self.style) for value in self.values]


class Range(NamedTuple):
    """One slider over an interval, for live pictures; `symbol`, `style` and `unit` as in `Control`.

    Attributes:
        low, high: its ends.
        start: the value shown first.
        step: the distance between two positions, which is what an arrow key moves.
    """

    symbol: str
    low: float
    high: float
    start: float
    step: float = 0.01
    style: str = ".2f"
    unit: str = ""


class Pictured(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """Widgets around a picture, a still of which places without widgets show (GitHub, untrusted notebooks)."""

    def still(self) -> tuple[Image.Image, str]:
        """The picture for such places, and what they say where there is none."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs: object) -> dict[str, object]:
        image, text = self.still()
        # ipywidgets 7 has none outside a kernel.
        of_widget: dict[str, object] = getattr(super(), "_repr_mimebundle_", lambda **_: {})(**kwargs)
        return {**of_widget, "image/png": encode(image, "png"), "text/plain": text}


class _Sliders(Pictured):
    """Sliders over a picture."""

    first: Image.Image
    controls: tuple[Control, ...] | tuple[Range, ...]

    def still(self) -> tuple[Image.Image, str]:
        names = " and ".join(control.symbol for control in self.controls)
        return self.first, f"A picture with a slider for {names}."


# Frames ----------------------------------------------------------------------------------------


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


class FrameSlider(_Sliders):
    """Sliders over ready-made pictures."""

    controls: tuple[Control, ...]
    children: tuple[widgets.Widget, ...]

    def __init__(self, fig: Figure, draw: Draw, controls: Sequence[Control]):
        if not 1 <= len(controls) <= 2:
            raise ValueError(f"controls must be one or two, got {len(controls)}")
        for control in controls:
            _check_control(control)
        self.fig, self.draw, self.controls = fig, draw, tuple(controls)
        started = time.perf_counter()
        self.first, alt = _picture(fig, draw, [control.values[control.start] for control in controls])
        fig.set_layout_engine("none")  # laid out once: axes that stay put, and twice the speed
        super().__init__([widgets.HTML(img_tag(self.first, alt, fig))])
        self.seconds_each = time.perf_counter() - started
        self.add_class("vae-frames")

    def draw_all(self) -> None:
        """Draw every picture, behind a progress bar if it takes longer than a second; then bring the sliders."""
        every = list(product(*(control.values for control in self.controls)))
        bar = widgets.IntProgress(max=len(every), description="drawing")
        if len(every) * self.seconds_each > 1:
            self.children = (bar, *self.children)
        tags = []
        for values in every:
            image, alt = _picture(self.fig, self.draw, values)
            tags.append(QUIET + img_tag(image, alt, self.fig))
            bar.value += 1
        plt.close(self.fig)
        self.sliders = tuple(_selection(control) for control in self.controls)
        switch = _stack if hasattr(widgets, "Stack") else _by_kernel
        self.pictures = switch(iter(tags), self.sliders)
        self.children = (*self.sliders, self.pictures)


def _check_control(control: Control) -> None:
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
    return draw_image(fig), alt


def _selection(control: Control) -> widgets.SelectionSlider:
    return widgets.SelectionSlider(options=control.labels(), index=control.start, **_look(control))


def _look(control: Control | Range) -> dict[str, object]:
    """What all sliders have in common: the symbol and its unit before them, and their width."""
    label = f"{control.symbol} [{control.unit}]" if control.unit else control.symbol
    layout = widgets.Layout(width="520px", max_width="100%")
    return {"description": label, "layout": layout}


def _stack(tags: Iterator[str], sliders: Sequence[widgets.SelectionSlider]) -> "widgets.Stack":
    """Stacks inside stacks, one level for each slider, in the order of `itertools.product`."""
    slider, *inner = sliders
    children = [_stack(tags, inner) if inner else widgets.HTML(next(tags)) for _ in slider.options]
    stack = widgets.Stack(children, selected_index=slider.index)
    widgets.jslink((slider, "index"), (stack, "selected_index"))
    return stack


def _by_kernel(tags: Iterator[str], sliders: Sequence[widgets.SelectionSlider]) -> widgets.HTML:
    """The same where ipywidgets 7 has no Stack (Colab): the kernel changes the picture."""
    positions = product(*(range(len(slider.options)) for slider in sliders))
    filed, picture = dict(zip(positions, tags)), widgets.HTML()

    def follow(change: object = None) -> None:
        picture.value = filed[tuple(slider.index for slider in sliders)]

    for slider in sliders:
        slider.observe(follow, "index")
    follow()
    return picture


# Live ------------------------------------------------------------------------------------------


def show_live(fig: Figure, update: Draw, *controls: Range) -> "LiveSlider":
    """Show a picture that the kernel updates at every move.

    Args:
        fig: the figure with its artists; it is kept, and closed for pyplot.
        update: called with one value of each control; changes the artists (``line.set_ydata(…)``)
            and returns the text that says what is to be seen. Changing ticks or limits is slower.
        controls: one or more.

    Raises:
        ValueError: no controls, an empty interval, or `start` outside it.
    """
    slider = LiveSlider(fig, update, controls)
    display(slider)
    return slider


class LiveSlider(_Sliders):
    """Sliders over an interval; every move asks the kernel, and the browser sends the next when it has the answer.

    So fast dragging leaves values out, but never the last one.
    """

    controls: tuple[Range, ...]

    def __init__(self, fig: Figure, update: Draw, controls: Sequence[Range]):
        if not controls:
            raise ValueError("controls must be one or more, got 0")
        for control in controls:
            _check_range(control)
        self.update, self.controls = update, tuple(controls)
        self.sliders = tuple(float_slider(control) for control in controls)
        alt = update(*(control.start for control in controls))
        self.canvas, self.picture = Canvas(fig), widgets.HTML()
        self._show(alt)
        self.first = self.canvas.image()
        super().__init__([*self.sliders, self.picture])
        for slider in self.sliders:
            slider.observe(self._follow, "value")

    def _follow(self, change: object) -> None:
        try:
            self._show(self.update(*(slider.value for slider in self.sliders)))
        except Exception as error:
            self.picture.value = error_html(error)

    def _show(self, alt: str) -> None:
        self.picture.value = NOTE + quick_img_tag(self.canvas.image(), alt, self.canvas.fig)


def _check_range(control: Range) -> None:
    if not control.low < control.high:
        raise ValueError(f"low of {control.symbol} must be below high, got {control.low} and {control.high}")
    if not control.low <= control.start <= control.high:
        raise ValueError(f"start of {control.symbol} must lie in {control.low}…{control.high}, got {control.start}")


def float_slider(control: Range) -> widgets.FloatSlider:
    """The widget of a `Range`."""
    limits = {"min": control.low, "max": control.high, "step": control.step}
    return widgets.FloatSlider(control.start, **limits, readout_format=control.style, **_look(control))


def error_html(error: Exception) -> str:
    """An error where its picture would be, the traceback a click away."""
    summary = html.escape(f"{type(error).__name__}: {error}")
    details = html.escape("".join(traceback.format_exception(error)))
    return f"<details><summary><b>⚠ {summary}</b></summary><pre>{details}</pre></details>"
