"""Many models from one call, here or on a cluster: β, σ_x², sizes and seeds (notebook 07 has one sweep of these).

Models of the same sizes are trained as a stack, see `vae_lessons.stacks`; each stack is a task. A task is a function of
plain data that returns bytes, so it may run here, in another process, or on another machine: the result is the same,
and a folder keeps the same bytes.
"""

import warnings
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import CancelledError, Executor, Future, as_completed
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm.auto import tqdm

from vae_lessons.checks import check_count, check_number, check_tensor, check_type
from vae_lessons.settings import Setting, check_settings, in_stacks
from vae_lessons.stacks import Sweep, sweep
from vae_lessons.torch_state import threads
from vae_lessons.trained import About, Folder, Trained, about, from_bytes, to_bytes
from vae_lessons.training import Diverged, History

Data = Tensor | Callable[[], Tensor]
Options = dict[str, Any]  # of `fit`
Task = list[Setting]  # models of the same sizes
Outcome = bytes | BaseException  # the result of a task, or what was raised in its place
Outcomes = Generator[tuple[Task, Outcome], None, None]


def train_many(
    x: Data,
    settings: Sequence[Setting],
    *,
    executor: Executor | None = None,
    folder: str | Path | None = None,
    models_per_task: int | None = None,
    progress: bool = True,
    epochs: int = 40,
    batch_size: int = 64,
    lr: float = 1e-3,
) -> list[Trained]:
    """Train the reference VAE at every setting; each becomes what `fit` makes of it alone, to rounding.

    Alone means ``torch.manual_seed(seed)``, `reference_vae`, and ``fit(..., negative_elbo(noise_var, beta), seed=seed)``.

    Args:
        x: (N, D); or a module's function that returns it, which an executor's processes call once each. A tensor is
            sent to them with every task.
        settings: for example from `grid`.
        executor: runs the tasks: `ProcessPoolExecutor`, ``dask.distributed.Client(...).get_executor()``, or any other.
            Each task takes one thread of a processor. Without it they run here, one after another.
        folder: keeps what is finished, a file for each task. A call with the same folder, data and options trains only
            what is missing there, also after a kill; the settings may be more, or others, than before.
        models_per_task: the largest stack; 24 if not given, or 12 with an executor, so that 21 models keep two workers
            busy. A model costs less in a larger stack, up to about 20.

    Returns:
        One `Trained` for each setting, in their order; those that failed have an `error`, and no model. Call again with
        their settings, or with the same folder: what was lost with its worker is trained then, what diverged is not.

    Raises:
        TypeError, ValueError: see `fit`; or settings that no model can have; or a folder of other data or options.
        OSError: nothing can be written into the folder, from the start.

    Warns:
        RuntimeWarning: some models have an error; or something could not be kept in the folder, say since the disk is
            full. It is in what is returned all the same.
    """
    data = x() if callable(x) else x
    check_tensor("x", data, "(N, D)")
    settings = check_settings(settings, data.dtype)
    options = _options(epochs, batch_size, lr)
    if executor is not None:
        check_type("executor", executor, Executor)
    if models_per_task is None:
        models_per_task = 24 if executor is None else 12
    check_count("models_per_task", models_per_task)

    of, kept = about(data, options), Folder(folder)
    done = {one.setting: one for one in kept.read(of)}
    missing = in_stacks([setting for setting in settings if setting not in done], models_per_task)
    alone = progress and executor is None and len(missing) == 1  # then its epochs say more than 0 of 1
    outcomes = _here(data, missing, options, alone) if executor is None else _away(executor, x, missing, options)
    with closing(outcomes), tqdm(total=len(settings), unit="model", disable=alone or not progress) as bar:
        bar.update(len(settings) - sum(map(len, missing)))
        for task, outcome in outcomes:
            done |= {one.setting: one for one in _received(task, outcome, of, kept)}
            bar.update(len(task))
    return _reported([done[setting] for setting in settings])


def _options(epochs: int, batch_size: int, lr: float) -> Options:
    """What `fit` needs to know, in Python's own numbers."""
    check_count("epochs", epochs)
    check_count("batch_size", batch_size)
    return {"epochs": int(epochs), "batch_size": int(batch_size), "lr": check_number("lr", lr, above=0)}


def _received(task: Task, outcome: Outcome, of: About, kept: Folder) -> list[Trained]:
    """The models of a task, kept; or for each the reason why there is none."""
    if isinstance(outcome, bytes):
        try:
            models = from_bytes(outcome, of)
        except ValueError as error:  # a worker with other data
            outcome = error
    if isinstance(outcome, BaseException):
        interrupted = isinstance(outcome, KeyboardInterrupt)
        reason = "interrupted" if interrupted else f"{type(outcome).__name__}: {outcome}"
        return [Trained(setting, error=f"not trained, {reason}") for setting in task]
    try:
        kept.write(outcome)
    except OSError as error:
        text = f"{len(task)} models are not kept in {kept.path}, only returned: {error.strerror}"
        warnings.warn(text, RuntimeWarning, stacklevel=3)
    return models


def _reported(models: list[Trained]) -> list[Trained]:
    """The same, once the reader was told what failed."""
    failed = [one for one in models if one.error]
    if failed:
        first = f"{failed[0].setting}: {failed[0].error}"
        text = f"{len(failed)} of {len(models)} models have an error, the first is {first}"
        warnings.warn(text, RuntimeWarning, stacklevel=3)
    return models


# -- where the tasks run: each comes back with its outcome, in whatever order they end -------------------------------


def _here(x: Tensor, tasks: list[Task], options: Options, progress: bool) -> Outcomes:
    """One after another; Ctrl-C is the outcome of the task it came in, and of the rest."""
    stopped: KeyboardInterrupt | None = None
    for task in tasks:
        outcome: Outcome
        try:
            outcome = stopped or _train(x, task, options, progress)
        except KeyboardInterrupt as interrupt:
            outcome = stopped = interrupt
        except Exception as error:
            outcome = error
        yield task, outcome


def _away(executor: Executor, x: Data, tasks: list[Task], options: Options) -> Outcomes:
    """In other processes; Ctrl-C ends the waiting, and is the outcome of the rest."""
    # Sent as an array: torch passes its own tensors through files that end with the process that made them.
    sent = x if callable(x) else x.cpu().numpy()
    waiting: dict[Future[bytes], Task] = {}
    try:
        for task in tasks:
            waiting[_submitted(executor, sent, task, options)] = task
        for future in as_completed(list(waiting)):
            yield waiting.pop(future), _outcome(future)
    except KeyboardInterrupt as interrupt:
        for task in waiting.values():
            yield task, interrupt
    finally:
        for future in waiting:
            future.cancel()


def _submitted(executor: Executor, x: Any, task: Task, options: Options) -> Future[bytes]:
    try:
        return executor.submit(_train_in_worker, x, task, options)
    except RuntimeError as error:  # a pool that lost a process takes no more
        refused: Future[bytes] = Future()
        refused.set_exception(error)
        return refused


def _outcome(future: Future[bytes]) -> Outcome:
    return CancelledError("cancelled") if future.cancelled() else future.exception() or future.result()


# -- one task --------------------------------------------------------------------------------------------------------


def _train_in_worker(x: NDArray[Any] | Callable[[], Tensor], task: Task, options: Options) -> bytes:
    """`_train` with one thread, since the other processes have the other cores."""
    with threads(1):
        return _train(_loaded(x) if callable(x) else torch.from_numpy(x), task, options)


@lru_cache(maxsize=1)
def _loaded(x: Callable[[], Tensor]) -> Tensor:
    """The data of a function, called once in each process."""
    return x()


def _train(x: Tensor, task: Task, options: Options, progress: bool = False) -> bytes:
    """Train one stack; with a bar of its epochs, if asked for.

    Raises:
        KeyboardInterrupt: Ctrl-C came before the end.
    """
    betas, noise_vars, n_latents, n_hidden, seeds = zip(*task)
    sizes = {"n_latents": n_latents[0], "n_hidden": n_hidden[0]}
    stack: Sweep | None = None
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".* these diverged", RuntimeWarning)  # each one's `error` says so
            stack = sweep(x, betas, noise_var=noise_vars, seed=seeds, progress=progress, **sizes, **options)
        history = stack.history
    except Diverged as error:  # all of them
        history = error.history
    if history.interrupted:
        raise KeyboardInterrupt
    return to_bytes(about(x, options), [_alone(stack, history, m, setting, options) for m, setting in enumerate(task)])


def _alone(stack: Sweep | None, history: History, m: int, setting: Setting, options: Options) -> Trained:
    """Model m of a stack, and its history up to where it diverged, if it did."""
    any_epoch = len(history.loss) > 0  # without one the history has no models either
    finished = int(history.loss[:, m].isfinite().sum()) if any_epoch else 0
    columns = [_copy(values[:finished, m] if any_epoch else values) for values in history[:3]]
    own = History(columns[0], columns[1], columns[2])
    if stack is None or finished < options["epochs"]:
        return Trained(setting, own, error=f"diverged in epoch {finished + 1} at lr = {options['lr']:g}")
    return Trained(setting, own, {name: _copy(value[m]) for name, value in stack.stack.state_dict().items()})


def _copy(part: Tensor) -> Tensor:
    """On the CPU, and by itself: a part would be saved with the whole that it is a part of."""
    return part.detach().cpu().clone()
