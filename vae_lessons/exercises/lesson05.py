"""Exercises of notebook 05, the reference VAE."""

from typing import Any

import torch
from torch import Tensor, nn

from vae_lessons.exercises.source import Case, Exercise, Lesson, Mistake, draws, shares
from vae_lessons.exercises.wording import as_code
from vae_lessons.model import reference_vae

SETUP = "import torch"

N_PIXELS = 3


def small_vae(n_latents: int, seed: int, dtype: torch.dtype = torch.float32) -> nn.Module:
    """A VAE for images of 3 pixels, with large weights, so that its decoder is far from linear."""
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):  # the learner's random numbers stay as they are
        model = reference_vae(N_PIXELS, n_latents, n_hidden=20)
    for weights in model.parameters():
        weights.data = 0.4 * torch.randn(weights.shape, generator=generator)
    code = f"small_vae({n_latents}, {seed}{'' if dtype == torch.float32 else f', {dtype}'})"
    model.code = code  # type: ignore[assignment]  # what a learner is shown for it
    return model.to(dtype)


EXCHANGE = Exercise(
    name="vae-exchange-rate",
    title="Predict a number",
    task="""With `noise_var=0.03`, one more latent would cost 1.5 nats per image.
By how much must it lower the squared error of an image, summed over its pixels, for the ELBO to
stay as it is?""",
    stub="less_error = ...",
    answer="less_error",
    solution="""noise_var, price = 0.03, 1.5
less_error = price * 2 * noise_var""",
    why="""log p(x|z) contains −‖x − x̂‖²/(2σ_x²), so one nat buys 2σ_x² = 0.06 squared pixels: 1.5 nats must
buy 0.09.
The other term of log p(x|z) does not change.
This is what “exchange rate” means: with a larger `noise_var`, the same latent would have to remove
more error.""",
    hints=(
        "The ELBO is log p(x|z) − KL. The KL rises by 1.5; by how much must log p(x|z) rise?",
        "Only −‖x − x̂‖²/(2σ_x²) depends on the error. How much less error makes it 1.5 larger?",
        "1.5 · 2 · 0.03",
    ),
    mistakes=(
        Mistake(
            "less_error = 1.5 / 0.03",
            "That converts the wrong way, and without the 2: one nat is 2σ_x² of squared error, so multiply.",
        ),
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
            "That converts the wrong way: you read 1.5 as squared pixels and got nats. "
            "A digit has no 25 squared pixels of error to give away: even the mean image has 4.7 "
            "on average.",
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


def _seed(generator: torch.Generator) -> int:
    return int(torch.randint(2**31, (1,), generator=generator))


def _pairs_of_images(generator: torch.Generator) -> list[Case]:
    """model, x_a, x_b, steps."""

    before = "from vae_lessons.exercises.lesson05 import small_vae"

    def case(label: str, n_latents: int, steps: int, dtype: torch.dtype = torch.float32) -> Case:
        x_a, x_b = (shares(generator, 1, N_PIXELS, dtype=dtype) for _ in range(2))
        return Case(label, (small_vae(n_latents, _seed(generator), dtype), x_a, x_b, steps), before)

    x_a, x_b = torch.tensor([[0.0, 0.5, 1.0]]), torch.tensor([[1.0, 0.5, 0.0]])
    return [
        Case("3 steps with one latent", (small_vae(1, 0), x_a, x_b, 3), before),
        Case("2 steps, the two ends", (small_vae(2, 1), x_a, x_b, 2), before),
        Case("4 steps from an image to itself", (small_vae(1, 0), x_a, x_a.clone(), 4), before),
        Case("50 steps", (small_vae(2, 1), x_a, x_b, 50), before),
        case("11 steps with one latent", 1, 11),
        case("5 steps with 3 latents", 3, 5),
        case("double precision", 4, 9, torch.float64),
    ]


INTERPOLATE = Exercise(
    name="vae-interpolate",
    title="Complete a function",
    task="""What lies between two images?
Encode both, walk from the mean code μ of the first to that of the second in a straight line, and
decode every point of it: `steps` points at equal distances, both ends included, no noise.
Keep the dtype of the images.
`model.encode(x)` returns μ and log σ, `model.decode(z)` the images.
When it is right, try it on the model you trained above, from a 3 to an 8: `digits().x[3:4]` is a 3,
and `digits().x[8:9]` is an 8.""",
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
    why="""The column t (steps, 1) and the codes (1, K) broadcast to (steps, K), a batch for the decoder.
The line is straight among the codes and bent among the images: a straight line among the images
would fade one out and the other in.
A smooth walk shows that the decoder has no gaps on this line.
It says nothing about likelihood.""",
    hints=(
        (
            "Three steps: two mean codes, by `encode`, since `model(x)` would draw noise; the "
            "points between them, (steps, K); one call of the decoder."
        ),
        (
            "`t = torch.linspace(0, 1, steps).unsqueeze(1)` has shape (steps, 1) and broadcasts "
            "against μ of shape (1, K)."
        ),
        "Decode `mu_a + t * (mu_b - mu_a)`, with `mu_a, _ = model.encode(x_a)`.",
    ),
    mistakes=(
        Mistake(
            """def interpolate(model, x_a, x_b, steps):
    x_a, x_b = model.decode(model.encode(x_a)[0]), model.decode(model.encode(x_b)[0])
    return x_a + torch.linspace(0, 1, steps).unsqueeze(1).to(x_a) * (x_b - x_a)""",
            "You decode first and mix the two reconstructions: one fades out while the other "
            "fades in. "
            "Mix the codes, then decode.",
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
            "You stop one step short: the last t is 1 − 1/steps, so x_b is never reached. "
            "Both ends belong to the line.",
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


def _encoders(generator: torch.Generator) -> list[Case]:
    """hidden, head_mu, head_log_sigma, three linear layers, and x (B, D)."""

    def layer(n_in: int, n_out: int, dtype: torch.dtype = torch.float32) -> nn.Module:
        weight, bias = draws(generator, n_out, n_in, dtype=dtype), draws(generator, n_out, dtype=dtype)
        return Affine(weight, bias)

    def case(label: str, b: int, d: int, h: int, k: int, dtype: torch.dtype = torch.float32) -> Case:
        layers = layer(d, h, dtype), layer(h, k, dtype), layer(h, k, dtype)
        return Case(label, (*layers, shares(generator, b, d, dtype=dtype)), BEFORE)

    def one_unit(label: str, weights: tuple[float, float, float], biases: tuple[float, float, float]) -> Case:
        pairs = zip(weights, biases)
        layers = [Affine(torch.tensor([[weight]]), torch.tensor([bias])) for weight, bias in pairs]
        return Case(label, (*layers, torch.tensor([[0.5], [1.0]])), BEFORE)

    return [
        one_unit("an encoder whose two heads are negative", (1.0, -2.0, -3.0), (0.0, 0.0, 0.0)),
        one_unit("an encoder whose two heads are positive", (1.0, 2.0, 3.0), (0.0, 0.0, 0.0)),
        one_unit("an encoder whose hidden unit is off", (-1.0, 2.0, 3.0), (0.0, 0.5, -0.5)),
        one_unit("heads with very large outputs", (100.0, 20.0, -3.0), (0.0, 0.0, 0.0)),
        case("one image with 3 hidden units and 2 latents", 1, 4, 3, 2),
        case("5 images with 6 hidden units and 2 latents", 5, 2, 6, 2),
        case("double precision", 3, 2, 4, 3, torch.float64),
    ]


BEFORE = "from vae_lessons.exercises.lesson05 import Affine"


class Affine(nn.Linear):
    """A linear layer with given weight (K, F) and bias (K,)."""

    def __init__(self, weight: Tensor, bias: Tensor):
        super().__init__(weight.shape[1], weight.shape[0])
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(bias)
        self.code = f"Affine({as_code(weight)}, {as_code(bias)})"


def _encode(mu: str, log_sigma: str, h: str = "torch.relu(hidden(x))") -> str:
    return f"""def encode(hidden, head_mu, head_log_sigma, x):
    h = {h}
    return {mu}, {log_sigma}"""


_MU, _LOG_SIGMA = "head_mu(h)", "head_log_sigma(h)"

RELU_BUG = Exercise(
    name="vae-relu-bug",
    title="Find the bug",
    task="""A colleague wrote the encoder as below.
It trains without an error, but with the settings of this lesson the ELBO on test images is about −2
nats, where yours is about 22.
In the map of codes all images lie in one quarter of the plane, and every σ is 1 or more, for any
image and any latent.
Repair it.
The three layers are linear ones, as in the lesson: the encoder's, and the two heads.""",
    stub='''def encode(hidden, head_mu, head_log_sigma, x):
    """Three linear layers and x (B, D) → mu and log_sigma of q(z|x), (B, K) each."""
    h = torch.relu(hidden(x))
    mu = torch.relu(head_mu(h))
    log_sigma = torch.relu(head_log_sigma(h))
    return mu, log_sigma''',
    answer="encode",
    solution='''def encode(hidden, head_mu, head_log_sigma, x):
    """Three linear layers and x (B, D) → mu and log_sigma of q(z|x), (B, K) each."""
    h = torch.relu(hidden(x))
    mu = head_mu(h)
    log_sigma = head_log_sigma(h)
    return mu, log_sigma''',
    why="""A mean may be negative, and so may the logarithm of a width.
ReLU cuts both off at 0.
So no code can have a negative coordinate, though the prior puts half of its mass there, and no σ
can be below 1, the width of the prior.
A latent can then say where an image lies only by a mean far from 0, which is expensive, and some
latents die altogether.
The ReLU inside the encoder is another matter: without it two linear layers would be one.
Public code has this bug often, because "a layer and its ReLU" is written by habit.""",
    hints=(
        "What do the two complaints have in common? Which values can μ take here, and which can log σ take?",
        "σ = 1 is log σ = 0. Which function never returns less than 0?",
        "`head_mu(h)` and `head_log_sigma(h)`, as they are. The ReLU of the hidden layer stays.",
    ),
    mistakes=(
        Mistake(
            _encode(_MU, "torch.relu(head_log_sigma(h))"),
            "The means are right now. But log σ still cannot be negative, so no σ is below 1.",
        ),
        Mistake(
            _encode("torch.relu(head_mu(h))", _LOG_SIGMA),
            "The widths are right now. But a mean may be negative as well: half of the prior lies there.",
        ),
        Mistake(
            _encode(_MU, _LOG_SIGMA, h="hidden(x)"),
            "The heads are right now. "
            "But the ReLU of the hidden layer is gone too: linear layers in a row are only one "
            "linear layer.",
        ),
        Mistake(
            _encode("torch.relu(head_mu(h))", "torch.relu(head_log_sigma(h))", h="hidden(x)"),
            "You took away the one ReLU that belongs there: the hidden layer needs it, the heads do not.",
        ),
        Mistake(
            _encode(_MU, "head_log_sigma(h).exp()"),
            "The second result is σ now. The head returns a logarithm, and log σ is what is asked for.",
        ),
        Mistake(
            _encode(_MU, "torch.nn.functional.softplus(head_log_sigma(h))"),
            "Softplus makes it positive again. That would suit a σ; a logarithm of σ needs no such help.",
        ),
        Mistake(
            _encode("torch.tanh(head_mu(h))", "torch.tanh(head_log_sigma(h))"),
            "tanh lets both be negative, but keeps them between −1 and 1. Heads are plain linear layers.",
        ),
        Mistake(
            _encode("torch.tanh(head_mu(h))", _LOG_SIGMA),
            "The widths are right. "
            "But tanh keeps every mean between −1 and 1, which a third of the prior's draws "
            "exceed.",
        ),
        Mistake(
            _encode("torch.nn.functional.leaky_relu(head_mu(h))", "torch.nn.functional.leaky_relu(head_log_sigma(h))"),
            "A leaky ReLU lets a little through below 0, which hides the bug. Heads are plain linear layers.",
        ),
        Mistake(
            _encode(_LOG_SIGMA, _MU),
            "Both are right, but in the wrong order: the mean comes first, then log σ.",
        ),
    ),
    cases=_encoders,
    points=2,
)


def _data_sets(generator: torch.Generator) -> list[Case]:
    """x, n_test, generator."""

    def case(
        label: str, shape: tuple[int, int], n_test: int, dtype: torch.dtype = torch.float32, seed: int | None = None
    ) -> Case:
        x = torch.arange(shape[0] * shape[1]).reshape(shape).to(dtype)  # no two images are alike
        seed = _seed(generator) if seed is None else seed
        return Case(label, (x, n_test, torch.Generator().manual_seed(seed)))

    return [
        case("6 images, 3 of them for testing", (6, 1), 3, seed=0),
        case("no test images at all", (7, 1), 0, seed=1),
        case("nothing but test images", (5, 2), 5, seed=2),
        case("60 images, 30 of them for testing", (60, 1), 30, seed=3),
        case("20 images, 15 of them for testing", (20, 2), 15),
        case("double precision", (9, 1), 3, torch.float64),
    ]


def _facts(args: tuple[Any, ...], parts: tuple[Tensor, Tensor]) -> dict[str, Any]:
    """What a split has to have, whatever way the images are shuffled."""
    everything, in_train, in_test = (set(map(tuple, images.tolist())) for images in (args[0], *parts))
    chosen = [tuple(image) in in_test for image in args[0].tolist()]
    # one block of neighbours has 2 borders (the end meets the start), a random half of 60 images about 30
    borders = sum(one != other for one, other in zip(chosen, chosen[1:] + chosen[:1]))
    return {
        "the number of images in both parts is": len(in_train & in_test),
        "the number of images in neither part is": len(everything - in_train - in_test),
        "“shuffled before the cut” is": len(everything) < 60 or borders > 6,
    }


SPLIT_BUG = Exercise(
    name="vae-split-bug",
    title="Find the bug",
    task="""This function sets test images aside, chosen at random, with sizes as they should be.
With it, though, most of the gap between training ELBO and test ELBO closes, and the model is no
better.
Repair it: no image may be in both parts.
Choose the test images with `generator` and with nothing else, so that the same seed gives the same split.
`n_test` may be 0, and the order inside a part is free.""",
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
    why="""`randperm` is called twice, and the second order has nothing to do with the first.
With 297 of 1797 images set aside, each test image is also a training image with probability
1500/1797 = 83 %.
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
            "The test images are drawn from all images, the training part is the end of the "
            "unshuffled ones: they still overlap.",
        ),
        Mistake(
            """def split_off(x, n_test, generator):
    order = torch.randperm(len(x), generator=generator)
    return x[order[: len(x) - n_test]], x[order[:n_test]]""",
            "Both parts begin at the start of the order, so they overlap: the training part "
            "should begin where the test part ends.",
        ),
        Mistake(
            """def split_off(x, n_test, generator):
    return x[n_test:], x[:n_test]""",
            "No overlap any more, but no shuffling either. "
            "Files are often sorted, by class or by writer: the model would then be tested on "
            "other digits than it was trained on.",
        ),
        Mistake(
            """def split_off(x, n_test, generator):
    order = torch.randperm(len(x), generator=generator)
    return x[order[:n_test]], x[order[n_test:]]""",
            "The two are exchanged: the training part comes first in the result, then the `n_test` images for testing.",
        ),
        Mistake(
            """def split_off(x, n_test, generator):
    order = torch.randperm(len(x), generator=generator)
    return x[order[:-n_test]], x[order[-n_test:]]""",
            "You cut the test part from the end of the order. "
            "That is a clean split, except with `n_test=0`: −0 is 0, so all images land in the "
            "test part and none in the other. "
            "Cut it from the start.",
        ),
    ),
    cases=_data_sets,
    facts=_facts,
    points=1,
)

LESSON = Lesson("05", SETUP, (EXCHANGE, INTERPOLATE, RELU_BUG, SPLIT_BUG))
