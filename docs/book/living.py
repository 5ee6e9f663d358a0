"""The living page in the book: its numbers stand in the page, its weights in files that are fetched when needed."""

from __future__ import annotations

import base64
import html
from pathlib import Path
from typing import Any

from book import BookError
from book.pictures import Pictures, image
from book.sliders import State, as_json
from vae_lessons.data import digits
from vae_lessons.living import module, style
from vae_lessons.living.packing import in_sixteenths
from vae_lessons.recorded import FOLDER, recorded

NOTE = "This picture lives where JavaScript runs: there you move the water, draw a digit, drag its latents, and train."
ALT = "Bars of a spectrum under a water level; beside it the KL of each latent, theory and training; below, digits and samples."


def publish_module(extra: Path) -> None:
    """The module and its style, for all pages."""
    folder = extra / "living"
    folder.mkdir()
    (folder / "living.js").write_text(module(), encoding="utf-8")
    (folder / "living.css").write_text(style(), encoding="utf-8")


def widget(state: State, model_id: str) -> State | None:
    """The living page among the children of a widget, if it is one."""
    children = state[model_id]["state"].get("children", ())
    parts = (state[child.removeprefix("IPY_MODEL_")] for child in children)
    return next((dict(part) for part in parts if part["model_name"] == "AnyModel"), None)


def stored(model: State, still: str, pictures: Pictures, top: str, name: str) -> str:
    """A page of a notebook, with the models that were trained there.

    Args:
        still: the picture stored beside it, in base64.
        top: where the page finds the top of the book.
        name: the folder of its weights.
    """
    buffers = {item["path"][0]: base64.b64decode(item["data"]) for item in model.get("buffers", ())}
    file = pictures.keep(still)
    shown = image(pictures, file, ALT, f"{top}pictures/", pictures.size(file)[0])
    return page(
        model["state"]["numbers"], buffers["weights"], buffers["digits"], pictures.folder.parent, top, name, shown
    )


def first_page(extra: Path) -> str:
    """The recorded models, for the first page of the book."""
    shown = f'<img src="signature.png" alt="{html.escape(ALT)}" loading="lazy">'
    weights, sixteenths = (FOLDER / "living.bin").read_bytes(), in_sixteenths(digits().x)
    numbers = {name: value for name, value in recorded("living").items() if name in NUMBERS}
    return page(numbers, weights, sixteenths, extra, "", "first", shown)


NUMBERS = ("sizes", "noiseVar", "eigenvalues", "examples", "models")  # of the record, what the page reads


def page(
    numbers: dict[str, Any], weights: bytes, sixteenths: bytes, extra: Path, top: str, name: str, shown: str
) -> str:
    """The figure, and its files in the folder ``living/name``.

    Raises:
        BookError: the weights are not those of so many models.
    """
    n_models = len(numbers["models"])
    size, rest = divmod(len(weights), n_models)
    if rest or not size:
        raise BookError(f"{name}: {len(weights)} bytes cannot be the weights of {n_models} models.")
    folder = extra / "living" / name
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(n_models):
        (folder / f"weights-{number:02}.bin").write_bytes(weights[number * size : (number + 1) * size])
    (folder / "digits.bin").write_bytes(sixteenths)
    data = {"numbers": numbers, "folder": f"{top}living/{name}/", "lessons": lesson_pages(top)}
    return f'<figure class="living" data-living>{shown}<figcaption>{NOTE}</figcaption>{as_json(data)}</figure>'


def lesson_pages(top: str) -> dict[str, str]:
    """Where the lessons are, by their numbers."""
    notebooks = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    return {path.stem[:2]: f"{top}lessons/{path.stem}.html" for path in notebooks}
