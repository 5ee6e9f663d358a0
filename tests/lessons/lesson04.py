"""Lesson 04: for each claim the wrong code it must catch, and the sentences with numbers."""

from functools import cache

import numpy as np
import torch
from torch import Tensor

from tests.lessons import Names, Wrong
from vae_lessons.data import digits
from vae_lessons.model import VAE, reference_vae
from vae_lessons.montecarlo import estimate
from vae_lessons.objective import gaussian_log_likelihood, negative_elbo
from vae_lessons.training import fit


def square(width: float = 0.5, divisor: float = 0.25, slope: float = 2.0) -> Names:
    """Both estimators for z² at μ = 2, with this width of z, divisor of the score and slope of f."""
    noise = torch.randn(100_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    draws = 2 + width * noise
    score, path = draws**2 * (draws - 2) / divisor, slope * draws
    return {
        "score_off": abs(estimate(score).z_score(4)),
        "path_off": abs(estimate(path).z_score(4)),
        "score_off_by": abs(estimate((score - 4) ** 2).z_score(123.75)),
        "path_off_by": abs(estimate((path - 4) ** 2).z_score(1)),
    }


@cache
def trained() -> VAE:
    torch.manual_seed(0)
    model = reference_vae()
    fit(model, digits().x, negative_elbo(noise_var=0.03), epochs=30, lr=2e-3, progress=False)
    return model


@cache
def slopes() -> tuple[Tensor, Tensor, Tensor]:
    """By path (20, 2000, 8), log p(x|z) (20, 2000, 1) and ∇ log q (20, 2000, 8), as in the notebook."""
    model, images = trained(), digits().x[:20].repeat_interleave(2000, dim=0)
    with torch.no_grad():
        mu, log_sigma = model.encode(images)
    noise = torch.randn(mu.shape, generator=torch.Generator().manual_seed(1))
    codes = (mu + log_sigma.exp() * noise).requires_grad_()
    values = gaussian_log_likelihood(images, model.decode(codes), noise_var=0.03)
    (by_path,) = torch.autograd.grad(values.sum(), codes)
    score = noise / log_sigma.exp()
    return by_path.reshape(20, 2000, 8), values.detach().reshape(20, 2000, 1), score.reshape(20, 2000, 8)


def decoder(score_times: float = 1.0, baseline: str = "mean", values_times: float = 1.0) -> Names:
    by_path, values, score = slopes()
    constant = {"mean": values.mean(1, keepdim=True), "none": 0.0, "value": values}[baseline]
    by_score = (values - constant) * score * score_times
    plain = values * values_times * score
    difference = estimate((by_path - by_score).transpose(0, 1))
    return {
        "furthest": difference.z_score(0.0).abs().max(),
        "plain_ratio": (plain.var(1) / by_path.var(1)).median(),
        "baseline_ratio": (by_score.var(1) / by_path.var(1)).median(),
    }


@cache
def draws() -> list[Tensor]:
    """Gradients with respect to x̂ (20, N, D) and z (20, N, K)."""
    model, x, found = trained(), digits().x, []
    for seed in range(20):
        with torch.no_grad():
            z = model(x, generator=torch.Generator().manual_seed(seed)).z
        x_hat = model.decode(z.requires_grad_())
        total = gaussian_log_likelihood(x, x_hat, noise_var=0.03).sum()
        found.append(torch.autograd.grad(total, [x_hat, z]))
    return [torch.stack(which) for which in zip(*found)]


def shares(taken_off: float = 1 / 20, swapped: bool = False) -> Names:
    """The share of sampling, if this part of it is taken off the variance of the means."""
    found = []
    for which in draws():
        sampling = which.var(0).mean()
        between = which.mean(0).var(0).mean() - taken_off * sampling
        found.append(sampling / (sampling + between))
    to_decoder, to_encoder = reversed(found) if swapped else found
    return {"decoder_share": to_decoder, "encoder_share": to_encoder}


def change(of_torch: str = "seeded", of_numpy: str = "fresh") -> Names:
    """How far two draws of noise are apart, made as named."""

    def drawn(how: str) -> Tensor:
        if how == "seeded":
            torch.manual_seed(0)
        return torch.randn(5, 8) if how != "fresh" else torch.from_numpy(np.random.default_rng().normal(size=(5, 8)))

    return {
        "torch_change": (drawn(of_torch) - drawn(of_torch)).abs().max(),
        "numpy_change": (drawn(of_numpy) - drawn(of_numpy)).abs().max(),
    }


WRONG = [
    Wrong("the score's mean is 2μ", "divided by σ instead of σ²", square, lambda: square(divisor=0.5)),
    Wrong("the path's mean is 2μ", "the slope of z²/2", square, lambda: square(slope=1.0)),
    Wrong("the score's variance", "σ² used as σ in the draw", square, lambda: square(width=0.25, divisor=0.0625)),
    Wrong("the path's variance", "σ² used as σ in the draw", square, lambda: square(width=0.25)),
    Wrong("20 images, 8 latents", "the score not divided by σ twice", decoder, lambda: decoder(score_times=0.5)),
    Wrong("without a baseline", "the constant of log p(x|z) dropped", decoder, lambda: decoder(values_times=0.1)),
    Wrong("with one, 5 to 15", "no baseline taken off", decoder, lambda: decoder(baseline="none")),
    Wrong("gradient in x̂, sampling", "decoder and encoder exchanged", shares, lambda: shares(swapped=True)),
    Wrong("gradient in z, sampling", "the twentieth of the sampling left in", shares, lambda: shares(taken_off=0.0)),
    Wrong("torch's noise repeats", "never seeded", change, lambda: change(of_torch="free")),
    Wrong("NumPy's does not", "torch's noise in its place", change, lambda: change(of_numpy="seeded")),
]
SENTENCES = {
    "The score's variance is smallest, 87, near σ = 1": "abs(lowest - 87) < 0.5 and abs(quietest - 1) < 0.05",
    "Here the first is 124 times the second": "abs(score_here / path_here - 124) < 0.5",
    "the variance of the score is 0.50, and that of reparameterisation is 4.50": "abs(estimate((torch.cos(3 * standard) * standard) ** 2).z_score(0.5)) < 4 and abs(estimate((3 * torch.sin(3 * standard)) ** 2).z_score(4.5)) < 4",
    "At ω = ½ it is the other way round: 0.50 against 0.05.": "abs(estimate((torch.cos(standard / 2) * standard) ** 2).z_score(0.5)) < 4 and abs((0.5 * torch.sin(standard / 2)).var() - 0.05) < 0.002",
    "The best b is 𝔼[f·(z − μ)²]/σ² = μ² + 3σ².": "sp.simplify(expectation(f * (z - mu) ** 2) / sigma**2 - mu**2 - 3 * sigma**2) == 0",
}
