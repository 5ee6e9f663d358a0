"""Pictures that the kernel computes while you watch: the live sliders and the β lab of notebook 07.

Every expected number is computed here from the digits.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
import pytest
from browser import (
    BEGIN,
    INTERRUPT,
    PATIENCE,
    RUN_ONE,
    SOON,
    Desk,
    click_track,
    desk_fixture,  # noqa: F401
    drag_to_end,
    evaluate,
    execute,
    opened,
    page_fixture,  # noqa: F401
    scroll_to,
)
from frames import cells_calling, code_cells, notebook_path
from numpy.typing import NDArray
from playwright.sync_api import Locator, Page, expect

from vae_lessons.data import digits
from vae_lessons.spectrum import data_spectrum, kl_per_latent

pytestmark = pytest.mark.browser
LIVE = "07_kl_vanishing"
NEEDED = ("SEED", "x", "spectrum", "eigenvalues", "theory")  # by its live cells
NOISE_VAR = 0.5  # of the lab
SIGMA_ENDS, BETA_ENDS, LAB_ENDS = (0.05, 1.0), (0.05, 2.0), (0.1, 2.0)
STEP = 0.01  # of every slider
NUMBER = re.compile(r"\d+\.\d\d")
PICTURE = ".widget-html img:visible"
IS_RUNNING, STEPS = "print(lab.is_running)", "print(lab.trainee.n_steps)"
# Whether the numbers in the lab's text meet a condition. The picture is looked up anew each time: it is replaced.
MEETS = """([area, condition]) => {
    const [beta, live, of, step, total, theory] = area.querySelector('img').alt.match(/\\d+(\\.\\d+)?/g).map(Number);
    return eval(condition);
}"""
# The first picture of a drag takes until the drag has ended.
SLOW = """
from pathlib import Path
from time import sleep
drawn = []
def slow(*values):
    drawn.append(values)
    while not Path("dragged").exists():
        sleep(0.01)
    return update(*values)
live_slider.update = slow
"""
FAULTY = """
def faulty(noise_var, beta):
    if beta > 1.99:
        raise ValueError("too much <b>")
    return update(noise_var, beta)
live_slider.update = faulty
"""


@pytest.fixture(scope="module")
def vanishing(desk: Desk) -> Iterator[Page]:
    """JupyterLab with notebook 07 open for all tests below; of its cells, only what they move has run."""
    with opened(desk.page, f"notebooks/{LIVE}.ipynb"):
        assert execute(desk.page, needed()) == ""
        for cell in cells_calling(notebook_path(LIVE), "show_live", "show_lab"):
            assert evaluate(desk.page, RUN_ONE, cell), "the cell failed"
        yield desk.page


def needed() -> str:
    """What those cells need of the notebook: its imports, and the definitions of these names."""
    source = "\n".join("".join(cell["source"]) for cell in code_cells(notebook_path(LIVE)))
    lines = ast.parse(source).body
    wanted = [line for line in lines if isinstance(line, ast.ImportFrom | ast.Import) or defined(line) in NEEDED]
    return "\n".join(map(ast.unparse, wanted))


def defined(line: ast.stmt) -> str:
    """The name that a line gives to something; nothing for other lines."""
    if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
        return line.targets[0].id
    return getattr(line, "name", "")


@pytest.fixture
def live(vanishing: Page, page: Page) -> Iterator[Locator]:
    """The cell with the live sliders; its function is the notebook's own again at the end."""
    [cell] = cells_calling(notebook_path(LIVE), "show_live")
    area = scroll_to(page, cell)
    expect(area.locator(".widget-readout").last).to_have_text(NUMBER)
    yield area
    execute(page, "live_slider.update = update")


@pytest.fixture
def lab(vanishing: Page, page: Page) -> Iterator[Locator]:
    """The cell with the β lab, untrained and at rest before and after."""
    [cell] = cells_calling(notebook_path(LIVE), "show_lab")
    area = scroll_to(page, cell)
    press(area, "reset")
    wait_until(area, "step === 0")
    yield area
    execute(page, "lab.pause()")


@cache
def theory(level: float) -> NDArray:
    """What the eight latents should carry when the water stands at this level."""
    return kl_per_latent(data_spectrum(digits().x).eigenvalues, level, n_latents=8)


def shown(live: Locator, values: Sequence[float]) -> str:
    """Wait for the readouts and the picture of these values of σ_x² and β; return the picture."""
    expect(live.locator(".widget-readout")).to_have_text([f"{value:.2f}" for value in values], timeout=SOON)
    kl, (noise_var, beta) = theory(values[0] * values[1]), values
    text = f"{np.count_nonzero(kl)} of 8 latents above water, total KL {kl.sum():.2f} nats"
    picture = live.locator(PICTURE)
    expect(picture).to_have_attribute("alt", f"σ_x² = {noise_var:.2f}, β = {beta:.2f}: {text}", timeout=SOON)
    return picture.get_attribute("src")


def readouts(area: Locator) -> list[float]:
    return [float(text) for text in area.locator(".widget-readout").all_text_contents()]


def press_key(area: Locator, number: int, key: str) -> None:
    area.locator(".noUi-handle").nth(number).focus()
    area.page.keyboard.press(key)


@pytest.mark.parametrize(("number", "ends"), [(0, SIGMA_ENDS), (1, BETA_ENDS)], ids=("sigma", "beta"))
def test_live_slider_follows_keys_and_mouse(live: Locator, number: int, ends: tuple[float, float]) -> None:
    """Every position has a picture of its own, with the numbers of the theory."""
    values, (low, high), pictures = readouts(live), ends, {}

    def stands(value: float) -> None:
        values[number] = value
        pictures[value] = shown(live, values)

    for key, value in {"End": high, "Home": low, "ArrowRight": low + STEP, "ArrowLeft": low}.items():
        press_key(live, number, key)
        stands(value)
    click_track(live, number, 0.4)
    expect(live.locator(".widget-readout").nth(number)).not_to_have_text(f"{low:.2f}")
    stands(readouts(live)[number])
    drag_to_end(live, number)
    stands(high)
    assert len(set(pictures.values())) == len(pictures) == 4, "two positions show the same picture"


def test_fast_dragging_queues_nothing_and_the_last_value_wins(live: Locator, desk: Desk) -> None:
    """The kernel is held up during the whole drag; afterwards it has one picture to draw, or two, not a hundred."""
    press_key(live, 1, "Home")
    shown(live, [noise_var := readouts(live)[0], BETA_ENDS[0]])
    execute(live.page, SLOW)
    drag_to_end(live, 1, steps=100)
    (desk.course / "notebooks/dragged").touch()
    shown(live, [noise_var, BETA_ENDS[1]])
    drawn = json.loads(execute(live.page, "import json; print(json.dumps(drawn))"))
    assert len(drawn) <= 3 and drawn[-1] == pytest.approx([noise_var, BETA_ENDS[1]]), drawn


def test_an_error_is_shown_in_place_of_the_picture(live: Locator) -> None:
    """Its traceback opens with a click, and the next good move brings the picture back."""
    press_key(live, 1, "Home")
    execute(live.page, FAULTY)
    press_key(live, 1, "End")
    details = live.locator("details")
    expect(details.locator("summary")).to_have_text("⚠ ValueError: too much <b>", timeout=SOON)
    expect(live.locator(PICTURE)).to_have_count(0)
    details.locator("summary").click()
    expect(details.locator("pre")).to_be_visible()
    expect(details.locator("pre")).to_contain_text('raise ValueError("too much <b>")')
    press_key(live, 1, "Home")
    shown(live, [readouts(live)[0], BETA_ENDS[0]])
    expect(details).to_have_count(0)


def press(lab: Locator, name: str) -> None:
    lab.get_by_role("button", name=name).click()


def wait_until(lab: Locator, condition: str) -> None:
    """Wait for a picture whose numbers beta, live, step, total and theory meet a condition in JavaScript."""
    lab.page.wait_for_function(MEETS, arg=[lab.element_handle(), condition])


def start(lab: Locator) -> None:
    press(lab, "start")
    wait_until(lab, "step > 0")


def check_at_rest(lab: Locator) -> int:
    """The lab trains no more, its buttons say so, and its picture is of its last step, which is returned."""
    expect(lab.get_by_role("button", name="start")).to_be_enabled(timeout=SOON)
    expect(lab.get_by_role("button", name="pause")).to_be_disabled()
    before = execute(lab.page, STEPS)
    execute(lab.page, "import asyncio; await asyncio.sleep(0.2)")  # a running lab would use the time
    assert execute(lab.page, STEPS) == before
    wait_until(lab, f"step === {before}")
    return int(before)


def test_the_lab_trains_until_it_is_paused(lab: Locator) -> None:
    """Other cells run meanwhile, and no thread is left."""
    threads = "import threading; print(threading.active_count())"
    before, untrained = execute(lab.page, threads), lab.locator(PICTURE).get_attribute("src")
    start(lab)
    wait_until(lab, "step > 100")
    assert execute(lab.page, "print(6 * 7)") == "42" and execute(lab.page, IS_RUNNING) == "True"
    press(lab, "pause")
    assert check_at_rest(lab) > 100 and lab.locator(PICTURE).get_attribute("src") != untrained
    assert execute(lab.page, threads) == before


def test_step_and_reset(lab: Locator) -> None:
    """One step is one step, at rest; a reset goes back to none."""
    for taken in (1, 2):
        press(lab, "step")
        wait_until(lab, f"step === {taken}")
    assert check_at_rest(lab) == 2
    press(lab, "reset")
    wait_until(lab, "step === 0")


@pytest.mark.parametrize(("key", "beta"), [("Home", LAB_ENDS[0]), ("End", LAB_ENDS[1])])
def test_the_lab_follows_beta_while_it_trains(lab: Locator, key: str, beta: float) -> None:
    """The theory at once, and the trained model after it: much KL at the lowest β, none at the highest."""
    start(lab)
    press_key(lab, 0, key)
    kl = theory(beta * NOISE_VAR)
    wait_until(lab, f"beta === {beta} && live === {np.count_nonzero(kl)} && theory === {kl.sum():.2f}")
    wait_until(lab, "Math.abs(total - theory) < 0.2")
    assert execute(lab.page, IS_RUNNING) == "True"


def test_interrupting_the_kernel_stops_the_lab(lab: Locator) -> None:
    """Between cells, where Jupyter itself ignores an interrupt."""
    start(lab)
    evaluate(lab.page, INTERRUPT)
    check_at_rest(lab)


@pytest.mark.thorough
def test_interrupting_a_long_cell_stops_the_lab_too(lab: Locator) -> None:
    start(lab)
    evaluate(lab.page, BEGIN, f"import time; print('begun', flush=True); time.sleep({PATIENCE})")
    evaluate(lab.page, INTERRUPT)
    assert evaluate(lab.page, "() => ending") == "KeyboardInterrupt"
    check_at_rest(lab)


@pytest.mark.thorough
def test_running_its_cell_again_stops_the_former_lab(lab: Locator) -> None:
    start(lab)
    execute(lab.page, "former = lab")
    [cell] = cells_calling(notebook_path(LIVE), "show_lab")
    assert evaluate(lab.page, RUN_ONE, cell), "the cell failed"
    assert execute(lab.page, "print(former is lab, former.is_running)") == "False False"
    assert check_at_rest(lab) == 0
