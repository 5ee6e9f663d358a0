"""Fit one model, many at once, or the linear one to its optimum (notebooks 05 and 07)."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from vae_lessons.checks import check_count, check_not_negative, check_positive, check_tensor
from vae_lessons.model import LatentGaussian, Layer, LinearVAE, StackedLinear, reference_vae
from vae_lessons.objective import ElboTerms, Loss, elbo_of_posterior, linear_elbo, negative_elbo
from vae_lessons.spectrum import data_spectrum, moment_points

BAR = "{desc} {bar} {elapsed} < {remaining}"


class History(NamedTuple):
    """Means over the examples of each finished epoch, taken while the weights moved.

    Attributes:
        loss: (E,), or (E, M) for a stack of M models.
        log_likelihood: the same shape, nats per example.
        kl: one dimension more, (E, K) or (E, M, K): nats per example and latent.
        interrupted: whether Ctrl-C (or the kernel's stop button) ended the training early.
    """

    loss: Tensor
    log_likelihood: Tensor
    kl: Tensor
    interrupted: bool = False

    @property
    def elbo(self) -> Tensor:
        """(E,) or (E, M), nats per example."""
        return self.log_likelihood - self.kl.sum(-1)


class Sweep(NamedTuple):
    """M trained models, one for each β.

    Attributes:
        betas: (M,).
        stack: all of them as one module; its tensors have M in front.
        history: see `History`.
        build: makes an untrained model of this architecture from a layer class.
    """

    betas: Tensor
    stack: LatentGaussian
    history: History
    build: Callable[[Layer], LatentGaussian]

    def model(self, index: int) -> LatentGaussian:
        """A copy of model number `index` as an ordinary module, built with `torch.nn.Linear`."""
        model = self.build(nn.Linear)
        model.load_state_dict({name: value[index] for name, value in self.stack.state_dict().items()})
        return model


def fit(
    model: LatentGaussian,
    x: Tensor,
    loss: Loss | Sequence[Loss],
    *,
    epochs: int = 40,
    batch_size: int = 64,
    lr: float = 1e-3,
    seed: int = 0,
    progress: bool = True,
) -> History:
    """Train with Adam on shuffled minibatches; stop at once, and keep what was learned, on Ctrl-C.

    Args:
        model: one model, or a stack: then `loss` gives one number each and their sum is minimised,
            which trains every model as if it were alone, since none shares a weight with another.
        x: (N, D), on the model's device.
        loss: for example ``negative_elbo(noise_var=0.5, beta=1.0)``; or a list of losses, one for
            each epoch, of which the last serves the epochs that remain (notebook 08).
        seed: of the shuffling and of the noise eps; torch's global generator is left alone.
        progress: show a progress bar.

    Raises:
        TypeError, ValueError: x not (N, D) floating point and finite, or counts below 1.
        FloatingPointError: the loss became NaN or infinite.
    """
    check_tensor("x", x, ndim=2)
    check_count("epochs", epochs)
    check_count("batch_size", batch_size)
    check_positive("lr", lr)
    losses = [loss] if callable(loss) else list(loss)
    if not losses:
        raise ValueError("loss must be a loss or a list of at least one, got an empty list")
    generator = torch.Generator(x.device).manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, fused=True)
    records, interrupted = [], False
    try:
        with threads(useful_threads(model)):
            for epoch in tqdm(range(epochs), desc=f"{epochs} epochs", bar_format=BAR, disable=not progress):
                now = losses[min(epoch, len(losses) - 1)]
                records.append(_epoch(model, x, now, optimizer, batch_size, generator))
    except KeyboardInterrupt:
        interrupted = True
    return _history(records, interrupted)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw from torch's global generator as from a fresh one, then give it back as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Let torch use n CPU threads, then give back as many as it had."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def useful_threads(model: LatentGaussian) -> int:
    """How many threads pay: one for a single model, all for a stack on a machine with nothing else to do.

    One model's matrices are so small that threads mostly wait for each other; and where another
    program wants the same cores they wait for long: 80 s were measured for a sweep of 10 s.
    """
    is_stack = any(isinstance(module, StackedLinear) for module in model.modules())
    is_idle = hasattr(os, "getloadavg") and os.getloadavg()[0] + 0.5 < (os.cpu_count() or 1)
    return torch.get_num_threads() if is_stack and is_idle else 1


def _epoch(
    model: LatentGaussian,
    x: Tensor,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    batch_size: int,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor, Tensor]:
    """One pass over x: the means over its examples of the loss, the log likelihood and the KL."""
    totals = None
    for images in shuffled(x, batch_size, generator):
        value, terms = gradient_step(model, images, loss, optimizer, generator)
        means = (value, terms.log_likelihood.mean(-1), terms.kl.mean(-2))
        weighted = [mean * (len(images) / len(x)) for mean in means]
        totals = weighted if totals is None else [a + b for a, b in zip(totals, weighted)]
    return tuple(totals)


def shuffled(x: Tensor, batch_size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """The examples of x (N, D) in minibatches, each example once, in a fresh order."""
    for batch in torch.randperm(len(x), generator=generator, device=x.device).split(batch_size):
        yield x[batch]


def gradient_step(
    model: LatentGaussian, images: Tensor, loss: Loss, optimizer: torch.optim.Optimizer, generator: torch.Generator
) -> tuple[Tensor, ElboTerms]:
    """One step of the optimizer; the loss and its terms before it, without their gradients.

    Raises:
        FloatingPointError: the loss became NaN or infinite.
    """
    value, terms = loss(model(images, generator=generator), images)
    if not torch.isfinite(value).all():
        raise FloatingPointError(f"the loss became {value.tolist()}: try a smaller lr")
    optimizer.zero_grad()
    value.sum().backward()
    optimizer.step()
    return value.detach(), ElboTerms(terms.log_likelihood.detach(), terms.kl.detach())


def _history(records: list[tuple[Tensor, Tensor, Tensor]], interrupted: bool) -> History:
    if not records:
        empty = torch.empty(0)
        return History(empty, empty, torch.empty(0, 0), interrupted)
    return History(*(torch.stack(column) for column in zip(*records)), interrupted)


def improve_posterior(
    model: LatentGaussian, x: Tensor, noise_var: float, steps: int = 300, n_samples: int = 8, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Gradient ascent on the ELBO of each image alone, decoder frozen, from the encoder's q(z|x) (notebook 03).

    Returns:
        mu, log_sigma, each (B, K): the best Gaussian found for each image.
    """
    check_count("steps", steps)
    with torch.no_grad():
        start = model.encode(x)
    mu, log_sigma = (t.detach().clone().requires_grad_() for t in start)
    generator = torch.Generator(x.device).manual_seed(seed)
    optimizer = torch.optim.Adam([mu, log_sigma], lr=0.02)
    with threads(1):
        for _ in range(steps):
            eps = torch.randn(n_samples, *mu.shape, generator=generator, dtype=x.dtype, device=x.device)
            loss = -elbo_of_posterior(model, x, mu, log_sigma, eps, noise_var).sum()
            mu.grad, log_sigma.grad = torch.autograd.grad(loss, [mu, log_sigma])
            optimizer.step()
    return mu.detach(), log_sigma.detach()


def fit_to_optimum(model: LinearVAE, x: Tensor, noise_var: float, beta: float = 1.0, max_iter: int = 2000) -> float:
    """Train a linear VAE to its optimum by L-BFGS, without sampling and without minibatches.

    Its objective is quadratic in x, so it depends on the data through mean and covariance alone:
    training on `moment_points` (2D rows) is training on x (N rows), several times faster.

    Args:
        model: in float64.
        x: (N, D), float64: in float32 rounding would hide the last digits.

    Returns:
        The mean of log p(x|z) − beta·KL over x, in nats per example: within 1e-6 of
        `spectrum.optimal_elbo`.

    Raises:
        TypeError, ValueError: x not (N, D) and finite, not float64, noise_var ≤ 0, beta < 0.
    """
    check_tensor("x", x, ndim=2)
    if x.dtype != torch.float64:
        raise TypeError(f"x must be torch.float64, got {x.dtype}")
    points = torch.from_numpy(moment_points(data_spectrum(x.numpy())))
    optimizer = torch.optim.LBFGS(
        model.parameters(),
        max_iter=max_iter,
        max_eval=2 * max_iter,
        history_size=20,
        tolerance_grad=1e-9,
        tolerance_change=1e-13,
        line_search_fn="strong_wolfe",
    )

    def step() -> Tensor:
        optimizer.zero_grad()
        loss = -linear_elbo(model, points, noise_var).weighted(beta).mean()
        loss.backward()
        return loss

    with threads(1):
        optimizer.step(step)
    with torch.no_grad():
        return linear_elbo(model, x, noise_var).weighted(beta).mean().item()


def sweep(
    x: Tensor,
    betas: Sequence[float],
    *,
    noise_var: float = 0.5,
    n_latents: int = 8,
    n_hidden: int = 100,
    seed: int = 0,
    **options,
) -> Sweep:
    """Train the reference VAE at every β at once: batched matrix products, not a loop over models.

    All models start from the same weights and see the same batches and the same noise, so each
    ends where `fit` would have taken it alone with the same seed.

    Args:
        x: (N, D).
        betas: M KL weights, each ≥ 0.
        options: `epochs`, `batch_size`, `lr` and `progress` of `fit`.

    Raises:
        TypeError, ValueError: see `fit`; or betas empty, negative or not finite.
    """
    check_tensor("x", x, ndim=2)
    betas = torch.as_tensor(betas, dtype=x.dtype, device=x.device)
    check_tensor("betas", betas, ndim=1)
    check_not_negative("betas", betas)

    def build(layer: Layer) -> LatentGaussian:
        return reference_vae(x.shape[1], n_latents, n_hidden, layer=layer).to(x.device, x.dtype)

    stack = stack_models(build, [seed] * len(betas))
    history = fit(stack, x, negative_elbo(noise_var, betas), seed=seed, **options)
    return Sweep(betas, stack, history, build)


def stack_models(build: Callable[[Layer], LatentGaussian], seeds: Sequence[int]) -> LatentGaussian:
    """One freshly drawn model for each seed, as one module of `StackedLinear` layers (notebook 08).

    Models with the same seed start from the same weights.

    Raises:
        ValueError: no seeds.
    """
    check_count("number of seeds", len(seeds))
    weights = []
    for seed in seeds:
        with seeded(seed):
            weights.append(build(nn.Linear).state_dict())
    stack = build(partial(StackedLinear, len(seeds)))
    stack.load_state_dict({name: torch.stack([w[name] for w in weights]) for name in weights[0]})
    return stack
