"""Runs programs of the families in this process: fast, and only what their grammar allows.

A program is one function: a ``def`` line and statements that are indented by four spaces, each on a line of its own.
Every statement at that level, with what is nested in it, is compiled once and kept, since the statements of a family
come again and again. Before that its syntax tree is checked: only the nodes, names and methods listed here, and no
name that begins with an underscore. While it runs, loops count their steps and assignments the size of their value,
so that neither time nor memory runs away. This is a filter for what tiny policies write and no sandbox for hostile
programs: verdicts come from ``codegym.Judge``.
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
    """Compile the indented lines of a program; None where one is outside the grammar or no Python at all."""
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
    """Compile a program; None where it is not one function ``f`` within the grammar."""
    body = iter(lines)
    head = next((line for line in body if line.strip(" ") and not line.lstrip(" ").startswith("#")), "")
    match = _DEF.fullmatch(head)
    codes = compile_statements(tuple(body)) if match else None
    return (tuple(match[1].split(", ")), codes) if match and codes is not None else None


def call(program: Program, arguments: Sequence[object]) -> object:
    """Call a program on fresh copies of the arguments and give what it returns, None where it returns nothing.

    Raises:
        Exception: whatever the program raises; ``StopIteration`` where its loops take too many steps.
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
    """Call a program on each of the inputs; None where it fails on one of them."""
    if program is None:
        return None
    try:
        return [call(program, arguments) for arguments in inputs]
    except Exception:  # the program's own: it is judged here, the machine is not
        return None


def passes(checks: Iterable[Check], program: Program | None) -> bool:
    """Say whether a program of the families passes call checks."""
    if program is None:
        return False
    try:
        return all(call(program, check.arguments) == check.expected for check in checks if isinstance(check, CallCheck))
    except Exception:  # as above
        return False
