"""The oracle: the true first wrong line."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codegym import CallCheck, Task
from codegym.tasks.procedural import Pipelines, first_wrong_line, inject_bugs, mutants
from codegym.tasks.procedural.interpreter import compile_program, passes

SOLUTION = "def f(x):\n    x = x[1:]\n    x = [i + 3 for i in x]\n    x = sorted(x)\n    return sum(x)\n"
TASK = Task(
    "t",
    "f(x): tail, add 3, sort; return sum\n",
    tuple(CallCheck((x,), sum(i + 3 for i in x[1:])) for x in ([4, 1, 9, 2], [0, 5, 5], [7, -3, 8, 8, 1])),
    entry_point="f",
    solution=SOLUTION,
)
CASES = {
    "the solution": (SOLUTION, None),
    "nothing": ("", None),
    "a beginning": ("def f(x):\n    x = x[1:]\n", None),
    "another name": (SOLUTION.replace("x", "b"), None),
    "a second name": ("def f(x):\n    y = x[1:]\n    y = [i + 3 for i in y]\n", None),
    "a wrong number": ("def f(x):\n    x = x[1:]\n    x = [i + 2 for i in x]\n    x = sorted(x)\n", 3),
    "a wrong first line": ("def f(x):\n    x = x[:1]\n    x = [i + 3 for i in x]\n", 2),
    "a wrong return": (SOLUTION.replace("sum", "len"), 5),
    "an unknown name": ("def f(x):\n    x = y[1:]\n", 2),
    "comments and empty lines": ("# so\ndef f(x):\n    # first\n\n    x = x[1:]  # tail\n", None),
    "a comment before a wrong line": ("# so\ndef f(x):\n    x = x[2:]\n", 3),
    "two steps in one line": ("def f(x):\n    x = [i + 3 for i in x[1:]]\n", None),
    "independent steps in another order": ("def f(x):\n    x = x[1:]\n    x = sorted(x)\n", None),
    "a line too much in a program that passes": (SOLUTION.replace("    return", "    x = x + []\n    return"), None),
    "no Python": ("def f(x):\n    x = x[1:]\n    x = = x\n    x = sorted(x)\n", 3),
    "outside the grammar": ("def f(x):\n    import os\n", 2),
    "another function": ("def g(x):\n    x = x[1:]\n", 1),
    "no function": ("x = x[1:]\n", 1),
    "an unfinished line": ("def f(x):\n    x = x[1:]\n    x = [i + 3 fo", None),
    "an unfinished wrong line": ("def f(x):\n    x = x[1:]\n    x = [i + 4 fo", 3),
    "an endless loop": ("def f(x):\n    x = x[1:]\n    while 1 > 0:\n        x = x[:]\n    return sum(x)\n", 3),
    "text that explodes": ("def f(x):\n    x = x * 99999999\n", 2),
}


@pytest.mark.parametrize("case", CASES)
def test_first_wrong_line_of(case):
    program, line = CASES[case]
    assert first_wrong_line(TASK, program) == line


def test_a_spare_line_may_do_nothing():
    program = "def f(x):\n    x = x[1:]\n    x = x + []\n"
    assert first_wrong_line(TASK, program) == 3
    assert first_wrong_line(TASK, program, spare=1) is None


def test_solutions_and_all_their_beginnings_are_right(tasks):
    for task in tasks[:5]:
        places = [0, len(task.solution) // 3, len(task.solution) // 2, len(task.solution)]
        lines = task.solution.splitlines(keepends=True)
        for beginning in [task.solution[:place] for place in places] + ["".join(lines[:n]) for n in range(len(lines))]:
            assert first_wrong_line(task, beginning) is None


def test_the_constructed_wrong_line_is_found(tasks):
    rng = np.random.default_rng(0)
    found = [
        (first_wrong_line(task, program), line) for task in tasks for program, line in list(mutants(task, rng))[:5]
    ]
    # a wrong line may still be mended by another end, such as one that skips the next line, but never before it
    assert all(first is not None and first >= line for first, line in found)
    assert np.mean([first == line for first, line in found]) > 0.8


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.floats(0, 1.5))
def test_a_finished_program_has_no_wrong_line_exactly_where_it_passes(seed, rate):
    rng = np.random.default_rng(seed)
    task = Pipelines(horizon=(1, 5)).draw(rng)
    program = inject_bugs(task, rng, rate)
    assert (first_wrong_line(task, program) is None) == passes(task.checks, compile_program(program.splitlines()))


@settings(max_examples=40)
@given(st.integers(0, 10_000))
def test_a_line_is_wrong_whatever_follows_unless_the_program_passes(seed):
    rng = np.random.default_rng(seed)
    task = Pipelines(horizon=(2, 5)).draw(rng)
    program = inject_bugs(task, rng, 1.2)
    line = first_wrong_line(task, program)
    if line is not None:
        lines = program.splitlines(keepends=True)
        assert first_wrong_line(task, "".join(lines[:line])) == line
        assert first_wrong_line(task, "".join(lines[: line - 1])) is None


def test_a_task_without_a_solution_is_refused():
    with pytest.raises(ValueError, match="no solution"):
        first_wrong_line(Task("t", "", TASK.checks, entry_point="f"), "")
