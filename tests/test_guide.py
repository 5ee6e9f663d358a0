"""The numbers in the teachers' guide, and that it leads somewhere."""

import json
import math
import re
from pathlib import Path

import pytest
import sympy as sp
import torch

from vae_lessons.data import digits
from vae_lessons.gaussian import kl_to_standard
from vae_lessons.montecarlo import log_ratio_std
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
    "level": f"βσ² = {LEVEL:.3f}",
    "two variances": "4σ² = {} against μ⁴/σ² + 14μ² + 15σ² = {}".format(*score_variances(1, 1)),
    "log N": f"log 1000 = {math.log(1000):.2f} nats",
    "mismatch": f"≥ {9.5 - math.log(1000):.2f} nats",
    "collapse": f"λ₁ = {data_spectrum(digits().x).eigenvalues[0]:.2f} against σ² = {64 / (2 * 8):g}",
}


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
