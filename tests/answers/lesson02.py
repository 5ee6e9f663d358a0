"""Answers to the exercises of notebook 02."""

RIGHT = {
    "relative-error": [
        "draws = 10_000 / 8",
        "draws = torch.tensor(1250)",
        "import numpy as np\ndraws = np.int64(1250)",
    ],
    "draws-needed": [
        """
def draws_needed(mu, log_sigma, error):
    return int(torch.ceil((log_ratio_std(mu, log_sigma) ** 2).sum() / error**2))
""",
        """
def draws_needed(mu, log_sigma, error):
    sigma = log_sigma.exp()
    variance = (0.5 * (sigma**2 - 1) ** 2 + mu**2 * sigma**2).sum()
    return math.ceil(float(variance) / error / error)
""",
        """
def draws_needed(mu, log_sigma, error):
    one_draw = torch.linalg.norm(log_ratio_std(mu, log_sigma))
    return math.ceil((one_draw / error) ** 2)
""",
        """
def draws_needed(mu, log_sigma, error):
    std = log_ratio_std(mu, log_sigma)
    variance, low, high = (std @ std).item(), 0, 1
    while variance / high > error**2:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if variance / middle > error**2 else (low, middle)
    return high
""",
        "draws_needed = lambda mu, log_sigma, error: -int(-log_ratio_std(mu, log_sigma).square().sum() // error**2)",
        """
def draws_needed(mu, log_sigma, error):
    return torch.ceil(log_ratio_std(mu, log_sigma).square().sum() / error**2)
""",
        """
import numpy as np

class Needed:
    def __call__(self, mu, log_sigma, error):
        return np.ceil(np.sum(log_ratio_std(mu, log_sigma).numpy() ** 2) / error**2)

draws_needed = Needed()
""",
    ],
    "error-bar": [
        """
from vae_lessons.montecarlo import estimate

def kl_with_error(log_ratios):
    result = estimate(log_ratios.sum(1))
    return result.mean, result.std_error
""",
        """
def kl_with_error(log_ratios):
    per_draw = torch.einsum("sk->s", log_ratios)
    return [per_draw.mean(), (per_draw.var() / len(per_draw)).sqrt()]
""",
        """
def kl_with_error(log_ratios):
    with torch.no_grad():
        per_draw = log_ratios.sum(-1)
        mean = per_draw.sum() / per_draw.numel()
        squares = ((per_draw - mean) ** 2).sum()
        n = len(per_draw)
        return mean, torch.sqrt(squares / (n * (n - 1)))
""",
        """
from collections import namedtuple

Bar = namedtuple("Bar", "kl error")

def kl_with_error(log_ratios):
    std, mean = torch.std_mean(log_ratios.sum(1))
    return Bar(mean, std / len(log_ratios) ** 0.5)
""",
        """
def kl_with_error(log_ratios):
    covariance = torch.cov(log_ratios.T).reshape(log_ratios.shape[1], -1)
    return log_ratios.mean(0).sum(), (covariance.sum() / len(log_ratios)).sqrt()
""",
        """
from functools import partial

def both(dim, log_ratios):
    per_draw = log_ratios.sum(dim)
    return per_draw.mean(), per_draw.std(correction=1).div(math.sqrt(len(per_draw)))

kl_with_error = partial(both, 1)
""",
    ],
    "k3-ratio": [
        """
def k3(log_p, log_q):
    r = (log_p - log_q).exp()
    return r - 1 - r.log() if r.dtype == torch.float64 else r - 1 - (log_p - log_q)
""",
        "k3 = lambda log_p, log_q: torch.special.expm1(log_p - log_q) + log_q - log_p",
        """
def k3(log_p, log_q):
    with torch.no_grad():
        return (log_q - log_p) + torch.exp(log_p - log_q) - 1
""",
        """
def k3(log_p, log_q):
    k1 = log_q - log_p
    return k1 + torch.expm1(-k1)
""",
        """
class K3:
    def __call__(self, log_p, log_q):
        log_r = log_p.clone()
        log_r -= log_q
        return log_r.expm1().sub_(log_r)

k3 = K3()
""",
        """
import numpy as np

def k3(log_p, log_q):
    log_r = (log_p - log_q).numpy()
    return torch.from_numpy(np.asarray(np.expm1(log_r) - log_r))
""",
    ],
}
WRONG = {
    "relative-error": ["draws = -1250", "draws = [1250]", "draws = 8 * 1250 / 3", "draws = {'draws': 1250}"],
    "draws-needed": [
        "def draws_needed(mu, log_sigma, error):\n    return round((log_ratio_std(mu, log_sigma) ** 2).sum().item() / error**2)",
        "def draws_needed(mu, log_sigma, error):\n    return (log_ratio_std(mu, log_sigma) ** 2).sum().item() / error**2",
        "def draws_needed(mu, log_sigma, error):\n    return max(100, math.ceil((log_ratio_std(mu, log_sigma) ** 2).sum().item() / error**2))",
        "def draws_needed(mu, log_sigma, error):\n    return [math.ceil((log_ratio_std(mu, log_sigma) ** 2).sum().item() / error**2)]",
        "def draws_needed(mu, log_sigma, error):\n    return str(math.ceil((log_ratio_std(mu, log_sigma) ** 2).sum().item() / error**2))",
        "def draws_needed(mu, log_sigma, error):\n    return math.ceil((log_ratio_std(mu, log_sigma.clamp(max=1)) ** 2).sum().item() / error**2)",
    ],
    "error-bar": [
        # once accepted: floats, NumPy scalars, another dtype in the pair
        """
def kl_with_error(log_ratios):
    r = log_ratios.sum(dim=1)
    return r.mean().item(), r.std().item() / math.sqrt(len(r))
""",
        """
import numpy as np

def kl_with_error(log_ratios):
    r = log_ratios.sum(dim=1).numpy()
    return r.mean(), r.std(ddof=1) / np.sqrt(len(r))
""",
        "def kl_with_error(log_ratios):\n    r = log_ratios.double().sum(dim=1)\n    return r.mean(), r.std() / math.sqrt(len(r))",
        "def kl_with_error(log_ratios):\n    r = log_ratios.sum(dim=1)\n    return r.mean(), (r.std() / math.sqrt(len(r))).double()",
        # and others
        "def kl_with_error(log_ratios):\n    r = log_ratios.sum(dim=1)\n    return r.std() / math.sqrt(len(r)), r.mean()",
        "def kl_with_error(log_ratios):\n    r = log_ratios.sum(dim=1)\n    return r.mean()",
        "def kl_with_error(log_ratios):\n    r = log_ratios.sum(dim=1)\n    return r.mean(), r.std() / math.sqrt(len(r)), len(r)",
        "def kl_with_error(log_ratios):\n    r = log_ratios.sum(dim=1)\n    return {'kl': r.mean(), 'error': r.std() / math.sqrt(len(r))}",
        "def kl_with_error(log_ratios):\n    r = log_ratios.sum(dim=1)\n    return torch.stack([r.mean(), r.std() / math.sqrt(len(r))])",
        "def kl_with_error(log_ratios):\n    r = log_ratios.sum(dim=1)\n    return r.mean().view(1), r.std().view(1) / math.sqrt(len(r))",
    ],
    "k3-ratio": [
        "def k3(log_p, log_q):\n    log_r = (log_p - log_q).clamp(-20, 20)\n    return torch.expm1(log_r) - log_r",
        "def k3(log_p, log_q):\n    log_r = (log_p - log_q).clamp(max=5)\n    return torch.expm1(log_r) - log_r",
        "def k3(log_p, log_q):\n    return (log_p - log_q).expm1()",
        "def k3(log_p, log_q):\n    return (torch.expm1(log_p - log_q) - (log_p - log_q)).float()",
        "def k3(log_p, log_q):\n    return torch.expm1(log_p - log_q) - (log_p - log_q).abs()",
        "def k3(log_p, log_q):\n    return torch.expm1(log_p - log_q) - (log_p - log_q) + torch.rand(1)",
    ],
}
