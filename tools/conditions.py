"""Do the stored outputs hold under other conditions? ``python tools/conditions.py [NAME ...] [--notebooks 00 03]``.

A condition is how a notebook is run: in which order, where, by whom, in which language and place, on which
arithmetic. Each runs the notebooks of this checkout in a copy of it and compares what they print with what
they store, as the test suite does (nbval, with `tests/claims_sanitize.cfg`). A row says how many cells held,
and what its witness saw: an expression whose value shows that the condition was really there. `--list` names
the conditions; `--record` saves the rows that ran into `tests/trust/conditions.json`.
"""

from __future__ import annotations

import argparse
import copy
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple

import nbformat
import trust
from nbformat import NotebookNode
from store_notebooks import course

ROOT = Path(__file__).resolve().parents[1]
ONCE, WHOLE, CELLS = "once", "the whole twice", "each cell twice"
NOBODY = "nobody"
CHINESE = "深度 学习/变分 自编码器 course"
NO_FOLDER = "/dev/null"  # a home that cannot be made, not even by root

# Sums, products and functions that the lessons rest on; the last digits of each, told apart by what computes them.
ARITHMETIC = """
import hashlib, numpy as np, torch
import torch.nn.functional as F
def digits(*arrays): return hashlib.md5(b"".join(np.asarray(a).tobytes() for a in arrays)).hexdigest()[:4]
a, b = np.random.default_rng(0).standard_normal((2, 300, 300))
t = torch.Generator().manual_seed(0)
x, w = torch.randn(300, 300, generator=t), torch.randn(300, 300, generator=t).requires_grad_()
F.softplus(x @ w).logsumexp(1).sum().backward()
print("NumPy products " + digits(a @ b, np.linalg.eigvalsh(a @ a.T)), "NumPy functions " + digits(np.exp(a), np.log(a * a)),
      "torch draws " + digits(x), "torch products " + digits((x @ x).numpy(), torch.linalg.eigvalsh(x.double() @ x.double().T)),
      "torch functions " + digits(x.exp(), x.abs().log(), x.tanh(), x.sum(), x.std(0), torch.logsumexp(x, 1)),
      "torch gradients " + digits(w.grad), sep=", ")
"""
FOLDER = 'import os; print("folder", os.path.basename(os.getcwd()))'
WHERE = 'import pathlib, vae_lessons; print("checkout", pathlib.Path(vae_lessons.__file__).parents[1].name)'
WRITABLE = (
    'import os, vae_lessons; print("writable", os.access(".", os.W_OK), os.access(vae_lessons.__path__[0], os.W_OK))'
)
THREADS = 'import torch; print("threads", torch.get_num_threads())'
HASHES = 'print("order of a set", *set("abcdef"))'
CODING = 'import locale; print("coding of files", locale.getpreferredencoding(False))'
CLOCK = 'import time; print("UTC", time.strftime("%z"))'
HOME = 'import os; print("home", os.path.isdir(os.path.expanduser("~")))'
USER = 'import os; print("root", os.getuid() == 0)'
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
LATIN = "a Latin-1 locale"
NO_WITNESS = "print()"


@dataclass(frozen=True, eq=False)
class Condition:
    """How the notebooks are run.

    Attributes:
        tried: what a reader of the table is told.
        witness: a program whose output differs under this condition.
        variables: set in the environment; None takes one away.
        order: ONCE, WHOLE (the notebook, then again in the same kernel) or CELLS (each cell twice in a row).
        checkout: the name of the folder with the checkout, which may lie in others.
        elsewhere: the notebooks run in a folder outside the checkout, and pytest is called from another.
        user: who runs them, and owns the checkout unless it is `locked`.
        locked: nothing of the checkout can be written.
    """

    tried: str
    witness: str = NO_WITNESS
    variables: Mapping[str, str | None] = field(default_factory=dict)
    order: str = ONCE
    checkout: str = "checkout"
    elsewhere: bool = False
    user: str | None = None
    locked: bool = False


def _set(tried: str, witness: str, **variables: str | None) -> Condition:
    return Condition(tried, witness, variables)


CONDITIONS: dict[str, Condition] = {
    "plain": Condition("as the suite runs them"),
    "twice": Condition("each notebook twice in one kernel", order=WHOLE),
    "cells": Condition("every cell twice in a row", order=CELLS),
    "elsewhere": Condition("from another working directory, outside the checkout", FOLDER, elsewhere=True),
    "readonly": Condition("a checkout that cannot be written", WRITABLE, user=NOBODY, locked=True),
    "path": Condition("a path with spaces and Chinese characters", WHERE, checkout=CHINESE),
    "nobody": Condition("a user who is not root", USER, user=NOBODY),
    "homeless": _set("no home folder", HOME, HOME=NO_FOLDER),
    "thread": _set("one thread", THREADS, OMP_NUM_THREADS="1"),
    "threads": _set("two threads", THREADS, OMP_NUM_THREADS="2"),
    "four": _set("four threads", THREADS, OMP_NUM_THREADS="4"),
    "hash-1": _set("PYTHONHASHSEED=1", HASHES, PYTHONHASHSEED="1"),
    "hash-2": _set("PYTHONHASHSEED=2", HASHES, PYTHONHASHSEED="2"),
    "ascii": _set("a locale that is ASCII only", CODING, **ASCII),
    "latin": _set("a Latin-1 locale", CODING, LC_ALL=LATIN, PYTHONUTF8="0"),
    "east": _set("time zone Pacific/Kiritimati", CLOCK, TZ="Pacific/Kiritimati"),
    "west": _set("time zone America/St_Johns", CLOCK, TZ="America/St_Johns"),
    "guest": Condition(
        "not root, a checkout that cannot be written, a path in Chinese, no home, another time zone and hash at once",
        WRITABLE,
        {"HOME": NO_FOLDER, "TZ": "Pacific/Kiritimati", "PYTHONHASHSEED": "1"},
        checkout=CHINESE,
        user=NOBODY,
        locked=True,
    ),
    "abroad": Condition(
        "an ASCII locale, another working directory, another time zone and hash at once",
        CODING,
        {**ASCII, "TZ": "America/St_Johns", "PYTHONHASHSEED": "2"},
        elsewhere=True,
    ),
    **{
        f"openblas-{core.lower()}": _set(f"OPENBLAS_CORETYPE={core}", ARITHMETIC, OPENBLAS_CORETYPE=core)
        for core in ("Haswell", "SkylakeX", "Zen", "Sandybridge", "Nehalem", "Prescott")
    },
    **{
        f"mkl-{branch.lower()}": _set(f"MKL_CBWR={branch}", ARITHMETIC, MKL_CBWR=branch)
        for branch in ("COMPATIBLE", "AVX2", "AVX512")
    },
    **{
        f"aten-{kernels}": _set(f"ATEN_CPU_CAPABILITY={kernels}", ARITHMETIC, ATEN_CPU_CAPABILITY=kernels)
        for kernels in ("default", "avx2", "avx512")
    },
    "oldest": _set(
        "the plainest kernels of all at once, one thread",
        ARITHMETIC,
        OPENBLAS_CORETYPE="Prescott",
        MKL_CBWR="COMPATIBLE",
        ATEN_CPU_CAPABILITY="default",
        ONEDNN_MAX_CPU_ISA="SSE41",
        OMP_NUM_THREADS="1",
    ),
}
ORDER = [condition.tried for condition in CONDITIONS.values()]  # of the rows in the record


class NotHere(Exception):
    """This machine cannot make the condition; the message says why."""


# The notebooks ----------------------------------------------------------------------------------


def ordered(notebook: NotebookNode, order: str) -> NotebookNode:
    """The notebook with its code cells in the order of a condition, each with the outputs that it stores."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if order == WHOLE:
        cells = [*cells, *cells]
    elif order == CELLS:
        cells = [cell for one in cells for cell in (one, one)]
    new = copy.deepcopy(notebook)
    new.cells = [copy.deepcopy(cell) for cell in cells]
    for number, cell in enumerate(new.cells):
        cell.id = f"cell-{number}"
    return new


def place(number: int, n_cells: int, order: str) -> str:
    """What a reader calls the cell that nbval numbers from 0: "[3]" or "[3], second time"."""
    if order == CELLS:
        cell, again = divmod(number, 2)
    else:
        again, cell = divmod(number, n_cells)
    return f"[{cell + 1}]" + (", second time" if again else "")


class Cell(NamedTuple):
    """One cell that ran: whether it printed what it stores, or what it did instead."""

    where: str
    held: bool
    shown: str


def judged(report: Path, notebooks: Mapping[Path, int], order: str) -> list[Cell]:
    """The cells of each notebook, of which it has so many, from pytest's report; what it does not name did not hold."""
    found: dict[tuple[str, int], Cell] = {}
    for case in ElementTree.parse(report).iter("testcase") if report.exists() else ():
        if not case.attrib["name"].startswith("Cell "):
            continue  # an error of pytest itself
        stem = case.attrib["classname"].removesuffix(".ipynb").rpartition(".")[2]
        number = int(case.attrib["name"].removeprefix("Cell "))
        wrong = [child for child in case if child.tag in ("failure", "error", "skipped")]
        shown = "\n".join(f"{child.get('message', '')}\n{child.text or ''}" for child in wrong)
        found[stem, number] = Cell("", not wrong, shown)
    cells = []
    for path, n_cells in notebooks.items():
        for number in range(n_cells if order == ONCE else 2 * n_cells):
            cell = found.get((path.stem, number), Cell("", False, "did not run"))
            cells.append(cell._replace(where=f"{path.stem[:2]} {place(number, n_cells, order)}"))
    return cells


# The place --------------------------------------------------------------------------------------


@contextmanager
def workplace(condition: Condition) -> Iterator[Place]:
    """A copy of the checkout, and of what the user may write, for as long as the condition is tried."""
    with tempfile.TemporaryDirectory(prefix="condition-") as folder:
        top = Path(folder)
        tree = top / condition.checkout
        copy_checkout(tree)
        notebooks = top / "elsewhere" if condition.elsewhere else tree / "notebooks"
        scratch = top / "scratch"
        for path in (notebooks, scratch):
            path.mkdir(exist_ok=True)
        os.chmod(top, 0o755)
        yield Place(tree, notebooks, scratch)


class Place(NamedTuple):
    """Where a condition is tried: the checkout, the notebooks' folder, and one for reports and temporary files."""

    tree: Path
    notebooks: Path
    scratch: Path

    @property
    def report(self) -> Path:
        return self.scratch / "report.xml"


def copy_checkout(to: Path) -> None:
    """The files of this checkout that git knows, as they are now."""
    git = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(git, capture_output=True, text=True, check=True).stdout.split("\0"):
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)


def hand_over(condition: Condition, there: Place) -> None:
    """Give the files to the user of the condition, or lock the checkout against all."""
    own = [there.scratch] if condition.locked else [there.tree, there.notebooks, there.scratch]
    if condition.user is not None and os.getuid() == 0:
        who = pwd.getpwnam(condition.user)
        for path in (path for top in own for path in (top, *top.rglob("*"))):
            os.chown(path, who.pw_uid, who.pw_gid)
    if condition.locked:
        subprocess.run(["chmod", "-R", "a-w,a+rX", str(there.tree)], check=True)


# The command ------------------------------------------------------------------------------------


def as_user(condition: Condition) -> list[str]:
    """What goes before a command so that the user of the condition runs it; nothing where that is us."""
    if condition.user is None or os.getuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        raise NotHere("not tried: setpriv, which changes the user, is not here")
    who = pwd.getpwnam(condition.user)
    return ["setpriv", f"--reuid={who.pw_uid}", f"--regid={who.pw_gid}", "--clear-groups", "--"]


def interpreter(condition: Condition) -> str:
    """A Python that the user may run: this one, or the system's of the same version with this one's packages."""
    before = as_user(condition)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (sys.executable, f"/usr/bin/{version}"):
        # one shell between: the command that changes the user may start what the user could not
        command = [*before, "/bin/sh", "-c", 'exec "$0" -c pass', candidate]
        if subprocess.run(command, capture_output=True, cwd="/").returncode == 0:
            return candidate
    raise NotHere(f"not tried: {condition.user} may not run this Python, and the system has no {version}")


def latin_locale(folder: Path) -> dict[str, str]:
    """The variables of a Latin-1 locale, made in a folder: few systems still have one."""
    name = "en_US.iso88591"
    if shutil.which("localedef") is None:
        raise NotHere("not tried: localedef, which makes such a locale, is not here")
    made = subprocess.run(
        ["localedef", "-i", "en_US", "-f", "ISO-8859-1", folder / name], capture_output=True, text=True
    )
    if made.returncode != 0:
        raise NotHere(f"not tried: localedef could not make such a locale ({made.stderr.strip()[:80]})")
    return {"LC_ALL": name, "LOCPATH": str(folder)}


def environment(condition: Condition, there: Place, python: str) -> dict[str, str]:
    """The environment of the run: this one, the condition's variables, this copy's package."""
    variables = {**os.environ, **condition.variables, "TMPDIR": str(there.scratch), "PYTHONDONTWRITEBYTECODE": "1"}
    packages = [] if python == sys.executable else [p for p in sys.path if p.endswith("site-packages")]
    variables["PYTHONPATH"] = os.pathsep.join([str(there.tree), *packages])
    if condition.variables.get("LC_ALL") == LATIN:
        variables |= latin_locale(there.scratch)
    if condition.user is not None and "HOME" not in condition.variables:
        variables["HOME"] = str(there.scratch)
    return {name: value for name, value in variables.items() if value is not None}


def nbval(condition: Condition, there: Place, notebooks: Sequence[Path], python: str) -> list[str]:
    """The command that runs notebooks and compares them, as the suite does."""
    # The folder above all, since pytest names no file outside its root.
    options = ["-p", "no:cacheprovider", "-p", "no:xdist", "--color=no", "-q", "--tb=short", "--nbval-cell-timeout=300"]
    settings = ["-c", str(there.tree / "pyproject.toml"), "--rootdir", str(there.scratch.parent)]
    masks = f"--nbval-sanitize-with={there.tree / 'tests' / 'claims_sanitize.cfg'}"
    files = [str(there.notebooks / path.name) for path in notebooks]
    report = f"--junitxml={there.report}"
    return [*as_user(condition), python, "-m", "pytest", *settings, *options, report, "--nbval", masks, *files]


@cache
def witnessed(condition: Condition, witness: str) -> str:
    """What a witness says under a condition, in a place of its own."""
    with workplace(condition) as there:
        hand_over(condition, there)
        python = interpreter(condition)
        command = [*as_user(condition), python, "-W", "ignore", "-c", witness]
        ran = subprocess.run(
            command, cwd=there.notebooks, env=environment(condition, there, python), capture_output=True, text=True
        )
    return ran.stdout.strip() or ran.stderr.strip()[-200:]


def difference(seen: str, plain: str) -> str:
    """A note on what the witness saw: the parts that differ from the plain run, or that none did."""
    pairs = list(zip(seen.split(", "), plain.split(", ")))
    other = [new for new, old in pairs if new != old]
    if len(pairs) > 1 and other:
        same = [new.rsplit(" ", 1)[0] for new, old in pairs if new == old]
        return "other digits: " + ", ".join(part.rsplit(" ", 1)[0] for part in other) + f" (not: {', '.join(same)})"
    if other:
        return f"{seen}; else {plain}"
    return "as without it on this machine" + (f": {seen}" if len(pairs) == 1 and seen else "")


# Trying -----------------------------------------------------------------------------------------


def tried(condition: Condition, notebooks: Sequence[Path]) -> tuple[trust.Row, list[Cell]]:
    """Run the notebooks under a condition; its row, and all cells that ran."""
    try:
        note = noted(condition)
        with workplace(condition) as there:
            cells = compared(condition, there, notebooks)
    except NotHere as reason:
        return trust.Row(condition.tried, 0, 0, str(reason)), []
    return row(condition, cells, ". ".join(filter(None, [some(notebooks), note]))), cells


def some(notebooks: Sequence[Path]) -> str:
    """Which lessons ran, if not all did."""
    whole = {path.name for path in notebooks} >= {path.name for path in course()}
    return "" if whole else f"lessons {', '.join(path.name[:2] for path in notebooks)} only"


def noted(condition: Condition) -> str:
    """What the witness sees under the condition and not without it."""
    if condition.witness == NO_WITNESS:
        return ""
    return difference(witnessed(condition, condition.witness), witnessed(CONDITIONS["plain"], condition.witness))


def row(condition: Condition, cells: Sequence[Cell], note: str) -> trust.Row:
    """The row of a condition: its cells, and which of them failed."""
    failed = [cell.where for cell in cells if not cell.held]
    told = f"not held: {'; '.join(failed[:8])}{' …' if len(failed) > 8 else ''}" if failed else ""
    return trust.Row(condition.tried, len(cells), len(cells) - len(failed), ". ".join(filter(None, [note, told])))


def compared(condition: Condition, there: Place, notebooks: Sequence[Path]) -> list[Cell]:
    """The notebooks of the checkout, run and compared under a condition."""
    n_cells = {}
    for path in notebooks:
        notebook = nbformat.read(path, as_version=4)
        n_cells[path] = sum(cell.cell_type == "code" for cell in notebook.cells)
        nbformat.write(ordered(notebook, condition.order), there.notebooks / path.name)
    hand_over(condition, there)
    python = interpreter(condition)
    command, variables = nbval(condition, there, list(n_cells), python), environment(condition, there, python)
    folder = "/" if condition.elsewhere else there.tree
    ran = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, errors="replace")
    if ran.returncode not in (0, 1):
        print(ran.stdout[-2000:], ran.stderr[-2000:], file=sys.stderr)
    return judged(there.report, n_cells, condition.order)


def chosen(numbers: Iterable[str]) -> list[Path]:
    return [path for path in course() if not list(numbers) or path.name[:2] in numbers]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="conditions; all of them if none is given")
    parser.add_argument("--notebooks", nargs="+", default=[], help="numbers, such as 05; all of them if none is given")
    parser.add_argument("--record", action="store_true", help="save the rows in tests/trust/conditions.json")
    parser.add_argument("--list", action="store_true", help="name the conditions and stop")
    options = parser.parse_args(arguments)
    unknown = set(options.names) - set(CONDITIONS)
    if unknown:
        parser.error(f"no such condition: {', '.join(sorted(unknown))}; --list names them")
    if options.list:
        print("\n".join(f"{name:20} {condition.tried}" for name, condition in CONDITIONS.items()))
        return 0
    return try_all(options.names or list(CONDITIONS), chosen(options.notebooks), options.record)


def try_all(names: Sequence[str], notebooks: Sequence[Path], keep: bool) -> int:
    """Try conditions, tell and keep what comes as it comes, then the table; 1 if a cell did not hold."""
    rows = []
    for name in names:
        one, cells = tried(CONDITIONS[name], notebooks)
        rows.append(one)
        for cell in cells:
            if not cell.held:
                print(f"--- {name}: {cell.where}\n{cell.shown.strip()[:700]}", file=sys.stderr)
        print(f"{name}: {one.held} of {one.cases}", file=sys.stderr, flush=True)
        if keep:
            trust.renew("conditions", [one], ORDER)
    print(trust.table(rows))
    return int(any(row.held < row.cases for row in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
