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


@pytest.mark.parametrize("kind", [list, tuple, lambda values: torch.tensor(values).double()])
def test_models_of_a_sweep_may_have_noise_and_seeds_of_their_own(kind):
    noise, seeds = kind([0.2, 0.7]), [4, 5]
    together = sweep(X[:99].float(), [1.0, 1.0], noise_var=noise, n_latents=3, n_hidden=10, seed=seeds, **SHORT)
    assert together.history.loss.dtype == together.betas.dtype == torch.float32
    for m, seed in enumerate(seeds):
        torch.manual_seed(seed)
        alone = reference_vae(n_latents=3, n_hidden=10)
        history = fit(alone, X[:99].float(), negative_elbo((0.2, 0.7)[m]), seed=seed, **SHORT)
        torch.testing.assert_close(together.history.loss[:, m], history.loss)


def test_a_sweep_is_of_the_reference_vae_unless_told_otherwise():
    together = sweep(X[:99].float(), [1.0], **SHORT)
    torch.manual_seed(0)
    alone = reference_vae()
    history = fit(alone, X[:99].float(), negative_elbo(0.5), seed=0, **SHORT)
    torch.testing.assert_close(together.history.loss[:, 0], history.loss)
    assert [w.shape for w in together.model(0).parameters()] == [w.shape for w in alone.parameters()]


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


TWO = [1.0, 1.0]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: sweep(X, [1.0, -1.0]), ValueError, "betas must not be negative, got -1"),
        (lambda: sweep(X, []), ValueError, "betas must not be empty, got shape (0,)"),
        (lambda: sweep(X, [TWO]), ValueError, "betas must have shape (M,), got (1, 2)"),
        (lambda: sweep(X[0], TWO), ValueError, "x must have shape (N, D), got (64,)"),
        (lambda: sweep(X, TWO, noise_var=0.0), ValueError, "noise_var must be positive, got 0"),
        (lambda: sweep(X, TWO, noise_var=[1.0, 0.0]), ValueError, "noise_var must be positive, got 0"),
        (lambda: sweep(X, TWO, noise_var=[TWO]), ValueError, "noise_var must have shape (M,), got (1, 2)"),
        (
            lambda: sweep(X, TWO, noise_var=[1.0] * 3),
            ValueError,
            "noise_var must be one number or have shape (2,), got shape (3,)",
        ),
        (
            lambda: sweep(X, TWO, seed=[1, 2, 3]),
            ValueError,
            "seed must be one, or one for each of 2 models, got 3",
        ),
        (lambda: sweep(X, TWO, seed=[1, -1]), ValueError, "seed must be at least 0, got -1"),
        (lambda: sweep(X, TWO, seed=0.5), TypeError, "seed must be an int, got float"),
        (lambda: stack_models(small, []), ValueError, "seeds must hold at least one, got none"),
        (lambda: stack_models(small, 3), TypeError, "seeds must be of type Sequence, got int"),
        (lambda: stack_models(small, [-1]), ValueError, "seeds must be at least 0, got -1"),
        (lambda: stack_models(3, [1]), TypeError, "build must be a function, got int"),
        (
            lambda: stack_models(lambda layer: layer(3, 3), [1]),
            TypeError,
            "what build returns must be of type LatentGaussian, got Linear",
        ),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message


def test_a_model_of_a_sweep_is_asked_for_by_its_number():
    two = sweep(X[:64], TWO, n_hidden=3, epochs=1, progress=False)
    assert len(list(two.model(1).parameters())) == len(list(two.stack.parameters()))
    with pytest.raises(ValueError, match=r"^index must be less than 2, the number of models, got 2$"):
        two.model(2)
    with pytest.raises(ValueError, match=r"^index must be at least 0, got -1$"):
        two.model(-1)
