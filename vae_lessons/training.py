"""Train one model, or a stack of them, on minibatches (notebook 05)."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import NamedTuple

import psutil
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from vae_lessons.checks import (
    check_callable,
    check_count,
    check_generators,
    check_input,
    check_number,
    check_tensor,
    check_type,
    entries_known,
)
from vae_lessons.model import Generators, LatentGaussian, Output, StackedLinear
from vae_lessons.objective import ElboTerms, Loss
from vae_lessons.torch_state import interrupts_between_steps, threads

FUSED = ("cpu", "cuda")  # devices where every supported torch has Adam in one pass over the weights
LARGE = 200_000  # weights in one matrix, from which on threads pay for a single model
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


class Diverged(FloatingPointError):
    """The loss of a model left the finite numbers.

    Attributes:
        history: the `History` of the epochs that were finished before.
    """

    def __init__(self, message: str, history: History):
        super().__init__(message)
        self.history = history


def fit(
    model: LatentGaussian,
    x: Tensor,
    loss: Loss | Sequence[Loss],
    *,
    epochs: int = 40,
    batch_size: int = 64,
    lr: float = 1e-3,
    seed: int | Sequence[int] = 0,
    progress: bool = True,
) -> History:
    """Train with Adam on shuffled minibatches; stop at once, and keep what was learned, on Ctrl-C.

    Args:
        model: one model, or a stack: then `loss` gives one number each and their sum is minimised,
            which trains every model as if it were alone, since none shares a weight with another.
        x: (N, D), on the model's device.
        loss: for example ``negative_elbo(noise_var=0.5, beta=1.0)``; or a list of losses, one for
            each epoch, of which the last serves the epochs that remain (notebook 08).
        seed: of the shuffling and of the noise eps, the same on every device; torch's global generator is left alone.
            The models of a stack share both; or each has its own, with a list of M seeds.
        progress: show a progress bar.

    Returns:
        The means of each finished epoch. A model of a stack that diverges leaves the others alone: from that epoch
        on its columns are NaN, and so are its weights.

    Raises:
        TypeError, ValueError: x not (N, D) floating point and finite, counts below 1, or lr ≤ 0.
        Diverged: a `FloatingPointError`; the loss of the model, or of every model, became NaN or infinite.

    Warns:
        RuntimeWarning: some models of a stack diverged, and which.
    """
    check_type("model", model, LatentGaussian)
    check_input("x", x, model, model.n_pixels)
    check_count("epochs", epochs)
    check_count("batch_size", batch_size)
    check_number("lr", lr, above=0)
    losses = [loss] if callable(loss) else loss
    check_type("loss", losses, Sequence)
    if not losses:
        raise ValueError("loss must be a loss or a list of at least one, got an empty list")
    for each in losses:
        check_callable("loss", each)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, fused=x.device.type in FUSED)
    records: list[Record] = []
    interrupted = False
    with interrupts_between_steps() as check_interrupt:
        generator = _generators(model, seed)
        try:
            with threads(useful_threads(model)):
                for epoch in tqdm(range(epochs), desc=f"{epochs} epochs", bar_format=BAR, disable=not progress):
                    now = losses[min(epoch, len(losses) - 1)]
                    # The first epoch looks at every image; the later ones see the same images.
                    with entries_known() if epoch else nullcontext():
                        records.append(_epoch(model, x, now, optimizer, batch_size, generator, check_interrupt))
        except KeyboardInterrupt:
            interrupted = True
        except FloatingPointError as error:
            told = f"{error} in epoch {epoch + 1}, {_likely_cause(optimizer)}, now {lr:g}"
            raise Diverged(told, _history(records, False)) from None
        history = _history(records, interrupted)
    _warn_of_diverged(history, lr)
    return history


def _generators(model: LatentGaussian, seed: int | Sequence[int]) -> Generators:
    """One generator, or one for each model of a stack; on the CPU, so that every device sees the same batches and eps."""
    if not isinstance(seed, Sequence):
        check_count("seed", seed, at_least=0)
        return torch.Generator().manual_seed(seed)
    if len(seed) != _n_stacked(model):
        raise ValueError(f"seed must be one, or a list of one for each of {_n_stacked(model)} models, got {seed!r}")
    for each in seed:
        check_count("seed", each, at_least=0)
    return [torch.Generator().manual_seed(each) for each in seed]


def _n_stacked(model: nn.Module) -> int:
    """M of a stack, 0 of a single model."""
    return next((len(module.weight) for module in model.modules() if isinstance(module, StackedLinear)), 0)


def _likely_cause(optimizer: torch.optim.Optimizer) -> str:
    """At which step a training diverged, and why, by whether it took a step before."""
    taken = max((int(state["step"]) for state in optimizer.state.values()), default=0)
    if taken == 0:
        return "step 1: check the model's first weights, the images and noise_var before lr"
    return f"step {taken + 1}: the steps are too large, so try a smaller lr"


def _warn_of_diverged(history: History, lr: float) -> None:
    """Say which models of a stack diverged, and when."""
    bad = history.loss.isnan()
    if bad.any():
        began = ", ".join(f"{m} (epoch {int(bad[:, m].int().argmax()) + 1})" for m in bad.any(0).nonzero().flatten())
        text = f"of the {bad.shape[1]} models these diverged: number {began}, at lr = {lr:g}; try a smaller lr"
        warnings.warn(text, RuntimeWarning, stacklevel=3)


def useful_threads(model: LatentGaussian) -> int:
    """How many threads pay: one for a small model; all for a stack or a large one, on a machine with nothing else to do.

    A small model's matrices are such that threads mostly wait for each other; and where another
    program wants the same cores they wait for long: 80 s were measured for a sweep of 10 s.
    This process sleeps while it looks, so that it does not count its own load.

    Raises:
        TypeError: no `LatentGaussian`.
    """
    check_type("model", model, LatentGaussian)
    largest = max(weight.numel() for weight in model.parameters())
    if torch.get_num_threads() == 1 or not (_n_stacked(model) or largest >= LARGE):
        return 1
    busy_cores = psutil.cpu_percent(interval=0.1) / 100 * psutil.cpu_count()
    return torch.get_num_threads() if busy_cores < 0.5 else 1


# Of one epoch: the means over its examples of the loss, the log likelihood and the KL.
Record = tuple[Tensor, Tensor, Tensor]


def _epoch(
    model: LatentGaussian,
    x: Tensor,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    batch_size: int,
    generator: Generators,
    check_interrupt: Callable[[], None],
) -> Record:
    """One pass over x."""
    sizes, steps = [], []
    for images in shuffled(x, batch_size, generator):
        check_interrupt()
        value, terms = _step(model, images, loss, optimizer, generator)
        sizes.append(images.shape[-2])
        steps.append((value, terms.log_likelihood.mean(-1), terms.kl.mean(-2)))
    shares = torch.tensor(sizes, dtype=x.dtype, device=x.device) / len(x)
    value, log_likelihood, kl = (torch.tensordot(shares, torch.stack(means), 1) for means in zip(*steps))
    return value, log_likelihood, kl


def shuffled(x: Tensor, batch_size: int, generator: Generators) -> Iterator[Tensor]:
    """The examples of x, (N, D), in minibatches (B, D), each example once, in a fresh order.

    M generators give M orders, and minibatches (M, B, D): other images for each model of a stack.

    Raises:
        TypeError, ValueError: x no floating-point tensor, empty, NaN or infinite; batch_size below 1; no generator.
    """
    check_tensor("x", x, "(N, ...)")
    check_count("batch_size", batch_size)
    check_generators(generator)
    if isinstance(generator, Sequence):
        order = torch.stack([torch.randperm(len(x), generator=one, device=one.device) for one in generator])
    else:
        order = torch.randperm(len(x), generator=generator, device=generator.device)
    for batch in order.to(x.device).split(batch_size, dim=-1):
        yield x[batch]


def gradient_step(
    model: LatentGaussian, images: Tensor, loss: Loss, optimizer: torch.optim.Optimizer, generator: torch.Generator
) -> tuple[Tensor, ElboTerms]:
    """One step of the optimizer; the loss and its terms before it, without their gradients.

    A model of a stack that diverges gets NaN for its loss, its terms and its weights: it shares no weight with
    the others, which go on as if it were not there.

    Args:
        images: (B, D).

    Returns:
        The loss, () or (M,), and its terms in nats, (B,) and (B, K), or with M in front.

    Raises:
        TypeError, ValueError: one of the arguments is of another kind; images of another shape or dtype.
        FloatingPointError: the loss of the model, or of every model of a stack, became NaN or infinite.
    """
    check_type("model", model, LatentGaussian)
    check_callable("loss", loss)
    check_type("optimizer", optimizer, torch.optim.Optimizer)
    check_type("generator", generator, torch.Generator)
    return _step(model, images, loss, optimizer, generator)


def _step(
    model: LatentGaussian, images: Tensor, loss: Loss, optimizer: torch.optim.Optimizer, generator: Generators
) -> tuple[Tensor, ElboTerms]:
    """`gradient_step`, once its arguments are known to be good."""
    output = model(images, generator=generator)
    value, terms, lost = _loss_of_each(loss, output, images)
    optimizer.zero_grad()
    value.sum().backward()
    if lost is None:
        optimizer.step()
        return value.detach(), ElboTerms(terms.log_likelihood.detach(), terms.kl.detach())
    _spoil(model, lost)
    optimizer.step()
    return _nan_where(lost, value), ElboTerms(_nan_where(lost, terms.log_likelihood), _nan_where(lost, terms.kl))


def _loss_of_each(loss: Loss, output: Output, images: Tensor) -> tuple[Tensor, ElboTerms, Tensor | None]:
    """The loss, its terms, and which models have none that is finite: bool (M,), or None where all have one."""
    lost = None
    try:
        value, terms = loss(output, images)
    except (ValueError, FloatingPointError):  # a loss may refuse NaN, and would refuse it for all models
        lost = _overflows(output)
        if not lost.any():
            raise
        if lost.all():
            raise FloatingPointError("the model's output became NaN or infinite") from None
        value, terms = loss(_without(output, lost), images)
    finite = torch.isfinite(value.detach())
    if lost is None and finite.all():
        return value, terms, None
    lost = ~finite if lost is None else lost | ~finite
    if lost.all():
        raise FloatingPointError(f"the loss became {value.detach().flatten()[0].item()}")
    return value, terms, lost


def _overflows(output: Output) -> Tensor:
    """Whether a loss could not compute with this pass: bool (), or (M,) for a stack."""
    with torch.no_grad():
        largest_sigma = torch.exp(output.log_sigma.amax((-2, -1)))
        spread = torch.linalg.vector_norm(output.mu, dim=(-2, -1)) + largest_sigma
        return ~torch.isfinite((torch.linalg.vector_norm(output.x_hat, dim=(-2, -1)) + spread) ** 2)


def _without(output: Output, lost: Tensor) -> Output:
    """The pass with zeros for the models that are lost, so that the others' losses can be computed."""
    return Output(*(torch.where(lost[:, None, None], 0.0, values) for values in output))


def _spoil(model: LatentGaussian, lost: Tensor) -> None:
    """NaN for every gradient of the models that are lost: once diverged, they stay so."""
    for weight in model.parameters():
        if weight.grad is not None:
            weight.grad[lost] = torch.nan


def _nan_where(lost: Tensor, values: Tensor) -> Tensor:
    """Values (M, ...) without their gradient, and NaN in the rows of the models that are lost."""
    return values.detach().masked_fill(lost.view(lost.shape + (1,) * (values.ndim - lost.ndim)), torch.nan)


def _history(records: list[Record], interrupted: bool) -> History:
    if not records:
        empty = torch.empty(0)
        return History(empty, empty, torch.empty(0, 0), interrupted)
    loss, log_likelihood, kl = (torch.stack(column) for column in zip(*records))
    return History(loss, log_likelihood, kl, interrupted)
