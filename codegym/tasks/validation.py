"""Checks of tasks: each function returns a sentence about what is wrong, or None.

A wrong task is worse than none: if its checks compare nothing, every program passes, and if they cannot run, none does.
"""

from __future__ import annotations

import ast
import builtins
import re
import symtable
import warnings
from collections.abc import Iterable, Sequence

from codegym.tasks.plain_data import describe_value

_BUILTINS = frozenset(dir(builtins)) | {"__name__", "__file__", "__doc__"}
_DYNAMIC = frozenset({"exec", "eval", "globals", "locals", "vars"})
_STAR_IMPORT = re.compile(r"\bimport\s*\(?\s*\*")
_NO_EFFECT = (ast.Compare, ast.BoolOp, ast.UnaryOp, ast.Constant, ast.Name, ast.Attribute, ast.Subscript)
_PREDICATES = frozenset({"all", "any", "bool", "callable", "hasattr", "isinstance", "issubclass"})


def not_text(name: str, value: object) -> str | None:
    """Return what is wrong with a field that has to be text.

    Args:
        name: Name of the field, for the sentence.
        value: Value of the field.
    """
    if isinstance(value, str):
        return None
    remedy = "Decode it." if isinstance(value, bytes) else "Write it as text."
    return f"{name}: got {describe_value(value)}; expected text. {remedy}"


def not_python(name: str, source: str) -> str | None:
    """Return what is wrong with a field that has to be Python source.

    Args:
        name: Name of the field, for the sentence.
        source: Text of the field.
    """
    try:
        _parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return f"{name}: got {describe_value(source)}, which is not valid Python ({error}); expected Python source"
    return None


def checks_nothing(source: str) -> str | None:
    """Return why the statements of an assert check can decide nothing, though they are valid Python.

    A statement decides by raising an exception, so a comparison whose value is not asserted lets every program pass. A
    call may raise, as ``check(candidate)`` of HumanEval does.

    >>> checks_nothing("assert f(1) == 2"), checks_nothing("check(f)")
    (None, None)
    >>> print(checks_nothing("f(1) == 2"))
    AssertCheck: got the string 'f(1) == 2', which no program fails; expected an assert. Write 'assert f(1) == 2'

    Args:
        source: Valid Python source.
    """
    body = _parse(source).body
    if not all(_is_idle(node) for node in body):
        return None
    remedy = f" Write 'assert {source.strip()}'" if len(body) == 1 and isinstance(body[0], ast.Expr) else ""
    wrong = f"AssertCheck: got {describe_value(source)}, which no program fails"
    return f"{wrong}; expected an assert.{remedy}"


def _is_idle(node: ast.stmt) -> bool:
    if not isinstance(node, ast.Expr):
        return isinstance(node, ast.Pass)
    value = node.value
    is_predicate = isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in _PREDICATES
    return is_predicate or isinstance(value, _NO_EFFECT)


def _parse(source: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # data sets hold invalid escapes such as "\d"
        return ast.parse(source)


def bad_exports(exports: object) -> str | None:
    """Return what is wrong with the names of ``Task.exports``.

    Args:
        exports: Value of the field.
    """
    expected = "expected a tuple of names that the program defines, such as ('f',)"
    if not isinstance(exports, tuple | list):
        return f"exports: got {describe_value(exports)}; {expected}"
    wrong = [name for name in exports if not (isinstance(name, str) and name.isidentifier())]
    return f"exports: got {describe_value(wrong[0])} among them; {expected}" if wrong else None


def bad_entry_point(entry_point: str) -> str | None:
    """Return what is wrong with a name that call checks call.

    Args:
        entry_point: Value of ``Task.entry_point``.
    """
    parts = entry_point.split(".")
    if len(parts) <= 2 and all(part.isidentifier() for part in parts):
        return None
    return f"entry_point: got {describe_value(entry_point)}; expected a name such as 'f' or 'Solution.f'"


def bad_names(examiner: str, sources: Sequence[str], exports: Iterable[str]) -> str | None:
    """Return what is wrong with the names in assert checks: none comes from the program, or one is not defined.

    Args:
        examiner: Source that runs before the checks.
        sources: Sources of the checks.
        exports: Names that come from the program.
    """
    tables = [symtable.symtable(source, "<check>", "exec") for source in (examiner, *sources)]
    used = set[str]().union(*map(_used, tables))
    exported = set(exports)
    if not used & exported:
        others = ", ".join(sorted(used - _BUILTINS)) or "none"
        return (
            f"no check uses the program: got exports={sorted(exported)} and checks that use the names {others}; "
            "expected checks that use a name of exports. Put what the program defines into exports"
        )
    unknown = set[str]().union(*map(_used_at_once, tables[1:])) - _BUILTINS - exported
    unknown -= set[str]().union(*map(_bound, tables))
    if not unknown or used & _DYNAMIC or any(map(_STAR_IMPORT.search, (examiner, *sources))):
        return None
    return (
        f"no program can pass: got checks that use {min(unknown)!r}; expected names that exports, the examiner or "
        "Python define. Add it to exports if the program defines it"
    )


def _used(table: symtable.SymbolTable) -> set[str]:
    """Return the names that a table and the tables inside of it take from the module."""
    return _used_at_once(table).union(*(_used(child) for child in table.get_children()))


def _used_at_once(table: symtable.SymbolTable) -> set[str]:
    is_module = table.get_type() == "module"
    symbols = (symbol for symbol in table.get_symbols() if symbol.is_referenced())
    return {symbol.get_name() for symbol in symbols if is_module or symbol.is_global()}


def _bound(table: symtable.SymbolTable) -> set[str]:
    """Return the names that a table and the tables inside of it bind in the module."""
    is_module = table.get_type() == "module"
    symbols = (symbol for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported())
    names = {symbol.get_name() for symbol in symbols if is_module or symbol.is_declared_global()}
    return names.union(*(_bound(child) for child in table.get_children()))
