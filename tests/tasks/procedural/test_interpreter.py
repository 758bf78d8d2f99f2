"""Programs in this process: right answers, and no way out of the grammar."""

from __future__ import annotations

import pytest

from codegym.tasks.procedural.grammar import compile_statement
from codegym.tasks.procedural.interpreter import call, compile_program, outputs

REFUSED = [
    "import os", "x = __import__('os')", "x = ().__class__", "x = x.format(1)", "_step = 1", "x = lambda: 1",
    "x = f'{x}'", "x = 2 ** 99", "x = 1 << 9", "def g(): pass", "class A: pass", "with x: pass", "del x", "x = 1.5",
    "x = [i for i in x for j in x]", "x = [[j for j in x] for i in x]", "x = x.ljust(9999999)", "global x", "x = {*x}",
    "x = x.ljust(n)", "x.y = 1", "raise x", "yield x", "x = (y := 1)", "x = b'a'", "((((((", "x = '", "break",
]  # fmt: skip
TOO_MUCH = [
    "while 1:\n        x = x",
    "x = [0] * 9999",
    "x = x * 999999999",
    "x = [i for i in range(10**6)]",
    "for i in range(999):\n        for j in range(999):\n            x = x",
    "for i in range(99):\n        x = x + x",
    "for i in range(99):\n        x += x",
    "x = x + x\n" + "    x = x + x\n" * 40,
    "for i in range(99):\n        x.append(x + x)\n        x = x + x",
    "s = 'a'\n    for i in x * 9:\n        s = s.replace('a', s + s)",
    "s = 9\n    for i in x * 99:\n        s = s * s",
]


def run(body: str, *arguments: object) -> object:
    program = compile_program(f"def f(x):\n    {body}\n    return x".splitlines())
    assert program is not None
    return call(program, arguments)


def test_a_program_is_called():
    assert run("x = [i * 2 for i in x[1:]]", [1, 2, 3]) == [4, 6]


def test_a_nested_return_ends_a_program():
    assert run("for i in x:\n        if i > 1:\n            return i", [1, 2, 3]) == 2


def test_a_program_keeps_its_fingers_off_the_arguments():
    argument = [1]
    assert run("x.append(2)", argument) == [1, 2]
    assert argument == [1]


@pytest.mark.parametrize("statement", REFUSED)
def test_refused(statement):
    assert compile_statement(statement) is None


@pytest.mark.parametrize("body", TOO_MUCH)
def test_neither_time_nor_memory_runs_away(body):
    program = compile_program(f"def f(x):\n    {body}\n    return x".splitlines())
    assert outputs(program, [([1, 2, 3],)]) is None


@pytest.mark.parametrize(
    "program",
    ["", "x = 1", "def f():\n    return 1", "def g(x):\n    return 1", "def f(x):\n  return 1", "def f(_x):\n"],
)
def test_what_is_not_one_function_is_no_program(program):
    assert compile_program(program.splitlines()) is None
