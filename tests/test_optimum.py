"""The linear VAE reaches the optimum that theory knows."""

import pytest
import torch

from vae_lessons.data import digits
from vae_lessons.model import LinearVAE
from vae_lessons.objective import gaussian_elbo
from vae_lessons.optimum import fit_to_optimum
from vae_lessons.spectrum import data_spectrum, kl_per_latent, optimal_elbo

X = digits().x


@pytest.mark.parametrize("beta", [1.0, 0.5])
def test_a_linear_vae_trained_to_its_optimum_is_the_theory(beta):
    torch.manual_seed(1)
    model, spectrum = LinearVAE().double(), data_spectrum(X)
    reached = fit_to_optimum(model, X.double(), noise_var=0.5, beta=beta)
    gap = optimal_elbo(spectrum.eigenvalues, 0.5, 8, beta) - reached
    assert -1e-9 < gap < 1e-6
    kl = gaussian_elbo(model(X.double()), X.double(), 0.5).kl.mean(0).sort(descending=True).values.detach()
    theory = torch.from_numpy(kl_per_latent(spectrum.eigenvalues, 0.5 * beta, 8))
    torch.testing.assert_close(kl, theory, rtol=0, atol=2e-3)


def test_single_precision_is_refused():
    with pytest.raises(TypeError, match="x must be torch.float64, got torch.float32"):
        fit_to_optimum(LinearVAE(), X, 0.5)
