"""Every exercise: its solution is right, its stub is not answered, and every known mistake gets its own hint.

`tests/answers` holds further answers, right ones written in an unusual way and wrong ones, lesson by lesson;
`tools/judge_answers.py` judges all of them many times.
"""

import importlib
import json
import re
import subprocess
import sys
import textwrap
from dataclasses import replace
from fractions import Fraction
from functools import cache

import nbformat
import numpy as np
import pytest
import torch
from test_notebooks import store_notebooks

from vae_lessons import exercises
from vae_lessons.exercises import calling, check, find, hint, judging, progress, wording
from vae_lessons.exercises.comparing import close, first_difference
from vae_lessons.exercises.judging import Status, judge
from vae_lessons.exercises.source import Case, Exercise, Mistake, run

ALL = [(lesson, exercise) for lesson in map(exercises.lesson, exercises.NUMBERS) for exercise in lesson.exercises]
MISTAKES = [(lesson, exercise, mistake) for lesson, exercise in ALL for mistake in exercise.mistakes]
ANSWERS = [importlib.import_module(f"tests.answers.lesson{number}") for number in exercises.NUMBERS]
every_exercise = pytest.mark.parametrize(("lesson", "exercise"), ALL, ids=[exercise.name for _, exercise in ALL])


def beside_the_source(kind: str) -> list:
    """The answers in `tests/answers`, "RIGHT" or "WRONG", each a parameter (name, code) of a test."""
    pairs = [(name, code) for module in ANSWERS for name, codes in getattr(module, kind).items() for code in codes]
    return [pytest.param(*pair, id=f"{pair[0]}-{number}") for number, pair in enumerate(pairs)]


def written(code: str, name: str = "kl-log-var") -> judging.Verdict:
    """What an answer to an exercise gets."""
    lesson, exercise = find(name)
    return judge(lesson, exercise, run(lesson, exercise, textwrap.dedent(code)))


# What every exercise has to keep to ------------------------------------------------------------


@every_exercise
@pytest.mark.parametrize("seed", [0, 1, None])
def test_the_solution_is_right(lesson, exercise, seed):
    assert judge(lesson, exercise, run(lesson, exercise, exercise.solution), seed) == (Status.RIGHT, "")


@every_exercise
def test_the_stub_is_not_answered(lesson, exercise):
    assert judge(lesson, exercise, run(lesson, exercise, exercise.stub)).status is Status.NOT_ANSWERED


@cache
def without_luck(exercise: Exercise) -> Exercise:
    """The same with those calls alone that are the same in every check: what they decide is never luck."""
    if exercise.cases is None:
        return exercise
    one, two = (exercise.cases(torch.Generator().manual_seed(seed)) for seed in (0, 1))
    fixed = [case for case, other in zip(one, two) if all(map(same_argument, case.args, other.args))]
    return replace(exercise, cases=lambda generator: fixed)


@pytest.mark.parametrize(("lesson", "exercise", "mistake"), MISTAKES)
def test_every_known_mistake_gets_its_own_hint(lesson, exercise, mistake):
    answer = run(lesson, exercise, mistake.code)
    for one in (exercise, without_luck(exercise)):
        status, message = judge(lesson, one, answer)
        assert status is Status.WRONG and message.startswith(mistake.hint)


@pytest.mark.parametrize(("name", "code"), beside_the_source("RIGHT"))
def test_an_unusual_answer_is_right(name, code):
    assert written(code, name) == (Status.RIGHT, "")


@pytest.mark.filterwarnings("ignore")  # as in `check`
@pytest.mark.parametrize(("name", "code"), beside_the_source("WRONG"))
def test_a_wrong_answer_is_wrong_whatever_the_luck(name, code):
    lesson, exercise = find(name)
    answer = run(lesson, exercise, textwrap.dedent(code))
    verdict = judge(lesson, without_luck(exercise), answer)
    assert verdict.status is Status.WRONG
    assert judge(lesson, exercise, answer) == verdict


def test_every_function_has_five_unusual_right_answers():
    right = {name: codes for module in ANSWERS for name, codes in module.RIGHT.items()}
    assert {exercise.name for _, exercise in ALL if exercise.cases and len(right.get(exercise.name, ())) < 5} == set()


FUNCTIONS = [(lesson, exercise) for lesson, exercise in ALL if exercise.cases]
every_function = pytest.mark.parametrize(("lesson", "exercise"), FUNCTIONS, ids=[e.name for _, e in FUNCTIONS])


@every_function
def test_a_call_that_is_shown_can_be_pasted(lesson, exercise):
    """The lines make the very arguments of the call, with what the notebook has imported; the first is short."""
    cases = exercise.cases(torch.Generator().manual_seed(0))
    shown = {case.label: wording.call("list_of", case) for case in cases}
    assert len(shown) == len(cases)
    assert shown[cases[0].label] and max(map(len, shown[cases[0].label].splitlines())) < 200
    assert sum(lines is None for lines in shown.values()) <= 3
    for case in cases:
        if shown[case.label]:
            assert all(map(same_argument, pasted(lesson, shown[case.label]), case.args))


def pasted(lesson, lines: str) -> tuple:
    """What a function gets when these lines stand in a cell of the notebook."""
    namespace: dict = {"np": np, "list_of": lambda *args: args}
    exec(lesson.setup, namespace)
    *before, call = lines.splitlines()
    exec("\n".join(["import torch", *before]), namespace)
    return eval(call, namespace)


def same_argument(one, two) -> bool:
    if isinstance(two, torch.Generator):
        return torch.equal(one.get_state(), two.get_state())
    if isinstance(two, torch.nn.Module):
        return all(map(torch.equal, one.parameters(), two.parameters()))
    if callable(two):
        return torch.equal(one(torch.ones(2, 2)), two(torch.ones(2, 2))) if "@" not in two.code else True
    if isinstance(two, torch.Tensor):
        return torch.equal(one, two) and (one.dtype, one.requires_grad) == (two.dtype, two.requires_grad)
    return np.array_equal(one, two)


@every_function
def test_a_check_has_fresh_calls_and_some_that_are_always_the_same(lesson, exercise):
    calls = exercise.cases(torch.Generator())
    assert 3 <= len(without_luck(exercise).cases(torch.Generator())) < len(calls)


@every_exercise
def test_an_exercise_is_complete(lesson, exercise):
    assert 1 <= len(exercise.hints) <= 3
    assert len(exercise.mistakes) >= (3 if exercise.cases else 2)
    assert len({mistake.hint for mistake in exercise.mistakes}) == len(exercise.mistakes)
    assert exercise.task and exercise.why and exercise.points >= 1
    assert not any(line != line.rstrip() or len(line) > 100 for line in exercise.stub.splitlines())


def test_names_are_unique_and_every_lesson_has_three():
    names = [exercise.name for _, exercise in ALL]
    assert len(set(names)) == len(names)
    assert all(len(exercises.lesson(number).exercises) >= 3 for number in exercises.NUMBERS)


# The checker -----------------------------------------------------------------------------------


def test_another_way_of_writing_it_is_right():
    verdict = written("""
        def kl_from_log_var(m, v):
            q = torch.distributions.Normal(m, (v / 2).exp())
            return torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0))
    """)
    assert verdict.status is Status.RIGHT


def test_two_calls_that_differ_are_told_apart_from_a_wrong_formula():
    """`randn_like` in place of the noise that was handed in."""
    verdict = written("def kl_from_log_var(mu, log_var):\n    return torch.randn_like(mu)")
    assert verdict.message.startswith("Two calls with the same arguments gave different results")


@pytest.mark.parametrize(
    ("name", "body", "reason"),
    [
        ("kl-log-var", "return torch.randn_like(mu)", "this function should draw nothing at random"),
        (
            "sample-log-var",
            "return mu + (log_var / 2).exp() * torch.randn_like(mu)",
            "use the noise (or the generator)",
        ),
        ("numpy-noise", "return mu + sigma * torch.randn_like(mu).clamp(-3, 3)", "use the noise (or the generator)"),
        ("vae-split-bug", "x = x[torch.randperm(len(x))]; return x[n_test:], x[:n_test]", "use the noise (or"),
    ],
)
def test_noise_of_its_own_is_told_by_what_is_handed_in(name, body, reason):
    exercise = find(name)[1]
    head = exercise.stub.splitlines()[0]
    assert reason in written(f"{head}\n    {body}", name).message


@pytest.mark.parametrize(
    "value",
    ["{}", "set()", "1j", "torch.complex(mu, mu)", "torch.distributions.Normal(mu, 1.0)", "(m for m in mu)", "'0.5'"],
)
def test_what_cannot_be_compared_is_not_called_random(value):
    message = written(f"def kl_from_log_var(mu, log_var):\n    return {value}").message
    assert "where" in message and "is wanted" in message and "Two calls" not in message


def test_code_that_behaves_as_before_is_told_so():
    lesson, exercise = find("kl-mean-bug")
    same = exercise.stub.replace("-0.5 * torch.mean(", "-torch.mean(0.5 * (") + ")"
    assert judge(lesson, exercise, run(lesson, exercise, same)).message == "It still does what it did before."


def test_the_traceback_is_that_of_the_call_spoken_of():
    """The first call returns nothing; a later one raises, which is another matter."""
    verdict = written("""
        def kl_from_log_var(mu, log_var):
            if mu.dtype == torch.float64:
                raise OverflowError
    """)
    assert "it returned nothing" in verdict.message and "OverflowError" not in verdict.message


BAD_FUNCTIONS = {
    "return": ("    0.5 * (mu**2 + log_var.exp() - log_var - 1)", "it returned nothing: is there a `return`?"),
    "exception": ("    return mu @ log_var[:, :2]", "it raised IndexError"),
    "exit": ("    raise SystemExit", "it raised SystemExit"),
    "name": ("    return 0.5 * (mu**2 + sigma)", "Where it happened:"),
    "in place": (
        "    return mu.detach().pow_(2).add_(log_var.expm1() - log_var).mul_(0.5)",
        "it changed its input in place",
    ),
    "shape": (
        "    return (mu + log_var).sum(0)",
        "returned a tensor with one number where a tensor of shape (1,) is wanted",
    ),
    "dtype": ("    return mu.double()", "it returned torch.float64 where torch.float32 is wanted"),
    "numpy": ("    return mu.detach().numpy()", "it returned a NumPy array where a tensor of shape (1,) is wanted"),
    "value": (
        "    return mu * 0 + 7",
        "it returned [7] where [0.574361] is right. This is the call:\n    kl_from_log_var(torch",
    ),
    "gradient": (
        "    return 0.5 * (mu**2 + log_var.detach().expm1() - log_var)",
        "the values are right, but the gradients are not",
    ),
}


@pytest.mark.parametrize(("body", "message"), BAD_FUNCTIONS.values(), ids=BAD_FUNCTIONS)
def test_a_bad_function_is_told_what_is_wrong(body, message):
    verdict = written(f"def kl_from_log_var(mu, log_var):\n{body}")
    assert verdict.status is Status.WRONG and message in verdict.message


def test_the_traceback_shows_the_learners_line_and_not_the_checker():
    message = written("def kl_from_log_var(mu, log_var):\n    return mu + nothing").message
    assert "NameError: name 'nothing' is not defined" in message and "<kl-log-var>" in message
    assert "judging.py" not in message and "calling.py" not in message


def test_a_mistake_that_draws_at_random_is_recognised():
    """Noise from nowhere: the global generators are the same for the learner and the known mistake."""
    lesson, exercise = find("numpy-noise")
    before = torch.get_rng_state()
    drawn = "def draw_z(mu, log_sigma, generator):\n    return mu + log_sigma.exp() * torch.randn_like(mu)"
    known = Mistake(drawn.replace("draw_z", exercise.answer), "from nowhere")
    status, message = judge(lesson, replace(exercise, mistakes=(known,)), run(lesson, exercise, known.code))
    assert status is Status.WRONG and message == "from nowhere"
    assert "Two calls" not in message
    assert torch.equal(torch.get_rng_state(), before)


def test_an_endless_loop_is_stopped(monkeypatch):
    """And is not called again: whoever waits waits once."""
    monkeypatch.setattr(calling, "TIME_LIMIT", 0.2)
    lesson, exercise = find("kl-log-var")
    code = "calls = []\ndef kl_from_log_var(mu, log_var):\n    calls.append(1)\n    while True:\n        pass"
    answer = run(lesson, exercise, code)
    verdict = judge(lesson, exercise, answer)
    assert verdict.status is Status.WRONG and "is there a loop that never ends?" in verdict.message
    assert len(answer.__globals__["calls"]) == 1


def test_the_learners_own_interrupt_passes():
    with pytest.raises(KeyboardInterrupt):
        written("def kl_from_log_var(mu, log_var):\n    raise KeyboardInterrupt")


@pytest.mark.parametrize(
    "code", ["kl_from_log_var = ...", "def kl_from_log_var(mu, log_var):\n    kl = ...\n    return kl"]
)
def test_dots_are_no_answer(code):
    assert written(code).status is Status.NOT_ANSWERED


def test_a_number_in_place_of_a_function():
    assert written("kl_from_log_var = 3").message == "`kl_from_log_var` should be a function, and is a number."


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (1.9, "Not this number: 1.9 is too large."),
        (1.1, "too small"),
        (-1.61, "Right but for the sign"),
        (Fraction(3, 1), "3 is too large"),
        ("1.6083", "The answer should be a number, and is a word in quotes."),
        (None, "and is None"),
        (len, "should be a number, and is a function"),
        (float("nan"), "Not this number"),
        ([1.6, 2], "and is a list"),
    ],
)
def test_a_wrong_number_is_told_what_is_wrong(answer, message):
    status, told = judge(*find("kl-twin"), answer)
    assert status is Status.WRONG and message in told


@pytest.mark.parametrize(
    "answer", [1.61, 1.6, np.float32(1.61), torch.tensor(1.61), torch.tensor(1.61).requires_grad_()]
)
def test_a_right_number_may_be_of_any_kind(answer):
    assert judge(*find("kl-twin"), answer).status is Status.RIGHT


@pytest.mark.parametrize("answer", ["b", "B", " b "])
def test_a_letter_in_any_case(answer):
    assert judge(*find("kl-mix-up"), answer).status is Status.RIGHT


def test_a_hint_for_a_number_has_to_fit_well():
    """136.5 is a known mistake, and 135 is within the tolerance of 2 % of it."""
    assert "mean square" in judge(*find("score-draws"), 136.5).message
    assert judge(*find("score-draws"), 135).message == "Not this number: 135 is too large."


# Its words -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "wanted", "message"),
    [
        (0.3082651, 0.3082659, None),
        (0.30826510, 0.30836510, "it returned 0.308265 where 0.308365 is right."),
        (torch.tensor(1.00000123).double(), torch.tensor(1.0).double(), "it returned 1.00000119 where 1 is right."),
        (torch.tensor([1.0, torch.nan]), torch.tensor([1.0, 2.0]), "it returned [1, nan] where [1, 2] is right."),
        (torch.zeros(4, 5), torch.eye(4, 5) / 4, "entry [0, 0] of what it returned is 0 where 0.25 is right."),
        ((1.0, 2.0), (1.0, 3.0), "part 2 is 2 where 3 is right."),
        (325.0, 326, "it returned 325 where 326 is right."),
    ],
)
def test_two_results_are_written_so_that_they_differ(given, wanted, message):
    assert first_difference(given, wanted) == message


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (torch.tensor([[0.1], [-2.0]]), "torch.tensor([[0.1], [-2.0]])"),
        (
            torch.tensor(0.1, dtype=torch.float64).requires_grad_(),
            "torch.tensor(0.1, dtype=torch.float64).requires_grad_()",
        ),
        (np.array([torch.inf, 0.3]), "np.array([float('inf'), 0.3])"),
        (torch.Generator().manual_seed(3), "torch.Generator().manual_seed(3)"),
        (torch.zeros(13), None),
        (0.1, "0.1"),
        (12, "12"),
    ],
)
def test_an_argument_is_written_as_code(value, code):
    assert wording.as_code(value) == code


def test_a_long_call_is_not_shown():
    assert wording.call("f", Case("much", (torch.zeros(13), 1.0))) is None


def test_whole_numbers_that_were_counted_are_exact():
    assert close(10_001, 10_001) and not close(10_000, 10_001) and close(torch.tensor(10_001.0), 10_001)


# What a learner calls --------------------------------------------------------------------------


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A file of its own for what is done."""
    monkeypatch.setenv("VAE_LESSONS_PROGRESS", str(tmp_path / "progress.json"))
    return tmp_path / "progress.json"


def test_check_says_what_it_found_and_keeps_what_is_right(kept, capsys):
    check("kl-twin", ...)
    check("kl-twin", 2.0)
    assert not kept.exists()
    check("kl-twin", 1.61)
    check("kl-mix-up", "b")
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == ["○ kl-twin: not answered yet", "✗ kl-twin: not yet"] and said[2].startswith("2 is the mirror")
    assert said[3:] == ["✓ kl-twin: right", "✓ kl-mix-up: right"]
    assert json.loads(kept.read_text()) == {"done": ["kl-mix-up", "kl-twin"]}
    assert list(kept.parent.iterdir()) == [kept]
    progress()
    assert "01  2 of 4  ✓ kl-twin, ○ kl-log-var" in capsys.readouterr().out


@pytest.mark.thorough
def test_two_notebooks_at_once_lose_nothing(kept):
    """Each keeps twenty names one after the other; without a lock, both write what the other has not seen."""
    code = (
        "import sys; from vae_lessons.exercises import _remember; [_remember(f'{sys.argv[1]}{n}') for n in range(20)]"
    )
    both = [subprocess.Popen([sys.executable, "-c", code, name]) for name in "ab"]
    assert [process.wait() for process in both] == [0, 0]
    assert len(json.loads(kept.read_text())["done"]) == 40


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"done": 3}', '{"done": [3]}'])
def test_a_file_that_cannot_be_used_is_no_obstacle(kept, capsys, content):
    if content is not None:
        kept.write_text(content)
    progress()
    assert "01  0 of 4" in capsys.readouterr().out
    check("kl-twin", 1.61)
    progress()
    assert "01  1 of 4" in capsys.readouterr().out


@pytest.mark.parametrize("folder", ["missing", "file", "file/missing"])
def test_a_disk_that_cannot_be_written_is_no_obstacle(monkeypatch, tmp_path, capsys, folder):
    (tmp_path / "file").write_text("a file where a folder should be")
    monkeypatch.setenv("VAE_LESSONS_PROGRESS", str(tmp_path / folder / "progress.json"))
    check("kl-twin", 1.61)
    assert capsys.readouterr().out == "✓ kl-twin: right\n"


def test_hints_come_one_by_one(capsys, monkeypatch):
    monkeypatch.setattr(exercises, "_given", {})
    steps = find("kl-twin")[1].hints
    for _ in range(4):
        hint("kl-twin")
    said = capsys.readouterr().out
    assert all(f"{i} of 3: {step}" in said for i, step in enumerate(steps, start=1))
    assert said.count('solution("kl-twin")') == 2


def test_the_solution_is_shown_with_its_reason(monkeypatch):
    shown = []
    monkeypatch.setattr(exercises, "display", shown.append)
    exercises.solution("kl-twin")
    assert "sp.nsolve" in shown[0].data and "no mirror image" in shown[0].data


def test_the_documentation_names_exercises_that_there_are():
    for name in re.findall(r'\w+\("([\w-]+)"', exercises.__doc__):
        assert find(name)


def test_an_unknown_name_is_named():
    with pytest.raises(ValueError, match="name must be that of an exercise, got 'kl-twins'"):
        check("kl-twins", 1)


# In the notebooks ------------------------------------------------------------------------------


@pytest.mark.parametrize("path", store_notebooks.course(), ids=lambda path: path.stem)
def test_with_every_solution_written_in_the_notebook_says_right(path, kept, capsys):
    """The stored exercises are those of the source, and need nothing from the cells above them."""
    stored = [cell for cell in nbformat.read(path, as_version=4).cells if "exercise" in cell.metadata.get("tags", ())]
    lesson = exercises.lesson(path.name[:2])
    assert [(c.id, c.source) for c in stored] == [(c.id, c.source) for c in store_notebooks.exercise_cells(lesson)]
    namespace: dict = {}
    for cell in stored:
        solved = find(cell.metadata.exercise)[1].solution if cell.metadata.role == "stub" else cell.source
        if cell.cell_type == "code":
            exec(solved, namespace)
    assert capsys.readouterr().out.splitlines() == [f"✓ {exercise.name}: right" for exercise in lesson.exercises]
