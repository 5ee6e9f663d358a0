"""Many models from one call: each is the one `fit` alone, wherever it was trained, and nothing finished is lost."""

import errno
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
import torch

from vae_lessons import sweeps
from vae_lessons.data import digits
from vae_lessons.model import reference_vae
from vae_lessons.objective import negative_elbo
from vae_lessons.settings import Setting, check_settings, grid, in_stacks
from vae_lessons.sweeps import train_many
from vae_lessons.trained import Trained
from vae_lessons.training import fit

ROOT = Path(__file__).resolve().parent.parent
X = digits().x[:150].double()
SHORT = {"epochs": 2, "progress": False}
SETTINGS = grid(beta=[0.3, 2.0], noise_var=[0.2, 0.5], n_latents=[2, 3], n_hidden=[4, 7], seed=[0, 5])
FEW = grid(beta=[0.3, 1.0, 2.0], n_hidden=[4])
DIVERGES = Setting(beta=1e307, n_hidden=4)
IMPOSSIBLE = Setting(n_latents=10**12, n_hidden=4)  # no machine has the memory


@lru_cache
def alone(setting: Setting) -> Trained:
    """What the reader would write for one model."""
    torch.manual_seed(setting.seed)
    model = reference_vae(64, setting.n_latents, setting.n_hidden).double()
    history = fit(model, X, negative_elbo(setting.noise_var, setting.beta), seed=setting.seed, **SHORT)
    return Trained(setting, history, model.state_dict())


def assert_as_alone(models: list[Trained], settings: list[Setting]) -> None:
    assert [one.setting for one in models] == settings
    for one in models:
        assert not one.error
        theirs = alone(one.setting)
        for ours, expected in zip(one.history[:3], theirs.history[:3]):
            torch.testing.assert_close(ours, expected, rtol=0, atol=1e-9)
        for name, value in theirs.weights.items():
            torch.testing.assert_close(one.weights[name], value, rtol=0, atol=1e-9)


# -- here ------------------------------------------------------------------------------------------------------------


def test_each_model_is_the_one_fit_alone():
    models = train_many(X, SETTINGS, **SHORT)
    assert_as_alone(models, SETTINGS)
    x_hat = [model(X[:3], eps=torch.zeros(3, 3, dtype=X.dtype)).x_hat for model in (models[-1].model(), rebuilt(-1))]
    torch.testing.assert_close(*x_hat)


def rebuilt(index: int) -> torch.nn.Module:
    setting = SETTINGS[index]
    model = reference_vae(64, setting.n_latents, setting.n_hidden).double()
    model.load_state_dict(alone(setting).weights)
    return model


def test_the_benchmarks_plain_loop_trains_the_same_models():
    from sweep import difference, plain_loop  # here: workers, which import this file, do not know the benchmarks

    betas = [0.1, 1.0, 2.0]
    models = train_many(X, grid(beta=betas), epochs=3, progress=False)
    loop = plain_loop(X, betas, 3)
    assert difference(loop, models, X) < 1e-9
    for one, other in zip(loop, models):
        for theirs, ours in zip(one.parameters(), other.model().parameters()):
            torch.testing.assert_close(theirs, ours, rtol=0, atol=1e-9)


def test_the_size_of_a_stack_changes_nothing():
    for size in (1, 2):
        assert_as_alone(train_many(X, FEW, models_per_task=size, **SHORT), FEW)


def test_order_and_repeats_of_the_settings_are_the_callers():
    settings = [FEW[2], FEW[0], FEW[2]]
    assert_as_alone(train_many(X, settings, **SHORT), settings)


def test_the_data_may_come_from_a_function():
    assert_as_alone(train_many(lambda: X, FEW, **SHORT), FEW)


def test_torchs_generator_is_left_alone():
    before = torch.get_rng_state()
    train_many(X, FEW, **SHORT)[0].model()
    assert torch.equal(torch.get_rng_state(), before)


def test_more_latents_than_pixels_are_allowed():
    (one,) = train_many(X, [Setting(n_latents=70, n_hidden=4)], **SHORT)
    assert one.history.kl.shape == (2, 70) and one.model().n_latents == 70


def test_a_grid_has_every_combination_and_defaults_for_the_rest():
    assert grid(beta=torch.tensor([0.5, 2.0]), seed=range(2)) == [
        Setting(b, seed=s) for b in (0.5, 2.0) for s in (0, 1)
    ]


@pytest.mark.parametrize("at_most", [1, 3, 5, 100])
def test_what_can_be_stacked_is_stacked_in_equal_parts(at_most):
    stacks = in_stacks(SETTINGS[::-1] + SETTINGS, at_most)
    assert sorted(setting for stack in stacks for setting in stack) == sorted(SETTINGS)
    assert all(len({setting[2:4] for setting in stack}) == 1 for stack in stacks)
    sizes = [len(stack) for stack in stacks]
    assert len(stacks) == 4 * -(-8 // at_most) and max(sizes) - min(sizes) <= 1  # 4 pairs of sizes, 8 models each
    assert [stack[0].n_hidden for stack in stacks] == sorted((stack[0].n_hidden for stack in stacks), reverse=True)
    seeds = [setting.seed for setting in in_stacks(SETTINGS, 100)[0]]
    assert seeds == sorted(seeds)


# -- what fails, alone -----------------------------------------------------------------------------------------------


def test_a_model_that_diverges_is_reported_and_the_others_are_as_without_it():
    with pytest.warns(RuntimeWarning, match=r"1 of 4 models have an error, the first is Setting\(beta=1e\+307") as told:
        models = train_many(X, [DIVERGES, *FEW], **SHORT)
    assert len(told) == 1
    assert models[0].error == "diverged in epoch 1 at lr = 0.001" and models[0].history.loss.shape == (0,)
    with pytest.raises(ValueError, match=r"has no model: diverged in epoch 1"):
        models[0].model()
    assert_as_alone(models[1:], FEW)


def test_all_models_of_a_stack_may_diverge():
    with pytest.warns(RuntimeWarning, match=r"2 of 3 models"):
        models = train_many(X, [DIVERGES, DIVERGES._replace(seed=1), *SETTINGS[:1]], models_per_task=1, **SHORT)
    assert [bool(one.error) for one in models] == [True, True, False]


def test_a_task_that_fails_is_reported_and_the_others_go_on():
    with pytest.warns(RuntimeWarning, match=r"1 of 4 .* not trained, RuntimeError: .*memory"):
        models = train_many(X, [IMPOSSIBLE, *FEW], **SHORT)
    assert_as_alone(models[1:], FEW)


def test_ctrl_c_ends_a_sweep_and_keeps_what_is_finished(monkeypatch, tmp_path):
    train = sweeps._train

    def interrupted(x, task, options, progress):
        if task == [FEW[1]]:
            os.kill(os.getpid(), signal.SIGINT)
        return train(x, task, options, progress)

    monkeypatch.setattr(sweeps, "_train", interrupted)
    with pytest.warns(RuntimeWarning, match=r"2 of 3 models have an error, .* not trained, interrupted"):
        models = train_many(X, FEW, models_per_task=1, folder=tmp_path, **SHORT)
    assert_as_alone(models[:1], FEW[:1])
    assert [one.error for one in models[1:]] == ["not trained, interrupted"] * 2
    monkeypatch.undo()
    assert_as_alone(train_many(X, FEW, models_per_task=1, folder=tmp_path, **SHORT), FEW)


# -- a folder --------------------------------------------------------------------------------------------------------


@pytest.fixture
def trained_here(monkeypatch) -> list[Setting]:
    """The settings that are trained in this process from now on."""
    seen: list[Setting] = []
    train = sweeps._train

    def watched(x, task, options, progress=False):
        seen.extend(task)
        return train(x, task, options, progress)

    monkeypatch.setattr(sweeps, "_train", watched)
    return seen


def test_a_second_call_trains_only_what_is_missing(tmp_path, trained_here):
    train_many(X, FEW[:2], folder=tmp_path / "new" / "one", **SHORT)
    assert trained_here == FEW[:2]
    assert_as_alone(train_many(X, FEW, folder=tmp_path / "new" / "one", **SHORT), FEW)
    assert trained_here == FEW


def test_what_diverged_is_not_tried_again(tmp_path, trained_here):
    for _ in range(2):
        with pytest.warns(RuntimeWarning, match="diverged in epoch 1"):
            train_many(X, [DIVERGES], folder=tmp_path, **SHORT)
    assert trained_here == [DIVERGES]


KILLED = """
import os, signal, sys
from tests.test_sweeps import FEW, SHORT, X
from vae_lessons.sweeps import train_many
replace, calls = os.replace, []
def die_at_the_second(*names):
    calls.append(names)
    if len(calls) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(*names)
os.replace = die_at_the_second
train_many(X, FEW, models_per_task=1, folder=sys.argv[1], **SHORT)
"""


@pytest.mark.thorough
def test_a_kill_in_the_middle_loses_nothing_that_was_finished(tmp_path, trained_here):
    killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert [file.suffix for file in sorted(tmp_path.iterdir())].count(".pt") == 1
    assert_as_alone(train_many(X, FEW, folder=tmp_path, **SHORT), FEW)
    assert trained_here == FEW[1:]


def test_a_full_disk_loses_nothing_and_is_told(tmp_path, monkeypatch, trained_here):
    write = Path.write_bytes

    def fills_up(path: Path, content: bytes) -> int:
        write(path, content[: len(content) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    train_many(X, FEW[:1], folder=tmp_path, **SHORT)
    monkeypatch.setattr(Path, "write_bytes", fills_up)
    with pytest.warns(RuntimeWarning, match=r"2 models are not kept in .*, only returned: No space left on device"):
        models = train_many(X, FEW, folder=tmp_path, **SHORT)
    assert_as_alone(models, FEW)
    assert len(list(tmp_path.iterdir())) == 1
    monkeypatch.setattr(Path, "write_bytes", write)
    assert_as_alone(train_many(X, FEW, folder=tmp_path, **SHORT), FEW)
    assert trained_here == [FEW[0], *FEW[1:], *FEW[1:]]


def test_a_folder_that_cannot_be_written_is_said_before_anything_is_trained(tmp_path, trained_here):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError):
        train_many(X, FEW, folder=tmp_path / "file", **SHORT)
    assert not trained_here


@pytest.mark.parametrize("spoil", [lambda kept: kept[: len(kept) // 2], lambda kept: b"", lambda kept: b"text" * 99])
def test_a_damaged_record_is_named_and_the_rest_is_kept(tmp_path, spoil, trained_here):
    train_many(X, FEW, folder=tmp_path, models_per_task=1, **SHORT)
    file = max(tmp_path.iterdir())
    file.write_bytes(spoil(file.read_bytes()))
    with pytest.raises(ValueError, match=rf"{re.escape(str(file))} is no result .* or a damaged one .*; delete it"):
        train_many(X, FEW, folder=tmp_path, **SHORT)
    file.unlink()
    assert_as_alone(train_many(X, FEW, folder=tmp_path, **SHORT), FEW)
    assert len(trained_here) == 4


class Evil:
    def __reduce__(self):
        return os.mkdir, ("evil",)


def test_a_record_cannot_run_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"about": {}, "models": [Evil()]}, tmp_path / "models.pt")
    with pytest.raises(ValueError, match=r"models\.pt is no result"):
        train_many(X, FEW, folder=tmp_path, **SHORT)
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"x": X + 1}, r"x was \(150, 64\) torch.float64 \w+ there"),
        ({"x": X.float()}, r"x was .* and is \(150, 64\) torch.float32 \w+ here"),
        ({"epochs": 3}, "epochs was 2 there and is 3 here"),
        ({"lr": 0.01}, "lr was 0.001 there and is 0.01 here"),
    ],
)
def test_a_folder_of_other_data_or_options_is_refused(tmp_path, change, told):
    train_many(X, FEW[:1], folder=tmp_path, **SHORT)
    before = [file.read_bytes() for file in tmp_path.iterdir()]
    with pytest.raises(ValueError, match=rf"folder: .* of other data or options: {told}.*; .* or give another folder"):
        train_many(**({"x": X, "settings": FEW, "folder": tmp_path} | SHORT | change))
    assert [file.read_bytes() for file in tmp_path.iterdir()] == before


# -- elsewhere -------------------------------------------------------------------------------------------------------


def counted() -> torch.Tensor:
    """The data, in any process; each call leaves a file."""
    open(Path(os.environ["SWEEP_CALLS"]) / f"{os.getpid()}-{os.urandom(4).hex()}", "x").close()
    return X


def deadly() -> torch.Tensor:
    """The data; the first process that is not the test's own and asks for them dies."""
    if os.getpid() != int(os.environ["SWEEP_PARENT"]):
        try:
            open(Path(os.environ["SWEEP_CALLS"]) / "died", "x").close()
        except FileExistsError:
            return X
        os.kill(os.getpid(), signal.SIGKILL)
    return X


def other_data() -> torch.Tensor:
    return X if os.getpid() == int(os.environ["SWEEP_PARENT"]) else X + 1


@pytest.fixture(scope="module")
def calls(tmp_path_factory) -> Iterator[Path]:
    """Where functions of the data leave their traces; set before any worker starts."""
    folder = tmp_path_factory.mktemp("calls")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SWEEP_CALLS", str(folder))
        patch.setenv("SWEEP_PARENT", str(os.getpid()))
        yield folder


def names_for_workers() -> dict[str, str]:
    """What functions of the data look for. A fork server that another test file has started does not know it."""
    return {name: os.environ[name] for name in ("SWEEP_CALLS", "SWEEP_PARENT")}


def learn(names: dict[str, str]) -> None:
    os.environ.update(names)


def new_pool() -> ProcessPoolExecutor:
    """Two processes, forked from one that has imported torch, so that they are there at once."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["vae_lessons.sweeps", "torch._dynamo"])  # the first Adam imports the second
    return ProcessPoolExecutor(2, mp_context=context, initializer=learn, initargs=(names_for_workers(),))


@pytest.fixture(scope="module")
def pool(calls) -> Iterator[Executor]:
    with new_pool() as executor:
        yield executor


@pytest.fixture(scope="module")
def client(calls) -> Iterator[Any]:
    """Of a Dask cluster of two processes on this machine's loopback."""
    distributed = pytest.importorskip("dask.distributed", reason='needs dask: pip install -e ".[cluster]"')
    import dask

    here = {"host": "127.0.0.1", "dashboard_address": None, "env": names_for_workers()}
    with (
        dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}),
        distributed.LocalCluster(2, threads_per_worker=1, **here) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def dask(client) -> Executor:
    return client.get_executor()


@pytest.fixture(params=["pool", pytest.param("dask", marks=pytest.mark.thorough)])
def executor(request) -> Executor:
    return request.getfixturevalue(request.param)


def test_an_executor_gives_what_is_trained_here(executor):
    assert_as_alone(train_many(X, SETTINGS, executor=executor, models_per_task=3, **SHORT), SETTINGS)


def test_a_function_of_the_data_is_called_once_in_each_process(executor, calls):
    for file in calls.iterdir():
        file.unlink()
    assert_as_alone(train_many(counted, SETTINGS, executor=executor, models_per_task=2, **SHORT), SETTINGS)
    processes = [file.name.partition("-")[0] for file in calls.iterdir()]
    assert str(os.getpid()) in processes and len(processes) == len(set(processes)) <= 3


def test_failures_in_workers_are_reported_and_the_others_kept(executor, tmp_path):
    with pytest.warns(RuntimeWarning, match=r"2 of 5 models"):
        models = train_many(X, [DIVERGES, *FEW, IMPOSSIBLE], executor=executor, folder=tmp_path, **SHORT)
    assert models[0].error.startswith("diverged") and "memory" in models[-1].error
    assert_as_alone(models[1:-1], FEW)
    assert_as_alone(train_many(X, FEW, folder=tmp_path, executor=Refuses(), **SHORT), FEW)


def test_a_worker_with_other_data_is_found_out(executor, tmp_path):
    with pytest.warns(RuntimeWarning, match="3 of 3 .* of other data or options: x was"):
        train_many(other_data, FEW, executor=executor, folder=tmp_path, **SHORT)
    assert not list(tmp_path.iterdir())


@pytest.mark.thorough
def test_dask_survives_a_lost_worker(dask, calls):
    (calls / "died").unlink(missing_ok=True)
    assert_as_alone(train_many(deadly, SETTINGS, executor=dask, models_per_task=2, **SHORT), SETTINGS)
    assert (calls / "died").exists()


def test_the_guides_program_runs(client, tmp_path, monkeypatch):
    guide = (ROOT / "teaching" / "README.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"^```python\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)
    smaller = {
        "tcp://SCHEDULER:8786": client.scheduler.address,
        "2, 50": "2, 3",
        "range(20)": "range(2)",
        'folder="sweep"': 'folder="sweep", epochs=1, progress=False',
    }
    for there, here in smaller.items():
        assert there in program
        program = program.replace(there, here)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(program, names)
    names["client"].close()
    assert len(names["kl"]) == 6 and list((tmp_path / "sweep").iterdir())


def test_what_a_broken_pool_finished_is_kept_and_a_new_one_goes_on(calls, pool, tmp_path):
    (calls / "died").unlink(missing_ok=True)
    train_many(X, FEW[:1], folder=tmp_path, **SHORT)
    with new_pool() as broken, pytest.warns(RuntimeWarning, match=r"[12] of 3 .* not trained, BrokenProcessPool"):
        models = train_many(deadly, FEW, executor=broken, folder=tmp_path, models_per_task=1, **SHORT)
    assert_as_alone(models[:1], FEW[:1])
    assert_as_alone(train_many(deadly, FEW, executor=pool, folder=tmp_path, **SHORT), FEW)


def test_threads_are_executors_too():
    with ThreadPoolExecutor(2) as threads:
        assert_as_alone(train_many(X, FEW, executor=threads, models_per_task=1, **SHORT), FEW)


class Refuses(Executor):
    """As a pool after its end."""

    def submit(self, *args, **kwargs):
        raise RuntimeError("cannot schedule new futures after shutdown")


def test_an_executor_that_takes_no_tasks_is_reported():
    with pytest.warns(RuntimeWarning, match=r"3 of 3 .* not trained, RuntimeError: cannot schedule new futures"):
        train_many(X, FEW, executor=Refuses(), **SHORT)


class Waits(Executor):
    """Takes tasks, runs the first at once and no other; Ctrl-C comes while it waits."""

    def __init__(self) -> None:
        self.futures: list[Future] = []

    def submit(self, function, *args):
        self.futures.append(Future())
        if len(self.futures) == 1:
            self.futures[0].set_result(function(*args))
        else:
            signal.setitimer(signal.ITIMER_REAL, 0.2)
        return self.futures[-1]


def test_ctrl_c_cancels_what_waits_elsewhere(monkeypatch):
    def interrupt(signum, frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        waits = Waits()
        with pytest.warns(RuntimeWarning, match=r"2 of 3 .* not trained, interrupted"):
            models = train_many(X, FEW, executor=waits, models_per_task=1, **SHORT)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert_as_alone(models[:1], FEW[:1])
    assert [future.cancelled() for future in waits.futures] == [False, True, True]


def test_progress_counts_models(capsys):
    train_many(X, FEW, models_per_task=1, **(SHORT | {"progress": True}))
    assert "3/3" in capsys.readouterr().err


# -- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: grid(betas=[1]), ValueError, "betas is none of beta, noise_var, n_latents, n_hidden, seed"),
        (lambda: grid(beta=1.0), TypeError, "beta must be a list of the values to try, got float"),
        (lambda: grid(beta=[]), ValueError, "beta must have at least one value, got none"),
        (lambda: grid(beta=[-1]), ValueError, "beta must not be negative, got -1"),
        (lambda: grid(noise_var=[0.0]), ValueError, "noise_var must be positive, got 0"),
        (lambda: grid(noise_var=[float("nan")]), ValueError, "noise_var must be finite, got nan"),
        (lambda: grid(n_latents=[0]), ValueError, "n_latents must be at least 1, got 0"),
        (lambda: grid(seed=[0.5]), TypeError, "seed must be an int, got float"),
        (lambda: check_settings([Setting(beta=1e60)], torch.float32), ValueError, "beta must be finite"),
        (lambda: check_settings([Setting(noise_var=1e-60)], torch.float32), ValueError, "noise_var must be positive"),
        (lambda: train_many(X, [], **SHORT), ValueError, "settings must hold at least one, got none"),
        (lambda: train_many(X, [(1.0,)], **SHORT), TypeError, "settings must hold nothing but `Setting`, got tuple"),
        (lambda: train_many(X[0], FEW, **SHORT), ValueError, r"x must have shape \(N, D\)"),
        (lambda: train_many(X, FEW, executor="dask", **SHORT), TypeError, "executor must be of type Executor, got str"),
        (lambda: train_many(X, FEW, models_per_task=0, **SHORT), ValueError, "models_per_task must be at least 1"),
        (lambda: train_many(X, FEW, epochs=0), ValueError, "epochs must be at least 1, got 0"),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
