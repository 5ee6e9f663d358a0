"""Judge every known answer many times: ``python tools/judge_answers.py [lesson ...] [--times 200]``.

A check draws fresh numbers, but its verdict must not depend on them. For each exercise this counts the wrong answers
(the known mistakes and those in tests/answers), the unusual right ones, and the answers that were not told the same
every time: right or wrong, and for the same reason, whatever numbers stand in the message.
"""

import argparse
import importlib
import re
import sys
import textwrap
import warnings
from pathlib import Path

from vae_lessons.exercises import NUMBERS, lesson
from vae_lessons.exercises.judging import Status, judge
from vae_lessons.exercises.source import Exercise, Lesson, run

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # for tests.answers
NUMBER = re.compile(r"[-+]?\b(\d+(\.\d*)?(e[-+]?\d+)?|inf|nan)\b")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Judge every known answer many times.")
    parser.add_argument("lessons", nargs="*", metavar="LESSON", help="such as 05; all of them if none is given")
    parser.add_argument("--times", type=int, default=200, metavar="N")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")  # those of the learner's code, as in `check`
    failures = 0
    print(f"{options.times} judgements of each\nlesson exercise                 wrong  right  not the same")
    for number in options.lessons or NUMBERS:
        for exercise in lesson(number).exercises:
            failures += report(lesson(number), exercise, options.times)
    return failures and 1


def report(of: Lesson, exercise: Exercise, times: int) -> int:
    """Judge one exercise's answers and print a line; how many failed."""
    answers = importlib.import_module(f"tests.answers.lesson{of.number}")
    wrong = [mistake.code for mistake in exercise.mistakes] + answers.WRONG.get(exercise.name, [])
    right = [exercise.solution, *exercise.alternatives, *answers.RIGHT.get(exercise.name, [])]
    pairs = [(code, Status.WRONG) for code in wrong] + [(code, Status.RIGHT) for code in right]
    failed = [code for code, status in pairs if not is_steady(of, exercise, code, status, times)]
    print(f"{of.number}     {exercise.name:24} {len(wrong):5} {len(right):6} {len(failed):13}", flush=True)
    for code in failed:
        print(textwrap.indent(code.strip(), "           "))
    return len(failed)


def is_steady(of: Lesson, exercise: Exercise, code: str, status: Status, times: int) -> bool:
    """Whether one answer gets the same verdict every time, and the right one; a value is judged without luck."""
    answer = run(of, exercise, textwrap.dedent(code))
    times = times if exercise.cases else 1
    told = {(one, NUMBER.sub("#", message)) for one, message in (judge(of, exercise, answer) for _ in range(times))}
    return len(told) == 1 and told.pop()[0] is status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
