"""Settings for every call of pytest, from whatever folder and on whatever notebook."""

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests import guards
from vae_lessons.opening import home_for_now


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--thorough", action="store_true", help="run the tests that are marked so, too")


def pytest_configure(config: pytest.Config) -> None:
    """Give kernels a home if there is none; nbval looks for its file of masks from the current folder: point it here."""
    os.environ.update(home_for_now())
    config.option.thorough |= guards.VARIABLE in os.environ
    guards.watch()
    if config.option.nbval_sanitize_with:
        config.option.nbval_sanitize_with = str(config.rootpath / config.option.nbval_sanitize_with)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A thorough test says nothing new about this machine, or is one more of its kind: where time counts it waits for CI."""
    if not config.option.thorough:
        for item in items:
            if item.get_closest_marker("thorough"):
                item.add_marker(pytest.mark.skip(reason="thorough: CI runs it, as --thorough does here"))


@pytest.fixture(autouse=True)
def stay_on_this_machine() -> Iterator[None]:
    """A test that asked for an address beyond loopback fails, even if it caught the refusal."""
    yield
    left = guards.visited.copy()
    guards.visited.clear()
    assert not left, f"this test left the machine: {left}"


def no_skip_without_excuse(report: pytest.TestReport | pytest.CollectReport) -> None:
    """A failure in the place of a skip, where every test has to run that can."""
    if report.skipped and isinstance(report.longrepr, tuple):  # what is expected to fail has none
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if not guards.excused(reason, Path(report.nodeid.partition("::")[0]).name):
            report.outcome, report.longrepr = "failed", f"skipped, though it could have run: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    no_skip_without_excuse(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    no_skip_without_excuse(report)
    return report
