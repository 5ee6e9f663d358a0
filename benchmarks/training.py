"""Time the training of a VAE on MNIST: `fit`, the usual loop, a peer library, and the arithmetic that all of them need.

    VAE_LESSONS_DATA=folder python benchmarks/training.py
    VAE_LESSONS_DATA=folder python benchmarks/training.py --peer-python peer/bin/python

The network is that of PyTorch's own VAE example: 784-400-20 and back, grey pixels with a cross-entropy, Adam at 1e-3,
batches of 128. The usual loop has a data set that makes a tensor of each image whenever it is asked for one, as
torchvision's does, a `DataLoader`, and torch's defaults. The peer is pythae with its own trainer, in an environment of
its own, because it must not decide what the course's has:

    python -m venv peer && peer/bin/pip install pythae torch==(the version here)

Each training is a process of its own; all take turns, with as many threads as `fit` finds useful at that moment.
Beside the seconds on the clock stand the processor's, which say what a busy machine would hide. The arithmetic limit
is the time of the training's matrix products alone, timed right after it.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from vae_lessons.data import Images, mnist
from vae_lessons.devices import best_device
from vae_lessons.model import VAE, Decoder, Output
from vae_lessons.objective import ElboTerms, bernoulli_elbo
from vae_lessons.torch_state import threads
from vae_lessons.training import fit, useful_threads

N_PIXELS, N_HIDDEN, N_LATENTS = 784, 400, 20
BATCH, LR = 128, 1e-3
T = TypeVar("T")
HEADS = ("way", "seconds", "CPU s", "ms/step", "ratio", "test loss", "peak MB", "threads")
NAMES = {"usual": "the usual loop", "pythae": "pythae's trainer"}
PEER = Path(__file__).with_name("training_pythae.py")


class Training(NamedTuple):
    """One training, as its process reports it.

    Attributes:
        seconds, cpu: of the training alone, on the clock and of the processor.
        test_loss: −ELBO of a test image, nats.
        peak: the most memory its process ever had, in MB; the usual way's has the images as floats too, to make its bytes.
        threads: how many it was given.
        limit, limit_cpu: the same for its matrix products alone; 0 where they were not timed.
    """

    seconds: float
    cpu: float
    test_loss: float
    peak: float
    threads: int
    limit: float = 0.0
    limit_cpu: float = 0.0


# The course's way ------------------------------------------------------------------------------


def build() -> VAE:
    """784-400-20 and back: one hidden layer on each side, where the course's own network has two in the encoder."""
    encoder = nn.Sequential(nn.Linear(N_PIXELS, N_HIDDEN), nn.ReLU())
    encoder.n_pixels, encoder.n_features = N_PIXELS, N_HIDDEN
    return VAE(encoder, Decoder(N_LATENTS, N_HIDDEN, N_PIXELS))


def negative_bernoulli_elbo(output: Output, x: Tensor) -> tuple[Tensor, ElboTerms]:
    terms = bernoulli_elbo(output, x)
    return -terms.elbo.mean(-1), terms


def train_with_fit(x: Tensor, epochs: int, seed: int) -> Callable[[Tensor], Tensor]:
    """Train, and return what gives −ELBO summed over images (B, D)."""
    torch.manual_seed(seed)
    model = build().to(x.device)
    options = {"epochs": epochs, "batch_size": BATCH, "lr": LR, "seed": seed, "progress": False}
    fit(model, x, negative_bernoulli_elbo, **options)
    return lambda x: -bernoulli_elbo(model(x), x).elbo.sum()


# The usual way, as public examples have it -----------------------------------------------------


class ImagesOneByOne(Dataset):
    """Images (N, 28, 28) of bytes; each becomes a picture and then a tensor when it is asked for."""

    def __init__(self, images: Tensor, labels: Tensor, transform: Callable[[Image.Image], Tensor]):
        self.images, self.labels, self.transform = images, labels, transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image, label = self.images[index], int(self.labels[index])
        return self.transform(Image.fromarray(image.numpy())), label


def to_tensor(image: Image.Image) -> Tensor:
    """A grey picture as (1, height, width) from 0 to 1."""
    pixels = torch.from_numpy(np.array(image, np.uint8, copy=True))
    pixels = pixels.view(image.size[1], image.size[0], 1).permute((2, 0, 1)).contiguous()
    return pixels.to(torch.float32).div(255)


class UsualVAE(nn.Module):
    """The same network as a reader would write it; with the log of the variance, as most do."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden1 = nn.Linear(N_PIXELS, N_HIDDEN)
        self.head_mu = nn.Linear(N_HIDDEN, N_LATENTS)
        self.head_log_var = nn.Linear(N_HIDDEN, N_LATENTS)
        self.hidden2 = nn.Linear(N_LATENTS, N_HIDDEN)
        self.output = nn.Linear(N_HIDDEN, N_PIXELS)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        h = F.relu(self.hidden1(x))
        mu, log_var = self.head_mu(h), self.head_log_var(h)
        std = torch.exp(0.5 * log_var)
        z = mu + torch.randn_like(std) * std
        return torch.sigmoid(self.output(F.relu(self.hidden2(z)))), mu, log_var


def usual_loss(p: Tensor, x: Tensor, mu: Tensor, log_var: Tensor) -> Tensor:
    """−ELBO summed over the batch."""
    kl = -0.5 * torch.sum(1 + log_var - mu.pow(2) - log_var.exp())
    return F.binary_cross_entropy(p, x, reduction="sum") + kl


def train_as_usual(data: ImagesOneByOne, epochs: int, seed: int) -> Callable[[Tensor], Tensor]:
    """Train, and return what gives −ELBO summed over images (B, D)."""
    torch.manual_seed(seed)
    model, device = UsualVAE().to(best_device()), best_device()
    optimizer = torch.optim.Adam(model.parameters(), lr=LR)
    loader = DataLoader(data, batch_size=BATCH, shuffle=True)
    for epoch in range(epochs):
        train_loss = 0.0
        for x, _ in loader:
            x = x.view(-1, N_PIXELS).to(device)
            optimizer.zero_grad()
            p, mu, log_var = model(x)
            loss = usual_loss(p, x, mu, log_var)
            loss.backward()
            train_loss += loss.item()
            optimizer.step()
        print(f"epoch {epoch + 1}: {train_loss / len(data):.2f}")

    def test_loss(x: Tensor) -> Tensor:
        p, mu, log_var = model(x)
        return usual_loss(p, x, mu, log_var)

    return test_loss


def one_by_one(images: Images) -> ImagesOneByOne:
    pixels = (images.x * 255).round().to(torch.uint8).view(-1, *images.shape)  # as they lie in the files
    return ImagesOneByOne(pixels, images.labels, to_tensor)


# The arithmetic --------------------------------------------------------------------------------


def layers() -> list[tuple[int, int]]:
    """(in, out) of each linear layer, the first one first."""
    return [(N_PIXELS, N_HIDDEN), *[(N_HIDDEN, N_LATENTS)] * 2, (N_LATENTS, N_HIDDEN), (N_HIDDEN, N_PIXELS)]


def operations(n_images: int) -> int:
    """Multiplications and additions of the matrix products for each image once.

    A layer has one product forwards, one for its weights' gradient, and one for its input's; the first needs no last.
    """
    (first, *_), weights = layers(), sum(n_in * n_out for n_in, n_out in layers())
    return 2 * n_images * (3 * weights - first[0] * first[1])


def products_of_a_step(tensors: list[tuple[Tensor, Tensor, Tensor]]) -> None:
    for number, (x, weight, gradient) in enumerate(tensors):
        x @ weight.T
        last = gradient.T @ x
        if number:
            last = gradient @ weight
    last[0, 0].item()  # waits for a GPU


def seconds_of_products(n_images: int, steps: int = 300) -> tuple[float, float]:
    """What the products of one epoch take, on the clock and of the processor, from so many steps of them."""
    shapes = [((BATCH, n_in), (n_out, n_in), (BATCH, n_out)) for n_in, n_out in layers()]
    tensors = [tuple(torch.randn(shape, device=best_device()) for shape in three) for three in shapes]

    def repeat(times: int) -> None:
        for _ in range(times):
            products_of_a_step(tensors)

    repeat(3)
    epochs_of_it = n_images / BATCH / steps
    seconds, cpu = timed(lambda: repeat(steps))[1:]
    return seconds * epochs_of_it, cpu * epochs_of_it


def timed(work: Callable[[], T]) -> tuple[T, float, float]:
    """What it returns, and what it took: seconds on the clock, and of the processor."""
    start, cpu = time.perf_counter(), time.process_time()
    return work(), time.perf_counter() - start, time.process_time() - cpu


# One training, in a process of its own ---------------------------------------------------------

WAYS = {
    "fit": (lambda images: images.x.to(best_device()), train_with_fit),
    "usual": (one_by_one, train_as_usual),
}


def train_once(way: str, epochs: int, seed: int, n_images: int | None) -> Training:
    train, test = mnist()
    prepare, run = WAYS[way]
    data, warm_up = (prepare(first(train, n)) for n in (n_images, BATCH))
    n_threads = useful_threads(build())
    with threads(n_threads):
        run(warm_up, 1, seed)
        loss, seconds, cpu = timed(lambda: run(data, epochs, seed))
        limits = seconds_of_products(len(data) * epochs) if way == "fit" else (0.0, 0.0)
    with torch.no_grad():
        parts = test.x.to(best_device()).split(1000)
        test_loss = sum(loss(part).item() for part in parts) / len(test.x)
    return Training(seconds, cpu, test_loss, peak_memory(), n_threads, *limits)


def first(images: Images, n: int | None) -> Images:
    return Images(images.x[:n], images.labels[:n], images.shape)


def peak_memory() -> float:
    """The most memory that this process ever had, in MB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def answer(command: list[str]) -> Any:
    """What a process printed as its last line, read as JSON."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


# All of them, in turns -------------------------------------------------------------------------


class Settings(NamedTuple):
    """What is trained, and how often.

    Attributes:
        n_images: of the training images, or None for all.
        peer_python: the Python of an environment with pythae, or None to do without.
    """

    epochs: int = 10
    rounds: int = 1
    seed: int = 0
    n_images: int | None = None
    peer_python: str | None = None


def measure(settings: Settings) -> dict[str, list[Training]]:
    """Every way once in each round."""
    measured: dict[str, list[Training]] = {}
    with tempfile.TemporaryDirectory() as folder:
        commands = {way: own_command(way, settings) for way in WAYS}
        if settings.peer_python:
            write_arrays(Path(folder), settings.n_images)
            commands["pythae"] = peer_command(Path(folder), settings)
        for _ in range(settings.rounds):
            for way, command in commands.items():
                n_threads = [] if way in WAYS else [str(useful_threads(build()))]
                measured.setdefault(way, []).append(Training(**answer(command + n_threads)))
                print(in_columns(way, measured[way][-1:], measured["fit"][-1:], settings), flush=True)
    return measured


def own_command(way: str, settings: Settings) -> list[str]:
    options = {"--way": way, "--epochs": settings.epochs, "--seed": settings.seed}
    options |= {"--images": settings.n_images} if settings.n_images else {}
    return [sys.executable, __file__, *(str(word) for option in options.items() for word in option)]


def peer_command(folder: Path, settings: Settings) -> list[str]:
    return [settings.peer_python or "", str(PEER), str(folder), str(settings.epochs), str(settings.seed)]


def write_arrays(folder: Path, n_images: int | None) -> None:
    """The images for an environment that has no `vae_lessons`."""
    train, test = mnist()
    np.save(folder / "train.npy", train.x[:n_images].numpy())
    np.save(folder / "test.npy", test.x.numpy())


def in_columns(way: str, some: list[Training], fits: list[Training], settings: Settings) -> str:
    """A line of the table: the medians of a way, and how much of them `fit` took."""
    steps = settings.epochs * -(-(settings.n_images or 60_000) // BATCH) / 1000
    seconds, cpu, loss, peak, n_threads, *_ = (median(column) for column in zip(*some))
    ratio = median(one.seconds for one in fits) / seconds
    numbers = [f"{seconds:.1f}", f"{cpu:.1f}", f"{cpu / steps:.1f}", f"{ratio:.2f}", f"{loss:.2f}", f"{peak:.0f}"]
    return "".join(f"{word:>11}" for word in (way, *numbers, f"{n_threads:.0f}"))


def import_seconds() -> list[float]:
    """What it takes to import torch, and then `vae_lessons.training`, in a fresh process."""
    timed_imports = "t = time.perf_counter(); import {}; took.append(time.perf_counter() - t)"
    lines = [timed_imports.format(module) for module in ("torch", "vae_lessons.training")]
    return answer([sys.executable, "-c", "\n".join(["import json, time", "took = []", *lines, "print(took)"])])


def report(measured: dict[str, list[Training]], settings: Settings) -> None:
    if settings.rounds > 1:
        print("medians:")
        for way, some in measured.items():
            print(in_columns(way, some, measured["fit"], settings))
    limit, cpu = (median(one[i] for one in measured["fit"]) for i in (-2, -1))
    gflop = settings.epochs * operations(settings.n_images or 60_000) / 1e9
    rates = f"{gflop / limit:.0f} GFLOP/s, {gflop / cpu:.0f} for each second of the processor"
    print(f"the products: {gflop:.0f} GFLOP, {limit:.1f} s at {rates}")
    print("to import torch {:.2f} s, vae_lessons.training after it {:.2f} s".format(*import_seconds()))
    fits = measured["fit"]
    for way, some in measured.items():
        if way != "fit":
            ratio, of_cpu = (median(a[i] / b[i] for a, b in zip(fits, some)) for i in (0, 1))
            aim = " (aim: at most 0.45)" if way == "usual" else ""
            print(f"ratio fit / {NAMES[way]}: {ratio:.2f}{aim}, {of_cpu:.2f} of the processor's time")
    limit, of_cpu = median(one.seconds / one.limit for one in fits), median(one.cpu / one.limit_cpu for one in fits)
    print(f"ratio fit / its matrix products alone: {limit:.2f}, {of_cpu:.2f} of the processor's time")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=1, help="each trains every way once")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=int, help="of the 60 000, to be quick")
    parser.add_argument("--peer-python", help="the Python of an environment with pythae")
    parser.add_argument("--way", choices=WAYS, help="only this one, in this process, as JSON")
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    if asked.way:
        print(json.dumps(train_once(asked.way, asked.epochs, asked.seed, asked.images)._asdict()))
        return
    settings = Settings(asked.epochs, asked.rounds, asked.seed, asked.images, asked.peer_python)
    load = ", ".join(f"{number:.1f}" for number in os.getloadavg())
    print(f"torch {version('torch')}, {torch.get_num_threads()} threads, load {load} on {os.cpu_count()} cores")
    print("".join(f"{word:>11}" for word in HEADS))
    report(measure(settings), settings)


if __name__ == "__main__":
    main()
