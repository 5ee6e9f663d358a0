"""Exercises of notebook 08, cures for a dead latent."""

import torch

from vae_lessons.exercises.source import Case, Exercise, Lesson, Mistake

SETUP = """import math

import torch

from vae_lessons.data import digits
from vae_lessons.spectrum import data_spectrum"""


def _function(head: str, body: str) -> str:
    return f"{head}\n    {body}"


COLLAPSE = Exercise(
    name="cure-beta-limit",
    title="Predict a number",
    task="""With a learned σ² and β = 1, total collapse is never the optimum. With β > 1 the water level is βσ².
Suppose all latents of the linear VAE are dead, and σ² is at its best for that state.
From which β on does nothing stir, so that the model stays dead? Two digits are enough. The eigenvalues of the digits are `data_spectrum(digits().x).eigenvalues`.""",
    stub="limit = ...",
    answer="limit",
    solution="""eigenvalues = data_spectrum(digits().x).eigenvalues
limit = float(eigenvalues[0] / eigenvalues.mean())""",
    why="""A dead model draws the mean image, so its error per pixel, and with it the best σ², is the mean of all 64 eigenvalues: 0.0733.
The first direction stirs as long as λ₁ = 0.699 exceeds βσ². So the limit is λ₁ divided by the mean, 9.53.""",
    hints=(
        "Two questions: what is the best σ² when every latent is dead? And which direction is the last to drown?",
        "The best σ² is the error per pixel. A dead model leaves the whole variance, the sum of the eigenvalues, over 64 pixels.",
        "`eigenvalues[0] / eigenvalues.mean()`",
    ),
    mistakes=(
        Mistake(
            "limit = 25.57",
            "You took the σ² of the model with 8 live latents, the mean of the 56 discarded eigenvalues. A dead model discards all 64 directions: its σ² is larger.",
        ),
        Mistake(
            "limit = 2.343",
            "That is where λ₈ is under water. The model stays dead only when the strongest direction is.",
        ),
        Mistake(
            "limit = 0.1049",
            "Upside down: a direction lives while λ > βσ², so the limit is larger than 1.",
        ),
        Mistake(
            "limit = 0.1489",
            "The sum of the eigenvalues is the error per image. σ² is the error per *pixel*.",
        ),
        Mistake(
            "limit = 0.1747",
            "4 is the σ² of the post's loss. Here σ² is learned: which value is best when nothing is encoded?",
        ),
    ),
)


def _epochs(generator: torch.Generator) -> list[Case]:
    """Before, on and after the ramp."""

    def number(low: int, high: int) -> int:
        return int(torch.randint(low, high, (), generator=generator))

    start, length = number(3, 15), number(4, 12)
    return [
        Case("an epoch on the ramp", (start + number(1, 4), start, length)),
        Case("the first epoch, before the ramp", (0, start, length)),
        Case("the epoch where the ramp starts", (start, start, length)),
        Case("the epoch where the ramp ends", (start + length, start, length)),
        Case("an epoch long after the ramp", (start + length + number(5, 50), start, length)),
        Case("a ramp that starts at once", (1, 0, length)),
        Case("a ramp of half epochs", (start + 1, start + 0.5, 2.0)),
    ]


_WARM_UP = "def warm_up(epoch, start, length):"

WARM_UP = Exercise(
    name="cure-warm-up",
    title="Complete a function",
    task="""Write the schedule of the trial's second arm: β is 0 up to epoch `start`, rises in a straight line over the next `length` epochs (`length` > 0),
and stays at 1 after that.
With `start` 10 and `length` 5, as in the trial, epochs 0, 10, 12 and 20 have β = 0, 0, 0.4 and 1.""",
    stub='''def warm_up(epoch, start, length):
    """β in this epoch, a number from 0 to 1."""
    ...''',
    answer="warm_up",
    solution='''def warm_up(epoch, start, length):
    """β in this epoch, a number from 0 to 1."""
    return min(max((epoch - start) / length, 0.0), 1.0)''',
    why="""The share of the ramp that is done, (epoch − start)/length, kept between 0 and 1. The lower limit matters most: a negative β would pay the model for a large KL.""",
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
            _function(_WARM_UP, "return 0.0 if epoch < start else 1.0"),
            "That is a step, not a ramp: the whole KL sets in at once.",
        ),
        Mistake(
            _function(_WARM_UP, "return 1.0 - min(max((epoch - start) / length, 0.0), 1.0)"),
            "The ramp goes down: the KL counts fully at the start, which is what warm-up should avoid, and not at all at the end.",
        ),
    ),
    cases=_epochs,
)


def _kls(generator: torch.Generator) -> list[Case]:
    """KLs per example and latent whose means lie on both sides of the floor."""
    sizes = torch.tensor([0.02, 0.15, 0.6, 1.8])

    def draw(n: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        return sizes.to(dtype) * 2 * torch.rand(n, 4, generator=generator, dtype=dtype)

    half = draw(4)
    pairs = torch.cat([half, 2 * sizes - half])  # each pair has one total above the mean and one below
    return [
        Case("a batch of 6 with 4 latents", (draw(6), 0.3)),
        Case("a batch of one", (draw(1), 0.1)),
        Case("a floor of 0, the ordinary KL", (draw(5), 0.0)),
        Case("latents below the floor, with totals around it", (0.2 * pairs, 0.5)),
        Case("double precision", (draw(4, torch.float64), 0.25)),
        Case("inputs that want gradients", (draw(6).requires_grad_(), 0.3)),
    ]


_FREE_BITS = "def free_bits(kl, floor):"

FREE_BITS = Exercise(
    name="cure-free-bits",
    title="Find the bug",
    task="""A colleague trains with free bits, δ = `floor`, and finds that most latents still die. There is a floor in the code, and no error message. Repair it:
the result should be
$\\sum_k \\max(\\delta, \\mathrm{KL}_k)$, with $\\mathrm{KL}_k$ averaged over the batch, as in the lesson: a tensor with one number.""",
    stub='''def free_bits(kl, floor):
    """kl (B, K) → the KL term of the loss, with `floor` free nats for each latent."""
    return kl.sum(-1).mean().clamp(min=floor)''',
    answer="free_bits",
    solution='''def free_bits(kl, floor):
    """kl (B, K) → the KL term of the loss, with `floor` free nats for each latent."""
    return kl.mean(0).clamp(min=floor).sum()''',
    why="""The floor stood on the total. As soon as the total exceeds δ, every latent is pulled to the prior as if there were no floor, and one latent with δ
nats is enough for that.
It belongs to each latent: mean over the batch, floor, sum over latents, in this order.""",
    hints=(
        "What does the floor stand on: on one latent, or on all of them together?",
        "Three steps: mean over the batch (dim 0), floor, sum over latents. In which order?",
        "`kl.mean(0).clamp(min=floor)…`",
    ),
    mistakes=(
        Mistake(
            _function(_FREE_BITS, "return torch.clamp(kl.mean(0).sum(), min=floor)"),
            "That does what it did before: the floor still stands on the total, so one latent can use up the free nats of all.",
        ),
        Mistake(
            _function(_FREE_BITS, "return kl.clamp(min=floor).sum(-1).mean()"),
            "Now every *example* has a floor of its own. (Public code does this too.) An example below δ has no gradient then even where its latent is well above δ on average. Here the mean over the batch comes first.",
        ),
        Mistake(
            _function(_FREE_BITS, "return kl.sum(-1).clamp(min=floor).mean()"),
            "Now there is one floor for each example, still on the sum over its latents. Each *latent* should have one.",
        ),
        Mistake(
            _function(_FREE_BITS, "return kl.mean(0).clamp(max=floor).sum()"),
            "That is a ceiling: it takes the gradient from the latents *above* δ and pulls those below it to the prior, the wrong way round.",
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
        x = torch.rand(n, d, generator=generator, dtype=dtype)
        each = error * (0.5 + torch.rand(n, 1, generator=generator, dtype=dtype))
        return x, x + each * torch.randn(n, d, generator=generator, dtype=dtype)

    x, x_hat = draw(6, 9, 0.3)
    return [
        Case("a batch of 5 with 16 pixels", draw(5, 16, 0.3)),
        Case("a batch of one", draw(1, 12, 0.5)),
        Case("very small errors", draw(4, 16, 1e-3)),
        Case("errors larger than 1", draw(4, 3, 5.0)),
        Case("double precision", draw(4, 7, 0.2, torch.float64)),
        Case("inputs that want gradients", (x, x_hat.requires_grad_())),
    ]


_FIT = "def learned_fit(x, x_hat):"
_ERROR = "mse = ((x - x_hat) ** 2).mean()\n    "

LEARNED = Exercise(
    name="cure-learned-fit",
    title="Complete a function",
    task="""Cure 1 as one function, without a σ² to pass: the mean over the batch of log p(x|z) for a Gaussian decoder whose σ² is the best one for this batch,
one σ² for all its images and pixels.
In nats per example, a tensor with one number. It should let gradients through.""",
    stub='''def learned_fit(x, x_hat):
    """x, x_hat (B, D) → mean log likelihood at the best noise_var, nats per example."""
    ...''',
    answer="learned_fit",
    solution='''def learned_fit(x, x_hat):
    """x, x_hat (B, D) → mean log likelihood at the best noise_var, nats per example."""
    noise_var = ((x - x_hat) ** 2).mean()
    return -0.5 * x.shape[-1] * torch.log(2 * math.pi * math.e * noise_var)''',
    why="""With σ² = E/D the term E/(2σ²) is D/2, whatever the error: it becomes the e inside the logarithm.
Whether gradients flow through `noise_var` where you write the two terms out makes no difference: at the best σ² the slope in σ² is 0.""",
    hints=(
        "Which σ² is best? Put it into −(D/2) log(2πσ²) − E/(2σ²), with E the squared error of one example.",
        "`noise_var` is the mean of the squared error over batch *and* pixels. What is E/(2σ²) then, on average?",
        "−(D/2) log(2πe · `noise_var`)",
    ),
    mistakes=(
        Mistake(
            _function(_FIT, f"{_ERROR}return -0.5 * torch.log(2 * math.pi * math.e * mse)"),
            "That is the fit of one pixel. An example has D of them, and their log likelihoods add up.",
        ),
        Mistake(
            _function(_FIT, f"{_ERROR}return -0.5 * x.shape[-1] * torch.log(2 * math.pi * mse)"),
            "The gradients are right, but D/2 nats are missing: E/(2σ²) is D/2 at the best σ², not 0.",
        ),
        Mistake(
            _function(_FIT, f"{_ERROR}return 0.5 * x.shape[-1] * torch.log(2 * math.pi * math.e * mse)"),
            "That is the loss, its negative. A log likelihood rises when the error falls.",
        ),
        Mistake(
            _function(
                _FIT,
                "D, error = x.shape[-1], ((x - x_hat) ** 2).sum(-1).mean()\n"
                "    return -0.5 * (D * torch.log(2 * math.pi * error) + 1)",
            ),
            "You took the squared error of a whole image for σ². σ² is the variance of one pixel: D times smaller.",
        ),
        Mistake(
            _function(
                _FIT,
                "D, error = x.shape[-1], ((x - x_hat) ** 2).sum(-1).mean()\n"
                "    v = (error / D).sqrt()\n"
                "    return -0.5 * (D * torch.log(2 * math.pi * v) + error / v)",
            ),
            "You used σ, the root of the mean squared error, in the place of σ².",
        ),
        Mistake(
            _function(
                _FIT,
                "each = ((x - x_hat) ** 2).mean(-1)\n"
                "    return (-0.5 * x.shape[-1] * torch.log(2 * math.pi * math.e * each)).mean()",
            ),
            "Here every image has a σ² of its own, fitted after the fact. That score is never lower, and goes to infinity with the first image that is drawn without error. One σ² for the batch is wanted.",
        ),
        Mistake(
            _function(_FIT, f"{_ERROR}return -0.5 * x.numel() * torch.log(2 * math.pi * math.e * mse)"),
            "That is the fit of the whole batch; it grows with the batch size. Per example is wanted.",
        ),
        Mistake(
            _function(_FIT, f"{_ERROR}return -0.5 * x.shape[-1] * torch.log(2 * math.pi * math.e * mse.detach())"),
            "The value is right, but no gradient gets through: something cuts it (`.item()`, `math.log`, `float`, `.detach()`), and the decoder would not learn.",
        ),
    ),
    cases=_pictures,
    points=2,
)

LESSON = Lesson("08", SETUP, (COLLAPSE, WARM_UP, FREE_BITS, LEARNED))
