"""Answers to the exercises of notebook 03."""

HEAD = "def elbo(x, mu, log_sigma, eps, decode, noise_var):\n"

RIGHT = {
    "prior-gap": ["gap = 4.795", "gap = torch.tensor(4.8)"],
    "evidence-by-sampling": [
        """
def log_evidence(x, z, w):
    table = -((x[:, None] - w * z) ** 2) / (2 * 0.25) - 0.5 * math.log(2 * math.pi * 0.25)
    return torch.logsumexp(table - math.log(len(z)), 1)
""",
        """
def log_evidence(x, z, w):
    log_p = torch.distributions.Normal(w * z, 0.5).log_prob(x[:, None])
    largest = log_p.max(dim=1, keepdim=True).values
    return (largest + (log_p - largest).exp().mean(1, keepdim=True).log()).squeeze(1)
""",
        """
def log_evidence(x, z, w):
    means = (w * z).expand(len(x), len(z))
    weights = torch.distributions.Categorical(torch.ones_like(means))
    parts = torch.distributions.Normal(means, 0.5)
    return torch.distributions.MixtureSameFamily(weights, parts).log_prob(x)
""",
        """
from functools import reduce

def log_evidence(x, z, w):
    each = [torch.distributions.Normal(w * one, 0.5).log_prob(x) for one in z]
    return reduce(torch.logaddexp, each) - math.log(len(z))
""",
        """
class Evidence:
    def __init__(self, noise_var):
        self.noise_var = noise_var

    def __call__(self, x, z, w):
        x, z = torch.broadcast_tensors(x.unsqueeze(1), z.unsqueeze(0))
        nll = torch.nn.functional.gaussian_nll_loss(
            w * z, x, torch.full_like(x, self.noise_var), full=True, reduction="none"
        )
        return torch.logsumexp(-nll, dim=1) - math.log(z.shape[1])

log_evidence = Evidence(0.25)
""",
        "log_evidence = lambda x, z, w: torch.stack([torch.distributions.Normal(w * z, 0.5).log_prob(one).logsumexp(0) for one in x]) - math.log(z.numel())",
    ],
    "elbo-at-the-mean": [
        HEAD
        + """
    q = torch.distributions.Normal(mu, log_sigma.exp())
    p = torch.distributions.Normal(torch.zeros_like(mu), torch.ones_like(mu))
    z = q.loc + q.scale * eps
    kl = torch.distributions.kl_divergence(q, p).sum(1)
    return torch.distributions.Normal(decode(z), noise_var**0.5).log_prob(x).sum(1) - kl
""",
        HEAD  # the KL of this draw: a draw of the ELBO as well
        + """
    z = mu + log_sigma.exp() * eps
    q, p = torch.distributions.Normal(mu, log_sigma.exp()), torch.distributions.Normal(0.0, 1.0)
    log_ratio = q.log_prob(z) - p.log_prob(z)
    return torch.distributions.Normal(decode(z), noise_var**0.5).log_prob(x).sum(1) - log_ratio.sum(1)
""",
        HEAD  # likewise, from the lesson before
        + """
    from vae_lessons.montecarlo import log_ratio
    z = torch.addcmul(mu, log_sigma.exp(), eps)
    squares = ((x - decode(z)) ** 2).sum(1)
    constant = x.shape[1] / 2 * math.log(2 * math.pi * noise_var)
    return -squares / (2 * noise_var) - constant - log_ratio(mu, log_sigma, eps[None])[0].sum(1)
""",
        HEAD
        + """
    z = eps.clone()
    z = z * log_sigma.exp()
    z = z + mu
    error = x - decode(z)
    log_likelihood = -0.5 * torch.einsum("bd,bd->b", error, error) / noise_var
    log_likelihood = log_likelihood - 0.5 * error.shape[1] * math.log(2 * math.pi * noise_var)
    kl = 0.5 * (mu**2 + torch.exp(2 * log_sigma) - 1) - log_sigma
    return log_likelihood - kl.sum(-1)
""",
        """
from functools import partial
from vae_lessons.objective import gaussian_log_likelihood

def general(kl, x, mu, log_sigma, eps, decode, noise_var):
    x_hat = decode(mu + log_sigma.exp() * eps)
    return gaussian_log_likelihood(x, x_hat, noise_var) - kl(mu, log_sigma).sum(1)

elbo = partial(general, kl_to_standard)
""",
        """
class Elbo:
    def __call__(self, x, mu, log_sigma, eps, decode, noise_var):
        rows = []
        for i in range(len(x)):
            z = mu[i : i + 1] + log_sigma[i : i + 1].exp() * eps[i : i + 1]
            log_likelihood = torch.distributions.Normal(decode(z)[0], noise_var**0.5).log_prob(x[i]).sum()
            rows.append(log_likelihood - kl_to_standard(mu[i], log_sigma[i]).sum())
        return torch.stack(rows)

elbo = Elbo()
""",
    ],
}
WRONG = {
    "prior-gap": ["gap = 5.2", "gap = [4.795]", "gap = '4.795'"],
    "evidence-by-sampling": [
        "def log_evidence(x, z, w):\n    log_p = torch.distributions.Normal(w * z, 0.5).log_prob(x[:, None]).clamp(min=-80)\n    return log_p.logsumexp(-1) - math.log(len(z))",
        "def log_evidence(x, z, w):\n    p = torch.distributions.Normal(w * z, 0.5).log_prob(x[:, None]).exp().mean(-1)\n    return (p + 1e-20).log()",
        "def log_evidence(x, z, w):\n    p = torch.distributions.Normal(w.item() * z, 0.5)\n    return p.log_prob(x[:, None]).logsumexp(-1) - math.log(len(z))",
        "def log_evidence(x, z, w):\n    p = torch.distributions.Normal(w * torch.randn_like(z), 0.5)\n    return p.log_prob(x[:, None]).logsumexp(-1) - math.log(len(z))",
        "def log_evidence(x, z, w):\n    return torch.distributions.Normal(w * z, 0.5)",
    ],
    "elbo-at-the-mean": [
        HEAD
        + """
    z = mu + log_sigma.exp() * torch.randn_like(mu)
    log_likelihood = torch.distributions.Normal(decode(z), noise_var**0.5).log_prob(x).sum(1)
    return log_likelihood - kl_to_standard(mu, log_sigma).sum(1)
""",
        "@torch.no_grad()\n"
        + HEAD
        + """
    z = mu + log_sigma.exp() * eps
    log_likelihood = torch.distributions.Normal(decode(z), noise_var**0.5).log_prob(x).sum(1)
    return log_likelihood - kl_to_standard(mu, log_sigma).sum(1)
""",
        HEAD
        + """
    z = mu + log_sigma.clamp(-3, 3).exp() * eps
    log_likelihood = torch.distributions.Normal(decode(z), noise_var**0.5).log_prob(x).sum(1)
    return log_likelihood - kl_to_standard(mu, log_sigma).sum(1)
""",
        HEAD  # a sampled KL, with the sign of the log-ratio wrong
        + """
    z = mu + log_sigma.exp() * eps
    q, p = torch.distributions.Normal(mu, log_sigma.exp()), torch.distributions.Normal(0.0, 1.0)
    log_likelihood = torch.distributions.Normal(decode(z), noise_var**0.5).log_prob(x).sum(1)
    return log_likelihood - (p.log_prob(z) - q.log_prob(z)).sum(1)
""",
        HEAD
        + """
    z = mu + log_sigma.exp() * eps
    log_likelihood = torch.distributions.Normal(decode(z), noise_var).log_prob(x).sum(1)
    return log_likelihood - kl_to_standard(mu, log_sigma).sum(1)
""",
    ],
}
