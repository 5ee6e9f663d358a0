"""Every check says what it refused, word for word; and lets pass what lies on the edge of what is allowed."""

import math
import re

import numpy as np
import pytest
import torch
from torch import nn

from vae_lessons import checks
from vae_lessons.checks import entries_known

X = torch.zeros(4, 3)
MODEL = nn.Linear(3, 2)
INFINITE = torch.tensor([1.0, math.inf])

REFUSED = {
    "type": (lambda: checks.check_type("a", 1.0, int), TypeError, "a must be of type int, got float"),
    "generator": (
        lambda: checks.check_generators(3),
        TypeError,
        "generator must be of type Generator, got int",
    ),
    "no generators": (
        lambda: checks.check_generators([]),
        TypeError,
        "generator must be of type Generator, got NoneType",
    ),
    "one of two generators": (
        lambda: checks.check_generators((torch.Generator(), 3)),
        TypeError,
        "generator must be of type Generator, got int",
    ),
    "callable": (lambda: checks.check_callable("a", 3), TypeError, "a must be a function, got int"),
    "tensor": (lambda: checks.check_tensor("a", [1.0]), TypeError, "a must be a torch.Tensor, got list"),
    "half": (
        lambda: checks.check_tensor("a", X.half()),
        TypeError,
        "a must be a floating-point tensor, float32 or float64, got torch.float16",
    ),
    "dimensions": (
        lambda: checks.check_tensor("a", X, "(B, D, K)"),
        ValueError,
        "a must have shape (B, D, K), got (4, 3)",
    ),
    "one dimension": (lambda: checks.check_tensor("a", X, "(B,)"), ValueError, "a must have shape (B,), got (4, 3)"),
    "too few dimensions": (
        lambda: checks.check_tensor("a", X[0], "(..., B, D)"),
        ValueError,
        "a must have shape (..., B, D), got (3,)",
    ),
    "empty": (lambda: checks.check_tensor("a", X[:0]), ValueError, "a must not be empty, got shape (0, 3)"),
    "infinite": (
        lambda: checks.check_tensor("a", INFINITE),
        ValueError,
        "a must be finite, got NaN or infinite entries",
    ),
    "alike, the first": (
        lambda: checks.check_alike("(K,)", a=X, b=X),
        ValueError,
        "a must have shape (K,), got (4, 3)",
    ),
    "alike, the second": (
        lambda: checks.check_alike(a=X[0, :2], b=INFINITE),
        ValueError,
        "b must be finite, got NaN or infinite entries",
    ),
    "alike, shape": (
        lambda: checks.check_alike(a=X, b=X[0]),
        ValueError,
        "b must have the shape of a, (4, 3), got (3,)",
    ),
    "alike, dtype": (
        lambda: checks.check_alike(a=X, b=X.double()),
        TypeError,
        "b must have the dtype of a, torch.float32, got torch.float64",
    ),
    "draws, none": (
        lambda: checks.check_draws("a", X[0], "b", X),
        ValueError,
        "a must have shape (S, 4, 3), S times that of b, got (3,)",
    ),
    "draws, a number": (
        lambda: checks.check_draws("a", torch.tensor(1.0), "b", torch.tensor(1.0)),
        ValueError,
        "a must have shape (S), S times that of b, got ()",
    ),
    "draws, infinite": (
        lambda: checks.check_draws("a", INFINITE, "b", X[0, 0]),
        ValueError,
        "a must be finite, got NaN or infinite entries",
    ),
    "draws, dtype": (
        lambda: checks.check_draws("a", X.double(), "b", X[0]),
        TypeError,
        "a must have the dtype of b, torch.float32, got torch.float64",
    ),
    "input, infinite": (
        lambda: checks.check_input("a", X / 0, MODEL, 3),
        ValueError,
        "a must be finite, got NaN or infinite entries",
    ),
    "input, one row": (
        lambda: checks.check_input("a", X[0], MODEL, 3),
        ValueError,
        "a must have shape (B, 3), got (3,)",
    ),
    "input, a stack": (
        lambda: checks.check_input("a", X[None], MODEL, 3),
        ValueError,
        "a must have shape (B, 3), got (1, 4, 3)",
    ),
    "input, width": (
        lambda: checks.check_input("a", X[:, :2], MODEL, 3),
        ValueError,
        "a must have shape (B, 3), got (4, 2)",
    ),
    "input, dtype": (
        lambda: checks.check_input("a", X.double(), MODEL, 3),
        TypeError,
        "a must have the dtype of the model, torch.float32, got torch.float64",
    ),
    "input, device": (
        lambda: checks.check_layer_input("a", X.to("meta"), MODEL, 3),
        ValueError,
        "a must be on the device of the model, cpu, got meta",
    ),
    "layer input, list": (
        lambda: checks.check_layer_input("a", [1.0], MODEL, 3),
        TypeError,
        "a must be of type Tensor, got list",
    ),
    "layer input, a number": (
        lambda: checks.check_layer_input("a", X[0, 0], MODEL, 3),
        ValueError,
        "a must have shape (B, 3), got ()",
    ),
    "one or shape": (
        lambda: checks.check_one_or_shape("a", X, (3,)),
        ValueError,
        "a must be one number or have shape (3,), got shape (4, 3)",
    ),
    "one, no shape": (
        lambda: checks.check_one_or_shape("a", X, ()),
        ValueError,
        "a must be one number, got shape (4, 3)",
    ),
    "one or shape, dtype": (
        lambda: checks.check_one_or_shape("a", X.double(), (4, 3), X),
        TypeError,
        "a must be torch.float32 like the rest, got torch.float64",
    ),
    "finite": (lambda: checks.check_finite("a", math.nan), ValueError, "a must be finite, got nan"),
    "finite, text": (
        lambda: checks.check_finite("a", "1"),
        TypeError,
        "a must be a number or a torch.Tensor, got str",
    ),
    "finite, bool": (
        lambda: checks.check_finite("a", True),
        TypeError,
        "a must be a number or a torch.Tensor, got bool",
    ),
    "finite, tensor": (
        lambda: checks.check_finite("a", INFINITE),
        ValueError,
        "a must be finite, got NaN or infinite entries",
    ),
    "positive": (lambda: checks.check_positive("a", X), ValueError, "a must be positive, got 0"),
    "positive, infinite": (lambda: checks.check_positive("a", math.inf), ValueError, "a must be finite, got inf"),
    "not negative": (
        lambda: checks.check_not_negative("a", torch.tensor([3.0, -0.5])),
        ValueError,
        "a must not be negative, got -0.5",
    ),
    "not negative, infinite": (
        lambda: checks.check_not_negative("a", math.inf),
        ValueError,
        "a must be finite, got inf",
    ),
    "number, above zero": (lambda: checks.check_number("a", 0, above=0), ValueError, "a must be positive, got 0"),
    "number, above": (lambda: checks.check_number("a", 1.5, above=1.5), ValueError, "a must be above 1.5, got 1.5"),
    "number, shape": (lambda: checks.check_number("a", X[0, :1]), ValueError, "a must be one number, got shape (1,)"),
    "number, text": (
        lambda: checks.check_number("a", "1"),
        TypeError,
        "a must be a number or a torch.Tensor, got str",
    ),
    "unit interval, above": (
        lambda: checks.check_unit_interval("a", torch.tensor([0.5, 1.5])),
        ValueError,
        "a must lie in [0, 1], got values from 0.5 to 1.5",
    ),
    "unit interval, below": (
        lambda: checks.check_unit_interval("a", torch.tensor([-0.5, 0.5])),
        ValueError,
        "a must lie in [0, 1], got values from -0.5 to 0.5",
    ),
    "unit interval, infinite": (
        lambda: checks.check_unit_interval("a", INFINITE),
        ValueError,
        "a must be finite, got NaN or infinite entries",
    ),
    "choice": (
        lambda: checks.check_choice("a", "c", {"b": 1, "d": 2}),
        ValueError,
        "a must be one of 'b', 'd', got 'c'",
    ),
    "count, float": (lambda: checks.check_count("a", 1.0), TypeError, "a must be an int, got float"),
    "count, bool": (lambda: checks.check_count("a", True), TypeError, "a must be an int, got bool"),
    "count": (lambda: checks.check_count("a", 0), ValueError, "a must be at least 1, got 0"),
    "count from 3": (lambda: checks.check_count("a", 2, at_least=3), ValueError, "a must be at least 3, got 2"),
    "array, ragged": (
        lambda: checks.as_array("a", [[1.0], [1.0, 2.0]], "(N, D)"),
        TypeError,
        re.compile("a must be an array of numbers: .*inhomogeneous"),
    ),
    "array, text": (
        lambda: checks.as_array("a", ["1"], "(N,)"),
        TypeError,
        "a must be an array of real numbers, got list of <U1",
    ),
    "array, shape": (lambda: checks.as_array("a", [1.0], "(N, D)"), ValueError, "a must have shape (N, D), got (1,)"),
    "array, empty": (lambda: checks.as_array("a", [], "(N,)"), ValueError, "a must not be empty, got shape (0,)"),
    "array, infinite": (
        lambda: checks.as_array("a", [1.0, math.inf], "(N,)"),
        ValueError,
        "a must be finite, got NaN or infinite entries",
    ),
}


@pytest.mark.parametrize(("call", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_a_refusal_says_what_came_and_what_was_expected(call, error, message):
    with pytest.raises(error) as caught:
        call()
    if isinstance(message, str):
        assert (type(caught.value), str(caught.value)) == (error, message)
    else:
        assert message.match(str(caught.value))


ALLOWED = {
    "a generator": lambda: checks.check_generators(torch.Generator()),
    "generators": lambda: checks.check_generators([torch.Generator(), torch.Generator()]),
    "any shape": lambda: checks.check_tensor("a", torch.tensor(1.0)),
    "double": lambda: checks.check_tensor("a", X.double()),
    "just enough dimensions": lambda: checks.check_tensor("a", X, "(..., B, D)"),
    "more dimensions": lambda: checks.check_tensor("a", X[None], "(..., B, D)"),
    "draws of any number": lambda: checks.check_draws("a", X, "b", X[0]),
    "alike": lambda: checks.check_alike("(B, D)", a=X, b=X),
    "alike of any shape": lambda: checks.check_alike(a=X[0], b=X[0]),
    "input": lambda: checks.check_input("a", X, MODEL, 3),
    "input of a stack": lambda: checks.check_input("a", X[None], MODEL, 3, "(..., B, D)"),
    "one row for a layer": lambda: checks.check_layer_input("a", X[0], MODEL, 3),
    "infinite for a layer": lambda: checks.check_layer_input("a", X / 0, MODEL, 3),
    "one number for all": lambda: checks.check_one_or_shape("a", 1.0, (3,)),
    "one tensor for all": lambda: checks.check_one_or_shape("a", torch.tensor(1.0).double(), (3,), X),
    "the shape": lambda: checks.check_one_or_shape("a", X, (4, 3), X),
    "the shape, of any dtype": lambda: checks.check_one_or_shape("a", X.double(), (4, 3)),
    "barely positive": lambda: checks.check_positive("a", torch.tensor([1e-30, 0.5])),
    "zero": lambda: checks.check_not_negative("a", X),
    "the whole unit interval": lambda: checks.check_unit_interval("a", torch.tensor([0.0, 1.0])),
    "a choice": lambda: checks.check_choice("a", "b", ("b", "d")),
    "a count": lambda: checks.check_count("a", np.int64(1)),
    "the least count": lambda: checks.check_count("a", 3, at_least=3),
    "below zero": lambda: checks.check_number("a", -1e300),
}


@pytest.mark.parametrize("call", ALLOWED.values(), ids=ALLOWED)
def test_what_lies_on_the_edge_is_allowed(call):
    call()


def test_numbers_come_back_as_floats():
    assert [checks.check_number("a", value) for value in (2, np.float32(0.5), torch.tensor(3.0))] == [2.0, 0.5, 3.0]
    assert all(type(checks.check_number("a", value)) is float for value in (2, np.float32(0.5), torch.tensor(3.0)))


def test_large_finite_numbers_are_finite_though_their_sum_is_not():
    largest = torch.full((4,), torch.finfo(torch.float32).max)
    assert checks.is_finite(largest) is True
    assert not checks.is_finite(torch.tensor([math.inf, 1.0])) and not checks.is_finite(torch.tensor([math.nan]))


def test_entries_are_left_alone_where_they_are_known_and_looked_at_again_afterwards():
    outside = torch.tensor([2.0])
    with entries_known():
        checks.check_tensor("a", INFINITE)
        checks.check_unit_interval("a", outside)
        with pytest.raises(ValueError, match="shape"):
            checks.check_tensor("a", INFINITE, "(B, D)")
        with entries_known():
            pass
        checks.check_tensor("a", INFINITE)
    with pytest.raises(ValueError, match="finite"):
        checks.check_tensor("a", INFINITE)
    with pytest.raises(ValueError, match="lie in"):
        checks.check_unit_interval("a", outside)


def test_an_array_is_a_copy_in_double_precision_without_a_gradient():
    given = np.array([1.0, 2.0])
    array = checks.as_array("a", given, "(N,)")
    array[0] = 7
    assert given[0] == 1 and array.dtype == np.float64
    assert checks.as_array("a", torch.ones(2, requires_grad=True), "(N,)").tolist() == [1, 1]
    assert checks.as_array("a", [[1, 2]], "(..., N)").tolist() == [[1, 2]]
    assert checks.as_array("a", np.array([3], dtype=np.uint8), "(N,)").tolist() == [3]
