"""Sliders by their values, and figures by what they draw. The browser's part is in test_browser.py."""

import base64
import io
import re
from itertools import combinations

import ipywidgets as widgets
import numpy as np
import pytest
import torch
from ipywidgets.widgets.widget import _instances
from ipywidgets.widgets.widget_link import Link
from matplotlib import pyplot as plt
from PIL import Image

from vae_lessons import figures
from vae_lessons.pictures import Canvas, draw_image
from vae_lessons.sliders import Control, FrameSlider, LiveSlider, Range


def grey_slider(*controls: Control) -> FrameSlider:
    """Every picture is one shade of grey, the sum of its values: easy to recognise."""
    fig, ax = plt.subplots(figsize=(1, 1), dpi=20, layout="constrained")

    def draw(*values: float) -> str:
        fig.set_facecolor(str(sum(values)))
        ax.set_axis_off()
        return f'shade "{sum(values):.1f}"'

    slider = FrameSlider(fig, draw, controls)
    slider.draw_all()
    return slider


def shade(frame: widgets.HTML) -> float:
    """The grey of the picture inside a frame."""
    data = re.search(r"base64,([^\"]+)", frame.value)[1]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("L")).mean() / 255


def frame_alt(frame: widgets.HTML) -> str:
    """Its text for readers who do not see it, as HTML."""
    return re.search(r'alt="([^"]*)"', frame.value)[1]


def links() -> set[tuple[str, str, str, str]]:
    """The jslinks that exist, as (source, trait, target, trait)."""
    found = [widget for widget in _instances.values() if isinstance(widget, Link)]
    return {(w.source[0].model_id, w.source[1], w.target[0].model_id, w.target[1]) for w in found}


def test_one_control_has_the_right_picture_at_every_position():
    values = [0.2, 0.4, 0.9]
    slider = grey_slider(Control("g", values, start=1, style=".1f"))
    assert slider.sliders[0].options == ("0.2", "0.4", "0.9") and slider.sliders[0].label == "0.4"
    assert slider.pictures.selected_index == 1
    assert [shade(frame) for frame in slider.pictures.children] == pytest.approx(values, abs=0.01)
    assert [frame_alt(f) for f in slider.pictures.children] == [f"shade &quot;{v}&quot;" for v in values]
    link = (slider.sliders[0].model_id, "index", slider.pictures.model_id, "selected_index")
    assert link in links()


def test_two_controls_nest():
    slider = grey_slider(Control("a", [0.1, 0.5], style=".1f"), Control("b", [0.0, 0.2, 0.4], start=2, style=".1f"))
    for i, inner in enumerate(slider.pictures.children):
        assert inner.selected_index == 2
        for j, frame in enumerate(inner.children):
            assert shade(frame) == pytest.approx([0.1, 0.5][i] + [0.0, 0.2, 0.4][j], abs=0.01)
        assert (slider.sliders[1].model_id, "index", inner.model_id, "selected_index") in links()
    assert (slider.sliders[0].model_id, "index", slider.pictures.model_id, "selected_index") in links()


def test_the_picture_for_places_without_widgets_is_the_first_shown():
    bundle = grey_slider(Control("g", [0.2, 0.8], start=1, style=".1f"))._repr_mimebundle_()
    picture = Image.open(io.BytesIO(base64.b64decode(bundle["image/png"])))
    assert np.asarray(picture).mean() / 255 == pytest.approx(0.8, abs=0.01)
    assert bundle["text/plain"] == "A picture with a slider for g."
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_an_error_while_drawing_reaches_the_learner():
    fig, _ = plt.subplots()
    with pytest.raises(ZeroDivisionError):
        FrameSlider(fig, lambda value: str(1 / value), [Control("g", [0.0, 1.0])])
    plt.close(fig)


def test_without_stack_the_kernel_changes_the_picture(monkeypatch):
    """ipywidgets 7, which Colab has, knows no Stack."""
    monkeypatch.delattr(widgets, "Stack")
    slider = grey_slider(Control("a", [0.1, 0.5], style=".1f"), Control("b", [0.0, 0.2, 0.4], start=2, style=".1f"))
    assert shade(slider.pictures) == pytest.approx(0.5, abs=0.01)
    for i, j in [(1, 0), (0, 1), (1, 2)]:
        slider.sliders[0].index, slider.sliders[1].index = i, j
        assert shade(slider.pictures) == pytest.approx([0.1, 0.5][i] + [0.0, 0.2, 0.4][j], abs=0.01)


def test_the_unit_stands_behind_the_symbol():
    slider = grey_slider(Control("σ²", [0.2, 0.8], unit="pixel²"))
    assert slider.sliders[0].description == "σ² [pixel²]"
    assert grey_slider(Control("β", [0.2, 0.8])).sliders[0].description == "β"


@pytest.mark.parametrize(("seconds_each", "shown"), [(0.1, False), (0.6, True)])
def test_a_progress_bar_comes_when_drawing_takes_longer_than_a_second(seconds_each, shown):
    fig, _ = plt.subplots(figsize=(1, 1), dpi=20)
    seen = []

    def draw(value: float) -> str:
        if slider is not None:
            seen.append(any(isinstance(child, widgets.IntProgress) for child in slider.children))
        return str(value)

    slider = None
    slider = FrameSlider(fig, draw, [Control("g", [0.0, 1.0])])
    slider.seconds_each = seconds_each
    slider.draw_all()
    assert seen == [shown, shown]


# Live ------------------------------------------------------------------------------------------


def live_grey(**changes) -> LiveSlider:
    """One shade of grey, a times b, in a patch that is recoloured; b = 0 is an error."""
    fig, ax = plt.subplots(figsize=(1, 1), dpi=20)
    ax.set_position([0, 0, 1, 1])
    ax.set_axis_off()
    patch = ax.add_patch(plt.Rectangle((0, 0), 1, 1))

    def update(a: float, b: float) -> str:
        patch.set_facecolor(str(a * b))
        return f"shade {a * b:.2f}, {1 / b:.0f}"

    return LiveSlider(fig, update, [Range("a", 0, 1, 0.5)._replace(**changes), Range("b", 0, 1, 0.5)])


def test_a_live_picture_follows_every_slider():
    slider = live_grey()
    assert shade(slider.picture) == pytest.approx(0.25, abs=0.02)
    for a, b in [(1.0, 0.5), (0.2, 1.0), (0.9, 0.9)]:
        slider.sliders[0].value, slider.sliders[1].value = a, b
        assert shade(slider.picture) == pytest.approx(a * b, abs=0.02)
        assert frame_alt(slider.picture).startswith(f"shade {a * b:.2f}")


def test_an_error_in_a_live_picture_is_shown_and_passes():
    slider = live_grey()
    slider.sliders[1].value = 0
    assert "ZeroDivisionError" in slider.picture.value and "<img" not in slider.picture.value
    details = re.search("<details>(.*)</details>", slider.picture.value, re.DOTALL)[1]
    assert "return f&quot;shade" in details  # the learner's own line
    slider.sliders[1].value = 1
    assert shade(slider.picture) == pytest.approx(0.5, abs=0.02)


def test_the_live_picture_for_places_without_widgets_is_the_first():
    slider = live_grey()
    slider.sliders[0].value = 1
    picture = Image.open(io.BytesIO(base64.b64decode(slider._repr_mimebundle_()["image/png"])))
    assert np.asarray(picture).mean() / 255 == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"low": 1}, "low of a must be below high, got 1 and 1"), ({"start": 2}, "start of a must lie in 0…1, got 2")],
)
def test_bad_ranges_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        live_grey(**changes)
    plt.close("all")


def test_live_sliders_need_a_control():
    with pytest.raises(ValueError, match="controls must be one or more"):
        LiveSlider(plt.figure(), lambda: "", [])
    plt.close("all")


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


BAD = {
    "no control": ([], "controls must be one or two, got 0"),
    "three controls": ([Control("a", [0, 1])] * 3, "controls must be one or two, got 3"),
    "one value": ([Control("a", [1.0])], "values of a must be two or more"),
    "written alike": ([Control("a", [1.001, 1.002])], "written differently"),
    "start outside": ([Control("a", [0, 1], start=2)], "start of a must lie in 0…1, got 2"),
}


@pytest.mark.parametrize(("controls", "message"), BAD.values(), ids=BAD)
def test_bad_controls_are_named(controls, message):
    with pytest.raises(ValueError, match=message):
        FrameSlider(plt.figure(), lambda *values: "", controls)
    plt.close("all")


def test_tiles_keep_every_image_in_its_place():
    images = torch.arange(6.0)[:, None] * torch.ones(1, 4)
    picture = figures.tile(images, (2, 2), columns=3)
    assert picture.shape == (5, 8)
    corners = [picture[3 * (i // 3), 3 * (i % 3)] for i in range(6)]
    assert corners == [0, 1, 2, 3, 4, 5]
    with pytest.raises(ValueError, match="columns must divide the number of images, 6, got 4"):
        figures.tile(images, (2, 2), columns=4)


def test_spectrum_shows_live_drowned_and_unheld_bars():
    fig, ax = plt.subplots()
    figures.plot_spectrum(ax, [3.0, 2.0, 1.0, 0.5], level=0.9, n_latents=2)
    colours = [plt.matplotlib.colors.to_hex(bar.get_facecolor()).upper() for bar in ax.patches[:4]]
    assert colours == [figures.THEORY, figures.THEORY, "#FFFFFF", figures.DROWNED.upper()]
    assert [bar.get_height() for bar in ax.patches[:4]] == [3.0, 2.0, 1.0, 0.5]
    plt.close(fig)


def test_kl_dots_are_sorted_and_bars_are_the_theory():
    fig, ax = plt.subplots()
    figures.plot_kl_per_latent(ax, [0.5, 0.2, 0.0], torch.tensor([0.1, 0.6, 0.3]))
    assert [bar.get_height() for bar in ax.patches] == [0.5, 0.2, 0.0]
    assert ax.lines[0].get_ydata() == pytest.approx([0.6, 0.3, 0.1])
    plt.close(fig)


def test_every_figure_names_its_axes():
    fig, axes = plt.subplots(2, 4)
    a = axes.ravel()
    figures.plot_densities(a[0], 1.0, 0.5)
    figures.plot_integrand(a[1], 1.0, 0.5)
    figures.plot_kl_curve(a[2], 1.0, 0.5)
    figures.plot_estimates(a[3], [1.0, 1.1, 0.9], 1.0, 0.1)
    figures.plot_history(a[4], a[5], [1.0, 2.0], np.ones((2, 3)))
    figures.plot_latent_map(a[6], np.zeros((3, 2)), np.array([0, 1, 1]), ("one", "two"))
    figures.plot_total_kl(a[7], [0.1, 1.0], [2.0, 0.0], [0.5], [1.0], [0.9])
    assert all(ax.get_xlabel() and ax.get_ylabel() for ax in a)
    plt.close(fig)


def test_shown_figures_carry_their_text(capsys):
    fig, _ = plt.subplots()
    figures.show(fig, "what it shows")
    assert not plt.fignum_exists(fig.number)


def test_only_what_moves_is_drawn():
    """The background is drawn at the first picture, and again only when limits or the legend change."""
    canvas, artists = moving_figure()
    drawn, draw = [], canvas.fig.canvas.draw
    canvas.fig.canvas.draw = lambda: drawn.append(number) or draw()
    for number in range(8):
        change(artists, number)
        canvas.image()
    assert drawn == [0, 2, 5]


COLOURS = {name: getattr(figures, name) for name in ("THEORY", "TRAINED", "DROWNED")}
PAIRS = list(combinations(COLOURS, 2))
# How three kinds of colour-blind eyes see linear RGB (Machado, Oliveira, Fernandes, 2009, severity 1).
EYES = {
    "usual": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear_rgb(colour: str) -> np.ndarray:
    """#RRGGBB without its gamma."""
    rgb = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def cielab(rgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of linear RGB: distances are what eyes tell apart, and L* is what greyscale keeps."""
    xyz = TO_XYZ @ rgb.clip(0, 1) / TO_XYZ.sum(1)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("name", COLOURS)
def test_colours_stand_out_from_white(name):
    """Three to one is what WCAG asks of graphics."""
    luminance = (TO_XYZ @ linear_rgb(COLOURS[name]))[1]
    assert 1.05 / (luminance + 0.05) > 3


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize(("one", "two"), PAIRS)
def test_colour_blind_eyes_tell_colours_apart(one, two, eyes):
    seen = [cielab(np.array(EYES[eyes]) @ linear_rgb(COLOURS[name])) for name in (one, two)]
    assert np.linalg.norm(seen[0] - seen[1]) > 25  # 2.3 is just noticeable, side by side


@pytest.mark.parametrize(("one", "two"), PAIRS)
def test_greyscale_tells_colours_apart(one, two):
    lightness = [cielab(linear_rgb(COLOURS[name]))[0] for name in (one, two)]
    assert abs(lightness[0] - lightness[1]) > 12


def test_figures_without_a_named_colour_begin_with_the_same_two():
    with plt.style.context("vae_lessons.course"):
        cycle = plt.rcParams["axes.prop_cycle"].by_key()["color"]
    assert [f"#{colour.lstrip('#')}".upper() for colour in cycle[:2]] == [figures.THEORY, figures.TRAINED]
