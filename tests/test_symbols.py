"""One symbol each, in prose, formulas, code and exercises of all lessons: the table stands in notebook 00."""

import re

import nbformat
import pytest

from tests.lessons import COURSE
from vae_lessons.exercises import lesson
from vae_lessons.exercises.source import Lesson

# What must not be written, and what stands for it.
STRAYS = {
    r"βσ²|β\s*·\s*σ²|\\beta\s*(?:\\,)?\s*\\sigma\^2|λ[ᵢ₁-₉_a-z{}]*\s*/\s*σ²|\\lambda(_\w)?\s*/\s*\\sigma\^2": "σ_x²: the variance of the decoder",
    r"(?:decoder(?:'s)?|noise) variance,? (?:σ²|\$\\sigma\^2\$)": "σ_x²: the variance of the decoder",
    r"\b[Ss]quared error \$?D\b|R\(D\)|\$D\$ (?:is|for) the (?:squared error|distortion)": "Δ: the squared error; D counts pixels",
    r"IWAE-K|\bK (?:importance )?(?:samples|draws)\b|\bN (?:samples|draws)\b|\\sqrt\{?N|√N": "S: samples",
    r"\\log s\b|\blog s\b|\bs²|\bs\^2\b|\\frac\{m\}\{s\}|\bm/s\b": "σ: the width of q",
    r"\bremembers?\b.{0,40}\bnats?\b|\bnats?\b.{0,25}\bremember": "pays: the KL is a price, what a code knows is I(X;Z)",
    r"sigma\^2\"|\"sigma2\"|symbols\([^)]*\bvar\b": "sigma, sigma_x: a symbol is a width, its square is written",
    r"\bnothing: |\"nothing\"": "plain: the arm without treatment",
}
# The same in code.
NAMES = {
    r"\bsigma_sq\b|(?<![-.\w])var\b(?!\()|\bvariance_x\b|\bs\b(?=\s*=[^=])|\btau\b": "noise_var, sigma",
    r"\bdistortion\w*\b": "squared_error",
    r"\bfit_(?:by_hand|gained|term)\b": "log_likelihood: fit is training",
}


def prose(source: Lesson) -> list[str]:
    """What the exercises of a lesson say, and their code."""
    return [
        text
        for one in source.exercises
        for text in (one.title, one.task, one.why, *one.hints, *(mistake.hint for mistake in one.mistakes))
    ]


def written(path) -> list[str]:
    cells = nbformat.read(path, as_version=4).cells
    alts = [output.get("data", {}).get("text/plain", "") for cell in cells for output in cell.get("outputs", ())]
    return [cell.source for cell in cells] + alts + prose(lesson(path.name[:2]))


def code(path) -> list[str]:
    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    return cells + [text for one in lesson(path.name[:2]).exercises for text in (one.stub, one.solution)]


def strays(texts: list[str], table: dict[str, str]) -> list[str]:
    return [
        f"{text[max(0, match.start() - 30) : match.end() + 30]!r}: write {better}"
        for text in texts
        for pattern, better in table.items()
        for match in re.finditer(pattern, text)
    ]


@pytest.mark.parametrize("path", COURSE, ids=lambda path: path.stem)
def test_every_symbol_has_one_meaning(path):
    assert strays(written(path), STRAYS) == []


@pytest.mark.parametrize("path", COURSE, ids=lambda path: path.stem)
def test_every_name_is_that_of_its_symbol(path):
    assert strays(code(path), NAMES) == []


@pytest.mark.parametrize(
    "text",
    [
        "the level βσ²",
        r"$\beta\sigma^2$",
        "λ₁/σ² = 1.4",
        "a decoder variance σ² of 4",
        "IWAE-K",
        "√N",
        "log s",
        "remembers 17 nats",
    ],
)
def test_strays_are_seen(text):
    assert strays([text], STRAYS)


@pytest.mark.parametrize(
    "text", ["βσ_x²", r"$\beta\sigma_x^2$", "λ₁/σ_x²", "½(μ² + σ² − log σ² − 1)", "√S", "pays 17 nats", "log σ"]
)
def test_what_is_right_is_no_stray(text):
    assert not strays([text], STRAYS)
