"""Answers to the exercises of notebook 04."""

RIGHT = {
    "score-noise": ["variance = 18", "variance = np.var(3 * np.array([1.0])) + 18"],
    "score-baseline": [
        """
def score_slope(f, mu, sigma, eps, baseline):
    z = mu + sigma * eps
    return (f(z) - baseline) * (z - mu) / sigma**2
""",
        """
def score_slope(f, mu, sigma, eps, baseline):
    z = mu + sigma * eps
    loc = torch.full_like(z, mu, requires_grad=True)
    log_q = torch.distributions.Normal(loc, sigma).log_prob(z)
    [score] = torch.autograd.grad(log_q.sum(), loc)
    return (f(z) - baseline) * score
""",
        "score_slope = lambda f, mu, sigma, eps, baseline: f(mu + sigma * eps).sub(baseline).mul(eps).div(sigma)",
        """
from functools import partial

def slope(power, f, mu, sigma, eps, baseline):
    return (f(torch.add(mu, eps, alpha=sigma)) - baseline) * eps * sigma**power

score_slope = partial(slope, -1)
""",
        """
class ScoreSlope:
    def __call__(self, f, mu, sigma, eps, baseline):
        with torch.no_grad():
            gains = f(mu + sigma * eps).clone()
            gains -= baseline
            gains *= eps
            return gains / sigma

score_slope = ScoreSlope()
""",
        """
def score_slope(f, mu, sigma, eps, baseline):
    each = [(f(mu + sigma * e) - baseline) * e / sigma for e in eps]
    return torch.stack(each)
""",
    ],
    "sample-log-var": [
        "def reparameterize(mu, log_var, eps):\n    log_sigma = log_var / 2\n    return mu + log_sigma.exp() * eps",
        "reparameterize = lambda mu, log_var, eps: torch.addcmul(mu, (log_var / 2).exp(), eps)",
        """
def reparameterize(mu, log_var, eps):
    half = torch.exp(log_var / 4)
    return mu + half * half * eps
""",
        """
from vae_lessons.model import reparameterize as of_the_course

def reparameterize(mu, log_var, eps):
    return of_the_course(mu, 0.5 * log_var, eps)
""",
        """
class Sampler(torch.nn.Module):
    def forward(self, mu, log_var, eps):
        return torch.distributions.Normal(mu, log_var.mul(0.5).exp()).icdf(torch.tensor(0.5, dtype=mu.dtype)) + log_var.mul(0.5).exp() * eps

reparameterize = Sampler()
""",
        """
def reparameterize(mu, log_var, eps):
    z = eps.clone()
    z = z.mul(torch.pow(torch.tensor(math.e, dtype=torch.float64), log_var.double() / 2).to(eps.dtype))
    return z.add(mu)

import math
""",
    ],
    "numpy-noise": [
        "def sample_latent(mu, sigma, generator):\n    return mu + sigma * torch.empty_like(mu).normal_(generator=generator)",
        """
def sample_latent(mu, sigma, generator):
    eps = torch.normal(0.0, 1.0, mu.shape, generator=generator, dtype=mu.dtype, device=mu.device)
    return torch.addcmul(mu, sigma, eps)
""",
        """
from vae_lessons.model import standard_noise

sample_latent = lambda mu, sigma, generator: mu + sigma * standard_noise(mu, generator)
""",
        """
from functools import partial

def sample(randn, mu, sigma, generator):
    eps = randn(tuple(mu.shape), generator=generator, dtype=mu.dtype, device=mu.device)
    return sigma * eps + mu

sample_latent = partial(sample, torch.randn)
""",
        """
class Sampler:
    def __call__(self, mu, sigma, generator):
        with torch.no_grad():
            eps = torch.zeros_like(mu)
            eps.normal_(generator=generator)
        return mu + sigma * eps

sample_latent = Sampler()
""",
        """
def sample_latent(mu, sigma, generator):
    eps = torch.normal(torch.zeros_like(mu), torch.ones_like(mu), generator=generator).detach()
    return torch.einsum("bk,bk->bk", sigma, eps) + mu
""",
    ],
}
WRONG = {
    "score-noise": ["variance = -18", "variance = 18 * 4"],
    "score-baseline": [
        "def score_slope(f, mu, sigma, eps, baseline):\n    return (f(mu + sigma * eps) - baseline) * eps / max(sigma, 0.1)",
        "def score_slope(f, mu, sigma, eps, baseline):\n    return (f(mu + sigma * eps) - abs(baseline)) * eps / sigma",
        "def score_slope(f, mu, sigma, eps, baseline):\n    eps = torch.randn_like(eps)\n    return (f(mu + sigma * eps) - baseline) * eps / sigma",
        "def score_slope(f, mu, sigma, eps, baseline):\n    return list((f(mu + sigma * eps) - baseline) * eps / sigma)",
        "def score_slope(f, mu, sigma, eps, baseline):\n    eps *= sigma\n    return (f(mu + eps) - baseline) * eps / sigma**2",
    ],
    "sample-log-var": [
        # once accepted
        "def reparameterize(mu, log_var, eps):\n    return mu + torch.exp(log_var).sqrt() * eps",
        "def reparameterize(mu, log_var, eps):\n    return mu + torch.sqrt(torch.exp(log_var) + 1e-8) * eps",
        "def reparameterize(mu, log_var, eps):\n    return mu + torch.exp(0.5 * log_var.clamp(-20, 20)) * eps",
        # and others
        "def reparameterize(mu, log_var, eps):\n    return mu + torch.exp(0.5 * log_var) * torch.randn_like(eps)",
        "def reparameterize(mu, log_var, eps):\n    return torch.distributions.Normal(mu, torch.exp(0.5 * log_var)).rsample()",
        "def reparameterize(mu, log_var, eps):\n    return torch.exp(0.5 * log_var) * eps",
        "def reparameterize(mu, log_var, eps):\n    return mu, torch.exp(0.5 * log_var) * eps",
    ],
    "numpy-noise": [
        # once accepted: the same noise at the next call
        "import copy\ndef sample_latent(mu, sigma, generator):\n    g = generator.clone_state()\n    return mu + sigma * torch.randn(mu.shape, generator=g, dtype=mu.dtype)",
        "def sample_latent(mu, sigma, generator):\n    generator.manual_seed(generator.initial_seed())\n    return mu + sigma * torch.randn(mu.shape, generator=generator, dtype=mu.dtype)",
        """
def sample_latent(mu, sigma, generator):
    state = generator.get_state()
    z = mu + sigma * torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
    generator.set_state(state)
    return z
""",
        # and others
        "def sample_latent(mu, sigma, generator):\n    torch.randn(1, generator=generator)\n    return mu + sigma * torch.randn(mu.shape, generator=generator, dtype=mu.dtype)",
        "def sample_latent(mu, sigma, generator):\n    return mu + sigma * torch.randn(mu.shape, generator=generator, dtype=mu.dtype).clamp(-1, 1)",
        "def sample_latent(mu, sigma, generator):\n    return mu + sigma * torch.from_numpy(np.random.normal(size=mu.shape)).to(mu.dtype)",
        "def sample_latent(mu, sigma, generator):\n    return mu - sigma * torch.randn(mu.shape, generator=generator, dtype=mu.dtype)",
    ],
}
