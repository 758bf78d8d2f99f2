from __future__ import annotations

import pytest

from codegym.errors import DatasetError
from codegym.tasks.datasets import codecontests
from codegym.tasks.datasets.row import Row
from codegym.tasks.record import StdinCheck


def row(**changes):
    fields = {
        "name": "1_A. Sum",
        "description": "Add.",
        "public_tests": {"input": ["1 2"], "output": ["3"]},
        "private_tests": {"input": [], "output": []},
        "generated_tests": {"input": ["3 4", "1 2"], "output": ["7", "3"]},
        "solutions": {"language": [2, 1, 3], "solution": ["int main;", "print 3", "print(3)"]},
        "cf_rating": 800,
    }
    return Row(fields | changes)


def test_all_three_kinds_of_tests_are_checks():
    task = codecontests.read(row())
    assert task.checks == (StdinCheck("1 2", "3"), StdinCheck("3 4", "7"))
    assert (task.task_id, task.comparison, task.solution) == ("1_A. Sum", "codecontests", "print(3)")
    assert task.metadata == {"cf_rating": 800, "num_shown": 1}
    assert task.prompt == "\nQUESTION:\nAdd.\nUse Standard Input format\nANSWER:\n"


def test_kinds_of_tests_can_be_chosen():
    assert codecontests.read(row(), tests=["public"]).checks == (StdinCheck("1 2", "3"),)
    with pytest.raises(ValueError, match="tests must be some of public, private, generated"):
        codecontests.read(row(), tests=["hidden"])


def test_tests_and_solutions_may_be_lists_of_objects():
    tests, solutions = [{"input": "1 2", "output": "3"}], [{"language": 3, "solution": "print(3)"}]
    task = codecontests.read(row(public_tests=tests, generated_tests=[], solutions=solutions))
    assert (task.checks, task.solution) == ((StdinCheck("1 2", "3"),), "print(3)")


def test_gold_is_python_3_only():
    assert codecontests.read(row(solutions={"language": [1, 2], "solution": ["print(3)", ""]})).solution is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"public_tests": None, "generated_tests": None}, "got no tests, wanted at least one"),
        ({"public_tests": {"input": ["1"], "output": []}}, "'public_tests': got a dict of 2, wanted input and output"),
        ({"public_tests": [{"input": "1"}]}, "'public_tests': got a list of 1, wanted input and output"),
        ({"public_tests": {"input": [1], "output": ["1"]}}, "'public_tests': got 1, wanted text"),
        ({"public_tests": {"input": ["1", "1"], "output": ["1", "2"]}}, "'public_tests': the input '1' has two"),
        ({"description": None}, "'description': got None, wanted a string"),
    ],
)
def test_bad_field_is_named(changes, message):
    with pytest.raises(DatasetError, match=message):
        codecontests.read(row(**changes))
