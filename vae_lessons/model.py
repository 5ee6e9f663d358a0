"""The reference VAE: Encoder, Decoder, VAE, and the linear VAE of the theory (notebook 05).

Shapes: B examples, D pixels, H hidden units, K latents. The architecture is the one of the blog
post the course starts from: two linear layers with ReLU in each half, and one linear head each
for the mean and the log of the standard deviation.

Every class takes the layer to build with: `torch.nn.Linear` for one model, or `StackedLinear`
for M models side by side, with shapes (M, B, ·) in place of (B, ·).
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from vae_lessons.checks import (
    check_alike,
    check_callable,
    check_choice,
    check_count,
    check_generators,
    check_layer_input,
    check_tensor,
    check_type,
)

Layer = Callable[[int, int], nn.Module]
Generators = torch.Generator | Sequence[torch.Generator]  # one, or one for each model of a stack
OUTPUTS = {"linear": nn.Identity, "relu": nn.ReLU}


class Output(NamedTuple):
    """What one pass returns: x_hat (B, D), and mu, log_sigma, z (B, K)."""

    x_hat: Tensor
    mu: Tensor
    log_sigma: Tensor
    z: Tensor


class Encoder(nn.Module):
    """x (B, D) → features h (B, F), by two linear layers with ReLU."""

    def __init__(self, n_pixels: int = 64, n_hidden: int = 100, n_features: int = 100, layer: Layer = nn.Linear):
        super().__init__()
        _check_sizes(n_pixels=n_pixels, n_hidden=n_hidden, n_features=n_features)
        check_callable("layer", layer)
        self.n_pixels, self.n_features = n_pixels, n_features
        self.linear1 = layer(n_pixels, n_hidden)
        self.linear2 = layer(n_hidden, n_features)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu_(self.linear2(torch.relu_(self.linear1(x))))  # in place: saves memory traffic


class Decoder(nn.Module):
    """z (B, K) → x̂ (B, D). The post ends in "relu"; "linear" lets a pixel be pulled both ways.

    With a Bernoulli decoder (see `objective`), x̂ holds logits and the output stays "linear".
    """

    def __init__(
        self,
        n_latents: int = 8,
        n_hidden: int = 100,
        n_pixels: int = 64,
        output: str = "linear",
        layer: Layer = nn.Linear,
    ):
        super().__init__()
        _check_sizes(n_latents=n_latents, n_hidden=n_hidden, n_pixels=n_pixels)
        check_choice("output", output, tuple(OUTPUTS))
        check_callable("layer", layer)
        self.n_latents = n_latents
        self.linear1 = layer(n_latents, n_hidden)
        self.linear2 = layer(n_hidden, n_pixels)
        self.output = OUTPUTS[output]()

    def forward(self, z: Tensor) -> Tensor:
        x_hat: Tensor = self.output(self.linear2(torch.relu_(self.linear1(z))))
        return x_hat


class LatentGaussian(nn.Module):
    """What every VAE of the course shares: encode, draw z = mu + sigma·eps, decode."""

    n_pixels: int
    n_latents: int

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, D) → mu, log_sigma (B, K) of q(z|x)."""
        raise NotImplementedError

    def decode(self, z: Tensor) -> Tensor:
        """z (B, K) → the mean (or the logits) of p(x|z), (B, D)."""
        raise NotImplementedError

    def forward(self, x: Tensor, eps: Tensor | None = None, generator: Generators | None = None) -> Output:
        """Encode x, draw z with torch's noise, decode.

        Args:
            x: (B, D), floating point.
            eps: (B, K), the noise to use; drawn from N(0, 1) if not given.
            generator: where to draw it from, see `standard_noise`; torch's global generator if not given.

        Raises:
            TypeError, ValueError: x or eps with another shape or dtype, empty, NaN or infinite.
        """
        check_tensor("x", x)  # shape and dtype: `encode`
        if generator is not None:
            check_generators(generator)
        mu, log_sigma = self.encode(x)
        if eps is None:
            eps = standard_noise(mu, generator)
        else:
            check_alike(mu=mu, eps=eps)
        # Unchecked: weights that diverged give NaN here, and whoever trains them says so.
        z = mu + log_sigma.exp() * eps
        return Output(self.decode(z), mu, log_sigma, z)


class VAE(LatentGaussian):
    """Encoder, two heads, decoder; the sizes of the heads are read from the two halves."""

    def __init__(self, encoder: Encoder, decoder: Decoder, layer: Layer = nn.Linear):
        super().__init__()
        check_type("encoder", encoder, nn.Module)
        check_type("decoder", decoder, nn.Module)
        check_callable("layer", layer)
        self.encoder, self.decoder = encoder, decoder
        self.n_pixels, self.n_latents = encoder.n_pixels, decoder.n_latents
        self.head_mu = layer(encoder.n_features, decoder.n_latents)
        self.head_log_sigma = layer(encoder.n_features, decoder.n_latents)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        check_layer_input("x", x, self, self.n_pixels, "(..., B, D)")
        h = self.encoder(x)
        return self.head_mu(h), self.head_log_sigma(h)

    def decode(self, z: Tensor) -> Tensor:
        check_layer_input("z", z, self, self.n_latents)
        x_hat: Tensor = self.decoder(z)
        return x_hat


class LinearVAE(LatentGaussian):
    """mu and x̂ linear, sigma one number per latent: the model that `spectrum` solves exactly."""

    def __init__(self, n_pixels: int = 64, n_latents: int = 8):
        super().__init__()
        _check_sizes(n_pixels=n_pixels, n_latents=n_latents)
        self.n_pixels, self.n_latents = n_pixels, n_latents
        self.head_mu = nn.Linear(n_pixels, n_latents)
        self.log_sigma = nn.Parameter(torch.zeros(n_latents))
        self.decoder = nn.Linear(n_latents, n_pixels)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        check_layer_input("x", x, self, self.n_pixels, "(..., B, D)")
        mu = self.head_mu(x)
        return mu, self.log_sigma.expand_as(mu)

    def decode(self, z: Tensor) -> Tensor:
        check_layer_input("z", z, self, self.n_latents)
        x_hat: Tensor = self.decoder(z)
        return x_hat


class StackedLinear(nn.Module):
    """M linear layers side by side: x (M, B, D_in), or one (B, D_in) for all, → (M, B, D_out).

    Each starts as `torch.nn.Linear` does, every weight uniform within ±1/√D_in.
    """

    def __init__(self, n_models: int, n_in: int, n_out: int):
        super().__init__()
        _check_sizes(n_models=n_models, n_in=n_in, n_out=n_out)
        bound = 1 / math.sqrt(n_in)
        self.weight = nn.Parameter(torch.empty(n_models, n_out, n_in).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(n_models, n_out).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        n_models, _, n_in = self.weight.shape
        if x.shape[-1:] != (n_in,) or x.shape[:-2] not in ((), (n_models,)):
            raise ValueError(f"x must have shape (B, {n_in}) or ({n_models}, B, {n_in}), got {tuple(x.shape)}")
        x = x.expand(n_models, *x.shape[-2:])
        return _Affine.apply(x, self.weight, self.bias)  # type: ignore[no-any-return, no-untyped-call]


class _Affine(torch.autograd.Function):
    """x Wᵀ + b for M models at once, (M, B, D_out); an x that was expanded is not copied.

    The gradient that torch derives for such a product comes out transposed, and each step would copy it for Adam.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return torch.baddbmm(bias.unsqueeze(1), x, weight.mT)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        grad_x = grad.bmm(weight) if ctx.needs_input_grad[0] else None
        return grad_x, grad.mT.bmm(x), grad.sum(1)


def reference_vae(
    n_pixels: int = 64, n_latents: int = 8, n_hidden: int = 100, output: str = "linear", layer: Layer = nn.Linear
) -> VAE:
    """The post's architecture at any size; `output="relu"` for the post's own last layer (notebook 05).

    Raises:
        TypeError, ValueError: sizes below 1, another output, or a layer that cannot be called.
    """
    encoder = Encoder(n_pixels, n_hidden, n_hidden, layer)
    return VAE(encoder, Decoder(n_latents, n_hidden, n_pixels, output, layer), layer)


def reparameterize(mu: Tensor, log_sigma: Tensor, eps: Tensor) -> Tensor:
    """z = mu + sigma·eps: a sample of N(mu, sigma²) that gradients pass through (notebook 04).

    Args:
        mu, log_sigma, eps: floating-point tensors of one shape, (...), often (B, K); eps standard normal.

    Returns:
        Tensor (...).

    Raises:
        TypeError, ValueError: other dtypes or shapes, empty, NaN or infinite.
    """
    check_alike(mu=mu, log_sigma=log_sigma, eps=eps)
    return mu + log_sigma.exp() * eps


def standard_noise(like: Tensor, generator: Generators | None = None) -> Tensor:
    """eps from N(0, 1) with the shape, dtype and device of `like`: (B, K), or (M, B, K).

    It is drawn on the generator's device and then moved: from a generator on the CPU comes the same on every device.
    The M models of a stack share one draw, so that they differ by their β and not by their luck (notebook 07);
    or each has its own, from M generators.

    Raises:
        TypeError, ValueError: `like` no tensor with at least two dimensions, `generator` none of torch's, or not M.
    """
    check_type("like", like, Tensor)
    if not like.is_floating_point():
        raise TypeError(f"like must be a floating-point tensor, got {like.dtype}")
    if like.ndim < 2:
        raise ValueError(f"like must have shape (B, K) or (M, B, K), got {tuple(like.shape)}")
    if generator is not None:
        check_generators(generator)
    if isinstance(generator, Sequence):
        if like.ndim != 3 or len(generator) != len(like):
            raise ValueError(f"generator must be one, or one for each model of a stack, got {len(generator)}")
        return torch.stack([standard_noise(each, one) for each, one in zip(like, generator)])
    device = like.device if generator is None else generator.device
    eps = torch.randn(like.shape[-2:], generator=generator, dtype=like.dtype, device=device)
    return eps.to(like.device).expand_as(like)


def _check_sizes(**sizes: int) -> None:
    for name, size in sizes.items():
        check_count(name, size)
