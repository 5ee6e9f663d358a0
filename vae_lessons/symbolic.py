"""The SymPy side of the course: the Gaussian, its expectations, its KL (notebook 01).

The symbols are those of the page: `mu` real, `sigma` positive, `z` a sample, `eps` its noise.
"""

import sympy as sp

mu = sp.Symbol("mu", real=True)
sigma = sp.Symbol("sigma", positive=True)
z = sp.Symbol("z", real=True)
eps = sp.Symbol("epsilon", real=True)


def density(mean: sp.Expr = mu, std: sp.Expr = sigma) -> sp.Expr:
    """The density of N(mean, std²) at z."""
    return sp.exp(-((z - mean) ** 2) / (2 * std**2)) / sp.sqrt(2 * sp.pi * std**2)


def log_ratio(mean: sp.Expr = mu, std: sp.Expr = sigma) -> sp.Expr:
    """log N(z; mean, std²) − log N(z; 0, 1) = ½(−log std² + z² − (z − mean)²/std²)."""
    return (-sp.log(std**2) + z**2 - (z - mean) ** 2 / std**2) / 2


def expectation(f: sp.Expr, mean: sp.Expr = mu, std: sp.Expr = sigma) -> sp.Expr:
    """E[f(z)] for z from N(mean, std²) and f a polynomial in z, exactly.

    Writes z = mean + std·eps and integrates each power of eps against the standard normal.

    Raises:
        ValueError: f is no polynomial in z.
    """
    in_eps = sp.expand(sp.sympify(f).subs(z, mean + std * eps))
    if not in_eps.is_polynomial(eps):
        raise ValueError(f"f must be a polynomial in {z}, got {f}")
    moments = (factor * _moment(power) for (power,), factor in sp.Poly(in_eps, eps).terms())
    return sp.simplify(sum(moments))


def _moment(power: int) -> sp.Expr:
    """E[epsᵖ] under N(0, 1)."""
    standard = sp.exp(-(eps**2) / 2) / sp.sqrt(2 * sp.pi)
    return sp.integrate(eps**power * standard, (eps, -sp.oo, sp.oo))


def kl_to_standard(mean: sp.Expr = mu, std: sp.Expr = sigma) -> sp.Expr:
    """KL( N(mean, std²) ‖ N(0, 1) ), the expectation of `log_ratio`, in nats."""
    return expectation(log_ratio(mean, std), mean, std)
