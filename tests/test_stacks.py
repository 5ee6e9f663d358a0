"""A stack trains every model as if it were alone."""

from functools import partial

import pytest
import torch
from torch import nn

from vae_lessons.data import digits
from vae_lessons.model import StackedLinear, reference_vae
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


def test_a_sweep_goes_on_without_the_beta_that_diverges():
    betas = [0.1, 1e307, 1.0]
    with pytest.warns(RuntimeWarning, match=r"number 1 \(epoch 1\)"):
        together = sweep(X[:128], betas, n_hidden=10, **SHORT)
    assert together.history.loss[:, 1].isnan().all()
    alone = sweep(X[:128], [0.1, 1.0], n_hidden=10, **SHORT)
    torch.testing.assert_close(together.history.loss[:, [0, 2]], alone.history.loss)


def test_a_stack_built_by_hand_starts_as_linear_layers_do():
    torch.manual_seed(0)
    stack = reference_vae(layer=partial(StackedLinear, 3))
    for name, weight in stack.named_parameters():
        n_in = stack.get_parameter(name.replace("bias", "weight")).shape[-1]
        scaled = weight.detach() * n_in**0.5
        assert scaled.abs().max() <= 1 and scaled.std() == pytest.approx(1 / 3**0.5, rel=0.25), name
    assert not torch.equal(stack.head_mu.weight[0], stack.head_mu.weight[1])
    history = fit(stack, X[:128].float(), negative_elbo(), **SHORT)
    assert history.loss.isfinite().all()


def test_each_model_of_a_stack_can_have_its_own_images():
    stack = stack_models(small, [0, 1])
    images = torch.stack([X[:5], X[5:10]])
    eps = torch.randn(2, 5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    together = stack(images, eps=eps)
    for m in range(2):
        alone = drawn(m)(images[m], eps=eps[m])
        for ours, theirs in zip(together, alone):
            torch.testing.assert_close(ours[m], theirs)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sweep(X, [1.0, -1.0]), "betas must not be negative, got -1"),
        (lambda: sweep(X, []), "betas must not be empty"),
        (lambda: stack_models(small, []), "seeds must hold at least one, got none"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
