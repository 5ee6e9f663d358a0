"""Would the tests notice?  ``python tools/mutants.py [--minutes N] [--record]``

mutmut changes one operator, number or word at a time in the rooms of the mathematics, and runs the fast tests that
reach it: a change that no test notices survives. It works in ``mutants/``, keeps what it has found, and goes on from there;
``--minutes`` stops it in time. Survivors that are no fault are listed in ``tests/mutants.json``, each with its reason;
the score of a room is what was noticed of all the others. ``--record`` writes the scores there, too.
It needs ``pip install -e ".[mutants]"`` and a system that can fork.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "tests/mutants.json"
COMMAND = [sys.executable, "-m", "mutmut"]


class Survivor(NamedTuple):
    """A change that no test noticed: the room, the lines before and after."""

    room: str
    before: str
    after: str


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30, help="stop after so many, and go on at the next call")
    parser.add_argument("--record", action="store_true", help="write the scores into tests/mutants.json")
    options = parser.parse_args()
    is_whole = run(options.minutes)
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    reasons = {Survivor(*each["change"]): each["why"] for each in record["no fault"]}
    survivors = found()
    unexplained = [survivor for survivor in survivors if survivor not in reasons]
    scores = rated(counted(), survivors, unexplained)
    for room, (noticed, total, explained) in scores.items():
        print(
            f"{room:12} {noticed:4} of {total - explained:4} noticed: {noticed / (total - explained):.1%}; no fault: {explained}"
        )
    for room, before, after in unexplained:
        print(f"\n{room}\n  - {before}\n  + {after}")
    if not is_whole:
        print("\nThe time was up; the same command goes on.")
    elif options.record:
        write(record, scores, unexplained)
    return int(not is_whole)


def run(minutes: float) -> bool:
    """Go on with the mutants that were not tried yet; whether all of them are."""
    alone = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [*COMMAND, "run", "--max-children", str(os.cpu_count() or 1)], cwd=ROOT, env=alone
    ) as process:
        try:
            return process.wait(60 * minutes) == 0
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            process.terminate()
            return False


def counted() -> dict[str, Counter[str]]:
    """For each room, how many mutants ended how."""
    listed = subprocess.run(
        [*COMMAND, "results", "--all", "true"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    rooms: dict[str, Counter[str]] = {}
    for room, ending in re.findall(r"^\s*vae_lessons\.(\S+?)\.x\S+: (.+)$", listed, re.M):
        rooms.setdefault(room, Counter())[ending] += 1
    return rooms


def found() -> list[Survivor]:
    """What survived, as the lines that were changed."""
    listed = subprocess.run([*COMMAND, "results"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [shown(name) for name in re.findall(r"^\s*(vae_lessons\.\S+): survived$", listed, re.M)]


def shown(name: str) -> Survivor:
    """One mutant in its own words."""
    difference = subprocess.run([*COMMAND, "show", name], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    before, after = ("\n".join(re.findall(rf"^\{sign}(?!\{sign})\s*(.*)$", difference, re.M)) for sign in "-+")
    return Survivor(name.removeprefix("vae_lessons.").partition(".x")[0], before, after)


def rated(
    rooms: dict[str, Counter[str]], survivors: list[Survivor], unexplained: list[Survivor]
) -> dict[str, tuple[int, int, int]]:
    """For each room: noticed, all, and those that are no fault. One that no test reaches was not noticed."""
    left, all_survivors = Counter(each.room for each in unexplained), Counter(each.room for each in survivors)
    scores = {}
    for room, endings in sorted(rooms.items()):
        noticed = endings["killed"] + endings["timeout"]
        scores[room] = (noticed, endings.total(), all_survivors[room] - left[room])
    return scores


def write(record: dict[str, object], scores: dict[str, tuple[int, int, int]], unexplained: list[Survivor]) -> None:
    record["command"] = "python tools/mutants.py --record"
    record["scores"] = {room: dict(zip(("noticed", "mutants", "no fault"), score)) for room, score in scores.items()}
    record["not noticed"] = [{"change": list(survivor)} for survivor in unexplained]
    RECORD.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
