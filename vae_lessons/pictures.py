"""From a figure to the `<img>` that a slider shows, text for readers who do not see it included."""

import base64
import html
import io

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image


class Canvas:
    """A figure, taken over from pyplot, that is drawn many times: what does not change is kept as a background.

    An artist that changed, and all above it, are drawn over the background from then on: a move costs
    a few milliseconds instead of fifty. Ticks and legends, slow to draw, stay in the background; if one
    of them changes, the background is drawn anew.
    """

    def __init__(self, fig: Figure):
        self.fig = fig
        self._background = None
        plt.close(fig)  # pyplot would show it once more at the end of the cell
        self._canvas = FigureCanvasAgg(fig)
        self._canvas.draw()
        fig.set_layout_engine("none")  # laid out once: axes that stay put, and half the time

    def image(self) -> Image.Image:
        """The figure as it is now."""
        moving = [artist for ax in self.fig.axes for artist in _moving(ax)]
        for artist in moving:
            artist.set_animated(True)
        if self.fig.stale or self._background is None:
            self._canvas.draw()  # without the animated ones
            self._background = self._canvas.copy_from_bbox(self.fig.bbox)
        self._canvas.restore_region(self._background)
        for artist in moving:
            self.fig.draw_artist(artist)
        self.fig.stale = False
        return _image(self._canvas)


def _moving(ax: Axes) -> list[Artist]:
    """What has changed in the axes since it was drawn, and all that lies above it, the lowest first."""
    fixed = [ax.patch, ax.xaxis, ax.yaxis, ax.get_legend()] + ([] if ax.axison else list(ax.spines.values()))
    own = [artist for artist in ax.get_children() if artist not in fixed]
    changed = [artist.zorder for artist in own if artist.get_animated() or (artist.stale and artist.get_visible())]
    above = [artist for artist in own if artist.zorder >= min(changed, default=np.inf)]
    return sorted(above, key=lambda artist: artist.zorder)


def draw_image(fig: Figure) -> Image.Image:
    """The whole figure, drawn anew."""
    canvas = FigureCanvasAgg(fig)
    canvas.draw()
    return _image(canvas)


def _image(canvas: FigureCanvasAgg) -> Image.Image:
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def img_tag(image: Image.Image, alt: str, fig: Figure) -> str:
    """The picture as HTML at the figure's size, small to store: every pixel as drawn, in WebP."""
    return _tag(f"data:image/webp;base64,{encode(image, 'webp', lossless=True, method=2, quality=50)}", image, alt, fig)


def quick_img_tag(image: Image.Image, alt: str, fig: Figure) -> str:
    """The same, quick to make and to send: 256 colours, which a plot hardly needs, in PNG."""
    few_colours = image.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    return _tag(f"data:image/png;base64,{encode(few_colours, 'png', compress_level=1)}", image, alt, fig)


def _tag(source: str, image: Image.Image, alt: str, fig: Figure) -> str:
    """The place is reserved before the picture is decoded, so nothing below it jumps."""
    width = f"width:{96 * fig.get_figwidth():.0f}px; max-width:100%"
    style = f"{width}; aspect-ratio:{image.width}/{image.height}; border-radius:4px"
    return f'<img decoding="sync" style="{style}" alt="{html.escape(alt)}" src="{source}">'


def encode(image: Image.Image, kind: str, **options: object) -> str:
    """The file of an image in base64."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return base64.b64encode(buffer.getvalue()).decode()
