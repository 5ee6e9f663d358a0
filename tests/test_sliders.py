"""Sliders by their values, and figures by what they draw. The browser's part is in test_browser.py."""

import base64
import io
import re

import ipywidgets as widgets
import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances
from ipywidgets.widgets.widget_link import Link
from matplotlib import pyplot as plt
from PIL import Image

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


def test_an_older_ipywidgets_shows_the_picture_too(monkeypatch):
    """Version 7 has no such method, only one that asks a kernel for the widget."""
    monkeypatch.delattr(widgets.Widget, "_repr_mimebundle_")
    bundle = grey_slider(Control("g", [0.2, 0.8]))._repr_mimebundle_()
    assert set(bundle) == {"image/png", "text/plain"}


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
