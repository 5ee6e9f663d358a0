"""The living page in a notebook (lessons 00 and 07)."""

from typing import Any

import anywidget
import numpy as np
import traitlets
from IPython.display import display
from matplotlib import pyplot as plt
from PIL import Image
from torch import Tensor

from vae_lessons import figures
from vae_lessons.living import module, style
from vae_lessons.living.packing import in_sixteenths, packed
from vae_lessons.pictures import draw_image
from vae_lessons.sliders import Pictured
from vae_lessons.spectrum import kl_per_latent
from vae_lessons.stacks import Sweep

LESSONS = {
    "01": "01_gaussian_kl.ipynb",
    "03": "03_elbo.ipynb",
    "05": "05_reference_vae.ipynb",
    "06": "06_sum_or_mean.ipynb",
    "07": "07_kl_vanishing.ipynb",
    "09": "09_rate_distortion.ipynb",
}
LEVEL = 0.25  # where the water stands in the picture that is shown where there is no widget


class LivingWidget(anywidget.AnyWidget):
    """The page itself: it asks no kernel for anything."""

    _esm = module()
    _css = style()
    numbers = traitlets.Dict().tag(sync=True)
    weights = traitlets.Bytes().tag(sync=True)
    digits = traitlets.Bytes().tag(sync=True)
    lessons = traitlets.Dict(LESSONS).tag(sync=True)


class LivingPage(Pictured):
    """The page, and a picture of it for places without widgets."""

    def __init__(self, numbers: dict[str, Any], weights: bytes, digits: bytes):
        self.numbers = numbers
        super().__init__([LivingWidget(numbers=numbers, weights=weights, digits=digits)])

    def still(self) -> tuple[Image.Image, str]:
        eigenvalues, n_latents = np.array(self.numbers["eigenvalues"]), self.numbers["sizes"]["nLatents"]
        nearest = min(self.numbers["models"], key=lambda model: abs(np.log(model["level"] / LEVEL)))
        fig, axes = plt.subplots(1, 2, figsize=(8, 2.8))
        figures.plot_spectrum(axes[0], eigenvalues, LEVEL, n_latents)
        figures.plot_kl_per_latent(axes[1], kl_per_latent(eigenvalues, LEVEL, n_latents), nearest["kl"])
        plt.close(fig)
        return draw_image(fig), "A page to play with: the water, a digit of your own, its code, dreams, training."


def show_living(models: Sweep, x: Tensor, noise_var: float) -> None:
    """Show the page with the models of a sweep, which then live in the browser: no kernel is asked.

    Args:
        models: reference VAEs with 8 latents of images of 8 × 8 pixels.
        x: (N, 64), what they were trained on, in sixteenths.
        noise_var: σ_x² > 0 in training.

    Raises:
        TypeError, ValueError: other models or images; see `packing.packed`.
    """
    numbers, weights = packed(models, x, noise_var)
    if numbers["sizes"]["nLatents"] != 8:  # as the page's words have it
        raise ValueError(f"models must have 8 latents, got {numbers['sizes']['nLatents']}")
    display(LivingPage(numbers, weights, in_sixteenths(x)))
