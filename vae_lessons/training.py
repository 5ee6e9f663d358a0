"""Train one model, or a stack of them, on minibatches (notebook 05)."""

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm.auto import tqdm

from vae_lessons.checks import check_count, check_positive, check_tensor
from vae_lessons.model import LatentGaussian, StackedLinear
from vae_lessons.objective import ElboTerms, Loss
from vae_lessons.torch_state import threads

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
    check_tensor("x", x, "(N, D)")
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
