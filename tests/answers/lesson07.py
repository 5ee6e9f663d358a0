"""Answers to the exercises of notebook 07."""

BILL = "def bill(eigenvalues, level, n_latents):\n"
WEIGHTED = "def weighted(x, x_hat, kl, noise_var, beta):\n"

RIGHT = {
    "water-kl-fall": ["fall = 1.31", "fall = np.float32(1.309)"],
    "water-mean-spread": ["spread = math.sqrt(0.75)", "spread = 0.87", "spread = torch.tensor(0.866)"],
    "water-bill": [
        BILL
        + """
    error = nats = 0
    for number, eigenvalue in enumerate(eigenvalues):
        if number < n_latents and eigenvalue > level:
            error += level
            nats += 0.5 * math.log(eigenvalue / level)
        else:
            error += eigenvalue
    return error, nats
""",
        BILL
        + """
    live = (np.arange(len(eigenvalues)) < n_latents) & (eigenvalues > level)
    error = np.where(live, level, eigenvalues).sum()
    return [error, 0.5 * np.log(eigenvalues[live] / level).sum()]
""",
        BILL
        + """
    held = torch.tensor(eigenvalues[:n_latents].copy())
    nats = 0.5 * (held / level).clamp(min=1).log().sum()
    return torch.tensor(eigenvalues.sum()) - (held - level).clamp(min=0).sum(), nats
""",
        """
from collections import namedtuple

Bill = namedtuple("Bill", "error nats")

class Theory:
    def __call__(self, eigenvalues, level, n_latents):
        live = [e for e in eigenvalues[:n_latents].tolist() if e > level]
        error = sum(eigenvalues) - sum(live) + level * len(live)
        return Bill(error, 0.5 * sum(map(math.log, live)) - 0.5 * len(live) * math.log(level))

bill = Theory()
""",
        """
from functools import partial

def both(low, eigenvalues, level, n_latents):
    held = np.clip(eigenvalues[:n_latents], level, None) / level
    dead = np.minimum(eigenvalues, np.where(np.arange(len(eigenvalues)) < n_latents, level, np.inf))
    return np.sum(dead), np.log(np.prod(np.sqrt(np.maximum(held, low)))) if len(held) else 0.0

bill = partial(both, 1.0)
""",
        """
from vae_lessons.spectrum import kl_per_latent

bill = lambda eigenvalues, level, n: (
    float(np.minimum(eigenvalues[:n], level).sum() + eigenvalues[n:].sum()),
    sum(0.5 * np.log(e / level) for e in eigenvalues[:n] if e > level),
)
""",
    ],
    "water-beta-bug": [
        WEIGHTED
        + "    p = torch.distributions.Normal(x_hat, noise_var**0.5)\n    return p.log_prob(x).sum(1) - beta * kl.sum(1)",
        """
from vae_lessons.objective import gaussian_log_likelihood

weighted = lambda x, x_hat, kl, noise_var, beta: gaussian_log_likelihood(x, x_hat, noise_var) - (beta * kl).sum(-1)
""",
        WEIGHTED
        + """
    error = torch.einsum("bd,bd->b", x - x_hat, x - x_hat)
    constant = x.shape[1] * (math.log(2 * math.pi) + math.log(noise_var))
    return -(error / noise_var + constant) / 2 - beta * kl @ torch.ones(kl.shape[1], dtype=kl.dtype)
""",
        """
from functools import partial

def total(power, x, x_hat, kl, noise_var, beta):
    elbo = -0.5 * ((x - x_hat) ** power / noise_var + math.log(2 * math.pi * noise_var)).sum(1) - kl.sum(1)
    return elbo + (1 - beta) * kl.sum(1)

weighted = partial(total, 2)
""",
        """
class Weighted(torch.nn.Module):
    def forward(self, x, x_hat, kl, noise_var, beta):
        value = torch.distributions.Independent(torch.distributions.Normal(x_hat, math.sqrt(noise_var)), 1).log_prob(x)
        for k in range(kl.shape[1]):
            value = value - beta * kl[:, k]
        return value

weighted = Weighted()
""",
        WEIGHTED
        + """
    var = torch.full_like(x, noise_var)
    nll = torch.nn.functional.gaussian_nll_loss(x_hat, x, var, full=True, reduction="none")
    return -(nll.sum(1) + beta * kl.sum(1))
""",
    ],
}
WRONG = {
    "water-kl-fall": ["fall = -1.31", "fall = 1.34", "fall = [1.309]"],
    "water-mean-spread": ["spread = -0.866", "spread = 0.88"],
    "water-bill": [
        BILL + "    return np.minimum(eigenvalues[:n_latents], level).sum() + eigenvalues[n_latents:].sum()",
        BILL
        + "    error = np.minimum(eigenvalues[:n_latents], level).sum() + eigenvalues[n_latents:].sum()\n    return error, 0.5 * np.log(np.maximum(eigenvalues[:n_latents] / level, 1))",
        BILL
        + "    error = np.minimum(eigenvalues[:n_latents], level).sum() + eigenvalues[n_latents:].sum()\n    return {'error': error, 'nats': 0.5 * np.log(np.maximum(eigenvalues[:n_latents] / level, 1)).sum()}",
        BILL
        + "    level = max(level, 1e-3)\n    held, rest = eigenvalues[:n_latents], eigenvalues[n_latents:]\n    return np.minimum(held, level).sum() + rest.sum(), 0.5 * np.log(np.maximum(held / level, 1)).sum()",
        BILL
        + "    held, rest = eigenvalues[:n_latents], eigenvalues[n_latents:]\n    held[held > level] = level\n    return held.sum() + rest.sum(), 0.0",
        BILL
        + "    held, rest = eigenvalues[:n_latents], eigenvalues[n_latents:]\n    return np.minimum(held, level).mean() + rest.sum(), 0.5 * np.log(np.maximum(held / level, 1)).sum()",
    ],
    "water-beta-bug": [
        WEIGHTED + "    return -((x - x_hat) ** 2).sum(1) / (2 * noise_var) - beta * kl.sum(1)",
        WEIGHTED
        + "    beta = min(beta, 10)\n    p = torch.distributions.Normal(x_hat, noise_var**0.5)\n    return p.log_prob(x).sum(1) - beta * kl.sum(1)",
        WEIGHTED
        + "    p = torch.distributions.Normal(x_hat, noise_var)\n    return p.log_prob(x).sum(1) - beta * kl.sum(1)",
        WEIGHTED
        + "    p = torch.distributions.Normal(x_hat, noise_var**0.5)\n    return p.log_prob(x).sum(1).detach() - beta * kl.sum(1)",
        WEIGHTED
        + "    p = torch.distributions.Normal(x_hat, noise_var**0.5)\n    return p.log_prob(x).sum(0) - beta * kl.sum(0)",
        WEIGHTED
        + "    p = torch.distributions.Normal(x_hat, noise_var**0.5)\n    return p.log_prob(x).sum(1), beta * kl.sum(1)",
    ],
}
