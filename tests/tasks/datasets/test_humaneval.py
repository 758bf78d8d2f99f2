from __future__ import annotations

import pytest

from codegym.errors import DatasetError
from codegym.tasks.datasets import humaneval
from codegym.tasks.datasets.row import Row

PROMPT = '''\
import math

def half(n: float) -> float:
    return n / 2

def root_of_half(n: float) -> float:
    """The square root of half of n."""
'''
SOLUTION = "    return math.sqrt(half(n))\n"
TEST = """
def check(candidate):
    assert candidate(8) == 2
    assert abs(candidate(half(4)) - 1) < 1e-9
    assert True, "says nothing"
"""


def row(**changes):
    fields = {
        "task_id": "Own/1",
        "prompt": PROMPT,
        "canonical_solution": SOLUTION,
        "entry_point": "root_of_half",
        "test": TEST,
    }
    return Row(fields | changes)


def test_asserts_that_say_something_become_checks(examine):
    task = humaneval.read(row())
    assert [check.source for check in task.checks] == [
        "assert candidate(8) == 2",
        "assert abs(candidate(half(4)) - 1) < 1e-09",
    ]
    assert task.preamble == task.prompt == PROMPT
    assert examine(task, SOLUTION) == [True, True]
    assert examine(task, "    return 1.0\n") == [False, True]


def test_program_cannot_replace_a_helper_of_the_tests(examine):
    task = humaneval.read(row())
    assert "def half" in task.examiner and "def root_of_half" not in task.examiner
    # with this half() the second test would ask for f(8), were it the program's
    assert examine(task, SOLUTION + "\ndef half(n): return n * 2\n") == [False, False]


def test_body_that_cannot_be_cut_is_one_check(examine):
    test = "def check(f):\n    seen = []\n    for n in (8, 2):\n        seen.append(f(n))\n        assert f(n) > 0\n"
    test += "    assert seen == [2, 1]\n"
    task = humaneval.read(row(test=test))
    assert [check.source for check in task.checks] == ["check(candidate)"]
    assert examine(task, SOLUTION) == [True]
    assert examine(task, "    return 1\n") == [False]


def test_tests_without_check_are_an_error():
    with pytest.raises(DatasetError, match="field 'test': got no function 'check'"):
        humaneval.read(row(test="assert root_of_half(8) == 2"))


def test_r9_tests_that_test_nothing_are_an_error():
    # an empty list of checks would be passed by every program
    with pytest.raises(DatasetError, match="no assert depends on the function under test"):
        humaneval.read(row(test="def check(candidate):\n    assert True\n"))


@pytest.mark.parametrize("field", ["prompt", "test", "entry_point"])
def test_missing_field_is_named(field):
    with pytest.raises(DatasetError, match=f"field '{field}' is missing"):
        humaneval.read(Row({key: value for key, value in row().values.items() if key != field}))
