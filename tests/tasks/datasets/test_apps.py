from __future__ import annotations

import json

import pytest

from codegym.errors import DatasetError
from codegym.judge.comparison import value_matches
from codegym.tasks.datasets import apps
from codegym.tasks.datasets.row import Row
from codegym.tasks.record import CallCheck, StdinCheck

STDIN = {"inputs": ["1 2\n", "3 4\n"], "outputs": ["3\n", "7\n"]}
CALL = {"fn_name": "twice", "inputs": [[1], [2]], "outputs": [2, 4]}


def row(examples, **changes):
    fields = {"problem_id": 5, "question": "Add.", "input_output": examples, "solutions": ["print(3)"]}
    return Row(fields | {"starter_code": "", "difficulty": "easy"} | changes)


def test_rows_for_standard_input():
    task = apps.read(row(STDIN))
    assert task.checks == (StdinCheck("1 2\n", "3\n"), StdinCheck("3 4\n", "7\n"))
    assert (task.task_id, task.comparison, task.preamble, task.entry_point) == ("5", "apps", "", "")
    assert task.prompt == "\nQUESTION:\nAdd.\nUse Standard Input format\nANSWER:\n"
    assert (task.solution, task.metadata) == ("print(3)", {"difficulty": "easy"})


def test_rows_for_calls():
    task = apps.read(row(CALL, starter_code="def twice(n):\n    "))
    assert task.checks == (CallCheck((1,), 2), CallCheck((2,), 4))
    assert task.entry_point == "twice"
    assert task.prompt == "\nQUESTION:\nAdd.\ndef twice(n):\n    \nUse Call-Based format\nANSWER:\n"


@pytest.mark.parametrize("examples", [STDIN, CALL])
def test_fields_may_be_json_text(examples):
    assert apps.read(row(json.dumps(examples), solutions='["print(3)"]')) == apps.read(row(examples))


@pytest.mark.parametrize(
    ("starter", "solution", "entry_point"),
    [
        ("class Solution:\n    def twice(self, n: List[int]):\n        ", "pass", "Solution.twice"),
        ("", "class Solution:\n    def twice(self, n): return 2 * n", "Solution.twice"),
        ("", "def twice(n): return 2 * n", "twice"),
    ],
)
def test_methods_are_called_on_a_solution(starter, solution, entry_point):
    assert apps.read(row(CALL, starter_code=starter, solutions=[solution])).entry_point == entry_point


def test_preamble_of_calls_imports_what_starter_code_uses_and_hides_no_builtin():
    program: dict = {}
    code = "def twice(n: List[int]) -> Optional[Dict[str, int]]: return heapq, Counter, gcd, pow, deque, math, open"
    exec(apps.read(row(CALL)).preamble + code, program)
    assert program["twice"](1)[3:4] == (pow,)
    assert program["twice"](1)[-1] is open


def test_rows_without_solutions_have_no_gold():
    assert apps.read(row(STDIN, solutions="")).solution is None
    assert apps.read(row(STDIN, solutions=[])).solution is None


def test_gold_is_the_first_solution_that_this_python_can_parse():
    assert apps.read(row(STDIN, solutions=["print 3", "print(3)"])).solution == "print(3)"


def test_lists_of_lines_are_joined():
    task = apps.read(row({"inputs": [["1", "2"]], "outputs": [["3", ""]]}))
    assert task.checks == (StdinCheck("1\n2", "3\n"),)


def test_objects_get_whole_numbers_as_keys_again():
    examples = {"fn_name": "f", "inputs": [[{"1": 2}, {"3": 4}]], "outputs": [[{"5": 6}]]}
    (check,) = apps.read(row(examples)).checks
    assert check == CallCheck(({1: 2}, {"3": 4}), [{5: 6}])
    assert value_matches("apps", {5: 6}, check.expected)


def test_checks_that_only_repeat_another_are_left_out():
    examples = {"inputs": ["1", "1", "2"], "outputs": ["3", "3", "3"]}
    assert apps.read(row(examples)).checks == (StdinCheck("1", "3"), StdinCheck("2", "3"))


def test_whole_numbers_of_any_length_can_be_read():
    digits = "-" + "7" * 9000
    examples = '{"fn_name": "f", "inputs": [[' + digits + ']], "outputs": [1]}'
    (check,) = apps.read(row(examples)).checks
    assert check.arguments == (-7 * (10**9000 - 1) // 9,)


@pytest.mark.parametrize(
    ("examples", "message"),
    [
        # no tests, and every program would pass
        ({"inputs": [], "outputs": []}, "got no inputs, wanted at least one"),
        ("", "inputs is None, outputs is None, wanted two lists"),
        ({"inputs": ["1"], "outputs": []}, "got 1 inputs and 0 outputs, wanted equally many"),
        ({"inputs": ["1", "1"], "outputs": ["2", "3"]}, "the input '1' has two different outputs"),
        ({"inputs": [1], "outputs": ["2"]}, "inputs: got 1, wanted text or a list of lines"),
        ({"fn_name": "f", "inputs": [1], "outputs": [2]}, "inputs: got 1, wanted a list of arguments"),
        ({"fn_name": 3, "inputs": [[1]], "outputs": [2]}, "fn_name: got 3, wanted a string"),
        ("[1", "wanted JSON"),
        ("{" * 10_000, "wanted JSON"),
        (["x"], "got a list of 1, wanted an object"),
    ],
)
def test_r9_bad_tests_are_errors(examples, message):
    with pytest.raises(DatasetError, match=f"field 'input_output'.*{message}"):
        apps.read(row(examples))
