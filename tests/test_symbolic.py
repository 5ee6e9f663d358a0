"""SymPy's expectations against SciPy's, and symbols that only look like ours."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from vae_lessons import symbolic as sym


def decimals(low: float, high: float) -> st.SearchStrategy[float]:
    """Numbers of a few digits: at 1e-258 SciPy's own moments overflow."""
    return st.floats(low, high).map(lambda value: round(value, 6))


@settings(max_examples=15)
@given(decimals(-2, 2), decimals(0.3, 2), st.lists(decimals(-3, 3), min_size=1, max_size=5))
def test_symbolic_expectation_matches_scipy_moments(mean, std, coefficients):
    f = sum(sp.Float(c) * sym.z**power for power, c in enumerate(coefficients))
    ours = float(sym.expectation(f, sp.Float(mean), sp.Float(std)))
    theirs = sum(c * stats.norm(mean, std).moment(power) for power, c in enumerate(coefficients) if power)
    assert ours == pytest.approx(theirs + coefficients[0], abs=1e-6)


def test_symbolic_kl_is_the_formula():
    formula = (sym.mu**2 + sym.sigma**2 - sp.log(sym.sigma**2) - 1) / 2
    assert sp.simplify(sym.kl_to_standard() - formula) == 0


def test_symbolic_log_ratio_is_that_of_the_densities():
    ratio = sp.log(sym.density()) - sp.log(sym.density(sp.Integer(0), sp.Integer(1)))
    assert sp.simplify(sp.expand_log(ratio - sym.log_ratio(), force=True)) == 0


def test_what_is_no_polynomial_is_refused():
    with pytest.raises(ValueError, match="polynomial"):
        sym.expectation(sp.log(sym.z))


def test_the_density_is_scipys_and_has_area_one():
    points = np.linspace(-2, 3, 7)
    ours = [float(sym.density(sp.Rational(1, 2), 2).subs(sym.z, point)) for point in points]
    assert ours == pytest.approx(stats.norm(0.5, 2).pdf(points))
    assert sp.simplify(sp.integrate(sym.density(), (sym.z, -sp.oo, sp.oo))) == 1


def test_other_symbols_are_constants():
    a = sp.Symbol("a")
    assert sp.simplify(sym.expectation(a * sym.z**2 + a) - a * (sym.mu**2 + sym.sigma**2 + 1)) == 0
    assert sym.expectation(a) == a and sym.expectation(3) == 3


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: sym.expectation(sp.Symbol("z") ** 2),
            ValueError,
            "f must use symbolic.z: its own z has other assumptions",
        ),
        (lambda: sym.expectation("z**2"), TypeError, "f must be a SymPy expression or a number, got str"),
        (lambda: sym.expectation(sym.eps**2), ValueError, "f must be written in z"),
        (lambda: sym.expectation(sym.z, mean=sp.Symbol("z")), ValueError, "mean must use symbolic.z"),
        (lambda: sym.expectation(sym.z, mean=sym.z), ValueError, "mean must not depend on the sample"),
        (lambda: sym.expectation(sym.z, std=-1), ValueError, "std must be positive, got -1"),
        (lambda: sym.density(std=0), ValueError, "std must be positive, got 0"),
        (lambda: sym.expectation(sp.oo), ValueError, "f must be finite, got oo"),
        (lambda: sym.expectation(-sp.oo), ValueError, "f must be finite, got -oo"),
        (lambda: sym.expectation(sp.nan), ValueError, "f must be finite, got nan"),
        (lambda: sym.expectation(1 / sp.Integer(0)), ValueError, "f must be finite, got zoo"),
    ],
)
def test_what_would_not_be_integrated_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_any_mean_and_width_may_stand_in_the_kl():
    a, b = sp.symbols("a b", positive=True)
    assert sp.simplify(sp.expand_log(sym.kl_to_standard(a, b) - (a**2 + b**2 - 1) / 2 + sp.log(b), force=True)) == 0
