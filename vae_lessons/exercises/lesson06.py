"""Exercises of notebook 06, sum or mean."""

import torch

from vae_lessons.exercises.source import Case, Exercise, Lesson, Mistake, shares

SETUP = """import torch
from torch.nn import functional as F

from vae_lessons.recipes import Recipe, implied_objective"""

LATENTS = Exercise(
    name="level-latents",
    title="Predict a number",
    task="""The post's loss takes the mean of the error and the mean of the KL.
On the digits D = 64 pixels, and λ₁ = 0.699.
By the inequality of the lesson no latent lives with K = 8.
How many latents must the model have, at least, for one direction to stand above the water?""",
    stub="n_latents = ...",
    answer="n_latents",
    solution="""n_latents = 1
while 64 / (2 * n_latents) >= 0.699:
    n_latents += 1""",
    why="""The level is D/(2K) = 32/K: more latents *lower* it, because the mean divides the KL by K. 32/K <
0.699 needs K > 45.8, so 46.
A setting that looks like capacity is a KL weight in disguise; with a sum over latents, K would
leave the level alone.""",
    hints=(
        "What is the level of the post's loss, as a function of D and K?",
        "D/(2K) has to be below 0.699.",
        "32/K < 0.699",
    ),
    mistakes=(
        Mistake(
            "n_latents = 45", "That was rounded down: 32/45 = 0.711 is still above λ₁. The water has to be below 0.699."
        ),
        Mistake(
            "n_latents = 45.8",
            "That is where λ₁ just touches the water. "
            "A number of latents is whole: which is the first that lifts it out?",
        ),
        Mistake(
            "n_latents = 64 / (2 * 0.699)",
            "That solves D/(2K) = λ₁, where the water just touches. Latents come whole: round it up.",
        ),
        Mistake(
            "n_latents = 92",
            "The level is D/(2K), not D/K: in the ELBO the squared error is divided by 2σ_x².",
        ),
        Mistake(
            "n_latents = 23", "One factor 2 too many: with K = 23 the level is 32/23 = 1.39, twice what is needed."
        ),
        Mistake(
            "n_latents = 1",
            "You expect fewer latents to be cheaper. "
            "With one latent the mean divides the KL by 1 only, and the level is 32.",
        ),
        Mistake(
            "n_latents = 8",
            "With K = 8 the level is 4, and λ₁ = 0.699 lies below it: that is the post's own model, which drowns.",
        ),
    ),
    tolerance=1e-6,
)


def _levels(generator: torch.Generator) -> list[Case]:
    """level, n_pixels."""
    drawn = [round(number, 2) for number in torch.rand(2, generator=generator).add(0.2).tolist()]
    return [
        Case("images of 4 pixels at the level 1", (1.0, 4)),
        Case("images of one pixel", (0.25, 1)),
        Case("a level of 0", (0.0, 64)),
        Case("a very small level", (1e-4, 64)),
        Case("a very large level", (1e4, 64)),
        Case("images of a million pixels", (0.5, 1_000_000)),
        Case("8 × 8 digits", (drawn[0], 64)),
        Case("28 × 28 images", (drawn[1], 784)),
    ]


WEIGHT = Exercise(
    name="level-kl-weight",
    title="Complete a function",
    task="""A training script computes `F.mse_loss(x_hat, x) + weight * kl.sum(1).mean()`.
You want a certain water level βσ_x², at any image size.
Which weight gives it?
`implied_objective(Recipe("mean", "sum_mean", kl_weight=…), n_pixels, n_latents).level` tells you
whether you are right.""",
    stub='''def kl_weight_for(level, n_pixels):
    """The weight on the KL that gives this βσ_x², for images of n_pixels."""
    ...''',
    answer="kl_weight_for",
    solution='''def kl_weight_for(level, n_pixels):
    """The weight on the KL that gives this βσ_x², for images of n_pixels."""
    return 2 * level / n_pixels''',
    why="""The error counts c_e = 1/D per squared pixel and the KL c_k = weight, so the level is c_k/(2c_e) =
weight · D/2.
The well-known weight 0.00025 means the level 1.5 at D = 12 288 = 64 · 64 · 3; at D = 784 the same
level needs 0.0039.""",
    hints=(
        "Write the loss as c_e · ‖x − x̂‖² + c_k · ΣKL for one image. What are c_e and c_k?",
        "c_e = 1/D and c_k is the weight. The level is c_k/(2c_e): solve for the weight.",
        "`2 * level / n_pixels`",
    ),
    mistakes=(
        Mistake(
            "def kl_weight_for(level, n_pixels):\n    return level / n_pixels",
            "Half of it: the level is c_k/(2c_e), and the 2 is missing. "
            "The water stands at half the level you asked for.",
        ),
        Mistake(
            "def kl_weight_for(level, n_pixels):\n    return 2 * level",
            "That is right for an error summed over pixels. Here it is a mean: D times smaller.",
        ),
        Mistake(
            "def kl_weight_for(level, n_pixels):\n    return level * n_pixels / 2",
            "That goes the other way: from a weight to its level.",
        ),
        Mistake(
            "def kl_weight_for(level, n_pixels):\n    return 2 * level * n_pixels",
            "You multiply by D. The mean makes the error smaller, so the KL must get smaller with it, not larger.",
        ),
        Mistake(
            "def kl_weight_for(level, n_pixels):\n    return n_pixels / (2 * level)",
            "That is upside down: a weight on the error, with the KL left alone. It would give the right level there.",
        ),
        Mistake(
            "def kl_weight_for(level, n_pixels):\n    return level / (2 * n_pixels)",
            "The 2 is on the wrong side: level = weight · D/2. Your weight is four times too small.",
        ),
        Mistake(
            "def kl_weight_for(level, n_pixels):\n    return level",
            "The level itself is the right weight where the error is ½ of a sum over pixels. "
            "Here there is no ½, and a mean.",
        ),
    ),
    cases=_levels,
    points=1,
)


def _batches(generator: torch.Generator) -> list[Case]:
    """x, x_hat, kl, noise_var."""

    def case(label: str, b: int, d: int, k: int, noise_var: float, dtype: torch.dtype = torch.float32) -> Case:
        x, x_hat = (shares(generator, b, d, dtype=dtype) for _ in range(2))
        kl = 2 * shares(generator, b, k, dtype=dtype)
        return Case(label, (x, x_hat, kl, noise_var))

    x = torch.tensor([[1.0, 0.5], [0.0, 1.0], [0.5, 0.0]])
    x_hat = torch.tensor([[0.0, 0.5], [0.0, 0.5], [0.5, 1.0]])
    kl = torch.tensor([[0.5, 0.25], [1.0, 0.0], [0.25, 2.0]])
    return [
        Case("3 images with 2 pixels and 2 latents", (x, x_hat, kl, 0.5)),
        Case("inputs that want gradients", (x, x_hat.clone().requires_grad_(), kl.clone().requires_grad_(), 0.2)),
        Case("3 images drawn without any error", (x, x.clone(), kl, 0.5)),
        Case("3 images that cost nothing", (x, x_hat, 0 * kl, 0.5)),
        Case("pixels between 0 and 255", (255 * x, 255 * x_hat, kl, 0.5)),
        Case("a decoder with very little noise", (x, x_hat, kl, 1e-4)),
        case("a batch of one", 1, 3, 2, 0.1),
        case("a batch of 5 with 7 pixels and 3 latents", 5, 7, 3, 0.3),
        case("a batch of 8 with 4 pixels and 2 latents", 8, 4, 2, 1.0),
        case("double precision", 4, 9, 3, 0.03, torch.float64),
    ]


def _loss(body: str) -> str:
    return f"def loss(x, x_hat, kl, noise_var):\n    squares = (x - x_hat) ** 2\n    return {body}"


BATCH_BUG = Exercise(
    name="level-batch-bug",
    title="Find the bug",
    task="""Somebody doubled the batch size, and the best model became another one, as if β had been halved.
The function should return −ELBO per image, averaged over the batch and without its constant: ‖x −
x̂‖²/(2σ_x²) plus the KL.
Repair it.
A model is trained with it, so gradients must reach `x_hat` and `kl`.""",
    stub='''def loss(x, x_hat, kl, noise_var):
    """−ELBO per image without its constant: x, x_hat (B, D), kl (B, K) → one number."""
    error = F.mse_loss(x_hat, x, reduction="sum")
    return error / (2 * noise_var) + kl.sum(1).mean()''',
    answer="loss",
    solution='''def loss(x, x_hat, kl, noise_var):
    """−ELBO per image without its constant: x, x_hat (B, D), kl (B, K) → one number."""
    error = F.mse_loss(x_hat, x, reduction="sum") / len(x)
    return error / (2 * noise_var) + kl.sum(1).mean()''',
    why="""`reduction="sum"` sums over pixels, as it should, and over the batch, as it should not while the KL
is averaged there.
As it stood, the water level was σ_x²/B: 64 times too low for a batch of 64.
Two sums over the batch would have the right level as well, but the loss and its gradient would grow
with the batch.""",
    hints=(
        "Which axes does each of the two terms sum over, and which does it average over?",
        "Both should sum over the second axis and average over the batch. One of them does.",
        "Divide the summed error by `len(x)`.",
    ),
    mistakes=(
        Mistake(
            _loss("squares.sum() / (2 * noise_var) + kl.sum(1).mean()"),
            "It does what it did before: the error still grows with the batch, the KL does not.",
        ),
        Mistake(
            _loss("squares.mean() / (2 * noise_var) + kl.sum(1).mean()"),
            "Now the error is averaged over the pixels as well: the batch no longer matters, but "
            "the level is D times too high, and latents drown.",
        ),
        Mistake(
            _loss("squares.sum() / (2 * noise_var) + kl.sum()"),
            "Both terms agree now, so the level is right; but this is −ELBO of the whole batch, "
            "and the average per image is wanted.",
        ),
        Mistake(
            _loss("squares.sum() / (2 * noise_var) + kl.mean()"),
            "The error still grows with the batch, and now the KL is divided by the number of "
            "latents too: the level sinks further.",
        ),
        Mistake(
            _loss("squares.sum(1).mean() / (2 * noise_var) + kl.mean()"),
            "The error is right now. "
            "But the KL is averaged over latents, where it should be summed: the level is K times "
            "too low.",
        ),
        Mistake(
            _loss("(squares.sum() / (2 * noise_var) + kl.sum(1).mean()) / len(x)"),
            "You divide both terms by the batch size, and the KL was an average already. "
            "A factor in front moves no minimum: the level is as wrong as before.",
        ),
        Mistake(
            _loss("squares.sum(1).mean() / noise_var + kl.sum(1).mean()"),
            "The reductions are right; the 2 got lost. As it is, the σ_x² you train with is half the one you name.",
        ),
        Mistake(
            _loss("squares.sum(1).mean() + kl.sum(1).mean()"),
            "The reductions are right, but `noise_var` is gone: the level is ½, whatever σ_x² is asked for.",
        ),
        Mistake(
            _loss("squares.sum(0).mean() / (2 * noise_var) + kl.sum(1).mean()"),
            "The axes are swapped: this sums the error over the batch and averages it over the "
            "pixels, by `sum(0)` or by D where B belongs.",
        ),
        Mistake(
            _loss("squares.sum(1) / (2 * noise_var) + kl.sum(1)"),
            "Right for every single image; the average over the batch is left to do.",
        ),
    ),
    cases=_batches,
    points=2,
)

SCALE = Exercise(
    name="level-pixel-scale",
    title="Predict a number",
    task="""A colleague trains with summed error plus weight · summed KL, at weight 1, on pixels between 0 and
1, and likes the result.
Then the line `x / 255` is lost in a new data loader: pixels now lie between 0 and 255.
Which weight on the KL makes the best model the same as before, but for the scale of its pixels?
Give it exactly, or right to 0.1 %.""",
    stub="weight = ...",
    answer="weight",
    solution="weight = 255**2",
    why="""All variances grow by 255² = 65 025: every λ, and every squared error.
The level has to rise with them, from ½ to 65 025/2.
Without the new weight, every direction whose variance was above 0.5/65 025 = 0.0000077 would stand
above the water.
Rescaling pixels is rescaling σ_x².
Training on such numbers needs other first weights or another learning rate, too.""",
    hints=(
        "What happens to the variance λ of a direction when every pixel is multiplied by 255?",
        "The KL ½ log(λ/βσ_x²) should stay what it was: by which factor must the level rise?",
        "A variance grows with the square of the scale.",
    ),
    mistakes=(
        Mistake(
            "weight = 256**2",
            "Nearly: pixels of 8 bits have 256 values, but the largest is 255, and that is what `x / 255` divides by.",
        ),
        Mistake("weight = 255", "Pixels grow by 255; but what is compared with the level are variances, squares."),
        Mistake(
            "weight = 1 / 255",
            "That makes nats cheaper still. "
            "The errors have grown, so the KL has to grow with them; and they are squares.",
        ),
        Mistake(
            "weight = 1 / 255**2",
            "The right factor, the wrong way: the squared error has grown by it, so the KL must count more, not less.",
        ),
        Mistake(
            "weight = 1",
            "The same line of code is another model here: the level stays at ½, while every "
            "variance grows by a large factor.",
        ),
        Mistake(
            "weight = 2 * 255**2",
            "The 2 of 2σ_x² is in the level before and after: only the ratio of the two levels counts.",
        ),
        Mistake(
            "weight = 255**2 / 2",
            "That is the new level βσ_x². The weight is twice the level for this recipe: ½ was the level at weight 1.",
        ),
    ),
    tolerance=0.001,
)

LESSON = Lesson("06", SETUP, (LATENTS, WEIGHT, BATCH_BUG, SCALE))
