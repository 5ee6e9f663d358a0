"""Time a sweep over β trained all at once against the same models one after another.

    python benchmarks/sweep.py

Both ways run in turn, in one process, on the same data, seeds and epochs, and the ratio is taken pair by pair,
because the speed of a shared machine drifts. Each run begins once other programs have left the cores alone; a pair
in which they came back is marked, and left out of the medians. Beside the seconds stand the threads that the sweep
took, and the floating-point operations a second, which bound it: see `GFLOP`.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import psutil
import torch

from vae_lessons.data import digits
from vae_lessons.model import reference_vae
from vae_lessons.objective import negative_elbo
from vae_lessons.stacks import stack_models, sweep
from vae_lessons.training import fit, useful_threads

BETAS = np.geomspace(0.1, 2.0, 21).tolist()
N_WEIGHTS = sum(weight.numel() for name, weight in reference_vae().named_parameters() if "weight" in name)
# A product forwards and two backwards, each with a multiplication and an addition for every weight and image.
GFLOP = 6e-9 * N_WEIGHTS * len(digits().x) * len(BETAS)  # per epoch of all models
PATIENCE = 30  # seconds to wait for a quiet machine


class Run(NamedTuple):
    """One run: its seconds, and how many cores other programs kept busy meanwhile."""

    seconds: float
    others: float


def at_once(x: torch.Tensor, epochs: int) -> None:
    sweep(x, BETAS, epochs=epochs, progress=False)


def one_by_one(x: torch.Tensor, epochs: int) -> None:
    for beta in BETAS:
        torch.manual_seed(0)
        fit(reference_vae(), x, negative_elbo(0.5, beta), epochs=epochs, progress=False)


def wait_for_quiet() -> None:
    """Until others use less than half a core, or patience ends: this process sleeps, so it does not count itself."""
    for _ in range(PATIENCE):
        if psutil.cpu_percent(interval=1) / 100 * psutil.cpu_count() < 0.5:
            return


def busy_seconds() -> tuple[float, float]:
    """Core seconds that all programs have used since the machine started, and this one since it did."""
    of_all, own = psutil.cpu_times(), time.process_time()
    return sum(of_all) - of_all.idle - getattr(of_all, "iowait", 0.0), own


def measure(run: Callable[[torch.Tensor, int], None], x: torch.Tensor, epochs: int) -> Run:
    wait_for_quiet()
    start, before = time.perf_counter(), busy_seconds()
    run(x, epochs)
    seconds, after = time.perf_counter() - start, busy_seconds()
    (of_all, own) = (b - a for a, b in zip(before, after))
    return Run(seconds, (of_all - own) / seconds)


def report(name: str, runs: list[Run], epochs: int) -> None:
    seconds = statistics.median(run.seconds for run in runs)
    print(
        f"{len(BETAS)} models, {epochs} epochs, {name}: median {seconds:.1f} s, {epochs * GFLOP / seconds:.0f} GFLOP/s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--pairs", type=int, default=3)
    arguments = parser.parse_args()
    x = digits().x
    at_once(x, 1)  # warm-up
    wait_for_quiet()
    stack = stack_models(lambda layer: reference_vae(layer=layer), [0] * len(BETAS))
    print(f"a sweep takes {useful_threads(stack)} of {torch.get_num_threads()} threads here, now")
    quiet, ratios = [], []
    for _ in range(arguments.pairs):
        pair = [measure(run, x, arguments.epochs) for run in (at_once, one_by_one)]
        ratio, others = pair[1].seconds / pair[0].seconds, max(run.others for run in pair)
        disturbed = ", disturbed" if others > 0.5 else ""
        print(
            f"{pair[0].seconds:.1f} s and {pair[1].seconds:.1f} s, ratio {ratio:.1f}, others {others:.1f} cores{disturbed}"
        )
        if not disturbed:
            quiet.append(pair)
            ratios.append(ratio)
    if not quiet:
        print("no quiet pair: nothing can be said on this machine, now")
        return
    for name, runs in zip(("all at once", "one by one"), zip(*quiet)):
        report(name, list(runs), arguments.epochs)
    print(f"ratio: median {statistics.median(ratios):.1f}, from {min(ratios):.1f} to {max(ratios):.1f}")


if __name__ == "__main__":
    main()
