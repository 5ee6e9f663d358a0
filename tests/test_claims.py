"""Claims show their numbers, and fail where the code is wrong: each one of every notebook is seen to."""

import re
from fractions import Fraction

import nbformat
import numpy as np
import pytest
import sympy
import torch

from tests import lessons
from tests.lessons import COURSE, MASK, REPLACEMENT, Wrong
from vae_lessons.claims import claim, text
from vae_lessons.montecarlo import Estimate

VARIANTS = [(path, wrong) for path in COURSE for wrong in lessons.bank(path).WRONG]
every_notebook = pytest.mark.parametrize("path", COURSE, ids=lambda path: f"lesson{path.name[:2]}")
every_variant = pytest.mark.parametrize(
    ("path", "variant"), VARIANTS, ids=[f"lesson{path.name[:2]}-{wrong.mistake}" for path, wrong in VARIANTS]
)

# Every claim can fail ----------------------------------------------------------------------------


@every_variant
def test_a_claim_holds_for_the_right_code_and_fails_for_the_wrong(path, variant: Wrong):
    found = lessons.find(path, variant.claim)
    assert lessons.holds(found, variant.right())
    assert not lessons.holds(found, variant.wrong())


@every_notebook
def test_every_claim_has_wrong_code_to_catch(path):
    caught = tuple(wrong.claim for wrong in lessons.bank(path).WRONG)
    uncaught = [claim.sentence for claim in lessons.claims(path) if not claim.sentence.startswith(caught)]
    assert not uncaught


@every_notebook
def test_sentences_with_numbers_stand_in_the_notebook(path):
    cells = nbformat.read(path, as_version=4).cells
    prose = re.sub(r"\s+", " ", "\n".join(cell.source for cell in cells if cell.cell_type == "markdown"))
    assert not [sentence for sentence in lessons.bank(path).SENTENCES if re.sub(r"\s+", " ", sentence) not in prose]


# Every claim shows its number --------------------------------------------------------------------


def test_a_claim_prints_what_was_measured(capsys):
    gap = Estimate(torch.tensor(0.03312), torch.tensor(0.00071), 400)
    claim("the gap is Var/(2S), to 4 standard errors", abs(gap.z_score(0.0338)) < 4, gap, "against", 0.0338)
    line = "✓ the gap is Var/(2S), to 4 standard errors: 0.03312 ± 0.00071 against 0.03380\n"
    assert capsys.readouterr().out == line


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (17.3012, "17.30"),
        (12345.6, "12346"),
        (3.21e-9, "3.21e-09"),
        (np.float32(0.25), "0.2500"),
        (0.0, "0"),
        (float("nan"), "nan"),
        (np.int64(3), "3"),
        (Fraction(1, 3), "1/3"),
        ((64, 8), "64, 8"),
        (torch.tensor([1.0, 2.5]), "1.000, 2.500"),
        (sympy.Rational(1, 2), "1/2"),
        (sympy.Float(2.5), "2.500"),
        (sympy.Symbol("x") ** 2, "x**2"),
        ("against", "against"),
        (Estimate(torch.tensor([1.234, -20.0]), torch.tensor([0.3, 4.0]), 9), "1.23 ± 0.30, -20.0 ± 4.0"),
        (Estimate(torch.tensor(1.5), torch.tensor(0.0), 9), "1.500 ± 0"),
    ],
)
def test_measured_values_are_printed_for_people(value, expected):
    assert text(value) == expected


@pytest.mark.parametrize(
    "holds", [float("nan"), [False], claim, None, 1, "yes", torch.tensor([True]), np.array([True])]
)
def test_only_one_truth_value_is_a_truth_value(holds):
    with pytest.raises(TypeError, match="holds must be True or False"):
        claim("something is so", holds, 1)


@pytest.mark.parametrize("holds", [True, np.bool_(True), torch.tensor(True)])
def test_the_truth_values_of_three_libraries_are_taken(holds, capsys):
    claim("something is so", holds, 1)
    assert capsys.readouterr().out == "✓ something is so: 1\n"


def test_what_does_not_hold_stops_the_notebook_and_says_the_number():
    with pytest.raises(AssertionError, match="this does not hold: the sum is 2: 3"):
        claim("the sum is 2", False, 3)


def test_a_claim_without_a_number_or_with_two_ends_is_refused():
    with pytest.raises(ValueError, match="measured must have at least one number"):
        claim("something is so", True)
    with pytest.raises(ValueError, match="must not contain ': '"):
        claim("plain: all dead", True, 1)


# Digits may differ, nothing else -----------------------------------------------------------------


def test_the_mask_hides_the_digits_of_a_claim_and_nothing_else():
    lines = "✓ the gap is small: 0.03 ± 0.01\nλ₁: 0.70\n✓ kl-standard: right\nAt 3: 4"
    assert re.sub(MASK, REPLACEMENT, lines) == "✓ the gap is small: MEASURED\nλ₁: 0.70\n✓ kl-standard: right\nAt 3: 4"


@every_notebook
def test_only_lines_that_claim_writes_are_masked(path):
    beginnings = tuple(f"✓ {claim.sentence}" for claim in lessons.claims(path))
    for cell in nbformat.read(path, as_version=4).cells:
        printed = "".join(output.get("text", "") for output in cell.get("outputs", ()))
        masked = re.findall(MASK, printed)
        assert all(line.startswith(beginnings) and "claim(" in cell.source for line in masked)
