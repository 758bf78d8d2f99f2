"""The judge with a real sandbox under it."""

from __future__ import annotations

import pytest
from helpers.judging import (
    ASSERT,
    CALL,
    ERROR,
    MEMORY,
    NOT_RUN,
    OUTPUT,
    PASSED,
    STDIN,
    SYNTAX,
    TIMEOUT,
    WRONG,
    printing,
)

from codegym.judge import Judge
from codegym.judge.meaning import read_verdict
from codegym.sandbox.base import (
    Limits,
    Request,
    ScriptJob,
)
from codegym.sandbox.process import ProcessSandbox
from codegym.tasks.record import CallCheck, Task

# --- with a real sandbox ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sandbox():
    limits = Limits(cpu_seconds=1, wall_seconds=4, memory_mb=128, processes=16, output_mb=1, temp_mb=8)
    with ProcessSandbox(limits, num_workers=2) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def judge(sandbox):
    return Judge(sandbox, sandbox.limits)


SCRIPTS = {
    "right": ("print(2 * int(input()))", (PASSED, PASSED, PASSED)),
    "wrong for three": ("n = int(input())\nprint(2 * n if n < 3 else 7)", (PASSED, PASSED, WRONG)),
    "fails for two": ("n = int(input())\nprint(2 * n)\n1 // (n - 2)", (PASSED, ERROR, PASSED)),
    "exits with 0": ("import sys\nprint(2 * int(input()))\nsys.exit(0)", (PASSED, PASSED, PASSED)),
    "exits with 1": ("import sys\nprint(2 * int(input()))\nsys.exit(1)", (ERROR, ERROR, ERROR)),
    "exits at once": ("import os\nos._exit(0)", (WRONG, WRONG, WRONG)),
    "loops for two": ("n = int(input())\nwhile n == 2: pass\nprint(2 * n)", (PASSED, TIMEOUT, NOT_RUN)),
    "fills memory": ("x = [0] * 10**9", (MEMORY, MEMORY, MEMORY)),
    "floods": ("print('x' * 3_000_000)", (OUTPUT, NOT_RUN, NOT_RUN)),
    "does not compile": ("print(", (SYNTAX, SYNTAX, SYNTAX)),
    "kills itself": ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", (ERROR, ERROR, ERROR)),
    "is empty": ("", (WRONG, WRONG, WRONG)),
}


@pytest.mark.parametrize(("program", "checks"), SCRIPTS.values(), ids=SCRIPTS)
def test_scripts_are_judged_in_a_real_sandbox(judge, program, checks):
    assert judge(STDIN, program).checks == checks


FUNCTIONS = {
    "right": ("def f(n):\n    return 2 * n", (PASSED, PASSED, PASSED)),
    "wrong for three": ("def f(n):\n    return 2 * n if n < 3 else 7", (PASSED, PASSED, WRONG)),
    "raises for two": ("def f(n):\n    n // (n - 2)\n    return 2 * n", (PASSED, ERROR, PASSED)),
    "leaves for two": ("import os\ndef f(n):\n    if n == 2: os._exit(0)\n    return 2 * n", (PASSED, ERROR, NOT_RUN)),
    "loops for two": ("def f(n):\n    while n == 2: pass\n    return 2 * n", (PASSED, TIMEOUT, NOT_RUN)),
    "module fails": ("def f(n):\n    return 2 * n\n1 // 0", (ERROR, ERROR, ERROR)),
    "module exits": ("import sys\ndef f(n):\n    return 2 * n\nsys.exit()", (PASSED, PASSED, PASSED)),
    "defines nothing": ("", (ERROR, ERROR, ERROR)),
    "does not compile": ("def f(n)\n    return 2 * n", (SYNTAX, SYNTAX, SYNTAX)),
    "lies": (
        "class L(int):\n    def __eq__(self, other):\n        return True\ndef f(n):\n    return L(0)",
        (WRONG, WRONG, WRONG),
    ),
}


@pytest.mark.parametrize(("program", "checks"), FUNCTIONS.values(), ids=FUNCTIONS)
@pytest.mark.parametrize("task", [CALL, ASSERT], ids=lambda task: task.task_id)
def test_functions_are_judged_in_a_real_sandbox(judge, task, program, checks):
    assert judge(task, program).checks == checks


@pytest.mark.parametrize("task", [CALL, ASSERT], ids=lambda task: task.task_id)
def test_memory_limit_of_a_function_is_told(judge, task):
    verdict = judge(task, "def f(n):\n    return len([0] * 10**9) and 2 * n")
    assert verdict.status is MEMORY
    assert verdict.error.line == 2


def test_methods_of_a_fresh_solution_are_called(judge):
    task = Task("t", "p", (CallCheck((1,), 1), CallCheck((2,), 1)), entry_point="Solution.f")
    program = "class Solution:\n    calls = 0\n    def f(self, n):\n        self.calls += 1\n        return self.calls"
    assert judge(task, program).passed


def test_stopping_at_the_first_failure_agrees_with_going_on(sandbox):
    stopping = Judge(sandbox, sandbox.limits, stop_at_first_failure=True)
    program = "def f(n):\n    return 2 * n if n != 2 else None"
    assert stopping(CALL, program).checks == (PASSED, WRONG, NOT_RUN)
    assert stopping(ASSERT, program).checks == (PASSED, WRONG, NOT_RUN)
    assert stopping(STDIN, "n = int(input())\nprint(2 * n if n != 2 else 0)").checks == (PASSED, WRONG, NOT_RUN)


TRACED = """\
def f(n):
    if n > 100:
        return 0
    total = 0
    for _ in range(2):
        total += n
    return total

def never():
    return 1
"""


@pytest.mark.parametrize(
    ("task", "program", "lines"),
    [
        (CALL, TRACED, {1, 2, 4, 5, 6, 7, 9}),
        (ASSERT, TRACED, {1, 2, 4, 5, 6, 7, 9}),
        (STDIN, "n = int(input())\nif n == 3:\n    n = 3\nif n == 4:\n    n = 0\nprint(2 * n)", {1, 2, 3, 4, 6}),
        (Task("t", "p", CALL.checks, preamble="import math\n\n", entry_point="f"), TRACED, {1, 2, 4, 5, 6, 7, 9}),
        (Task("t", "p", CALL.checks, preamble="def f(n):\n", entry_point="f"), "    return 2 * n\n    n = 1\n", {1}),
        (CALL, TRACED.replace("\n", "\r\n"), {1, 2, 4, 5, 6, 7, 9}),
        (CALL, TRACED.replace("\n", "\r"), {1, 2, 4, 5, 6, 7, 9}),
    ],
    ids=["call", "assert", "stdin", "preamble", "HumanEval", "CRLF", "CR"],
)
def test_executed_lines_of_the_completion_are_reported(sandbox, task, program, lines):
    verdict = Judge(sandbox, sandbox.limits, trace_lines=True)(task, program)
    assert verdict.passed
    assert verdict.executed_lines == lines


def test_read_verdict_is_pure():
    request = Request("", ScriptJob(("1", "2", "3")))
    execution = printing("2", "4", "5")
    assert read_verdict(STDIN, request, execution) == read_verdict(STDIN, request, execution)
    assert read_verdict(STDIN, request, execution).checks == (PASSED, PASSED, WRONG)
    stopped = read_verdict(STDIN, request, printing("0", "4", "5"), stop_at_first_failure=True)
    assert stopped.checks == (WRONG, NOT_RUN, NOT_RUN)
