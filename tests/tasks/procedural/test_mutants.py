"""Wrong programs on purpose, and how often they are right."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegym import StdinCheck, Task
from codegym.tasks.procedural import Pipelines, inject_bugs, mutants, pass_rate, pass_rates


def test_a_mutant_has_one_wrong_line_and_fails(tasks, passes):
    rng = np.random.default_rng(0)
    for task in tasks[:6]:
        lines = task.solution.splitlines()
        for program, number in list(mutants(task, rng))[:8]:
            assert not passes(task, program)
            assert program.splitlines()[: number - 1] == lines[: number - 1]
            assert program.splitlines()[number - 1] != lines[number - 1]


def test_mutants_leave_out_and_swap_lines_too():
    task = Pipelines(horizon=6).draw(np.random.default_rng(1))
    lines = task.solution.splitlines()
    written = [program.splitlines() for program, _ in mutants(task, np.random.default_rng(0))]
    assert any(len(program) < len(lines) for program in written)
    assert any(program != lines and sorted(program) == sorted(lines) for program in written)


def test_no_noise_is_the_solution_and_much_is_wrong_everywhere(tasks, passes):
    rng = np.random.default_rng(2)
    for task in tasks:
        assert inject_bugs(task, rng, rate=0) == task.solution
        program = inject_bugs(task, rng, rate=100)
        assert program != task.solution


def test_programs_are_right_as_often_as_the_pass_rate_says(passes):
    rng = np.random.default_rng(3)
    tasks = [Pipelines(horizon=2).draw(rng) for _ in range(1200)]
    solved = np.mean([passes(task, inject_bugs(task, rng)) for task in tasks])
    # three standard errors, and a little for two mistakes that cancel out
    assert solved == pytest.approx(np.mean([pass_rate(task) for task in tasks]), abs=0.045)


def test_the_same_generator_gives_the_same_program(tasks):
    for task in tasks:
        assert inject_bugs(task, np.random.default_rng(4)) == inject_bugs(task, np.random.default_rng(4))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6), st.floats(0, 2))
def test_pass_rates_are_the_mean_over_all_choices(rates, rate):
    right = [max(0, 1 - rate * each) for each in rates]
    expected = [np.mean([np.prod(few) for few in combinations(right, size)]) for size in range(1, len(rates) + 1)]
    assert pass_rates(rates, len(rates), rate) == pytest.approx(expected)


def test_pass_rates_of_more_operations_than_there_are_is_an_error():
    with pytest.raises(ValueError, match="3 different operations"):
        pass_rates([0.1, 0.2], 3)


def test_a_task_of_no_such_family_is_refused():
    task = Task("1", "p", (StdinCheck("", ""),), solution="pass")
    for function in (lambda: inject_bugs(task, np.random.default_rng(0)), lambda: pass_rate(task)):
        with pytest.raises(ValueError, match="wrong"):
            function()
