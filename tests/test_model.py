"""The reference model, against the blog post's equations written out independently with NumPy noise."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from vae_lessons.model import (
    VAE,
    Decoder,
    Encoder,
    LinearVAE,
    StackedLinear,
    reference_vae,
    reparameterize,
    standard_noise,
)
from vae_lessons.recipes import post_loss


def batch(n: int = 7, d: int = 64, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.rand(n, d, generator=torch.Generator().manual_seed(0), dtype=dtype)


def post_equations(weights: dict[str, torch.Tensor], x: torch.Tensor, noise: np.ndarray) -> tuple[torch.Tensor, ...]:
    """The post's forward pass and loss, from its equations: x̂, the loss."""

    def affine(name: str, value: torch.Tensor) -> torch.Tensor:
        return value @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    h = F.relu(affine("encoder.linear2", F.relu(affine("encoder.linear1", x))))
    mean, std = affine("head_mu", h), torch.exp(affine("head_log_sigma", h))
    z = mean + std * torch.from_numpy(noise)
    x_hat = F.relu(affine("decoder.linear2", F.relu(affine("decoder.linear1", z))))
    squares = mean * mean + std * std - torch.log(std * std) - 1
    return x_hat, ((x_hat - x) ** 2).mean() + 0.5 * squares.mean()


def test_exact_variant_gives_the_posts_outputs_loss_and_gradients():
    torch.manual_seed(0)
    model, x = reference_vae(output="relu").double(), batch()
    noise = np.random.RandomState(0).normal(0, 1, size=(7, 8))
    output = model(x, eps=torch.from_numpy(noise))
    loss, _ = post_loss(output, x)
    gradients = torch.autograd.grad(loss, list(model.parameters()))

    weights = {name: w.detach().clone().requires_grad_() for name, w in model.named_parameters()}
    x_hat, post = post_equations(weights, x, noise)
    torch.testing.assert_close(output.x_hat, x_hat, rtol=0, atol=1e-6)
    assert loss.item() == pytest.approx(post.item(), abs=1e-6)
    for ours, theirs in zip(gradients, torch.autograd.grad(post, list(weights.values()))):
        assert ours.abs().max() > 0
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


def test_default_sizes_are_the_posts():
    shapes = {name: tuple(w.shape) for name, w in reference_vae().named_parameters() if "weight" in name}
    assert shapes == {
        "encoder.linear1.weight": (100, 64),
        "encoder.linear2.weight": (100, 100),
        "decoder.linear1.weight": (100, 8),
        "decoder.linear2.weight": (64, 100),
        "head_mu.weight": (8, 100),
        "head_log_sigma.weight": (8, 100),
    }


@pytest.mark.parametrize(("d", "k", "h", "f"), [(5, 1, 3, 4), (784, 20, 400, 200)])
def test_any_size_works(d, k, h, f):
    output = VAE(Encoder(d, h, f), Decoder(k, h, d))(batch(2, d, torch.float32))
    assert [tuple(t.shape) for t in output] == [(2, d), (2, k), (2, k), (2, k)]


@pytest.mark.parametrize("model", [reference_vae(), LinearVAE()], ids=["mlp", "linear"])
def test_noise_comes_from_torch_and_from_the_generator(model):
    x = batch(dtype=torch.float32)
    torch.manual_seed(1)
    first = model(x).z
    torch.manual_seed(1)
    np.random.seed(5)  # noqa: NPY002  the global seed is to make no difference
    assert torch.equal(first, model(x).z)
    seeded = [model(x, generator=torch.Generator().manual_seed(s)).z for s in (3, 3, 4)]
    assert torch.equal(seeded[0], seeded[1]) and not torch.equal(seeded[0], seeded[2])


def test_noise_is_made_on_the_models_device_in_its_dtype():
    assert reference_vae().double()(batch()).z.dtype == torch.float64
    model = reference_vae().to("meta")
    mu, log_sigma = model.encode(torch.empty(3, 64, device="meta"))
    from vae_lessons.model import standard_noise

    assert standard_noise(mu).device.type == "meta" and log_sigma.device.type == "meta"


def test_z_has_the_mean_and_the_width_it_should_have():
    """Over 100 000 draws each of 8 means and 8 variances stays within 5 standard errors."""
    mu, log_sigma = torch.linspace(-1, 1, 8).double(), torch.linspace(-1, 0.5, 8).double()
    n = 100_000
    eps = torch.randn(n, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    z = reparameterize(mu.expand(n, 8), log_sigma.expand(n, 8), eps)
    sigma = log_sigma.exp()
    assert ((z.mean(0) - mu).abs() < 5 * sigma / math.sqrt(n)).all()
    assert ((z.var(0) / sigma**2 - 1).abs() < 5 * math.sqrt(2 / n)).all()


def test_relu_output_is_never_negative_and_the_linear_one_is():
    z = torch.randn(50, 8)
    torch.manual_seed(0)
    assert Decoder(output="relu")(z).min() == 0
    assert Decoder(output="linear")(z).min() < 0


BAD = {
    "wrong width": (
        lambda: reference_vae()(torch.zeros(2, 63)),
        ValueError,
        r"x must have shape \(B, 64\), got \(2, 63\)",
    ),
    "one image without batch": (lambda: reference_vae()(torch.zeros(64)), ValueError, r"x must have shape \(B, 64\)"),
    "empty batch": (lambda: reference_vae()(torch.zeros(0, 64)), ValueError, "x must not be empty"),
    "integer pixels": (
        lambda: reference_vae()(torch.zeros(2, 64, dtype=torch.uint8)),
        TypeError,
        "x must be a floating",
    ),
    "NaN pixel": (lambda: reference_vae()(torch.full((2, 64), math.nan)), ValueError, "x must be finite"),
    "noise of another shape": (
        lambda: reference_vae()(torch.zeros(2, 64), eps=torch.zeros(8)),
        ValueError,
        "eps must have the shape of mu",
    ),
    "NumPy's float64 noise": (
        lambda: reference_vae()(torch.zeros(2, 64), eps=torch.zeros(2, 8).double()),
        TypeError,
        "eps must have the dtype of mu",
    ),
    "no latents": (lambda: Decoder(n_latents=0), ValueError, "n_latents must be at least 1, got 0"),
    "half a unit": (lambda: Encoder(n_hidden=2.5), TypeError, "n_hidden must be an int, got float"),
    "unknown output": (
        lambda: Decoder(output="tanh"),
        ValueError,
        "output must be one of 'linear', 'relu', got 'tanh'",
    ),
}


@pytest.mark.parametrize(("call", "error", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_the_sizes_are_the_posts_unless_others_are_given():
    shapes = {name: tuple(part.shape) for name, part in VAE(Encoder(), Decoder()).named_parameters() if part.ndim == 2}
    assert shapes == {
        "encoder.linear1.weight": (100, 64),
        "encoder.linear2.weight": (100, 100),
        "decoder.linear1.weight": (100, 8),
        "decoder.linear2.weight": (64, 100),
        "head_mu.weight": (8, 100),
        "head_log_sigma.weight": (8, 100),
    }
    assert LinearVAE().head_mu.weight.shape == (8, 64)


def test_a_stacked_layer_starts_uniform_within_one_over_the_root_of_its_inputs():
    """Within the ends, near both of them, and with their variance: a right layer fails one seed in 10 000."""
    torch.manual_seed(0)
    layer = StackedLinear(10, 16, 100)
    for part in (layer.weight, layer.bias):
        entries, bound = part.detach().flatten().double(), 1 / 4
        assert -bound <= entries.min() < -0.98 * bound and 0.98 * bound < entries.max() <= bound
        spread = entries.square().mean() / (bound**2 / 3)  # its standard error is √(4/5/n)
        assert abs(spread - 1) < 4 * (0.8 / len(entries)) ** 0.5


def test_each_model_of_a_stack_may_have_a_generator_of_its_own():
    like = torch.empty(2, 5, 3, dtype=torch.float64)
    seeds = [torch.Generator().manual_seed(seed) for seed in (1, 2)]
    drawn = standard_noise(like, seeds)
    alone = [standard_noise(like[0], torch.Generator().manual_seed(seed)) for seed in (1, 2)]
    assert torch.equal(drawn, torch.stack(alone)) and drawn.dtype == torch.float64
    for wrong in (like[0], torch.empty(3, 5, 3)):
        with pytest.raises(ValueError, match="generator must be one, or one for each model of a stack, got 2"):
            standard_noise(wrong, seeds)
