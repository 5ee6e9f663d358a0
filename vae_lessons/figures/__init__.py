"""Pure drawing: every function takes the axes and the numbers, computes no formula, and keeps nothing.

One module for each lesson, with the figures that it draws first, and `style` for what they share.
"""

from vae_lessons.figures.lesson00 import plot_images, plot_rows, tile
from vae_lessons.figures.lesson01 import plot_correlated, plot_densities, plot_integrand, plot_kl_curve
from vae_lessons.figures.lesson02 import plot_estimates, plot_kl_estimators
from vae_lessons.figures.lesson03 import plot_bound, plot_gap_of_width, plot_q_and_posterior, plot_two_drops
from vae_lessons.figures.lesson04 import plot_gradient_samples
from vae_lessons.figures.lesson05 import plot_history, plot_latent_map, plot_seeds
from vae_lessons.figures.lesson06 import SpectrumArtists, move_water, plot_errors, plot_recipes, plot_spectrum
from vae_lessons.figures.lesson07 import (
    KLPerLatent,
    Race,
    move_kl_per_latent,
    move_race,
    plot_advantage,
    plot_kl_per_latent,
    plot_loss_profiles,
    plot_race,
    plot_total_kl,
)
from vae_lessons.figures.lesson08 import (
    plot_corner_gains,
    plot_kl_runs,
    plot_live_latents,
    plot_nat_price,
    plot_noise_curve,
    plot_trials,
)
from vae_lessons.figures.lesson09 import plot_codes, plot_mismatch, plot_rate_distortion, plot_split, plot_tangent
from vae_lessons.figures.lesson10 import (
    plot_bound_histogram,
    plot_gap,
    plot_long_training,
    plot_scores,
    plot_short_cut,
    plot_table,
)
from vae_lessons.figures.lesson11 import plot_gaps, plot_nats, plot_over_log_snr
from vae_lessons.figures.style import DROWNED, THEORY, TRAINED, WATER, show

__all__ = [
    "DROWNED",
    "THEORY",
    "TRAINED",
    "WATER",
    "KLPerLatent",
    "Race",
    "SpectrumArtists",
    "move_kl_per_latent",
    "move_race",
    "move_water",
    "plot_advantage",
    "plot_bound",
    "plot_bound_histogram",
    "plot_codes",
    "plot_corner_gains",
    "plot_correlated",
    "plot_densities",
    "plot_errors",
    "plot_estimates",
    "plot_gap",
    "plot_gap_of_width",
    "plot_gaps",
    "plot_gradient_samples",
    "plot_history",
    "plot_images",
    "plot_integrand",
    "plot_kl_curve",
    "plot_kl_estimators",
    "plot_kl_per_latent",
    "plot_kl_runs",
    "plot_latent_map",
    "plot_live_latents",
    "plot_long_training",
    "plot_loss_profiles",
    "plot_mismatch",
    "plot_nat_price",
    "plot_nats",
    "plot_noise_curve",
    "plot_over_log_snr",
    "plot_q_and_posterior",
    "plot_race",
    "plot_rate_distortion",
    "plot_recipes",
    "plot_rows",
    "plot_scores",
    "plot_seeds",
    "plot_short_cut",
    "plot_spectrum",
    "plot_split",
    "plot_table",
    "plot_tangent",
    "plot_total_kl",
    "plot_trials",
    "plot_two_drops",
    "show",
    "tile",
]
