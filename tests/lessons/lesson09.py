"""Lesson 09: for each claim the wrong code it must catch, and the sentences with numbers."""

import math
from functools import cache
from types import SimpleNamespace

import numpy as np
import torch

from tests.lessons import Names, Wrong
from vae_lessons.data import digits, split
from vae_lessons.gaussian import kl_to_standard, log_density
from vae_lessons.montecarlo import estimate, mixture_log_density
from vae_lessons.spectrum import data_spectrum, kl_per_latent, linear_optimum, rate_distortion
from vae_lessons.stacks import sweep

NOISE_VAR = 0.5
BETAS = [0.01, 0.06, 0.1, 0.4, 1.0]


@cache
def lesson() -> SimpleNamespace:
    """A few of the notebook's models, trained on the training part alone: they serve for seen and unseen digits."""
    train, test = split(digits(), n_test=297, seed=0)
    stack = sweep(train.x, BETAS, noise_var=NOISE_VAR, epochs=40, lr=3e-3, progress=False).stack
    of_train = passed(stack, train.x)
    of_test = passed(stack, test.x)
    return SimpleNamespace(
        x=train.x,
        test=test.x,
        stack=stack,
        N=len(train.x),
        spectrum=data_spectrum(train.x),
        seen=of_train,
        unseen=of_test,
    )


@torch.no_grad()
def passed(stack, x, widened: float = 1.0, at_mean: bool = False) -> SimpleNamespace:
    """What the stack makes of x: codes, KL and squared error."""
    mu, log_sigma = (part.double() for part in stack.encode(x))
    eps = torch.randn(mu.shape[1:], generator=torch.Generator().manual_seed(1), dtype=mu.dtype)
    z = mu if at_mean else mu + widened * log_sigma.exp() * eps
    squared_error = ((x - stack.decode(z.float())) ** 2).sum(-1).double()
    kl = kl_to_standard(mu, log_sigma).sum(-1)
    return SimpleNamespace(mu=mu, log_sigma=log_sigma, kl=kl, rate=kl.mean(1), squared_error=squared_error)


def codes(m: int) -> tuple[torch.Tensor, torch.Tensor]:
    return lesson().seen.mu[m], lesson().seen.log_sigma[m]


@cache
def game(at_mean: bool = False) -> SimpleNamespace:
    """Which image was it? 300 codes of the model with β = 0.06."""
    mu, log_sigma = codes(1)
    generator = torch.Generator().manual_seed(2)
    picked = torch.randint(len(mu), (300,), generator=generator)
    eps = torch.randn(300, 8, generator=generator, dtype=torch.float64)
    z = mu[picked] if at_mean else mu[picked] + log_sigma[picked].exp() * eps
    every_z = z.unsqueeze(1).expand(-1, len(mu), -1)
    log_each = log_density(every_z, mu.expand_as(every_z), log_sigma.expand_as(every_z)).sum(-1)
    rows, p_image = torch.arange(300), log_each.softmax(1)
    return SimpleNamespace(
        z=z,
        picked=picked,
        log_each=log_each,
        p_image=p_image,
        own=p_image[rows, picked],
        log_own=log_each[rows, picked],
    )


def told(minus_log_n: bool) -> Names:
    log_q = game().log_each.logsumexp(1) - minus_log_n * math.log(lesson().N)
    return {"told": game().log_own - log_q, "guessed": math.log(lesson().N) + game().own.log()}


def helper(log_q: torch.Tensor) -> Names:
    return {"by_helper": mixture_log_density(game().z, *codes(1)), "log_q": log_q}


def split_kl(mu, log_sigma, seed=3, n_draws=1000, others_from=0, at_mean=False, minus_log_n=True):
    """The notebook's, and what may go wrong in it; `others_from`: the first image whose posterior is in q(z)."""
    generator = torch.Generator().manual_seed(seed)
    n = torch.randint(len(mu), (n_draws,), generator=generator)
    eps = torch.randn(n_draws, mu.shape[1], generator=generator, dtype=mu.dtype)
    z = mu[n] if at_mean else mu[n] + log_sigma[n].exp() * eps
    log_own = log_density(z, mu[n], log_sigma[n]).sum(-1)
    log_q = mixture_log_density(z, mu[others_from:], log_sigma[others_from:])
    log_q = log_q + (not minus_log_n) * math.log(len(mu))
    zero = torch.zeros_like(z)
    return log_own - log_q, log_q - log_density(z, zero, zero).sum(-1)


@cache
def parts(m: int, **mistake) -> Names:
    """Information and mismatch of model m, with the names of the claims."""
    information, mismatch = split_kl(*codes(m), **mistake)
    rate = lesson().seen.rate[m].repeat(1)
    total = estimate(information + mismatch)
    miss = mismatch.mean()
    return {
        "known": information.mean(),
        "not_known": miss / rate[0],
        "total": total,
        "rate": rate,
        "m": 0,
        "farthest": abs(total.z_score(rate[0])),
        "still_lacked": math.log(lesson().N) - information.mean(),
        "miss": np.array([miss]),
        "at_large_beta": [miss],
        "largest": information.max(),
        "ceiling": math.log(lesson().N),
    }


@cache
def alone(minus_log_n: bool = True) -> list[float]:
    mu, log_sigma = codes(1)
    return [split_kl(mu[:, [k]], log_sigma[:, [k]], minus_log_n=minus_log_n)[1].mean().item() for k in range(8)]


def doubled(by: float) -> Names:
    """The model with β = 0.01, its log σ raised."""
    mu, log_sigma = codes(0)
    wider = log_sigma + by
    return {
        "spared": lesson().seen.rate[0] - kl_to_standard(mu, wider).sum(-1).mean(),
        "forgotten": (split_kl(mu, log_sigma)[0] - split_kl(mu, wider)[0]).mean(),
    }


def precision(per_pixel: bool = False) -> Names:
    wide = passed(lesson().stack, lesson().x, widened=2).squared_error[0].mean()
    added = wide - lesson().seen.squared_error[0].mean()
    return {"in_nats": added / (2 * BETAS[0] * NOISE_VAR) / (64 if per_pixel else 1)}


@cache
def ideal(level: float, n_images: int = 1797):
    generator = torch.Generator().manual_seed(7)
    eigenvalues = torch.tensor(data_spectrum(digits().x).eigenvalues[:8].copy())
    variance = (level / eigenvalues).clamp(max=1)
    means = torch.randn(n_images, 8, generator=generator, dtype=torch.float64) * (1 - variance).sqrt()
    return estimate(split_kl(means, variance.sqrt().log().expand(n_images, 8))[1])


@cache
def fault(falling: bool = True, minus_log_n: bool = True) -> Names:
    """Mismatch beyond that of an ideal model which pays as much."""
    eigenvalues = lesson().spectrum.eigenvalues
    levels = np.geomspace(0.4, 0.0015, 10)[:: 1 if falling else -1]
    paid = [kl_per_latent(eigenvalues, v, n_latents=8).sum() for v in levels]
    at = np.interp(lesson().seen.rate, paid, [ideal(v, lesson().N).mean.item() for v in levels])
    miss = np.array([parts(m, minus_log_n=minus_log_n)["miss"][0] for m in (0, 1, 2)])
    return {"from_006": miss[1:] - at[1:3], "ideal_at": at, "miss": miss}


def curves(n_latents: int) -> Names:
    eigenvalues = lesson().spectrum.eigenvalues
    levels = np.geomspace(1e-3, eigenvalues[0], 500)
    shannon = np.array([rate_distortion(eigenvalues, v, n_latents=64) for v in levels])
    limited = np.array([rate_distortion(eigenvalues, v, n_latents=n_latents) for v in levels])
    return {"is_same": np.isclose(shannon, limited).all(1), "levels": levels, "eigenvalues": eigenvalues}


def linear_scores(best, x, at_mean: bool = False, log_var: bool = False) -> list[torch.Tensor]:
    decoder, encoder, sigma, mean = map(torch.tensor, best)
    centred = x.double() - mean
    mu = centred @ encoder.T
    kl = kl_to_standard(mu, (2 if log_var else 1) * sigma.log().expand_as(mu)).sum(-1)
    from_noise = 0 if at_mean else (sigma**2 * (decoder**2).sum(0)).sum()
    return [kl, ((centred - mu @ decoder.T) ** 2).sum(-1) + from_noise]


def on_curve(**mistake) -> Names:
    best = linear_optimum(lesson().spectrum, 0.2, n_latents=8)
    kl, error = (score.mean() for score in linear_scores(best, lesson().x, **mistake))
    curve_kl, curve_error = rate_distortion(lesson().spectrum.eigenvalues, 0.2, n_latents=8)
    return {"off_kl": abs(kl - curve_kl), "off_error": abs(error - curve_error)}


def saved(m: int, of_test: bool = False, n_latents: int = 64, mlp_at_mean: bool = False, **mistake) -> torch.Tensor:
    """Nats that model m costs less than a linear VAE, image by image."""
    x, scores = (lesson().test, lesson().unseen) if of_test else (lesson().x, lesson().seen)
    scores = passed(lesson().stack, x, at_mean=True) if mlp_at_mean else scores
    level = BETAS[m] * NOISE_VAR
    kl, squared_error = linear_scores(linear_optimum(lesson().spectrum, level, n_latents), x, **mistake)
    return kl - scores.kl[m] + (squared_error - scores.squared_error[m]) / (2 * level)


def gains(models: list[int], **options) -> Names:
    """What these models save, with the names of all claims about it."""
    gain = estimate(torch.stack([saved(m, **options) for m in models], dim=1))
    least = (gain.mean - 4 * gain.std_error).min()
    most = (gain.mean + 4 * gain.std_error).max()
    away = gain.mean / gain.std_error
    names = {"least": least, "least_there": least, "most": most, "at_least": -most, "most_there": gain.mean.max()}
    return names | {"errors_away": away, "errors_of_eight": away}


def memoriser(per_latent: bool = False, end: int | None = None) -> Names:
    """The simple memoriser's rate minus the models', which is 0 where the squared error is that of all directions."""
    told = 1 - lesson().seen.squared_error.mean(1) / lesson().spectrum.eigenvalues[:end].sum()
    below = told * math.log(lesson().N) - lesson().seen.rate / (8 if per_latent else 1)
    return {"lower": below[[3]], "upper": -below[:3]}


def bell(shrunk: bool) -> Names:
    """q(z) of the linear latent on a grid, its means scattered by 1 − σ² or by 1."""
    values = torch.special.ndtri((torch.arange(400) + 0.5) / 400) * (math.sqrt(0.95) if shrunk else 1)
    grid = torch.linspace(-3.5, 3.5, 101)
    normal = torch.distributions.Normal
    aggregate = normal(values, math.sqrt(0.05)).log_prob(grid.unsqueeze(1)).exp().mean(1)
    return {"off": (aggregate - normal(0.0, 1.0).log_prob(grid).exp()).abs().max()}


def pays(**mistake) -> Names:
    mu, log_sigma = codes(1)
    kl = kl_to_standard(mu, log_sigma / 2 if "log_var" in mistake else log_sigma)
    return {"rate": (kl.mean(-1) if "mean" in mistake else kl.sum(-1)).mean().repeat(1), "m": 0}


def found(at_mean: bool = False) -> Names:
    return {"share": (game(at_mean).p_image.argmax(1) == game(at_mean).picked).double().mean()}


def knows(matched: bool = True, log=math.log) -> Names:
    picked = game().picked if matched else game().picked.roll(1)
    lacked = estimate(-game().p_image[torch.arange(300), picked].clamp(min=1e-300).log())
    return {"at_most": lacked.mean + 4 * lacked.std_error, "knows": log(lesson().N) - lacked.mean}


WRONG = [
    Wrong("q(z) and p(z) differ", "means that scatter by 1, not by 1 − σ²", lambda: bell(True), lambda: bell(False)),
    Wrong("the model with β = 0.06 pays", "KL averaged over latents", pays, lambda: pays(mean=True)),
    Wrong("the model with β = 0.06 pays", "log σ read as log σ²", pays, lambda: pays(log_var=True)),
    Wrong("the true image is the likeliest", "z = μ in place of a sample", found, lambda: found(at_mean=True)),
    Wrong("less than 1.2 of the 7.49", "codes beside the wrong images", knows, lambda: knows(matched=False)),
    Wrong("so the code knows", "log N in bits", knows, lambda: knows(log=math.log2)),
    Wrong("at every draw", "log q(z) without − log N", lambda: told(True), lambda: told(False)),
    Wrong(
        "the helper finds",
        "mean of logs for the log of the mean",
        lambda: helper(game().log_each.logsumexp(1) - math.log(lesson().N)),
        lambda: helper(game().log_each.mean(1)),
    ),
    Wrong("their sum is the KL", "z = μ in place of a sample", lambda: parts(1), lambda: parts(1, at_mean=True)),
    Wrong("the code knows 6.5", "log q(z) without − log N", lambda: parts(1), lambda: parts(1, minus_log_n=False)),
    Wrong("25 to 45 %", "log q(z) without − log N", lambda: parts(1), lambda: parts(1, minus_log_n=False)),
    Wrong(
        "no single draw exceeds",
        "q(z) over other images than the codes are of",
        lambda: parts(1),
        lambda: parts(1, others_from=500),
    ),
    Wrong("information + mismatch", "z = μ in place of a sample", lambda: parts(0), lambda: parts(0, at_mean=True)),
    Wrong(
        "at β = 0.01 the code lacks",
        "log q(z) without − log N",
        lambda: parts(0),
        lambda: parts(0, minus_log_n=False),
    ),
    Wrong(
        "and the model pays more than 12", "one latent at a time", lambda: parts(0), lambda: {"miss": [sum(alone())]}
    ),
    Wrong("from β = 0.4 on", "log q(z) without − log N", lambda: parts(3), lambda: parts(3, minus_log_n=False)),
    Wrong("doubled, it pays", "the variance doubled", lambda: doubled(math.log(2)), lambda: doubled(math.log(2) / 2)),
    Wrong("and knows less than", "2 added to log σ", lambda: doubled(math.log(2)), lambda: doubled(2)),
    Wrong("its squared error rises", "a mean over pixels for a sum", precision, lambda: precision(per_pixel=True)),
    Wrong(
        "no single latent",
        "log q(z) without − log N",
        lambda: {"alone": alone()},
        lambda: {"alone": alone(minus_log_n=False)},
    ),
    Wrong(
        "all eight together",
        "a sum over latents for q(z) of all",
        lambda: parts(1) | {"alone": alone()},
        lambda: {"alone": alone(), "miss": [sum(alone())], "m": 0},
    ),
    Wrong(
        "with 1797 images the ideal",
        "ten times as many images",
        lambda: {"few": ideal(0.03)},
        lambda: {"few": ideal(0.03, 17_970)},
    ),
    Wrong(
        "which is at least its KL",
        "ten times as many images",
        lambda: {"few": ideal(0.03), "forced": 9.80 - math.log(1797)},
        lambda: {"few": ideal(0.03, 17_970), "forced": 9.80 - math.log(1797)},
    ),
    Wrong(
        "with ten times as many it",
        "the images not increased",
        lambda: {"fewer_nats": ideal(0.03).mean - ideal(0.03, 17_970).mean},
        lambda: {"fewer_nats": ideal(0.03).mean - ideal(0.03).mean},
    ),
    Wrong("at equal KL", "interpolated over a falling KL", fault, lambda: fault(falling=False)),
    Wrong("at β = 0.01 the ideal", "log q(z) without − log N", fault, lambda: fault(minus_log_n=False)),
    Wrong("8 latents follow", "7 latents", lambda: curves(8), lambda: curves(7)),
    Wrong("R on digits", "log σ read as log σ²", on_curve, lambda: on_curve(log_var=True)),
    Wrong("and so is Δ", "z = μ in place of the average", on_curve, lambda: on_curve(at_mean=True)),
    Wrong(
        "from β = 0.06 to 0.4 each",
        "a rival without its decoded noise",
        lambda: gains([1, 2, 3]),
        lambda: gains([1, 2, 3], at_mean=True),
    ),
    Wrong("at β = 0.01 and 0.02", "a rival with 8 latents", lambda: gains([0]), lambda: gains([0], n_latents=8)),
    Wrong("at β = 1 and 1.6", "the MLP at z = μ", lambda: gains([4]), lambda: gains([4], mlp_at_mean=True)),
    Wrong(
        "than the linear VAE with 8 latents it costs less at all eight",
        "a rival without its decoded noise",
        lambda: gains([0, 1, 2, 3], n_latents=8),
        lambda: gains([0, 1, 2, 3], n_latents=8, at_mean=True),
    ),
    Wrong("at β = 0.4 and 0.63", "a line that ends at λ₁", memoriser, lambda: memoriser(end=1)),
    Wrong("up to β = 0.16", "KL averaged over latents", memoriser, lambda: memoriser(per_latent=True)),
    Wrong(
        "on unseen digits",
        "a rival without its decoded noise",
        lambda: gains([2, 3], of_test=True),
        lambda: gains([2, 3], of_test=True, at_mean=True),
    ),
    Wrong(
        "at β = 0.01 it costs more",
        "a rival with 8 latents",
        lambda: gains([0], of_test=True),
        lambda: gains([0], of_test=True, n_latents=8),
    ),
    Wrong(
        "than the linear VAE with 8 latents it costs less at all four",
        "a rival without its decoded noise",
        lambda: gains([0, 2, 3], of_test=True, n_latents=8),
        lambda: gains([0, 2, 3], of_test=True, n_latents=8, at_mean=True),
    ),
]

NEAREST = "torch.cdist({}, x).min(1).values.square().mean()"
PRIOR = "trained.model(0).decode(torch.randn(N, 8, generator=torch.Generator().manual_seed(SEED)))"
SENTENCES = {
    "Seven or eight codes in ten name their image.": "0.66 < share < 0.83",
    "Afterwards less than one nat is lacking, as if there were about two candidates left": "0.5 < lacked.mean < 0.95",
    "This model pays ten nats or a little more, and its code knows a little under seven.": "9.5 < rate[m] < 11.7 and 6.4 < knows < 7",
    "About a third of what this model pays tells nothing": "0.27 < not_known < 0.42",
    "At small β the price climbs past 20 nats": "rate[0] > 20",
    "knows about two nats of its X": "1.2 < info[8] < info[7] < 2.8",
    "From β = 1 on the code knows almost nothing.": "max(info[9:]) < 0.4",
    "Those 5.5 nats were well spent.": "5 < spared < 6 and in_nats > spared",
    "the loss values it at about twice the price": "1.6 < in_nats / spared < 2.8",
    "about one code in four is likelier under another image": "0.17 < 1 - share < 0.34",
    "At least 9.80 − 7.49 = 2.31, and it is a little more.": "abs(forced - 2.31) < 0.01 and few.mean < 2.9",
    "With ten times the images it falls below 1.5.": "many.mean < 1.5",
    "a distance shows a fault of the model's own: below one nat here": "excess.max() < 1",
    "The dots lie on the blue line or a little above it.": "excess.min() > -0.4",
    "the uppermost, β = 0.01, lies above it": "points[0, 0] > np.interp(points[0, 1], shannon[:, 1], shannon[:, 0])",
    "Most dots lie below Shannon's curve": "sum(points[:, 0] < np.interp(points[:, 1], shannon[:, 1], shannon[:, 0])) >= 7",
    "is worth more than two nats per digit from β = 0.06 to 0.16": "middle.mean[:3].min() > 2",
    "The square leaves Shannon's curve when the water falls below λ₉ = 0.157, at β = 0.31.": "abs(eigenvalues[8] / noise_var - 0.315) < 0.005",
    "Past the last death, at β = 1.40": "abs(eigenvalues[0] / noise_var - 1.40) < 0.005",
    "their squared distance to the nearest image is, on average, more than four times as large": (
        f"{NEAREST.format(PRIOR)} > 4 * {NEAREST.format('output.x_hat[0]')}"
    ),
    "For about 6 draws in 10 the nearest image is the very one": (
        "0.55 < (torch.cdist(output.x_hat[0], x).argmin(1) == torch.arange(N)).float().mean() < 0.7"
    ),
}
