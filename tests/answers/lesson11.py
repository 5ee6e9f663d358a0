"""Answers to the exercises of notebook 11."""

BACK = "def step_back(z, guess, abar, t):\n"
NOISY = "def noisy(x, eps, abar, t):\n"
GAP = "def gap_of_steps(variances):\n"

RIGHT = {
    "diffusion-one-latent": [
        "nats = 0.956",
        "nats = math.log(0.26 / 0.1)",
        "nats = torch.tensor([0.5, 0.02]).mean().log() - torch.tensor([0.5, 0.02]).log().mean()",
    ],
    "diffusion-step-back": [
        # the form of Ho, Jain and Abbeel
        BACK
        + """
    before = abar[t - 2] if t > 1 else 1.0
    beta = 1 - abar[t - 1] / before
    return (z - beta / torch.sqrt(1 - abar[t - 1]) * guess) / torch.sqrt(1 - beta)
""",
        BACK
        + """
    padded = torch.cat([torch.ones_like(abar[:1]), abar])
    alpha = padded[t] / padded[t - 1]
    x_hat = z / padded[t] ** 0.5 - (1 / padded[t] - 1) ** 0.5 * guess
    of_x = padded[t - 1] ** 0.5 * (1 - alpha) / (1 - padded[t])
    of_z = alpha**0.5 * (1 - padded[t - 1]) / (1 - padded[t])
    return torch.add(of_x * x_hat, of_z * z)
""",
        # precisions add up
        BACK
        + """
    if t == 1:
        return (z - (1 - abar[0]).sqrt() * guess) / abar[0].sqrt()
    now, before = abar[t - 1], abar[t - 2]
    alpha = now / before
    x_hat = (z - (1 - now).sqrt() * guess) / now.sqrt()
    precision = 1 / (1 - before) + alpha / (1 - alpha)
    return (before.sqrt() * x_hat / (1 - before) + alpha.sqrt() * z / (1 - alpha)) / precision
""",
    ],
    "diffusion-noise-bug": [
        NOISY + "    return torch.sqrt(abar[t - 1]) * x + torch.sqrt(1 - abar[t - 1]) * eps\n",
        NOISY + "    return torch.lerp(torch.zeros_like(x), x, abar[t - 1] ** 0.5) + eps * (1 - abar[t - 1]) ** 0.5\n",
        NOISY
        + "    snr = torch.logit(abar)[t - 1]\n    return torch.sigmoid(snr).sqrt() * x + torch.sigmoid(-snr).sqrt() * eps\n",
    ],
    "diffusion-step-gap": [
        GAP + "    D = variances.shape[1]\n    return 0.5 * (D * variances.mean(1).log() - variances.log().sum(1))\n",
        GAP + "    return 0.5 * torch.log(variances.mean(1, keepdim=True) / variances).sum(1)\n",
        GAP
        + """
    gaps = []
    for row in variances:
        r = row / row.mean()
        gaps.append(((r - 1) / 2 - r.log() / 2).sum())
    return torch.stack(gaps)
""",
    ],
}

WRONG = {
    "diffusion-step-back": [BACK + "    return z - guess\n", BACK + "    return z\n"],
    "diffusion-noise-bug": [NOISY + "    return x + eps\n", NOISY + "    return abar[t - 1] * x + eps\n"],
    "diffusion-step-gap": [
        GAP + "    return variances.mean(1)\n",
        GAP
        + "    r = variances / variances.median(1, keepdim=True).values\n    return 0.5 * (r - 1 - r.log()).sum(1)\n",
    ],
}
