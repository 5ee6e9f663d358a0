"""A canvas draws only what moved, and no pixel otherwise."""

import numpy as np
from matplotlib import pyplot as plt

from vae_lessons.pictures import Canvas, draw_image


def moving_figure() -> tuple[Canvas, dict]:
    """Lines, an image, bars, text and a title, some of which will move."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(5, 2), dpi=60)
    x = np.linspace(0, 6, 50)
    (line,) = left.plot(x, np.sin(x), label="moving", zorder=2.1)
    left.plot(x, np.cos(x), zorder=2.2)
    artists = {"line": line, "image": right.imshow(np.zeros((4, 4)), vmin=0, vmax=1), "left": left}
    right.set_axis_off()  # its ticks would end under the image
    artists["bars"], artists["legend"] = left.bar([1, 2, 3], [0.1, 0.5, 0.2]), left.legend(loc="upper right")
    left.set_ylim(-1.5, 4)  # no line crosses the legend, which stays below what moves
    return Canvas(fig), artists


def change(artists: dict, number: int) -> None:
    """Something else at every call: data, a title, limits and the legend."""
    artists["line"].set_ydata(np.sin(np.linspace(0, 6, 50) + number) / 2)
    artists["image"].set_data(np.full((4, 4), (number % 3) / 3))
    artists["bars"][number % 3].set_height(-0.1 * number)
    artists["left"].set_title("title " * (number // 2))
    if number % 3 == 2:
        artists["left"].set_ylim(-1.5 - number, 4)
        artists["legend"].texts[0].set_text(f"number {number}")


def test_a_kept_background_changes_no_pixel():
    """The quick picture equals the one of a figure drawn anew, whatever changed."""
    (canvas, artists), (other, others) = moving_figure(), moving_figure()
    for number in range(8):
        change(artists, number)
        change(others, number)
        quick, slow = np.asarray(canvas.image()), np.asarray(draw_image(other.fig))
        assert np.array_equal(quick, slow), f"picture {number}"


def test_only_what_moves_is_drawn():
    """The background is drawn at the first picture, and again only when limits or the legend change."""
    canvas, artists = moving_figure()
    drawn, draw = [], canvas.fig.canvas.draw
    canvas.fig.canvas.draw = lambda: drawn.append(number) or draw()
    for number in range(8):
        change(artists, number)
        canvas.image()
    assert drawn == [0, 2, 5]
