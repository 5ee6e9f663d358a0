"""Docstrings of the mathematical and model rooms: shapes of tensors, errors, units, and the lesson they belong to."""

import ast
import importlib
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator

import pytest

NAMES = ("gaussian", "symbolic", "montecarlo", "spectrum", "data", "model")
NAMES += ("objective", "recipes", "bounds", "training", "stacks", "optimum", "diffusion", "denoising", "reverse")
NAMES += ("settings", "sweeps", "trained")
ROOMS = [importlib.import_module(f"vae_lessons.{name}") for name in NAMES]

SIZE = r"(\.\.\.|[A-Z0-9][A-Za-z0-9]*)"
SHAPE = re.compile(rf"\(({SIZE}(, {SIZE})*,?)?\)|same shape|see `")  # (B, D), (S, ...), (K,), ()
ARRAYS = re.compile(r"\b(Tensor|NDArray|ArrayLike)\b|ndarray")
NATS = re.compile(r"kl|floored_kl|kl_\w+|log_\w+|elbo\w*|\w+_(elbo|likelihood|log_density|bound|loss)|rate\w*")
IN_ITS_OWN_UNIT = {"recipes.recipe_loss", "recipes.post_loss"}  # whatever their weights make it


def public_functions() -> Iterator[tuple[str, Callable[..., object]]]:
    """All public functions of the rooms, and the public methods and properties of their public classes, by name."""
    for room in ROOMS:
        for name, value in vars(room).items():
            if name.startswith("_") or getattr(value, "__module__", None) != room.__name__:
                continue
            label = f"{room.__name__.removeprefix('vae_lessons.')}.{name}"
            if inspect.isfunction(value):
                yield label, value
            elif inspect.isclass(value):
                for part, inner in vars(value).items():
                    inner = inner.fget if isinstance(inner, property) else inner
                    if inspect.isfunction(inner) and not part.startswith("_"):
                        yield f"{label}.{part}", inner


# What a layer takes and returns is said by its class, and for all models by `LatentGaussian`.
OF_LAYERS = re.compile(r"model\.(Encoder|Decoder|StackedLinear|VAE|LinearVAE)\.(forward|encode|decode)")
FUNCTIONS = {name: function for name, function in public_functions() if not OF_LAYERS.fullmatch(name)}


@pytest.mark.parametrize("room", ROOMS, ids=NAMES)
def test_every_room_and_class_says_what_it_is(room):
    assert room.__doc__
    for value in vars(room).values():
        if inspect.isclass(value) and value.__module__ == room.__name__:
            assert value.__doc__ and not value.__doc__.startswith(f"{value.__name__}("), value  # made by NamedTuple


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_docstring_is_complete(name):
    function = FUNCTIONS[name]
    doc = inspect.getdoc(function) or ""
    lacks = [f"the shape of {key}" for key in tensors(function) if not SHAPE.search(entry(doc, key))]
    if not re.search(r"(lesson|notebook)s? \d\d|every notebook", doc + (inspect.getmodule(function).__doc__ or "")):
        lacks.append("its lesson")
    if may_raise(function) and "Raises:" not in doc:
        lacks.append("Raises")
    if NATS.fullmatch(name.split(".")[-1]) and name not in IN_ITS_OWN_UNIT and not re.search(r"\bnats\b", doc):
        lacks.append("nats")
    assert doc and not lacks


def tensors(function: Callable[..., object]) -> Iterator[str]:
    """The arguments that are tensors or arrays, and "return" if the result is one."""
    for name, kind in function.__annotations__.items():
        if ARRAYS.search(str(kind)) and "Callable" not in str(kind):
            yield name


def entry(doc: str, name: str) -> str:
    """What a docstring says about an argument: its entry under Args, or else the sentence that names it."""
    if name == "return":
        return re.sub(r"^(Args|Raises):(\n .*)+", "", doc, flags=re.MULTILINE)
    listed = re.search(rf"^    (\w+, )*{name}(, \w+)*: .*(\n      .*)*", doc, re.MULTILINE)
    said = re.search(rf"\b{name}\b[^.;\n]*", doc)
    return (listed or said or [""])[0]


def may_raise(function: Callable[..., object]) -> bool:
    """Whether it raises, or calls a check, itself; what subclasses have to write does neither."""
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))):
        if isinstance(node, ast.Raise):
            return "NotImplementedError" not in ast.dump(node)
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and re.match(r"check_|as_array", node.func.id)
        ):
            return True
    return False
