"""Answers to the exercises of notebook 11."""

BACK = "def step_back(z, guess, abar, t):\n"
NOISY = "def noisy(x, eps, abar, t):\n"
WEIGHTS = "def weights(abar):\n"

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
        # the lesson's own helper
        BACK
        + """
    from vae_lessons.diffusion import posterior
    x_hat = (z - (1 - abar[t - 1]).sqrt() * guess) / abar[t - 1].sqrt()
    return posterior(z, x_hat, abar, t)[0]
""",
        # the mean of z_{t−1} given x, corrected by the noise that z_t shares with it
        BACK
        + """
    now = abar[t - 1]
    before = abar[t - 2] if t > 1 else torch.ones_like(now)
    x_hat = (z - (1 - now).sqrt() * guess) / now.sqrt()
    gain = (now / before).sqrt() * (1 - before) / (1 - now)
    return before.sqrt() * x_hat + gain * (z - now.sqrt() * x_hat)
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
        NOISY
        + "    return torch.lerp(torch.zeros_like(x), x, float(abar[t - 1] ** 0.5)) + eps * (1 - abar[t - 1]) ** 0.5\n",
        NOISY
        + "    snr = torch.logit(abar)[t - 1]\n    return torch.sigmoid(snr).sqrt() * x + torch.sigmoid(-snr).sqrt() * eps\n",
        NOISY
        + "    angle = torch.acos(abar[t - 1].sqrt())\n    return torch.cos(angle) * x + torch.sin(angle) * eps\n",
        NOISY
        + "    both = torch.stack([abar[t - 1], 1 - abar[t - 1]]).sqrt()\n    return both[0] * x + both[1] * eps\n",
    ],
    "diffusion-weights": [
        WEIGHTS + "    snrs = torch.logit(abar)\n    return 0.5 * torch.expm1(snrs[:-1] - snrs[1:])\n",
        # the general weight, with s_t² = β̃_t
        WEIGHTS
        + """
    now, before = abar[1:], abar[:-1]
    beta = 1 - now / before
    beta_tilde = beta * (1 - before) / (1 - now)
    return beta**2 / (2 * beta_tilde * (1 - beta) * (1 - now))
""",
        WEIGHTS + "    odds = abar / (1 - abar)\n    return (odds[:-1] - odds[1:]) / (2 * odds[1:])\n",
        WEIGHTS
        + """
    found = []
    for before, now in zip(abar[:-1], abar[1:]):
        found.append((before / (1 - before) * (1 - now) / now - 1) / 2)
    return torch.stack(found) if found else abar[:0]
""",
        # the lesson's own helpers
        WEIGHTS
        + """
    from vae_lessons.diffusion import log_snr
    return ((-log_snr(abar).diff()).exp() - 1) / 2
""",
    ],
}

WRONG = {
    "diffusion-step-back": [BACK + "    return z - guess\n", BACK + "    return z\n"],
    "diffusion-noise-bug": [NOISY + "    return x + eps\n", NOISY + "    return abar[t - 1] * x + eps\n"],
    "diffusion-weights": [WEIGHTS + "    return abar[1:]\n", WEIGHTS + "    return 1 / (1 - abar[1:])\n"],
}
