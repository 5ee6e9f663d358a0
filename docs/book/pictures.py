"""Pictures as files beside the pages, each stored once, so that a browser loads what it is about to show."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import re
from pathlib import Path

from PIL import Image

DATA = re.compile(r"data:image/(?:png|webp);base64,([A-Za-z0-9+/=\s]+)")


class Pictures:
    """A folder of pictures, named by their content; a page finds it under `address`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def keep(self, encoded: str) -> str:
        """Write one picture, in base64, as the smaller of itself and lossless WebP; return the file's name."""
        data = base64.b64decode(encoded)
        if not data.startswith(b"RIFF"):
            buffer = io.BytesIO()
            Image.open(io.BytesIO(data)).save(buffer, "webp", lossless=True, method=4)
            data = min(data, buffer.getvalue(), key=len)
        ending = "webp" if data.startswith(b"RIFF") else "png"
        path = self.folder / f"{hashlib.sha256(data).hexdigest()[:16]}.{ending}"
        if not path.exists():
            path.write_bytes(data)
        return path.name

    def size(self, name: str) -> tuple[int, int]:
        with Image.open(self.folder / name) as image:
            return image.size


def figure(pictures: Pictures, encoded: str, alt: str, address: str) -> str:
    """A stored picture with its text, at the size it has in the notebook, loaded when it comes near."""
    width = _width(encoded)
    name = pictures.keep(encoded)
    return f'<figure class="picture">{image(pictures, name, alt, address, width)}</figure>'


def image(pictures: Pictures, name: str, alt: str, address: str, width: int) -> str:
    """An `<img>` whose place is kept free before it has loaded, in a box that scrolls where a phone is too narrow."""
    pixels = pictures.size(name)
    return (
        f'<div class="frame"><img src="{address}{name}" alt="{html.escape(alt)}" width="{pixels[0]}" height="{pixels[1]}" '
        f'style="width:{width}px" loading="lazy" decoding="async"></div>'
    )


def _width(encoded: str) -> int:
    """The width in CSS pixels: matplotlib writes how many dots make an inch, and 96 CSS pixels do."""
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as picture:
        dots = float(picture.info.get("dpi", (96.0, 96.0))[0])
        return round(picture.width * 96 / dots)
