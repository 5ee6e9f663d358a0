"""Which licences do the course's packages have?  ``python tools/licences.py [GROUP ...]``

It follows what `pyproject.toml` asks for, and what that asks for, through the packages that are installed here, and prints
each with its release, its licence, and the groups that bring it: "course", which every learner installs, and the extras.
It fails where a package states no licence, or one that nobody has looked at; REVIEWED and OWN_TERMS are what has been.
``--quiet`` prints those alone. A group that is not installed is not looked at, and said so. ``--record`` puts what was
counted into `tests/trust/closed.json`.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution

import trust
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from vae_lessons.packages import ROOT, requirements

COURSE = "course"
GROUPS = (COURSE, "test", "site", "cluster", "classroom", "health", "mutants")

# Who uses, changes or hands on the course owes these no more than to keep their notices; MPL-2.0 asks in addition that
# changes to its own files stay under it, and the course changes none. The course itself contains none of the packages.
REVIEWED = {
    "0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0",
    "CC-BY-4.0", "HPND", "ISC", "MIT", "MIT-0", "MIT-CMU", "MPL-2.0", "PSF-2.0", "Unlicense", "Zlib",
}  # fmt: skip
# What packages without an SPDX expression call these; of "BSD" they do not say how many clauses.
WORDS = {
    r"apache( software)?( license)?,?( version)? ?(2\.0)?": "Apache-2.0",
    r"(new |modified )?bsd( license)?": "BSD",
    r"bsd[ -]2[ -]clause( license)?": "BSD-2-Clause",
    r"bsd[ -]3[ -]clause( license)?": "BSD-3-Clause",
    r"historical permission notice and disclaimer \(hpnd\)": "HPND",
    r"isc license \(iscl\)": "ISC",
    r"(the )?mit( license)?( \(mit\))?": "MIT",
    r"mozilla public license 2\.0 \(mpl 2\.0\)": "MPL-2.0",
    r"python software foundation license": "PSF-2.0",
}
# Packages under other terms, by the start of their name, and what that means for the course.
OWN_TERMS = {
    "codespell": "GPL-2.0-only: a program that the health check starts; no learner gets it and nothing contains it",
    "docutils": "in part GPL, a mode for Emacs that is not in the package; Sphinx uses the rest to build the site",
    "nvidia-": "NVIDIA's own terms: PyTorch's CUDA build brings it, by the learner's own download",
    "cuda-toolkit": "states none, and has no file but this statement: it names packages of NVIDIA's",
}


def installed(requirement: Requirement) -> Distribution | None:
    """The package that meets a requirement of this machine; None where it is not there."""
    try:
        return distribution(requirement.name)
    except PackageNotFoundError:
        return None


def asked_by(package: Distribution, extras: Iterable[str]) -> list[Requirement]:
    """What a package asks for on this machine, with some of its extras."""
    wanted = map(Requirement, package.requires or ())
    places = [{"extra": extra} for extra in ("", *extras)]
    return [one for one in wanted if one.marker is None or any(map(one.marker.evaluate, places))]


def closure(lines: Iterable[str]) -> dict[str, Distribution]:
    """All packages that requirements lead to, by name.

    Raises:
        LookupError: one of them is not installed.
    """
    found: dict[str, Distribution] = {}
    waiting, done = list(map(Requirement, lines)), set()
    while waiting:
        one = waiting.pop()
        name, extras = canonicalize_name(one.name), frozenset(one.extras)
        if (name, extras) in done:
            continue
        done.add((name, extras))
        package = installed(one)
        if package is None:
            raise LookupError(f"{name} is not installed")
        found[name] = package
        waiting += asked_by(package, extras)
    return found


def licence(package: Distribution) -> str:
    """The SPDX expression that a package states, or what its classifiers or its field say in our words; or nothing."""
    about = package.metadata
    if stated := about.get("License-Expression"):
        return str(stated)
    ends = [line.split(" :: ")[-1] for line in about.get_all("Classifier", []) if line.startswith("License :: ")]
    named = [end for end in ends if end != "OSI Approved"] or (about.get("License") or "").strip().splitlines()[:1]
    return " AND ".join(map(in_spdx, filter("UNKNOWN".__ne__, named)))


def in_spdx(words: str) -> str:
    """A licence as SPDX calls it; words that are unknown here stay."""
    return next((name for words_of_it, name in WORDS.items() if re.fullmatch(words_of_it, words.strip(), re.I)), words)


def is_reviewed(expression: str) -> bool:
    """Whether all parts of an expression have been looked at; of an "or", one."""
    parts = re.sub(r"[()]", "", expression).split(" AND ")
    return all(any(each.strip() in REVIEWED for each in part.split(" OR ")) for part in parts)


def complaint(name: str, stated: str) -> str:
    """Why a package does not pass, or nothing."""
    if name.startswith(tuple(OWN_TERMS)):
        return ""
    if not stated:
        return f"{name} states no licence"
    return "" if is_reviewed(stated) else f"{name}: nobody has looked at {stated!r}"


def found_in(groups: Iterable[str]) -> tuple[dict[str, Distribution], dict[str, list[str]], dict[str, str]]:
    """The packages by name, the groups that bring each, and what is missing of groups that are not all there."""
    packages: dict[str, Distribution] = {}
    groups_of: dict[str, list[str]] = defaultdict(list)
    absent: dict[str, str] = {}
    for group in groups:
        try:
            new = closure(requirements(ROOT, "dependencies" if group == COURSE else group))
        except LookupError as error:
            absent[group] = str(error)
            continue
        packages |= new
        for name in new:
            groups_of[name].append(group)
    return packages, groups_of, absent


def table(packages: dict[str, Distribution], groups_of: dict[str, list[str]]) -> str:
    """One line for each package; what a learner has is not said to be in the extras, too."""
    lines = ["| package | release | licence | for |", "| --- | --- | --- | --- |"]
    for name, package in sorted(packages.items()):
        groups = [COURSE] if COURSE in groups_of[name] else groups_of[name]
        note = next((f"; {terms}" for start, terms in OWN_TERMS.items() if name.startswith(start)), "")
        lines.append(f"| {name} | {package.version} | {licence(package)}{note} | {', '.join(groups)} |")
    return "\n".join(lines)


def counted(groups_of: dict[str, list[str]], complaints: Sequence[str], absent: Iterable[str]) -> trust.Row:
    """How many packages have a licence that has been looked at, and which groups they belong to."""
    sizes = [
        f"{group} {sum(group in groups for groups in groups_of.values())}" for group in GROUPS if group not in absent
    ]
    note = ", ".join(sizes) + (f"; not looked at: {', '.join(absent)}" if absent else "")
    of_its_own = [start for start in OWN_TERMS if any(name.startswith(start) for name in groups_of)]
    note += f"; terms of their own: {', '.join(of_its_own) or 'none'}" + "".join(f"; {each}" for each in complaints)
    n = len(groups_of)
    return trust.Row("a licence stated and looked at, of each package that is installed", n, n - len(complaints), note)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {', '.join(GROUPS)}; all if none is given")
    parser.add_argument("--quiet", action="store_true", help="no table, complaints alone")
    parser.add_argument("--record", action="store_true", help="keep the count in tests/trust/closed.json")
    options = parser.parse_args(arguments)
    if unknown := set(options.groups) - set(GROUPS):
        parser.error(f"no such group: {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}")
    packages, groups_of, absent = found_in(options.groups or GROUPS)
    complaints = [said for name, package in sorted(packages.items()) if (said := complaint(name, licence(package)))]
    told = [f"– {group}: not looked at, {why}" for group, why in absent.items()]
    for line in [*([] if options.quiet else [table(packages, groups_of)]), *told, *complaints]:
        print(line)
    if options.record:
        trust.renew("closed", [counted(groups_of, complaints, absent)])
    return int(bool(complaints) or not absent.keys().isdisjoint(options.groups or [COURSE]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
