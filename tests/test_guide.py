"""The numbers in the teachers' guide, and that it leads somewhere."""

import json
import math
import re
from pathlib import Path

import pytest
import sympy as sp
import torch
from store_notebooks import times

from vae_lessons.data import digits
from vae_lessons.gaussian import kl_to_standard, log_density
from vae_lessons.montecarlo import Estimate, estimate, log_ratio_std, mixture_log_density
from vae_lessons.recipes import Recipe, implied_objective
from vae_lessons.spectrum import data_spectrum, error_per_direction, kl_per_latent, thresholds

GUIDE = Path(__file__).resolve().parent.parent / "teaching" / "README.md"
TEXT = GUIDE.read_text(encoding="utf-8")
LAMBDAS = [2.0, 0.8, 0.3]


def kl(mu: float, sigma: float) -> float:
    return kl_to_standard(torch.tensor([float(mu)]), torch.tensor([float(sigma)]).log()).item()


def score_variances(m: float, s: float) -> tuple[int, int]:
    """Of the two gradients of E[z²] with respect to μ, the sample's own and the score's, by SymPy."""
    mu, sigma, eps = sp.symbols("mu sigma epsilon", real=True)
    z = mu + sigma * eps
    moments = {eps**k: sp.factorial2(k - 1) if k % 2 == 0 else 0 for k in range(1, 9)}

    def variance(gradient: sp.Expr) -> sp.Expr:
        mean, square = (
            sum(c * (moments[eps**k] if k else 1) for (k,), c in sp.Poly(power, eps).terms())
            for power in (sp.expand(gradient), sp.expand(gradient**2))
        )
        return sp.simplify(square - mean**2).subs({mu: m, sigma: s})

    return int(variance(2 * z)), int(variance(z**2 * eps / sigma))


ROOM = kl_per_latent(LAMBDAS, level=0.5, n_latents=3)
LEVEL = implied_objective(Recipe("mean", "sum_mean", kl_weight=0.001), n_pixels=784, n_latents=20).level
NUMBERS = {
    "KL": f"= {kl(1, 2):.3f} nats",
    "standard error": f"= {log_ratio_std(torch.tensor([1.0]), torch.tensor([2.0]).log()).item() / 20:.3f} nats",
    "gap": f"{-28.9 + 30.2:.1f} nats",
    "total KL": f"= {ROOM.sum():.3f} nats",
    "last death": f"At 2.0/0.5 = {thresholds(LAMBDAS, 0.5)[0]:g}",
    "errors": "Errors min(λ, 0.5): " + ", ".join(f"{error:g}" for error in error_per_direction(LAMBDAS, 0.5, 3)),
    "level": f"βσ_x² = {LEVEL:.3f}",
    "two variances": "4σ² = {} against μ⁴/σ² + 14μ² + 15σ² = {}".format(*score_variances(1, 1)),
    "log N": f"log 1000 = {math.log(1000):.2f} nats",
    "mismatch": f"≥ {9.5 - math.log(1000):.2f} nats",
    "collapse": f"λ₁ = {data_spectrum(digits().x).eigenvalues[0]:.2f} against σ_x² = {64 / (2 * 8):g}",
}


def mismatch_of_an_ideal_model(n_images: int, total_kl: float = 9.5, n_latents: int = 8) -> Estimate:
    """KL(q(z) ‖ p(z)) of the mixture over these images, if over all images the codes are exactly N(0, I)."""
    generator = torch.Generator().manual_seed(0)
    log_sigma = torch.full((n_images, n_latents), -total_kl / n_latents, dtype=torch.float64)  # mean KL −log σ each
    noise = torch.randn(2, n_images, n_latents, generator=generator, dtype=torch.float64)
    mu = torch.sqrt(1 - torch.exp(2 * log_sigma)) * noise[0]
    z = mu + log_sigma.exp() * noise[1]
    prior = torch.zeros_like(z)
    return estimate(mixture_log_density(z, mu, log_sigma) - log_density(z, prior, prior).sum(-1))


def test_an_ideal_model_shows_the_mismatch_that_the_guide_says():
    assert "shows 2.8 nats" in TEXT
    assert abs(mismatch_of_an_ideal_model(1000).z_score(2.8)) < 4
    assert mismatch_of_an_ideal_model(4000).mean < 2.2  # it is the number of images that makes it


SESSIONS = re.findall(r"^\| (\d) \| ([\d, ]+) \|.*\| ([\d, ]+) \|$", TEXT, re.MULTILINE)


def test_a_session_asks_for_no_more_reading_than_it_says():
    assert "at most 90 minutes of reading" in TEXT
    minutes = [sum(times(lesson).read for lesson in lessons.split(", ")) for _, lessons, _ in SESSIONS]
    assert len(minutes) == 5 and max(minutes) <= 90


def test_every_exam_question_belongs_to_one_session():
    questions = [int(number) for *_, asked in SESSIONS for number in asked.split(", ")]
    assert sorted(questions) == [int(number) for number in re.findall(r"^(\d+)\. \[\d\]", TEXT, re.MULTILINE)]


@pytest.mark.parametrize("said", NUMBERS.values(), ids=NUMBERS)
def test_a_number_in_the_guide_is_the_computed_one(said):
    assert said in TEXT


def test_every_cell_that_the_guide_names_is_there():
    """A link to a notebook is followed by headings of it in quotes."""
    rows = re.findall(r"\]\(\.\./(notebooks/[^)]+)\)([^|\n]*)", TEXT)
    assert len(rows) > 15
    for target, named in rows:
        notebook = json.loads((GUIDE.parent.parent / target).read_text(encoding="utf-8"))
        prose = "\n".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
        headings = set(re.findall(r"^#+ (.+)$", prose, re.MULTILINE))
        assert set(re.findall(r'"([^"]+)"', named)) <= headings, target


def test_the_cost_of_asymmetry_is_the_one_in_the_notebook():
    text = (GUIDE.parent.parent / "notebooks" / "01_gaussian_kl.ipynb").read_text(encoding="utf-8")
    assert "1.81 against 47.20" in TEXT and "= 1.81 nats" in text and "= 47.20 nats" in text
