"""Exercises of notebook 07, the vanishing KL."""

import numpy as np
import torch

from vae_lessons.exercises.source import Case, Exercise, Lesson, Mistake, shares

SETUP = """import math

import numpy as np
import torch"""

FALL = Exercise(
    name="water-kl-fall",
    title="Predict a number",
    task="""The digits, σ_x² = ½, a linear VAE with 8 latents at its optimum.
The eigenvalues are 0.699, 0.639, 0.554, 0.395, 0.271, 0.231, 0.203, 0.172.
You raise β from 0.5 to 1.
By how many nats does the total KL fall?
Give a positive number, right to 1 %.
Think before you compute: is it ½ log 2 for each latent?""",
    stub="fall = ...",
    answer="fall",
    solution="""import numpy as np

eigenvalues = np.array([0.699, 0.639, 0.554, 0.395, 0.271, 0.231, 0.203, 0.172])
before = 0.5 * np.log(np.maximum(eigenvalues / 0.25, 1)).sum()
after = 0.5 * np.log(np.maximum(eigenvalues / 0.5, 1)).sum()
fall = before - after""",
    why="""The level rises from ¼ to ½.
Three latents stay above it and lose ½ log 2 = 0.347 nats each.
Two drown on the way and lose what they had: ½ log(0.395/0.25) = 0.229 and ½ log(0.271/0.25) =
0.040.
Three were below it already.
Together 1.309: from 1.650 to 0.341.""",
    hints=(
        "The water level is βσ_x². Which latents stand above it before, and which after?",
        "Those that live on lose ½ log 2 each. Those that drown lose all they had, ½ log(λ/0.25).",
        "Three live on, two drown.",
    ),
    mistakes=(
        Mistake(
            "fall = 4 * 0.693147",
            "½ log 2 for all 8 latents; but only a latent that is alive before and after loses "
            "just that. "
            "Three are dead from the start.",
        ),
        Mistake(
            "fall = 2.5 * 0.693147",
            "Five latents live at first, but two of them drown on the way: they cannot lose more than they had.",
        ),
        Mistake(
            "fall = 1.5 * 0.693147",
            "That is the loss of the three that live on. Two more drown on the way; their KL is lost as well.",
        ),
        Mistake("fall = 2.618", "Twice too much: the KL of a direction is *half* the log of λ/βσ_x²."),
        Mistake("fall = 1.889", "That is in bits. With the natural logarithm it is in nats."),
        Mistake("fall = 1.650", "That is the total KL at β = 0.5. What is left of it at β = 1?"),
        Mistake("fall = 0.341", "That is what is left at β = 1. How much was there before?"),
        Mistake("fall = -1.309", "Right but for the sign: the fall is asked for, as a positive number."),
    ),
)

SPREAD = Exercise(
    name="water-mean-spread",
    title="Predict a number",
    task="""A direction has the variance λ = 0.64, and the water level is βσ_x² = 0.16.
At the optimum its latent has the width σ = ½ for every image.
The means μ differ from image to image.
What is the standard deviation of μ over the data?""",
    stub="spread = ...",
    answer="spread",
    solution="""eigenvalue, level = 0.64, 0.16
slope = (eigenvalue - level) ** 0.5 / eigenvalue  # of the encoder
spread = slope * eigenvalue**0.5""",
    why="""μ = a·x with a = √(λ − βσ_x²)/λ, and x has standard deviation √λ: together √(1 − βσ_x²/λ) = √¾ =
0.866.
Add the variance σ² = ¼ of the noise and z has variance 1 over all images, whatever λ and the level
are.
So the codes of *all images together* have the mean and the variance of the prior, although those of
no single image have.""",
    hints=(
        (
            "μ = a·x, with x measured from its mean. "
            "What is a where the latent is alive, and what is the standard deviation of x?"
        ),
        "a = w/λ with w = √(λ − βσ_x²); the standard deviation of x is √λ.",
        "√(1 − βσ_x²/λ)",
    ),
    mistakes=(
        Mistake("spread = 0.5", "½ is σ, the width around each mean; the spread of the means is asked for."),
        Mistake("spread = 0.75", "That is their variance; the standard deviation is asked for."),
        Mistake(
            "spread = 1.0",
            "1 is the spread of z over all images. "
            "It has two parts, the spread of the means and the noise σ around each.",
        ),
        Mistake("spread = 1.0825", "That is the slope a of the encoder. x itself has standard deviation √λ = 0.8."),
        Mistake("spread = 0.8", "That is the spread √λ of the data. The encoder multiplies it by a."),
        Mistake(
            "spread = 0.6928",
            "That is a·λ: the standard deviation of x is √λ, not λ. It is also w, the decoder's slope.",
        ),
    ),
)


def _spectra(generator: torch.Generator) -> list[Case]:
    """eigenvalues, level, n_latents."""
    high = np.sort(2 * shares(generator, 6, dtype=torch.float64).numpy() + 1.2)[::-1].round(2)
    low = np.sort(0.8 * shares(generator, 5, dtype=torch.float64).numpy() + 0.1)[::-1].round(2)
    both = np.concatenate([high, low])
    return [
        Case("3 directions and 2 latents", (np.array([4.0, 0.5, 0.25]), 1.0, 2)),
        Case("one direction, just at the water", (np.array([1.0]), 1.0, 1)),
        Case("directions without any variance", (np.array([2.0, 1.0, 0.0, 0.0]), 0.5, 3)),
        Case("water above everything", (np.array([3.0, 0.5, 0.25]), 5.0, 2)),
        Case("water far below everything", (np.array([3.0, 0.5, 0.25]), 1e-6, 2)),
        Case("very large variances", (np.array([4e4, 2e4, 300.0]), 500.0, 2)),
        Case("no latents at all", (np.array([2.0, 0.5]), 1.0, 0)),
        Case("a latent for every direction", (high, 1.5, 6)),
        Case("11 directions, 8 latents, 6 directions above water", (both, 1.0, 8)),
        Case("11 directions, 4 latents, 6 directions above water", (both, 1.0, 4)),
    ]


def _bill(error: str, nats: str = "0.5 * np.log(np.maximum(held / level, 1)).sum()") -> str:
    return f"""def bill(eigenvalues, level, n_latents):
    held, rest = eigenvalues[:n_latents], eigenvalues[n_latents:]
    error = {error}
    nats = {nats}
    return float(error), float(nats)"""


_ERROR = "np.minimum(held, level).sum() + rest.sum()"

BILL = Exercise(
    name="water-bill",
    title="Complete a function",
    task="""Write down what the best linear VAE with `n_latents` latents achieves at the water level βσ_x²: the
squared error per image that remains, over *all* directions, and the total KL.
`eigenvalues` is a NumPy array, largest first; there may be fewer latents than directions.
Write it from the theory, without `kl_per_latent`; then compare.""",
    stub='''def bill(eigenvalues, level, n_latents):
    """→ (squared error, total KL in nats) per image, at the optimum."""
    ...''',
    answer="bill",
    solution='''def bill(eigenvalues, level, n_latents):
    """→ (squared error, total KL in nats) per image, at the optimum."""
    held, rest = eigenvalues[:n_latents], eigenvalues[n_latents:]
    error = np.minimum(held, level).sum() + rest.sum()
    nats = 0.5 * np.log(np.maximum(held / level, 1)).sum()
    return float(error), float(nats)''',
    why="""A live direction leaves an error of exactly the level and costs ½ log(λ/βσ_x²).
A dead one costs nothing and leaves all its variance λ.
So does a direction without a latent, even above the water: these are the hollow bars.
This pair, drawn for all levels, is the curve of lesson 09.""",
    hints=(
        (
            "Three kinds of directions: live, drowned, without a latent. "
            "What error does each leave, and what does each cost?"
        ),
        "Error: the level, λ, λ. Cost: ½ log(λ/level), 0, 0. `np.minimum` and `np.maximum` do it without a loop.",
        (
            "`np.minimum(held, level).sum() + rest.sum()`, and `0.5 * np.log(np.maximum(held / "
            "level, 1)).sum()`, for `held = eigenvalues[:n_latents]`."
        ),
    ),
    mistakes=(
        Mistake(
            _bill("np.minimum(held, level).sum()"),
            "The KL is right. "
            "In the error, the directions without a latent are missing: they leave all their "
            "variance.",
        ),
        Mistake(
            _bill("np.minimum(eigenvalues, level).sum()"),
            "The KL is right. "
            "But the error treats directions without a latent as if they had one: above the water "
            "they leave all their variance, not only the level.",
        ),
        Mistake(
            _bill("np.minimum(eigenvalues, level).sum()", "0.5 * np.log(np.maximum(eigenvalues / level, 1)).sum()"),
            "`n_latents` is not used: a direction above the water without a latent costs nothing "
            "and leaves all its variance.",
        ),
        Mistake(
            _bill("n_latents * level + rest.sum()"),
            "The KL is right. "
            "But a drowned direction leaves its variance λ, which is less than the level: your "
            "error is too large.",
        ),
        Mistake(
            _bill("eigenvalues[eigenvalues <= level].sum() + rest[rest > level].sum()"),
            "The KL is right. But a live direction is not redrawn perfectly: it leaves an error of exactly the level.",
        ),
        Mistake(
            _bill(_ERROR, "0.5 * np.log(held / level).sum() if held.all() else -np.inf"),
            "The error is right. "
            "But below the water ½ log(λ/level) is negative, and you add it up: a drowned latent "
            "costs 0.",
        ),
        Mistake(
            _bill(_ERROR, "np.log(np.maximum(held / level, 1)).sum()"),
            "The error is right. The KL is twice too large: it is *half* the log of λ/level.",
        ),
        Mistake(
            _bill(_ERROR, "0.5 * np.log2(np.maximum(held / level, 1)).sum()"),
            "The error is right. The KL is in bits; nats have the natural logarithm.",
        ),
        Mistake(
            _bill(_ERROR, "0.5 * np.log(np.maximum(held - level, 1)).sum()"),
            "The error is right. "
            "The KL needs the ratio λ/level; what sticks out of the water, λ − level, is w², not "
            "the argument of the log.",
        ),
        Mistake(
            _bill(_ERROR).replace("float(error), float(nats)", "float(nats), float(error)"),
            "Both are right, in the wrong order: the error first, then the KL.",
        ),
    ),
    cases=_spectra,
    points=2,
)


def _objectives(generator: torch.Generator) -> list[Case]:
    """x, x_hat, kl, noise_var, beta."""

    def case(label: str, b: int, beta: float, noise_var: float, dtype: torch.dtype = torch.float32) -> Case:
        x, x_hat = (shares(generator, b, 5, dtype=dtype) for _ in range(2))
        kl = 2 * shares(generator, b, 3, dtype=dtype)
        return Case(label, (x, x_hat, kl, noise_var, beta))

    x, x_hat = torch.tensor([[1.0, 0.5], [0.0, 1.0]]), torch.tensor([[0.0, 0.5], [0.0, 0.5]])
    kl = torch.tensor([[0.5, 0.25], [1.0, 0.0]])
    return [
        Case("two images with 2 pixels and 2 latents at β = 2", (x, x_hat, kl, 0.5, 2.0)),
        Case("β = 0", (x, x_hat, kl, 0.5, 0.0)),
        Case("inputs that want gradients", (x, x_hat.clone().requires_grad_(), kl.clone().requires_grad_(), 0.1, 0.7)),
        Case("two images that cost nothing", (x, x_hat, 0 * kl, 0.5, 2.0)),
        Case("a very large β", (x, x_hat, kl, 0.5, 1e4)),
        Case("a decoder with very little noise", (x, x_hat, kl, 1e-4, 0.5)),
        case("a batch of one", 1, 0.5, 1.0),
        case("a batch of 5 at β = 0.3", 5, 0.3, 0.5),
        case("double precision", 6, 4.0, 0.03, torch.float64),
    ]


def _weighted(value: str) -> str:
    return f"""def weighted(x, x_hat, kl, noise_var, beta):
    error = ((x - x_hat) ** 2).sum(1)
    log_likelihood = -error / (2 * noise_var) - x.shape[1] / 2 * math.log(2 * math.pi * noise_var)
    return {value}"""


BETA_BUG = Exercise(
    name="water-beta-bug",
    title="Find the bug",
    task="""Somebody repeated the sweep of this lesson with an objective of their own, to be made as large as
possible.
All 21 models came out nearly alike, with almost the same total KL at β = 2 as at β = 0.1.
Repair it.
The models are trained with it, so gradients must reach `x_hat` and `kl`.""",
    stub='''def weighted(x, x_hat, kl, noise_var, beta):
    """log p(x|z) − β KL per image: x, x_hat (B, D), kl (B, K) → (B,)."""
    error = ((x - x_hat) ** 2).sum(1)
    constant = x.shape[1] / 2 * math.log(2 * math.pi * noise_var)
    log_likelihood = -error / (2 * noise_var) - constant
    return beta * (log_likelihood - kl.sum(1))''',
    answer="weighted",
    solution='''def weighted(x, x_hat, kl, noise_var, beta):
    """log p(x|z) − β KL per image: x, x_hat (B, D), kl (B, K) → (B,)."""
    error = ((x - x_hat) ** 2).sum(1)
    constant = x.shape[1] / 2 * math.log(2 * math.pi * noise_var)
    log_likelihood = -error / (2 * noise_var) - constant
    return log_likelihood - beta * kl.sum(1)''',
    why="""β stood before both terms.
A factor in front moves no optimum, so the water stood at σ_x² for all 21.
And Adam, which divides every gradient by its usual size, trains them at almost the same speed.
β belongs to the KL alone: then the level is βσ_x².""",
    hints=(
        "Which of the two terms should β make more important than the other?",
        "A factor before everything moves no optimum. Where are the brackets?",
        "`log_likelihood - beta * kl.sum(1)`",
    ),
    mistakes=(
        Mistake(
            _weighted("beta * (log_likelihood - kl.sum(1))"),
            "It does what it did before: β still multiplies both terms.",
        ),
        Mistake(
            _weighted("beta * log_likelihood - kl.sum(1)"),
            "β is now on the log likelihood. "
            "It works backwards: the level is σ_x²/β, so a larger β *lowers* the water.",
        ),
        Mistake(
            _weighted("log_likelihood - kl.sum(1)"),
            "Now β is gone: all 21 models still share one objective, the ELBO.",
        ),
        Mistake(
            _weighted("log_likelihood - kl.sum(1) / beta"),
            "You divide the KL by β: a larger β would make nats cheaper.",
        ),
        Mistake(
            _weighted("log_likelihood - beta * kl.mean(1)"),
            "β is in its place. But the KL is now averaged over the latents, which divides β by K: lesson 06.",
        ),
        Mistake(
            _weighted("log_likelihood + beta * kl.sum(1)"),
            "The sign: with a plus, maximising it pays for nats instead of charging for them, and "
            "the KL grows without limit.",
        ),
        Mistake(
            _weighted("(log_likelihood - beta * kl.sum(1)).mean()"),
            "β is in its place; but one value for each image is wanted, no mean over the batch.",
        ),
        Mistake(
            _weighted("beta * kl.sum(1) - log_likelihood"),
            "β is in its place, but this is the loss, to be made small. The function returns what is made large.",
        ),
        Mistake(
            _weighted("log_likelihood - beta * kl"),
            "The sum over latents is missing: log p(x|z) belongs to the whole image, and so does the sum of its KLs.",
        ),
    ),
    cases=_objectives,
    points=2,
)

LESSON = Lesson("07", SETUP, (FALL, SPREAD, BILL, BETA_BUG))
