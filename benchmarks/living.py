"""The models that live on the first page of the book (about a minute): ``python benchmarks/living.py --epochs 120``.

The reference VAE of lessons 05 and 07 at 25 water levels βσ_x² from 0.01 to 1, past the largest variance of the data:
on all 1797 digits, for 120 epochs, three times as long as lesson 07 has patience for. Numbers and provenance are recorded as
JSON, the weights as 16-bit floats beside them.
"""

import argparse
import time

import numpy as np
from recording import provenance, record

from vae_lessons.data import digits
from vae_lessons.files import written_whole
from vae_lessons.living.packing import packed
from vae_lessons.recorded import FOLDER
from vae_lessons.stacks import sweep

LEVELS = np.geomspace(0.01, 1.0, 25)
NOISE_VAR, SEED = 0.5, 0


def main() -> None:
    parser = argparse.ArgumentParser(description="Train and record the models of the living page.")
    parser.add_argument("--epochs", type=int, default=120)
    epochs = parser.parse_args().epochs
    started, x = time.perf_counter(), digits().x
    models = sweep(x, LEVELS / NOISE_VAR, noise_var=NOISE_VAR, epochs=epochs, seed=SEED)
    numbers, weights = packed(models, x, NOISE_VAR)
    settings = {"epochs": epochs, "seed": SEED}
    made = provenance(f"python benchmarks/living.py --epochs {epochs}", time.perf_counter() - started)
    record("living", {**made, "settings": settings, **numbers})
    with written_whole(FOLDER / "living.bin") as part:
        part.write_bytes(weights)
    for model in numbers["models"]:
        print(f"level {model['level']:.4f}: pays {sum(model['kl']):.3f} nats, squared error {model['error']:.3f}")


if __name__ == "__main__":
    main()
