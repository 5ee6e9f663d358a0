"""Answers to the exercises of notebook 08."""

FREE_BITS = "def free_bits(kl, floor):\n"
LEARNED = "def learned_log_likelihood(x, x_hat):\n"

RIGHT = {
    "cure-beta-limit": ["limit = 9.5", "limit = torch.tensor(9.53)"],
    "cure-warm-up": [
        "import numpy as np\nwarm_up = lambda epoch, start, length: np.clip((epoch - start) / length, 0, 1)",
        """
def warm_up(epoch, start, length):
    if epoch <= start:
        return 0
    if epoch >= start + length:
        return 1
    return (epoch - start) / length
""",
        "def warm_up(epoch, start, length):\n    return torch.clamp(torch.tensor((epoch - start) / length), 0, 1)",
        "import numpy as np\ndef warm_up(epoch, start, length):\n    return np.interp(epoch, [start, start + length], [0.0, 1.0])",
        """
from functools import partial

def limited(low, high, epoch, start, length):
    return sorted([low, (epoch - start) / length, high])[1]

warm_up = partial(limited, 0.0, 1.0)
""",
        """
class WarmUp:
    def __call__(self, epoch, start, length):
        return max(epoch - start, 0) / length - max(epoch - start - length, 0) / length

warm_up = WarmUp()
""",
    ],
    "cure-free-bits": [
        FREE_BITS + "    return torch.clamp(kl.mean(dim=0), min=floor).sum()",
        FREE_BITS
        + "    per_latent = kl.sum(0) / len(kl)\n    return torch.where(per_latent > floor, per_latent, floor).sum()",
        "free_bits = lambda kl, floor: torch.nn.functional.relu(torch.einsum('bk->k', kl) / kl.size(0) - floor).sum() + floor * kl.size(1)",
        FREE_BITS + "    m = kl.mean(0)\n    return torch.maximum(m, torch.full_like(m, floor)).sum()",
        """
from functools import partial

def total(reduce, kl, floor):
    return sum(reduce(latent).clamp(min=floor) for latent in kl.unbind(1))

free_bits = partial(total, torch.mean)
""",
        """
class FreeBits(torch.nn.Module):
    def forward(self, kl, floor):
        return torch.nn.functional.threshold(kl.mean(0), floor, floor).sum()

free_bits = FreeBits()
""",
    ],
    "cure-learned-variance": [
        LEARNED
        + """
    noise_var = ((x - x_hat) ** 2).mean()
    return torch.distributions.Normal(x_hat, noise_var.sqrt()).log_prob(x).sum(1).mean()
""",
        LEARNED
        + """
    noise_var = ((x - x_hat) ** 2).mean().detach()
    squared_error = ((x - x_hat) ** 2).sum(1).mean()
    return -x.shape[1] / 2 * torch.log(2 * math.pi * noise_var) - squared_error / (2 * noise_var)
""",
        # once rejected without a word about its eps
        LEARNED
        + """
    noise_var = ((x - x_hat) ** 2).mean().expand_as(x)
    nll = torch.nn.functional.gaussian_nll_loss(x_hat, x, noise_var, full=True, eps=1e-30, reduction="sum")
    return -nll / len(x)
""",
        """
from vae_lessons.objective import best_noise_var, gaussian_log_likelihood

learned_log_likelihood = lambda x, x_hat: gaussian_log_likelihood(x, x_hat, best_noise_var(x, x_hat)).mean()
""",
        """
from functools import partial

def score(constant, x, x_hat):
    log_error = 2 * torch.linalg.vector_norm(x - x_hat).log() - math.log(x.numel())
    return -0.5 * x.shape[1] * (constant + log_error)

learned_log_likelihood = partial(score, math.log(2 * math.pi * math.e))
""",
        """
class Learned(torch.nn.Module):
    def forward(self, x, x_hat):
        noise_var = torch.nn.functional.mse_loss(x_hat, x)
        entropy = torch.distributions.Normal(torch.zeros_like(noise_var), noise_var.sqrt()).entropy()
        return -x.shape[-1] * entropy

learned_log_likelihood = Learned()
""",
    ],
}
WRONG = {
    "cure-beta-limit": ["limit = -9.5", "limit = 9.0", "limit = (9.53, 'first')"],
    "cure-warm-up": [
        "def warm_up(epoch, start, length):\n    return min(max((epoch - start) // length, 0.0), 1.0)",
        "def warm_up(epoch, start, length):\n    return min(max((epoch - start) / (length - 1 or 1), 0.0), 1.0)",
        "def warm_up(epoch, start, length):\n    return min(max((epoch - start + 1) / length, 0.0), 1.0)",
        "def warm_up(epoch, start, length):\n    return {'beta': min(max((epoch - start) / length, 0.0), 1.0)}",
        "def warm_up(epoch, start, length):\n    return [min(max((epoch - start) / length, 0.0), 1.0)]",
        "def warm_up(epoch, start, length):\n    return math.sin(math.pi / 2 * min(max((epoch - start) / length, 0.0), 1.0)) ** 2",
    ],
    "cure-free-bits": [
        FREE_BITS + "    return kl.mean(0).clamp(min=max(floor, 0.05)).sum()",
        FREE_BITS + "    return kl.mean(0).clamp(min=floor, max=50).sum()",
        FREE_BITS + "    return kl.mean(0).detach().clamp(min=floor).sum()",
        FREE_BITS + "    return sum(max(floor, latent.item()) for latent in kl.mean(0))",
        FREE_BITS + "    m = kl.mean(0)\n    return m[m > floor].sum()",
        FREE_BITS + "    return kl.median(0).values.clamp(min=floor).sum()",
        FREE_BITS + "    return (kl.mean(0) + floor).sum()",
    ],
    "cure-learned-variance": [
        # told nothing about its eps
        LEARNED
        + """
    noise_var = ((x - x_hat) ** 2).mean().expand_as(x)
    return -torch.nn.functional.gaussian_nll_loss(x_hat, x, noise_var, full=True) * x.shape[1]
""",
        LEARNED
        + "    noise_var = ((x - x_hat) ** 2).mean() + 1e-6\n    return -0.5 * x.shape[1] * torch.log(2 * math.pi * math.e * noise_var)",
        LEARNED
        + "    noise_var = (x - x_hat).var()\n    return -0.5 * x.shape[1] * torch.log(2 * math.pi * math.e * noise_var)",
        LEARNED
        + "    noise_var = ((x - x_hat) ** 2).mean()\n    return -0.5 * x.shape[1] * math.log(2 * math.pi * math.e * noise_var)",
        LEARNED
        + "    noise_var = ((x - x_hat) ** 2).mean()\n    return -0.5 * x.shape[1] * torch.log2(2 * math.pi * math.e * noise_var)",
        LEARNED
        + "    noise_var = ((x - x_hat) ** 2).mean()\n    return -0.5 * 64 * torch.log(2 * math.pi * math.e * noise_var)",
        LEARNED
        + "    noise_var = ((x - x_hat) ** 2).mean()\n    return torch.distributions.Normal(x_hat, noise_var.sqrt())",
        LEARNED
        + "    noise_var = ((x - x_hat) ** 2).mean(0)\n    return -0.5 * torch.log(2 * math.pi * math.e * noise_var).sum()",
    ],
}
