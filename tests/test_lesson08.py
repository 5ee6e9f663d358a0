"""Lesson 08: the best variance, free bits, a loss for each epoch, and stacks of different seeds."""

import numpy as np
import pytest
import torch
from scipy import optimize
from torch import nn

from vae_lessons.data import digits
from vae_lessons.model import reference_vae
from vae_lessons.objective import best_noise_var, floored_kl, gaussian_elbo, negative_elbo
from vae_lessons.spectrum import data_spectrum, error_per_direction, ppca_noise_var
from vae_lessons.training import fit, stack_models

X = digits().x[:128].double()


def small(layer=nn.Linear):
    return reference_vae(n_latents=3, n_hidden=10, layer=layer).double()


def drawn(seed: int):
    torch.manual_seed(seed)
    return small()


def test_best_noise_var_is_the_maximum_of_torchs_normal_log_probability():
    x, x_hat = torch.randn(2, 20, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).unbind(0)

    def minus_log_probability(log_variance: float) -> float:
        return -torch.distributions.Normal(x_hat, np.exp(0.5 * log_variance)).log_prob(x).sum().item()

    found = optimize.minimize_scalar(minus_log_probability, bounds=(-3, 3), method="bounded", options={"xatol": 1e-9})
    assert best_noise_var(x, x_hat).item() == pytest.approx(np.exp(found.x), rel=1e-5)


def test_in_a_stack_every_model_gets_its_own_variance():
    stack = stack_models(small, [0, 1])
    output = stack(X, generator=torch.Generator().manual_seed(0))
    together = gaussian_elbo(output, X, best_noise_var(X, output.x_hat)).elbo
    for m, seed in enumerate((0, 1)):
        alone = drawn(seed)(X, generator=torch.Generator().manual_seed(0))
        expected = gaussian_elbo(alone, X, best_noise_var(X, alone.x_hat)).elbo
        torch.testing.assert_close(together[m], expected)


def test_alternating_ends_at_the_ppca_variance():
    eigenvalues, noise_var = data_spectrum(digits().x).eigenvalues, 4.0
    for _ in range(20):
        noise_var = error_per_direction(eigenvalues, noise_var, 8).sum() / 64
    assert noise_var == pytest.approx(ppca_noise_var(eigenvalues, 8), rel=1e-9)


def test_free_bits_against_a_loop():
    kl = torch.rand(4, 5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    floors = torch.tensor([0.0, 0.4, 0.5, 0.9], dtype=torch.float64)
    expected = [sum(max(float(floors[m]), float(np.mean(kl[m, :, k].numpy()))) for k in range(3)) for m in range(4)]
    assert floored_kl(kl, floors).tolist() == pytest.approx(expected)
    assert floored_kl(kl[1], 0.4).item() == pytest.approx(expected[1])


def test_below_the_floor_there_is_no_gradient():
    kl = torch.tensor([[0.5, 0.02]], requires_grad=True)
    floored_kl(kl, 0.1).backward()
    assert kl.grad.tolist() == [[1.0, 0.0]]


def test_stack_models_holds_the_models_of_their_seeds():
    stack = stack_models(small, [3, 4, 3])
    for m, seed in enumerate((3, 4, 3)):
        for name, value in drawn(seed).state_dict().items():
            assert torch.equal(stack.state_dict()[name][m], value)


def test_stack_models_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    stack_models(small, [0, 1])
    assert torch.equal(torch.get_rng_state(), before)


def test_each_epoch_uses_its_loss_and_the_last_serves_the_rest():
    seen = []

    def numbered(number: int):
        def loss(output, images):
            seen.append(number)
            return negative_elbo(0.3)(output, images)

        return loss

    fit(drawn(0), X, [numbered(0), numbered(1)], epochs=4, batch_size=128, progress=False)
    assert seen == [0, 1, 1, 1]


def test_a_list_of_one_loss_is_that_loss():
    alone, listed = drawn(0), drawn(0)
    fit(alone, X, negative_elbo(0.3), epochs=2, progress=False)
    fit(listed, X, [negative_elbo(0.3)], epochs=2, progress=False)
    assert all(torch.equal(a, b) for a, b in zip(alone.parameters(), listed.parameters()))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: best_noise_var(X, X[:, :3]), "x_hat must have the shape"),
        (lambda: floored_kl(torch.ones(2, 3), -0.1), "floor must not be negative"),
        (lambda: floored_kl(torch.full((2, 3), torch.nan), 0.1), "kl must be finite"),
        (lambda: stack_models(small, []), "number of seeds must be at least 1"),
        (lambda: fit(drawn(0), X, [], progress=False), "loss must be a loss or a list"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
