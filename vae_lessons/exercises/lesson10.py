"""Exercises of notebook 10, scores and bounds."""

from typing import Any

import torch
from torch import Tensor

from vae_lessons.exercises.source import Case, Exercise, Function, Lesson, Mistake, draws
from vae_lessons.exercises.wording import as_code

SETUP = """import math

import torch

from vae_lessons.gaussian import kl_to_standard, log_density
from vae_lessons.montecarlo import log_ratio
from vae_lessons.objective import gaussian_log_likelihood"""

DRAWS = Exercise(
    name="score-draws",
    title="Predict a number",
    task="""A linear VAE with 8 latents has a $q$ that is 2 times too wide in each of them: c = 2, with the same
means.
Its ELBO is 6.45 nats below log p(x).
How many draws S bring the importance-weighted bound to 0.1 nats below log p(x), by the rule
Var[w/p(x)]/(2S) of the lesson?
Give it right to 2 %.""",
    stub="draws = ...",
    answer="draws",
    solution="""import math

c, n_latents = 2, 8
mean_square = (c**2 / math.sqrt(2 * c**2 - 1)) ** n_latents  # of w/p, which has mean 1
draws = (mean_square - 1) / (2 * 0.1)""",
    why="""The mean square is (4/√7)⁸ = 27.3, the variance 26.3, and 26.3/(2 · 0.1) = 131.5.
The rule is the first term of an expansion; simulated with S = 132, the gap is 0.099 ± 0.001 nats.
At c = 1.5 the same gap takes 17 draws: a faulty $q$ gets expensive fast, the faster the more
latents there are.""",
    hints=(
        "What is E[(w/p)²] for one latent at c = 2, and what for eight?",
        "The latents multiply. And a variance is the mean square minus the squared mean, which is 1 here.",
        "(4/√7)⁸ − 1 = 26.3; set 26.3/(2S) = 0.1.",
    ),
    mistakes=(
        Mistake(
            "draws = 26.295 / 0.1",
            "Twice too many: the gap is Var/(2S), with the 2 from the expansion of the logarithm.",
        ),
        Mistake(
            "draws = 27.295 / 0.2",
            "You used the mean square for the variance. The mean of w/p is 1, and its square has to be subtracted.",
        ),
        Mistake(
            "draws = 0.51186 / 0.2", "That is right for one latent. There are eight, and their mean squares multiply."
        ),
        Mistake(
            "draws = 8 * 0.51186 / 0.2",
            "You added the variances of eight latents. "
            "The weight is a *product* over latents, so the mean squares multiply.",
        ),
        Mistake("draws = 3.3771 / 0.2", "That is the $q$ of the lesson, 1.5 times too wide. Here c = 2."),
    ),
    tolerance=0.02,
)


def _log_weights(generator: torch.Generator) -> list[Case]:
    """Log-weights (S, B) with a group size k that divides S."""

    def draw(s: int, b: int, dtype: torch.dtype = torch.float32) -> Tensor:
        return 2 * draws(generator, s, b, dtype=dtype)

    four = torch.tensor([[0.0], [1.0], [-2.0], [3.0]])
    six = torch.tensor([[0.0, 2.0], [1.0, -1.0], [-2.0, 0.0], [3.0, 1.0], [0.5, 0.0], [-1.0, 4.0]])
    return [
        Case("4 draws for one image, in groups of 2", (four, 2)),
        Case("6 draws for each of 2 images, in groups of 3", (six, 3)),
        Case("groups of one, the ELBO", (four, 1)),
        Case("one group of all draws", (four, 4)),
        Case("log-weights near −900, as images of many pixels have them", (four - 900, 2)),
        Case("images whose log-weights differ by 900", (six - torch.tensor([900.0, 0.0]), 3)),
        Case("groups whose log-weights differ by 900", (four - 900 * torch.tensor([[0.0], [0.0], [1.0], [1.0]]), 2)),
        Case("log-weights near 200", (four + 200, 2)),
        Case("log-weights near 1000 in double precision", (1000 + four.double(), 2)),
        Case("12 draws for each of 5 images, in groups of 4", (draw(12, 5), 4)),
        Case("double precision", (draw(10, 3, torch.float64), 5)),
        Case("inputs that want gradients", (six.clone().requires_grad_(), 3)),
    ]


_IWAE = "def iwae(log_w, k):\n    return "
_GROUPS = "log_w.unflatten(0, (-1, k))"

IWAE = Exercise(
    name="score-iwae",
    title="Complete a function",
    task="""You have S log-weights for each of B images and want IWAE-k, for a k that divides S. Take the first
k draws as a group, the next k as another, and so on.
Each group gives the log of its average weight, and the result is the mean of that over the groups,
one number per image.
All draws are used, and every k uses the same ones.
It should hold for log-weights of any size, and let gradients through.""",
    stub='''def iwae(log_w, k):
    """log_w (S, B), groups of k draws → IWAE-k of each image, (B,), in nats."""
    ...''',
    answer="iwae",
    solution='''def iwae(log_w, k):
    """log_w (S, B), groups of k draws → IWAE-k of each image, (B,), in nats."""
    groups = log_w.unflatten(0, (-1, k))  # (S/k, k, B)
    return (groups.logsumexp(1) - math.log(k)).mean(0)''',
    why="""Inside a group the average is taken before the logarithm, over groups after it.
k = 1 is the ELBO, k = S the tightest bound these draws can give.
`logsumexp` takes the largest weight out first, so nothing under- or overflows.""",
    hints=(
        "First a new axis: `log_w.unflatten(0, (-1, k))` has the shape (S/k, k, B).",
        "The log of an average of exponentials over the axis of length k. Which two terms is that, in logs?",
        "`logsumexp(1) - math.log(k)`, then the mean over the groups.",
    ),
    mistakes=(
        Mistake(
            _IWAE + f"{_GROUPS}.logsumexp(1).mean(0)",
            "You took the sum of k weights in place of their average: the score is log k nats too "
            "good, and grows with k without limit.",
        ),
        Mistake(_IWAE + "log_w.mean(0)", "That is the average of the logs, the ELBO, whatever k is."),
        Mistake(
            _IWAE + f"{_GROUPS}.exp().mean(1).log().mean(0)",
            "Right on paper, but exp(−900) is 0 and exp(200) is infinite in single precision. Stay in logs.",
        ),
        Mistake(
            _IWAE + f"{_GROUPS}.mean(1).logsumexp(0) - math.log(len(log_w) // k)",
            "The two averages are exchanged: inside a group you average logs, and over the groups weights.",
        ),
        Mistake(
            _IWAE + "log_w.logsumexp(0) - math.log(len(log_w))",
            "You averaged all S draws inside the logarithm: that is IWAE-S, whatever k is.",
        ),
        Mistake(
            _IWAE + "log_w[:k].logsumexp(0) - math.log(k)",
            "Only the first group is used. That is IWAE-k as well, but noisier: the other draws are thrown away.",
        ),
        Mistake(
            _IWAE + f"{_GROUPS}.logsumexp(1).mean(0) - math.log(len(log_w))",
            "You divided by S. A group has k weights, and its average is its sum over k.",
        ),
        Mistake(
            _IWAE + "(log_w.unflatten(0, (k, -1)).logsumexp(1) - math.log(k)).mean(0)",
            "`(k, -1)` makes k groups, not groups of k.",
        ),
        Mistake(
            _IWAE + "(log_w.unflatten(0, (k, -1)).logsumexp(0) - math.log(k)).mean(0)",
            "These are groups of k, but each takes every (S/k)-th draw. "
            "On average that is as good; here neighbours form a group.",
        ),
        Mistake(
            _IWAE + f"({_GROUPS}.logsumexp(0) - math.log(k)).mean(0)",
            "You averaged over the wrong axis: after `unflatten` axis 0 counts the groups, axis 1 the k draws in each.",
        ),
    ),
    cases=_log_weights,
    points=2,
)


def _models(generator: torch.Generator) -> list[Case]:
    """Images with encoded mu and log_sigma, noise for S draws, a small decoder and its noise_var."""

    def draw(s: int, b: int, k: int, dtype: torch.dtype = torch.float32) -> tuple[Any, ...]:
        def normal(*shape: int) -> Tensor:
            return draws(generator, *shape, dtype=dtype)

        decode = Function(f"lambda z: torch.tanh(z @ {as_code(normal(k, 4))})")
        mu, log_sigma = normal(b, k), (0.3 * normal(b, k) - 0.5).round(decimals=2)
        return normal(b, 4), mu, log_sigma, normal(s, b, k), decode, 0.5

    def same(x: float, mu: float, log_sigma: float, noise_var: float, *eps: float) -> tuple[Any, ...]:
        """One image of one pixel, which the decoder takes from its one latent as it is."""
        codes = (torch.tensor([[number]]) for number in (x, mu, log_sigma))
        return *codes, torch.tensor(eps).reshape(-1, 1, 1), Function("lambda z: z"), noise_var

    return [
        Case("a single draw for an image of one pixel", same(1.5, 1.2, -0.5, 0.25, 1.0)),
        Case("two draws for an image of one pixel", same(1.5, 1.2, -0.5, 0.25, 1.0, -0.5)),
        Case("an image that no draw explains", same(40.0, 1.2, -0.5, 0.25, 1.0, -0.5)),
        Case("a very narrow q", same(1.5, 1.2, -5.0, 0.25, 1.0, -0.5)),
        Case("a very wide q", same(1.5, 1.2, 3.0, 0.25, 1.0, -0.5)),
        Case("a decoder with very little noise", same(1.5, 1.2, -0.5, 0.001, 1.0, -0.5)),
        Case(
            "two draws for an image of two pixels",
            (
                torch.tensor([[1.5, 0.0]]),
                torch.tensor([[1.2, 0.5]]),
                torch.tensor([[-0.5, 0.0]]),
                torch.tensor([[[1.0, 0.5]], [[-0.5, 1.0]]]),
                Function("lambda z: z"),
                0.25,
            ),
        ),
        Case("a single draw", draw(1, 3, 2)),
        Case("a single image", draw(5, 1, 2)),
        Case("7 draws for each of 4 images", draw(7, 4, 3)),
        Case("double precision", draw(6, 3, 2, torch.float64)),
    ]


_SCORE = '''def test_score(x, mu, log_sigma, eps, decode, noise_var):
    """x (B, D); mu, log_sigma (B, K); eps (S, B, K) → IWAE-S of each image, (B,), nats."""
    z = mu + log_sigma.exp() * eps
    x_hat = decode(z)
    log_likelihood = gaussian_log_likelihood(x.expand_as(x_hat), x_hat, noise_var)
    '''
_AVERAGE = "\n    return log_w.logsumexp(0) - math.log(len(eps))"

INSIDE = Exercise(
    name="score-kl-inside",
    title="Find the bug",
    task="""A colleague turned a correct ELBO into IWAE-S by replacing the mean over draws by the log of the
average weight.
On the linear VAE with its best encoder, where log p(x) is known, the score of 100 digits with S =
500 comes out 1.1 nats *above* log p(x), with a standard error of 0.02.
So it is no bound.
Repair it.
`log_ratio(mu, log_sigma, eps)` of lesson 02 is imported: it takes mu and log_sigma (B, K) and eps
(S, B, K) as they are, and returns (S, B, K).""",
    stub=_SCORE + "log_w = log_likelihood - kl_to_standard(mu, log_sigma).sum(-1)" + _AVERAGE,
    answer="test_score",
    solution=_SCORE + "log_w = log_likelihood - log_ratio(mu, log_sigma, eps).sum(-1)" + _AVERAGE,
    why="""The weight is p(x|z) p(z)/q(z|x) at *this* z.
The KL is the mean of log q − log p over z.
Under a mean it may take the place of the log-ratio, as in the ELBO; inside a log of an average it
may not.
With it the score tends to log E[p(x|z)] − KL.
At the best encoder the ELBO already is log p(x), and Jensen lifts this score above it.""",
    hints=(
        (
            "Write down the importance weight of the lesson. "
            "Which of its three densities depend on the draw, and which do in the code?"
        ),
        "The KL is the *average* of log q(z|x) − log p(z). The weight needs that log-ratio at each z.",
        "`log_ratio(mu, log_sigma, eps).sum(-1)`",
    ),
    mistakes=(
        Mistake(
            _SCORE + "kl = kl_to_standard(mu, log_sigma).sum(-1)\n"
            "    return log_likelihood.logsumexp(0) - math.log(len(eps)) - kl",
            "That is the same number as before: the KL is one constant for all draws of an image, "
            "and it is the constant that is wrong.",
        ),
        Mistake(
            _SCORE + "return log_likelihood.mean(0) - kl_to_standard(mu, log_sigma).sum(-1)",
            "That is the ELBO with the KL of lesson 01: a bound, but not the tighter one that was asked for.",
        ),
        Mistake(
            _SCORE + "return (log_likelihood - log_ratio(mu, log_sigma, eps).sum(-1)).mean(0)",
            "The weights are right. But the mean of their logs is the ELBO; the average belongs inside the logarithm.",
        ),
        Mistake(
            _SCORE + "log_w = log_likelihood - log_ratio(mu, log_sigma, eps).sum(-1)\n    return log_w.logsumexp(0)",
            "The weights are right, but − log S went missing: this is the log of their sum.",
        ),
        Mistake(
            _SCORE + "log_w = log_likelihood + log_ratio(mu, log_sigma, eps).sum(-1)" + _AVERAGE,
            "The weight is p(x|z) p(z)/q(z|x), and `log_ratio` is log q − log p: subtract it.",
        ),
        Mistake(
            _SCORE.replace("z = mu + log_sigma.exp() * eps", "z = mu.expand_as(eps)")
            + "log_w = log_likelihood - log_ratio(mu, log_sigma, eps).sum(-1)"
            + _AVERAGE,
            "The log-ratio is right, but you decode at μ. The weight needs p(x|z) at the z that was drawn.",
        ),
        Mistake(
            _SCORE + "log_w = log_likelihood" + _AVERAGE,
            "Without p(z)/q(z|x) the draws from q are treated as draws from the prior. "
            "For a q near the posterior the score is too good by about the KL.",
        ),
        Mistake(
            _SCORE
            + "zero = torch.zeros_like(z)\n    log_w = log_likelihood + log_density(z, zero, zero).sum(-1)"
            + _AVERAGE,
            "p(z) is there, but the division by q(z|x) is missing, which makes up for where the draws were taken.",
        ),
        Mistake(
            _SCORE + "own = log_density(z, mu.expand_as(z), log_sigma.expand_as(z)).sum(-1)\n"
            "    log_w = log_likelihood - own" + _AVERAGE,
            "You divided by q(z|x), but p(z) is missing in the weight.",
        ),
    ),
    cases=_models,
    points=2,
)

GREY = Exercise(
    name="score-grey",
    title="Recognise a number that cannot be",
    task="""The grey values of the 1797 digits have an entropy of 13.66 nats per digit.
A report says: Bernoulli decoder, cross-entropy + KL = 10.0 nats per digit on these digits, averaged
over many draws.
Which explanation is possible?

- `"a"`: their network is larger than ours
- `"b"`: the number is IWAE-5000 and not an ELBO
- `"c"`: the pixels were turned to 0 or 1 by a threshold before they were scored
- `"d"`: the decoder has learned these digits by heart""",
    stub="explanation = ...",
    answer="explanation",
    solution='explanation = "c"',
    why="""A cross-entropy on grey pixels is at least their entropy, reached at p = x, and a KL only adds to
it.
Below 13.66 nats the pixels cannot have been these grey ones.
For pixels that are 0 or 1 the entropy is 0, and 10 nats are possible.
It is then a score on other data, not a better score.""",
    hints=(
        "Which p is best for a grey pixel, and what does it cost there?",
        "Which of the four changes the lowest possible score, and not only the model?",
    ),
    mistakes=(
        Mistake(
            'explanation = "a"',
            "A larger network can come nearer to p = x, and at p = x exactly the cross-entropy is "
            "13.66 nats. "
            "No network gets below it.",
        ),
        Mistake(
            'explanation = "b"',
            "More draws lead up to the log of an average of e^(−cross-entropy) over z. "
            "Each of these is at most e^(−entropy), and so is their average.",
        ),
        Mistake(
            'explanation = "d"',
            "A decoder that paints p = x, pixel for pixel, has everything by heart, and its "
            "cross-entropy is still 13.66 nats.",
        ),
    ),
)

LESSON = Lesson("10", SETUP, (DRAWS, IWAE, INSIDE, GREY))
