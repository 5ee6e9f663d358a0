"""What would fail on a GPU fails here: everything runs on a second device, which torch has everywhere, "meta".

Its tensors have a shape, a dtype and a device, but no numbers. So what asks for one is answered: any() is no, all()
is yes, and a number is one half. Where there is a GPU, the numbers are compared too.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from vae_lessons.bounds import elbo_of_posterior, importance_bound, improve_posterior, log_importance_weights
from vae_lessons.data import digits
from vae_lessons.devices import best_device
from vae_lessons.model import LinearVAE, reference_vae, standard_noise
from vae_lessons.montecarlo import estimate, kl_estimators, log_ratio, log_ratio_std
from vae_lessons.objective import (
    alive,
    bernoulli_elbo,
    bernoulli_log_likelihood,
    best_noise_var,
    floored_kl,
    gaussian_elbo,
    linear_elbo,
    negative_elbo,
)
from vae_lessons.recipes import Recipe, latent_loss, post_loss, recipe_loss
from vae_lessons.stacks import stack_models, sweep
from vae_lessons.training import fit, gradient_step, shuffled

META = torch.device("meta")
NUMBERS = {Tensor.item: 0.5, Tensor.__float__: 0.5}
MOVES = (Tensor.copy_, Tensor.to, Tensor.cpu)


class SecondDevice(TorchFunctionMode):
    """Refuses operations on tensors of two devices, as a GPU does; single numbers may come from anywhere."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        tensors = [value for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)]
        if tensors and tensors[0].device == META:
            if func in NUMBERS:
                return NUMBERS[func]
            if func is Tensor.__bool__:
                return tensors[0].answer
        result = func(*args, **(kwargs or {}))
        devices = {value.device.type for value in tensors if value.ndim}
        if isinstance(result, Tensor) and len(devices) > 1 and func not in MOVES:
            raise RuntimeError(f"{func.__name__} of tensors on the devices {devices}")
        if func in (Tensor.any, Tensor.all):
            result.answer = func is Tensor.all
        return result


@pytest.fixture(autouse=True)
def second_device() -> Iterator[None]:
    with SecondDevice():
        yield


def on(device: torch.device, *, linear: bool = False) -> torch.nn.Module:
    torch.manual_seed(0)
    return (LinearVAE() if linear else reference_vae(n_hidden=5)).to(device)


def small_stack() -> torch.nn.Module:
    return stack_models(lambda layer: reference_vae(n_hidden=5, layer=layer), [0, 1]).to(META)


X = torch.empty(100, 64, device=META)
MU, EPS = torch.empty(100, 8, device=META), torch.empty(3, 100, 8, device=META)
SHORT = {"epochs": 2, "progress": False}
THREE = {"betas": [0.1, 1.0, 4.0], "n_hidden": 5} | SHORT


def one_step(generator: torch.Generator) -> Any:
    model = on(META)
    optimizer = torch.optim.Adam(model.parameters())
    return gradient_step(model, X, negative_elbo(), optimizer, generator)


def loss_of_a_pass(loss: Callable[..., Any]) -> Any:
    return loss(on(META)(X), X)


CASES: dict[str, Callable[[], Any]] = {
    "model": lambda: on(META)(X),
    "model, seeded": lambda: on(META)(X, generator=torch.Generator()),
    "linear model": lambda: on(META, linear=True)(X),
    "stack": lambda: small_stack()(X),
    "stack, a seed each": lambda: small_stack()(X, generator=[torch.Generator(), torch.Generator()]),
    "standard_noise": lambda: standard_noise(MU),
    "shuffled": lambda: list(shuffled(X, 32, torch.Generator())),
    "shuffled, a seed each": lambda: list(shuffled(X, 32, [torch.Generator(), torch.Generator()])),
    "fit": lambda: fit(on(META), X, negative_elbo(), **SHORT),
    "fit of a linear model": lambda: fit(on(META, linear=True), X, negative_elbo(), **SHORT),
    "fit of a stack": lambda: fit(small_stack(), X, negative_elbo(beta=X.new_empty(2)), seed=[3, 4], **SHORT),
    "fit, the post's loss": lambda: fit(on(META), X, post_loss, **SHORT),
    "gradient_step": lambda: one_step(torch.Generator()),
    "sweep": lambda: sweep(X, **THREE)[0::2],
    "sweep, a noise variance each": lambda: sweep(X, noise_var=[0.1, 0.2, 0.3], **THREE)[0::2],
    "weights of a sweep": lambda: list(sweep(X, **THREE).stack.parameters()),
    "a model of a sweep": lambda: list(sweep(X, **THREE).model(1).to(META).parameters()),
    "gaussian_elbo": lambda: loss_of_a_pass(partial(gaussian_elbo, noise_var=0.5)),
    "bernoulli_elbo": lambda: loss_of_a_pass(bernoulli_elbo),
    "linear_elbo": lambda: linear_elbo(on(META, linear=True), X, 0.5),
    "best_noise_var": lambda: best_noise_var(X, on(META)(X).x_hat),
    "floored_kl": lambda: floored_kl(MU, 0.1),
    "floored_kl of a stack": lambda: floored_kl(EPS, torch.empty(3, device=META)),
    "alive": lambda: alive(MU[0]),
    "recipe_loss": lambda: loss_of_a_pass(recipe_loss(Recipe("mean", "mean"))),
    "latent_loss": lambda: latent_loss(MU, MU),
    "elbo_of_posterior": lambda: elbo_of_posterior(on(META), X, MU, MU, EPS, 0.5),
    "improve_posterior": lambda: improve_posterior(on(META), X, 0.5, steps=2),
    "importance_bound": lambda: importance_bound(
        log_importance_weights(on(META), X, EPS, bernoulli_log_likelihood),
    ),
    "log_ratio": lambda: [log_ratio(MU, MU, EPS), log_ratio_std(MU, MU)],
    "estimate": lambda: [*estimate(EPS).interval(), estimate(EPS).z_score(0.5)],
    "kl_estimators": lambda: list(kl_estimators(EPS).values()),
}


@pytest.mark.parametrize("case", CASES)
def test_everything_stays_on_the_device_of_its_data(case):
    tensors = [value for value in tree_leaves(CASES[case]()) if isinstance(value, Tensor)]
    assert tensors and {value.device for value in tensors} == {META}


def test_the_second_device_refuses_what_a_gpu_refuses():
    for operation in (torch.add, torch.mul, torch.matmul):
        with pytest.raises(RuntimeError, match="device"):
            operation(MU, torch.zeros(8))
    assert (MU + torch.tensor(1.0)).device == META


def drawn() -> list[Tensor]:
    """Noise and batches for data on the CPU."""
    x, (one, two) = torch.arange(15.0, device="cpu").reshape(5, 3), (torch.Generator().manual_seed(s) for s in (1, 2))
    torch.manual_seed(0)
    return [standard_noise(x), standard_noise(x, one), *shuffled(x, 4, one), *shuffled(x, 4, [one, two])]


def test_torchs_default_device_changes_neither_noise_nor_batches():
    expected = drawn()
    with META:
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(drawn(), expected, strict=True))


def test_a_generator_is_drawn_from_where_it_is_not_where_the_data_are():
    """Else its numbers would be another device's."""
    ours, theirs = (torch.Generator().manual_seed(1) for _ in range(2))
    standard_noise(MU, ours)
    torch.randn(MU.shape, generator=theirs)
    assert torch.equal(ours.get_state(), theirs.get_state())


def other_devices() -> list[str]:
    return [device for device in ("cuda", "mps") if device == best_device().type]


@pytest.mark.parametrize("device", ["cpu", *other_devices()])
def test_the_same_seed_trains_the_same_on_every_device(device):
    """Up to rounding: for the CPU itself exactly."""
    x, models = digits().x[:200], [on(torch.device("cpu")), on(torch.device(device))]
    histories = [fit(model, x.to(model.head_mu.weight.device), negative_elbo(), **SHORT) for model in models]
    torch.testing.assert_close(histories[1].loss.cpu(), histories[0].loss, rtol=1e-4, atol=0)
    for one, other in zip(models[0].parameters(), models[1].parameters()):
        torch.testing.assert_close(other.cpu(), one, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("cuda", "mps", "best"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")])
def test_the_best_device_is_a_gpu_if_there_is_one(monkeypatch, cuda, mps, best):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert best_device() == torch.device(best)
