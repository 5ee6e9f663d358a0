"""The notebooks after the first, opened, run through and moved in JupyterLab.

nbval runs their cells, the book moves every slider that they have stored (test_site_browser.py), and the live ones have
tests of their own (test_browser_live.py). So this file runs where everything has to: in CI, which has the minutes for the
three that stand for a kind, and with VAE_LESSONS_EVERY_TEST=everything for all.
"""

from __future__ import annotations

import os

import pytest
from browser import Desk, desk_fixture, page_fixture  # noqa: F401  (both are fixtures)
from frames import others, worked_through
from playwright.sync_api import Page

from tests import guards

pytestmark = pytest.mark.browser
KINDS = ("01", "07", "11")  # two sliders at once, live ones and a page that lives, the longest


def may_run(name: str) -> pytest.MarkDecorator:
    """Skipped unless the environment asks for it."""
    asked = os.environ.get(guards.VARIABLE)
    if name.startswith(KINDS):
        return pytest.mark.skipif(asked not in ("classroom", "everything"), reason="nbval runs this lesson")
    return pytest.mark.skipif(asked != "everything", reason="too long for CI: this lesson in JupyterLab")


@pytest.mark.parametrize("name", [pytest.param(name, marks=may_run(name)) for name in others()])
def test_sliders_stand_before_the_run_and_move_after_it(desk: Desk, page: Page, name: str) -> None:
    with worked_through(desk, name):
        pass
