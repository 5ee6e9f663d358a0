"""Answers to the exercises of notebook 06."""

LOSS = "def loss(x, x_hat, kl, noise_var):\n"

RIGHT = {
    "level-latents": ["n_latents = 46.0", "n_latents = torch.tensor(46)"],
    "level-pixel-scale": ["weight = 65025", "weight = 6.5e4", "weight = torch.tensor(255.0, requires_grad=True) ** 2"],
    "level-kl-weight": [
        "kl_weight_for = lambda level, n_pixels: level / (n_pixels / 2)",
        "def kl_weight_for(level, n_pixels):\n    return torch.tensor(2 * level / n_pixels)",
        "import numpy as np\ndef kl_weight_for(level, n_pixels):\n    return np.float64(level) * 2 / n_pixels",
        "from functools import partial\nfrom operator import truediv\nkl_weight_for = lambda level, n_pixels: partial(truediv, level)(n_pixels) * 2",
        """
class Weight:
    def __call__(self, level, n_pixels):
        of_one = implied_objective(Recipe("mean", "sum_mean", kl_weight=1.0), n_pixels, 8)
        return level / of_one.level

kl_weight_for = Weight()
""",
        "import numpy as np\ndef kl_weight_for(level, n_pixels):\n    return np.array(2 * level / n_pixels)",
    ],
    "level-batch-bug": [
        LOSS + "    return ((x - x_hat) ** 2).sum(1).mean() / (2 * noise_var) + kl.sum(1).mean()",
        LOSS + "    each = (x - x_hat).square().sum(-1) / (2 * noise_var) + kl.sum(-1)\n    return each.mean()",
        LOSS
        + "    error = F.mse_loss(x_hat, x) * x.shape[1]\n    return 0.5 / noise_var * error + kl.mean() * kl.shape[1]",
        LOSS
        + """
    difference = x_hat - x
    error = torch.einsum("bd,bd->b", difference, difference)
    return (error / (2 * noise_var) + torch.einsum("bk->b", kl)).sum() / x.size(0)
""",
        """
from functools import partial
from vae_lessons.recipes import recipe_loss

def total(half, x, x_hat, kl, noise_var):
    terms = [half * ((a - b) ** 2).sum() / noise_var + k.sum() for a, b, k in zip(x, x_hat, kl)]
    return torch.stack(terms).mean()

loss = partial(total, 0.5)
""",
        """
import math

class Loss(torch.nn.Module):
    def forward(self, x, x_hat, kl, noise_var):
        p = torch.distributions.Independent(torch.distributions.Normal(x_hat, noise_var**0.5), 1)
        constant = x.shape[1] / 2 * math.log(2 * math.pi * noise_var)
        return (kl.sum(1) - p.log_prob(x) - constant).mean()

loss = Loss()
""",
    ],
}
WRONG = {
    "level-latents": ["n_latents = -46", "n_latents = 47", "n_latents = [46]"],
    "level-pixel-scale": ["weight = 65536", "weight = 256 * 255", "weight = -(255**2)"],
    "level-kl-weight": [
        "def kl_weight_for(level, n_pixels):\n    return 2 * level / max(n_pixels, 2)",
        "def kl_weight_for(level, n_pixels):\n    return 2 * min(level, 1) / n_pixels",
        "def kl_weight_for(level, n_pixels):\n    return 2 * level // n_pixels",
        "def kl_weight_for(level, n_pixels):\n    return 2 * level / n_pixels, 'per image'",
        "def kl_weight_for(level, n_pixels):\n    return {'weight': 2 * level / n_pixels}",
        "def kl_weight_for(level, n_pixels):\n    return 2 * level / n_pixels * (1 + 0.01 * torch.rand(()).item())",
        "def kl_weight_for(level, n_pixels):\n    return Recipe('mean', 'sum_mean', kl_weight=2 * level / n_pixels)",
    ],
    "level-batch-bug": [
        LOSS + "    return (((x - x_hat) ** 2).sum(1).mean() / (2 * noise_var) + kl.sum(1).mean()).item()",
        "@torch.no_grad()\n"
        + LOSS
        + "    return ((x - x_hat) ** 2).sum(1).mean() / (2 * noise_var) + kl.sum(1).mean()",
        LOSS + "    return F.mse_loss(x_hat, x, reduction='sum') / (2 * noise_var * 5) + kl.sum(1).mean()",
        LOSS + "    return ((x - x_hat) ** 2).sum(1).mean() / (2 * noise_var) + kl.sum(1).mean() + 1",
        LOSS + "    return ((x - x_hat).abs()).sum(1).mean() / (2 * noise_var) + kl.sum(1).mean()",
        LOSS
        + "    x_hat = x_hat.clamp(0, 1)\n    return ((x - x_hat) ** 2).sum(1).mean() / (2 * noise_var) + kl.sum(1).mean()",
        LOSS
        + "    noise_var = max(noise_var, 0.01)\n    return ((x - x_hat) ** 2).sum(1).mean() / (2 * noise_var) + kl.sum(1).mean()",
        LOSS + "    return -(((x - x_hat) ** 2).sum(1).mean() / (2 * noise_var) + kl.sum(1).mean())",
    ],
}
