"""Answers to the exercises of notebook 09."""

LEVEL = "def level_for_rate(eigenvalues, rate):\n"
AGGREGATE = "def log_aggregate(z, mu, log_sigma):\n"

RIGHT = {
    "rd-mnist": ["at_least = 14", "at_least = torch.tensor(13.998)"],
    "rd-level": [
        LEVEL
        + """
    logs = np.log(eigenvalues)
    for live in range(len(logs), 0, -1):
        level = np.exp(logs[:live].mean() - 2 * rate / live)
        if level < eigenvalues[live - 1]:
            return level
""",
        LEVEL
        + """
    low, high = 1e-30, eigenvalues[0]
    for _ in range(200):
        middle = math.sqrt(low * high)
        if 0.5 * np.log(np.maximum(eigenvalues / middle, 1)).sum() > rate:
            low = middle
        else:
            high = middle
    return middle
""",
        """
from functools import partial
from scipy.optimize import root_scalar

def level(method, eigenvalues, rate):
    n = len(eigenvalues)
    bracket = (math.log(eigenvalues[0]) - 2 * rate - 1, math.log(eigenvalues[0]))
    found = root_scalar(lambda u: rate_distortion(eigenvalues, math.exp(u), n)[0] - rate, bracket=bracket, method=method)
    return math.exp(found.root)

level_for_rate = partial(level, "bisect")
""",
        """
level_for_rate = lambda eigenvalues, rate: brentq(
    lambda level: sum(0.5 * math.log(e / level) for e in eigenvalues if e > level) - rate,
    eigenvalues[-1] * math.exp(-2 * rate) / 2,
    eigenvalues[0],
)
""",
        """
class Shannon:
    def __call__(self, eigenvalues, rate):
        n = len(eigenvalues)
        lowest = eigenvalues[-1] * math.exp(-2 * rate) / 2
        return torch.tensor(brentq(lambda v: float(rate_distortion(eigenvalues, v, n)[0]) - rate, lowest, eigenvalues[0]))

level_for_rate = Shannon()
""",
        LEVEL
        + """
    spent, live = 0.0, 1
    level = eigenvalues[0]
    while live < len(eigenvalues):
        step = 0.5 * live * math.log(level / eigenvalues[live])
        if spent + step > rate:
            break
        spent, level, live = spent + step, eigenvalues[live], live + 1
    return np.float64(level) * np.exp(-2 * (rate - spent) / live)
""",
    ],
    "rd-aggregate": [
        AGGREGATE
        + """
    parts = torch.distributions.Independent(torch.distributions.Normal(mu, log_sigma.exp()), 1)
    weights = torch.distributions.Categorical(logits=torch.zeros(len(mu), dtype=mu.dtype))
    return torch.distributions.MixtureSameFamily(weights, parts).log_prob(z)
""",
        AGGREGATE
        + """
    with torch.no_grad():
        each = torch.distributions.Normal(mu, log_sigma.exp()).log_prob(z[:, None]).sum(-1)
        return torch.logsumexp(each - math.log(each.shape[1]), dim=1)
""",
        """
from functools import reduce

log_aggregate = lambda z, mu, log_sigma: reduce(
    torch.logaddexp,
    [torch.distributions.Normal(m, s.exp()).log_prob(z).sum(1) for m, s in zip(mu, log_sigma)],
) - math.log(mu.size(0))
""",
        AGGREGATE
        + """
    standard = (z[:, None] - mu) / log_sigma.exp()
    each = -0.5 * torch.einsum("snk,snk->sn", standard, standard) - log_sigma.sum(1)
    each = each - 0.5 * mu.shape[1] * math.log(2 * math.pi)
    largest = each.amax(1, keepdim=True)
    return (each - largest).exp().mean(1).log() + largest.squeeze(1)
""",
        """
import numpy as np
from scipy.special import logsumexp

class Aggregate:
    def __call__(self, z, mu, log_sigma):
        z, mu, log_sigma = (t.detach().numpy() for t in (z, mu, log_sigma))
        each = -0.5 * ((z[:, None] - mu) / np.exp(log_sigma)) ** 2 - log_sigma - 0.5 * np.log(2 * np.pi)
        return torch.from_numpy(logsumexp(each.sum(-1), axis=1, b=1 / len(mu)))

log_aggregate = Aggregate()
""",
        """
from functools import partial

def one_by_one(density, z, mu, log_sigma):
    rows = [density(point.expand_as(mu), mu, log_sigma).sum(1).logsumexp(0) for point in z]
    return torch.stack(rows) - torch.tensor(float(len(mu)), dtype=z.dtype).log()

log_aggregate = partial(one_by_one, log_density)
""",
    ],
}
WRONG = {
    "rd-mnist": ["at_least = -14", "at_least = 13"],
    "rd-ceiling": ["culprit = 2", "culprit = 'e'"],
    "rd-level": [
        LEVEL
        + "    return brentq(lambda v: rate_distortion(eigenvalues, v, len(eigenvalues))[0] - rate, 1e-3, eigenvalues[0])",
        LEVEL
        + "    return brentq(lambda v: rate_distortion(eigenvalues, v, len(eigenvalues))[0] - rate, 1e-12, eigenvalues[0], xtol=1e-2)",
        LEVEL
        + "    live = np.sum(eigenvalues > 0.1)\n    return np.exp(np.log(eigenvalues[:live]).mean() - 2 * rate / live)",
        LEVEL
        + "    return {'level': brentq(lambda v: rate_distortion(eigenvalues, v, len(eigenvalues))[0] - rate, 1e-12, eigenvalues[0])}",
        LEVEL
        + "    return brentq(lambda v: rate_distortion(eigenvalues, v, len(eigenvalues))[0] - rate, 1e-12, eigenvalues[0], full_output=True)",
        LEVEL
        + "    return -brentq(lambda v: rate_distortion(eigenvalues, v, len(eigenvalues))[0] - rate, 1e-12, eigenvalues[0])",
    ],
    "rd-aggregate": [
        AGGREGATE
        + "    each = torch.distributions.Normal(mu, log_sigma.exp()).log_prob(z[:, None]).sum(-1).clamp(min=-300)\n    return each.logsumexp(1) - math.log(len(mu))",
        AGGREGATE
        + "    each = torch.distributions.Normal(mu, log_sigma.clamp(-5, 5).exp()).log_prob(z[:, None]).sum(-1)\n    return each.logsumexp(1) - math.log(len(mu))",
        AGGREGATE
        + "    each = torch.distributions.Normal(mu, log_sigma).log_prob(z[:, None]).sum(-1)\n    return each.logsumexp(1) - math.log(len(mu))",
        AGGREGATE
        + "    each = torch.distributions.Normal(mu, log_sigma.exp()).log_prob(z[:, None]).sum(-1)\n    return (each.logsumexp(1) - math.log(len(mu))).float()",
        AGGREGATE
        + "    each = torch.distributions.Normal(mu, log_sigma.exp()).log_prob(z[:, None]).sum(-1)\n    return (each.logsumexp(1) - math.log(len(mu))).tolist()",
        AGGREGATE
        + "    each = torch.distributions.Normal(mu, log_sigma.exp()).log_prob(z[:, None]).sum(-1)\n    return each.logsumexp(0) - math.log(len(z))",
    ],
}
