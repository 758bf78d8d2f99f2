from __future__ import annotations

import pytest

from codegym.errors import DatasetError
from codegym.tasks.datasets import humaneval, mbpp, plus_oracle
from codegym.tasks.datasets.plus_inputs import restore_inputs
from codegym.tasks.datasets.row import Row

PROMPT = 'def halves(numbers):\n    """Halve every number."""\n'
SOLUTION = "    return [n / 2 for n in numbers]\n"
HEAD = {"task_id": "Own/1", "prompt": PROMPT, "canonical_solution": SOLUTION, "entry_point": "halves"}
HUB_TEST = """
import numpy as np

def assertion(out, exp, atol):
    assert np.allclose(out, exp, rtol=1e-07, atol=atol)

def check(candidate):
    inputs = [[[1, 2]], [[]], [[4]], [[4]]]
    results = [[0.5, 1.0], [], [2.0], [2.0]]
    for i, (inp, exp) in enumerate(zip(inputs, results)):
        assertion(candidate(*inp), exp, 0)
"""
CROSS_TEST = """
def check(candidate):
    inputs = [[[1, 2]], [[]]]
    for i, inp in enumerate(inputs):
        assertion(candidate(*inp), ref_func(*inp), 0)
"""
MBPP_TEST = """
import numpy as np
from math import inf

inputs = [[1], [2]]
results = [inf, 4]
for i, (inp, exp) in enumerate(zip(inputs, results)):
    assertion(up(*inp), exp, 0)
"""
MBPP_HEAD = {"code": "def up(n): return 4 if n > 1 else float('inf')", "test_list": ["assert up(2) == 4"]}


def native(**changes):
    return Row(HEAD | {"base_input": [[[1, 2]]], "plus_input": [[[]], [[4]]], "atol": 0} | changes)


def test_native_format_has_one_check_for_every_input(examine):
    task = humaneval.read_plus(native())
    assert [check.source for check in task.checks] == ["examine([[1, 2]])", "examine([[]])", "examine([[4]])"]
    assert examine(task, SOLUTION) == [True, True, True]
    assert examine(task, "    return []\n") == [False, True, False]


def test_hub_format_has_one_check_for_every_distinct_input(examine):
    task = humaneval.read_plus(Row(HEAD | {"test": HUB_TEST}))
    assert next(check.source for check in task.checks) == "examine([[1, 2]], [0.5, 1.0])"
    assert len(task.checks) == 3
    assert "numpy" not in task.examiner
    assert examine(task, SOLUTION) == [True, True, True]
    assert examine(task, "    return [n * 0.5000000001 for n in numbers]\n") == [True, True, True]
    assert examine(task, "    return [2.0]\n") == [False, False, True]


def test_hub_format_without_results_asks_the_solution(examine):
    task = humaneval.read_plus(Row(HEAD | {"test": CROSS_TEST}))
    assert (examine(task, SOLUTION), examine(task, "    return []\n")) == ([True, True], [False, True])


def test_other_tests_are_split_at_their_statements(examine):
    task = humaneval.read_plus(Row(HEAD | {"test": "def check(candidate):\n    assert candidate([2]) == [1]\n"}))
    assert [check.source for check in task.checks] == ["assert candidate([2]) == [1]"]


def test_mbpp_hub_format(examine):
    task = mbpp.read_plus(Row(MBPP_HEAD | {"task_id": 3, "prompt": "Go up.", "test": MBPP_TEST}))
    assert (len(task.checks), task.exports, task.entry_point) == (2, ("up",), "up")
    assert "assert up(2) == 4" in task.prompt
    assert examine(task, task.solution) == [True, True]
    assert examine(task, "def up(n): return 4") == [False, True]


def test_mbpp_tests_without_the_loop_are_split_too(examine):
    test = "import math\nassert up(2) == 4\nassert up(1) == math.inf"
    task = mbpp.read_plus(Row(MBPP_HEAD | {"task_id": 3, "prompt": "Go up.", "test": test}))
    assert (len(task.checks), examine(task, task.solution)) == (2, [True, True])
    assert examine(task, "def up(n): return 4") == [True, False]


def test_mbpp_native_format_gets_its_tuples_back(examine):
    code = "def up(numbers, n): return isinstance(numbers, tuple) and n in numbers"
    fields = {"prompt": '"""Find."""\n', "canonical_solution": code, "entry_point": "up", "atol": 0}
    task = mbpp.read_plus(Row(fields | {"task_id": "Mbpp/250", "base_input": [[[1, 2], 2]], "plus_input": {}}))
    assert [check.source for check in task.checks] == ["examine([(1, 2), 2])"]
    assert (task.prompt, examine(task, task.solution)) == ('"""Find."""\n', [True])


@pytest.mark.parametrize(
    ("number", "arguments", "expected"),
    [
        (2, [[1], [2]], [(1,), (2,)]),
        (63, [[[1, 2], [3]]], [[(1, 2), (3,)]]),
        (75, [[[1], [2]], 3], [[(1,), (2,)], 3]),
        (106, [[1], [2]], [[1], (2,)]),
        (115, [[[1], []]], [[{1}, {}]]),
        (124, ["1", "2j"], [1.0, 2j]),
        (252, ["1+1j"], [1 + 1j]),
        (259, [[[1], [2]], [[3]]], [((1,), (2,)), ((3,),)]),
        (278, [[1, [2, [3]]]], [(1, (2, [3]))]),
        (580, [[1, [2, [3]]]], [(1, (2, (3,)))]),
        (722, [{"a": [1]}, 2], [{"a": (1,)}, 2]),
        (999, [[1]], [[1]]),
    ],
)
def test_arguments_that_json_cannot_hold_are_restored(number, arguments, expected):
    assert repr(restore_inputs("mbpp", number, [arguments], "base_input")) == repr([expected])


@pytest.mark.parametrize(
    ("out", "expected", "atol", "agree"),
    [
        (1, 1, 0, True),
        (1, 2, 0, False),
        (1.0000001, 1.0, 0, True),  # floats have 1e-6 at least
        (1.00001, 1.0, 0, False),
        (1.00001, 1.0, 1e-4, True),
        (1, 1.0, 0, True),  # equal needs no type
        ([1.0000001], (1.0,), 0, False),  # a tolerance does
        ([1.0], [1.0, 1.0], 1e-4, False),  # numpy would stretch the first
        ([], [1.0], 1e-4, False),  # and take an empty comparison for a success
        (float("nan"), float("nan"), 1e-4, False),
        (float("inf"), float("inf"), 0, True),
        (5.0, float("inf"), 1e-4, False),  # |5 - inf| <= 1e-7 inf
        ("a", "b", 1e-4, False),
        ([[1.0], ["a"]], [[1.0], ["b"]], 1e-4, False),
    ],
)
def test_general_oracle(out, expected, atol, agree):
    assert plus_oracle.agrees(out, expected, (), atol) is agree


@pytest.mark.parametrize(
    ("family", "number", "out", "expected", "arguments", "agree"),
    [
        ("humaneval", 32, 2.0, -9, [[-4, 2]], True),  # 2 x - 4 has its root at 2, whatever the solution found
        ("humaneval", 32, 2.1, 2.1, [[-4, 2]], False),
        ("mbpp", 2, [2, 1, 1], (1, 2), [], True),
        ("mbpp", 737, "match", True, [], True),
        ("mbpp", 737, None, True, [], False),
        ("mbpp", 737, False, True, [], False),
        ("mbpp", 164, None, 5, [], True),
        ("mbpp", 295, 0, 5, [], True),
        ("mbpp", 295, 1, 5, [], False),
        ("mbpp", 558, 10, 3, [19, 0], True),  # |1 - 0| + |9 - 0|
        ("mbpp", 581, 96, 3, [6, 4], True),  # 36 + 2 * 6 * sqrt(9 + 16)
    ],
)
def test_oracles_of_single_tasks(family, number, out, expected, arguments, agree):
    assert plus_oracle.ORACLES[family][number](out, expected, arguments, 1e-4) is agree


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base_input": 3}, "field 'base_input': got 3, wanted a list of lists"),
        ({"base_input": [3]}, "field 'base_input': got a list of 1, wanted a list of lists"),
        ({"base_input": [], "plus_input": []}, "no inputs"),
        ({"atol": "x"}, "field 'atol': got the string 'x', wanted a number"),
    ],
)
def test_bad_field_is_named(changes, message):
    with pytest.raises(DatasetError, match=message):
        humaneval.read_plus(native(**changes))
