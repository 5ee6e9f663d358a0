"""tools/licences.py follows what packages ask for, reads what they state, and complains where it should."""

from pathlib import Path

import licences
import pytest


@pytest.fixture
def put(tmp_path, monkeypatch):
    """Install a package that consists of its description alone."""
    monkeypatch.syspath_prepend(tmp_path)

    def put(name: str, *lines: str) -> None:
        folder = tmp_path / f"{name.replace('-', '_')}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text("\n".join(["Metadata-Version: 2.4", f"Name: {name}", "Version: 1.0", *lines]))

    return put


def stated(name: str) -> str:
    return licences.licence(licences.distribution(name))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["License-Expression: MIT OR GPL-3.0-only", "License: of no account"], "MIT OR GPL-3.0-only"),
        (["Classifier: License :: OSI Approved :: BSD License", "License: Copyright (c) …"], "BSD"),
        (["Classifier: License :: OSI Approved", "License: Apache 2.0"], "Apache-2.0"),
        (["License: BSD 3-Clause License"], "BSD-3-Clause"),
        (["License: UNKNOWN"], ""),
        (["Classifier: Programming Language :: Python"], ""),
        (
            ["Classifier: License :: OSI Approved :: MIT License", "Classifier: License :: Other/Proprietary License"],
            "MIT AND Other/Proprietary License",
        ),
    ],
)
def test_a_licence_is_read_where_it_stands(put, lines, expected):
    put("one-made-here", *lines)
    assert stated("one-made-here") == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("MIT AND GPL-3.0-only", False),
        ("MIT OR GPL-3.0-only", True),
        ("(MIT OR GPL-3.0-only) AND BSD-3-Clause", True),
        ("(MIT AND GPL-3.0-only) OR SSPL-1.0", False),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("Apache-2.0 WITH nobody-knows", False),
        ("", False),
    ],
)
def test_of_an_and_all_parts_have_to_be_reviewed_and_of_an_or_one(expression, expected):
    assert licences.is_reviewed(expression) is expected


def test_only_what_has_been_looked_at_passes():
    assert licences.complaint("one", "") == "one states no licence"
    assert licences.complaint("one", "AGPL-3.0-only") == "one: nobody has looked at 'AGPL-3.0-only'"
    assert licences.complaint("one", "MIT") == licences.complaint("codespell", "GPL-2.0-only") == ""


def test_what_packages_ask_for_is_followed_with_extras_and_for_this_machine_only(put):
    put("made-a", "Requires-Dist: made_B[more]>=1", "Requires-Dist: not-there; sys_platform == 'no such'")
    put("made-b", "Requires-Dist: made-c; extra == 'more'", "Requires-Dist: made-d; extra == 'less'")
    put("made-c", "Requires-Dist: made-a")  # a circle
    put("made-d")
    assert set(licences.closure(["made-a>=1,<2"])) == {"made-a", "made-b", "made-c"}
    with pytest.raises(LookupError, match="not-made is not installed"):
        licences.closure(["made-d", "not-made"])


def test_the_command_names_what_is_wrong_and_fails(put, tmp_path, monkeypatch, capsys):
    put("made-a", "License-Expression: MIT", "Requires-Dist: made-b")
    put("made-b", "License-Expression: SSPL-1.0")
    put("made-c", "License-Expression: MIT")
    monkeypatch.setattr(licences, "ROOT", tmp_path)
    text = 'dependencies = [\n    "made-c>=1",\n]\ntest = ["made-a>=1"]\nsite = ["made-d>=1"]\n'
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    assert licences.main(["course"]) == 0
    assert capsys.readouterr().out.splitlines()[2:] == ["| made-c | 1.0 | MIT | course |"]
    assert licences.main(["course", "test", "--quiet"]) == 1
    assert capsys.readouterr().out == "made-b: nobody has looked at 'SSPL-1.0'\n"
    assert licences.main(["site", "--quiet"]) == 1  # asked for, and not there
    assert capsys.readouterr().out == "– site: not looked at, made-d is not installed\n"


def test_the_row_counts_packages_and_says_what_was_not_looked_at():
    row = licences.counted(
        {"a": ["course", "test"], "b": ["test"], "codespell": ["test"]}, ["b: nobody …"], {"site": ""}
    )
    assert (row.cases, row.held) == (3, 2)
    assert row.note.startswith("course 1, test 3, cluster 0,")
    assert row.note.endswith("; not looked at: site; terms of their own: codespell; b: nobody …")


def test_every_extra_is_looked_at():
    text = (Path(licences.ROOT) / "pyproject.toml").read_text(encoding="utf-8")
    extras = text.partition("[project.optional-dependencies]")[2].partition("[tool")[0]
    named = {line.partition(" = ")[0] for line in extras.splitlines() if " = [" in line}
    assert named | {licences.COURSE} == set(licences.GROUPS)
