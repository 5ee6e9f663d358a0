"""Where to compute: a GPU if there is one. The lessons do without: their models train in seconds on any processor."""

import torch


def best_device() -> torch.device:
    """A GPU of NVIDIA or AMD ("cuda"), else one of Apple ("mps"), else the CPU (lesson 10).

    Move both the model and the images there: ``fit(build().to(device), x.to(device), loss)``. Batches and noise are
    drawn on the CPU in any case, so that the same seed gives the same training, up to the rounding of the device.
    """
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
