"""Exercises of notebook 05, the reference VAE."""

import torch
from torch import Tensor, nn

from vae_lessons.exercises.source import Case, Exercise, Lesson, Mistake
from vae_lessons.model import reference_vae

SETUP = """import math

import torch

from vae_lessons.gaussian import kl_to_standard"""

N_PIXELS = 6


def _model(generator: torch.Generator, n_latents: int, dtype: torch.dtype = torch.float32) -> nn.Module:
    """A small VAE with large weights, so that its decoder is far from linear."""
    with torch.random.fork_rng(devices=[]):  # the learner's random numbers stay as they are
        model = reference_vae(N_PIXELS, n_latents, n_hidden=20)
    for weights in model.parameters():
        weights.data = 0.4 * torch.randn(weights.shape, generator=generator)
    return model.to(dtype)


def _images(generator: torch.Generator, n: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.rand(n, N_PIXELS, generator=generator, dtype=dtype)


EXCHANGE = Exercise(
    name="vae-exchange-rate",
    title="Predict a number",
    task="""With `noise_var=0.03`, one more latent would cost 1.5 nats per image. By how much must it lower the squared error of an image (summed over
its pixels) for the ELBO to stay as it is?""",
    stub="less_error = ...",
    answer="less_error",
    solution="""noise_var, price = 0.03, 1.5
less_error = price * 2 * noise_var""",
    why="log p(x|z) contains −‖x − x̂‖²/(2σ_x²), so one nat buys 2σ_x² = 0.06 squared pixels: 1.5 nats must buy 0.09. The other term of log p(x|z) does not change. This is what “exchange rate” means: with a larger `noise_var`, the same latent would have to remove more error.",
    hints=(
        "The ELBO is log p(x|z) − KL. The KL rises by 1.5; by how much must log p(x|z) rise?",
        "Only −‖x − x̂‖²/(2σ_x²) depends on the error. How much less error makes it 1.5 larger?",
        "1.5 · 2 · 0.03",
    ),
    mistakes=(
        Mistake("less_error = 1.5 * 0.03", "The Gaussian has a 2 in it: the error is divided by 2σ_x², not by σ_x²."),
        Mistake(
            "less_error = 1.5 * 2 * 0.03**2",
            "You squared `noise_var`. It is the variance σ_x² already; the standard deviation would be 0.17.",
        ),
        Mistake(
            "less_error = 1.5 * 2 * 0.03**0.5",
            "You took the root of `noise_var`. The exponent is divided by 2σ_x², and `noise_var` is σ_x² itself.",
        ),
        Mistake(
            "less_error = 1.5 / (2 * 0.03)",
            "That converts the wrong way: you read 1.5 as squared pixels and got nats. A digit has no 25 squared pixels of error to give away: even the mean image has 4.7 on average.",
        ),
        Mistake(
            "less_error = 1.5 * 2 * 0.03 / 64",
            "That is the error per pixel. Here it is summed over the 64 pixels, as in log p(x|z).",
        ),
        Mistake(
            "less_error = 1.5",
            "That would be right if one squared pixel were worth one nat, so for σ_x² = ½. Here it is 0.03.",
        ),
    ),
)


def _pairs_of_images(generator: torch.Generator) -> list[Case]:
    def case(label: str, n_latents: int, steps: int, dtype: torch.dtype = torch.float32) -> Case:
        model = _model(generator, n_latents, dtype)
        return Case(label, (model, _images(generator, 1, dtype), _images(generator, 1, dtype), steps))

    return [
        case("5 steps with 3 latents", 3, 5),
        case("11 steps with one latent", 1, 11),
        case("2 steps, the two ends", 2, 2),
        case("double precision", 4, 9, torch.float64),
    ]


INTERPOLATE = Exercise(
    name="vae-interpolate",
    title="Complete a function",
    task="""What lies between a 3 and an 8? Encode both images, walk from the mean code μ of the first to that of the second in a straight line, and
decode every point of it: `steps` points at equal distances, both ends included, no noise.
`model.encode(x)` returns μ and log σ, `model.decode(z)` the images. When it is right, try it on the model you trained above.""",
    stub='''def interpolate(model, x_a, x_b, steps):
    """x_a, x_b (1, D) → the decoded line between their mean codes, (steps, D)."""
    ...''',
    answer="interpolate",
    solution='''def interpolate(model, x_a, x_b, steps):
    """x_a, x_b (1, D) → the decoded line between their mean codes, (steps, D)."""
    mu_a, _ = model.encode(x_a)
    mu_b, _ = model.encode(x_b)
    t = torch.linspace(0, 1, steps, dtype=mu_a.dtype).unsqueeze(1)
    return model.decode(mu_a + t * (mu_b - mu_a))''',
    why="""The column t (steps, 1) and the codes (1, K) broadcast to (steps, K), a batch for the decoder. The line is straight among the codes and
bent among the images: a straight line among the images would fade one out and the other in.
A smooth walk shows that the decoder has no gaps on this line. It says nothing about likelihood.""",
    hints=(
        "Three steps: two mean codes (`encode` alone: `model(x)` would draw noise); the points between them, (steps, K); one call of the decoder.",
        "`t = torch.linspace(0, 1, steps).unsqueeze(1)` has shape (steps, 1) and broadcasts against μ of shape (1, K).",
        "Decode `mu_a + t * (mu_b - mu_a)`, with `mu_a, _ = model.encode(x_a)`.",
    ),
    mistakes=(
        Mistake(
            """def interpolate(model, x_a, x_b, steps):
    x_a, x_b = model.decode(model.encode(x_a)[0]), model.decode(model.encode(x_b)[0])
    return x_a + torch.linspace(0, 1, steps).unsqueeze(1).to(x_a) * (x_b - x_a)""",
            "You decode first and mix the two reconstructions: one fades out while the other fades in. Mix the codes, then decode.",
        ),
        Mistake(
            """def interpolate(model, x_a, x_b, steps):
    x = x_a + torch.linspace(0, 1, steps).unsqueeze(1).to(x_a) * (x_b - x_a)
    return model.decode(model.encode(x)[0])""",
            "You mix the images and then encode the mixtures. The line should be straight among the codes.",
        ),
        Mistake(
            """def interpolate(model, x_a, x_b, steps):
    return x_a + torch.linspace(0, 1, steps).unsqueeze(1).to(x_a) * (x_b - x_a)""",
            "You mix the pixels of the two images; the model is not used. The line should be straight among the codes.",
        ),
        Mistake(
            """def interpolate(model, x_a, x_b, steps):
    a, b = model.encode(x_a)[0], model.encode(x_b)[0]
    return a + torch.linspace(0, 1, steps).unsqueeze(1).to(a) * (b - a)""",
            "These are the codes between the two. They have to be decoded.",
        ),
        Mistake(
            """def interpolate(model, x_a, x_b, steps):
    a, b = model.encode(x_a)[0], model.encode(x_b)[0]
    return model.decode(b + torch.linspace(0, 1, steps).unsqueeze(1).to(a) * (a - b))""",
            "You walk backwards: the first row should be the reconstruction of x_a, the last that of x_b.",
        ),
        Mistake(
            """def interpolate(model, x_a, x_b, steps):
    a, b = model.encode(x_a)[0], model.encode(x_b)[0]
    t = (torch.arange(steps) / steps).unsqueeze(1).to(a)
    return model.decode(a + t * (b - a))""",
            "You stop one step short: the last t is 1 − 1/steps, so x_b is never reached. Both ends belong to the line.",
        ),
        Mistake(
            """def interpolate(model, x_a, x_b, steps):
    a, b = model.encode(x_a)[1], model.encode(x_b)[1]
    return model.decode(a + torch.linspace(0, 1, steps).unsqueeze(1).to(a) * (b - a))""",
            "`encode` returns μ first and log σ second: you decode the log σ.",
        ),
    ),
    cases=_pairs_of_images,
    points=2,
)


def _evaluations(generator: torch.Generator) -> list[Case]:
    """model, x, eps, noise_var."""

    def case(label: str, n: int, n_latents: int, noise_var: float, dtype: torch.dtype = torch.float32) -> Case:
        eps = torch.randn(n, n_latents, generator=generator, dtype=dtype)
        return Case(label, (_model(generator, n_latents, dtype), _images(generator, n, dtype), eps, noise_var))

    last = case("an input that wants gradients", 3, 2, 0.5)
    last.args[1].requires_grad_()
    return [
        case("a batch of 5 with 3 latents", 5, 3, 0.3),
        case("a batch of one", 1, 4, 1.0),
        case("double precision", 4, 2, 0.03, torch.float64),
        last,
    ]


_ELBO = "fit - kl_to_standard(mu, log_sigma).sum(1)"
_HEAD = """def elbo_per_image(model, x, eps, noise_var):
    mu, log_sigma = model.encode(x)
"""
_TAIL = f"""
    error = ((x - x_hat) ** 2).sum(1)
    fit = -error / (2 * noise_var) - x.shape[1] / 2 * math.log(2 * math.pi * noise_var)
    return {_ELBO}"""

AT_MEAN_BUG = Exercise(
    name="vae-elbo-bug",
    title="Find the bug",
    task="""A colleague evaluates the model of this lesson with the function below and reports an ELBO about 4 nats higher than yours, on the same
test images. It does not go away with more images. Repair the function: it should estimate the ELBO of each image from one draw of z, made with the
noise `eps`.""",
    stub='''def elbo_per_image(model, x, eps, noise_var):
    """The ELBO of each image of x (B, D) with noise eps (B, K), in nats: (B,)."""
    mu, log_sigma = model.encode(x)
    x_hat = model.decode(mu)
    error = ((x - x_hat) ** 2).sum(1)
    fit = -error / (2 * noise_var) - x.shape[1] / 2 * math.log(2 * math.pi * noise_var)
    return fit - kl_to_standard(mu, log_sigma).sum(1)''',
    answer="elbo_per_image",
    solution='''def elbo_per_image(model, x, eps, noise_var):
    """The ELBO of each image of x (B, D) with noise eps (B, K), in nats: (B,)."""
    mu, log_sigma = model.encode(x)
    x_hat = model.decode(mu + log_sigma.exp() * eps)
    error = ((x - x_hat) ** 2).sum(1)
    fit = -error / (2 * noise_var) - x.shape[1] / 2 * math.log(2 * math.pi * noise_var)
    return fit - kl_to_standard(mu, log_sigma).sum(1)''',
    why="""The first term of the ELBO is an average over q(z|x). At z = μ the fit is that of a code without any noise, which would cost infinitely
many nats, while the KL charged is that of the wide q. The number is no lower bound on log p(x).
Reconstructions may be drawn at z = μ; an ELBO may not be computed there.""",
    hints=(
        "Nothing is wrong with the last three lines. Over what is the first term of the ELBO averaged, and what stands there instead?",
        "`eps` is an argument, but no line uses it: the decoder sees μ in place of a draw of z.",
        "Decode z = μ + σε. The encoder returns log σ.",
    ),
    mistakes=(
        Mistake(
            f"{_HEAD}    x_hat = model.decode(mu){_TAIL}",
            "It does what it did before: the decoder still sees μ itself, and no draw of z.",
        ),
        Mistake(
            f"{_HEAD}    x_hat = model.decode(mu + log_sigma * eps){_TAIL}",
            "You multiply the noise by log σ. The head returns a logarithm, which may be negative; σ is its exponential.",
        ),
        Mistake(
            f"{_HEAD}    x_hat = model.decode(mu + (log_sigma / 2).exp() * eps){_TAIL}",
            "You read the second head as log σ². Here it is log σ, so the ½ in the exponent is one too many, and the KL is that of another q.",
        ),
        Mistake(
            f"{_HEAD}    x_hat = model.decode(mu + (2 * log_sigma).exp() * eps){_TAIL}",
            "You multiply the noise by σ². A normal variable of variance σ² is μ + σε.",
        ),
        Mistake(
            f"{_HEAD}    x_hat = model.decode(mu + eps){_TAIL}",
            "You add noise of standard deviation 1 to every code. That of q(z|x) has standard deviation σ.",
        ),
        Mistake(
            f"{_HEAD}    x_hat = model.decode(eps){_TAIL}",
            "You decode the noise itself, a draw from the prior: the picture then knows nothing about x, and the fit is far too low.",
        ),
        Mistake(
            f"{_HEAD}    x_hat = model.decode(mu + log_sigma.exp() * eps){_TAIL}".replace(_ELBO, f"({_ELBO}).mean()"),
            "The draw of z is right now. But one ELBO for each image is wanted, and you average over the batch.",
        ),
    ),
    cases=_evaluations,
    points=2,
)


def _data_sets(generator: torch.Generator) -> list[Case]:
    """x, n_test, generator."""

    def case(label: str, shape: tuple[int, ...], n_test: int, dtype: torch.dtype = torch.float32) -> Case:
        x = torch.rand(shape, generator=generator, dtype=dtype)
        seed = int(torch.randint(2**31, (1,), generator=generator))
        return Case(label, (x, n_test, torch.Generator().manual_seed(seed)))

    return [
        case("12 images, 4 of them for testing", (12, 3), 4),
        case("20 images, 15 of them for testing", (20, 2), 15),
        case("no test images at all", (7, 2), 0),
        case("double precision", (9, 1), 3, torch.float64),
    ]


SPLIT_BUG = Exercise(
    name="vae-split-bug",
    title="Find the bug",
    task="""This function sets test images aside, with sizes as they should be, and both parts well shuffled. With it, though, most of the gap between
training ELBO and test ELBO closes, and the model is no better. Repair it: no image may be in both parts. The test images are the first `n_test` of
the shuffled order, the training images the rest of it.""",
    stub='''def split_off(x, n_test, generator):
    """x (N, D) → training images (N − n_test, D) and test images (n_test, D)."""
    test = x[torch.randperm(len(x), generator=generator)[:n_test]]
    train = x[torch.randperm(len(x), generator=generator)[n_test:]]
    return train, test''',
    answer="split_off",
    solution='''def split_off(x, n_test, generator):
    """x (N, D) → training images (N − n_test, D) and test images (n_test, D)."""
    order = torch.randperm(len(x), generator=generator)
    return x[order[n_test:]], x[order[:n_test]]''',
    why="""`randperm` is called twice, and the second order has nothing to do with the first. With 297 of 1797 images set aside, each test image is
also a training image with probability 1500/1797 = 83 %.
Shuffle once, then cut: that is what `split` does.""",
    hints=(
        "Follow one image through both lines: what keeps a test image out of the training part?",
        "How many orders are drawn?",
        "Draw one `order` and cut it: `order[:n_test]` and `order[n_test:]`.",
    ),
    mistakes=(
        Mistake(
            """def split_off(x, n_test, generator):
    order = torch.randperm(len(x), generator=generator)
    return x[order], x[order[:n_test]]""",
            "Now all images are in the training part, the test images included.",
        ),
        Mistake(
            """def split_off(x, n_test, generator):
    return x[n_test:], x[torch.randperm(len(x), generator=generator)[:n_test]]""",
            "The test images are drawn from all images, the training part is the end of the unshuffled ones: they still overlap.",
        ),
        Mistake(
            """def split_off(x, n_test, generator):
    order = torch.randperm(len(x), generator=generator)
    return x[order[: len(x) - n_test]], x[order[:n_test]]""",
            "Both parts begin at the start of the order, so they overlap: the training part should begin where the test part ends.",
        ),
        Mistake(
            """def split_off(x, n_test, generator):
    return x[n_test:], x[:n_test]""",
            "No overlap any more, but no shuffling either. Files are often sorted, by class or by writer: the model would then be tested on other digits than it has seen.",
        ),
        Mistake(
            """def split_off(x, n_test, generator):
    order = torch.randperm(len(x), generator=generator)
    return x[order[:n_test]], x[order[n_test:]]""",
            "The two are exchanged: the training part comes first in the result, and the first `n_test` of the order are for testing.",
        ),
        Mistake(
            """def split_off(x, n_test, generator):
    order = torch.randperm(len(x), generator=generator)
    return x[order[:-n_test]], x[order[-n_test:]]""",
            "You cut the test part from the end of the order. That is a clean split, except with `n_test=0`: −0 is 0, so all images land in the test part and none in the other. Cut it from the start, as the task says.",
        ),
    ),
    cases=_data_sets,
    points=1,
)

LESSON = Lesson("05", SETUP, (EXCHANGE, INTERPOLATE, AT_MEAN_BUG, SPLIT_BUG))
