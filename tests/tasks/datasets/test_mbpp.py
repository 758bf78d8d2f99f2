from __future__ import annotations

import pytest

from codegym.errors import DatasetError
from codegym.tasks.datasets import load_tasks, mbpp
from codegym.tasks.datasets.row import Row

TESTS = ["assert twice(1) == 2", "assert twice(2) == 4", "assert twice(3) == 6"]


def row(**changes):
    fields = {
        "task_id": 7,
        "text": "Write a function that doubles.",
        "code": "def twice(n):\r\n    return 2 * n\r\n",
        "test_list": TESTS,
        "test_setup_code": "",
        "challenge_test_list": ["assert twice(-1) == -2"],
    }
    return Row({key: value for key, value in (fields | changes).items() if value is not None})


def test_every_assert_is_a_check(examine):
    task = mbpp.read(row())
    assert [check.source for check in task.checks] == TESTS
    assert (task.task_id, task.exports, task.entry_point, task.preamble) == ("7", ("twice",), "twice", "")
    assert task.solution == "def twice(n):\n    return 2 * n\n"
    assert examine(task, task.solution) == [True, True, True]
    assert examine(task, "def twice(n): return 4") == [False, True, False]


def test_prompt_is_that_of_the_authors():
    task = mbpp.read(row())
    assert task.prompt == (
        "You are an expert Python programmer, and here is your task: Write a function that doubles. "
        "Your code should pass these tests:\n\n" + "\n".join(TESTS) + "\n"
    )
    assert task.metadata == {"num_shown": 3}


def test_r10_tests_can_be_held_back():
    # who sees all tests can write a program for them alone
    task = mbpp.read(row(), shown_tests=1)
    assert TESTS[0] in task.prompt and TESTS[1] not in task.prompt
    assert (len(task.checks), task.metadata["num_shown"]) == (3, 1)
    assert "tests" not in mbpp.read(row(), shown_tests=0).prompt


def test_challenge_tests_are_checks_only_on_request(write):
    path = write(dict(row().values))
    assert len(load_tasks("mbpp", path)[0].checks) == 3
    assert len(load_tasks("mbpp", path, challenge=True)[0].checks) == 4


def test_tests_with_classes_of_the_program_are_marked(examine):
    code = "class Box:\n    def __init__(self, n):\n        self.n = n\ndef opened(box):\n    return box.n\n"
    task = mbpp.read(row(code=code, test_setup_code="box = Box(3)\r\n", test_list=["assert opened(box) == 3"]))
    assert task.uses_candidate_types
    assert (set(task.exports), task.entry_point) == ({"Box", "opened"}, "opened")
    assert examine(task, code) == [True]


def test_sanitized_rows_have_imports_and_another_name_for_the_text(examine):
    values = {
        "text": None,
        "prompt": "Halve.",
        "test_imports": ["import math"],
        "code": "def half(n):\n    return n / 2",
    }
    task = mbpp.read(row(**values, test_list=["assert math.isclose(half(1), 0.5)"]))
    assert task.examiner == "import math"
    assert "your task: Halve." in task.prompt
    assert examine(task, task.solution) == [True]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"test_list": []}, "field 'test_list': got a list of 0, wanted at least one assert"),
        ({"test_list": None}, "field 'test_list' is missing"),
        ({"test_list": "assert twice(1) == 2"}, "field 'test_list': got the string .*, wanted a list of strings"),
        ({"test_list": ["twice(1)"]}, "field 'test_list': got 'twice.1.', wanted an assert"),
        ({"test_list": ["assert twice("]}, "field 'test_list': not valid Python"),
        ({"code": 5}, "field 'code': got 5, wanted a string"),
        ({"code": "def"}, "field 'code': not valid Python"),
        ({"text": None}, "field 'prompt' is missing"),
        ({"task_id": [1]}, "field 'task_id': got a list of 1, wanted a string or a whole number"),
    ],
)
def test_bad_field_is_named_with_what_came_and_what_was_wanted(changes, message):
    with pytest.raises(DatasetError, match=message):
        mbpp.read(row(**changes))
