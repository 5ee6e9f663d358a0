"""A stack trains every model as if it were alone."""

import pytest
import torch
from torch import nn

from vae_lessons.data import digits
from vae_lessons.model import reference_vae
from vae_lessons.objective import negative_elbo
from vae_lessons.stacks import stack_models, sweep
from vae_lessons.training import fit

X = digits().x.double()
SHORT = {"epochs": 2, "progress": False}


def small(layer=nn.Linear):
    return reference_vae(n_latents=3, n_hidden=10, layer=layer).double()


def drawn(seed: int):
    torch.manual_seed(seed)
    return small()


def test_every_model_of_a_sweep_is_the_one_fit_alone():
    betas = [0.1, 1.0, 3.0]
    together = sweep(X[:300], betas, noise_var=0.3, n_latents=3, n_hidden=10, seed=4, **SHORT)
    for m, beta in enumerate(betas):
        torch.manual_seed(4)
        alone = reference_vae(n_latents=3, n_hidden=10).double()
        history = fit(alone, X[:300], negative_elbo(0.3, beta), seed=4, **SHORT)
        for ours, theirs in zip(together.model(m).parameters(), alone.parameters()):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-9)
        torch.testing.assert_close(together.history.elbo[:, m], history.elbo)
        torch.testing.assert_close(together.history.kl[:, m], history.kl)


def test_sweep_leaves_the_global_generator_alone():
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    sweep(X[:64], [1.0], **SHORT)
    assert torch.equal(torch.rand(1), expected)


def test_stack_models_holds_the_models_of_their_seeds():
    stack = stack_models(small, [3, 4, 3])
    for m, seed in enumerate((3, 4, 3)):
        for name, value in drawn(seed).state_dict().items():
            assert torch.equal(stack.state_dict()[name][m], value)


def test_stack_models_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    stack_models(small, [0, 1])
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sweep(X, [1.0, -1.0]), "betas must not be negative, got -1"),
        (lambda: sweep(X, []), "betas must not be empty"),
        (lambda: stack_models(small, []), "number of seeds must be at least 1"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
