"""tools/mutants.py and its record: no room is left out, none is below 95 %, and every survivor has its reason."""

import json
from contextlib import contextmanager
from functools import lru_cache

import mutants
import pytest
from mutants import GROUPS, ROOT, Survivor

RECORD = json.loads(mutants.RECORD.read_text(encoding="utf-8"))
ROOMS = [room for group in GROUPS.values() for room in group.rooms]
NAMES = [room.replace("/", ".") for room in ROOMS]  # as modules are called


def test_every_room_and_every_test_of_a_group_is_there():
    assert all((ROOT / "vae_lessons" / f"{room}.py").is_file() for room in ROOMS)
    for group in GROUPS.values():
        assert all((ROOT / "tests" / name).is_file() for name in group.tests)
        for left_out in group.without:
            file, _, test = left_out.partition("::")
            assert f"def {test.partition('[')[0]}(" in (ROOT / "tests" / file).read_text(encoding="utf-8")


@pytest.mark.parametrize("room", NAMES)
def test_at_least_95_of_100_faults_are_noticed_in_every_room(room):
    score = RECORD["scores"][room]
    assert score["noticed"] / (score["mutants"] - score["no fault"]) >= 0.95


@pytest.mark.parametrize("room", NAMES)
def test_every_change_that_was_not_noticed_is_listed_with_its_reason(room):
    score = RECORD["scores"][room]
    left, explained = (
        [each for each in RECORD[kind] if each["change"][0] == room] for kind in ("not noticed", "no fault")
    )
    assert len(left) == score["mutants"] - score["no fault"] - score["noticed"]
    assert all(each.get("why") for each in left + explained)


DECORATED = """
from contextlib import contextmanager
from functools import lru_cache

@contextmanager
@lru_cache(maxsize=None)
def one(a):
    yield a

class Two:
    @property
    def three(self):
        return 3
"""


def test_a_function_wears_no_decorator_and_is_the_same():
    bare = mutants.undecorated(DECORATED)
    names: dict = {}
    exec(bare, names)
    with names["one"](4) as value:
        assert value == 4
    assert names["one"].__wrapped__.cache_info and names["Two"]().three == 3
    assert "\ndef one" in bare and "@contextmanager" not in bare and "@lru_cache" not in bare
    assert (contextmanager, lru_cache) == (names["contextmanager"], names["lru_cache"])


def test_what_is_written_keeps_reasons_and_other_rooms_and_drops_what_is_noticed_by_now(tmp_path, monkeypatch):
    known, fresh, gone, other, fine = (Survivor(room, "a", after) for room, after in (*zip("mmmo", "bcde"), ("m", "f")))
    record = {
        "scores": {"o": {"noticed": 1, "mutants": 2, "no fault": 0}},
        "no fault": [{"change": list(fine), "why": "a choice"}, {"change": list(gone), "why": "it was"}],
        "not noticed": [
            {"change": list(known), "why": "it needs a GPU"},
            {"change": list(gone), "why": "until now"},
            {"change": list(other), "why": "elsewhere"},
        ],
    }
    monkeypatch.setattr(mutants, "RECORD", tmp_path / "record.json")
    mutants.write(record, {"m": (7, 10, 1)}, [fine, known, fresh], [known, fresh])
    written = json.loads(mutants.RECORD.read_text(encoding="utf-8"))
    assert written["scores"] == {
        "o": {"noticed": 1, "mutants": 2, "no fault": 0},
        "m": {"noticed": 7, "mutants": 10, "no fault": 1},
    }
    assert written["no fault"] == [{"change": ["m", "a", "f"], "why": "a choice"}]
    assert written["not noticed"] == [
        {"change": ["o", "a", "e"], "why": "elsewhere"},
        {"change": ["m", "a", "b"], "why": "it needs a GPU"},
        {"change": ["m", "a", "c"]},
    ]
