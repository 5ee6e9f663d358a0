"""For each lesson the wrong code that its claims are meant to catch, and its sentences with numbers.

`lessonNN.WRONG` is run by tests/test_claims.py, on the condition as it stands in the notebook;
`lessonNN.SENTENCES` by tools/other_seeds.py, on the variables of the notebook run with other seeds.
"""

import ast
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import nbformat
from export_assignment import is_exercise

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
COURSE = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
Names = dict[str, Any]
# What nbval masks before it compares, see the file.
((MASK, REPLACEMENT),) = re.findall(
    r"^regex: (.*)$\n^replace: (.*)$",
    (NOTEBOOKS.parent / "tests" / "claims_sanitize.cfg").read_text(encoding="utf-8"),
    re.MULTILINE,
)


class Wrong(NamedTuple):
    """Wrong code, and the claim that must catch it.

    Attributes:
        claim: how the claim's sentence begins in the notebook.
        mistake: what is wrong, in words.
        right, wrong: the variables of the claim's condition, computed right and wrong.
    """

    claim: str
    mistake: str
    right: Callable[[], Names]
    wrong: Callable[[], Names]


class Claim(NamedTuple):
    """A call of `claim` in a notebook: its sentence (up to the first value put into it), and its condition."""

    sentence: str
    condition: ast.expr


def bank(path: Path) -> ModuleType:
    """`tests.lessons.lessonNN` of a notebook."""
    return import_module(f"tests.lessons.lesson{path.name[:2]}")


def own_code(path: Path) -> list[str]:
    """The code cells of a lesson itself, its exercises left out."""
    cells = nbformat.read(path, as_version=4).cells
    return [cell.source for cell in cells if cell.cell_type == "code" and not is_exercise(cell)]


def claims(path: Path) -> Iterator[Claim]:
    """The claims of a notebook, in order."""
    for source in own_code(path):
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "claim":
                yield Claim(_beginning(node.args[0]), node.args[1])


def _beginning(sentence: ast.expr) -> str:
    """The text of a string, or of an f-string up to its first value."""
    first = sentence.values[0] if isinstance(sentence, ast.JoinedStr) else sentence
    return str(first.value) if isinstance(first, ast.Constant) else ""


def find(path: Path, beginning: str) -> Claim:
    """The one claim that begins so.

    Raises:
        ValueError: none does, or several.
    """
    found = [claim for claim in claims(path) if claim.sentence.startswith(beginning)]
    if len(found) != 1:
        raise ValueError(f"{path.name} has {len(found)} claims that begin with {beginning!r}, 1 is wanted")
    return found[0]


def holds(claim: Claim, names: Names) -> bool:
    """The condition of a claim, evaluated with these variables."""
    import math

    import numpy as np
    import sympy as sp
    import torch

    known = {"math": math, "np": np, "sp": sp, "torch": torch, **names}
    return bool(eval(compile(ast.Expression(claim.condition), claim.sentence, "eval"), known))
