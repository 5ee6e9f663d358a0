"""A lecture from a notebook: `jupyter nbconvert --to slides --config teaching/slides_config.py NOTEBOOK`.

Which cell goes where stands in the notebook (tools/store_notebooks.py puts it there); this adds the looks.
Code that draws a picture is hidden, since both do not fit on one slide; other code stays.
"""

import re
from base64 import b64encode
from copy import deepcopy
from importlib.resources import files

from nbformat import NotebookNode

c = get_config()  # noqa: F821  nbconvert defines it

# The slides would move with the same keys as a slider.
KEYS_OF_SLIDERS = """<script>
document.querySelector(".reveal").addEventListener("keydown", event => {
    const moves = /^(Arrow|Page|Home|End)/.test(event.key);
    if (moves && event.target.closest(".noUi-target")) event.stopPropagation();
});
</script>"""


# The page that lives needs anywidget's own script, which the slides would take from the network.
SCRIPT = b64encode((files("anywidget") / "nbextension/index.js").read_bytes()).decode()
ANYWIDGET = f'<script>requirejs.config({{paths: {{anywidget: "data:text/javascript;base64,{SCRIPT}"}}}})</script>'


def clear_slides(notebook: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
    """Begin a slide where a heading stands, show pictures without their code, and leave sliders their keys."""
    notebook.cells = [part for cell in notebook.cells for part in parts(cell)]
    for cell in notebook.cells:
        if any("image/png" in output.get("data", {}) for output in cell.get("outputs", ())):
            cell.metadata.transient = {"remove_source": True}
    title = next(cell for cell in notebook.cells if place(cell) != "skip")
    title.source += f"\n\n{KEYS_OF_SLIDERS}\n\n{ANYWIDGET}"
    return notebook, resources


def place(cell: NotebookNode) -> str:
    """What the notebook says of a cell; one that you have just added stands beside the cell above it."""
    return cell.metadata.get("slideshow", {}).get("slide_type", "-")


def parts(cell: NotebookNode) -> list[NotebookNode]:
    """Split prose at its headings: what stands before the first belongs to the result above it."""
    texts = re.split(r"\n(?=## )", cell.source)
    if cell.cell_type != "markdown" or place(cell) == "skip" or len(texts) == 1:
        return [cell]
    cells = [deepcopy(cell) for _ in texts]
    for number, (part, text) in enumerate(zip(cells, texts)):
        part.update(source=text, id=f"{cell.id[:60]}-{number}")
    if not texts[0].startswith("#"):
        cells[0].metadata.slideshow = NotebookNode(slide_type="fragment")
    return cells


c.SlidesExporter.preprocessors = [clear_slides]
c.SlidesExporter.reveal_theme = "simple"
c.SlidesExporter.reveal_transition = "none"
c.SlidesExporter.reveal_scroll = True
c.SlidesExporter.reveal_number = "c/t"
c.SlidesExporter.reveal_width = "1200"
c.SlidesExporter.reveal_height = "750"
c.SlidesExporter.exclude_input_prompt = True
c.SlidesExporter.exclude_output_prompt = True
