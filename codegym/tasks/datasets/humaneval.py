"""HumanEval, and HumanEval+ in both of its formats.

HumanEval (and the Hub format of HumanEval+): ``task_id``, ``prompt``, ``canonical_solution``, ``entry_point`` and
``test``, which defines ``check(candidate)``. The native format of evalplus has ``base_input``, ``plus_input`` and
``atol`` in the place of ``test``.

The policy sees the prompt, and the program begins with it. The examiner's code is the prompt without the function under
test (helpers that the tests use come from there, never from the program), then the tests without ``check``, then
``candidate`` as a name for the function under test.
"""

from __future__ import annotations

import ast

from codegym.errors import DatasetError
from codegym.tasks.datasets import plus
from codegym.tasks.datasets.asserts import is_python, parse
from codegym.tasks.datasets.row import Row
from codegym.tasks.datasets.split_checks import UNSPLIT_CHECK, split_check
from codegym.tasks.record import AssertCheck, Task


def read(row: Row) -> Task:
    """Return the task of a ``row`` of HumanEval.

    Raises:
        DatasetError: A field is missing or has another form.
    """
    test = parse(row.text("test"), "test")
    check = _find_check(test)
    entry_point = row.text("entry_point")
    helpers = [*_prompt_helpers(row), *(node for node in test.body if node is not check and not _calls_check(node))]
    sources = split_check(check, helpers, frozenset({entry_point}))
    if sources == []:
        raise DatasetError("field 'test': no assert depends on the function under test")
    if sources is None:
        sources, helpers = [UNSPLIT_CHECK], [*helpers, check]
    parameter = check.args.args[0].arg if check.args.args else "candidate"
    names = dict.fromkeys([parameter, "candidate"])
    examiner = [*map(ast.unparse, helpers), *(f"{name} = {entry_point}" for name in names)]
    return _task(row, "\n".join(examiner), sources)


def read_plus(row: Row) -> Task:
    """Return the task of a ``row`` of HumanEval+, whichever of its two formats it has.

    Raises:
        DatasetError: A field is missing or has another form.
    """
    entry_point = row.text("entry_point")
    number = plus.task_number(row.task_id("task_id"))
    if "base_input" in row:
        examination = plus.native_examination("humaneval", number, row, _program(row), entry_point)
    else:
        check = _find_check(parse(row.text("test"), "test"))
        found = plus.find_loop(check.body)
        if found is None:
            return read(row)
        examination = plus.hub_examination("humaneval", number, found, row, _program(row), entry_point)
    return _task(row, examination.setup, examination.checks)


def _task(row: Row, examiner: str, sources: list[str]) -> Task:
    return Task(
        task_id=row.task_id("task_id"),
        prompt=row.text("prompt"),
        preamble=row.text("prompt"),
        checks=tuple(AssertCheck(source) for source in sources),
        entry_point=row.text("entry_point"),
        examiner=examiner,
        exports=(row.text("entry_point"),),
        solution=row.text("canonical_solution") if "canonical_solution" in row else None,
    )


def _program(row: Row) -> str:
    return row.text("prompt") + row.text("canonical_solution")


def _prompt_helpers(row: Row) -> list[ast.stmt]:
    prompt = row.text("prompt")
    # a prompt that ends without a docstring is Python only together with the solution
    tree = parse(prompt, "prompt") if is_python(prompt) else parse(_program(row), "prompt")
    entry_point = row.text("entry_point")
    return [node for node in tree.body if not (isinstance(node, ast.FunctionDef) and node.name == entry_point)]


def _find_check(test: ast.Module) -> ast.FunctionDef:
    for node in test.body:
        if isinstance(node, ast.FunctionDef) and node.name == "check":
            return node
    raise DatasetError("field 'test': got no function 'check', wanted 'def check(candidate)'")


def _calls_check(node: ast.stmt) -> bool:
    call = node.value if isinstance(node, ast.Expr) else None
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "check"
