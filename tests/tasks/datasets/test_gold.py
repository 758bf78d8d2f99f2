"""On the real rows, where they are: every gold program passes every check, and a wrong constant passes none."""

from __future__ import annotations

from pathlib import Path

import pytest

from codegym.tasks.datasets import TaskSet, load_tasks
from codegym.tasks.datasets.split_checks import UNSPLIT_CHECK


def stubs(names):
    """A program that defines every name as a function that returns what no test expects."""
    return "\n".join(f"def {name}(*args, **kwargs): return '\\0wrong'" for name in names)


@pytest.fixture(scope="module")
def mbpp(shared_data: Path) -> TaskSet:
    return load_tasks("mbpp", shared_data / "mbpp.jsonl")


@pytest.fixture(scope="module")
def humaneval(full_humaneval: Path) -> TaskSet:
    return load_tasks("humaneval", full_humaneval)


def test_gold_of_first_humaneval_rows_passes(shared_data, examine):
    tasks = load_tasks("humaneval", shared_data / "humaneval-first20.jsonl")
    assert len(tasks) == 20
    assert [task.task_id for task in tasks if not all(examine(task, task.solution))] == []


def test_gold_of_humaneval_passes(humaneval, examine):
    assert len(humaneval) == 164
    assert [task.task_id for task in humaneval if not all(examine(task, task.solution))] == []


def test_gold_of_mbpp_passes(mbpp, examine):
    assert len(mbpp) == 974
    assert [task.task_id for task in mbpp if not all(examine(task, task.solution))] == []


def test_wrong_constant_fails_every_humaneval_task(humaneval, examine):
    for task in humaneval:
        assert not all(examine(task, f"    return None\n\n{stubs(task.exports)}")), task.task_id


def test_wrong_constant_fails_every_check_of_mbpp(mbpp, examine):
    for task in mbpp:
        assert not any(examine(task, stubs(task.exports))), task.task_id


def test_counts_of_humaneval(humaneval):
    assert sum(len(task.checks) for task in humaneval) == 1133  # 1181 asserts and loops, of which 48 test nothing
    assert [task.task_id for task in humaneval if task.checks[0].source == UNSPLIT_CHECK] == []


def test_counts_of_mbpp(mbpp):
    tasks = list(mbpp)
    assert sum(len(task.checks) for task in tasks) == 3 * 974
    assert [task.task_id for task in tasks if task.uses_candidate_types] == ["367", "601", "927"]
    assert [task.task_id for task in tasks if task.examiner] == ["367", "596", "927"]
    assert not any("\r" in task.prompt + task.solution + task.examiner for task in tasks)
    assert mbpp.by_id(126).exports == ("sum",)
    assert mbpp.by_id(596).examiner == "import sys"


def test_helpers_of_humaneval_are_the_examiners(humaneval):
    for number, helper in [(32, "poly"), (38, "encode_cyclic"), (50, "encode_shift")]:
        task = humaneval.by_id(f"HumanEval/{number}")
        assert f"def {helper}(" in task.examiner
        assert f"def {task.entry_point}(" not in task.examiner
        assert task.exports == (task.entry_point,)


def test_apps_sample_has_one_of_each_kind(shared_data):
    stdin, call = load_tasks("apps", shared_data / "apps-sample2.jsonl")
    assert (stdin.entry_point, type(stdin.checks[0]).__name__) == ("", "StdinCheck")
    assert (call.entry_point.partition(".")[0], type(call.checks[0]).__name__) == ("Solution", "CallCheck")
    program: dict = {}
    exec(call.preamble + call.solution, program)
    method = getattr(program["Solution"](), call.entry_point.partition(".")[2])
    assert [method(*check.arguments) for check in call.checks] == [check.expected for check in call.checks]
