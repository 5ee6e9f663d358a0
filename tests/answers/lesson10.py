"""Answers to the exercises of notebook 10."""

IWAE = "def iwae(log_w, k):\n"
SCORE = "def test_score(x, mu, log_sigma, eps, decode, noise_var):\n"

RIGHT = {
    "score-draws": ["draws = 132", "draws = 131.5", "draws = torch.tensor(130)"],
    "score-iwae": [
        IWAE
        + "    groups = log_w.view(-1, k, log_w.shape[1])\n    return torch.logsumexp(groups - math.log(k), dim=1).mean(dim=0)",
        IWAE
        + """
    parts = log_w.split(k)
    return torch.stack([part.logsumexp(0) for part in parts]).mean(0) - math.log(k)
""",
        """
from functools import reduce

iwae = lambda log_w, k: sum(reduce(torch.logaddexp, group) for group in log_w.chunk(len(log_w) // k)) / (len(log_w) // k) - math.log(k)
""",
        IWAE
        + """
    groups = log_w.unflatten(0, (len(log_w) // k, k))
    largest = groups.max(1, keepdim=True).values.detach()
    weights = (groups - largest).exp()
    return (weights.mean(1).log() + largest.squeeze(1)).mean(0)
""",
        """
from functools import partial

def by_image(log_mean, log_w, k):
    return torch.stack([log_mean(column.reshape(-1, k)).mean() for column in log_w.T])

iwae = partial(by_image, lambda groups: groups.logsumexp(1) - math.log(groups.shape[1]))
""",
        """
class IWAE(torch.nn.Module):
    def forward(self, log_w, k):
        groups = torch.stack([log_w[first::k] for first in range(k)])
        return torch.einsum("gb->b", groups.logsumexp(0)) * k / len(log_w) - math.log(k)

iwae = IWAE()
""",
    ],
    "score-kl-inside": [
        SCORE
        + """
    z = mu + log_sigma.exp() * eps
    log_p_x = torch.distributions.Normal(decode(z), noise_var**0.5).log_prob(x).sum(-1)
    log_p_z = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(-1)
    log_q_z = torch.distributions.Normal(mu, log_sigma.exp()).log_prob(z).sum(-1)
    return torch.logsumexp(log_p_x + log_p_z - log_q_z, 0) - math.log(eps.shape[0])
""",
        SCORE
        + """
    with torch.no_grad():
        z = torch.addcmul(mu, log_sigma.exp(), eps)
        squares = -0.5 * ((x - decode(z)) ** 2).sum(-1) / noise_var
        constant = 0.5 * x.shape[1] * math.log(2 * math.pi * noise_var)
        log_ratio_ = 0.5 * (z**2 - eps**2).sum(-1) - log_sigma.sum(-1)
        log_w = squares - constant - log_ratio_
        largest = log_w.max(0).values
        return largest + (log_w - largest).exp().mean(0).log()
""",
        """
from vae_lessons.bounds import importance_bound, log_importance_weights

test_score = lambda x, mu, log_sigma, eps, decode, noise_var: (
    torch.stack([
        gaussian_log_likelihood(x, decode(mu + log_sigma.exp() * e), noise_var) - log_ratio(mu, log_sigma, e[None])[0].sum(-1)
        for e in eps
    ]).logsumexp(0)
    - math.log(len(eps))
)
""",
        """
from functools import partial, reduce

def score(combine, x, mu, log_sigma, eps, decode, noise_var):
    z = mu + log_sigma.exp() * eps
    x_hat = decode(z)
    log_w = gaussian_log_likelihood(x.expand_as(x_hat), x_hat, noise_var)
    log_w = log_w + log_density(z, torch.zeros_like(z), torch.zeros_like(z)).sum(-1)
    log_w = log_w - log_density(z, mu.expand_as(z), log_sigma.expand_as(z)).sum(-1)
    return reduce(combine, log_w) - math.log(len(log_w))

test_score = partial(score, torch.logaddexp)
""",
        """
class Score(torch.nn.Module):
    def forward(self, x, mu, log_sigma, eps, decode, noise_var):
        z = mu + log_sigma.exp() * eps
        normal = torch.distributions.Independent(torch.distributions.Normal(decode(z), noise_var**0.5), 1)
        log_w = normal.log_prob(x.expand_as(normal.mean)) - log_ratio(mu, log_sigma, eps).sum(-1)
        return torch.log_softmax(log_w, 0).neg().add(log_w).mean(0) - math.log(len(eps))

test_score = Score()
""",
        SCORE
        + """
    z = mu + log_sigma.exp() * eps
    x_hat = decode(z)
    log_w = gaussian_log_likelihood(x.expand_as(x_hat), x_hat, noise_var) - log_ratio(mu, log_sigma, eps).sum(-1)
    log_w = log_w.clone()
    log_w -= math.log(len(eps))
    return torch.logcumsumexp(log_w, 0)[-1]
""",
    ],
}
WRONG = {
    # the first was once given the hint for another mistake
    "score-draws": ["draws = 135", "draws = 128", "draws = -131.5"],
    "score-grey": ["explanation = 'cross-entropy'", "explanation = ['c']"],
    "score-iwae": [
        IWAE
        + "    log_w = log_w.clamp(-500, 500)\n    return (log_w.unflatten(0, (-1, k)).logsumexp(1) - math.log(k)).mean(0)",
        IWAE
        + "    largest = log_w.max()\n    groups = (log_w - largest).unflatten(0, (-1, k))\n    return groups.exp().mean(1).log().mean(0) + largest",
        IWAE
        + "    log_w = log_w[torch.randperm(len(log_w))]\n    return (log_w.unflatten(0, (-1, k)).logsumexp(1) - math.log(k)).mean(0)",
        IWAE + "    return (log_w.detach().unflatten(0, (-1, k)).logsumexp(1) - math.log(k)).mean(0)",
        IWAE + "    return (log_w.unflatten(0, (-1, k)).logsumexp(1) - math.log(k)).mean()",
        IWAE + "    return (log_w.unflatten(0, (-1, k)).logsumexp(1) - math.log(k)).mean(0).numpy()",
        IWAE + "    return {'iwae': (log_w.unflatten(0, (-1, k)).logsumexp(1) - math.log(k)).mean(0)}",
    ],
    "score-kl-inside": [
        SCORE
        + """
    z = mu + log_sigma.exp() * torch.randn_like(eps)
    x_hat = decode(z)
    log_w = gaussian_log_likelihood(x.expand_as(x_hat), x_hat, noise_var) - log_ratio(mu, log_sigma, eps).sum(-1)
    return log_w.logsumexp(0) - math.log(len(eps))
""",
        SCORE
        + """
    z = mu + log_sigma.exp() * eps
    x_hat = decode(z)
    log_w = gaussian_log_likelihood(x.expand_as(x_hat), x_hat, noise_var) - log_ratio(mu, log_sigma, eps).sum(-1)
    return log_w.exp().mean(0).log()
""",
        SCORE
        + """
    z = mu + log_sigma.exp() * eps
    x_hat = decode(z)
    log_w = gaussian_log_likelihood(x.expand_as(x_hat), x_hat, noise_var) - log_ratio(mu, log_sigma, eps).mean(-1)
    return log_w.logsumexp(0) - math.log(len(eps))
""",
        SCORE
        + """
    z = mu + log_sigma.exp() * eps
    x_hat = decode(z)
    log_w = gaussian_log_likelihood(x.expand_as(x_hat), x_hat, noise_var) - log_ratio(mu, log_sigma, eps).sum(-1)
    return log_w.logsumexp(1) - math.log(len(eps))
""",
        SCORE
        + """
    z = mu + log_sigma.exp() * eps
    x_hat = decode(z)
    log_w = gaussian_log_likelihood(x.expand_as(x_hat), x_hat, noise_var) - log_ratio(mu, log_sigma, eps).sum(-1)
    return log_w.max(0).values
""",
    ],
}
