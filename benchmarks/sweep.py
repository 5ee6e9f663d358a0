"""Time a sweep over β trained all at once against the same models one after another.

    python benchmarks/sweep.py

Both ways run in turn, in one process, on the same data, seeds and epochs; the ratio is taken pair
by pair, because the speed of a shared machine drifts.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from vae_lessons.data import digits
from vae_lessons.model import reference_vae
from vae_lessons.objective import negative_elbo
from vae_lessons.stacks import sweep
from vae_lessons.training import fit

BETAS = np.geomspace(0.1, 2.0, 21).tolist()


def at_once(x: torch.Tensor, epochs: int) -> None:
    sweep(x, BETAS, epochs=epochs, progress=False)


def one_by_one(x: torch.Tensor, epochs: int) -> None:
    for beta in BETAS:
        torch.manual_seed(0)
        fit(reference_vae(), x, negative_elbo(0.5, beta), epochs=epochs, progress=False)


def seconds(run: Callable[[torch.Tensor, int], None], x: torch.Tensor, epochs: int) -> float:
    start = time.perf_counter()
    run(x, epochs)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--pairs", type=int, default=3)
    arguments = parser.parse_args()
    x = digits().x
    at_once(x, 1)  # warm-up
    pairs = [
        (seconds(at_once, x, arguments.epochs), seconds(one_by_one, x, arguments.epochs))
        for _ in range(arguments.pairs)
    ]
    for name, column in zip(("all at once", "one by one"), zip(*pairs)):
        print(f"{len(BETAS)} models, {arguments.epochs} epochs, {name}: median {statistics.median(column):.1f} s")
    ratios = [slow / fast for fast, slow in pairs]
    print(f"ratio: median {statistics.median(ratios):.1f}, from {min(ratios):.1f} to {max(ratios):.1f}")


if __name__ == "__main__":
    main()
