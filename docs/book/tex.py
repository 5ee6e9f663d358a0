"""Formulas as a person types them, for the excerpts of the search: `\\log\\sigma_x^2` becomes log σ_x²."""

from __future__ import annotations

import re
import unicodedata
from collections import deque

TOKEN = re.compile(r"\\[A-Za-z]+|\\.|\s+|.", re.S)
GREEK = {
    f"\\{name}": unicodedata.lookup(f"GREEK {size} LETTER {name.upper()}")
    for size, names in {
        "SMALL": "alpha beta gamma delta epsilon eta theta kappa mu nu xi pi rho sigma tau phi chi psi omega",
        "CAPITAL": "Gamma Delta Theta Xi Pi Sigma Phi Psi Omega",
    }.items()
    for name in names.split()
}
GREEK |= {r"\varepsilon": "ε", r"\lambda": "λ", r"\Lambda": "Λ", r"\varphi": "φ"}  # which Unicode spells otherwise
TIGHT = "\0"  # no space is left around it


def _table(text: str) -> dict[str, str]:
    words = text.split()
    return dict(zip(words[::2], words[1::2], strict=True))


SIGNS = _table(r"\| ‖ - − \infty ∞ \partial ∂ \nabla ∇ \ell ℓ \int ∫ \sum Σ \prod Π \dots … \top T \% % \{ { \} }")
SIGNS |= {r"\mid": f"{TIGHT}|{TIGHT}", r"\lVert": f"‖{TIGHT}", r"\rVert": f"{TIGHT}‖", "&": " ", r"\!": "", r"\\": "; "}
BETWEEN = _table(r"\Vert ‖ \sim ~ \cdot · \times × \approx ≈ \propto ∝ \to → \le ≤ \ge ≥ \pm ± \in ∈")
FUNCTIONS = {f"\\{name}": name for name in ("log", "exp", "cos", "sin", "max", "min", "det")}
SPACES = {r"\,", r"\;", r"\:", "\\ ", r"\quad", r"\qquad", "~"}
SIZES = {r"\big", r"\Big", r"\left", r"\right", r"\displaystyle", r"\textstyle"}
FONTS = {r"\text", r"\mathrm", r"\mathcal", r"\mathsf", r"\mathbf", r"\mathbb", r"\operatorname"}
ACCENTS = {r"\hat": "\u0302", r"\widehat": "\u0302", r"\bar": "\u0304", r"\tilde": "\u0303"}
FRACTIONS = {r"\frac", r"\tfrac", r"\dfrac"}
TAKING = FONTS | FRACTIONS | ACCENTS.keys() | {r"\sqrt", r"\underbrace", r"\begin", r"\end"}
KNOWN = GREEK.keys() | SIGNS.keys() | BETWEEN.keys() | FUNCTIONS.keys() | SPACES | SIZES | TAKING
# Before these a ratio needs no parentheses.
ENDING = {"", *"+-=})].,;:&", r"\\", r"\|", r"\rVert", r"\end"} | BETWEEN.keys()
# One number, letter or name, with what stands above and below it.
FACTOR = r"[\d.]+|√?(?:\w[\u0302-\u0304]?|[A-Z]{2,})(?:_\w+|_\([^()]*\))?[₀-₉⁰¹²³⁴-⁹]*"
BALANCED = r"\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"
ONE_SIGN = {"1/2": "½", "1/4": "¼", "3/4": "¾", "1/3": "⅓"}
RAISED = str.maketrans("0123456789+−nT", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿᵀ")
LOWERED = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def plain(tex: str) -> str:
    """A formula without its markup; a command that is not known is left out."""
    text = re.sub(r"\s+", " ", _group(deque(TOKEN.findall(tex))))
    text = re.sub(rf" ?{TIGHT} ?|(?<=[(\[{{]) |(?<=\|) (?=log)| (?=[)\]}},.;:])", "", text)
    return re.sub(rf"\b({'|'.join(FUNCTIONS.values())}) (?=[(\[{{²])", r"\1", text).strip()


def _group(tokens: deque[str]) -> str:
    """Up to the brace that closes, or to the end."""
    written = []
    while tokens and (token := tokens.popleft()) != "}":
        written.append(_one(token, tokens))
    return "".join(written)


def _one(token: str, tokens: deque[str]) -> str:
    if token == "{":
        return _group(tokens)
    if token in "^_":
        return _script(token, _argument(tokens))
    if token in TAKING:
        return _taking(token, tokens)
    if token in FUNCTIONS:
        return f" {FUNCTIONS[token]}{_of_ratio(tokens) if _next(tokens) in FRACTIONS else ' '}"
    if token in BETWEEN:
        return f" {BETWEEN[token]} "
    known = GREEK | SIGNS | dict.fromkeys(SPACES, " ")
    return known.get(token, "" if token.startswith("\\") else token)


def _next(tokens: deque[str]) -> str:
    """The next token that is seen."""
    return next((token for token in tokens if not token.isspace() and token not in SPACES | SIZES), "")


def _argument(tokens: deque[str]) -> str:
    """What stands in braces, or the next sign."""
    while tokens and (tokens[0].isspace() or tokens[0] in SPACES | SIZES):
        tokens.popleft()
    return _one(tokens.popleft(), tokens).strip() if tokens else ""


def _taking(command: str, tokens: deque[str]) -> str:
    """A command with its argument, or two."""
    first = _argument(tokens)
    if command in FRACTIONS:
        return _ratio(first, _argument(tokens), tokens)
    if command in ACCENTS:
        return unicodedata.normalize("NFC", f"{first[:1]}{ACCENTS[command]}{first[1:]}")
    if command == r"\sqrt":
        return f"√{first}" if re.fullmatch(FACTOR, first) else f"√({first})"
    if command == r"\underbrace" and _next(tokens) == "_":
        tokens.popleft()
        return f"{first} ({_argument(tokens)})"
    if command == r"\operatorname" and _next(tokens) in GREEK:
        return f"{first} "
    if command in (r"\begin", r"\end"):
        return " "
    return "𝔼" if (command, first) == (r"\mathbb", "E") else first


def _ratio(above: str, below: str, tokens: deque[str]) -> str:
    """½, or a/b, in parentheses where something is multiplied by it."""
    held = [text if re.fullmatch(rf"{FACTOR}|[^\W\d]\([^()]*\)", text) else f"({text})" for text in (above, below)]
    ratio = "/".join(held)
    return ONE_SIGN.get(ratio) or (ratio if _next(tokens) in ENDING else f"({ratio})")


def _of_ratio(tokens: deque[str]) -> str:
    """The logarithm of a/b, or of a ratio and all that follows."""
    ratio = _argument(tokens)
    if _next(tokens) not in ENDING:
        return f" {ratio.removeprefix('(').removesuffix(')')} "
    return ratio if re.fullmatch(BALANCED, ratio) else f"({ratio})"


def _script(sign: str, text: str) -> str:
    """Above or below the line, where Unicode has it; the course writes σ_x² in its prose."""
    table = RAISED if sign == "^" else LOWERED
    if all(ord(letter) in table for letter in text):
        return text.translate(table)
    return f"{sign}{text}" if re.fullmatch(r"\w+", text) else f"{sign}({text})"
