"""The theory of lessons 06 and 07 at 784 pixels: predicted from the spectrum, then trained (about 15 minutes each).

    VAE_LESSONS_DATA=folder python benchmarks/theory.py mnist
    VAE_LESSONS_DATA=folder python benchmarks/theory.py fashion-mnist

First the post's model with its loss exactly as it stands, then the reference VAE at 15 values of β, from a fifth of the
eigenvalue of the last latent to past that of the first. All 60 000 training images, in training and in evaluation:
the theory is about the best model for a given data set. The numbers and some pictures are recorded in the package, so
that the lessons need no download. Without VAE_LESSONS_DATA the images are downloaded.
"""

import argparse
import time
from typing import Any

import numpy as np
import torch
from recording import provenance, record
from torch import Tensor

from vae_lessons.data import fashion_mnist, mnist
from vae_lessons.files import written_whole
from vae_lessons.model import LatentGaussian, reference_vae
from vae_lessons.objective import gaussian_elbo
from vae_lessons.recipes import post_loss
from vae_lessons.recorded import FOLDER
from vae_lessons.spectrum import data_spectrum
from vae_lessons.stacks import sweep
from vae_lessons.training import fit

DATA = {"mnist": mnist, "fashion-mnist": fashion_mnist}
N_LATENTS, N_HIDDEN, NOISE_VAR = 8, 100, 0.5
N_BETAS, N_EIGENVALUES = 15, 64


@torch.no_grad()
def mean_kl(model: LatentGaussian, x: Tensor) -> Tensor:
    """KL of each latent, averaged over the images: (K,), or (M, K) for a stack, nats."""
    generator = torch.Generator().manual_seed(1)
    parts = [gaussian_elbo(model(part, generator=generator), part, NOISE_VAR).kl.sum(-2) for part in x.split(1000)]
    return torch.stack(parts).sum(0) / len(x)


def posts_model(x: Tensor, epochs: int) -> dict[str, float]:
    """The largest KL of a latent, and the error per pixel, after training with the post's loss."""
    torch.manual_seed(0)
    model = reference_vae(x.shape[1], N_LATENTS, N_HIDDEN, output="relu")
    fit(model, x, post_loss, epochs=epochs, batch_size=128)
    with torch.no_grad():
        error = torch.stack([(model(part).x_hat - part).square().mean() for part in x.split(1000)]).mean()
    return {"largest_kl": mean_kl(model, x).max().item(), "error_per_pixel": error.item(), "epochs": epochs}


def betas_for(eigenvalues: np.ndarray) -> list[float]:
    """From where all latents live in theory to where none does."""
    lowest, highest = eigenvalues[N_LATENTS - 1] / 5, eigenvalues[0] * 1.4
    return [float(f"{level / NOISE_VAR:.2g}") for level in np.geomspace(lowest, highest, N_BETAS)]


def pictures(stack: LatentGaussian, x: Tensor, labels: Tensor) -> dict[str, np.ndarray]:
    """One image of each class, its mean reconstruction by every model, and samples from one set of z, as bytes."""
    first = torch.stack([(labels == label).nonzero()[0, 0] for label in range(10)])
    z = torch.randn(20, N_LATENTS, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        redrawn = stack.decode(stack.encode(x[first])[0])
        drawn = stack.decode(z.expand(N_BETAS, -1, -1))
    shown = {"images": x[first], "reconstructions": redrawn, "samples": drawn}
    return {name: (values.clamp(0, 1) * 255).round().to(torch.uint8).numpy() for name, values in shown.items()}


def rounded(values: Any, digits: int = 5) -> list[Any]:
    return np.round(np.asarray(values, dtype=float), digits).tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=DATA)
    parser.add_argument("--epochs", type=int, default=8)
    arguments = parser.parse_args()
    started = time.perf_counter()
    train, _ = DATA[arguments.data]()
    x = train.x
    eigenvalues = data_spectrum(x).eigenvalues
    print("eigenvalues", eigenvalues[:N_LATENTS].round(3), "sum", eigenvalues.sum().round(3))
    posts = posts_model(x, arguments.epochs)
    print("the post's model:", posts)
    betas = betas_for(eigenvalues)
    sizes = {"noise_var": NOISE_VAR, "n_latents": N_LATENTS, "n_hidden": N_HIDDEN}
    settings = sizes | {"epochs": arguments.epochs, "batch_size": 128, "lr": 2e-3, "seed": 0}
    swept = sweep(x, betas, **settings)
    kl = mean_kl(swept.stack, x).sort(descending=True).values
    command = f"python benchmarks/theory.py {arguments.data} --epochs {arguments.epochs}"
    result = {
        "eigenvalues": rounded(eigenvalues[:N_EIGENVALUES]),
        "total_variance": rounded(eigenvalues.sum()),
        "posts_model": posts,
        "betas": betas,
        "kl": rounded(kl),
        "settings": settings | {"images": len(x)},
    } | provenance(command, time.perf_counter() - started)
    name = f"theory-{arguments.data}"
    record(name, result)
    with written_whole(FOLDER / f"{name}.npz") as part, part.open("wb") as file:
        np.savez_compressed(file, **pictures(swept.stack, x, train.labels))
    print("β, trained total KL:", list(zip(betas, kl.sum(1).numpy().round(2))))


if __name__ == "__main__":
    main()
