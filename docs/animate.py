"""The moving picture of README.md: ``python docs/animate.py`` makes `docs/signature.gif` from notebook 07's frames.

GitHub shows no sliders, so the README plays the signature slider by itself, from the smallest β to the largest.
"""

import base64
import io
from pathlib import Path

from book.course import WIDGET_VIEW, read_course
from book.pictures import DATA
from book.sliders import IMG, stored_frames
from PIL import Image

from vae_lessons.files import written_whole

ROOT = Path(__file__).resolve().parent.parent
GIF = ROOT / "docs" / "signature.gif"
WIDTH, MILLISECONDS, AT_THE_ENDS = 720, 300, 1500


def main() -> None:
    save([picture(frame) for frame in signature_frames()], GIF)
    print(f"{GIF.name}: {GIF.stat().st_size / 1e3:.0f} kB")


def signature_frames() -> list[str]:
    """The HTML of every frame of the cell tagged "signature", in the slider's order."""
    for lesson in read_course(ROOT / "notebooks"):
        for cell in lesson.cells:
            if "signature" in cell["metadata"].get("tags", ()):
                (view,) = [output["data"][WIDGET_VIEW] for output in cell["outputs"]]
                return stored_frames(lesson.widgets, view["model_id"])
    raise ValueError("no notebook has a cell tagged 'signature'")


def picture(frame: str) -> Image.Image:
    """One frame, smaller, in few colours: a plot needs no more."""
    tag = IMG.search(frame)
    encoded = DATA.match(tag[3]) if tag else None
    if encoded is None:
        raise ValueError(f"a frame must be an <img> with its data, got {frame[:80]!r}")
    image = Image.open(io.BytesIO(base64.b64decode(encoded[1]))).convert("RGB")
    smaller = image.resize((WIDTH, round(image.height * WIDTH / image.width)), Image.Resampling.LANCZOS)
    return smaller.quantize(128, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)


def save(pictures: list[Image.Image], path: Path) -> None:
    """From the left end of the slider to the right one, with a rest at both."""
    durations = [MILLISECONDS] * len(pictures)
    durations[0] = durations[-1] = AT_THE_ENDS
    first, *rest = pictures
    with written_whole(path) as part:
        first.save(part, "gif", save_all=True, append_images=rest, duration=durations, loop=0, optimize=True)


if __name__ == "__main__":
    main()
