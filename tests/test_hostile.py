"""Every public function of the mathematical and model rooms against arguments that it must refuse.

Each call has one bad argument among good ones. It must end in a TypeError or ValueError that names the argument, or in a
result that is listed here as documented; extreme but finite numbers may overflow to infinity, never to NaN. A public
function without an entry in `CALLS` fails `test_every_public_function_is_called`.

    python -m tests.test_hostile      how many calls end how, room by room
"""

import inspect
import math
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pytest
import sympy as sp
import torch
from torch import Tensor, nn

from vae_lessons import (
    bounds,
    data,
    denoising,
    diffusion,
    gaussian,
    model,
    montecarlo,
    objective,
    optimum,
    recipes,
    reverse,
    settings,
    spectrum,
    stacks,
    sweeps,
    symbolic,
    trained,
    training,
)

ROOMS = (gaussian, symbolic, montecarlo, spectrum, data, model, objective, recipes, bounds, training, stacks, optimum)
ROOMS += (diffusion, denoising, reverse, settings, sweeps, trained)
S, B, D, K, M = 5, 4, 6, 2, 3  # all different, so that nothing fits by accident


class Argument(NamedTuple):
    """One argument: a good value, bad ones by name, and which of these have a documented result."""

    good: object
    bad: dict[str, object]
    documented: frozenset[str] = frozenset()
    called: str = ""  # what the message calls it, if not by its name


# -- kinds of arguments ----------------------------------------------------------------------------------------------


def tensor(good: Tensor, *documented: str, called: str = "") -> Argument:
    """A floating-point tensor whose shape, dtype and values all matter."""
    bad = {
        "None": None,
        "text": "0.5",
        "a list": good.tolist(),
        "an array": good.numpy(),
        "integers": torch.ones(good.shape, dtype=torch.int64),
        "booleans": torch.ones(good.shape, dtype=torch.bool),
        "complex": good.to(torch.complex64),
        "half precision": good.half(),
        "the other dtype": good.float() if good.dtype == torch.float64 else good.double(),
        "empty": good[:0] if good.ndim else good.new_empty(0),
        "NaN": spoilt(good, math.nan),
        "infinity": spoilt(good, math.inf),
        "minus infinity": spoilt(good, -math.inf),
        "one dimension more": good.unsqueeze(0),
        "largest": torch.full_like(good, torch.finfo(good.dtype).max),
        "lowest": torch.full_like(good, torch.finfo(good.dtype).min),
        "a scalar": good.new_tensor(0.5),
    }
    if good.ndim:
        bad |= {
            "one example": good[0],
            "a batch of one": good[:1],
            "one column": good[..., :1],
            "short rows": good[..., 1:],
        }
    if good.ndim == 0:
        bad.pop("a scalar")
    return Argument(good, bad, frozenset(documented) | EXTREME, called)


EXTREME = frozenset({"largest", "lowest"})  # documented: infinite where they overflow, never NaN


def spoilt(good: Tensor, value: float) -> Tensor:
    """The same tensor with one bad entry."""
    bad = good.clone()
    bad.view(-1)[-1] = value
    return bad


NO_NUMBERS = {"None": None, "text": "0.5", "a bool": True, "complex": 1j, "a list": [0.5], "a function": abs}


def number(good: float, *documented: str, zero: bool = False, called: str = "") -> Argument:
    """One number above zero; zero too, where that is allowed."""
    bad = NO_NUMBERS | {
        "NaN": math.nan,
        "infinity": math.inf,
        "minus infinity": -math.inf,
        "negative": -1.0,
        "an array": np.array([0.5, 0.5]),
        "integers": torch.tensor(1),
        "one of each image": torch.full((B,), 0.5),
        "one of each pixel": torch.full((D,), 0.5),
        "a column": torch.full((B, 1), 0.5),
        "a NaN tensor": torch.tensor(math.nan),
    }
    return Argument(good, bad if zero else bad | {"zero": 0}, frozenset(documented), called)


def per_model(good: float | Tensor, *documented: str, zero: bool = False) -> Argument:
    """One number, or one for each model of a stack: nothing else that could be broadcast."""
    plain = number(0.5, *documented, zero=zero)
    other = {
        "one of each latent": torch.full((K,), 0.5),
        "a table": torch.full((B, D), 0.5),
        "as a row of models": torch.full((1, M), 0.5),
        "too many models": torch.full((M + 1,), 0.5),
        "too many models in a column": torch.full((M + 1, 1), 0.5),
    }
    return Argument(good, plain.bad | other, plain.documented)


def count(good: int, *documented: str, zero: bool = False, **more: object) -> Argument:
    """A whole number from 1; from 0, where that is allowed."""
    bad = NO_NUMBERS | {"a fraction": 2.5, "a float": 2.0, "NaN": math.nan, "negative": -1, "a tensor": torch.tensor(2)}
    return Argument(good, (bad if zero else bad | {"zero": 0}) | more, frozenset(documented))


def choice(good: str) -> Argument:
    return Argument(good, {"None": None, "another word": "batchmean", "a number": 3, "a list": [good]})


def function(good: Callable[..., object], **more: object) -> Argument:
    return Argument(good, {"None": None, "text": "loss", "a number": 3} | more)


def kind(good: object, **more: object) -> Argument:
    """An object of one class: anything else must be refused."""
    return Argument(
        good, {"None": None, "text": "good", "a number": 3, "a tensor": torch.ones(B, D), "a class": type(good)} | more
    )


def array(good: np.ndarray, *documented: str, **more: object) -> Argument:
    """What `spectrum` takes: real numbers in lists, arrays or tensors; the shape and the values matter."""
    bad = {
        "None": None,
        "text": "0.5",
        "texts": np.full(good.shape, "1"),
        "objects": np.full(good.shape, None),
        "booleans": np.ones(good.shape, dtype=bool),
        "complex": good + 0j,
        "ragged": [[1.0], [1.0, 2.0]],
        "empty": good[:0],
        "NaN": np.where(good == good.max(), np.nan, good),
        "infinity": np.where(good == good.max(), np.inf, good),
        "one dimension more": good[None],
        "one dimension less": good[0],
        "short rows": good[..., 1:],
        "a NaN tensor": torch.full(good.shape, math.nan),
        "largest": np.full(good.shape, np.finfo(float).max),
    }
    return Argument(good, bad | more, frozenset(documented) | EXTREME)


def eigenvalues(*documented: str) -> Argument:
    rising, negative = np.arange(1.0, D + 1), np.arange(0.0, -D, -1)
    return array(np.arange(D, 0.0, -1), "short rows", *documented, rising=rising, negative=negative)


def up_to(largest: int) -> Argument:
    """A whole number from 1 to a largest one."""
    any_count = count(min(2, largest))
    return any_count._replace(bad=any_count.bad | {"one too many": largest + 1})


def symbol(good: object, **more: object) -> Argument:
    """A SymPy expression or a number."""
    bad = {
        "None": None,
        "text": "z**2",
        "a list": [symbolic.z],
        "another z": sp.Symbol("z") ** 2,
        "a positive z": sp.Symbol("z", positive=True),
        "NaN": math.nan,
        "infinity": sp.oo,
        "a tensor": torch.ones(2),
        "truth": True,
        "the noise": symbolic.eps,
    }
    return Argument(good, bad | more)


# -- good values -----------------------------------------------------------------------------------------------------

GENERATOR = torch.Generator().manual_seed(0)


def rand(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.rand(*shape, generator=GENERATOR, dtype=dtype)


X, EPS = rand(B, D), rand(S, B, K)
with torch.random.fork_rng():
    torch.manual_seed(0)
    VAE = model.reference_vae(D, K, n_hidden=3)
    LINEAR = model.LinearVAE(D, K).double()
    STACK = stacks.stack_models(lambda layer: model.reference_vae(D, K, 3, layer=layer), [0, 1, 2])
with torch.no_grad():
    OUTPUT, OF_STACK = VAE(X, eps=EPS[0]), STACK(X, eps=EPS[0].expand(M, B, K))
SPECTRUM = spectrum.data_spectrum(rand(2 * D, D))
IMAGES = data.Images(rand(9, D), torch.arange(9), (2, 3))
OF_GREY = kind(
    IMAGES,
    parts=tuple(IMAGES),
    flat=IMAGES._replace(x=IMAGES.x[0]),
    too_bright=IMAGES._replace(x=IMAGES.x * 255),
    negative=IMAGES._replace(x=-IMAGES.x),
    nan=IMAGES._replace(x=IMAGES.x * math.nan),
    bytes=IMAGES._replace(x=IMAGES.x.byte()),
)
PARTS = {"output", "x_hat", "mu", "log_sigma"}


def output(good: model.Output) -> Argument:
    """What a model returned: each of its parts spoilt in turn."""
    bad: dict[str, object] = {"None": None, "x_hat alone": good.x_hat, "a tuple": tuple(good)}
    for part in ("x_hat", "mu", "log_sigma"):
        spoils = tensor(getattr(good, part)).bad
        bad |= {f"{part}: {name}": good._replace(**{part: value}) for name, value in spoils.items()}
    bad |= {"fewer codes": good._replace(mu=good.mu[..., 1:, :], log_sigma=good.log_sigma[..., 1:, :])}
    documented = frozenset(f"{part}: {name}" for part in PARTS for name in EXTREME)
    return Argument(
        good, bad, documented, "|".join(PARTS | {"x"})
    )  # x is held against x_hat: either may be called wrong


LONE = ("the other dtype", "one dimension more", "one example", "a batch of one", "one column", "short rows")
RECIPES = kind(
    recipes.Recipe("sum", "mean"),
    unknown_error=recipes.Recipe("batchmean", "sum"),
    unknown_kl=recipes.Recipe("sum", "batchmean"),
    no_weight=recipes.Recipe("sum", "sum", kl_weight=0.0),
    negative_weight=recipes.Recipe("sum", "sum", error_weight=-1.0),
    nan_weight=recipes.Recipe("sum", "sum", error_weight=math.nan),
)._replace(called="recipe|error|kl|error_weight|kl_weight")
SPECTRA = kind(
    SPECTRUM,
    parts=tuple(SPECTRUM),
    short_mean=SPECTRUM._replace(mean=SPECTRUM.mean[1:]),
    flat_directions=SPECTRUM._replace(directions=SPECTRUM.mean),
    nan_mean=SPECTRUM._replace(mean=SPECTRUM.mean * math.nan),
    rising=SPECTRUM._replace(eigenvalues=SPECTRUM.eigenvalues[::-1]),
)._replace(called="spectrum|eigenvalues")


def unlooked(good: Tensor, *documented: str, called: str = "") -> Argument:
    """What goes through layers: its numbers are looked at by the losses, when they have been through."""
    seen = tensor(good, *documented, called=called)
    numbers = {"NaN", "infinity", "minus infinity", *EXTREME}
    return seen._replace(bad={label: value for label, value in seen.bad.items() if label not in numbers})


IN_BATCHES = ("one dimension more", "a batch of one", "empty")
AS_MANY_ROWS = ("one dimension more", "one example", "a batch of one", "empty")
LOSS = objective.negative_elbo(0.5)
SWEEP = stacks.sweep(X, [0.5, 0.6, 0.7], n_latents=K, n_hidden=3, epochs=1, progress=False)
A_GENERATOR = Argument(torch.Generator(), {"a number": 3, "text": "seed", "a tensor": torch.ones(2), "None": None})
GENERATORS = Argument(None, {"a number": 3, "text": "seed", "a tensor": torch.ones(2)})
MODEL = kind(VAE, layer=nn.Linear(D, D), untrained_class=model.VAE)
IMAGES_OF = tensor(X, called="x|x_hat")
OF_EACH = torch.tensor([0.5, 0.6, 0.7])  # one number for each model


T = 3  # levels of a diffusion
ABAR = torch.tensor([0.9, 0.5, 0.1], dtype=torch.float64)
# A level too few or too many is another schedule: what has a row for each level refuses it, or says that it is refused.
LEVELS = tensor(ABAR, "short rows", "a batch of one", called="abar|noise_vars|eps|levels")
LEVELS.bad.update(rising=ABAR.flip(0), one=ABAR + 0.1, zero=ABAR - 0.1, twice=ABAR[[0, 0, 1]])
ANY_LEVELS = LEVELS._replace(documented=LEVELS.documented | {"one column"})
OF_LEVELS = array(ABAR.numpy(), "short rows", rising=[0.1, 0.9], one=[1.0, 0.5], zero=[0.5, 0.0])
VARIANCES = array(np.arange(D, 0.0, -1), "short rows", zero=np.arange(D), negative=-np.arange(1.0, D + 1))
GUESS = function(
    lambda z, t: 0.5 * z,
    one_number=lambda z, t: z.sum(),
    python_number=lambda z, t: 0.5,
    not_a_number=lambda z, t: z * math.nan,
    other_dtype=lambda z, t: z.double(),
)._replace(called="denoise")
NOISE_VARS = tensor(0.5 * ABAR, called="noise_vars")
NOISE_VARS.bad.update(zero=0 * ABAR, negative=-ABAR)
X_OR_EPS = "x|eps|denoise|z"


class Call(NamedTuple):
    """A function, and its arguments by name."""

    function: Callable[..., object]
    arguments: dict[str, Argument]


def loss_call(make: Callable[..., objective.Loss], out: model.Output, **arguments: Argument) -> Call:
    """A function that returns a loss: it is made and then called, since either may refuse."""

    def call(output: object, x: object, **rest: object) -> object:
        return make(**rest)(output, x)

    return Call(call, {"output": output(out), "x": IMAGES_OF} | arguments)


def alike(function: Callable[..., object], **tensors: Tensor) -> Call:
    """A function of tensors of one shape and dtype."""
    return Call(function, {name: tensor(value) for name, value in tensors.items()})


def listed(one: Argument) -> Argument:
    """A list of values to try: none, one of them bad, or no list at all."""
    bad = {f"a list of {name}": [value] for name, value in one.bad.items()}
    return Argument([one.good], bad | {"None": None, "text": "0.5", "a number": 0.5, "empty": []}, one.documented)


SETTING = settings.Setting(n_latents=K, n_hidden=3)
SETTINGS = Argument(
    [SETTING, SETTING._replace(seed=1)],
    {
        "None": None,
        "text": "beta",
        "empty": [],
        "one": 0.5,
        "tuples": [tuple(SETTING)],
        "negative": [SETTING._replace(beta=-1.0)],
        "no noise": [SETTING._replace(noise_var=0.0)],
        "NaN": [SETTING._replace(beta=math.nan)],
        "text in one": [SETTING._replace(noise_var="0.5")],
        "a fraction": [SETTING._replace(n_latents=1.5)],
        "no latents": [SETTING._replace(n_latents=0)],
        "a seed below zero": [SETTING._replace(seed=-1)],
        "too large for float32": [SETTING._replace(beta=1e60)],
    },
    called="settings|beta|noise_var|n_latents|n_hidden|seed",
)


# An empty list: no argument to spoil, or what is reached through functions that check for it.
CALLS: dict[str, list[Call]] = {
    "gaussian.log_density": [alike(gaussian.log_density, x=rand(B, K), mu=rand(B, K), log_sigma=rand(B, K))],
    "gaussian.kl_to_standard": [alike(gaussian.kl_to_standard, mu=rand(B, K), log_sigma=rand(B, K))],
    "gaussian.kl": [
        alike(gaussian.kl, mu_q=rand(B, K), log_sigma_q=rand(B, K), mu_p=rand(B, K), log_sigma_p=rand(B, K))
    ],
    "gaussian.kl_full_to_standard": [
        Call(
            gaussian.kl_full_to_standard,
            {
                "mu": tensor(rand(B, K)),
                "cov": tensor(torch.eye(K).expand(B, K, K).clone()),
            },
        )
    ],
    "symbolic.density": [Call(symbolic.density, {"mean": symbol(0), "std": symbol(1, zero=0, negative=-1)})],
    "symbolic.log_ratio": [Call(symbolic.log_ratio, {"mean": symbol(0), "std": symbol(1, zero=0, negative=-1)})],
    "symbolic.kl_to_standard": [
        Call(symbolic.kl_to_standard, {"mean": symbol(0), "std": symbol(1, zero=0, negative=-1)})
    ],
    "symbolic.expectation": [
        Call(
            symbolic.expectation,
            {
                "f": symbol(symbolic.z**2, logarithm=sp.log(symbolic.z), reciprocal=1 / symbolic.z),
                "mean": symbol(0),
                "std": symbol(1, zero=0, negative=-1),
            },
        )
    ],
    "montecarlo.Estimate.interval": [
        Call(montecarlo.estimate(rand(S, B)).interval, {"level": number(0.9)}),
        Call(montecarlo.estimate(rand(S, B)).interval, {"level": Argument(0.9, {"one": 1, "percent": 95})}),
    ],
    "montecarlo.Estimate.z_score": [
        Call(
            montecarlo.estimate(rand(S, B)).z_score,
            {"truth": number(0.9, "zero", "negative", "one of each image")},
        ),
        Call(
            montecarlo.estimate(rand(S, B, K)).z_score,
            {
                "truth": Argument(
                    rand(B, K),
                    {k: v for k, v in tensor(rand(B, K)).bad.items() if k != "a list"},
                    frozenset({"the other dtype", "a scalar"}) | EXTREME,
                )
            },
        ),
    ],
    "montecarlo.estimate": [
        Call(
            montecarlo.estimate,
            {
                "samples": tensor(
                    rand(S, B), "the other dtype", "one dimension more", "one example", "one column", "short rows"
                )
            },
        )
    ],
    "montecarlo.log_ratio": [
        Call(
            montecarlo.log_ratio,
            {"mu": tensor(rand(B, K)), "log_sigma": tensor(rand(B, K)), "eps": tensor(EPS, "a batch of one")},
        )
    ],
    "montecarlo.log_ratio_std": [alike(montecarlo.log_ratio_std, mu=rand(B, K), log_sigma=rand(B, K))],
    "montecarlo.kl_estimators": [Call(montecarlo.kl_estimators, {"log_ratios": tensor(rand(S, B), *LONE, "a scalar")})],
    "montecarlo.mixture_log_density": [
        Call(
            montecarlo.mixture_log_density,
            {
                "z": tensor(rand(S, K, dtype=torch.float64), "a batch of one"),
                "mu": tensor(rand(B, K, dtype=torch.float64)),
                "log_sigma": tensor(rand(B, K, dtype=torch.float64)),
                "chunk": count(2),
            },
        )
    ],
    "spectrum.data_spectrum": [
        Call(spectrum.data_spectrum, {"x": array(rand(2 * D, D).numpy(), "short rows")}),
    ],
    "spectrum.kl_per_latent": [
        Call(spectrum.kl_per_latent, {"eigenvalues": eigenvalues(), "level": number(0.5), "n_latents": up_to(D)})
    ],
    "spectrum.error_per_direction": [
        Call(spectrum.error_per_direction, {"eigenvalues": eigenvalues(), "level": number(0.5), "n_latents": up_to(D)})
    ],
    "spectrum.thresholds": [Call(spectrum.thresholds, {"eigenvalues": eigenvalues(), "noise_var": number(0.5)})],
    "spectrum.optimal_elbo": [
        Call(
            spectrum.optimal_elbo,
            {"eigenvalues": eigenvalues(), "noise_var": number(0.5), "n_latents": up_to(D), "beta": number(1.0)},
        )
    ],
    "spectrum.rate_distortion": [
        Call(spectrum.rate_distortion, {"eigenvalues": eigenvalues(), "level": number(0.5), "n_latents": up_to(D)})
    ],
    "spectrum.linear_optimum": [
        Call(spectrum.linear_optimum, {"spectrum": SPECTRA, "level": number(0.5), "n_latents": up_to(D)})
    ],
    "spectrum.linear_log_likelihood": [
        Call(
            spectrum.linear_log_likelihood,
            {
                "x": array(rand(B, D).numpy()),
                "decoder": array(rand(D, K).numpy(), "short rows"),
                "mean": array(rand(D).numpy()),
                "noise_var": number(0.5),
            },
        )
    ],
    "spectrum.ppca_noise_var": [
        Call(spectrum.ppca_noise_var, {"eigenvalues": eigenvalues(), "n_latents": up_to(D - 1)})
    ],
    "data.digits": [],
    "data.mnist": [],  # what a folder may hold wrongly: tests/test_downloads.py
    "data.fashion_mnist": [],
    "data.binarised": [Call(data.binarised, {"images": OF_GREY, "seed": count(0, "None", zero=True)})],
    "data.resampled": [Call(data.resampled, {"x": tensor(X, *LONE, "a scalar"), "generator": A_GENERATOR})],
    "data.split": [
        Call(
            data.split,
            {
                "images": kind(IMAGES, parts=tuple(IMAGES), flat=IMAGES._replace(x=IMAGES.x[0])),
                "n_test": up_to(len(IMAGES.x) - 1),
                "seed": count(0, zero=True),
            },
        )
    ],
    "model.Encoder.forward": [],
    "model.Decoder.forward": [],
    "model.StackedLinear.forward": [],
    "model.LatentGaussian.encode": [],
    "model.LatentGaussian.decode": [],
    "model.LatentGaussian.forward": [
        Call(VAE.forward, {"x": unlooked(X, called="x|eps"), "eps": unlooked(EPS[0], "None"), "generator": GENERATORS}),
        Call(
            STACK.forward, {"x": unlooked(X, called="x|eps"), "eps": unlooked(EPS[0].expand(M, B, K).clone(), "None")}
        ),
    ],
    "model.VAE.encode": [Call(VAE.encode, {"x": unlooked(X, *IN_BATCHES)})],
    "model.VAE.decode": [Call(VAE.decode, {"z": unlooked(EPS[0], *AS_MANY_ROWS)})],
    "model.LinearVAE.encode": [Call(LINEAR.encode, {"x": unlooked(X.double(), *IN_BATCHES)})],
    "model.LinearVAE.decode": [Call(LINEAR.decode, {"z": unlooked(EPS[0].double(), *AS_MANY_ROWS)})],
    "model.Encoder": [
        Call(
            model.Encoder,
            {"n_pixels": count(D), "n_hidden": count(3), "n_features": count(3), "layer": function(nn.Linear)},
        )
    ],
    "model.Decoder": [
        Call(
            model.Decoder,
            {
                "n_latents": count(K),
                "n_hidden": count(3),
                "n_pixels": count(D),
                "output": choice("relu"),
                "layer": function(nn.Linear),
            },
        )
    ],
    "model.VAE": [
        Call(
            model.VAE,
            {"encoder": kind(VAE.encoder), "decoder": kind(VAE.decoder), "layer": function(nn.Linear)},
        )
    ],
    "model.LinearVAE": [Call(model.LinearVAE, {"n_pixels": count(D), "n_latents": count(K)})],
    "model.StackedLinear": [
        Call(model.StackedLinear, {"n_models": count(M), "n_in": count(D), "n_out": count(K)}),
    ],
    "model.reference_vae": [
        Call(
            model.reference_vae,
            {
                "n_pixels": count(D),
                "n_latents": count(K),
                "n_hidden": count(3),
                "output": choice("relu"),
                "layer": function(nn.Linear),
            },
        )
    ],
    "model.standard_noise": [
        Call(
            model.standard_noise,
            {
                "like": unlooked(
                    rand(B, K), *[label for label in LONE if label != "one example"], "empty", "half precision"
                ),
                "generator": GENERATORS,
            },
        )
    ],
    "model.reparameterize": [alike(model.reparameterize, mu=rand(B, K), log_sigma=rand(B, K), eps=rand(B, K))],
    "objective.ElboTerms.weighted": [
        Call(objective.gaussian_elbo(OUTPUT, X, 0.5).weighted, {"beta": per_model(0.5, zero=True)}),
        Call(objective.gaussian_elbo(OF_STACK, X, 0.5).weighted, {"beta": per_model(OF_EACH, zero=True)}),
    ],
    "objective.alive": [Call(objective.alive, {"kl": tensor(rand(M, K), *LONE)})],
    "objective.gaussian_log_likelihood": [
        Call(
            objective.gaussian_log_likelihood,
            {"x": tensor(X), "x_hat": tensor(rand(B, D)), "noise_var": per_model(0.5)},
        ),
        Call(
            objective.gaussian_log_likelihood,
            {"x": tensor(rand(M, B, D)), "x_hat": tensor(rand(M, B, D)), "noise_var": per_model(OF_EACH[:, None])},
        ),
    ],
    "objective.bernoulli_log_likelihood": [
        Call(objective.bernoulli_log_likelihood, {"x": tensor(X), "logits": tensor(rand(B, D))})
    ],
    "objective.gaussian_elbo": [
        Call(objective.gaussian_elbo, {"output": output(OUTPUT), "x": IMAGES_OF, "noise_var": per_model(0.5)}),
        Call(
            objective.gaussian_elbo,
            {"output": output(OF_STACK), "x": IMAGES_OF, "noise_var": per_model(OF_EACH[:, None])},
        ),
    ],
    "objective.bernoulli_elbo": [
        Call(objective.bernoulli_elbo, {"output": output(OUTPUT), "x": IMAGES_OF}),
        Call(objective.bernoulli_elbo, {"output": output(OF_STACK), "x": IMAGES_OF}),
    ],
    "objective.linear_elbo": [
        Call(
            objective.linear_elbo,
            {"model": kind(LINEAR, vae=VAE), "x": tensor(X.double(), "a batch of one"), "noise_var": number(0.5)},
        )
    ],
    "objective.negative_elbo": [
        loss_call(objective.negative_elbo, OUTPUT, noise_var=per_model(0.5), beta=per_model(1.0, zero=True)),
        loss_call(objective.negative_elbo, OF_STACK, noise_var=per_model(0.5), beta=per_model(OF_EACH, zero=True)),
    ],
    "objective.best_noise_var": [
        Call(objective.best_noise_var, {"x": tensor(X), "x_hat": tensor(rand(B, D), "one dimension more")}),
        Call(
            objective.best_noise_var,
            {"x": tensor(X), "x_hat": tensor(rand(M, B, D), "one example", "a batch of one", called="x|x_hat")},
        ),
    ],
    "objective.floored_kl": [
        Call(objective.floored_kl, {"kl": tensor(rand(B, K), *LONE), "floor": per_model(0.1, zero=True)}),
        Call(
            objective.floored_kl,
            {"kl": tensor(rand(M, B, K), *LONE, called="kl|floor"), "floor": per_model(OF_EACH, zero=True)},
        ),
    ],
    "recipes.latent_loss": [
        Call(
            recipes.latent_loss,
            {
                "z_mean": tensor(rand(B, K)),
                "z_stddev": tensor(rand(B, K) + 0.1),
                "reduction": choice("mean"),
            },
        )
    ],
    "recipes.post_loss": [Call(recipes.post_loss, {"output": output(OUTPUT), "x": IMAGES_OF})],
    "recipes.ImpliedObjective.beta": [Call(recipes.ImpliedObjective(0.5).beta, {"noise_var": number(0.5)})],
    "recipes.ImpliedObjective.noise_var": [Call(recipes.ImpliedObjective(0.5).noise_var, {"beta": number(0.5)})],
    "recipes.implied_objective": [
        Call(
            recipes.implied_objective,
            {"recipe": RECIPES, "n_pixels": count(D), "n_latents": count(K), "batch_size": count(B, "None")},
        )
    ],
    "recipes.recipe_loss": [loss_call(recipes.recipe_loss, OUTPUT, recipe=RECIPES)],
    "bounds.elbo_of_posterior": [
        Call(
            bounds.elbo_of_posterior,
            {
                "model": MODEL,
                "x": tensor(X),
                "mu": tensor(rand(B, K)),
                "log_sigma": tensor(rand(B, K)),
                "eps": tensor(EPS, "a batch of one"),
                "noise_var": number(0.5),
            },
        )
    ],
    "bounds.improve_posterior": [
        Call(
            partial(bounds.improve_posterior, seed=0),
            {
                "model": MODEL,
                "x": tensor(X, "a batch of one"),
                "noise_var": number(0.5),
                "steps": count(1),
                "n_samples": count(1),
            },
        )
    ],
    "bounds.log_importance_weights": [
        Call(
            bounds.log_importance_weights,
            {
                "model": MODEL,
                "x": tensor(X, called="x|eps"),
                "eps": tensor(EPS, "a batch of one"),
                "log_likelihood": function(
                    partial(objective.gaussian_log_likelihood, noise_var=0.5),
                    one_number=lambda x, x_hat: x.sum(),
                    mean_over_draws=lambda x, x_hat: x.sum(-1).mean(0),
                    python_number=lambda x, x_hat: 0.5,
                ),
            },
        )
    ],
    "bounds.importance_bound": [
        Call(bounds.importance_bound, {"log_weights": tensor(rand(S, B), *LONE, "one example")})
    ],
    "training.History.elbo": [],
    "training.fit": [
        Call(
            partial(training.fit, progress=False),
            {
                "model": MODEL,
                "x": unlooked(X, "a batch of one", "NaN"),
                "loss": function(LOSS, empty=[], a_list_of_none=[None]),
                "epochs": count(1),
                "batch_size": count(2),
                "lr": number(1e-3),
                "seed": count(0, zero=True),
            },
        )
    ],
    "training.useful_threads": [Call(training.useful_threads, {"model": MODEL})],
    "training.shuffled": [
        Call(
            lambda x, batch_size, generator: list(training.shuffled(x, batch_size, generator)),
            {"x": unlooked(X, *LONE), "batch_size": count(2), "generator": A_GENERATOR},
        )
    ],
    "training.gradient_step": [
        Call(
            training.gradient_step,
            {
                "model": MODEL,
                "images": unlooked(X, "a batch of one", "one dimension more", called="x|images"),
                "loss": function(LOSS),
                "optimizer": kind(torch.optim.Adam(VAE.parameters(), lr=1e-6)),
                "generator": A_GENERATOR,
            },
        )
    ],
    "stacks.Sweep.model": [Call(SWEEP.model, {"index": count(1, zero=True, too_large=M)})],
    "stacks.sweep": [
        Call(
            partial(stacks.sweep, epochs=1, progress=False),
            {
                "x": unlooked(X, "the other dtype", "a batch of one", "one column", "short rows"),
                "betas": Argument(
                    [0.5, 1.0],
                    {
                        "None": None,
                        "text": "0.5",
                        "texts": ["0.5"],
                        "empty": [],
                        "negative": [-1.0],
                        "NaN": [math.nan],
                        "infinity": [math.inf],
                        "a number": 0.5,
                        "a table": [[0.5]],
                    },
                ),
                "noise_var": number(0.5, "integers"),
                "n_latents": count(K),
                "n_hidden": count(3),
                "seed": count(0, zero=True),
            },
        ),
        Call(
            partial(stacks.sweep, X, epochs=1, progress=False, n_latents=K, n_hidden=3),
            {
                "betas": Argument([0.5, 1.0], {"too few": [0.5], "too many": [0.5] * 3}, called="noise_var|seed"),
                "noise_var": Argument(
                    [0.5, 1.0], {"negative": [0.5, -1.0], "NaN": [math.nan, 1.0], "text": ["a", "b"]}
                ),
                "seed": Argument([0, 1], {"negative": [0, -1], "a float": [0, 0.5], "too few": [0], "text": "01"}),
            },
        ),
    ],
    "stacks.stack_models": [
        Call(
            stacks.stack_models,
            {
                "build": function(lambda layer: model.reference_vae(D, K, 3, layer=layer), nothing=lambda layer: None),
                "seeds": Argument(
                    [0, 1], {"None": None, "text": "01", "a number": 3, "empty": [], "floats": [0.5], "negative": [-1]}
                ),
            },
        )
    ],
    "settings.grid": [
        Call(
            settings.grid,
            {
                "beta": listed(number(0.5, zero=True)),
                "noise_var": listed(number(0.5)),
                "n_latents": listed(count(K)),
                "n_hidden": listed(count(3)),
                "seed": listed(count(0, zero=True)),
            },
        )
    ],
    "settings.check_settings": [Call(partial(settings.check_settings, dtype=torch.float32), {"settings": SETTINGS})],
    "settings.in_stacks": [],
    "sweeps.train_many": [
        Call(
            partial(sweeps.train_many, progress=False),
            {
                "x": unlooked(X, "the other dtype", "a batch of one", "one column", "short rows"),
                "settings": SETTINGS,
                "executor": Argument(None, {"text": "dask", "a number": 3, "a function": map}),
                "folder": Argument(None, {"a number": 3, "a list": ["folder"]}),
                "models_per_task": count(2)._replace(documented=frozenset({"None"})),
                "epochs": count(1),
                "batch_size": count(2),
                "lr": number(1e-3),
            },
        )
    ],
    "trained.Trained.model": [],
    "trained.about": [],
    "trained.to_bytes": [],
    "trained.from_bytes": [],
    "trained.Folder.read": [],
    "trained.Folder.write": [],
    "optimum.fit_to_optimum": [
        Call(
            partial(optimum.fit_to_optimum, max_rounds=1),
            {
                "model": kind(LINEAR, vae=VAE),
                "x": tensor(rand(4 * D, D, dtype=torch.float64), "a batch of one"),
                "noise_var": number(0.5),
                "beta": number(1.0),
            },
        ),
    ],
    "diffusion.even_levels": [
        Call(
            diffusion.even_levels,
            {
                "n_steps": count(T),
                "highest": number(5.0, "zero", "negative"),
                "lowest": number(-5.0, "negative", "zero"),
            },
        )
    ],
    "diffusion.cosine_levels": [Call(diffusion.cosine_levels, {"n_steps": count(T), "last": number(0.1)})],
    "diffusion.check_levels": [Call(diffusion.check_levels, {"abar": ANY_LEVELS})],
    "diffusion.log_snr": [Call(diffusion.log_snr, {"abar": ANY_LEVELS})],
    "diffusion.step_variances": [Call(diffusion.step_variances, {"abar": ANY_LEVELS})],
    "diffusion.check_noise_vars": [Call(diffusion.check_noise_vars, {"abar": LEVELS, "noise_vars": NOISE_VARS})],
    "diffusion.eps_weights": [Call(diffusion.eps_weights, {"abar": LEVELS, "noise_vars": NOISE_VARS})],
    "diffusion.noised": [
        Call(
            diffusion.noised,
            {"x": tensor(X, called=X_OR_EPS), "eps": tensor(X), "abar": ANY_LEVELS, "t": up_to(T)},
        )
    ],
    "diffusion.posterior": [
        Call(
            diffusion.posterior,
            {"z": tensor(X), "x": tensor(X), "abar": ANY_LEVELS, "t": up_to(T)},
        )
    ],
    "diffusion.prior_kl": [Call(diffusion.prior_kl, {"x": tensor(X, *LONE), "abar": ANY_LEVELS})],
    "denoising.diffusion_elbo": [
        Call(
            denoising.diffusion_elbo,
            {
                "denoise": GUESS,
                "x": tensor(X, called=X_OR_EPS),
                "eps": tensor(rand(T, B, D), called=X_OR_EPS),
                "abar": LEVELS,
                "noise_vars": NOISE_VARS,
            },
        )
    ],
    "denoising.best_noise_vars": [
        Call(
            denoising.best_noise_vars,
            {
                "denoise": GUESS,
                "x": tensor(X, called=X_OR_EPS),
                "eps": tensor(rand(T, B, D), called=X_OR_EPS),
                "abar": LEVELS,
            },
        )
    ],
    "denoising.sample": [
        Call(
            denoising.sample,
            {
                "denoise": GUESS,
                "eps": tensor(rand(T + 1, B, D), *LONE[:1], *LONE[4:], called=X_OR_EPS),
                "abar": LEVELS,
                "noise_vars": NOISE_VARS,
            },
        )
    ],
    "reverse.marginal_variances": [
        Call(reverse.marginal_variances, {"eigenvalues": VARIANCES, "abar": OF_LEVELS}),
    ],
    "reverse.true_variances": [Call(reverse.true_variances, {"eigenvalues": VARIANCES, "abar": OF_LEVELS})],
    "reverse.shared_variances": [
        Call(reverse.shared_variances, {"eigenvalues": VARIANCES, "abar": OF_LEVELS, "choice": choice("beta_tilde")})
    ],
    "reverse.gap_per_step": [
        Call(
            reverse.gap_per_step,
            {
                "eigenvalues": VARIANCES,
                "abar": OF_LEVELS._replace(called="abar|noise_vars"),
                "noise_vars": array(np.full((T, 1), 0.5), zero=np.zeros((T, 1)), a_row=np.full(T, 0.5)),
            },
        )
    ],
    "reverse.prior_gap": [Call(reverse.prior_gap, {"eigenvalues": VARIANCES, "abar": OF_LEVELS})],
    "reverse.gap": [Call(reverse.gap, {"eigenvalues": VARIANCES, "abar": OF_LEVELS, "choice": choice("best")})],
}


def public(room: ModuleType) -> Iterator[str]:
    """The functions of a module, the methods of its classes, and the classes of models."""
    for name, value in vars(room).items():
        if name.startswith("_") or getattr(value, "__module__", None) != room.__name__:
            continue
        if inspect.isfunction(value):
            yield name
        if inspect.isclass(value):
            if issubclass(value, nn.Module) and "__init__" in vars(value):
                yield name
            methods = (n for n, m in vars(value).items() if inspect.isfunction(m) and not n.startswith("_"))
            yield from (f"{name}.{method}" for method in methods)


def hostile_calls(name: str) -> Iterator[tuple[str, str]]:
    """For each bad argument: what was done, and how the call ended."""
    for number, call in enumerate(CALLS[name]):
        good = {key: argument.good for key, argument in call.arguments.items()}
        call.function(**good)
        for key, argument in call.arguments.items():
            for label, bad in argument.bad.items():
                yield f"{name} #{number}, {key} = {label}", outcome(call, good | {key: bad}, key, label)


def outcome(call: Call, arguments: dict[str, object], key: str, label: str) -> str:
    """ "named", "documented", or what is wrong with the way it ended."""
    argument = call.arguments[key]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            result = call.function(**arguments)
    except (TypeError, ValueError) as error:
        message = str(error)
        starts = re.match(rf"(what )?({'|'.join([*arguments, *PARTS])}|{argument.called or key})\b", message)
        names = re.search(rf"\b({argument.called or key})\b", message)
        return "named" if starts and names else f"obscure: {type(error).__name__}: {message}"
    except Exception as error:
        return f"undocumented: {type(error).__name__}: {error}"
    if label not in argument.documented:
        return f"silent: {result}"
    return "NaN" if label in EXTREME and has_nan(result) else "documented"


def has_nan(result: object) -> bool:
    if isinstance(result, dict):
        result = tuple(result.values())
    if isinstance(result, nn.Module):
        return False
    if isinstance(result, tuple):
        return any(map(has_nan, result))
    return bool(torch.as_tensor(result).isnan().any())


@pytest.mark.parametrize("name", CALLS)
def test_a_bad_argument_is_named(name):
    wrong = [f"{what}: {end}" for what, end in hostile_calls(name) if end not in ("named", "documented")]
    assert not wrong, "\n".join(wrong)


def test_every_public_function_is_called():
    missing = [f"{room.__name__.removeprefix('vae_lessons.')}.{name}" for room in ROOMS for name in public(room)]
    assert not [name for name in missing if name not in CALLS]


def main() -> None:
    """Print how many calls end how, for each room."""
    ends: dict[str, Counter[str]] = {}
    for name in CALLS:
        counts = ends.setdefault(name.split(".")[0], Counter())
        counts.update(end.split(":")[0] for _, end in hostile_calls(name))
    for room, counts in ends.items():
        print(f"{room:<12}", ", ".join(f"{number} {end}" for end, number in counts.most_common()))
    total = sum(ends.values(), Counter())
    print(f"{'all':<12}", ", ".join(f"{number} {end}" for end, number in total.most_common()))


if __name__ == "__main__":
    main()
