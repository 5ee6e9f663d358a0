"""Time many models at once: 21 values of β on digits against the plain PyTorch loop that a reader would write.

    python benchmarks/sweep.py              all of it
    python benchmarks/sweep.py --epochs 5   a look

The ways run in turn, on the same data, seeds and epochs, and ratios are taken within a round, because the speed of a
shared machine drifts. Each ratio is given twice: by the clock, and by processor time, that is the seconds that the
busiest process computed. The second says what the clock would say on idle cores. Then come tables of cost, and what
they let expect of a cluster.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import NamedTuple

import numpy as np
import psutil
import torch
from torch import Tensor, nn

from vae_lessons.data import digits
from vae_lessons.model import VAE, reference_vae
from vae_lessons.objective import negative_elbo
from vae_lessons.settings import Setting, grid
from vae_lessons.sweeps import train_many
from vae_lessons.torch_state import threads
from vae_lessons.trained import Trained

BETAS = np.geomspace(0.1, 2.0, 21)
SHAPES = [tuple(weight.shape) for weight in reference_vae().parameters() if weight.ndim == 2]
BATCH = 64
FULL = 40  # epochs of the course's sweeps


# -- the plain loop --------------------------------------------------------------------------------------------------


class PlainVAE(nn.Module):
    """The reference VAE as one would type it, without the course's checks."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 100), nn.ReLU())
        self.decoder = nn.Sequential(nn.Linear(8, 100), nn.ReLU(), nn.Linear(100, 64))
        self.mu, self.log_sigma = nn.Linear(100, 8), nn.Linear(100, 8)

    def forward(self, x: Tensor, eps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        h = self.encoder(x)
        mu, log_sigma = self.mu(h), self.log_sigma(h)
        return self.decoder(mu + log_sigma.exp() * eps), mu, log_sigma


def plain_loop(x: Tensor, betas: Sequence[float], epochs: int) -> list[PlainVAE]:
    """One model after another; data in memory, no checks, no history, torch's own Adam."""
    models = []
    for beta in betas:
        torch.manual_seed(0)
        model = PlainVAE().to(x.dtype)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        generator = torch.Generator().manual_seed(0)
        for _ in range(epochs):
            for batch in torch.randperm(len(x), generator=generator).split(BATCH):
                images = x[batch]
                eps = torch.randn(len(images), 8, generator=generator, dtype=x.dtype)
                x_hat, mu, log_sigma = model(images, eps)
                kl = 0.5 * (mu**2 + torch.exp(2 * log_sigma) - 2 * log_sigma - 1).sum(1)
                loss = (((images - x_hat) ** 2).sum(1) / (2 * 0.5) + beta * kl).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        models.append(model)
    return models


def as_reference(loop: PlainVAE) -> VAE:
    """The same model as the course has it: the layers were made in the same order."""
    weights = list(loop.parameters())
    model = reference_vae().to(weights[0].dtype)
    model.load_state_dict(dict(zip(model.state_dict(), weights)))
    return model


@torch.no_grad()
def difference(loop: list[PlainVAE], models: list[Trained], x: Tensor) -> float:
    """The largest difference between the loop and `train_many` in what they minimise, in nats per image.

    Not of weights: where the objective is flat, as for the decoder's weights of a dead latent, Adam turns rounding
    errors into steps of full size.
    """
    eps = torch.randn(len(x), 8, generator=torch.Generator().manual_seed(1), dtype=x.dtype)
    gaps = []
    for one, other in zip(loop, models):
        objective = negative_elbo(other.setting.noise_var, other.setting.beta)
        values = [objective(model(x, eps), x)[0].item() for model in (as_reference(one), other.model())]
        gaps.append(abs(values[0] - values[1]))
    return max(gaps)


def fastest_threads(x: Tensor) -> int:
    """How many threads serve the plain loop best here and now: one, or all."""
    seconds = {}
    for n in {1, torch.get_num_threads()}:
        with threads(n):
            seconds[n] = cost(lambda: plain_loop(x, BETAS[:1], 3)).clock
    return min(seconds, key=lambda n: seconds[n])


def bare_products(epochs: int, n_models: int = len(BETAS)) -> None:
    """The matrix products of a stack's training, and nothing else: forwards, for the weights, for the layer below."""
    layers = [(torch.randn(n_models, *shape), *made(n_models, *shape)) for shape in SHAPES]
    for _ in range(epochs * -(-len(digits().x) // BATCH)):
        for number, (weight, below, grad) in enumerate(layers):
            torch.bmm(below, weight.mT)
            torch.bmm(grad.mT, below)
            if number:  # nothing lies below the first
                torch.bmm(grad, weight)


def made(n_models: int, n_out: int, n_in: int) -> tuple[Tensor, Tensor]:
    """What comes into a layer, and the gradient of what goes out."""
    return torch.randn(n_models, BATCH, n_in), torch.randn(n_models, BATCH, n_out)


# -- measuring -------------------------------------------------------------------------------------------------------


class Cost(NamedTuple):
    """Seconds by the clock; seconds that this process and the busiest worker computed; cores that others kept busy."""

    clock: float
    processor: float
    others: float


def cost(run: Callable[[], object], workers: Sequence[psutil.Process] = ()) -> Cost:
    clock, own, theirs, of_all = time.perf_counter(), time.process_time(), used(workers), busy_seconds()
    run()
    clock, own, of_all = time.perf_counter() - clock, time.process_time() - own, busy_seconds() - of_all
    spent = [after - before for before, after in zip(theirs, used(workers))]
    return Cost(clock, own + max(spent, default=0.0), max(0.0, of_all - own - sum(spent)) / clock)


def used(workers: Sequence[psutil.Process]) -> list[float]:
    return [sum(worker.cpu_times()[:2]) for worker in workers]


def busy_seconds() -> float:
    """Core seconds that all programs have used since the machine started."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0))


class Pool(NamedTuple):
    """Processes that are there and have trained before, and what it took to start one: seconds it computed."""

    executor: Executor
    workers: list[psutil.Process]
    start: float


def warm_up(_: int) -> int:
    train_many(digits().x, [Setting()], epochs=1, progress=False)
    time.sleep(2)  # so that no process takes two of these
    return os.getpid()


def start_pool(n_workers: int) -> Pool:
    executor = ProcessPoolExecutor(n_workers, mp_context=get_context("spawn"))
    pids = set(executor.map(warm_up, range(n_workers)))
    workers = [psutil.Process(pid) for pid in pids]
    return Pool(executor, workers, statistics.mean(used(workers)))


# -- the ratios ------------------------------------------------------------------------------------------------------


def here(x: Tensor, settings: Sequence[Setting], epochs: int) -> list[Trained]:
    """On one core."""
    with threads(1):
        return train_many(x, settings, epochs=epochs, progress=False)


def in_pool(pool: Pool, x: Tensor, settings: Sequence[Setting], epochs: int) -> list[Trained]:
    size = -(-len(settings) // len(pool.workers))
    return train_many(x, settings, executor=pool.executor, models_per_task=min(size, 24), epochs=epochs, progress=False)


def compare(x: Tensor, pool: Pool, epochs: int, rounds: int) -> None:
    """The ways in turn; ratios first."""
    n_threads, settings, results = fastest_threads(x), grid(beta=BETAS), {}

    def loop() -> None:
        with threads(n_threads):
            results["loop"] = plain_loop(x, BETAS.tolist(), epochs)

    def workers() -> None:
        results["workers"] = in_pool(pool, x, settings, epochs)

    costs = [
        {
            "loop": cost(loop),
            "workers": cost(workers, pool.workers),
            "core": cost(partial(here, x, settings, epochs)),
            "bare": cost(partial(one_thread, bare_products, epochs)),
        }
        for _ in range(rounds)
    ]
    n_workers = len(pool.workers)
    print(f"{len(BETAS)} models, {epochs} epochs: median of {rounds} rounds, lowest and highest")
    print(f"{'':44}{'by the clock':>24}{'by processor time':>24}")
    ratio(f"plain loop / {n_workers} workers (aim: at least 6)", costs, "loop", "workers")
    ratio("plain loop / one core", costs, "loop", "core")
    ratio("one core / its bare products (aim: at most 2.2)", costs, "core", "bare")
    gap = difference(results["loop"], results["workers"], x)
    print(f"largest difference between a model of the loop and of the workers: {gap:.1g} nats per image, in float32")
    print(f"the plain loop took {n_threads} of {torch.get_num_threads()} threads, the better choice here and now\n")
    for name in costs[0]:
        seconds = ", ".join(f"{one[name].clock:.1f} ({one[name].processor:.1f})" for one in costs)
        others = max(one[name].others for one in costs)
        print(f"{name:8} seconds by the clock (processor): {seconds}; others kept up to {others:.1f} cores busy")


def one_thread(run: Callable[[int], None], epochs: int) -> None:
    with threads(1):
        run(epochs)


def ratio(name: str, costs: list[dict[str, Cost]], above: str, below: str) -> None:
    columns = []
    for kind in ("clock", "processor"):
        values = [getattr(one[above], kind) / getattr(one[below], kind) for one in costs]
        columns.append(f"{statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f})")
    print(f"{f'ratio {name}:':54}" + "".join(f"{column:>22}" for column in columns))


# -- tables ----------------------------------------------------------------------------------------------------------


def per_model(run: Callable[[], object], n_models: int, epochs: int, workers: Sequence[psutil.Process] = ()) -> float:
    """Processor milliseconds for a model and an epoch: the least of three, which others disturbed least."""
    return 1000 * min(cost(run, workers).processor for _ in range(3)) / n_models / epochs


def tables(x: Tensor) -> float:
    """Cost of a model and an epoch, in processor milliseconds of the busiest process; of a full stack, returned."""
    print("\nprocessor milliseconds for one model and one epoch, on one core:")
    many = {n: per_model(partial(here, x, grid(beta=np.linspace(0.1, 2, n)), 2), n, 2) for n in (1, 3, 6, 12, 24)}
    row("models in a stack", many)
    wide = {
        width: per_model(partial(here, x, grid(beta=BETAS[:12], n_hidden=[width]), 1), 12, 1)
        for width in (50, 100, 200, 400)
    }
    row("width, 12 models", wide)
    sizes = {
        n: per_model(partial(here, x.repeat(4, 1)[:n], grid(beta=BETAS[:12]), 1), 12, 1) for n in (450, 1797, 7188)
    }
    row("images, 12 models", sizes)
    return many[24]


def row(name: str, values: dict[int, float]) -> None:
    print(f"{name:24}" + "".join(f"{label:>8}: {value:7.2f}" for label, value in values.items()))


def crossing(x: Tensor, pool: Pool) -> None:
    """From how many models on the workers are sooner done than one core."""
    n_workers = len(pool.workers)
    print(f"\nseconds of the busiest process for {FULL} epochs, from {FULL // 4}:")
    print(f"{'models':>8}{'one core':>12}{f'{n_workers} workers':>12}{'with their start':>18}")
    for n in (2, 4, 8, 16, 32, 64):
        settings = grid(beta=np.linspace(0.1, 2, n))
        core = 4 * cost(partial(here, x, settings, FULL // 4)).processor
        shared = 4 * cost(partial(in_pool, pool, x, settings, FULL // 4), pool.workers).processor
        started = shared + pool.start
        pays = "  pays" if shared < core else ""
        pays += ", with its start too" if started < core else ""
        print(f"{n:8}{core:12.1f}{shared:12.1f}{started:18.1f}{pays}")
    print(f"a worker computes {pool.start:.1f} s before its first model: Python, torch, the data")


def project(milliseconds: float, n_models: int = 1000, size: int = 24) -> None:
    """What this cost would mean for a cluster: arithmetic, not a measurement."""
    task, n_tasks = milliseconds * size * FULL / 1000, -(-n_models // size)
    print(f"\nPROJECTION, not measured: {n_models} models, {FULL} epochs, in {n_tasks} tasks of {task:.0f} s,")
    print("on cores like this one, without the network's and the scheduler's time:")
    for n_workers in (1, 2, 8, 32, 64):
        print(f"{n_workers:8} workers {-(-n_tasks // n_workers) * task / 60:8.1f} minutes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=FULL)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=psutil.cpu_count())
    parser.add_argument("--no-tables", action="store_true")
    arguments = parser.parse_args()
    x = digits().x
    here(x, [Setting()], 1), plain_loop(x, [1.0], 1)  # warm-up
    pool = start_pool(arguments.workers)
    with pool.executor:
        compare(x, pool, arguments.epochs, arguments.rounds)
        if not arguments.no_tables:
            milliseconds = tables(x)
            crossing(x, pool)
            project(milliseconds)


if __name__ == "__main__":
    main()
