"""Test likelihoods on binarised MNIST: a VAE and an IWAE with 5 samples, honestly estimated (lesson 10).

    VAE_LESSONS_DATA=folder python benchmarks/likelihood.py vae  --epochs 800
    VAE_LESSONS_DATA=folder python benchmarks/likelihood.py iwae --epochs 300

Both are the network of Burda, Grosse and Salakhutdinov (2016), with one layer of 50 latents and two hidden layers of
200 tanh units on each side, so their decoder has one more than the course's. As there, every epoch draws its black and
white pixels anew from the grey ones. The negative log likelihood of the test images, drawn once, is estimated with 5000
importance samples for each. Without VAE_LESSONS_DATA, MNIST is downloaded.

It takes hours, so it may be stopped at any time: after each epoch the state is written, and after each batch of the
evaluation its numbers; the same command goes on from there. What came out is recorded in the package, where lesson 10
reads it, with all that is needed to do it again.
"""

import argparse
import io
import json
import math
import time
from pathlib import Path
from typing import Any

import torch
from recording import provenance, record
from torch import Tensor, nn
from tqdm import tqdm

from vae_lessons.bounds import importance_bound, log_importance_weights
from vae_lessons.checks import entries_known
from vae_lessons.data import binarised, mnist
from vae_lessons.files import written_whole
from vae_lessons.model import VAE
from vae_lessons.objective import bernoulli_elbo, bernoulli_log_likelihood
from vae_lessons.training import shuffled

BATCH = 100
LR = 1e-3  # falls to zero along half a cosine
SAMPLES = {"vae": 1, "iwae": 5}  # of z for each image and step
TEST_SEED = 1  # of the black and white test images
DRAWS = 5000  # importance samples for each test image
EVERY = 10  # epochs between two points of the curve
CURVE = (1000, 100)  # test images, and draws for each, of a point of the curve


def build(n_pixels: int = 784, n_hidden: int = 200, n_latents: int = 50) -> VAE:
    """The paper's network: 784-200-200-50 and back, tanh between."""
    encoder, decoder = (_two_layers(n_in, n_hidden) for n_in in (n_pixels, n_latents))
    encoder.n_pixels, encoder.n_features, decoder.n_latents = n_pixels, n_hidden, n_latents
    decoder.append(nn.Linear(n_hidden, n_pixels))
    return VAE(encoder, decoder)


def _two_layers(n_in: int, n_hidden: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(n_in, n_hidden), nn.Tanh(), nn.Linear(n_hidden, n_hidden), nn.Tanh())


def bound(model: VAE, x: Tensor, n_samples: int, generator: torch.Generator) -> Tensor:
    """The number to maximise, (), nats: the ELBO with the KL in closed form, or the importance-weighted bound."""
    if n_samples == 1:
        return bernoulli_elbo(model(x, generator=generator), x).elbo.mean()
    eps = torch.randn(n_samples, len(x), model.n_latents, generator=generator)
    return importance_bound(log_importance_weights(model, x, eps, bernoulli_log_likelihood)).mean()


# Training --------------------------------------------------------------------------------------


class Training:
    """A model with all that a later run needs to go on as if it had never stopped."""

    def __init__(self, kind: str, epochs: int, seed: int, folder: Path):
        self.kind, self.epochs, self.file = kind, epochs, folder / f"{kind}.pt"
        self.generator = torch.Generator().manual_seed(seed)
        torch.manual_seed(seed)  # the first weights
        self.model = build()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=LR, fused=True)
        self.settings = {"kind": kind, "epochs": epochs, "seed": seed, "batch": BATCH, "lr": LR}
        self.epoch, self.seconds, self.curve = 0, 0.0, list[list[float]]()
        if self.file.exists():
            self._load()

    def _load(self) -> None:
        state = torch.load(self.file, weights_only=True)  # tensors and plain values: no code is run
        if state["settings"] != self.settings:
            raise ValueError(f"{self.file} was begun with other settings: {state['settings']}, now {self.settings}")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])
        self.epoch, self.seconds, self.curve = state["epoch"], state["seconds"], state["curve"]

    def save(self) -> None:
        state = {name: getattr(self, name) for name in ("settings", "epoch", "seconds", "curve")}
        state |= {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        save(state | {"generator": self.generator.get_state()}, self.file)

    def run(self, grey: Tensor, test: Tensor) -> None:
        """The epochs that remain."""
        for _ in tqdm(range(self.epoch, self.epochs), initial=self.epoch, total=self.epochs, desc=self.kind):
            started = time.perf_counter()
            self._epoch(grey)
            self.epoch += 1
            self.seconds += time.perf_counter() - started
            if self.epoch % EVERY == 0 or self.epoch == self.epochs:
                self.curve.append(self._point(test))
            self.save()

    def _epoch(self, grey: Tensor) -> None:
        self.optimizer.param_groups[0]["lr"] = LR * (1 + math.cos(math.pi * self.epoch / self.epochs)) / 2
        with entries_known():  # `mnist` has looked at them
            for images in shuffled(grey, BATCH, self.generator):
                # New pixels every epoch; a third of the time of torch.bernoulli.
                x = (torch.rand(images.shape, generator=self.generator) < images).to(images.dtype)
                loss = -bound(self.model, x, SAMPLES[self.kind], self.generator)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
        if not math.isfinite(value := loss.item()):
            raise FloatingPointError(f"the loss became {value} in epoch {self.epoch + 1}; {self.file} is older")

    def _point(self, test: Tensor) -> list[float]:
        """Epoch, seconds of training, and on some test images −ELBO and −(importance-weighted bound)."""
        n_images, draws = CURVE
        log_weights = weights_of(self.model, test[:n_images], draws, torch.Generator().manual_seed(0))
        point = [-log_weights.mean().item(), -importance_bound(log_weights).mean().item()]
        tqdm.write(f"{self.kind} epoch {self.epoch}, {self.seconds:.0f} s: −ELBO {point[0]:.2f}, bound {point[1]:.2f}")
        return [self.epoch, round(self.seconds, 1), *(round(number, 3) for number in point)]


# Evaluation ------------------------------------------------------------------------------------


@torch.no_grad()
def weights_of(model: VAE, x: Tensor, draws: int, generator: torch.Generator) -> Tensor:
    """`log_importance_weights` (S, B) for many draws, in pieces that fit the cache."""
    columns = []
    for images in x.split(20):
        rows = []
        for piece in torch.arange(draws).split(50):
            eps = torch.randn(len(piece), len(images), model.n_latents, generator=generator)
            with entries_known():
                rows.append(log_importance_weights(model, images, eps, bernoulli_log_likelihood))
        columns.append(torch.cat(rows))
    return torch.cat(columns, dim=1)


def evaluate(training: Training, test: Tensor, draws: int, size: int = 100) -> Tensor:
    """For each test image: −ELBO, −log p(x) and the effective number of its draws, (N, 3); resumable."""
    file = training.file.with_name(f"{training.kind}-test-{draws}.pt")
    done: Tensor = torch.load(file, weights_only=True) if file.exists() else torch.empty(0, 3)
    # Of no image that remains, `split` would still make a batch.
    for start in tqdm(range(len(done), len(test), size), desc=f"{training.kind}, {draws} draws"):
        generator = torch.Generator().manual_seed(start)
        log_weights = weights_of(training.model, test[start : start + size], draws, generator)
        shares = log_weights.softmax(0)
        effective = 1 / shares.square().sum(0)
        rows = torch.stack([-log_weights.mean(0), -importance_bound(log_weights), effective], dim=1)
        done = torch.cat([done, rows])
        save(done, file)
    return done


def save(state: Any, file: Path) -> None:
    """Write all of it or nothing: a full disk or a kill leaves the file of before."""
    file.parent.mkdir(parents=True, exist_ok=True)
    packed = io.BytesIO()
    torch.save(state, packed)  # into a file, it would not say that the disk is full
    with written_whole(file) as part:
        part.write_bytes(packed.getbuffer())


# The record ------------------------------------------------------------------------------------


def record_of(training: Training, numbers: Tensor, draws: int) -> dict[str, Any]:
    """What came out, with its standard errors over the test images, and what it takes to do it again."""
    error = numbers.std(0) / math.sqrt(len(numbers))
    elbo, nll, _ = numbers.mean(0).tolist()
    return {
        "nll": round(nll, 3),
        "nll_standard_error": round(error[1].item(), 3),
        "negative_elbo": round(elbo, 3),
        "draws": draws,
        "test_images": len(numbers),
        "effective_draws_median": round(numbers[:, 2].median().item(), 1),
        "effective_draws_below_10": round((numbers[:, 2] < 10).double().mean().item(), 4),
        "settings": training.settings,
        "samples": SAMPLES[training.kind],
        "curve": training.curve,
    } | provenance(f"python benchmarks/likelihood.py {training.kind} --epochs {training.epochs}", training.seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=SAMPLES)
    parser.add_argument("--epochs", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--folder", type=Path, default=Path("build/likelihood"), help="where the state is kept")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # these matrices are too small for more
    train, test = mnist()
    black_and_white = binarised(test, seed=TEST_SEED).x
    training = Training(arguments.kind, arguments.epochs, arguments.seed, arguments.folder)
    training.run(train.x, black_and_white)
    numbers = evaluate(training, black_and_white, arguments.draws)
    record(f"likelihood-{arguments.kind}", result := record_of(training, numbers, arguments.draws))
    print(json.dumps({name: value for name, value in result.items() if name != "curve"}, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
