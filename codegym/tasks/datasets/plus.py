"""Checks of HumanEval+ and MBPP+: one for every input, with the comparison of evalplus.

In the Hub format the tests hold ``inputs``, mostly ``results``, and one loop over them; in the native format there
are only inputs, and what is expected comes from the canonical solution. In both cases the examiner runs the
comparison in ``plus_oracle`` (that of evalplus's own evaluator, which is stricter than the one written into the Hub
format: types must agree, and no shape is stretched to fit another).
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Sequence
from dataclasses import dataclass

from codegym.errors import DatasetError
from codegym.tasks.datasets import plus_oracle
from codegym.tasks.datasets.asserts import parse
from codegym.tasks.datasets.plus_inputs import restore_inputs, source_of
from codegym.tasks.datasets.row import Row

_LISTS = ast.List | ast.Tuple

_SETUP = """\
import copy
import math
from math import inf, nan
from typing import Any
{imports}
{functions}
candidate = {entry_point}

{reference}
def examine(arguments, *expected):
    wanted = expected[0] if expected else reference[{entry_point!r}](*copy.deepcopy(arguments))
    assert {oracle}(candidate(*arguments), wanted, arguments, {atol!r})
"""


@dataclass(frozen=True, slots=True)
class RecordedTests:
    """The examiner's code and the source of every check."""

    setup: str
    checks: list[str]


@dataclass(frozen=True, slots=True)
class Loop:
    """The loop of a test in the Hub format."""

    inputs: list[ast.expr]
    results: list[ast.expr] | None
    function: str
    atol: float


def task_number(task_id: str) -> int:
    """Return the number at the end of a ``task_id`` such as ``Mbpp/2``, -1 if there is none."""
    tail = task_id.rpartition("/")[2]
    return int(tail) if tail.isdecimal() else -1


def native_examination(family: str, number: int, row: Row, program: str, entry_point: str) -> RecordedTests:
    """Return the checks of a row with ``base_input`` and ``plus_input``.

    Args:
        family: Data set, "humaneval" or "mbpp".
        number: Number of the task in the data set.
        row: The row to read.
        program: Source of the reference solution, which computes the expected values.
        entry_point: Name of the function under test.

    Raises:
        DatasetError: The inputs are missing or have another form.
    """
    inputs: list[object] = []
    for name in ("base_input", "plus_input"):
        value = row.data(name) or []  # some rows of MBPP+ have {} or "" for no inputs
        if not isinstance(value, list) or not all(isinstance(arguments, list) for arguments in value):
            raise row.error(name, "a list of lists of arguments")
        inputs += restore_inputs(family, number, value, name)
    sources = [source_of(arguments) for arguments in inputs]
    return _examination(family, number, sources, _tolerance(row), "", program, entry_point)


def hub_examination(family: str, number: int, loop: Loop, row: Row, program: str, entry_point: str) -> RecordedTests:
    """Return the checks of a row whose ``test`` has such a loop.

    Args:
        family: Data set, "humaneval" or "mbpp".
        number: Number of the task in the data set.
        loop: The loop over inputs, from ``find_loop``.
        row: The row to read.
        program: Source of the reference solution, for loops without results.
        entry_point: Name of the function under test.
    """
    sources = [ast.unparse(node) for node in loop.inputs]
    if loop.results is not None:
        results = [ast.unparse(node) for node in loop.results]
        sources = [f"{one}, {other}" for one, other in zip(sources, results, strict=True)]
        program = ""
    kept = [node for node in parse(row.text("test"), "test").body if _is_wanted_import(node)]
    imports = "\n".join(ast.unparse(node) for node in kept)
    return _examination(family, number, sources, loop.atol, imports, program, entry_point)


def _examination(
    family: str, number: int, inputs: list[str], atol: float, imports: str, program: str, entry_point: str
) -> RecordedTests:
    if not inputs:
        raise DatasetError("there are no inputs to test with")
    oracle = plus_oracle.ORACLES[family].get(number, plus_oracle.agrees)
    setup = _SETUP.format(
        imports=imports,
        functions="\n\n".join(inspect.getsource(function) for function in dict.fromkeys([*plus_oracle.USES, oracle])),
        entry_point=entry_point,
        reference=f"reference = {{}}\nexec({program!r}, reference)\n\n" if program else "",
        oracle=oracle.__name__,
        atol=atol,
    )
    return RecordedTests(setup, [f"examine({source})" for source in dict.fromkeys(inputs)])


def _tolerance(row: Row) -> float:
    value = row.values.get("atol", 0)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise row.error("atol", "a number")
    return value


def _is_wanted_import(node: ast.stmt) -> bool:
    # the comparison here does without numpy, which an examiner's interpreter need not have
    return isinstance(node, ast.Import | ast.ImportFrom) and "numpy" not in ast.unparse(node)


def find_loop(body: Sequence[ast.stmt]) -> Loop | None:
    """Return the loop over literal ``inputs`` (and ``results``) that ends ``body``, None for any other body."""
    lists = dict(filter(None, map(_literal_list, body)))
    loop = body[-1] if body else None
    if not isinstance(loop, ast.For) or len(loop.body) != 1:
        return None
    names = [node.id for node in ast.walk(loop.iter) if isinstance(node, ast.Name) and node.id not in _ITERATORS]
    sources = [lists.get(name) for name in names]
    if not 1 <= len(sources) <= 2 or None in sources or len({len(items or []) for items in sources}) != 1:
        return None
    compared = _compared_call(loop.body[0])
    if compared is None:
        return None
    inputs, results = sources[0], sources[1] if len(sources) == 2 else None
    return Loop(inputs or [], results, *compared)


_ITERATORS = {"enumerate", "zip"}


def _literal_list(node: ast.stmt) -> tuple[str, list[ast.expr]] | None:
    if not isinstance(node, ast.Assign) or not isinstance(node.value, _LISTS):
        return None
    target = node.targets[0]
    return (target.id, node.value.elts) if isinstance(target, ast.Name) else None


def _compared_call(node: ast.stmt) -> tuple[str, float] | None:
    """Return the function that is called with ``*inp`` and the tolerance of its output."""
    calls = [part for part in ast.walk(node) if isinstance(part, ast.Call) and _is_spread(part)]
    numbers = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant)]
    if not calls or not numbers or not isinstance(numbers[-1], int | float):
        return None
    function = calls[0].func
    for call in calls:  # the polynomial of HumanEval/32 is itself called with the spread output of the candidate
        if isinstance(call.func, ast.Name) and call.func.id == "candidate":
            function = call.func
    return (function.id, numbers[-1]) if isinstance(function, ast.Name) else None


def _is_spread(call: ast.Call) -> bool:
    return len(call.args) == 1 and isinstance(call.args[0], ast.Starred)
