"""Would the tests notice?  ``python tools/mutants.py [GROUP] [--room NAME] [--minutes N] [--record]``

mutmut changes one operator, number or word at a time in the rooms of a group (`GROUPS`), or in one of them,
and runs those of the fast tests that are named here and reach it: a change that no test notices survives.
It works in ``mutants/GROUP``, keeps what it has found, and goes on from there; ``--minutes`` stops it in time. Survivors that are no fault are listed in ``tests/mutants.json``, each with its reason;
the score of a room is what was noticed of all the others. ``--record`` writes the scores there, too.
It needs ``pip install -e ".[mutants]"`` and a system that can fork.
"""

import argparse
import ast
import gc
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "tests/mutants.json"
COMMAND = [sys.executable, "-m", "mutmut"]
FAILED = (1, 2, 3)  # what pytest ends with where a test fails, lets an interrupt through, or breaks pytest itself
NOTICED = (
    "killed",
    "check was interrupted by user",
    "timeout",
)  # mutmut's words for these, and for one that never ends


class Group(NamedTuple):
    """Rooms that are changed together, the tests that have to notice, and those of them that take too long."""

    rooms: tuple[str, ...]
    tests: tuple[str, ...]
    without: tuple[str, ...] = ()


# Of pytest: no more than a run of one mutant needs. Its look for lost exceptions walks twice over all that is in memory,
# which is most of the time that a mutant takes.
OPTIONS = ("-p", "no:xdist", "-p", "no:cacheprovider", "-p", "no:unraisableexception")

# The one test left out everywhere walks over all functions, mutmut's own among them; those that count lines count its own.
WALKS = "test_hostile.py::test_every_public_function_is_called"
GROUPS = {
    "mathematics": Group(
        rooms=("gaussian", "montecarlo", "symbolic", "spectrum", "objective", "bounds", "recipes", "model"),
        tests=(
            *("test_gaussian.py", "test_montecarlo.py", "test_symbolic.py", "test_spectrum.py", "test_objective.py"),
            *("test_bounds.py", "test_recipes.py", "test_model.py", "test_devices.py", "test_shapes_named.py"),
            "test_hostile.py",
        ),
    ),
    "training": Group(
        rooms=("training", "stacks", "torch_state"),
        tests=("test_training.py", "test_stacks.py", "test_devices.py", "test_torch_state.py"),
        without=(
            "test_training.py::test_an_interrupt_at_any_line_of_a_step_keeps_what_was_learned",
            "test_training.py::test_what_diverged_is_told_at_the_line_that_called_fit",
        ),
    ),
    "optimum": Group(
        rooms=("optimum",),
        tests=("test_optimum.py",),
        without=(
            "test_optimum.py::test_it_arrives_at_any_scale_within_a_millionth_of_a_nat[digits-0.001-8]",
            "test_optimum.py::test_it_arrives_at_any_scale_within_a_millionth_of_a_nat[digits-0.01-63]",
            "test_optimum.py::test_it_arrives_at_any_scale_within_a_millionth_of_a_nat[breast cancer-0.5-29]",
            "test_optimum.py::test_an_interrupt_at_any_line_keeps_the_latents_that_were_trained",
            "test_optimum.py::test_the_warning_points_to_the_line_that_called",
        ),
    ),
    "inputs": Group(
        rooms=("checks", "settings"),
        tests=("test_checks.py", "test_settings.py", "test_shapes_named.py", "test_hostile.py", "test_objective.py"),
    ),
    "checker": Group(
        rooms=("exercises/judging", "exercises/calling", "exercises/comparing"),
        tests=("test_checker.py",),
    ),
}


class Survivor(NamedTuple):
    """A change that no test noticed: the room, the lines before and after."""

    room: str
    before: str
    after: str


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("group", nargs="?", choices=GROUPS, default="mathematics")
    parser.add_argument("--room", help="this one of the group alone, in a folder of its own")
    parser.add_argument("--children", type=int, default=os.cpu_count() or 1, help="processes at a time")
    parser.add_argument("--minutes", type=float, default=30, help="stop after so many, and go on at the next call")
    parser.add_argument("--again", action="store_true", help="try what survived again, after tests were written")
    parser.add_argument("--record", action="store_true", help="write the scores into tests/mutants.json")
    options = parser.parse_args()
    group, place = GROUPS[options.group], ROOT / "mutants" / options.group
    if options.room:
        if options.room not in group.rooms:
            parser.error(f"{options.room} is none of {', '.join(group.rooms)}")
        group, place = group._replace(rooms=(options.room,)), place.with_name(f"{place.name}-{Path(options.room).name}")
    lay_out(place, group)
    if options.again:
        forget_survivors(place)
    is_whole = run(place, options.minutes, options.children)
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    reasons = {Survivor(*each["change"]): each["why"] for each in record["no fault"]}
    survivors = found(place)
    unexplained = [survivor for survivor in survivors if survivor not in reasons]
    scores = rated(counted(place), survivors, unexplained)
    for room, (noticed, total, explained) in scores.items():
        print(
            f"{room:20} {noticed:4} of {total - explained:4} noticed: {noticed / (total - explained):.1%}; no fault: {explained}"
        )
    for room, before, after in unexplained:
        print(f"\n{room}\n  - {before}\n  + {after}")
    if not is_whole:
        print("\nThe time was up; the same command goes on.")
    elif options.record:
        write(record, scores, survivors, unexplained)
    return int(not is_whole)


def lay_out(place: Path, group: Group) -> None:
    """A folder to run mutmut in: the course by links, and its settings for this group."""
    copy = place / "vae_lessons"
    shutil.copytree(ROOT / copy.name, copy, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    for file in (copy / f"{room}.py" for room in group.rooms):
        when = file.stat().st_mtime_ns  # by which mutmut knows whether it has changed
        file.write_text(undecorated(file.read_text(encoding="utf-8")), encoding="utf-8")
        os.utime(file, ns=(when, when))
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    shared = re.search(r"^also_copy = (\[.*?\])", text, re.MULTILINE | re.DOTALL)
    for name in re.findall(r'"(.+?)"', shared[1] if shared else ""):
        if name != "pyproject.toml" and not (place / name).is_symlink():
            (place / name).symlink_to(ROOT / name)
    tests = [f"tests/{name}" for name in group.tests if (ROOT / "tests" / name).exists()]
    own = {
        "only_mutate": [f"vae_lessons/{room}.py" for room in group.rooms],
        "pytest_add_cli_args_test_selection": tests,
        "pytest_add_cli_args": [*OPTIONS, "-p", Path(__file__).stem]
        + [f"--deselect=tests/{name}" for name in (WALKS, *group.without)],
    }
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in own.items())
    (place / "pyproject.toml").write_text(text.replace("[tool.mutmut]\n", f"[tool.mutmut]\n{lines}"), encoding="utf-8")


def undecorated(source: str) -> str:
    """A room with the decorators of its functions as calls below them: mutmut changes no function that wears one."""
    lines = source.splitlines()
    for node in reversed(ast.parse(source).body):
        if isinstance(node, ast.FunctionDef) and node.decorator_list:
            made = node.name
            for decorator in reversed(node.decorator_list):
                made = f"{ast.unparse(decorator)}({made})"
            begin = node.decorator_list[0].lineno - 1
            lines[begin : node.end_lineno] = [*lines[node.lineno - 1 : node.end_lineno], f"{node.name} = {made}"]
    return "\n".join(lines) + "\n"


def pytest_configure() -> None:
    """In mutmut's own runs, of which this file is a plugin: nothing that is already in memory is garbage."""
    gc.freeze()


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """In the same runs: the quickest tests first, since one that fails is enough."""
    known = Path("mutmut-stats.json")
    took = json.loads(known.read_text(encoding="utf-8"))["duration_by_test"] if known.exists() else {}
    items.sort(key=lambda item: took.get(item.nodeid, 0.0))


def forget_survivors(place: Path) -> None:
    """Let mutmut ask anew which tests there are and what each reaches, and try again what none of them failed at."""
    (place / "mutants/mutmut-stats.json").unlink(missing_ok=True)
    for file in (place / "mutants/vae_lessons").rglob("*.meta"):
        known = json.loads(file.read_text(encoding="utf-8"))
        endings = known["exit_code_by_key"]
        known["exit_code_by_key"] = {name: code if code in FAILED else None for name, code in endings.items()}
        file.write_text(json.dumps(known), encoding="utf-8")


def run(place: Path, minutes: float, children: int) -> bool:
    """Go on with the mutants that were not tried yet; whether all of them are."""
    alone = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "tools")}
    with subprocess.Popen([*COMMAND, "run", "--max-children", str(children)], cwd=place, env=alone) as process:
        try:
            return process.wait(60 * minutes) == 0
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            process.terminate()
            return False


def asked(place: Path, *words: str) -> str:
    """What mutmut says of the mutants in a folder."""
    return subprocess.run([*COMMAND, *words], cwd=place, capture_output=True, text=True, check=True).stdout


def counted(place: Path) -> dict[str, Counter[str]]:
    """For each room, how many mutants ended how."""
    listed = asked(place, "results", "--all", "true")
    rooms: dict[str, Counter[str]] = {}
    for room, ending in re.findall(r"^\s*vae_lessons\.(\S+?)\.x\S+: (.+)$", listed, re.M):
        rooms.setdefault(room, Counter())[ending] += 1
    return rooms


def found(place: Path) -> list[Survivor]:
    """What survived, or was reached by no test, as the lines that were changed."""
    listed = asked(place, "results")
    names = re.findall(r"^\s*(vae_lessons\.\S+): (?:survived|no tests)$", listed, re.M)
    return [shown(place, name) for name in names]


def shown(place: Path, name: str) -> Survivor:
    """One mutant in its own words."""
    difference = asked(place, "show", name)
    before, after = ("\n".join(re.findall(rf"^\{sign}(?!\{sign})\s*(.*)$", difference, re.M)) for sign in "-+")
    return Survivor(name.removeprefix("vae_lessons.").partition(".x")[0], before, after)


def rated(
    rooms: dict[str, Counter[str]], survivors: list[Survivor], unexplained: list[Survivor]
) -> dict[str, tuple[int, int, int]]:
    """For each room: noticed, all, and those that are no fault. One that no test reaches was not noticed."""
    left, all_survivors = Counter(each.room for each in unexplained), Counter(each.room for each in survivors)
    scores = {}
    for room, endings in sorted(rooms.items()):
        noticed = sum(endings[how] for how in NOTICED)
        scores[room] = (noticed, endings.total(), all_survivors[room] - left[room])
    return scores


def write(
    record: dict[str, Any],
    scores: dict[str, tuple[int, int, int]],
    survivors: list[Survivor],
    unexplained: list[Survivor],
) -> None:
    """The scores of these rooms, and what was not noticed there, with the reasons given before; other rooms stay as they are."""

    def elsewhere(kind: str) -> list[dict[str, Any]]:
        return [each for each in record[kind] if each["change"][0] not in scores]

    why = {Survivor(*each["change"]): each for each in record["no fault"] + record["not noticed"]}
    explained = dict.fromkeys(survivor for survivor in survivors if survivor not in unexplained)
    record["command"] = f"python tools/mutants.py {'|'.join(GROUPS)} --record"
    record["scores"] |= {room: dict(zip(("noticed", "mutants", "no fault"), score)) for room, score in scores.items()}
    record["no fault"] = elsewhere("no fault") + [why[survivor] for survivor in explained]
    record["not noticed"] = elsewhere("not noticed") + [
        why.get(survivor, {"change": list(survivor)}) for survivor in unexplained
    ]
    RECORD.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
