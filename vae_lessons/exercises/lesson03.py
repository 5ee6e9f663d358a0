"""Exercises of notebook 03, the ELBO."""

from typing import Any

import torch
from torch import Tensor

from vae_lessons.exercises.source import Case, Exercise, Function, Lesson, Mistake, draws, shares
from vae_lessons.exercises.wording import as_code

SETUP = """import math

import torch

from vae_lessons.gaussian import kl_to_standard"""


def _prior_draws(generator: torch.Generator) -> list[Case]:
    """x (B,), z (S,) from the prior and the weight w, a tensor with one number; some x that no draw explains."""

    def draw(batch: int, n_draws: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor]:
        x, z = draws(generator, batch, dtype=dtype), draws(generator, n_draws, dtype=dtype)
        return x, z, 0.5 + shares(generator, dtype=dtype)

    one = torch.tensor(1.0)
    return [
        Case("one image and one draw", (torch.tensor([1.5]), torch.tensor([1.0]), one)),
        Case("one image and two draws", (torch.tensor([1.5]), torch.tensor([1.0, 0.0]), one)),
        Case("an image far from both draws", (torch.tensor([40.0]), torch.tensor([0.5, -1.0]), one)),
        Case("a weight of 0", (torch.tensor([0.5, 2.0]), torch.tensor([1.0, -1.0]), torch.tensor(0.0))),
        Case("4 images and 10 draws", draw(4, 10)),
        Case("one draw in double precision", draw(3, 1, torch.float64)),
        Case(
            "a weight that wants its gradient",
            (torch.tensor([1.5, -0.5]), torch.tensor([1.0, 0.0]), torch.tensor(1.0).requires_grad_()),
        ),
    ]


def _images(generator: torch.Generator) -> list[Case]:
    """x, mu, log_sigma, eps, decode, noise_var: the slider's model, extreme widths and variances, and fresh ones."""

    def draw(batch: int, n_latents: int, n_pixels: int, dtype: torch.dtype = torch.float32) -> tuple[Any, ...]:
        code = [draws(generator, batch, n_latents, dtype=dtype) for _ in range(2)]
        eps, weight = (draws(generator, n, n_latents, dtype=dtype) for n in (batch, n_pixels))
        decode = Function(f"lambda z: torch.tanh(z @ {as_code(weight)}.T)")
        return shares(generator, batch, n_pixels, dtype=dtype), *code, eps, decode, 0.3

    x, mu, eps = torch.tensor([[1.5]]), torch.tensor([[1.2]]), torch.tensor([[0.5]])
    same, total = Function("lambda z: z"), Function("lambda z: z.sum(1, keepdim=True)")
    pair = torch.tensor([[1.2, -0.5]]), torch.tensor([[-0.5, -1.0]])  # mu, log_sigma
    return [
        Case("the slider's image with q = N(1.2, 1)", (x, mu, torch.zeros(1, 1), eps, same, 0.25)),
        Case("a very narrow q", (x, mu, torch.tensor([[-4.0]]), eps, same, 0.25)),
        Case("a very wide q", (x, mu, torch.tensor([[4.0]]), eps, same, 0.25)),
        Case("a decoder with very little noise", (x, mu, torch.tensor([[-0.5]]), eps, same, 0.001)),
        Case("a decoder with much noise", (x, mu, torch.tensor([[-0.5]]), eps, same, 100.0)),
        Case("one image with 3 latents", draw(1, 3, 4)),
        Case("one image with 2 latents", (x, *pair, torch.tensor([[0.5, -1.0]]), total, 0.25)),
        Case("4 images with 2 latents", draw(4, 2, 3)),
        Case("double precision", draw(3, 2, 4, torch.float64)),
        Case(
            "inputs that want gradients",
            (x, mu.clone().requires_grad_(), torch.tensor([[-0.5]]).requires_grad_(), eps, same, 0.25),
        ),
    ]


PRIOR_GAP = Exercise(
    name="prior-gap",
    title="Predict a number",
    task="""In the slider's model $w = 1$, $\\sigma_x^2 = 0.25$ and $x = 1.5$.
A lazy encoder answers with the prior itself: $q(z) = \\mathcal N(0, 1)$.
Then its KL to the prior is 0.
How large is the gap, in nats?
Two digits are enough.""",
    stub="gap = ...",
    answer="gap",
    solution="""mean, variance = 1.5 / (1 + 0.25), 0.25 / (1 + 0.25)  # of the posterior
gap = 0.5 * (math.log(variance) + (1 + mean**2) / variance - 1)""",
    why="""The gap is KL(q ‖ p(z|x)) = KL(N(0, 1) ‖ N(1.2, 0.2)) = ½(log 0.2 + (1 + 1.44)/0.2 − 1) = 4.80 nats,
and the ELBO is −1.93 − 4.80 = −6.73.
A KL to the prior of 0 does not make the bound tight: here all of the loss is in the log likelihood.""",
    hints=(
        "The gap is a KL: from which distribution to which?",
        "The posterior is N(1.2, 0.2). You need KL(N(0, 1) ‖ N(1.2, 0.2)).",
        "½ log 0.2 + (1 + 1.2²)/(2 · 0.2) − ½",
    ),
    mistakes=(
        Mistake(
            "gap = 0.0", "The KL to the *prior* is 0. The gap is the KL to the posterior p(z|x), another Gaussian."
        ),
        Mistake("gap = -6.7258", "That is the ELBO. The gap is what is missing from it up to log p(x) = −1.93."),
        Mistake(
            "gap = 6.7258",
            "That is −ELBO, its distance from 0. The gap is its distance from log p(x) = −1.93.",
        ),
        Mistake("gap = -4.795", "The size is right, but a gap is a KL and never negative: it is log p(x) − ELBO."),
        Mistake(
            "gap = 1.1247",
            "That is KL(posterior ‖ q). In the gap, q comes first: the average is over draws from q.",
        ),
        Mistake(
            "gap = 1.1953",
            "That is the gap of a q with the posterior's mean and width 1. The prior's mean is 0, the posterior's 1.2.",
        ),
        Mistake("gap = 1.8256", "You took the posterior's standard deviation, 0.447, for its variance, which is 0.2."),
    ),
)

EVIDENCE = Exercise(
    name="evidence-by-sampling",
    title="Complete a function",
    task="""$p(x) = \\mathbb E_{z\\sim p(z)}[p(x|z)]$ suggests a way round the ELBO: draw codes from the *prior*
and average.
Take the model of the lesson, $x|z \\sim \\mathcal N(wz, 0.25)$, whose standard deviation is 0.5.
Given the draws `z`, return for each `x` the *logarithm* of the averaged p(x|z).
It should give a finite number also where every p(x|z) is too small for a floating-point number, and
let the gradient through to `w`.""",
    stub='''def log_evidence(x, z, w):
    """x (B,), S draws z (S,) from the prior, w a tensor with one number → log p(x), (B,)."""
    ...''',
    answer="log_evidence",
    solution='''def log_evidence(x, z, w):
    """x (B,), S draws z (S,) from the prior, w a tensor with one number → log p(x), (B,)."""
    likelihood = torch.distributions.Normal(w * z, 0.5)
    log_likelihood = likelihood.log_prob(x.unsqueeze(-1))  # (B, S)
    return log_likelihood.logsumexp(dim=-1) - math.log(len(z))''',
    why="""`logsumexp` takes the largest term out before it exponentiates, so nothing underflows; the average
needs the −log S. p(x|z) is averaged before the log is taken: the other order gives a bound.
A finite number is not yet a good one: for an x that no draw explains, the estimate is far too low.""",
    hints=(
        "First a table (B, S) of log p(x|z): `x.unsqueeze(-1)` against `w * z`.",
        "The log of a sum of exponentials, without underflow, is `torch.logsumexp`.",
        "A mean is a sum divided by S, so subtract `math.log(len(z))` at the end.",
    ),
    mistakes=(
        Mistake(
            "def log_evidence(x, z, w):\n    return torch.distributions.Normal(w * z, 0.5).log_prob(x[:, None]).mean(-1)",
            "You averaged the logs. "
            "That estimates the ELBO with the prior as q, a lower bound: average p(x|z) first, "
            "then take the log.",
        ),
        Mistake(
            "def log_evidence(x, z, w):\n    return torch.distributions.Normal(w * z, 0.5).log_prob(x[:, None]).logsumexp(-1)",
            "That is the log of a sum. Without −log S it grows with every further draw.",
        ),
        Mistake(
            "def log_evidence(x, z, w):\n    return torch.distributions.Normal(w * z, 0.5).log_prob(x[:, None]).exp().mean(-1).log()",
            "Right on paper, but far from all draws every `exp` is 0 in floating point, and the "
            "log of that is −∞. "
            "Stay in logs: `logsumexp`.",
        ),
        Mistake(
            "def log_evidence(x, z, w):\n    f = torch.distributions.Normal(w * z, 0.5).log_prob(x[:, None])\n    f = f + torch.distributions.Normal(0.0, 1.0).log_prob(z)\n    return f.logsumexp(-1) - math.log(len(z))",
            "The prior is counted twice: z was drawn from it already, so log p(z) must not be added.",
        ),
        Mistake(
            "def log_evidence(x, z, w):\n    return torch.distributions.Normal(w * z, 0.25).log_prob(x[:, None]).logsumexp(-1) - math.log(len(z))",
            "0.25 is the variance of x|z. `Normal` takes the standard deviation, 0.5.",
        ),
        Mistake(
            "def log_evidence(x, z, w):\n    return torch.distributions.Normal(w * z, 0.5).log_prob(x[:, None]).exp().mean(-1)",
            "That is p(x), apart from underflow; its logarithm is asked for.",
        ),
        Mistake(
            "def log_evidence(x, z, w):\n    return (torch.distributions.Normal(w * z, 0.5).log_prob(x[:, None]).logsumexp(-1) - math.log(len(z))).mean()",
            "The formula is right, but you averaged over the images: one value for each x is wanted.",
        ),
    ),
    cases=_prior_draws,
    points=2,
)

_ELBO = '''def elbo(x, mu, log_sigma, eps, decode, noise_var):
    """x (B, D); mu, log_sigma, eps (B, K) → one draw of the ELBO for each image, (B,)."""'''
_Z = "mu + log_sigma.exp() * eps"


def _elbo(z: str, value: str = "log_likelihood - kl") -> str:
    """The same with another z, or another last line; log_ratio is log q(z|x) − log p(z) at this z."""
    return f"""{_ELBO}
    z = {z}
    log_likelihood = torch.distributions.Normal(decode(z), noise_var**0.5).log_prob(x).sum(1)
    kl = kl_to_standard(mu, log_sigma).sum(1)
    log_ratio = (0.5 * z**2 - 0.5 * eps**2 - log_sigma).sum(1)
    return {value}"""


AT_THE_MEAN = Exercise(
    name="elbo-at-the-mean",
    title="Find the bug",
    task="""This "ELBO" is computed without randomness, "because noise only blurs the number".
On the slider's model, with q = N(1.2, 1), it reports −1.13 nats, and log p(x) is −1.93: no lower
bound lies *above* what it bounds.
Repair it, with the noise `eps` that it is given.
A model will be trained with it, so gradients must reach `mu` and `log_sigma`.
On the slider's model the average over `eps` is then −3.13.""",
    stub=f"""{_ELBO}
    x_hat = decode(mu)
    squares = (x - x_hat) ** 2 / noise_var
    log_likelihood = -0.5 * (squares + math.log(2 * math.pi * noise_var)).sum(dim=1)
    return log_likelihood - kl_to_standard(mu, log_sigma).sum(dim=1)""",
    answer="elbo",
    solution=f"""{_ELBO}
    x_hat = decode(mu + log_sigma.exp() * eps)
    squares = (x - x_hat) ** 2 / noise_var
    log_likelihood = -0.5 * (squares + math.log(2 * math.pi * noise_var)).sum(dim=1)
    return log_likelihood - kl_to_standard(mu, log_sigma).sum(dim=1)""",
    alternatives=(_elbo(_Z, "log_likelihood - log_ratio"),),
    why="""The ELBO has an average of log p(x|z) over z from q, not its value at the mean of q.
In the linear model the difference is w²σ²/(2σ_x²), here 1/(2 · 0.25) = 2 nats.
To sample the KL as well, as log q(z|x) − log p(z) at the same z, would be right too: a draw of the
ELBO with more noise.
Trained on the value at the mean, a decoder would never notice how wide q is: in the loss, only the KL depends on σ
then, and it makes q as wide as the prior.""",
    hints=(
        "Which argument is never used?",
        "The first term of the ELBO is 𝔼 over z from q. How do you make such a z from `mu`, `log_sigma` and `eps`?",
        "`decode(mu + log_sigma.exp() * eps)`",
    ),
    mistakes=(
        Mistake(
            _elbo("mu + log_sigma * eps"),
            "`log_sigma` stands where σ should: the width of a draw would be negative for every σ below 1.",
        ),
        Mistake(
            _elbo("mu + (0.5 * log_sigma).exp() * eps"),
            "You read `log_sigma` as log σ², so z has standard deviation √σ, while the KL still charges for σ.",
        ),
        Mistake(
            _elbo("mu + (2 * log_sigma).exp() * eps"),
            "`(2 * log_sigma).exp()` is σ², and z = μ + σε takes the standard deviation σ.",
        ),
        Mistake(
            _elbo(_Z, "log_likelihood + kl"),
            "z is right now, but the sign of the KL was right before: the ELBO is the log likelihood *minus* the KL.",
        ),
        Mistake(
            _elbo("eps"),
            "`eps` alone is a draw from the prior: the decoder dreams, whatever this image is.",
        ),
        Mistake(
            _elbo("mu + eps"),
            "That is a draw from N(μ, 1): the width σ is missing, and with it the only way the "
            "log likelihood can reward a narrow q.",
        ),
        Mistake(
            _elbo("(mu + log_sigma.exp() * eps).detach()"),
            "The values are right, but z was cut off from `mu` and `log_sigma`: an encoder would "
            "learn from the KL alone, which would soon be 0.",
        ),
        Mistake(
            _elbo(_Z, "log_likelihood - kl / mu.shape[1]"),
            "z is right now. But the KL is averaged over the latents: they are paid for each, so sum over them.",
        ),
        Mistake(
            _elbo(_Z, "(log_likelihood - kl).mean()"),
            "z is right now. But the mean over images comes later: one value for each is wanted.",
        ),
    ),
    cases=_images,
    points=2,
)

NOT_THE_EVIDENCE = Exercise(
    name="not-the-evidence",
    title="Recognise a wrong identity",
    task="""Somebody reports the evidence of a trained VAE: "log p(x) = ELBO + KL(q(z|x) ‖ p(z)), and my loss
has both terms."
What is this number really?

- `"a"`: the evidence log p(x), exactly as this lesson proves
- `"b"`: the expected log likelihood 𝔼[log p(x|z)] over z from q(z|x), no bound in either direction
- `"c"`: still a lower bound on log p(x), only tighter than the ELBO
- `"d"`: an upper bound on log p(x)""",
    stub="number = ...",
    answer="number",
    solution='number = "b"',
    why="""ELBO = 𝔼[log p(x|z)] − KL(q ‖ p(z)): adding this KL back leaves the expected log likelihood.
The gap is another KL, to the posterior p(z|x), which the loss does not contain.""",
    hints=(
        "Write out the ELBO's two terms, and add the KL.",
        "To tell b, c and d apart, try two q on the slider's model (log p(x) = −1.93): the posterior, and the prior.",
    ),
    mistakes=(
        Mistake(
            'number = "a"', "The identity has the KL to the posterior p(z|x), and this is the KL to the prior p(z)."
        ),
        Mistake(
            'number = "c"',
            "It can lie above: on the slider's model, with the posterior as q, it is −0.81, and log p(x) is −1.93.",
        ),
        Mistake(
            'number = "d"',
            "It can lie below: on the slider's model, with the prior as q, the KL is 0 and the "
            "number −6.73, and log p(x) is −1.93.",
        ),
    ),
)

LESSON = Lesson("03", SETUP, (PRIOR_GAP, EVIDENCE, AT_THE_MEAN, NOT_THE_EVIDENCE))
