"""JupyterLab's lost widgets come back: what loses them is provoked, and the course's extension looks after them."""

from collections.abc import Iterator
from importlib.metadata import version

import pytest
from browser import SOON, Desk, evaluate, opened, scroll_to
from browser import desk_fixture as desk_fixture
from frames import Output, Sliders, stored
from lost_widgets import PLACES, PROVOKED, SEEN, WATCH, WIDGET
from playwright.sync_api import Page, Route, expect

pytestmark = [pytest.mark.browser, pytest.mark.thorough]
NAME = "04_reparameterization"
PATH = f"notebooks/{NAME}.ipynb"
ALL_THERE = f"widget => ({PLACES})(widget).join() === 'widget,widget'"
# What the renderer that does not find its widget says in the console, whatever becomes of it.
TOLD = "Error: widget model not found"

# Before ipywidgets 8.1.9 a renderer looks once for its model, and waits for the manager: the first race is new.
LOOKS_ONCE = [*map(int, version("jupyterlab_widgets").split("."))] < [3, 0, 17]


@pytest.fixture(name="output", scope="module")
def output_fixture() -> Output:
    [output] = stored(NAME)
    return output


@pytest.fixture(name="page")
def page_fixture(desk: Desk) -> Iterator[Page]:
    """JupyterLab's page; here the console may speak of lost widgets."""
    desk.page.wait_for_function("window.jupyterapp")
    evaluate(desk.page, WATCH)
    yield desk.page
    desk.complaints.clear()


@pytest.mark.parametrize("how", PROVOKED)
def test_a_lost_widget_comes_back_and_nobody_sees_the_error(desk, page, output, how):
    evaluate(page, PROVOKED[how])
    with opened(page, PATH):
        page.wait_for_function(ALL_THERE, arg=WIDGET, timeout=SOON)  # also where their cells are out of sight
        Sliders(scroll_to(page, output.cell), output).check()
        provoked = evaluate(page, "() => window.provoked")
        assert not evaluate(page, SEEN)
    looks_once = how == "a late last look" and LOOKS_ONCE
    assert provoked or looks_once
    was_lost = any(complaint.startswith(TOLD) for complaint in desk.complaints)
    assert was_lost == (not looks_once and how != "one broken earlier")  # there the renderer waits, and says nothing


def test_a_widget_that_was_not_saved_leaves_its_still_picture_with_its_text(page, output):
    """The notebook comes with its outputs, and without its widgets."""
    page.route("**/api/contents/**content=1*", without_widgets)
    with opened(page, PATH):
        area = scroll_to(page, output.cell).locator(".jp-OutputArea-output")
        picture = area.get_by_role("img", name="A picture with a slider for σ.")
        expect(picture).to_be_visible(timeout=SOON)
        assert picture.get_attribute("src") == f"data:image/png;base64,{output.png}"
        assert not evaluate(page, SEEN)
    page.unroute("**/api/contents/**content=1*")


def without_widgets(route: Route) -> None:
    answer = route.fetch()
    notebook = answer.json()
    del notebook["content"]["metadata"]["widgets"]
    route.fulfill(response=answer, json=notebook)
