"""The β lab: a VAE that trains while you watch, and while you drag β (notebook 07)."""

import asyncio
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any, ClassVar

import ipywidgets as widgets
import numpy as np
import torch
from IPython import get_ipython
from IPython.core.interactiveshell import ExecutionResult
from IPython.display import display
from matplotlib import pyplot as plt
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from vae_lessons import figures
from vae_lessons.checks import check_positive, check_tensor
from vae_lessons.gaussian import kl_to_standard
from vae_lessons.model import LatentGaussian, LinearVAE
from vae_lessons.objective import negative_elbo
from vae_lessons.pictures import Canvas, quick_img_tag
from vae_lessons.sliders import NOTE, Pictured, Range, error_html, float_slider
from vae_lessons.spectrum import data_spectrum, kl_per_latent
from vae_lessons.torch_state import seeded, threads
from vae_lessons.training import gradient_step, shuffled

TRAIN_FOR = 0.024  # seconds between two pictures
IN_FLIGHT = 4  # pictures on their way to the browser at most
PATIENCE = 1.0  # seconds after which a browser that is silent is sent the next picture anyhow
REACH = 3000  # steps that the history shows
BETAS = (0.1, 2.0)  # the ends of the slider
Array = NDArray[np.float64]
# (step, total KL in theory, total KL of the model), the newest last.
Trail = deque[tuple[int, float, float]]
BUTTONS = ("start", "pause", "step", "reset")  # without icons: their font is not in exported HTML


class Trainee:
    """A model in training, whose β may change at every step.

    Args:
        x: (N, D).
        build: makes the untrained model, for example `LinearVAE` or `reference_vae`.
    """

    def __init__(self, x: Tensor, build: Callable[[], LatentGaussian], noise_var: float, lr: float, seed: int):
        self.x, self.noise_var, self.n_steps = x, noise_var, 0
        with seeded(seed):
            self.model = build()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=lr, fused=True)
        self.generator = torch.Generator().manual_seed(seed)
        self.watching = torch.Generator().manual_seed(seed)  # of its own: looking on changes no training
        self.batches: Iterator[Tensor] = iter(())

    def step(self, beta: float) -> None:
        """One gradient step on a minibatch of 64.

        Raises:
            FloatingPointError: the loss became NaN or infinite.
        """
        images = next(self.batches, None)
        if images is None:
            self.batches = shuffled(self.x, 64, self.generator)
            images = next(self.batches)
        gradient_step(self.model, images, negative_elbo(self.noise_var, beta), self.optimizer, self.generator)
        self.n_steps += 1

    def state(self, directions: Tensor) -> tuple[Tensor, Tensor]:
        """The KL of each latent, (K,) in nats, and the squared error left along each of `directions` (D, D), (D,)."""
        with torch.no_grad():
            output = self.model(self.x, generator=self.watching)
            kl = kl_to_standard(output.mu, output.log_sigma).mean(0)
            return kl, ((self.x - output.x_hat) @ directions).square().mean(0)


class LabFigure:
    """Left the water and the error of each direction, then the KL of each latent, then how the total got there.

    Args:
        eigenvalues: (D,), of the data.
        n_latents: K, of the model whose legend says `name`.
    """

    def __init__(self, eigenvalues: Array, n_latents: int, name: str):
        self.n_latents = n_latents
        fig, axes = plt.subplots(1, 3, figsize=(10, 3), width_ratios=[3, 3, 2.4])
        self.water = figures.plot_spectrum(axes[0], eigenvalues, 0.0, n_latents)
        self.water.label.set_visible(False)
        self.errors = figures.plot_errors(axes[0], np.zeros(len(self.water.bars)))
        self.bars = figures.plot_kl_per_latent(axes[1], np.zeros(n_latents), np.zeros(n_latents), name)
        self.race = figures.plot_race(axes[2], REACH)
        axes[0].set_ylabel("eigenvalue λᵢ, dots: error [pixel²]")
        axes[1].set_ylim(0, 2.2)
        self.canvas = Canvas(fig)

    def html(self, beta: float, level: float, theory: Array, kl: Tensor, errors: Tensor, history: Trail) -> str:
        """The picture of one moment, and over it what it shows."""
        figures.move_water(self.water, level, self.n_latents)
        self.errors.set_ydata(errors[: len(self.water.bars)])
        figures.move_kl_per_latent(self.bars, theory, kl)
        figures.move_race(self.race, *zip(*history))
        said = f"β = {beta:.2f}: {np.count_nonzero(theory)} of {self.n_latents} above water in theory"
        said += f"; step {history[-1][0]}: total KL {kl.sum():.2f}, in theory {theory.sum():.2f}"
        # Above the picture, not in it: text is what matplotlib draws slowest.
        return f"<div>{said}</div>{quick_img_tag(self.canvas.image(), said, self.canvas.fig)}"


def show_lab(x: Tensor, *args: Any, **options: Any) -> "BetaLab":
    """Show a `BetaLab`; the one shown before stops."""
    lab = BetaLab(x, *args, **options)
    display(lab)
    return lab


class BetaLab(Pictured):
    """Start, pause, step, reset, and a β slider that acts while training runs.

    It trains in the kernel's own event loop, a few hundredths of a second at a time, so other cells
    can run; there is no thread. Making another lab stops this one, and so does interrupting the kernel.

    Args:
        x: (N, D), the data.
        build: makes the untrained model; the theory shown beside it is that of the linear VAE.
        name: how the legend calls it.
        noise_var: σ_x² > 0, in pixel².
        beta: where the slider stands at first, in 0.1…2.
        lr, seed: as in `fit`.

    Raises:
        TypeError, ValueError: x not (N, D) and finite, noise_var or lr not positive, beta outside the slider.
    """

    latest: ClassVar["BetaLab | None"] = None

    def __init__(
        self,
        x: Tensor,
        build: Callable[[], LatentGaussian] = LinearVAE,
        name: str = "linear VAE in training",
        *,
        noise_var: float = 0.5,
        beta: float = 0.5,
        lr: float = 1e-2,
        seed: int = 0,
    ):
        check_tensor("x", x, "(N, D)")
        check_positive("noise_var", noise_var)
        check_positive("lr", lr)
        if not BETAS[0] <= beta <= BETAS[1]:
            raise ValueError(f"beta must lie in {BETAS[0]}…{BETAS[1]}, got {beta}")
        self._take_over()
        self._loop = _running_loop()
        self.noise_var, self.spectrum = noise_var, data_spectrum(x)
        self.directions = torch.from_numpy(self.spectrum.directions.copy()).to(x.dtype)
        self._new_trainee = partial(Trainee, x, build, noise_var, lr, seed)
        self.trainee = self._new_trainee()
        self.history: Trail = deque(maxlen=600)
        self.figure = LabFigure(self.spectrum.eigenvalues, self.trainee.model.n_latents, name)
        super().__init__(self._make_widgets(beta))
        self.show()

    def _take_over(self) -> None:
        """There is one lab at a time: two would share the kernel and both look broken."""
        if BetaLab.latest is not None:
            BetaLab.latest.pause()
        BetaLab.latest = self
        self._task: asyncio.Task[None] | None = None

    def _make_widgets(self, beta: float) -> list[widgets.Widget]:
        self.beta = float_slider(Range("β", *BETAS, start=beta))
        small = widgets.Layout(width="90px")
        self.buttons = {name: widgets.Button(description=name, layout=small) for name in BUTTONS}
        for name, button in self.buttons.items():
            button.on_click(self._in_cells_thread(getattr(self, name)))
        self.buttons["pause"].disabled = True
        self.beta.observe(self._in_cells_thread(lambda: self.is_running or self._guarded(self.show)), "value")
        # The browser copies `sent` to `seen` when a picture has arrived: a slow one gets fewer, not a queue.
        self.picture, self.sent, self.seen, self.sent_at = widgets.HTML(), widgets.IntText(), widgets.IntText(), 0.0
        widgets.jslink((self.sent, "value"), (self.seen, "value"))
        return [widgets.HBox(list(self.buttons.values())), self.beta, self.picture]

    def _in_cells_thread(self, act: Callable[[], object]) -> Callable[[object], object]:
        """JupyterLab brings clicks and moves in a second thread, a "subshell": let the thread of the cells act on them.

        Two threads that train one model or draw one figure would get in each other's way, and only
        the main thread hears an interrupt.
        """
        return lambda _: self._loop.call_soon_threadsafe(act) if self._loop else act()

    @property
    def is_running(self) -> bool:
        return self._task is not None and not self._task.done()

    def start(self, _: object = None) -> None:
        """Train until `pause`, in the event loop that every Jupyter kernel has."""
        if not self.is_running:
            self._task = asyncio.get_running_loop().create_task(self._run())

    def pause(self, _: object = None) -> None:
        """Stop after the step that is being taken."""
        if self._task is not None:  # one that is done takes no notice
            self._task.cancel()

    def step(self, _: object = None) -> None:
        """One gradient step, and a picture."""
        self._guarded(lambda: self.trainee.step(self.beta.value), self.show)

    def reset(self, _: object = None) -> None:
        """Back to the untrained weights; a training that runs goes on from there."""
        self.trainee = self._new_trainee()
        self.history.clear()
        self._guarded(self.show)

    async def _run(self) -> None:
        """Train and show in turn, and let the kernel answer in between."""
        with _stopped_by_interrupt(self.pause), self._buttons_while_running():
            try:
                while self._guarded(self._train, self.show):
                    await asyncio.sleep(0.001)
            except asyncio.CancelledError:
                self._guarded(partial(self.show, last=True))
                raise

    @contextmanager
    def _buttons_while_running(self) -> Iterator[None]:
        start, pause = self.buttons["start"], self.buttons["pause"]
        start.disabled, pause.disabled = True, False
        try:
            yield
        finally:
            start.disabled, pause.disabled = False, True

    def _train(self) -> None:
        """As many steps as fit between two pictures."""
        end = time.perf_counter() + TRAIN_FOR
        while time.perf_counter() < end:
            self.trainee.step(self.beta.value)

    def _guarded(self, *acts: Callable[[], None]) -> bool:
        """Do one after the other; an error is shown where the picture would be."""
        try:
            with threads(1):
                for act in acts:
                    act()
        except Exception as error:
            self.picture.value = error_html(error)
            return False
        return True

    def show(self, *, last: bool = False) -> None:
        """Record the KL, and send the picture unless the browser is behind; the last one in any case."""
        level, kl_and_errors = self.beta.value * self.noise_var, self.trainee.state(self.directions)
        theory = kl_per_latent(self.spectrum.eigenvalues, level, self.figure.n_latents)
        self.history.append((self.trainee.n_steps, float(theory.sum()), float(kl_and_errors[0].sum())))
        is_awaited = self.sent.value - self.seen.value < IN_FLIGHT
        if is_awaited or last or not self.is_running or time.perf_counter() - self.sent_at > PATIENCE:
            shown = self.figure.html(self.beta.value, level, theory, *kl_and_errors, self.history)
            self.picture.value = NOTE + shown
            self.sent.value, self.sent_at = self.sent.value + 1, time.perf_counter()

    def still(self) -> tuple[Image.Image, str]:
        return self.figure.canvas.image(), "The β lab, paused."


def _running_loop() -> asyncio.AbstractEventLoop | None:
    """The event loop that runs the cells; None outside of Jupyter."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


@contextmanager
def _stopped_by_interrupt(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` when the kernel is interrupted, between cells (where Jupyter ignores it) or inside one."""

    def after_cell(result: ExecutionResult) -> None:
        if isinstance(result.error_in_exec, KeyboardInterrupt):
            stop()

    def between_cells(signum: int, frame: FrameType | None) -> None:
        stop()
        if callable(before):
            before(signum, frame)

    shell, in_main = get_ipython(), threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, between_cells) if in_main else None
    if shell is not None:
        shell.events.register("post_run_cell", after_cell)
    try:
        yield
    finally:
        if in_main:
            signal.signal(signal.SIGINT, before)
        if shell is not None:
            shell.events.unregister("post_run_cell", after_cell)
