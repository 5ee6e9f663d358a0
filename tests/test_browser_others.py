"""The notebooks after the first, opened, run through and moved in JupyterLab.

nbval runs their cells, the book moves every slider that they have stored (test_site_browser.py), and the live ones have
tests of their own (test_browser_live.py). So this file, minutes long, runs where everything has to: in CI, or with
VAE_LESSONS_EVERY_TEST=classroom.
"""

from __future__ import annotations

import os

import pytest
from browser import Desk, desk_fixture, page_fixture  # noqa: F401  (both are fixtures)
from frames import others, worked_through
from playwright.sync_api import Page

from tests import guards

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(os.environ.get(guards.VARIABLE) != "classroom", reason="nbval runs this lesson"),
]


@pytest.mark.parametrize("name", others())
def test_sliders_stand_before_the_run_and_move_after_it(desk: Desk, page: Page, name: str) -> None:
    with worked_through(desk, name):
        pass
