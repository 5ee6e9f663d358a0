"""Lesson 00: for each claim the wrong code it must catch, and the sentences with numbers."""

from functools import cache

import torch

from tests.lessons import Names, Wrong
from vae_lessons.data import digits
from vae_lessons.stacks import Sweep, sweep

BETAS = (0.02, 0.2, 1.6)  # the first of the lesson's nine, the one in the claim, the last


@cache
def models() -> Sweep:
    return sweep(digits().x, BETAS, noise_var=0.5, epochs=30, seed=0, progress=False)


def distances(width: float = 1.0, to_nearest: bool = True) -> Names:
    """From dreams to real digits, with latents of this width, to the nearest digit or to all of them."""
    stack = models().stack
    z = width * torch.randn(500, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        distance = torch.cdist(stack.decode(z.expand(3, -1, -1)), digits().x)
    nearest = distance.amin(-1) if to_nearest else distance.mean(-1)
    first, middle, last = nearest.mean(-1)
    return {"nearer": middle < 0.92 * min(first, last)}


WRONG = [
    Wrong("dreams at β = 0.2 lie nearer", "latents three times too wide", distances, lambda: distances(width=3.0)),
    Wrong(
        "dreams at β = 0.2 lie nearer",
        "to all digits, not to the nearest",
        distances,
        lambda: distances(to_nearest=False),
    ),
]
SENTENCES = {
    "At the smallest β they differ most from one another": "dreamed.var(1).sum(-1).argmax() == 0",
    "at the right end all of them are the same picture": "redrawn[8].std(0).max() < 0.1",
    "and it has **vanished**": "paid[8] < 0.01",
    "The distance is large at both ends of the slider and smallest in the middle": "nearest.argmin() in (3, 4)",
    "Between 0.9 and 1.2.": "paid[6] > paid[0] / 100 > paid[7]",
    "before the threshold 1.40": "round(deaths[0], 2) == 1.40",
}
