"""The book on the web as its reader meets it: every page in a real browser that reaches nothing but the book."""

from __future__ import annotations

import html
import json
import random
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from frames import Output, course, stored
from playwright.sync_api import Locator, Page, expect
from reader import ADDRESS, DESKTOP, PHONE, Site, Visit, served, visiting
from test_browser import unpack

from vae_lessons.exercises import NUMBERS, lesson
from vae_lessons.exercises.judging import Status, judge
from vae_lessons.packages import ROOT

pytestmark = pytest.mark.browser
SIGNATURE = "07_kl_vanishing"  # the lesson with the most on it

CONTENT = """() => ({
    sideways: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    mute: [...document.images].filter(image => !image.alt.trim()).map(image => image.src),
    unset: document.querySelectorAll(".math:not(.set), .katex-error").length,
    dead: [...document.querySelectorAll("[id]")].map(({id}) => id).filter((id, n, all) => all.indexOf(id) !== n),
})"""

AXE = """async rules => {
    const {violations} = await axe.run({resultTypes: ["violations"], ...(rules ? {runOnly: rules} : {})});
    return violations.filter(({impact}) => impact === "serious" || impact === "critical")
        .map(({id, nodes}) => `${id}: ${nodes[0].html.slice(0, 150)} (${nodes.length})`);
}"""
# Equations and coloured code are thousands of elements, and of the same few kinds everywhere: those that have nothing new
# are cut to a few signs before axe-core looks, which then takes a third of the time.
SHORTEN = """seen => {
    const known = new Set(seen);
    for (const part of document.querySelectorAll(".katex, .highlight pre")) {
        const kinds = [...part.querySelectorAll("[class]")].flatMap(each => [...each.classList]);
        if (kinds.every(kind => known.has(kind))) part.replaceChildren(part.textContent.slice(0, 8));
        kinds.forEach(kind => known.add(kind));
    }
    return [...known];
}"""


def first_of(*cases: tuple[str, ...]) -> list[Any]:
    """Cases of one kind: the first stands for all where the tests are not thorough."""
    return [pytest.param(*case, marks=[pytest.mark.thorough] * (n > 0)) for n, case in enumerate(cases)]


@pytest.fixture(name="site", scope="module")
def site_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(tmp_path_factory.getbasetemp()) as site:
        yield site


@pytest.fixture(name="visit")
def visit_fixture(site: Site) -> Iterator[Visit]:
    with visiting(site) as visit:
        yield visit


def test_every_page_is_whole_at_two_widths_and_open_to_everybody_in_two_themes(
    site: Site, visit: Visit, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """Equations set, pictures with their texts, no name twice, no scrolling sideways, nothing from outside.

    And nothing serious or critical before axe-core, which knows what screen readers, keyboards and weak eyes need; it
    takes its time, and looks where the tests are thorough.
    """
    thorough = pytestconfig.option.thorough
    axe, found, seen = axe_core(tmp_path) if thorough else None, [], []
    for name in site.pages() if thorough else some_of(site.pages()):
        page = visit.open(name)
        for size in (PHONE, DESKTOP):
            page.set_viewport_size(size)
            assert page.evaluate(CONTENT) == {"sideways": 0, "mute": [], "unset": 0, "dead": []}, (name, size)
        if axe:
            seen = page.evaluate(SHORTEN, seen)
            found += [f"{name}, {violation}" for violation in violations(page, axe)]
    assert not found, "\n".join(found)
    if thorough and axe is None:
        pytest.skip("npm cannot fetch axe-core; all but its rules held")


def some_of(pages: list[str]) -> list[str]:
    """Those that have no kind, and of each kind the one with most on it."""
    assert len(pages) > 60
    return [name for name in pages if "/" not in name or re.search("/index|/07_|/model", name)]


def axe_core(folder: Path) -> Path | None:
    """Its script, or None where npm does not bring it."""
    try:
        return folder / unpack("axe-core@4.14.1", folder) / "axe.min.js"
    except pytest.skip.Exception:
        return None


def violations(page: Page, axe: Path) -> Iterator[str]:
    """What axe-core finds serious or critical; a theme changes colours alone."""
    page.add_script_tag(path=axe)
    for theme, rules in {"light": None, "dark": ["color-contrast"]}.items():
        page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
        yield from (f"{theme}: {violation}" for violation in page.evaluate(AXE, rules))


def test_every_link_inside_the_book_leads_to_a_page_and_a_place_in_it(site: Site) -> None:
    texts = {name: (site.folder / name).read_text(encoding="utf-8") for name in site.pages()}
    for name, text in texts.items():
        for link in map(html.unescape, re.findall(r'(?:href|src)="([^"]+)"', text)):
            if re.match(r"https?:|data:", link):
                continue
            file, _, place = link.removeprefix("/course/").partition("#")
            base = site.folder if link.startswith("/") else (site.folder / name).parent
            target = (base / file).resolve() if file else site.folder / name
            assert target.exists(), (name, link)
            if place and target.suffix == ".html":
                assert f'id="{place}"' in target.read_text(encoding="utf-8"), (name, link)


def test_nothing_on_a_page_is_addressed_outside_but_links_to_read(site: Site) -> None:
    for path in [*site.folder.rglob("*.html"), *site.folder.rglob("*.css")]:
        text = path.read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|img|iframe|source)\b[^>]*\bsrc="(https?:|//)', text)
        styles = re.findall(r'<link rel="(?:stylesheet|icon|preload)"[^>]*href="(https?:|//)', text)
        assert not loaded and not styles and not re.search(r"url\(['\"]?(https?:|//)", text), path


# Sliders ----------------------------------------------------------------------------------------


class Frames:
    """One slider of a page, beside what the notebook has stored for it."""

    def __init__(self, figure: Locator, output: Output) -> None:
        self.figure, self.output, self.standing = figure, output, list(output.start)
        self.picture, self.inputs = figure.locator("img"), figure.locator("input")

    def check(self) -> None:
        """The text and the labels are those of these positions, and the picture has loaded."""
        expect(self.picture).to_have_attribute("alt", self.output.frames[tuple(self.standing)].alt)
        expect(self.figure.locator("output")).to_have_text(self.output.labels_at(self.standing))
        self.picture.evaluate("image => image.decode()")

    def move_to(self, number: int, index: int) -> None:
        self.standing[number] = index
        self.check()

    def press(self, number: int) -> None:
        last = len(self.output.labels[number]) - 1
        self.inputs.nth(number).focus()
        for key, index in {"End": last, "Home": 0, "ArrowRight": 1, "ArrowLeft": 0}.items():
            self.figure.page.keyboard.press(key)
            self.move_to(number, index)

    def drag(self, number: int) -> None:
        """With the mouse, from the left end, where `press` has left it, to the right end."""
        box, mouse = self.inputs.nth(number).bounding_box(), self.figure.page.mouse
        mouse.move(box["x"] + 8, box["y"] + box["height"] / 2)
        mouse.down()
        mouse.move(box["x"] + box["width"], box["y"] + box["height"] / 2, steps=4)
        mouse.up()
        self.move_to(number, len(self.output.labels[number]) - 1)

    def tap(self, number: int) -> None:
        """With a finger, on the left end."""
        box = self.inputs.nth(number).bounding_box()
        self.figure.page.touchscreen.tap(box["x"] + 4, box["y"] + box["height"] / 2)
        self.move_to(number, 0)


@pytest.mark.parametrize("name", first_of((SIGNATURE,), *((name,) for name in course() if name != SIGNATURE)))
def test_every_slider_moves_by_key_mouse_and_finger(site: Site, name: str) -> None:
    visit = Visit(site, has_touch=True)
    page, outputs = visit.open(f"lessons/{name}.html"), stored(name)
    figures = page.locator("[data-frames]")
    expect(figures).to_have_count(len(outputs))
    for number, output in enumerate(outputs):
        figures.nth(number).scroll_into_view_if_needed()
        frames = Frames(figures.nth(number), output)
        frames.check()
        for control in range(len(output.labels)):
            frames.press(control)
            frames.drag(control)
            frames.tap(control)
    assert not visit.outside and not visit.complaints
    visit.context.close()


def test_sliders_that_need_python_show_their_picture_and_say_how_to_run_them(visit: Visit) -> None:
    page = visit.open("lessons/07_kl_vanishing.html")
    stills = page.locator("figure.still")
    expect(stills).to_have_count(2)
    for still in stills.all():
        expect(still.locator("figcaption")).to_contain_text("it needs Python")
        assert still.locator("img").get_attribute("alt")
    stills.first.get_by_role("link", name="Run the notebook").click()
    expect(page.locator("h1")).to_contain_text("Run it yourself")


def test_the_first_page_is_light_and_lives(site: Site, visit: Visit) -> None:
    """Everything that it loads by itself, as the server sends it: under 600 kB. How it lives: test_living_browser."""
    asked: set[str] = set()
    visit.page.on("request", lambda request: asked.add(request.url.removeprefix(site.address).partition("?")[0]))
    page = visit.open("index.html")
    page.wait_for_load_state("networkidle")
    files = {name: (site.folder / (name or "index.html")).stat().st_size for name in asked}
    assert any(name.startswith("living/") for name in files) and sum(files.values()) < 600_000, files
    assert not any(name.startswith("pictures/") for name in files), "the picture is for readers without scripts"
    water, total = page.get_by_role("slider", name="β, price of a nat"), page.get_by_role("row", name="total KL")
    before = total.text_content()
    water.focus()
    page.keyboard.press("End")
    expect(total).not_to_have_text(before)


def test_the_living_page_of_a_lesson_comes_to_life_when_the_text_is_there(visit: Visit) -> None:
    living = visit.open("lessons/07_kl_vanishing.html").locator("[data-living]").first
    expect(living).to_have_role("group")
    expect(living.get_by_role("slider", name="β, price of a nat")).to_be_visible()


# Exercises --------------------------------------------------------------------------------------


def answers(right: Any, mistakes: list[Any], generator: random.Random) -> list[Any]:
    """Right ones, known mistakes, near misses and strangers."""
    if isinstance(right, str):
        return [right, right.upper(), f" {right} ", "z", *mistakes]
    near = [right * (1 + relative) for relative in (1e-7, 0.004, 0.0099, 0.0101, -0.0099, 0.03)]
    off = [mistake * factor for mistake in mistakes for factor in (1, 1.003, 0.98)]
    return [right, -right, 0.0, 1.0, 1e7, -2.5e-7, 123456.7, *near, *off, *(generator.gauss(0, 30) for _ in range(20))]


def test_the_page_judges_numbers_and_choices_as_python_does(visit: Visit) -> None:
    """Verdict and words are the same for every exercise that a page can judge."""
    from book.exercises import is_value, question

    page, generator = visit.open("lessons/00_start_here.html"), random.Random(0)
    for number in NUMBERS:
        for exercise in filter(is_value, lesson(number).exercises):
            asked = question(lesson(number), exercise)
            tried = answers(asked["right"], [each for each, _ in asked["mistakes"]], generator)
            said = page.evaluate("([asked, tried]) => tried.map(answer => judge(asked, answer))", [asked, tried])
            for answer, by_page in zip(tried, said, strict=True):
                expected = judge(lesson(number), exercise, answer)
                assert by_page == [expected.status is Status.RIGHT, expected.message], (exercise.name, answer)


def test_numbers_are_written_as_python_writes_them(visit: Visit) -> None:
    generator = random.Random(0)
    ties = [
        0.001378125,
        31862.25,
        -31862.75,
        1000005.0,
        1000015.0,
        0.5,
        123456.5,
        0.000123456,
        999999.5,
        1e-5,
        0.0,
        -0.1,
        1e300,
    ]
    values = [*ties, *(generator.gauss(0, 1) * 10 ** generator.uniform(-9, 12) for _ in range(500))]
    page = visit.open("lessons/00_start_here.html")
    assert page.evaluate("values => values.map(general)", values) == [f"{value:g}" for value in values]


def test_numbers_are_read_as_people_write_them(visit: Visit) -> None:
    page = visit.open("lessons/00_start_here.html")
    written = {"5.6": 5.6, " −1e-3 ": -0.001, "1/4": 0.25, "65 025": 65025, ".5": 0.5, "2.": 2}
    read = "written => written.map(readNumber).map(number => isNaN(number) ? null : number)"
    assert page.evaluate(read, list(written)) == list(written.values())
    assert page.evaluate(read, ["two", "1/2/3", "5,6"]) == [None] * 3


def test_an_exercise_is_answered_in_the_page_and_remembered(visit: Visit) -> None:
    page = visit.open("lessons/00_start_here.html")
    form = page.locator('form[data-exercise="last-latent"]')
    verdict = form.locator(".verdict")
    for answer, said in {
        "": "Not answered yet",
        "many": "Please write a number",
        "1.398": "Not yet.",
        "-5.592": "Right but for the sign",
        "5.592": "✓ Right",
    }.items():
        form.get_by_label("Your number").fill(answer)
        form.get_by_role("button", name="Check").click()
        expect(verdict).to_contain_text(said)
    choice = page.locator('form[data-exercise="grey-blur"]')
    choice.get_by_label("a", exact=True).check()
    page.keyboard.press("Enter")
    expect(choice.locator(".verdict")).to_contain_text("Not yet.")
    choice.get_by_label("b", exact=True).check()
    choice.get_by_role("button", name="Check").click()
    expect(choice.locator(".verdict")).to_have_text("✓ Right. The solution below says why.")
    page.reload()
    expect(verdict).to_contain_text("answered this before")


def test_a_right_answer_opens_the_solution_which_says_why_and_a_wrong_one_does_not(visit: Visit) -> None:
    page = visit.open("lessons/00_start_here.html")
    form = page.locator('form[data-exercise="grey-blur"]')
    reason = page.get_by_text("The KL in the title has vanished")
    for letter, opened in {"a": False, "b": True}.items():
        form.get_by_label(letter, exact=True).check()
        form.get_by_role("button", name="Check").click()
        expect(form.locator(".verdict")).not_to_be_empty()
        expect(reason).to_be_visible(visible=opened)
    expect(page.locator("details[open]")).to_have_count(1)  # its own, and no hint


def test_hints_and_the_solution_open(visit: Visit) -> None:
    page = visit.open("lessons/01_gaussian_kl.html")
    hint = page.locator("details", has_text="Hint 1 of 3").first
    expect(hint.locator("p").first).to_be_hidden()
    hint.locator("summary").click()
    expect(hint.locator("p").first).to_be_visible()
    solution = page.locator("details", has=page.get_by_text("Solution", exact=True)).nth(1)
    solution.locator("summary").click()
    expect(solution.locator("pre")).to_contain_text("torch.expm1(log_var)")


# Ways through -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "found"),
    first_of(
        ("后验坍塌", "Words and symbols"),
        ("坍塌", "Words and symbols"),
        ("free bits", "08 ·"),
        ("kl_to_standard", "gaussian · kl_to_standard"),
    ),
)
def test_the_search_finds_english_chinese_and_code(visit: Visit, query: str, found: str) -> None:
    page = visit.open("index.html")
    page.get_by_role("searchbox").fill(query)
    page.keyboard.press("Enter")
    expect(page.locator(".hit").filter(has_text=found).first).to_be_visible()
    visit.whole().locator(".hit a").filter(has_text=found).first.click()
    expect(page.locator("article")).to_contain_text(query.split()[0], ignore_case=True)


@pytest.mark.parametrize(
    ("query", "definition"),
    first_of(
        ("ELBO", "evidence lower bound on log p(x): log likelihood − KL"),
        ("posterior collapse", "posterior collapse: q(z|x) = p(z) for every x"),
        ("encoder", "encoder: a distribution of codes for each image"),
        ("免费比特", "nats that each latent may pay without being charged"),
    ),
)
def test_what_is_found_is_shown_while_one_writes_and_a_words_definition_comes_first(
    visit: Visit, query: str, definition: str
) -> None:
    page = visit.open("find.html")
    page.get_by_role("searchbox").fill(query)  # and no Enter
    expect(page.get_by_role("status")).to_contain_text(f"for “{query}”")
    expect(page.locator(".hit p").first).to_contain_text(definition)
    page.locator(".hit a").first.click()
    row = page.locator("tr:target")
    expect(row).to_contain_text(definition.split(":")[0].split(" on ")[0])
    expect(row).to_be_in_viewport()
    page.go_back()
    expect(page.locator(".hit p").first).to_contain_text(definition)  # the address has kept the words


@pytest.mark.thorough
def test_other_pages_say_that_enter_shows_what_is_found(visit: Visit) -> None:
    said = visit.open("lessons/03_elbo.html").get_by_text("shows what is found")
    expect(said).to_be_hidden()
    visit.page.get_by_role("searchbox").fill("nat")
    expect(said).to_be_in_viewport(ratio=1)
    visit.page.keyboard.press("Enter")
    expect(visit.page.locator(".hit").first).to_be_visible()
    expect(visit.page.get_by_text("Enter ⏎")).to_have_count(0)


@pytest.mark.parametrize("query", first_of(("KL",), ("sigma",), ("lambdify",), ("½ log",), ("nats",)))
def test_an_excerpt_has_no_markup_and_is_cut_between_words(site: Site, visit: Visit, query: str) -> None:
    parts = json.loads((site.folder / "_static/search.json").read_text(encoding="utf-8"))
    texts = {part["url"]: (f" {part['text']} ", f" {part.get('code', '')} ") for part in parts}
    assert not [text for text, _ in texts.values() if re.search(r"\\[a-zA-Z]{2}", text)]
    page = visit.open(f"find.html?q={query}")
    expect(page.locator(".hit").first).to_be_visible()
    for hit in page.locator(".hit").all():
        url = hit.locator("a").get_attribute("href").removeprefix("./")
        excerpt = hit.locator("p").text_content()
        prose, code = texts[url]
        part = excerpt.removeprefix("… ").removesuffix(" …")
        assert len(part) <= 261 and (f" {part} " in prose or f" {part} " in code), (url, excerpt)
        folded = query.split()[0].lower()
        if folded in prose.lower():
            assert folded in part.lower() and f" {part} " in prose, "prose comes before code, and shows the word"


def test_the_glossary_says_which_words_are_chinese(visit: Visit) -> None:
    cells = visit.open("glossary.html").locator("td[lang=zh-Hans]").all_text_contents()
    assert len(cells) > 20 and "证据下界" in cells


@pytest.mark.thorough
def test_parts_below_the_screen_are_laid_out_soon_and_printed_at_once(visit: Visit) -> None:
    """They wait for those on the screen; what comes with a link to a part, or goes to a printer, does not wait."""
    page = visit.open("lessons/03_elbo.html")
    laid_out = """() => [...document.querySelectorAll("article > section > section")]
        .every(part => getComputedStyle(part).contentVisibility === "visible")"""
    page.wait_for_function(laid_out)
    page.goto("about:blank")
    page.goto(f"{visit.site.address}lessons/03_elbo.html#summary")
    assert page.evaluate(laid_out)
    expect(page.locator("#summary h2")).to_be_in_viewport()
    page.emulate_media(media="print")
    page.locator("details", has_text="Hint 2 of 3").first.evaluate("box => { box.open = true }")
    expect(page.locator("details:visible")).to_have_count(1)  # a page prints what its reader has opened
    expect(page.locator(".bar:visible, .tools:visible, .headerlink:visible")).to_have_count(0)


def test_an_equation_has_a_place_that_a_link_leads_to(visit: Visit) -> None:
    page = visit.open("lessons/03_elbo.html")
    equation = page.locator(".equation").nth(2)
    equation.hover()
    equation.get_by_title("Link to this equation").click()
    expect(page).to_have_url(re.compile("#equation-3$"))
    expect(equation.locator(".katex")).to_be_in_viewport()


def test_signatures_name_types_as_a_reader_knows_them(site: Site) -> None:
    text = (site.folder / "api/spectrum.html").read_text(encoding="utf-8")
    assert ">ArrayLike<" in text
    for path in (site.folder / "api").glob("*.html"):
        assert not re.search(r"_SupportsArray|&lt;class|~\w+\.", path.read_text(encoding="utf-8")), path.name


def test_lessons_are_read_one_after_the_other(site: Site, visit: Visit) -> None:
    names, links = ["index", *(f"lessons/{name}" for name in course())], {}
    for name in names:
        text = (site.folder / f"{name}.html").read_text(encoding="utf-8")
        links[name] = dict(re.findall(r'<a class="(prev|next)" href="([^"]+)"', text))
    for one, other in pairwise(names):
        assert links[one]["next"].endswith(f"{other.rpartition('/')[2]}.html"), one
        assert links[other]["prev"].endswith(f"{one.rpartition('/')[2]}.html"), other
    first, second = course()[:2]
    page = visit.open(f"lessons/{first}.html")
    visit.follow(page.locator(".turn .next"), rf"/lessons/{second}\.html$")
    visit.follow(page.locator(".turn .prev"), rf"/lessons/{first}\.html$")
    expect(visit.open("errata.html").locator(".turn .prev")).to_have_text("← Reference")


def test_the_theme_the_menu_and_the_copy_button(visit: Visit) -> None:
    visit.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = visit.open("lessons/05_reference_vae.html")
    page.get_by_role("button", name="Light or dark").click()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark != "rgb(255, 255, 255)"
    page.get_by_role("button", name="Copy").first.click()
    code = page.locator(".cell_input pre").first.text_content()
    assert page.evaluate("navigator.clipboard.readText()").strip() == code.strip()
    page.keyboard.press("Control+k")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.locator("#summary").scroll_into_view_if_needed()
    expect(page.locator(".here a[aria-current]")).to_have_count(1)
    page.set_viewport_size(PHONE)
    expect(page.locator("#contents")).to_be_hidden()
    page.get_by_role("button", name="Contents").click()
    expect(page.locator("#contents")).to_be_visible()


SCROLLERS = """() => [...document.querySelectorAll("pre, .table, .frame, .math.block")].filter(box => box.offsetParent)
    .map(box => ({
        wide: box.scrollWidth > box.clientWidth, more: box.dataset.more ?? "", reached: box.tabIndex === 0,
        name: box.getAttribute("aria-label") ?? "", role: box.getAttribute("role") ?? "",
        fades: getComputedStyle(box).maskImage.replace(/ .*/s, ""), kind: box.className,
    }))"""
FADING = "linear-gradient(to"


@pytest.mark.parametrize("address", ["lessons/03_elbo.html", "slides/03_elbo.html#3", "teaching.html"])
def test_what_is_wider_than_a_phone_shows_that_it_scrolls_and_says_what_it_is(visit: Visit, address: str) -> None:
    visit.page.set_viewport_size(PHONE)
    boxes = visit.open(address).evaluate(SCROLLERS)
    assert any(box["wide"] for box in boxes)
    for box in boxes:
        shown = (box["more"], box["fades"], box["reached"])
        assert shown == (("after", FADING, True) if box["wide"] else ("", "none", False)), box
        assert not box["wide"] or (box["name"] and box["role"] in ("group", "region")), box


@pytest.mark.thorough
def test_the_edge_that_fades_is_the_one_behind_which_there_is_more(visit: Visit) -> None:
    visit.page.set_viewport_size(PHONE)
    equation = visit.open("slides/03_elbo.html#3").locator(".math.block:visible").first
    for to, more in {"9999": "before", "40": "before after", "0": "after"}.items():
        equation.evaluate("(box, to) => { box.scrollLeft = to }", to)
        expect(equation).to_have_attribute("data-more", more)
    visit.page.keyboard.press("Tab")
    equation.focus()
    expect(equation).to_be_focused()
    assert equation.evaluate("box => getComputedStyle(box).maskImage") == "none"  # the ring is seen all around
    visit.page.set_viewport_size(DESKTOP)
    expect(equation).not_to_have_attribute("data-more", re.compile(""))
    expect(equation).not_to_have_attribute("role", re.compile(""))


@pytest.mark.thorough
def test_a_wide_picture_has_an_arrow_below_it_on_a_phone_only(visit: Visit) -> None:
    figure = visit.open("lessons/03_elbo.html").locator("figure:has(> .frame)").first
    arrow = "figure => getComputedStyle(figure, '::after').content"
    assert figure.evaluate(arrow) == "none"
    visit.page.set_viewport_size(PHONE)
    expect(figure.locator(".frame")).to_have_attribute("tabindex", "0")
    assert "⟷" in figure.evaluate(arrow)


def test_the_bar_and_the_glossary_fit_a_phone_and_the_contents_a_desk(visit: Visit) -> None:
    page = visit.open("glossary.html")
    last = page.locator("#contents a").last
    expect(last).to_be_in_viewport(ratio=1)
    expect(page.locator("#contents")).not_to_have_attribute("data-more", re.compile(""))
    page.set_viewport_size({"width": 1280, "height": 600})
    expect(page.locator("#contents")).to_have_attribute("data-more", "after")
    page.set_viewport_size(PHONE)
    name = page.locator(".bar .name")
    expect(name).to_have_text(re.compile("checked"))
    assert name.evaluate("link => link.offsetHeight / parseFloat(getComputedStyle(link).lineHeight)") < 1.5
    assert (
        page.get_by_role("searchbox").evaluate("""field => {
        const style = getComputedStyle(field), brush = document.createElement("canvas").getContext("2d");
        brush.font = style.font;
        const room = field.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
        return room - brush.measureText(field.placeholder).width;
    }""")
        > 0
    )
    assert page.locator(".table").evaluate("box => box.scrollWidth - box.clientWidth") == 0
    widths = page.locator("td[lang]").evaluate_all("""cells => cells.map(cell => {
        const style = getComputedStyle(cell);
        return (cell.clientWidth - parseFloat(style.paddingRight)) / parseFloat(style.fontSize);
    })""")
    assert min(widths) >= 4  # signs in a line


def test_slides_go_on_and_back_with_keys_and_leave_a_slider_its_own(visit: Visit) -> None:
    page = visit.open("slides/07_kl_vanishing.html")
    count = page.locator(".pager [role=status]")
    expect(count).to_contain_text("1 / ")
    total = int(count.text_content().split("/")[1])
    assert total > 20
    for _ in range(400):
        if page.locator(".slide:visible [data-frames]:visible").count():
            break
        page.keyboard.press("Space")
    slider, at = page.locator(".slide:visible input").first, count.text_content()
    before = slider.input_value()
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert slider.input_value() != before and count.text_content() == at
    slider.blur()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(count).not_to_have_text(at)


def test_downloads_preview_sitemap_and_the_page_for_what_is_missing(site: Site, visit: Visit) -> None:
    page = visit.open("lessons/03_elbo.html")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the notebook").click()
    assert download.value.path().read_bytes() == (ROOT / "notebooks/03_elbo.ipynb").read_bytes()
    preview = {
        name: page.locator(f'meta[property="og:{name}"]').get_attribute("content") for name in ("image", "title")
    }
    assert preview["image"] == f"{ADDRESS}signature.png" and preview["title"].startswith("03 ·")
    assert len(page.locator('meta[name="description"]').get_attribute("content")) > 50
    listed = re.findall(f"<loc>{ADDRESS}(.*)</loc>", (site.folder / "sitemap.xml").read_text())
    assert set(listed) == {name.removesuffix("index.html") for name in site.pages()} - {"404.html", "find.html"}
    missing = (site.folder / "404.html").read_text(encoding="utf-8")
    assert 'href="/course/lessons/' in missing and 'href="/course/_static/book.css' in missing
