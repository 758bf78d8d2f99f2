"""An interpreter for programs of the families in this process: fast, and only for their grammar.

A program is one function: a ``def`` line and statements that are indented by four spaces, each on a line of its own.
Every statement at that level, with the statements inside it, is compiled once and cached, since the statements of a
family recur. Before that its syntax tree is checked: only the nodes, names and methods listed here, and no name
that begins with an underscore. At run time, loops count their steps and assignments the size of their value, so that
time and memory are bounded. This is a filter for the programs of tiny policies and no sandbox for hostile ones:
verdicts come from ``codegym.Judge``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from types import CodeType

from codegym.tasks.procedural.grammar import BUILTINS, MAX_STEPS, Returned, compile_statement
from codegym.tasks.record import CallCheck, Check

Program = tuple[tuple[str, ...], tuple[CodeType, ...]]
"""The parameters of a function and its compiled statements."""

_DEF = re.compile(r"def f\(([a-z]\w*(?:, [a-z]\w*)*)\):\s*(?:#.*)?")
_MAX_LINE = 200


@lru_cache(maxsize=1 << 12)
def compile_statements(lines: tuple[str, ...]) -> tuple[CodeType, ...] | None:
    """Return the code of the indented ``lines`` of a program, None if one is outside the grammar or no Python."""
    statements: list[str] = []
    for line in lines:
        code = line.lstrip(" ")
        if not code or code[0] == "#":
            continue
        depth = len(line) - len(code)
        if depth < 4 or len(line) > _MAX_LINE:
            return None
        if depth == 4 and not code.startswith(("else", "elif")):
            statements.append(code)
        elif statements:
            statements[-1] += "\n" + line[4:]
        else:
            return None
    codes = tuple(map(_compiled, statements))
    return None if None in codes else codes  # type: ignore[return-value]


_compiled = lru_cache(maxsize=1 << 16)(compile_statement)


def compile_program(lines: Iterable[str]) -> Program | None:
    """Return the program of these ``lines``, None if it is not one function ``f`` within the grammar."""
    body = iter(lines)
    head = next((line for line in body if line.strip(" ") and not line.lstrip(" ").startswith("#")), "")
    match = _DEF.fullmatch(head)
    codes = compile_statements(tuple(body)) if match else None
    return (tuple(match[1].split(", ")), codes) if match and codes is not None else None


def call(program: Program, arguments: Sequence[object]) -> object:
    """Call a program on fresh copies of the arguments; return its result.

    Args:
        program: Program from ``compile_program``.
        arguments: Positional arguments of the call.

    Raises:
        Exception: Any exception of the program; ``StopIteration`` if its loops take too many steps.
    """
    parameters, codes = program
    names = BUILTINS | {"_step": iter(range(MAX_STEPS)).__next__}
    for name, argument in zip(parameters, arguments, strict=True):
        names[name] = argument.copy() if isinstance(argument, list | dict) else argument
    try:
        for code in codes:
            exec(code, names)  # checked by compile_statement
    except Returned as returned:
        return returned.args[0]
    return None


def outputs(program: Program | None, inputs: Iterable[Sequence[object]]) -> list[object] | None:
    """Return the results of a program for each of the inputs, None if it fails on one of them.

    Args:
        program: Program from ``compile_program``; None fails.
        inputs: Positional arguments of each call.
    """
    if program is None:
        return None
    try:
        return [call(program, arguments) for arguments in inputs]
    except Exception:  # the program's own: it is judged here, the machine is not
        return None


def passes(checks: Iterable[Check], program: Program | None) -> bool:
    """Return whether a program of the families passes call checks.

    Args:
        checks: Checks of the task; others than call checks are ignored.
        program: Program from ``compile_program``; None does not pass.
    """
    if program is None:
        return False
    try:
        return all(call(program, check.arguments) == check.expected for check in checks if isinstance(check, CallCheck))
    except Exception:  # as above
        return False
