"""What pyproject.toml asks for, and whether it is there; with the standard library alone."""

from __future__ import annotations

import ast
import importlib.metadata
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def requirements(root: Path, array: str) -> list[str]:
    """Read one array of strings from pyproject.toml; Python 3.10 has no tomllib, but the literals are Python's."""
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(rf"^{array} = (\[.*?\])$", text, re.M | re.S)
    return list(ast.literal_eval(found[1])) if found else []


def release(version: str) -> tuple[int, ...]:
    """`"2.10.0+cpu"` as `(2, 10)`: without trailing zeros, tuples compare as versions do."""
    numbers = re.sub(r"^(\d+(\.\d+)*).*", r"\1", version)
    return tuple(map(int, re.sub(r"(\.0+)+$", "", numbers).split(".")))


def is_installed(requirement: str) -> bool:
    """Whether the running interpreter has the package, within its bounds (`>=` and `<` only)."""
    name, *_ = re.split(r">=|<", requirement)
    try:
        installed = release(importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return False
    pairs = re.findall(r"(>=|<)([\d.]+)", requirement)
    return all((installed < release(bound)) == (sign == "<") for sign, bound in pairs)


def check_installation(root: Path = ROOT) -> None:
    """Print whether the interpreter of this page has every package that the course asks for (notebook 00)."""
    unfit = [requirement for requirement in requirements(root, "dependencies") if not is_installed(requirement)]
    if unfit:
        print("Missing, or outside the tested versions:", ", ".join(unfit))
        print("Close this page and run `python3 -m vae_lessons` in a terminal, in the course's folder.")
    else:
        print("Every package is there, in a version that was tested.")
