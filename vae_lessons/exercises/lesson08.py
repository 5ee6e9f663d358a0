"""Exercises of notebook 08, cures for a dead latent."""

import torch

from vae_lessons.exercises.source import Case, Exercise, Lesson, Mistake, draws, shares

SETUP = """import math

import torch

from vae_lessons.data import digits
from vae_lessons.spectrum import data_spectrum"""


def _function(head: str, body: str) -> str:
    return f"{head}\n    {body}"


COLLAPSE = Exercise(
    name="cure-beta-limit",
    title="Predict a number",
    task="""With a learned σ_x² and β = 1, a linear VAE whose latents are all dead is not at its optimum on the digits.
The water level is βσ_x², for any β.
Suppose all latents of the linear VAE are dead, and σ_x² is at its best for that state.
From which β on does no first nat pay in any direction, so that all stay dead?
Two digits are enough.
The eigenvalues of the digits are `data_spectrum(digits().x).eigenvalues`.""",
    stub="limit = ...",
    answer="limit",
    solution="""eigenvalues = data_spectrum(digits().x).eigenvalues
limit = float(eigenvalues[0] / eigenvalues.mean())""",
    why="""A dead model draws the mean image, so its error per pixel, and with it the best σ_x², is the mean of
all 64 eigenvalues: 0.0733.
In the first direction the first nat pays as long as λ₁ = 0.699 exceeds βσ_x².
So the limit is λ₁ divided by the mean, 9.53.""",
    hints=(
        "Two questions: what is the best σ_x² when every latent is dead? And which direction is the last to drown?",
        (
            "The best σ_x² is the error per pixel. "
            "A dead model leaves the whole variance, the sum of the eigenvalues, over 64 pixels."
        ),
        "`eigenvalues[0] / eigenvalues.mean()`",
    ),
    mistakes=(
        Mistake(
            "limit = 25.57",
            "You took the σ_x² of the model with 8 live latents, the mean of the 56 discarded "
            "eigenvalues. "
            "A dead model discards all 64 directions: its σ_x² is larger.",
        ),
        Mistake(
            "limit = 2.343",
            "That is where λ₈ is under water. The model stays dead only when the strongest direction is.",
        ),
        Mistake(
            "limit = 1.398",
            "That is lesson 07's limit, at σ_x² = ½. Here σ_x² is learned: which value is best when all latents are dead?",
        ),
        Mistake(
            "limit = 0.1049",
            "Upside down: a direction lives while λ > βσ_x², so the limit is larger than 1.",
        ),
        Mistake(
            "limit = 0.1489",
            "The sum of the eigenvalues is the error per image. σ_x² is the error per *pixel*.",
        ),
        Mistake(
            "limit = 0.1747",
            "4 is the σ_x² of the post's loss. Here σ_x² is learned: which value is best when nothing is encoded?",
        ),
    ),
)


def _epochs(generator: torch.Generator) -> list[Case]:
    """Before, on and after the ramp."""

    def number(low: int, high: int) -> int:
        return int(torch.randint(low, high, (), generator=generator))

    start, length = number(3, 15), number(4, 12)
    return [
        Case("an epoch on the ramp", (12, 10, 5)),
        Case("the first epoch, before the ramp", (0, 10, 5)),
        Case("a later epoch before the ramp", (3, 10, 5)),
        Case("the epoch where the ramp starts", (10, 10, 5)),
        Case("the epoch where the ramp ends", (15, 10, 5)),
        Case("an epoch long after the ramp", (1000, 10, 5)),
        Case("a ramp of one epoch", (11, 10, 1)),
        Case("a ramp of half epochs", (11, 10.5, 2.0)),
        Case("a ramp that starts at once", (1, 0, length)),
        Case("another epoch on the ramp", (start + number(1, 4), start, length)),
        Case("another epoch before the ramp", (start - 1, start, length)),
        Case("another epoch after the ramp", (start + length + number(5, 50), start, length)),
    ]


_WARM_UP = "def warm_up(epoch, start, length):"

WARM_UP = Exercise(
    name="cure-warm-up",
    title="Complete a function",
    task="""Write the schedule of KL warm-up: β is 0 up to epoch `start`, rises in a straight line over the next
`length` epochs, and stays at 1 after that.
`length` is positive.
With `start` 10 and `length` 5, as in the trial, epochs 0, 10, 12 and 20 have β = 0, 0, 0.4 and 1.""",
    stub='''def warm_up(epoch, start, length):
    """β in this epoch, a number from 0 to 1."""
    ...''',
    answer="warm_up",
    solution='''def warm_up(epoch, start, length):
    """β in this epoch, a number from 0 to 1."""
    return min(max((epoch - start) / length, 0.0), 1.0)''',
    why="""The share of the ramp that is done, (epoch − start)/length, kept between 0 and 1.
The lower limit matters most: a negative β would reward the model for a large KL.""",
    hints=(
        "Which share of the ramp is done in this epoch?",
        "(epoch − start)/length is negative before the ramp and above 1 after it. Limit it on both sides.",
        "`min(max(…, 0.0), 1.0)`",
    ),
    mistakes=(
        Mistake(
            _function(_WARM_UP, "return min((epoch - start) / length, 1.0)"),
            "Before `start` this β is negative: the loss would then reward a large KL, without limit.",
        ),
        Mistake(
            _function(_WARM_UP, "return max((epoch - start) / length, 0.0)"),
            "Nothing stops the rise: after the ramp β exceeds 1, and the water keeps rising with it.",
        ),
        Mistake(
            _function(_WARM_UP, "return (epoch - start) / length"),
            "On the ramp this is right. Before it β is negative, after it β exceeds 1.",
        ),
        Mistake(
            _function(_WARM_UP, "return min(epoch / length, 1.0)"),
            "The ramp starts in epoch 0: `start` has no effect, and the epochs without a KL are lost.",
        ),
        Mistake(
            _function(_WARM_UP, "return min(epoch / (start + length), 1.0)"),
            "The ramp ends where it should, but it rises from epoch 0 on. Up to `start` β should be 0.",
        ),
        Mistake(
            _function(_WARM_UP, "return min(max((epoch - start) / (length - start), 0.0), 1.0)"),
            "You took `length` for the epoch in which the ramp ends. It is how many epochs the ramp lasts.",
        ),
        Mistake(
            _function(_WARM_UP, "return 0.0 if epoch < start else 1.0"),
            "That is a step, not a ramp: the whole KL sets in at once.",
        ),
        Mistake(
            _function(_WARM_UP, "return 1.0 - min(max((epoch - start) / length, 0.0), 1.0)"),
            "The ramp goes down: the KL counts fully at the start, which is what warm-up should "
            "avoid, and not at all at the end.",
        ),
    ),
    cases=_epochs,
)


def _kls(generator: torch.Generator) -> list[Case]:
    """KLs per example and latent whose means lie on both sides of the floor."""
    sizes = torch.tensor([0.02, 0.15, 0.6, 1.8])

    def draw(n: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        return (sizes.to(dtype) * 2 * torch.rand(n, 4, generator=generator, dtype=dtype)).round(decimals=3)

    pair = torch.tensor([[0.1, 1.0], [0.5, 2.0]])
    return [
        Case("two images with 2 latents", (pair, 0.4)),
        Case("three images with 2 latents", (torch.tensor([[0.1, 1.0], [0.5, 2.0], [0.3, 0.6]]), 0.4)),
        Case("two images whose totals lie on both sides of the floor", (torch.tensor([[0.1, 0.2], [0.3, 0.4]]), 0.5)),
        Case("a floor of 0, the ordinary KL", (pair, 0.0)),
        Case("a floor above everything", (pair, 100.0)),
        Case("latents that are all dead", (torch.zeros(2, 2), 0.25)),
        Case("latents that are all dead, and no floor", (torch.zeros(2, 2), 0.0)),
        Case("very large KLs", (1e4 * pair, 0.4)),
        Case("a batch of one", (draw(1), 0.1)),
        Case("a batch of 6 with 4 latents", (draw(6), 0.3)),
        Case("double precision", (draw(4, torch.float64), 0.25)),
        Case("inputs that want gradients", (pair.clone().requires_grad_(), 0.4)),
    ]


_FREE_BITS = "def free_bits(kl, floor):"

FREE_BITS = Exercise(
    name="cure-free-bits",
    title="Find the bug",
    task="""A colleague trains with free bits, δ = `floor`, and finds that most latents still die.
There is a floor in the code, and no error message.
Repair it: the result should be $\\sum_k \\max(\\delta, \\mathrm{KL}_k)$, with $\\mathrm{KL}_k$
averaged over the batch, as in the lesson.
It is a tensor with one number, and gradients must reach `kl`.""",
    stub='''def free_bits(kl, floor):
    """kl (B, K) → the KL term of the loss, with `floor` free nats for each latent."""
    return kl.sum(-1).mean().clamp(min=floor)''',
    answer="free_bits",
    solution='''def free_bits(kl, floor):
    """kl (B, K) → the KL term of the loss, with `floor` free nats for each latent."""
    return kl.mean(0).clamp(min=floor).sum()''',
    why="""The floor stood on the total.
As soon as the total exceeds δ, every latent is pulled to the prior as if there were no floor, and
one latent with δ nats is enough for that.
It belongs to each latent: mean over the batch, floor, sum over latents, in this order.""",
    hints=(
        "What does the floor stand on: on one latent, or on all of them together?",
        "Three steps: mean over the batch (dim 0), floor, sum over latents. In which order?",
        "`kl.mean(0).clamp(min=floor)…`",
    ),
    mistakes=(
        Mistake(
            _function(_FREE_BITS, "return torch.clamp(kl.mean(0).sum(), min=floor)"),
            "That does what it did before: the floor still stands on the total, so one latent can "
            "use up the free nats of all.",
        ),
        Mistake(
            _function(_FREE_BITS, "return kl.sum(-1).mean().clamp(min=kl.shape[-1] * floor)"),
            "K·δ free nats, but still for all together: one latent can use them up alone. Each has a floor of its own.",
        ),
        Mistake(
            _function(_FREE_BITS, "means = kl.mean(0)\n    return torch.where(means > floor, means, 0.0).sum()"),
            "Below the floor you count 0 nats, so the loss jumps by δ there. At the floor and below, max(δ, KL) is δ.",
        ),
        Mistake(
            _function(_FREE_BITS, "return kl.clamp(min=floor).sum(-1).mean()"),
            "Now every *example* has a floor of its own, as in some public code. "
            "An example below δ has no gradient then even where its latent is well above δ on "
            "average. "
            "Here the mean over the batch comes first.",
        ),
        Mistake(
            _function(_FREE_BITS, "return kl.sum(-1).clamp(min=floor).mean()"),
            "Now there is one floor for each example, still on the sum over its latents. "
            "Each *latent* should have one.",
        ),
        Mistake(
            _function(_FREE_BITS, "return kl.mean(0).clamp(max=floor).sum()"),
            "That is a ceiling: it takes the gradient from the latents *above* δ and pulls those "
            "below it to the prior, the wrong way round.",
        ),
        Mistake(
            _function(_FREE_BITS, "return (kl.mean(0) - floor).clamp(min=0).sum()"),
            "The gradients are right, but the value is K·δ too small: max(δ, KL) is δ + max(0, KL − δ).",
        ),
        Mistake(
            _function(_FREE_BITS, "return kl.mean(0).clamp(min=floor).mean()"),
            "The mean over latents makes the KL K times too small, which is another β (lesson 06). Sum over latents.",
        ),
        Mistake(
            _function(_FREE_BITS, "return kl.mean(-1).clamp(min=floor).sum()"),
            "The axes are swapped: you average over latents and sum over examples. Dim 0 is the batch.",
        ),
        Mistake(
            _function(_FREE_BITS, "return kl.sum(0).clamp(min=floor).sum()"),
            "The batch is summed over: the KL grows with the batch size, and hardly anything is ever below the floor.",
        ),
        Mistake(
            _function(_FREE_BITS, "return kl.mean(0).clamp(min=floor)"),
            "One step is left: you have one number for each latent, and their sum is wanted.",
        ),
    ),
    cases=_kls,
    points=2,
)


def _pictures(generator: torch.Generator) -> list[Case]:
    """Images with decoded ones at very different errors."""

    def draw(n: int, d: int, error: float, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
        x = shares(generator, n, d, dtype=dtype)
        each = error * (0.5 + torch.rand(n, 1, generator=generator, dtype=dtype))
        return x, (x + each * draws(generator, n, d, dtype=dtype)).round(decimals=2)

    one, two = torch.tensor([[1.0, 0.0, 0.5], [0.5, 0.5, 0.0]]), torch.tensor([[0.5, 0.0, 0.5], [0.5, 1.0, 1.0]])
    return [
        Case("two images with 3 pixels", (one, two)),
        Case("one image with one pixel", (torch.tensor([[1.0]]), torch.tensor([[0.5]]))),
        Case("very small errors", (torch.zeros(2, 2), torch.full((2, 2), 1e-4))),
        Case("very large errors", (200 * one, 200 * two)),
        Case("a batch of one", draw(1, 12, 0.5)),
        Case("a batch of 5 with 16 pixels", draw(5, 16, 0.3)),
        Case("double precision", draw(4, 7, 0.2, torch.float64)),
        Case("inputs that want gradients", (one, two.clone().requires_grad_())),
    ]


_LEARNED = "def learned_log_likelihood(x, x_hat):"
_ERROR = "mse = ((x - x_hat) ** 2).mean()\n    "

LEARNED = Exercise(
    name="cure-learned-variance",
    title="Complete a function",
    task="""Write cure 1 as one function, without a σ_x² to pass.
It returns the mean over the batch of log p(x|z) for a Gaussian decoder whose σ_x² is the best one
for this batch, one σ_x² for all its images and pixels.
It is in nats per example, a tensor with one number.
It should hold for any size of error above 0, and let gradients through.""",
    stub='''def learned_log_likelihood(x, x_hat):
    """x, x_hat (B, D) → mean log likelihood at the best noise_var, nats per example."""
    ...''',
    answer="learned_log_likelihood",
    solution='''def learned_log_likelihood(x, x_hat):
    """x, x_hat (B, D) → mean log likelihood at the best noise_var, nats per example."""
    noise_var = ((x - x_hat) ** 2).mean()
    return -0.5 * x.shape[-1] * torch.log(2 * math.pi * math.e * noise_var)''',
    why="""With Δ the squared error of one example, averaged over the batch, the best σ_x² is Δ/D.
Then the term Δ/(2σ_x²) is D/2, whatever the error: it becomes the e inside the logarithm.
Whether gradients flow through `noise_var` where you write the two terms out makes no difference: at
the best σ_x² the slope in it is 0.""",
    hints=(
        "Which σ_x² is best? Put it into −(D/2) log(2πσ_x²) − Δ/(2σ_x²), with Δ the squared error of one example.",
        "`noise_var` is the mean of the squared error over batch *and* pixels. What is Δ/(2σ_x²) then, on average?",
        "−(D/2) log(2πe · `noise_var`)",
    ),
    mistakes=(
        Mistake(
            _function(_LEARNED, f"{_ERROR}return -0.5 * torch.log(2 * math.pi * math.e * mse)"),
            "That is the log likelihood of one pixel. An example has D of them, and their log likelihoods add up.",
        ),
        Mistake(
            _function(_LEARNED, f"{_ERROR}return -0.5 * x.shape[-1] * torch.log(2 * math.pi * mse)"),
            "The gradients are right, but D/2 nats are missing: Δ/(2σ_x²) is D/2 at the best σ_x², not 0.",
        ),
        Mistake(
            _function(_LEARNED, f"{_ERROR}return -0.5 * x.shape[-1] * torch.log(math.e * mse)"),
            "The gradients are right, but the density's own factor is missing: 2π stands beside σ_x² in the logarithm.",
        ),
        Mistake(
            _function(_LEARNED, f"{_ERROR}return -x.shape[-1] * torch.log(2 * math.pi * math.e * mse)"),
            "The ½ is missing: the normaliser of a Gaussian has the root of σ_x².",
        ),
        Mistake(
            _function(_LEARNED, f"{_ERROR}return 0.5 * x.shape[-1] * torch.log(2 * math.pi * math.e * mse)"),
            "That is the loss, its negative. A log likelihood rises when the error falls.",
        ),
        Mistake(
            _function(
                _LEARNED,
                "D, error = x.shape[-1], ((x - x_hat) ** 2).sum(-1).mean()\n"
                "    return -0.5 * (D * torch.log(2 * math.pi * error) + 1)",
            ),
            "You took the squared error of a whole image for σ_x², which is the variance of one "
            "pixel: D times smaller.",
        ),
        Mistake(
            _function(
                _LEARNED,
                "D, error = x.shape[-1], ((x - x_hat) ** 2).sum(-1).mean()\n"
                "    v = (error / D).sqrt()\n"
                "    return -0.5 * (D * torch.log(2 * math.pi * v) + error / v)",
            ),
            "You used σ_x, the root of the mean squared error, in the place of σ_x².",
        ),
        Mistake(
            _function(
                _LEARNED,
                "each = ((x - x_hat) ** 2).mean(-1)\n"
                "    return (-0.5 * x.shape[-1] * torch.log(2 * math.pi * math.e * each)).mean()",
            ),
            "Here every image has a σ_x² of its own, chosen after the fact. "
            "That score is never lower, and goes to infinity with the first image that is drawn "
            "without error. "
            "One σ_x² for the batch is wanted.",
        ),
        Mistake(
            _function(_LEARNED, f"{_ERROR}return -0.5 * x.numel() * torch.log(2 * math.pi * math.e * mse)"),
            "That is the log likelihood of the whole batch; it grows with the batch size. Per example is wanted.",
        ),
        Mistake(
            _function(_LEARNED, f"{_ERROR}return -0.5 * x.shape[-1] * torch.log(2 * math.pi * math.e * mse.detach())"),
            "The value is right, but no gradient gets through: something cuts it, such as "
            "`.item()`, `math.log`, `float` or `.detach()`. "
            "The decoder would not learn.",
        ),
        Mistake(
            _function(
                _LEARNED, f"{_ERROR}return -0.5 * x.shape[-1] * torch.log(2 * math.pi * math.e * mse.clamp(min=1e-6))"
            ),
            "Right for ordinary errors. "
            "But something keeps σ_x² above 0.000001, as `gaussian_nll_loss` does unless its "
            "`eps` is made smaller: very small errors then score too low.",
        ),
        Mistake(
            _function(
                _LEARNED,
                f"{_ERROR}v = mse.expand_as(x)\n"
                "    return -torch.nn.functional.gaussian_nll_loss(x_hat, x, v, full=True, reduction='sum') / len(x)",
            ),
            "Right for ordinary errors. "
            "But `gaussian_nll_loss` keeps the variance above its `eps`, 0.000001 unless you say "
            "otherwise: very small errors then score too low.",
        ),
    ),
    cases=_pictures,
    points=2,
)

LESSON = Lesson("08", SETUP, (COLLAPSE, WARM_UP, FREE_BITS, LEARNED))
