"""The peer of benchmarks/training.py: pythae trains the same network on the same images, with its own trainer.

Run by the Python of an environment that has pythae, and needs no `vae_lessons`:

    peer/bin/python benchmarks/training_pythae.py FOLDER EPOCHS SEED THREADS

FOLDER has train.npy and test.npy, images (N, 784) from 0 to 1. The last line printed is JSON.
"""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from pythae.data.datasets import BaseDataset
from pythae.models import VAE, VAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from torch import Tensor, nn

N_PIXELS, N_HIDDEN, N_LATENTS = 784, 400, 20


class Encoder(BaseEncoder):
    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(N_PIXELS, N_HIDDEN), nn.ReLU())
        self.head_mu, self.head_log_var = nn.Linear(N_HIDDEN, N_LATENTS), nn.Linear(N_HIDDEN, N_LATENTS)

    def forward(self, x: Tensor) -> ModelOutput:
        h = self.hidden(x)
        return ModelOutput(embedding=self.head_mu(h), log_covariance=self.head_log_var(h))


class Decoder(BaseDecoder):
    def __init__(self) -> None:
        super().__init__()
        hidden, output = nn.Linear(N_LATENTS, N_HIDDEN), nn.Linear(N_HIDDEN, N_PIXELS)
        self.layers = nn.Sequential(hidden, nn.ReLU(), output, nn.Sigmoid())

    def forward(self, z: Tensor) -> ModelOutput:
        return ModelOutput(reconstruction=self.layers(z))


def build() -> VAE:
    config = VAEConfig(input_dim=(N_PIXELS,), latent_dim=N_LATENTS, reconstruction_loss="bce")
    return VAE(config, Encoder(), Decoder())


def train(model: VAE, data: BaseDataset, epochs: int, seed: int, folder: str) -> BaseTrainer:
    config = BaseTrainerConfig(
        output_dir=folder,
        num_epochs=epochs,
        learning_rate=1e-3,
        per_device_train_batch_size=128,
        optimizer_cls="Adam",
        seed=seed,
    )
    trainer = BaseTrainer(model, train_dataset=data, training_config=config)
    trainer.train()
    return trainer


def main(folder: str, epochs: str, seed: str, n_threads: str) -> None:
    torch.set_num_threads(int(n_threads))
    torch.manual_seed(int(seed))
    images, test = (torch.from_numpy(np.load(Path(folder) / f"{part}.npy")) for part in ("train", "test"))
    data, warm_up = (BaseDataset(part, torch.zeros(len(part))) for part in (images, images[:128]))
    with tempfile.TemporaryDirectory() as output:
        train(build(), warm_up, 1, int(seed), output)
        start, cpu = time.perf_counter(), time.process_time()
        model = train(build(), data, int(epochs), int(seed), output).model.eval()
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    with torch.no_grad():
        parts = test.to(model.device).split(1000)
        loss = sum(model({"data": part}).loss.item() * len(part) for part in parts) / len(test)
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    measured = {"seconds": seconds, "cpu": cpu, "test_loss": loss, "peak": peak, "threads": int(n_threads)}
    print("\n" + json.dumps(measured))


if __name__ == "__main__":
    main(*sys.argv[1:])
