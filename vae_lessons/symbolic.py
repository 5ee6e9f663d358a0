"""The SymPy side of the course: the Gaussian, its expectations, its KL (notebook 01).

The symbols are those of the page: `mu` real, `sigma` positive, `z` a sample, `eps` its noise.
SymPy tells symbols of one name apart by their assumptions: ``Symbol("z")`` is not the real `z` of this module.
"""

from typing import TypeAlias

import sympy as sp

mu = sp.Symbol("mu", real=True)
sigma = sp.Symbol("sigma", positive=True)
z = sp.Symbol("z", real=True)
eps = sp.Symbol("epsilon", real=True)

Term: TypeAlias = sp.Expr | float  # what SymPy takes for an expression; numbers are


def density(mean: Term = mu, std: Term = sigma) -> sp.Expr:
    """The density of N(mean, std²) at z.

    Raises:
        TypeError, ValueError: see `expectation`.
    """
    mean, std = _mean_and_std(mean, std)
    return sp.exp(-((z - mean) ** 2) / (2 * std**2)) / sp.sqrt(2 * sp.pi * std**2)


def log_ratio(mean: Term = mu, std: Term = sigma) -> sp.Expr:
    """log N(z; mean, std²) − log N(z; 0, 1) = ½(−log std² + z² − (z − mean)²/std²), in nats.

    Raises:
        TypeError, ValueError: see `expectation`.
    """
    mean, std = _mean_and_std(mean, std)
    return (-sp.log(std**2) + z**2 - (z - mean) ** 2 / std**2) / 2


def expectation(f: Term, mean: Term = mu, std: Term = sigma) -> sp.Expr:
    """E[f(z)] for z from N(mean, std²) and f a polynomial in z, exactly.

    Writes z = mean + std·eps and integrates each power of eps against the standard normal.
    Symbols other than `z` are constants.

    Raises:
        TypeError: an argument that is neither a SymPy expression nor a number (text is neither).
        ValueError: f no polynomial in z; f with another symbol of that name, which would be taken for
            a constant; a mean or std that is not finite or has z in it; a std that is not positive.
    """
    f = _expression("f", f)
    mean, std = _mean_and_std(mean, std)
    if f.has(eps):
        raise ValueError(f"f must be written in z, got {f} with symbolic.eps in it")
    in_eps = sp.expand(f.subs(z, mean + std * eps))
    if not in_eps.is_polynomial(eps):
        raise ValueError(f"f must be a polynomial in {z}, got {f}")
    moments = (factor * _moment(power) for (power,), factor in sp.Poly(in_eps, eps).terms())
    return sp.simplify(sum(moments))


def _moment(power: int) -> sp.Expr:
    """E[epsᵖ] under N(0, 1)."""
    standard = sp.exp(-(eps**2) / 2) / sp.sqrt(2 * sp.pi)
    return sp.integrate(eps**power * standard, (eps, -sp.oo, sp.oo))


def kl_to_standard(mean: Term = mu, std: Term = sigma) -> sp.Expr:
    """KL( N(mean, std²) ‖ N(0, 1) ), the expectation of `log_ratio`, in nats.

    Raises:
        TypeError, ValueError: see `expectation`.
    """
    return expectation(log_ratio(mean, std), mean, std)


def _mean_and_std(mean: Term, std: Term) -> tuple[sp.Expr, sp.Expr]:
    """Both as expressions that do not depend on the sample, the second not known to be ≤ 0."""
    mean, std = _expression("mean", mean), _expression("std", std)
    for name, value in (("mean", mean), ("std", std)):
        if value.has(z, eps):
            raise ValueError(f"{name} must not depend on the sample, got {value}")
    if std.is_positive is False:
        raise ValueError(f"std must be positive, got {std}")
    return mean, std


def _expression(name: str, value: Term) -> sp.Expr:
    """A number or a SymPy expression as an expression, with no symbol that only looks like ours."""
    try:
        expression = sp.sympify(value, strict=True)  # text would be read as new symbols
    except (TypeError, ValueError):
        expression = None
    if not isinstance(expression, sp.Expr):
        raise TypeError(f"{name} must be a SymPy expression or a number, got {type(value).__name__}")
    if expression.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
        raise ValueError(f"{name} must be finite, got {expression}")
    for symbol in expression.free_symbols - {z, eps}:
        if symbol.name in (z.name, eps.name):
            raise ValueError(
                f"{name} must use symbolic.z: its own {symbol} has other assumptions, so is another symbol"
            )
    return expression
