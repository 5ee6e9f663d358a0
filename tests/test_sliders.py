"""Sliders by their values, and figures by what they draw. The browser's part is in test_browser.py."""

import base64
import io
import re

import ipywidgets as widgets
import numpy as np
import pytest
import torch
from ipywidgets.widgets.widget import _instances
from ipywidgets.widgets.widget_link import Link
from matplotlib import pyplot as plt
from PIL import Image

from vae_lessons import figures
from vae_lessons.sliders import Control, FrameSlider


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
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))).mean() / 255


def frame_alt(frame: widgets.HTML) -> str:
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


def luminance(colour: str) -> float:
    """Relative luminance as WCAG defines it."""
    rgb = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(rgb <= 0.03928, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("colour", [figures.THEORY, figures.TRAINED, figures.DROWNED])
def test_colours_stand_out_from_white(colour):
    assert 1.05 / (luminance(colour) + 0.05) > 3  # WCAG's minimum for graphics
