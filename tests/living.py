"""The living page in a notebook: what it must show after a key, computed by the package."""

from __future__ import annotations

import json

from browser import SOON
from playwright.sync_api import Locator, expect

from vae_lessons.packages import ROOT
from vae_lessons.spectrum import kl_per_latent

EIGENVALUES = json.loads((ROOT / "vae_lessons/recorded/living.json").read_text(encoding="utf-8"))["eigenvalues"]
BETAS = {"End": 5.0, "Home": 0.03}  # the ends of the slider; σ_x² is ½ at first


def move_water(area: Locator) -> None:
    """β by keys to both ends: the theory's total KL follows, and the networks draw another picture."""
    page, pictures = area.locator(".living"), []
    slider = page.get_by_label("β, price of a nat")
    slider.focus()
    for key, beta in BETAS.items():
        slider.press(key)
        total = kl_per_latent(EIGENVALUES, 0.5 * beta, 8).sum()
        row = page.locator("tr", has_text="total KL")
        expect(row.locator("td").first).to_have_text(f"{total:.2f}", timeout=SOON)
        pictures.append(another(page.locator(".digit canvas").nth(2), pictures))


def another(canvas: Locator, before: list[str]) -> str:
    """Wait until the canvas shows none of the pictures that it has shown before."""
    shown = "([canvas, before]) => before.includes(canvas.toDataURL()) ? null : canvas.toDataURL()"
    element = canvas.element_handle()
    return str(canvas.page.wait_for_function(shown, arg=[element, before], timeout=SOON).json_value())
