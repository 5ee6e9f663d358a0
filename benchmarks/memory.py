"""Where a kernel's memory goes: after each import, and after a run of each lesson.

    python benchmarks/memory.py
    python benchmarks/memory.py --notebooks 07_kl_vanishing --set MALLOC_ARENA_MAX=1

needs Linux. Two kernels, with the environment that teaching/jupyterhub_config.py gives to a class, take every step
at once, so that what they share is private to neither. Memory is USS in MiB: what one of them has for itself, and
what one more kernel costs. "Free" is the part of it that the run has given back to the C library, which keeps it.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import fmean
from typing import NamedTuple
from unittest.mock import patch

from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel
from traitlets.config.loader import PyFileConfigLoader

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from classroom import cpu_time, memory
from classwork import refuse_errors

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "teaching" / "jupyterhub_config.py"
# In the order in which notebook 07 needs them; each line is what comes on top of those before it.
IMPORTS = {
    "a kernel, nothing imported": "pass",
    "NumPy": "import numpy",
    "Matplotlib": "from matplotlib import pyplot",
    "SymPy": "import sympy",
    "PyTorch": "import torch",
    "the course": "import vae_lessons.data, vae_lessons.lab, vae_lessons.living.widget, vae_lessons.exercises",
    "the digits": "x = vae_lessons.data.digits().x",
    "the first optimizer (PyTorch then imports its compiler)": "torch.optim.Adam([torch.nn.Parameter(x)])",
}
TRIM = "import ctypes, gc; gc.collect(); ctypes.CDLL('libc.so.6').malloc_trim(0)"
PATIENCE = 600  # seconds for a cell on a busy machine


class Kernel(NamedTuple):
    """One kernel, and a client of it."""

    manager: KernelManager
    client: BlockingKernelClient

    @property
    def uss(self) -> float:
        return memory(self.manager.provisioner.pid)[1]

    @property
    def cpu(self) -> float:
        return cpu_time(self.manager.provisioner.pid)


def environment(extra: Sequence[str] = ()) -> dict[str, str]:
    """What the hub gives to a learner's server, and its kernels; `extra` are lines NAME=VALUE."""
    # The configuration makes its folder, which is not the one of a hub here.
    with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, VAE_HUB_DATA=folder):
        given = PyFileConfigLoader(str(CONFIG)).load_config().Spawner.environment
    return os.environ | given | dict(line.split("=", 1) for line in extra)


@contextmanager
def kernels(variables: dict[str, str], n: int = 2) -> Iterator[list[Kernel]]:
    """So many kernels, all of them alike, in the folder of the notebooks."""
    with ExitStack() as stack:
        started = []
        for _ in range(n):
            started.append(Kernel(*start_new_kernel(env=variables, cwd=ROOT / "notebooks", stderr=subprocess.DEVNULL)))
            stack.callback(started[-1].manager.shutdown_kernel, now=True)
            stack.callback(started[-1].client.stop_channels)
        yield started


def run(kernel: Kernel, source: str, tags: Sequence[str] = ()) -> None:
    """Run a cell; an error that it does not announce is raised here."""
    outputs: list[dict] = []

    def keep(message: dict) -> None:
        outputs.append({"output_type": message["msg_type"], **message["content"]})

    kernel.client.execute_interactive(source, timeout=PATIENCE, output_hook=keep)
    refuse_errors({"outputs": outputs, "metadata": {"tags": tags}, "source": source}, "a kernel")


def uss(group: Sequence[Kernel]) -> float:
    return fmean(kernel.uss for kernel in group)


def imports(variables: dict[str, str]) -> None:
    """A table of what each import adds."""
    print("\n  USS   more  with")
    before = 0.0
    with kernels(variables) as group:
        for name, source in IMPORTS.items():
            for kernel in group:
                run(kernel, source)
            now = uss(group)
            print(f"{now:5.0f} {now - before:+6.0f}  {name}", flush=True)
            before = now


def lesson(name: str, variables: dict[str, str]) -> str:
    """One row: memory after a run of this notebook, what of it is free, and the CPU seconds of one run."""
    notebook = json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))
    with kernels(variables) as group:
        for cell in notebook["cells"]:
            for kernel in group if cell["cell_type"] == "code" else ():
                run(kernel, "".join(cell["source"]), cell["metadata"].get("tags", ()))
        after, cpu = uss(group), fmean(kernel.cpu for kernel in group)
        for kernel in group:
            run(kernel, TRIM)
        return f"{after:5.0f} {after - uss(group):6.0f} {cpu:5.0f}  {name}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    every = sorted(path.stem for path in (ROOT / "notebooks").glob("[0-9]*.ipynb"))
    parser.add_argument("--notebooks", nargs="*", default=every, metavar="NAME", help="default: every lesson")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="for the kernels")
    arguments = parser.parse_args()
    variables = environment(arguments.set)
    imports(variables)
    print("\n  USS   free   CPU  after a run of", flush=True)
    for name in arguments.notebooks:
        print(lesson(name, variables), flush=True)


if __name__ == "__main__":
    main()
