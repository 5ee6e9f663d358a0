"""Every page of the book before axe-core, which knows what screen readers, keyboards and weak eyes need."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from reader import Site, Visit, served, visiting
from test_browser import unpack

pytestmark = pytest.mark.browser

# Equations are KaTeX's own markup, thousands of elements on some pages: they are looked through on one page.
AXE = """async ([rules, excluded]) => {
    const options = {resultTypes: ["violations"], ...(rules ? {runOnly: rules} : {})};
    const {violations} = await axe.run({exclude: excluded}, options);
    return violations.filter(({impact}) => impact === "serious" || impact === "critical")
        .map(({id, nodes}) => `${id}: ${nodes[0].html.slice(0, 150)} (${nodes.length})`);
}"""
EQUATIONS = [[".katex"]]


@pytest.fixture(name="site", scope="module")
def site_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(tmp_path_factory.getbasetemp()) as site:
        yield site


@pytest.fixture(name="visit")
def visit_fixture(site: Site) -> Iterator[Visit]:
    with visiting(site) as visit:
        yield visit


def test_no_page_has_a_serious_or_critical_violation_in_either_theme(site: Site, visit: Visit, tmp_path: Path) -> None:
    axe = tmp_path / unpack("axe-core@4.14.1", tmp_path) / "axe.min.js"
    found = []
    for name in site.pages():
        page = visit.open(name)
        page.add_script_tag(path=axe)
        excluded = [] if name == "lessons/03_elbo.html" else EQUATIONS
        for theme, rules in {"light": None, "dark": ["color-contrast"]}.items():  # a theme changes colours alone
            page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
            found += [f"{name}, {theme}: {violation}" for violation in page.evaluate(AXE, [rules, excluded])]
    assert not found, "\n".join(found)
