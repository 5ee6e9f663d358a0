"""Every page of the book before axe-core, which knows what screen readers, keyboards and weak eyes need."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from reader import Site, Visit, served, visiting
from test_browser import unpack

pytestmark = pytest.mark.browser

# Equations and coloured code are thousands of elements on some pages, and the same everywhere: they are looked through
# on the few pages that together have every kind of them.
AXE = """async ([rules, excluded]) => {
    const options = {resultTypes: ["violations"], ...(rules ? {runOnly: rules} : {})};
    const {violations} = await axe.run({exclude: excluded}, options);
    return violations.filter(({impact}) => impact === "serious" || impact === "critical")
        .map(({id, nodes}) => `${id}: ${nodes[0].html.slice(0, 150)} (${nodes.length})`);
}"""
REPEATED = [[".katex"], [".highlight pre"]]
EQUATIONS = "lessons/03_elbo.html"


@pytest.fixture(name="site", scope="module")
def site_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(tmp_path_factory.getbasetemp()) as site:
        yield site


@pytest.fixture(name="visit")
def visit_fixture(site: Site) -> Iterator[Visit]:
    with visiting(site) as visit:
        yield visit


def kinds_of_code(page: Path) -> set[str]:
    """How Pygments marks what stands in the code of a page: each mark has its colour."""
    blocks = re.findall(r"<pre>.*?</pre>", page.read_text(encoding="utf-8"), re.DOTALL)
    return {kind for block in blocks for kind in re.findall(r'<span class="(\w+)"', block)}


def looked_through(site: Site) -> set[str]:
    """The page with equations, and as many more as it takes to see each kind of code once."""
    kinds = {name: kinds_of_code(site.folder / name) for name in site.pages()}
    chosen, seen = {EQUATIONS}, set(kinds[EQUATIONS])
    while more := max(kinds.values(), key=lambda each: len(each - seen)) - seen:
        chosen.add(next(name for name, each in kinds.items() if more <= each))
        seen |= more
    return chosen


def test_no_page_has_a_serious_or_critical_violation_in_either_theme(site: Site, visit: Visit, tmp_path: Path) -> None:
    axe = tmp_path / unpack("axe-core@4.14.1", tmp_path) / "axe.min.js"
    found, whole = [], looked_through(site)
    for name in site.pages():
        page = visit.open(name)
        page.add_script_tag(path=axe)
        excluded = [] if name in whole else REPEATED
        for theme, rules in {"light": None, "dark": ["color-contrast"]}.items():  # a theme changes colours alone
            page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
            found += [f"{name}, {theme}: {violation}" for violation in page.evaluate(AXE, [rules, excluded])]
    assert not found, "\n".join(found)
