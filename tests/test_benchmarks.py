"""What the benchmarks compute beside the clock: the count of operations, the usual loop, and the table of ratios."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode

from vae_lessons.data import Images

ROOT = Path(__file__).resolve().parent.parent


def loaded(name: str) -> ModuleType:
    """A benchmark under a name of its own: `training` and `__main__` are taken."""
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", ROOT / "benchmarks" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


training, table = loaded("training"), loaded("__main__")


def a_batch() -> torch.Tensor:
    return torch.rand(training.BATCH, training.N_PIXELS, generator=torch.Generator().manual_seed(0))


def course_step(x: torch.Tensor) -> torch.Tensor:
    return training.negative_bernoulli_elbo(training.build()(x), x)[0]


def usual_step(x: torch.Tensor) -> torch.Tensor:
    p, mu, log_var = training.UsualVAE()(x)
    return training.usual_loss(p, x, mu, log_var)


@pytest.mark.parametrize("step", [course_step, usual_step])
def test_the_operations_of_the_limit_are_those_of_a_step(step):
    """As torch counts them, forwards and backwards."""
    with FlopCounterMode(display=False) as counter:
        step(a_batch()).backward()
    assert counter.get_total_flops() == training.operations(training.BATCH)


def test_both_ways_have_the_same_loss():
    """With the same weights, and no noise: the usual head gives log σ², twice the course's log σ."""
    x, usual, course = a_batch(), training.UsualVAE(), training.build()
    course.load_state_dict(dict(zip(course.state_dict(), ordered(usual), strict=True)))
    with torch.no_grad():
        mu, log_sigma = course.encode(x)
        h = torch.relu(usual.hidden1(x))
        torch.testing.assert_close((usual.head_mu(h), usual.head_log_var(h)), (mu, 2 * log_sigma))
        logits = course.decode(mu)
        output = training.Output(logits, mu, log_sigma, mu)
        expected = training.usual_loss(torch.sigmoid(logits), x, mu, 2 * log_sigma) / len(x)
        torch.testing.assert_close(training.negative_bernoulli_elbo(output, x)[0], expected)


def ordered(usual: torch.nn.Module) -> list[torch.Tensor]:
    """The usual model's weights as the course's model has them."""
    order = [usual.hidden1, usual.hidden2, usual.output, usual.head_mu, usual.head_log_var]
    weights = [weight.detach().clone() for layer in order for weight in (layer.weight, layer.bias)]
    return [*weights[:-2], weights[-2] / 2, weights[-1] / 2]


def test_the_usual_data_set_gives_the_same_images():
    pixels = torch.randint(256, (5, 28, 28), generator=torch.Generator().manual_seed(0))
    images = Images(pixels.flatten(1) / 255, torch.arange(5), (28, 28))
    rows = [image.flatten() for image, _ in DataLoader(training.one_by_one(images))]
    assert torch.equal(torch.stack(rows), images.x)


def test_the_table_takes_the_ratios_that_a_benchmark_prints():
    printed = (
        "ratio a / b: 0.41 (aim: at most 0.45), x\nratio c / d (aim: at least 6):   6.3 (6 to 7)   8.1\nratios: 3\n"
    )
    first, second = table.rows_of("some", printed)
    assert first == ("0.41", "some", "a / b", "(aim: at most 0.45), x")
    assert second == ("6.3", "some", "c / d (aim: at least 6)", "(6 to 7) 8.1")
    text = table.table([first, second], [0.5, 1.25])
    assert "load 0.5 to 1.2" in text and "| 0.41 | some | a / b | (aim: at most 0.45), x |\n" in text


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("raise SystemExit('no data')", "ended with 1: no data"),
        ("import os; os.fork(); import time; time.sleep(60)", "not done after 1 s"),
    ],
)
def test_a_benchmark_that_fails_has_its_row_and_stops_no_other(tmp_path, monkeypatch, program, said):
    monkeypatch.setattr(table, "FOLDER", tmp_path)
    (tmp_path / "some.py").write_text(program)
    rows, _ = table.run("some", [], 1)
    assert [(row.ratio, row.rest.split(";")[0]) for row in rows] == [("–", said)]
