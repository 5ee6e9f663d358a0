"""Lesson 11: for each claim the wrong code it must catch, and the sentences with numbers."""

import math
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tests.lessons import Names, Wrong
from vae_lessons.bounds import importance_bound, log_importance_weights
from vae_lessons.data import Images, digits, split
from vae_lessons.denoising import DiffusionTerms, best_noise_vars, diffusion_elbo, sample
from vae_lessons.diffusion import (
    cosine_levels,
    eps_weights,
    even_levels,
    log_snr,
    noised,
    posterior,
    prior_kl,
    step_variances,
)
from vae_lessons.gaussian import kl, log_density
from vae_lessons.model import reference_vae
from vae_lessons.montecarlo import Estimate, estimate
from vae_lessons.objective import negative_elbo
from vae_lessons.reverse import CHOICES, gap, gap_per_step, shared_variances, true_variances
from vae_lessons.spectrum import Spectrum, data_spectrum
from vae_lessons.torch_state import seeded, threads
from vae_lessons.training import fit

LADDER = even_levels(100, highest=9.0)
N_STEPS = 800  # two thirds of the lesson's


def noisy(images: Images, seed: int, cell: float = 1.0) -> Tensor:
    """`cell` = 0 for grey values without noise."""
    within = torch.rand(images.x.shape, generator=torch.Generator().manual_seed(seed))
    return (16 * images.x + cell * within).double() / 17


@cache
def pixels() -> tuple[Tensor, Tensor, Spectrum]:
    """Training and test digits in the principal directions of the first, and these."""
    train, test = split(digits(), n_test=297, seed=0)
    x = noisy(train, 0)
    spectrum = data_spectrum(x)
    turn = torch.tensor(spectrum.directions)
    mean = torch.tensor(spectrum.mean)
    return (x - mean) @ turn, (noisy(test, 1) - mean) @ turn, spectrum


def eigenvalues() -> np.ndarray:
    return pixels()[2].eigenvalues


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# The fixed encoder -------------------------------------------------------------------------------


def formula_and_samples(read_as_width: bool = False) -> Names:
    """β̃ read as a standard deviation in the formula."""
    abar, one = even_levels(20), pixels()[0][:1]
    z = noised(one, noise(1, 64), abar, 8)
    (mean_q, variance), (mean_p, _) = posterior(z, one, abar, 8), posterior(z, 0 * one, abar, 8)
    log_sigma = torch.full_like(z, 0.5 * math.log(variance))
    wide = log_sigma * 2 if read_as_width else log_sigma
    by_formula = kl(mean_q, wide, mean_p, wide).sum().item()
    draws = mean_q + log_sigma.exp() * noise(20_000, 64, seed=1)
    log_q, log_p = (log_density(draws, m.expand_as(draws), log_sigma.expand_as(draws)) for m in (mean_q, mean_p))
    return {"off_formula": abs(estimate((log_q - log_p).sum(-1)).z_score(by_formula))}


def prior(lowest: float) -> Names:
    mean = prior_kl(pixels()[0], even_levels(20, lowest=lowest)).mean()
    return {"high": mean, "low": mean}


def weights(levels: Tensor) -> Tensor:
    noise_vars = step_variances(levels)[1].clone()
    noise_vars[0] = 1e-3
    return eps_weights(levels, noise_vars)[1:]


def of_weights(levels: Tensor) -> Names:
    w = weights(levels)
    return {"spread": w.max() / w.min() - 1, "ratio": w[0] / w.min()}


# The yardstick -----------------------------------------------------------------------------------


def gap_on(levels: Tensor) -> np.ndarray:
    return np.array([gap(eigenvalues(), levels, choice) for choice in CHOICES])


def one_latent(choice: str = "best") -> Names:
    variances = eigenvalues()
    one_width = 32 * (np.log(variances.mean()) - np.log(variances).mean())
    return {"off_one": abs(gap(variances, even_levels(1), choice) - one_width)}


def slopes(schedule: Any = even_levels) -> Names:
    return {"off_slope": abs(np.log10(gap_on(schedule(1000)) / gap_on(schedule(100))) + 1).max()}


def guess(levels: Tensor, rooted: bool = True) -> Any:
    """The linear guess; without its root, as in public code."""
    variances = torch.tensor(eigenvalues())

    def denoise(z: Tensor, t: int) -> Tensor:
        level = levels[t - 1]
        amount = (1 - level).sqrt() if rooted else 1 - level
        return amount.to(z.dtype) * z / (1 + level * (variances - 1)).to(z.dtype)

    return denoise


def gaussian_log_density(rows: Tensor) -> Tensor:
    log_sigmas = 0.5 * torch.tensor(eigenvalues()).log()
    return log_density(rows, torch.zeros_like(rows), log_sigmas.expand_as(rows)).sum(-1)


def sampled_gap(**mistake: bool) -> Names:
    levels, rows = even_levels(10), pixels()[0]
    shared = torch.tensor(shared_variances(eigenvalues(), levels, "best"))
    terms = diffusion_elbo(guess(levels, **mistake), rows, noise(10, *rows.shape), levels, shared)
    measured = estimate(gaussian_log_density(rows) - terms.elbo)
    return {"off": abs(measured.z_score(gap(eigenvalues(), levels, "best")))}


def lost(shared: bool) -> Names:
    true = true_variances(eigenvalues(), even_levels(1))
    given = true.mean(1, keepdims=True) if shared else true
    return {"lost": gap_per_step(eigenvalues(), even_levels(1), given).sum()}


# A learned guess ---------------------------------------------------------------------------------


class Guess(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.variances = torch.tensor(eigenvalues()).float()
        self.mlp = torch.nn.Sequential(
            torch.nn.Linear(80, 256),
            torch.nn.SiLU(),
            torch.nn.Linear(256, 256),
            torch.nn.SiLU(),
            torch.nn.Linear(256, 64),
        )
        torch.nn.init.zeros_(self.mlp[-1].weight)
        torch.nn.init.zeros_(self.mlp[-1].bias)

    def forward(self, z: Tensor, snr: Tensor) -> Tensor:
        level, rest = torch.sigmoid(snr), torch.sigmoid(-snr)
        v = level * self.variances + rest
        angles = snr * 2.0 ** -torch.arange(-1, 7)
        found = self.mlp(torch.cat([z / v.sqrt(), angles.sin(), angles.cos()], -1))
        return rest.sqrt() * z / v + (level * self.variances / v).sqrt() * found


@cache
def learned(run: str) -> Guess:
    """By the "simple" loss, by the "ELBO", by that with "drawn" levels, or "both" weighed and drawn."""
    levels = cosine_levels(100) if run == "simple" else LADDER
    noise_vars = step_variances(LADDER)[1].clone()
    noise_vars[0] = shared_variances(eigenvalues(), LADDER, "best")[0]
    true, alike = eps_weights(LADDER, noise_vars).float(), torch.ones(100)
    w = true / true.mean() if run in ("ELBO", "both") else alike
    often = true if run in ("drawn", "both") else alike
    snrs, rows = log_snr(levels).float(), pixels()[0].float()
    generator = torch.Generator().manual_seed(0)
    with seeded(0), threads(1):
        model = Guess()
        adam = torch.optim.Adam(model.parameters(), lr=5e-3, fused=True)
        slower = torch.optim.lr_scheduler.LinearLR(adam, 1.0, 0.0, N_STEPS)
        for _ in range(N_STEPS):
            level = torch.multinomial(often, 256, replacement=True, generator=generator)
            snr = snrs[level].unsqueeze(-1)
            eps = torch.randn(256, 64, generator=generator)
            digit = rows[torch.randint(len(rows), (256,), generator=generator)]
            z = torch.sigmoid(snr).sqrt() * digit + torch.sigmoid(-snr).sqrt() * eps
            loss = (w[level] * (eps - model(z, snr)).square().sum(-1)).mean()
            adam.zero_grad()
            loss.backward()
            adam.step()
            slower.step()
    return model.requires_grad_(False)


def denoiser(model: Guess, levels: Tensor) -> Any:
    snrs = log_snr(levels).float()
    return lambda z, t: model(z, snrs[t - 1].expand(len(z), 1))


@cache
def judged(run: str, T: int = 100) -> tuple[DiffusionTerms, Tensor]:
    levels = even_levels(T, highest=9.0)
    denoise, (train, test, _) = denoiser(learned(run), levels), pixels()
    noise_vars = best_noise_vars(denoise, train[:500].float(), noise(T, 500, 64, seed=2).float(), levels)
    return diffusion_elbo(denoise, test.float(), noise(T, 297, 64, seed=3).float(), levels, noise_vars), noise_vars


@cache
def by_linear() -> DiffusionTerms:
    shared = torch.tensor(shared_variances(eigenvalues(), LADDER, "best"))
    return diffusion_elbo(guess(LADDER), pixels()[1], noise(100, 297, 64, seed=3), LADDER, shared)


def surely(difference: Estimate) -> Tensor:
    return difference.mean - 4 * difference.std_error


def ahead(exchanged: bool = False) -> Names:
    difference = judged("simple")[0].elbo - judged("ELBO")[0].elbo
    return {"ahead": estimate(-difference if exchanged else difference), "surely": surely}


def calmer(run: str = "drawn") -> Names:
    return {"gained": estimate(judged(run)[0].elbo - judged("ELBO")[0].elbo), "surely": surely}


def over_linear(yardstick: bool = False) -> Names:
    """Or the linear guess in the learned one's place."""
    terms = by_linear() if yardstick else judged("simple")[0]
    return {"over_linear": estimate(terms.elbo - gaussian_log_density(pixels()[1])), "surely": surely}


@cache
def vae_score(of_each_pixel: bool) -> Tensor:
    """IWAE-50 of a VAE after a third of the lesson's epochs."""
    (train, test, spectrum), eps = pixels(), noise(51, 1500, 8, seed=5).float()
    turn_back = torch.tensor(spectrum.directions).T
    x, x_test = ((rows @ turn_back).float() for rows in (train, test))
    with seeded(0):
        vae = reference_vae(n_pixels=64, n_latents=8, n_hidden=100)
    fit(vae, x, negative_elbo(0.03), epochs=20, lr=4e-3, progress=False)
    with torch.no_grad():
        squares = (x - vae(x, eps=eps[0]).x_hat).square()
        log_sigmas = 0.5 * (squares.mean(0) if of_each_pixel else squares.mean().expand(64)).log()

        def likelihood(pixels: Tensor, x_hat: Tensor) -> Tensor:
            return log_density(pixels, x_hat, log_sigmas.expand_as(pixels)).sum(-1)

        return importance_bound(log_importance_weights(vae, x_test, eps[1:, :297], likelihood).double())


def of_vae(each: bool = True, diffusion: bool = True) -> Names:
    """Diffusion, or the linear model, over the VAE with one variance, or with one of each pixel."""
    ours = judged("simple")[0].elbo if diffusion else gaussian_log_density(pixels()[1])
    over = estimate(ours - vae_score(each))
    return {"over_vae": over, "left": over, "surely": surely}


def gained(exchanged: bool = False) -> Names:
    more = vae_score(True) - vae_score(False)
    return {"more": estimate(-more if exchanged else more), "surely": surely}


def saved(by_diffusion: bool, cells: float = 17.0) -> Names:
    """Or with cells of another width."""
    nats = judged("simple")[0].elbo.double() if by_diffusion else gaussian_log_density(pixels()[1])
    bits = estimate((64 * math.log(cells) - nats) / math.log(2))

    def surely_saved(bits: Estimate) -> Tensor:
        return 1 - (bits.mean + 4 * bits.std_error) / (64 * math.log2(17))

    return {"by_diffusion" if by_diffusion else "by_linear": bits, "surely_saved": surely_saved}


def savings(noisy_end: bool = False) -> Names:
    snr = log_snr(LADDER)[1:]
    by_simple = by_linear().kl.mean(1) - judged("simple")[0].kl.mean(1)
    middle = snr < 0 if noisy_end else (snr > 0) & (snr < 6)
    return {"share_saved": by_simple[middle].sum() / by_simple.sum()}


def coarse(turned_round: bool = False) -> Names:
    nats, snr = judged("simple")[0].kl.mean(1), log_snr(LADDER)[1:]
    return {"coarse": nats[snr > 5 if turned_round else snr < -5].sum()}


def finest(exchanged: bool = False) -> Names:
    ours, theirs = judged("ELBO")[0].kl.mean(1), judged("simple")[0].kl.mean(1)
    return {"finest": (ours - theirs if exchanged else theirs - ours)[:10]}


def ladders(rungs: tuple[int, ...] = (10, 30, 100, 200)) -> Names:
    elbos = [judged("simple", T)[0].elbo.mean().item() for T in rungs]
    return {"gains": np.diff(elbos)}


def farther(reverse: bool = False) -> Names:
    train, test, _ = pixels()
    eps = noise(101, 300, 64, seed=4).float()
    sets = [test.float()]
    for run in ("simple", "drawn", "ELBO"):
        sets.append(sample(denoiser(learned(run), LADDER), eps, LADDER, judged(run)[1]))
    sets.append(eps[0] * torch.tensor(eigenvalues()).sqrt().float())
    means = torch.stack([torch.cdist(rows, train.float()).min(1).values.square().mean() for rows in sets])
    return {"farther": (means.flip(0) if reverse else means).diff()}


WRONG = [
    Wrong(
        "formula and samples agree",
        "a variance read as a standard deviation",
        formula_and_samples,
        lambda: formula_and_samples(read_as_width=True),
    ),
    Wrong("with a last log-SNR of −9.2", "a ladder that ends at 0", lambda: prior(-9.2), lambda: prior(0.0)),
    Wrong("with a last log-SNR of 0", "a ladder that ends at −9.2", lambda: prior(0.0), lambda: prior(-9.2)),
    Wrong(
        "on even levels all weights",
        "cosine levels",
        lambda: of_weights(even_levels(100)),
        lambda: of_weights(cosine_levels(100)),
    ),
    Wrong(
        "on cosine levels the finest",
        "even levels",
        lambda: of_weights(cosine_levels(100)),
        lambda: of_weights(even_levels(100)),
    ),
    Wrong("one latent loses what a single", "the variance β_1 = 1", one_latent, lambda: one_latent("beta")),
    Wrong("from T = 100 to 1000", "cosine levels, where β̃ fails", slopes, lambda: slopes(cosine_levels)),
    Wrong("T = ", "the root forgotten on 1 − ᾱ", sampled_gap, lambda: sampled_gap(rooted=False)),
    Wrong(
        "β_t loses nothing",
        "β̃ in its place",
        lambda: {"unit": gap([1.0], even_levels(10), "beta")},
        lambda: {"unit": gap([1.0], even_levels(10), "beta_tilde")},
    ),
    Wrong(
        "β̃_t loses nothing",
        "β in its place",
        lambda: {"point": gap([1e-9], even_levels(10), "beta_tilde")},
        lambda: {"point": gap([1e-9], even_levels(10), "beta")},
    ),
    Wrong("with the true variances", "their mean", lambda: lost(shared=False), lambda: lost(shared=True)),
    Wrong("at this budget the simple loss", "the two exchanged", ahead, lambda: ahead(exchanged=True)),
    Wrong("the same goal with calmer", "levels that are both weighed and drawn", calmer, lambda: calmer("both")),
    Wrong(
        "it is over 5 nats",
        "the linear guess, which pays its shared variances",
        over_linear,
        lambda: over_linear(yardstick=True),
    ),
    Wrong("diffusion is over 15 nats", "the VAE with a variance for each pixel", lambda: of_vae(False), of_vae),
    Wrong("a variance for each pixel", "the two exchanged", gained, lambda: gained(exchanged=True)),
    Wrong("diffusion stays over 2 nats", "the linear model in its place", of_vae, lambda: of_vae(diffusion=False)),
    Wrong("a linear model saves", "cells of width 1/256", lambda: saved(False), lambda: saved(False, 256)),
    Wrong("diffusion saves over", "cells of width 1/256", lambda: saved(True), lambda: saved(True, 256)),
    Wrong("over 60 % of the savings", "the noisy levels alone", savings, lambda: savings(noisy_end=True)),
    Wrong("all levels below −5", "levels counted from the other end", coarse, lambda: coarse(turned_round=True)),
    Wrong("at the ten finest", "the two exchanged", finest, lambda: finest(exchanged=True)),
    Wrong("each longer ladder", "the ladders in the opposite order", ladders, lambda: ladders((200, 100, 30, 10))),
    Wrong("the last gain is under", "ladders that grow by two rungs each", ladders, lambda: ladders((10, 12, 14, 16))),
    Wrong("real < simple loss", "the five in the opposite order", farther, lambda: farther(reverse=True)),
]

SENTENCES = {
    "The noise has variance $1/(12 \\cdot 17^2) = 0.00029$.": "abs(1 / (12 * 17**2) - 0.00029) < 5e-6",
    "A pixel of these digits has a variance of 0.065 on average.": "abs(x.var(0).mean() - 0.065) < 0.001",
    "So at a log-SNR of 2.7 the noise is as strong as the digit.": "abs(-math.log(x.var(0).mean()) - 2.73) < 0.05",
    "Hundreds of nats for one step of twenty": "300 < by_formula < 900",
    "0.0001 nats with a finest log-SNR of 13, but about 0.25 with one of 9.": (
        "all(abs(gap_per_step(eigenvalues, levels, shared_variances(eigenvalues, levels, 'best')[:, None])[0].sum() / cost - 1)"
        " < share for levels, cost, share in ((even, 0.0001, 0.4), (ladder, 0.25, 0.1)))"
    ),
    "and the weight is five times the others.": "4.5 < true_weights[0] / true_weights[1:].max() < 5.5",
    "it ends within a nat of the simple loss.": "abs(by_simple.elbo.mean() - by_drawn.elbo.mean()) < 1",
    "Most of the distance was the one variance.": "more.mean > over_vae.mean / 2",
    "Most of the bits that diffusion saves, the linear model saves too.": (
        "plain_bits - by_linear.mean > (plain_bits - by_diffusion.mean) / 2"
    ),
    "where the cosine schedule has only one, and less on all the others together.": (
        "(log_snr(cosine) >= snr_of_step[9]).sum() == 1 and saved_by_elbo[10:].sum() < saved_by_simple[10:].sum()"
    ),
    "The sum of all KLs is over 100 nats, where the VAE paid 10 or 11.": (
        "kl_simple.sum() > 100 and 9.5 < history.kl[-1].sum() < 11.5"
    ),
    "its gap falls by 1.2 nats from T = 100 to 300.": (
        "abs(gap(eigenvalues, ladder, 'best') - gap(eigenvalues, even_levels(300, highest=9.0), 'best') - 1.2) < 0.05"
    ),
    "Held-out real digits lie about 1 from the nearest training digit.": "0.9 < means[0] < 1.2",
}
