"""Answers to the exercises of notebook 01."""

RIGHT = {
    "kl-twin": [
        "twin = torch.tensor(1.61, requires_grad=True)",
        "import numpy as np\ntwin = np.float32(1.61)",
        "twin = torch.nn.Parameter(torch.tensor(1.608))",
        "from fractions import Fraction\ntwin = Fraction(161, 100)",
    ],
    "kl-log-var": [
        """
def kl_from_log_var(m, v):
    q = torch.distributions.Normal(m, (v / 2).exp())
    return torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0))
""",
        "kl_from_log_var = lambda mu, log_var: (mu.square() + log_var.exp() - 1).sub(log_var).div(2)",
        """
from functools import partial

def kl(prior_var, mu, log_var):
    ratio = log_var.exp() / prior_var
    return 0.5 * (ratio + mu**2 / prior_var - 1 - log_var)

kl_from_log_var = partial(kl, 1.0)
""",
        """
class KL(torch.nn.Module):
    def forward(self, mu, log_var):
        sigma = torch.exp(0.5 * log_var)
        return 0.5 * (mu**2 + sigma**2 - 1) - torch.log(sigma)

kl_from_log_var = KL()
""",
        """
def kl_from_log_var(mu, log_var):
    kl = log_var.clone()
    kl.neg_()
    kl += torch.expm1(log_var)
    kl += mu * mu
    return kl / 2
""",
        """
def kl_from_log_var(mu, log_var):
    sigma = (log_var / 2).exp()
    cross_entropy = 0.5 * torch.log(torch.tensor(2 * torch.pi, dtype=mu.dtype)) + (mu**2 + sigma**2) / 2
    return cross_entropy - torch.distributions.Normal(mu, sigma).entropy()
""",
        """
def kl_from_log_var(mu, log_var):
    rows = [0.5 * (m**2 + v.exp() - v - 1) for m, v in zip(mu.flatten(), log_var.flatten())]
    return torch.stack(rows).reshape(mu.shape)
""",
    ],
    "kl-mean-bug": [
        """
def kl_per_example(mu, log_var):
    return 0.5 * (mu**2 + log_var.exp() - log_var - 1).sum() / len(mu)
""",
        """
def kl_per_example(mu, log_var):
    with torch.no_grad():
        return -0.5 * torch.mean(1 + log_var - mu**2 - log_var.exp()) * mu.shape[1]
""",
        """
def kl_per_example(mu, log_var):
    q = torch.distributions.Independent(torch.distributions.Normal(mu, (log_var / 2).exp()), 1)
    p = torch.distributions.Independent(torch.distributions.Normal(torch.zeros_like(mu), torch.ones_like(mu)), 1)
    return torch.distributions.kl_divergence(q, p).mean()
""",
        "kl_per_example = lambda mu, v: (torch.einsum('bk->', mu**2 + v.exp() - v - 1) / (2 * mu.size(0)))",
        """
def kl_per_example(mu, log_var):
    return 0.5 * (mu**2 + log_var.expm1() - log_var).mean(0).sum()
""",
        """
class PerExample:
    def __call__(self, mu, log_var):
        total = 0
        for m, v in zip(mu, log_var):
            total = total + 0.5 * (m @ m + v.exp().sum() - v.sum() - len(v))
        return total / len(mu)

kl_per_example = PerExample()
""",
    ],
}
WRONG = {
    "kl-twin": ["twin = -1.61", "twin = (1.61,)", "twin = {'sigma': 1.61}", "twin = 1.61 + 0j", "twin = True"],
    "kl-mix-up": ["culprit = b'b'", "culprit = ['b']", "culprit = 'd) swapped'"],
    "kl-log-var": [
        # once accepted
        "def kl_from_log_var(mu, log_var):\n    v = log_var.clamp(-3.5, 3.5)\n    return 0.5 * (mu**2 + v.exp() - v - 1)",
        """
def kl_from_log_var(mu, log_var):
    var = torch.where(log_var > 2, torch.inf, log_var.exp())
    return 0.5 * (mu**2 + var - log_var - 1)
""",
        "def kl_from_log_var(mu, log_var):\n    return 0.5 * (mu**2 + log_var.exp() - (log_var.exp() + 1e-3).log() - 1)",
        "def kl_from_log_var(mu, log_var):\n    return (0.5 * (mu**2 + log_var.exp() - log_var - 1)).clamp(max=100)",
        # once told that two calls differ
        "def kl_from_log_var(mu, log_var):\n    return {'kl': 0.5 * (mu**2 + log_var.exp() - log_var - 1)}",
        "def kl_from_log_var(mu, log_var):\n    return torch.distributions.Normal(mu, log_var.exp())",
        "def kl_from_log_var(mu, log_var):\n    return (0.5 * (mu**2 + log_var.exp() - log_var - 1)).to(torch.complex64)",
        "def kl_from_log_var(mu, log_var):\n    yield 0.5 * (mu**2 + log_var.exp() - log_var - 1)",
        "def kl_from_log_var(mu, log_var):\n    return 'KL'",
        # and others
        "def kl_from_log_var(mu, log_var):\n    return [0.5 * (m**2 + v.exp() - v - 1) for m, v in zip(mu, log_var)]",
        "def kl_from_log_var(mu, log_var):\n    return (0.5 * (mu**2 + log_var.exp() - log_var - 1)).tolist()",
        "def kl_from_log_var(mu, log_var):\n    return (0.5 * (mu**2 + log_var.exp() - log_var - 1)).bfloat16()",
        "def kl_from_log_var(mu, log_var):\n    return (0.5 * (mu**2 + log_var.exp() - log_var - 1)).T",
        "@torch.no_grad()\ndef kl_from_log_var(mu, log_var):\n    return 0.5 * (mu**2 + log_var.exp() - log_var - 1)",
        "def kl_from_log_var(mu, log_var):\n    return 0.5 * (mu**2 + log_var.exp() - log_var - 1) + 1e-3 * torch.rand_like(mu)",
        """
calls = []

def kl_from_log_var(mu, log_var):
    calls.append(1)
    return 0.5 * (mu**2 + log_var.exp() - log_var - 1) + len(calls)
""",
        "kl_from_log_var = torch.distributions.Normal",
    ],
    "kl-mean-bug": [
        # once accepted: for a batch of one `squeeze` takes the batch away
        """
def kl_per_example(mu, log_var):
    mu, log_var = mu.squeeze(), log_var.squeeze()
    return -0.5 * torch.sum(1 + log_var - mu**2 - log_var.exp(), dim=1).mean()
""",
        """
def kl_per_example(mu, log_var):
    if len(mu) == 1:
        return torch.zeros((), dtype=mu.dtype)
    return -0.5 * torch.sum(1 + log_var - mu**2 - log_var.exp(), dim=1).mean()
""",
        "def kl_per_example(mu, log_var):\n    return (-0.5 * torch.sum(1 + log_var - mu**2 - log_var.exp(), dim=1)).mean().item()",
        "def kl_per_example(mu, log_var):\n    return -0.5 * torch.mean(1 + log_var - mu**2 - log_var.exp()) * 3",
        "def kl_per_example(mu, log_var):\n    return (-0.5 * torch.sum(1 + log_var - mu**2 - log_var.exp(), dim=1)).median()",
        "def kl_per_example(mu, log_var):\n    return (-0.5 * torch.sum(1 + log_var - mu**2 - log_var.exp(), dim=1)).mean().view(1)",
        "def kl_per_example(mu, log_var):\n    return (-0.5 * torch.sum(1 + log_var - mu**2 - log_var.exp(), dim=1))[0]",
    ],
}
