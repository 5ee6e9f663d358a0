"""Does a lesson hold with other seeds? ``python tools/other_seeds.py [lesson ...] [--seeds 10] [--jobs 2]``.

A lesson's seeds all derive from its line ``SEED = 0``. Each notebook runs with other numbers there, its
pictures and exercises left out, and every claim is counted instead of stopping the notebook, as is every
sentence of `tests/lessons` that states a number. The table says in how many runs each held.
"""

import argparse
import json
import os
import re
import sys
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import nbformat
from export_assignment import is_exercise
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from tests.lessons import COURSE, bank

FIRST, STEP = 1000, 1000  # the seeds tried: far apart, since a notebook adds small numbers to its own

# Runs before the notebook: claims are counted, pictures are not drawn.
PRELUDE = """
from IPython.display import display as _display
from vae_lessons import claims as _claims, figures as _figures, sliders as _sliders
_held = []

def _count(sentence, holds, *measured):
    _held.append([sentence, _claims._truth(holds), " ".join(map(_claims.text, measured))])

def _draw_once(fig, draw, *controls):
    draw(*(list(control.values)[control.start] for control in controls))

_claims.claim = _count
_figures.show = _figures.style.show = lambda fig, alt: __import__("matplotlib.pyplot").pyplot.close(fig)
_sliders.show_frames = _draw_once
_sliders.show_live = lambda *args, **options: None
"""

# Runs after it: the sentences, each an expression over the notebook's variables.
CODA = """
import json as _json
for _sentence, _expression in _json.loads({sentences!r}).items():
    try:
        _held.append(["“" + _sentence + "”", bool(eval(_expression)), ""])
    except Exception as _error:
        _held.append(["“" + _sentence + "”", False, repr(_error)])
print("HELD" + _json.dumps(_held))
"""


class Run(NamedTuple):
    """One notebook with one seed.

    Attributes:
        held: (sentence, whether it held, what was measured), in order.
        errors: the cells that stopped, "cell 12: ValueError: …".
    """

    held: list[tuple[str, bool, str]]
    errors: list[str]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lessons", nargs="*", help="numbers, such as 05; all of them if none is given")
    parser.add_argument("--seeds", type=int, default=10, help="how many other seeds")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many notebooks run at a time")
    options = parser.parse_args(arguments)
    paths = [path for path in COURSE if not options.lessons or path.name[:2] in options.lessons]
    seeds = [FIRST + STEP * number for number in range(options.seeds)]
    with ProcessPoolExecutor(options.jobs) as pool:
        waiting = {path: [pool.submit(run, path, seed) for seed in seeds] for path in paths}
        failures = [report(path, [future.result() for future in futures]) for path, futures in waiting.items()]
    return int(any(failures))


def run(path: Path, seed: int) -> Run:
    """Run a notebook with another seed, in a kernel with one thread."""
    os.environ["OMP_NUM_THREADS"] = "1"
    notebook = nbformat.read(path, as_version=4)
    body = [cell for cell in notebook.cells if cell.cell_type == "code" and not is_exercise(cell)]
    reseed(body, seed)
    coda = CODA.format(sentences=json.dumps(bank(path).SENTENCES))
    notebook.cells = [nbformat.v4.new_code_cell(PRELUDE), *body, nbformat.v4.new_code_cell(coda)]
    client = NotebookClient(notebook, timeout=600, kernel_name="python3", allow_errors=True)
    client.resources = {"metadata": {"path": str(path.parent)}}
    client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    errors = [f"{error.ename}: {error.evalue}" for error in outputs if error.output_type == "error"]
    printed = "".join(output.get("text", "") for output in outputs)
    held = re.findall(r"^HELD(.*)$", printed, re.MULTILINE)
    return Run([tuple(one) for one in json.loads(held[-1])] if held else [], errors)


def reseed(cells: Sequence[nbformat.NotebookNode], seed: int) -> None:
    """Put another number into the one line that sets the seed.

    Raises:
        ValueError: there is not exactly one.
    """
    found = 0
    for cell in cells:
        cell.source, n = re.subn(r"^SEED = \d+", f"SEED = {seed}", cell.source, flags=re.MULTILINE)
        found += n
    if found != 1:
        raise ValueError(f"a notebook must have one line 'SEED = 0', got {found}")


def report(path: Path, runs: Sequence[Run]) -> bool:
    """Print one lesson's table; true if something did not hold in every run."""
    counts: dict[str, list[bool]] = defaultdict(list)
    misses: dict[str, list[str]] = defaultdict(list)
    for one in runs:
        for sentence, holds, shown in one.held:
            counts[sentence].append(holds)
            if not holds:
                misses[sentence].append(shown)
    errors = [error for one in runs for error in one.errors]
    always = sum(all(held) and len(held) >= len(runs) for held in counts.values())
    print(f"{path.stem[:2]}  {always} of {len(counts)} claims and sentences held with all {len(runs)} seeds")
    for sentence, held in counts.items():
        if not all(held) or len(held) < len(runs):
            print(f"    {sum(held)} of {len(held)}  {sentence}  {'; '.join(filter(None, misses[sentence]))}")
    for error in errors:
        print(f"    stopped  {error}")
    sys.stdout.flush()
    return bool(errors) or always < len(counts)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
