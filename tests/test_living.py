"""The living page's mathematics, run by Node, against the package; what the page does with it: test_living_browser.py."""

from __future__ import annotations

import copy
import itertools
import json
import math
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from vae_lessons import gaussian, spectrum
from vae_lessons.data import digits
from vae_lessons.living import module, style
from vae_lessons.living.packing import packed, unpacked
from vae_lessons.living.widget import LivingPage, show_living
from vae_lessons.model import VAE, LinearVAE, Output, reference_vae
from vae_lessons.objective import gaussian_log_likelihood, linear_elbo, negative_elbo
from vae_lessons.packages import ROOT
from vae_lessons.recipes import Recipe, implied_objective
from vae_lessons.recorded import FOLDER, recorded
from vae_lessons.stacks import Sweep, sweep
from vae_lessons.training import gradient_step

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="there is no program node, which runs JavaScript")

X = digits().x.double()
D, K = 64, 8
# Every line is a function and what to hand to it; every answer is what it returns, or the error it throws.
# JSON knows neither NaN, nor infinity, nor −0.
SERVER = """
import {createInterface} from "node:readline";
const m = await import(process.argv[1]);
const odd = value => typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0));
const sent = (key, value) => odd(value) ? {number: Object.is(value, -0) ? "-0" : String(value)}
    : ArrayBuffer.isView(value) ? Array.from(value) : value;
const read = (key, value) => value !== null && "number" in Object(value) ? Number(value.number) : value;
for await (const line of createInterface({input: process.stdin})) {
    const {code, given} = JSON.parse(line, read);
    let answer;
    try { answer = {result: new Function("m", "return " + code)(m)(given)}; }
    catch (error) { answer = {error: `${error.name}: ${error.message}`}; }
    console.log(JSON.stringify(answer, sent));
}
"""


class JavaScriptError(Exception):
    """What the module threw: its kind and its sentence."""


class Node:
    """The module in one process of Node, which answers one question after the other."""

    def __init__(self, path: Path) -> None:
        command = ["node", "--input-type=module", "--eval", SERVER, path.as_uri()]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "encoding": "utf-8"}
        self.process = subprocess.Popen(command, **pipes)

    def __call__(self, code: str, **given: Any) -> Any:
        """What the function `code` returns for these values; in it, `m` is the module."""
        self.process.stdin.write(json.dumps({"code": code, "given": _sent(given)}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline(), object_hook=_read, parse_int=float)
        if "error" in answer:
            raise JavaScriptError(answer["error"])
        return answer.get("result")


def _sent(value: Any) -> Any:
    """Values that JSON has no word for as texts."""
    if isinstance(value, dict):
        return {key: _sent(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_sent(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"number": {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]}
    return value


def _read(value: dict[str, Any]) -> Any:
    return float(value["number"]) if set(value) == {"number"} else value


@pytest.fixture(name="node", scope="module")
def node_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    path = tmp_path_factory.mktemp("living") / "living.mjs"
    path.write_text(module(), encoding="utf-8")
    node = Node(path)
    yield node
    node.process.communicate()  # closes its input, and so ends it
    assert node.process.returncode == 0


def off(ours: Any, theirs: Any) -> float:
    """The largest difference, relative where numbers are above 1; equal infinities do not differ."""
    ours, theirs = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    assert ours.shape == theirs.shape and not np.isnan(ours).any()
    differs = ours != theirs
    return (np.abs(ours[differs] - theirs[differs]) / np.maximum(1, np.abs(theirs[differs]))).max(initial=0)


# The trained networks ---------------------------------------------------------------------------

NUMBERS = recorded("living")
HALVES = np.fromfile(FOLDER / "living.bin", dtype="<f2").reshape(len(NUMBERS["models"]), -1)


def trained(number: int) -> VAE:
    """A recorded model, with its rounded weights, in float64."""
    model = reference_vae().double().requires_grad_(False)
    unpacked(model, HALVES[number])
    return model


def images() -> Tensor:
    """Random ones, digits, blank and black paper, and each pixel alone."""
    noise = torch.rand(20, D, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return torch.cat([noise, X[:20], torch.zeros(1, D), torch.ones(1, D), torch.eye(D)])


def codes() -> Tensor:
    """Random ones, the prior's mean, and far out."""
    noise = torch.randn(20, K, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    ends = [torch.full((1, K), value) for value in (0.0, 3.5, -3.5, 1000.0, -1000.0)]
    return torch.cat([noise, *ends, 3.5 * torch.eye(K), -1000 * torch.eye(K)])


def test_every_recorded_network_encodes_and_decodes_as_the_package_does(node: Node) -> None:
    """Required: 1e-5. Both have float64 and the same weights, so that only the order of sums differs."""
    x, z, sizes = images(), codes(), NUMBERS["sizes"]
    run = """({halves, sizes, x, z}) => {
        const network = new m.Network(Uint16Array.from(halves), sizes);
        return {codes: x.map(each => network.encode(each)), images: z.map(each => Array.from(network.decode(each)))};
    }"""
    differences = []
    for number, halves in enumerate(HALVES):
        answer = node(run, halves=halves.view(np.uint16).tolist(), sizes=sizes, x=x.tolist(), z=z.tolist())
        model = trained(number)
        mu, log_sigma = model.encode(x)
        kl = gaussian.kl_to_standard(mu, log_sigma)
        for name, values in {"mu": mu, "logSigma": log_sigma, "kl": kl}.items():
            differences.append(off([code[name] for code in answer["codes"]], values))
        differences.append(off(answer["images"], model.decode(z)))
    print(f"largest difference of {len(HALVES)} networks: {max(differences):.1e}")
    assert max(differences) < 1e-11


def test_a_code_stays_when_the_next_image_is_encoded(node: Node) -> None:
    run = """({halves, sizes, x}) => {
        const network = new m.Network(Uint16Array.from(halves), sizes);
        const first = network.encode(x[0]), before = [...first.mu, ...first.logSigma, ...first.kl];
        network.encode(x[1]);
        return [before, [...first.mu, ...first.logSigma, ...first.kl]];
    }"""
    before, after = node(run, halves=HALVES[0].view(np.uint16).tolist(), sizes=NUMBERS["sizes"], x=X[:2].tolist())
    assert before == after


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda halves: halves[:-1], "a model has 25580 weights, got 25579: the file is damaged"),
        (lambda halves: halves[:0], "a model has 25580 weights, got 0: the file is damaged"),
        (lambda halves: np.append(halves, halves[:1]), "a model has 25580 weights, got 25581: the file is damaged"),
        (lambda halves: np.where(np.arange(25580) == 25579, np.nan, halves), "some weights are no finite numbers"),
        (lambda halves: np.where(np.arange(25580) == 0, -np.inf, halves), "some weights are no finite numbers"),
    ],
)
def test_damaged_weights_are_told(node: Node, damage: Any, said: str) -> None:
    halves = damage(HALVES[0]).astype(np.float16).view(np.uint16).tolist()
    with pytest.raises(JavaScriptError, match=f"RangeError: {said}"):
        node(
            "({halves, sizes}) => new m.Network(Uint16Array.from(halves), sizes)", halves=halves, sizes=NUMBERS["sizes"]
        )


def test_every_16_bit_float_is_read(node: Node) -> None:
    """All 65 536 of them: small ones, both zeros, infinities and NaN too."""
    patterns = np.arange(2**16, dtype=np.uint16)
    ours = np.array(node("({halves}) => m.fromHalves(Uint16Array.from(halves))", halves=patterns.tolist()))
    theirs = patterns.view(np.float16).astype(float)
    np.testing.assert_array_equal(ours, theirs)
    numbers = ~np.isnan(theirs)
    np.testing.assert_array_equal(np.signbit(ours[numbers]), np.signbit(theirs[numbers]))


# The theory -------------------------------------------------------------------------------------

# From 1e-300 to 1e300, evenly in the logarithm: most of what st.floats gives lies at the ends.
POSITIVE = st.one_of(st.floats(1e-300, 1e300), st.floats(-300, 300).map(lambda power: 10**power))
EIGENVALUES = st.one_of(
    st.lists(st.one_of(POSITIVE, st.just(0.0)), min_size=1, max_size=12),
    st.builds(lambda value, count: [value] * count, POSITIVE, st.integers(1, 12)),
    st.just(NUMBERS["eigenvalues"]),
).map(lambda values: sorted(values, reverse=True))


@st.composite
def water(draw: st.DrawFn) -> tuple[list[float], float, int]:
    """A spectrum, a level, and a number of latents; often the level is one of the eigenvalues."""
    eigenvalues = draw(EIGENVALUES)
    level = draw(st.one_of(POSITIVE, st.sampled_from([value for value in eigenvalues if value] or [1.0])))
    return eigenvalues, level, draw(st.integers(1, len(eigenvalues)))


@given(water())
def test_what_each_latent_pays_and_each_direction_misses(node: Node, case: tuple[list[float], float, int]) -> None:
    eigenvalues, level, n_latents = case
    given = {"eigenvalues": eigenvalues, "level": level, "nLatents": n_latents}
    kl = node("({eigenvalues, level, nLatents}) => m.klPerLatent(eigenvalues, level, nLatents)", **given)
    error = node("({eigenvalues, level, nLatents}) => m.errorPerDirection(eigenvalues, level, nLatents)", **given)
    assert off(kl, spectrum.kl_per_latent(eigenvalues, level, n_latents)) < 1e-12
    assert error == spectrum.error_per_direction(eigenvalues, level, n_latents).tolist()
    theirs = spectrum.thresholds(eigenvalues, level)
    assert off(node("({eigenvalues, level}) => m.thresholds(eigenvalues, level)", **given), theirs) == 0


@given(EIGENVALUES, st.floats(-100, 100), st.floats(-100, 100), st.data())
def test_the_best_elbo(node: Node, eigenvalues: list[float], noise_power: float, beta_power: float, data: Any) -> None:
    noise_var, beta = 10**noise_power, 10**beta_power
    n_latents = data.draw(st.integers(1, len(eigenvalues)))
    ours = node(
        "({eigenvalues, noiseVar, nLatents, beta}) => m.optimalElbo(eigenvalues, noiseVar, nLatents, beta)",
        eigenvalues=eigenvalues,
        noiseVar=noise_var,
        nLatents=n_latents,
        beta=beta,
    )
    assert off(ours, spectrum.optimal_elbo(eigenvalues, noise_var, n_latents, beta)) < 1e-12


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(-12, 12), st.floats(0, 1e3), st.integers(1, 50))
def test_the_elbo_of_an_error_and_a_kl(
    node: Node, error: float, kl: float, power: float, beta: float, n_pixels: int
) -> None:
    """One image that is missed by that error, in its first pixel."""
    noise_var, x = 10**power, torch.zeros(1, n_pixels, dtype=torch.float64)
    x_hat = x.clone()
    x_hat[0, 0] = math.sqrt(error)
    theirs = gaussian_log_likelihood(x, x_hat, noise_var).item() - beta * kl
    ours = node(
        "({error, kl, noiseVar, beta, nPixels}) => m.gaussianElbo(error, kl, noiseVar, beta, nPixels)",
        error=error,
        kl=kl,
        noiseVar=noise_var,
        beta=beta,
        nPixels=n_pixels,
    )
    assert ours == pytest.approx(theirs, rel=1e-12, abs=1e-12 * (1 + beta * kl + error / noise_var))


@given(
    st.one_of(st.floats(-10, 10), st.floats(-1e100, 1e100)),
    st.one_of(st.floats(-10, 10), st.floats(-1e-9, 1e-9), st.floats(-1e100, 1e100)),
)
def test_the_kl_to_the_prior(node: Node, mu: float, log_sigma: float) -> None:
    """Near σ = 1 as well, where σ² − 1 − log σ² must not cancel: relative to the larger of the two terms."""
    ours = node("({mu, logSigma}) => m.klToStandard(mu, logSigma)", mu=mu, logSigma=log_sigma)
    theirs = gaussian.kl_to_standard(*torch.tensor([[mu], [log_sigma]], dtype=torch.float64)).item()
    assert ours == theirs or abs(ours - theirs) <= 1e-15 * (theirs + abs(log_sigma))


REDUCTIONS = st.sampled_from(["mean", "sum", "sum_mean"])
WEIGHTS = st.floats(-50, 50).map(lambda power: 10**power)
LEVEL = "({recipe, sizes}) => m.impliedLevel(recipe, ...sizes)"


@given(REDUCTIONS, REDUCTIONS, WEIGHTS, WEIGHTS, st.tuples(*[st.integers(1, 10_000)] * 3))
def test_the_level_of_a_loss(
    node: Node, error: str, kl: str, first: float, second: float, sizes: tuple[int, int, int]
) -> None:
    recipe = {"error": error, "kl": kl, "errorWeight": first, "klWeight": second}
    theirs = implied_objective(Recipe(error, kl, first, second), *sizes).level
    assert node(LEVEL, recipe=recipe, sizes=list(sizes)) == pytest.approx(theirs, rel=1e-14)


@pytest.mark.parametrize(
    ("recipe", "level"),
    [
        (Recipe("mean", "mean"), 4),
        (Recipe("sum", "sum"), 0.5),
        (Recipe("sum_mean", "sum_mean"), 0.5),
        (Recipe("sum", "sum", error_weight=0.5), 1),
        (Recipe("mean", "sum_mean"), 32),
        (Recipe("mean", "sum_mean", kl_weight=0.00025), 0.008),
        (Recipe("sum", "mean"), 1 / 1024),
    ],
    ids=str,
)
def test_the_seven_losses_of_lesson_06(node: Node, recipe: Recipe, level: float) -> None:
    """By hand, for 64 pixels, 8 latents and batches of 64; a weight that is left out is 1."""
    weights = {"errorWeight": recipe.error_weight, "klWeight": recipe.kl_weight}
    asked = {"error": recipe.error, "kl": recipe.kl} | {name: each for name, each in weights.items() if each != 1}
    assert node(LEVEL, recipe=asked, sizes=[D, K, 64]) == pytest.approx(level)
    assert implied_objective(recipe, D, K, 64).level == pytest.approx(level)


NO_NUMBERS = {0: "0", -1: "-1", math.nan: "NaN", math.inf: "Infinity", "1": "1", None: "null"}
NO_COUNTS = {**NO_NUMBERS, 1.5: "1.5"}


def test_bad_input_is_named(node: Node) -> None:
    """What it was, what it must be, and what came."""
    good = {
        "eigenvalues": [2, 1],
        "level": 0.5,
        "nLatents": 2,
        "noiseVar": 0.5,
        "beta": 1,
        "D": 64,
        "K": 8,
        "batch": 64,
    }
    good |= {"error": "mean", "kl": "mean", "errorWeight": 1, "klWeight": 1}
    pays = "given => m.klPerLatent(given.eigenvalues, given.level, given.nLatents)"
    misses = "given => m.errorPerDirection(given.eigenvalues, given.level, given.nLatents)"
    drowns = "given => m.thresholds(given.eigenvalues, given.noiseVar)"
    best = "given => m.optimalElbo(given.eigenvalues, given.noiseVar, given.nLatents, given.beta)"
    elbo = "given => m.gaussianElbo(1, 1, given.noiseVar, given.beta, given.D)"
    implied = "given => m.impliedLevel(given, given.D, given.K, given.batch)"
    numbers = [(pays, "level", "level"), (misses, "level", "level"), (drowns, "noiseVar", "noiseVar")]
    numbers += [(best, name, name) for name in ("noiseVar", "beta")] + [(elbo, "noiseVar", "noiseVar")]
    numbers += [(implied, "errorWeight", "error weight"), (implied, "klWeight", "KL weight")]
    cases = [(code, name, f"{named} must be a number above 0", NO_NUMBERS) for code, name, named in numbers]
    counts = [(implied, name, name) for name in ("D", "K", "batch")] + [
        (code, "nLatents", "K") for code in (pays, misses, best)
    ]
    cases += [(code, name, f"{named} must be a whole number from 1", NO_COUNTS) for code, name, named in counts]
    cases += [(implied, name, "a reduction is mean, sum or sum_mean", {"max": "max"}) for name in ("error", "kl")]
    for code, name, said, bad in cases:
        node(code, **good)
        for value, text in bad.items():
            if value is None and name.endswith("Weight"):
                continue  # left out: 1
            with pytest.raises(JavaScriptError) as caught:
                node(code, **{**good, name: value})
            assert str(caught.value) == f"RangeError: {said}, got {text}"
    for code in (pays, misses, best):
        with pytest.raises(JavaScriptError, match="RangeError: K must be at most D = 2, got 3"):
            node(code, **{**good, "nLatents": 3})


# The lab ----------------------------------------------------------------------------------------

# The module's names and the package's: the same numbers in the same order.
PARAMETERS = {
    "A": "head_mu.weight",
    "a": "head_mu.bias",
    "logSigma": "log_sigma",
    "W": "decoder.weight",
    "b": "decoder.bias",
}
N_STEPS = 200


def objective_at(step: int) -> tuple[float, float]:
    """β and σ_x², which change on the way as if they were dragged."""
    return 0.5 * 1.01 ** (step % 90), 0.5 if step < 100 else 0.05 + 0.01 * (step % 7)


class Replayed(LinearVAE):
    """A linear VAE with the noise that it is handed in the place of its own."""

    eps: Tensor

    def forward(self, x: Tensor, eps: Tensor | None = None, generator: Any = None) -> Output:
        return super().forward(x, self.eps)


def load(model: LinearVAE, parameters: dict[str, list[float]]) -> None:
    """The module's parameters, into the package's model."""
    state = model.state_dict()
    named = {theirs: torch.tensor(parameters[ours], dtype=torch.float64) for ours, theirs in PARAMETERS.items()}
    model.load_state_dict({name: values.reshape(state[name].shape) for name, values in named.items()})


def test_the_lab_trains_as_the_package_does_step_by_step(node: Node) -> None:
    """The same first weights, images and noise: torch's gradients and torch's Adam lead to the same weights."""
    run = """({x, objectives}) => {
        const lab = new m.Lab(Float64Array.from(x), 64, 8, {seed: 3}), stepOn = lab.stepOn, steps = [];
        const copy = () => structuredClone(Object.fromEntries(Object.entries(lab.parameters).map(([k, v]) => [k, Array.from(v)])));
        const first = copy();
        lab.stepOn = function (batch, eps, beta, noiseVar) {
            steps.push({batch: Array.from(batch), eps: Array.from(eps.subarray(0, 8 * batch.length))});
            stepOn.call(lab, batch, eps, beta, noiseVar);
            steps.at(-1).parameters = copy();
        };
        for (const [beta, noiseVar] of objectives) lab.step(beta, noiseVar);
        return {first, steps, nSteps: lab.nSteps};
    }"""
    objectives = [list(objective_at(step)) for step in range(N_STEPS)]
    answer = node(run, x=X.flatten().tolist(), objectives=objectives)
    model = Replayed().double()
    load(model, answer["first"])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    generator, largest, seen = torch.Generator(), 0.0, []
    for (beta, noise_var), step in zip(objectives, answer["steps"], strict=True):
        batch = [int(row) for row in step["batch"]]
        seen.append(batch)
        model.eps = torch.tensor(step["eps"], dtype=torch.float64).reshape(len(batch), K)
        gradient_step(model, X[batch], negative_elbo(noise_var, beta), optimizer, generator)
        state = model.state_dict()
        for ours, theirs in PARAMETERS.items():
            largest = max(largest, off(step["parameters"][ours], state[theirs].flatten()))
            assert largest < 1e-9, (len(seen), ours)
    print(f"largest difference in {N_STEPS} steps: {largest:.1e}")
    assert answer["nSteps"] == N_STEPS
    # Epoch by epoch every image once, in minibatches of 64 and a last one of 5, as `shuffled` gives them.
    epochs = [list(itertools.chain(*seen[first : first + 29])) for first in range(0, 6 * 29, 29)]
    assert all(sorted(epoch) == list(range(len(X))) for epoch in epochs) and epochs[0] != epochs[1]


def test_the_lab_begins_as_a_linear_layer_of_pytorch_does(node: Node) -> None:
    """Uniform within ±1/√(number of inputs), and σ = 1: mean and variance by their standard errors over 40 seeds."""
    run = "({x, seeds}) => seeds.map(seed => new m.Lab(Float64Array.from(x), 64, 8, {seed}).parameters)"
    found = node(run, x=X[:2].flatten().tolist(), seeds=list(range(40)))
    for name, n_in in {"A": 64, "a": 64, "W": 8, "b": 8}.items():
        values = np.array([parameters[name] for parameters in found]).flatten() * math.sqrt(n_in)
        assert np.abs(values).max() <= 1 < 1.05 * np.abs(values).max()
        assert abs(values.mean()) < 5 * math.sqrt(1 / 3 / values.size)
        assert abs((values**2).mean() - 1 / 3) < 5 * math.sqrt(4 / 45 / values.size)
    assert not np.array([parameters["logSigma"] for parameters in found]).any()
    assert found[0]["A"] != found[1]["A"]


@pytest.mark.parametrize("n_steps", [0, 1, 300])
def test_what_the_lab_says_is_the_average_over_all_digits_and_all_noise(node: Node, n_steps: int) -> None:
    """`linear_elbo` has the expectation over the noise carried out, digit by digit; the module has it from moments."""
    run = """({x, nSteps}) => {
        const lab = new m.Lab(Float64Array.from(x), 64, 8);
        for (let i = 0; i < nSteps; i += 1) lab.step(0.5, 0.2);
        return {state: lab.state(), parameters: lab.parameters};
    }"""
    answer = node(run, x=X.flatten().tolist(), nSteps=n_steps)
    model, noise_var = LinearVAE().double().requires_grad_(False), 0.2
    load(model, answer["parameters"])
    terms = linear_elbo(model, X, noise_var)
    assert off(answer["state"]["kl"], terms.kl.mean(0)) < 1e-10
    error = -2 * noise_var * terms.log_likelihood - noise_var * D * math.log(2 * math.pi * noise_var)
    assert answer["state"]["error"] == pytest.approx(error.mean().item(), rel=1e-10)


def test_the_lab_reaches_the_optimum(node: Node) -> None:
    """After 3000 steps with a rate that falls to 0, the ELBO is that of `spectrum`, and so is every KL."""
    run = """({x, beta, noiseVar}) => {
        const lab = new m.Lab(Float64Array.from(x), 64, 8);
        for (let i = 0; i < 3000; i += 1) { lab.adam.lr = 1e-2 * (1 - i / 3000); lab.step(beta, noiseVar); }
        const {kl, error} = lab.state();
        return {kl: kl.sort((one, other) => other - one), elbo: m.gaussianElbo(error, m.sum(kl), noiseVar, beta, 64)};
    }"""
    beta, noise_var = 0.5, 0.5
    answer, eigenvalues = (
        node(run, x=X.flatten().tolist(), beta=beta, noiseVar=noise_var),
        spectrum.data_spectrum(X).eigenvalues,
    )
    best = spectrum.optimal_elbo(eigenvalues, noise_var, K, beta)
    assert best - 0.01 < answer["elbo"] < best
    assert answer["kl"] == pytest.approx(spectrum.kl_per_latent(eigenvalues, beta * noise_var, K), abs=0.05)


def test_a_training_that_diverges_says_so(node: Node) -> None:
    run = """({x}) => {
        const lab = new m.Lab(Float64Array.from(x), 64, 8, {lr: 1e200});
        for (let i = 0; i < 5; i += 1) lab.step(0.5, 0.5);
    }"""
    with pytest.raises(JavaScriptError, match=r"RangeError: the training diverged at step [1-5]$"):
        node(run, x=X[:100].flatten().tolist())


def test_random_numbers_are_uniform_and_normal(node: Node) -> None:
    """A million of each, by standard errors.

    A sound generator would fail with one seed in 10 000: about 90 comparisons at 5 standard errors.
    """
    n = 1_000_000
    run = """({n}) => {
        const random = new m.Random(5);
        return [Array.from({length: n}, () => random.uniform()), Array.from({length: n}, () => random.normal())];
    }"""
    uniform, normal = map(np.array, node(run, n=n))
    assert 0 < uniform.min() < 1e-5 and 1 - 1e-5 < uniform.max() < 1
    counts, _ = np.histogram(uniform, 64, (0, 1))
    assert np.abs(counts - n / 64).max() < 5 * math.sqrt(n / 64)
    for lag in (1, 2, 3, 64):  # each and a later one know nothing of each other
        assert abs(np.corrcoef(uniform[:-lag], uniform[lag:])[0, 1]) < 5 / math.sqrt(n)
        assert abs(np.corrcoef(normal[:-lag], normal[lag:])[0, 1]) < 5 / math.sqrt(n)
    for moment, value, variance in [(1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)]:
        assert abs((normal**moment).mean() - value) < 5 * math.sqrt(variance / n), moment
    for z in (-3, -2, -1, 0, 1, 2, 3):
        share = 0.5 * math.erfc(-z / math.sqrt(2))
        assert abs((normal < z).mean() - share) < 5 * math.sqrt(share * (1 - share) / n), z


def test_the_ends_of_the_uniform_numbers_are_left_out(node: Node) -> None:
    """Whatever 32 bits come: the logarithm of 0 would be no number. They are a sum of the state."""
    run = """({bits}) => bits.map(each => { const random = new m.Random(0); random.state.set([each, 0, 0, 0]); return random.uniform(); })"""
    assert node(run, bits=[0, 2**32 - 1]) == [0.5 / 2**32, 1 - 0.5 / 2**32]


def test_an_order_is_any_permutation(node: Node) -> None:
    """Of 4 there are 24, each as often as any other; of 1797 none is left out. 5 standard errors: one seed in 100 000."""
    run = """({n}) => {
        const random = new m.Random(1);
        return {small: Array.from({length: n}, () => random.order(4).join("")), large: random.order(1797), one: random.order(1)};
    }"""
    answer, n = None, 24_000
    answer = node(run, n=n)
    found, counts = np.unique(answer["small"], return_counts=True)
    assert found.tolist() == ["".join(order) for order in itertools.permutations("0123")]
    assert np.abs(counts - n / 24).max() < 5 * math.sqrt(n / 24)
    assert sorted(answer["large"]) == list(range(1797)) and answer["one"] == [0]


def test_seeds_differ_and_repeat(node: Node) -> None:
    run = "({seeds}) => seeds.map(seed => { const random = new m.Random(seed); return Array.from({length: 5}, () => random.uniform()); })"
    draws = node(run, seeds=[0, 1, 2, 0])
    assert draws[0] == draws[3] and len({value for draw in draws[:3] for value in draw}) == 15


# The record -------------------------------------------------------------------------------------


def test_the_record_is_of_these_digits_and_these_weights() -> None:
    assert NUMBERS["eigenvalues"] == pytest.approx(spectrum.data_spectrum(X).eigenvalues, rel=1e-8, abs=1e-12)
    assert [[value / 16 for value in image] for image in NUMBERS["examples"]] == X[:10].tolist()
    assert digits().labels[:10].tolist() == list(range(10)), "one of each, in order"
    assert NUMBERS["sizes"] == {"nPixels": D, "nHidden": 100, "nLatents": K}
    levels = [model["level"] for model in NUMBERS["models"]]
    assert levels == sorted(levels) and levels == pytest.approx(np.geomspace(0.01, 1, 25), rel=1e-5)


@pytest.mark.parametrize("number", range(len(HALVES)))
def test_what_a_recorded_model_pays_and_misses_is_what_its_weights_do(number: int) -> None:
    """KL from the closed form; the error is a mean over one draw of the noise, here over ten others: 6 standard errors."""
    model, row = trained(number), NUMBERS["models"][number]
    mu, log_sigma = model.encode(X)
    assert row["kl"] == pytest.approx(gaussian.kl_to_standard(mu, log_sigma).mean(0).tolist(), abs=6e-6)
    assert row["kl"] == sorted(row["kl"], reverse=True)
    generator = torch.Generator().manual_seed(1)
    errors = torch.stack([(model(X, generator=generator).x_hat - X).square().sum(-1).mean() for _ in range(10)])
    assert row["error"] == pytest.approx(errors.mean().item(), abs=6 * errors.std().item() * math.sqrt(1.1) + 1e-5)


def test_the_record_says_how_it_was_made_and_is_small() -> None:
    assert {"command", "commit", "machine", "torch", "seconds", "epochs", "seed", "noiseVar"} <= set(NUMBERS) | set(
        NUMBERS.get("settings", ())
    )
    assert "benchmarks/living.py" in NUMBERS["command"] and NUMBERS["seconds"] > 0
    assert (FOLDER / "living.bin").stat().st_size + (FOLDER / "living.json").stat().st_size <= 1.5e6


@pytest.fixture(name="models", scope="module")
def models_fixture() -> Sweep:
    """Two small models, the one of the higher level first."""
    return sweep(X[:200].float(), [1.0, 0.02], n_hidden=6, n_latents=3, epochs=1, progress=False)


def test_what_is_packed_is_the_model_with_rounded_weights_and_sorted_latents(node: Node, models: Sweep) -> None:
    """Lowest level first, largest KL first, and the same images as the model's own code gives."""
    numbers, weights = packed(models, X[:200].float(), 0.5)
    assert [model["level"] for model in numbers["models"]] == pytest.approx([0.01, 0.5])
    halves = np.frombuffer(weights, dtype="<u2").reshape(2, -1)
    run = "({halves, sizes, x}) => { const n = new m.Network(Uint16Array.from(halves), sizes); return x.map(each => {"
    run += " const code = n.encode(each); return {...code, back: Array.from(n.decode(code.mu))}; }); }"
    for row, at, index in zip(numbers["models"], halves, (1, 0)):
        answer = node(run, halves=at.tolist(), sizes=numbers["sizes"], x=X[:200].tolist())
        assert row["kl"] == sorted(row["kl"], reverse=True)
        assert row["kl"] == pytest.approx(np.mean([code["kl"] for code in answer], axis=0), abs=6e-6)
        model = models.model(index).double().requires_grad_(False)
        mu, _ = model.encode(X[:200])
        assert off([code["back"] for code in answer], model.decode(mu)) < 0.01, "as exact as 16-bit floats are"


def test_packing_refuses_what_the_page_cannot_show(models: Sweep) -> None:
    x = X[:200].float()
    huge = copy.deepcopy(models)
    huge.stack.decoder.linear2.bias.data[1, 2] = 70_000
    bad = [
        (lambda: packed(models.stack, x, 0.5), TypeError, "models must be of type Sweep, got VAE"),
        (
            lambda: packed(models._replace(stack=LinearVAE()), x, 0.5),
            TypeError,
            "models.stack must be of type VAE, got LinearVAE",
        ),
        (
            lambda: packed(models, x[:, :63], 0.5),
            ValueError,
            r"x must be images of 64 pixels in sixteenths.*\(200, 63\)",
        ),
        (lambda: packed(models, x + 0.01, 0.5), ValueError, "x must be images of 64 pixels in sixteenths"),
        (lambda: packed(models, -x, 0.5), ValueError, "x must be images of 64 pixels in sixteenths"),
        (lambda: packed(models, 2 * x, 0.5), ValueError, "x must be images of 64 pixels in sixteenths"),
        (lambda: packed(models, x * math.nan, 0.5), ValueError, "x must be finite"),
        (lambda: packed(models, x.tolist(), 0.5), TypeError, "x must be a torch.Tensor, got list"),
        (lambda: packed(models, x, 0.0), ValueError, "noise_var must be positive, got 0"),
        (lambda: packed(huge, x, 0.5), ValueError, "models must have weights of at most 65504, got 70000"),
        (
            lambda: unpacked(reference_vae(), HALVES[0][:-1]),
            ValueError,
            "halves must hold 25580 numbers for this model, got 25579",
        ),
    ]
    for act, kind, said in bad:
        with pytest.raises(kind, match=said):
            act()


# Drawing ----------------------------------------------------------------------------------------

DRAWN = "({strokes}) => m.digitOf(strokes)"
Stroke = list[tuple[float, float]]


def drawn(node: Node, strokes: list[Stroke], scale: float = 1, right: float = 0, down: float = 0) -> np.ndarray:
    """What the model sees of strokes that are drawn at some place in some size, (64,)."""
    placed = [[{"x": scale * x + right, "y": scale * y + down} for x, y in stroke] for stroke in strokes]
    return np.array(node(DRAWN, strokes=placed))


def arc(x: float, y: float, width: float, height: float, begin: float = 0, end: float = 360) -> Stroke:
    angles = np.radians(np.linspace(begin, end, 40))
    return [(x + width * math.cos(angle), y + height * math.sin(angle)) for angle in angles]


# Written as people write them, in a box from 0 to 1.
WRITTEN: dict[int, list[Stroke]] = {
    0: [arc(0.5, 0.5, 0.3, 0.5)],
    1: [[(0.35, 0.25), (0.55, 0.0), (0.55, 1.0)]],
    2: [[*arc(0.5, 0.28, 0.3, 0.28, 180, 400), (0.15, 1.0), (0.85, 1.0)]],
    3: [[*arc(0.45, 0.25, 0.3, 0.25, -160, 90), *arc(0.45, 0.75, 0.35, 0.25, -90, 160)]],
    4: [[(0.55, 0.0), (0.15, 0.65), (0.85, 0.65)], [(0.6, 0.35), (0.6, 1.0)]],
    5: [[(0.8, 0.0), (0.25, 0.0), (0.2, 0.45), *arc(0.45, 0.7, 0.35, 0.3, -120, 140)]],
    6: [[(0.6, 0.0), (0.25, 0.6), *arc(0.5, 0.73, 0.27, 0.27, 180, 540)]],
    7: [[(0.15, 0.0), (0.85, 0.0), (0.4, 1.0)], [(0.3, 0.5), (0.8, 0.5)]],
    8: [arc(0.5, 0.25, 0.25, 0.25), arc(0.5, 0.75, 0.3, 0.25)],
    9: [[*arc(0.5, 0.27, 0.27, 0.27, 0, 360), (0.77, 0.3), (0.6, 1.0)]],
}


def test_an_empty_page_is_blank_and_a_dot_stays_small(node: Node) -> None:
    assert not drawn(node, []).any() and not drawn(node, [[]]).any()
    for place in (0.0, 0.3, 1.0):
        dot = drawn(node, [[(place, 1 - place)]]).reshape(8, 8)
        assert 0 < dot.sum() < 1.5 and not dot[[0, 1, 2, 5, 6, 7]].any() and not dot[:, [0, 1, 2, 5, 6, 7]].any()


@given(st.sampled_from(list(WRITTEN.values())), st.floats(0.2, 1), st.floats(0, 1), st.floats(0, 1))
def test_where_and_how_large_one_draws_does_not_matter(
    node: Node, strokes: list[Stroke], scale: float, right: float, down: float
) -> None:
    """But for cells whose middle lies on the very edge of the pen, which rounding decides: one cell in a hundred."""
    moved = drawn(node, strokes, scale, right * (1 - scale), down * (1 - scale))
    cells = 16 * np.abs(moved - drawn(node, strokes))
    assert cells.max() <= 1 and cells.sum() <= 10


POINTS = st.tuples(st.floats(0, 1), st.floats(0, 1))


@given(st.lists(st.lists(POINTS, max_size=6), max_size=4))
def test_any_strokes_make_an_image_in_sixteenths(node: Node, strokes: list[Stroke]) -> None:
    """Blocks of 4 × 4 cells, counted as in the data; centred: as far from one edge of the page as from the other."""
    image = drawn(node, strokes)
    assert image.shape == (64,) and (16 * image == np.round(16 * image)).all() and image.min() >= 0 and image.max() <= 1
    assert image.any() == any(strokes)


@pytest.mark.parametrize("digit", WRITTEN)
def test_a_drawn_digit_fills_the_page_in_the_middle(node: Node, digit: int) -> None:
    image = drawn(node, WRITTEN[digit], 0.4, 0.1, 0.5)
    rows, columns = image.reshape(8, 8).sum(1), image.reshape(8, 8).sum(0)
    assert rows.min() > 0, "from the top to the bottom, as the data's digits"
    assert abs(np.flatnonzero(columns).mean() - 3.5) <= 0.5, "in the middle"
    assert X.mean(1).min() <= image.mean() <= X.mean(1).max()


def test_drawn_digits_are_like_those_of_the_data(node: Node) -> None:
    """On average as much ink, and the nearest of 1797 digits is the same one; a pen of 1.9 cells has 18 % less."""
    images = torch.from_numpy(np.stack([drawn(node, strokes) for strokes in WRITTEN.values()]))
    assert images.mean().item() == pytest.approx(X.mean().item(), rel=0.05)
    assert digits().labels[torch.cdist(images, X).argmin(1)].tolist() == list(WRITTEN)


@pytest.mark.parametrize("name", ["00_start_here", "07_kl_vanishing"])
def test_what_a_notebook_has_stored_is_the_module_as_it_is(name: str) -> None:
    """A page that was opened and not run shows the stored one."""
    stored = json.loads((ROOT / f"notebooks/{name}.ipynb").read_text(encoding="utf-8"))["metadata"]["widgets"]
    models = stored["application/vnd.jupyter.widget-state+json"]["state"].values()
    [page] = [model["state"] for model in models if model["model_name"] == "AnyModel"]
    assert (page["_esm"], page["_css"]) == (module(), style()), "store the notebook anew"


def test_where_there_are_no_widgets_a_picture_stands(models: Sweep) -> None:
    numbers, weights = packed(models, X[:200].float(), 0.5)
    bundle = LivingPage(numbers, weights, b"")._repr_mimebundle_()
    assert bundle["text/plain"].startswith("A page to play with")
    assert bundle["image/png"].startswith("iVBORw0KGgo"), "no PNG"


def test_only_models_that_the_words_fit_are_shown(models: Sweep) -> None:
    with pytest.raises(ValueError, match="models must have 8 latents, got 3"):
        show_living(models, X[:200].float(), 0.5)
