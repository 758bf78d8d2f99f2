"""MBPP (full and sanitized), and MBPP+ in both of its formats.

Full: ``text``, ``code``, ``test_list``, ``test_setup_code``, ``challenge_test_list``. Sanitized: ``prompt``, ``code``,
``test_imports``, ``test_list``. MBPP+ on the Hub adds ``test`` to the sanitized fields; the native format of evalplus
has ``prompt``, ``canonical_solution``, ``entry_point``, ``base_input``, ``plus_input`` and ``atol``.

Every assert is a check. The prompt is that of the authors, ``You are an expert Python programmer, and here is your
task: {text} Your code should pass these tests:`` and the tests, without their ``[BEGIN]`` and ``[DONE]`` marks: the
completion is judged as it is. They show all three tests, so a program can be written for them alone; ``shown_tests=1``
holds the others back. The number of tests that are shown is in ``metadata["num_shown"]``.
"""

from __future__ import annotations

import ast

from codegym.errors import DatasetError
from codegym.tasks.datasets import plus
from codegym.tasks.datasets.asserts import AssertRequirements, find_needs, parse
from codegym.tasks.datasets.row import Row
from codegym.tasks.datasets.split_checks import split_check
from codegym.tasks.record import AssertCheck, Task

_INTRODUCTION = "You are an expert Python programmer, and here is your task:"


def read(row: Row, *, challenge: bool = False, shown_tests: int = 3) -> Task:
    """Return the task of a row of MBPP, full or sanitized.

    Args:
        row: The row to read.
        challenge: Whether the tests of ``challenge_test_list`` become checks too.
        shown_tests: Number of tests that the prompt shows; 0 is allowed.

    Raises:
        DatasetError: A field is missing or has another form.
    """
    shown, tests = _tests(row, "test_list"), _tests(row, "test_list")
    if challenge:
        tests += _tests(row, "challenge_test_list")
    gold = row.text("code")
    setup = "\n".join([*row.texts("test_imports"), row.text("test_setup_code", "")]).strip()
    parse(setup, "test_setup_code")
    needs = find_needs(gold, setup, tests)
    functions = [name for name in needs.exports if name not in needs.types]
    return _task(
        row,
        needs,
        examiner="\n".join([*needs.imports, *([setup] if setup else [])]),
        checks=tests,
        entry_point=functions[0] if len(functions) == 1 else "",
        shown=shown[: max(shown_tests, 0)],
    )


def read_plus(row: Row, *, shown_tests: int = 3) -> Task:
    """Return the task of a row of MBPP+, whichever of its two formats it has.

    Args:
        row: The row to read.
        shown_tests: Number of tests that the prompt shows; 0 is allowed.

    Raises:
        DatasetError: A field is missing or has another form.
    """
    number = plus.task_number(row.task_id("task_id"))
    if "base_input" in row:
        return _native_task(row, number)
    test = parse(row.text("test"), "test")
    shown = _tests(row, "test_list")[: max(shown_tests, 0)]
    loop = plus.find_loop(test.body)
    if loop is None:
        return _whole_test(row, test, shown)
    needs = AssertRequirements((loop.function,), (), ())
    gold = row.text("code")
    examination = plus.hub_examination("mbpp", number, loop, row, gold, loop.function)
    return _task(row, needs, examination.setup, examination.checks, loop.function, shown)


def _native_task(row: Row, number: int) -> Task:
    entry_point = row.text("entry_point")
    program = row.text("prompt") + "\n" + row.text("canonical_solution")
    examination = plus.native_examination("mbpp", number, row, program, entry_point)
    return Task(
        task_id=row.task_id("task_id"),
        prompt=row.text("prompt"),
        checks=tuple(AssertCheck(source) for source in examination.checks),
        entry_point=entry_point,
        examiner=examination.setup,
        exports=(entry_point,),
        solution=row.text("canonical_solution"),
    )


def _whole_test(row: Row, test: ast.Module, shown: list[str]) -> Task:
    """Make a task of a ``test`` without the usual loop: its statements are the body of a check."""
    parameters = ast.arguments([], [ast.arg("candidate")], None, [], [], None, [])
    body = ast.FunctionDef("check", parameters, test.body, [], lineno=1, col_offset=0)
    needs = find_needs(row.text("code"), "", [ast.unparse(test)])
    sources = split_check(body, [], frozenset(needs.exports)) or [ast.unparse(test)]
    setup = "\n".join(["candidate = None", *needs.imports])
    return _task(row, needs, setup, sources, needs.exports[0] if len(needs.exports) == 1 else "", shown)


def _task(
    row: Row, needs: AssertRequirements, examiner: str, checks: list[str], entry_point: str, shown: list[str]
) -> Task:
    return Task(
        task_id=row.task_id("task_id"),
        prompt=_prompt(row, shown),
        checks=tuple(AssertCheck(source) for source in checks),
        entry_point=entry_point,
        examiner=examiner,
        exports=needs.exports,
        solution=row.text("code"),
        uses_candidate_types=bool(needs.types),
        metadata=row.metadata("source_file") | {"num_shown": len(shown)},
    )


def _prompt(row: Row, shown: list[str]) -> str:
    text = row.text("text" if "text" in row else "prompt").strip()
    if not shown:
        return f"{_INTRODUCTION} {text}\n"
    return f"{_INTRODUCTION} {text} Your code should pass these tests:\n\n" + "\n".join(shown) + "\n"


def _tests(row: Row, field: str) -> list[str]:
    tests = [test.strip() for test in row.texts(field)]
    for test in tests:
        if not any(isinstance(node, ast.Assert) for node in ast.walk(parse(test, field))):
            raise DatasetError(f"field {field!r}: got {test[:60]!r}, wanted an assert statement")
    if not tests and field == "test_list":
        raise row.error(field, "at least one assert")
    return tests
