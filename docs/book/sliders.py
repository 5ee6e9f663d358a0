"""The notebooks' sliders without a kernel: a native range input over the stored frames.

A native input has its keys, its touch and its name in every browser, and needs no widget library.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from typing import Any

from book import BookError
from book.pictures import DATA, Pictures, image

IMG = re.compile(r'<img [^>]*?width:(\d+)px[^>]*? alt="([^"]*)" src="([^"]*)">')
State = dict[str, Any]


def slider(state: State, model_id: str, pictures: Pictures, address: str, name: str) -> str:
    """What the page shows for a widget: a slider over frames, a still of what needs a kernel, or nothing.

    Args:
        state: of all widgets of the notebook.
        address: where the page finds its pictures.
        name: makes the ids of the controls; different for each slider of a page.

    Raises:
        BookError: the widget is of no known kind.
    """
    model = state[model_id]
    if model["model_name"] == "HBoxModel":
        return ""  # the progress bar of a training that is over
    parts = [_follow(state, child) for child in model["state"]["children"]]
    if any(part["model_name"] == "StackModel" for part in parts):
        *controls, stack = (part["state"] for part in parts)
        return frames(controls, list(_frames(state, stack)), pictures, address, name)
    pictured = [part["state"]["value"] for part in parts if IMG.search(str(part["state"].get("value")))]
    if not pictured:
        raise BookError(f"{name}: a widget of the kind {model['model_name']} cannot be shown on a page.")
    return still(pictured[0], pictures, address)


def stored_frames(state: State, model_id: str) -> list[str]:
    """The HTML of every frame of a slider, in the order of its positions."""
    stack = _follow(state, state[model_id]["state"]["children"][-1])
    return list(_frames(state, stack["state"]))


def _follow(state: State, reference: str) -> State:
    return dict(state[reference.removeprefix("IPY_MODEL_")])


def _frames(state: State, model: State) -> Iterator[str]:
    """The HTML of every frame below a stack, in the order of the sliders' positions."""
    if "value" in model:
        yield model["value"]
    for child in model.get("children", ()):
        yield from _frames(state, _follow(state, child)["state"])


def frames(controls: list[State], stored: list[str], pictures: Pictures, address: str, name: str) -> str:
    """One or two range inputs above a picture, and in JSON all its frames with their texts."""
    kept = [_keep(each, pictures) for each in stored]
    start = 0
    for control in controls:
        start = start * len(control["_options_labels"]) + control["index"]
    file, alt, width = kept[start]
    data = {
        "labels": [control["_options_labels"] for control in controls],
        "frames": [[address + file, alt] for file, alt, _ in kept],
    }
    inputs = "".join(_control(control, f"{name}-{number}") for number, control in enumerate(controls))
    return (
        f'<figure class="slider" data-frames><div class="controls">{inputs}</div>'
        f"{image(pictures, file, alt, address, width)}{as_json(data)}</figure>"
    )


def _keep(tag: str, pictures: Pictures) -> tuple[str, str, int]:
    """File, text and width of one frame."""
    found = IMG.search(tag)
    encoded = DATA.match(found[3]) if found else None
    if found is None or encoded is None:
        raise BookError(f"a slider's frame is no picture: {tag[:80]}")
    return pictures.keep(encoded[1]), html.unescape(found[2]), int(found[1])


def _control(control: State, name: str) -> str:
    labels, index = control["_options_labels"], control["index"]
    symbol, value = html.escape(control["description"]), html.escape(labels[index])
    return (
        f'<label for="{name}">{symbol}</label>'
        f'<input type="range" id="{name}" min="0" max="{len(labels) - 1}" step="1" value="{index}" '
        f'aria-valuetext="{value}" autocomplete="off"><output for="{name}">{value}</output>'
    )


def still(tag: str, pictures: Pictures, address: str) -> str:
    """The picture of a widget that needs a kernel, and how to bring it to life."""
    file, alt, width = _keep(tag, pictures)
    note = (
        'This picture is computed while you move it, so it needs Python. <a href="../running.html">Run the notebook'
        "</a> to bring it to life; here it stands still."
    )
    return f'<figure class="still">{image(pictures, file, alt, address, width)}<figcaption>{note}</figcaption></figure>'


def as_json(data: object) -> str:
    """Data for the page's scripts; no text in it can end the element."""
    return f'<script type="application/json">{json.dumps(data, ensure_ascii=False).replace("<", chr(92) + "u003c")}</script>'
