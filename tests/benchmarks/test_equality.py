"""The comparison of two checkouts: what counts as equal, and that the fingerprint program fits this checkout."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks.reliability.equality.__main__ import PROGRAMS, choose_program
from benchmarks.reliability.equality.compare import MISSING, Difference, compare
from benchmarks.reliability.equality.timing import without_timing

ROOT = Path(__file__).resolve().parents[2]
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="boxes need Linux")


def test_fingerprints_are_compared_value_by_value():
    found = compare(
        "ppo", {"metrics": [{"reward": 0.5}], "weights": "a"}, {"metrics": [{"reward": 0.25}], "weights": "a"}
    )
    assert (found.num_values, found.is_equal) == (2, False)
    assert str(*found.differences) == "metrics/0/reward: 0.5 -> 0.25"


@pytest.mark.parametrize(("old", "new"), [(float("nan"), float("nan")), ({"a": 1, "b": 2}, {"b": 2, "a": 1})])
def test_equal_values(old, new):
    assert compare("part", old, new).is_equal


@pytest.mark.parametrize(("old", "new"), [(0.1, 0.1 + 2**-56), (1, 1.0), (0.0, -0.0), ([1], [1, 2]), ({"a": 1}, None)])
def test_different_values(old, new):
    assert not compare("part", old, new).is_equal


def test_a_value_that_one_side_lacks_is_a_difference():
    assert compare("part", {"a": 1}, {"b": 1}).differences == (Difference("a", 1, MISSING), Difference("b", MISSING, 1))


def test_differences_that_depend_on_time_are_left_out():
    old = {name: {"status": "timeout", "checks": None} for name in ("sleeper@call", "bomb-a@call", "bomb-b@call")}
    old |= {"exit@call": {"status": "wrong_answer", "checks": None}}
    changed = {"sleeper@call": "wrong_answer", "bomb-a@call": "memory_limit", "bomb-b@call": "passed"}
    new = {name: {"status": changed.get(name, "runtime_error"), "checks": None} for name in old}
    rest = without_timing(compare("verdicts", old, new), old, new).differences
    assert [each.path for each in rest] == ["bomb-b@call/status", "exit@call/status"]


def test_a_checkout_is_read_by_the_program_of_its_layout(tmp_path):
    assert choose_program(ROOT) == ROOT / "benchmarks/reliability/equality/current.py"
    assert choose_program(tmp_path) == PROGRAMS / "current.py"
    (tmp_path / "codegym").mkdir()
    (tmp_path / "codegym" / "facts.py").touch()
    assert choose_program(tmp_path) == PROGRAMS / "before_layout.py"


@linux
def test_the_program_of_this_layout_runs(tmp_path):
    current = pytest.importorskip("benchmarks.reliability.equality.current")
    plan = {"parts": ["sb3", "verdicts"], "iterations": 1, "seed": 0, "sandbox": "process", "every": 400}
    current.main(plan, tmp_path / "out.json")
    found = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert len(found["sb3"]["metrics"]) == 1
    assert found["verdicts"]["solutions-0"]["status"] == "passed"
