"""Splitting a HumanEval-style ``def check(candidate)`` into checks that count one by one.

Each check is source that runs at module level; ``candidate`` is the function under test. All of them pass exactly if
``check(candidate)`` passes. A body is cut between its statements. What a check needs of the statements before it is
repeated in front of it. If a check binds names or needs such statements, it becomes the body of a function, so that
names like ``str`` in it hide no builtin from the next one. A body that cannot be cut safely is left whole: one check
that calls ``check``.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Sequence

UNSPLIT_CHECK = "check(candidate)"
"""The source of the one check of a body that is left whole."""

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_SCOPES = (*_DEFINITIONS, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_BINDINGS = (*_DEFINITIONS, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Import, ast.ImportFrom)


def split_check(check: ast.FunctionDef, helpers: Sequence[ast.stmt], program_names: frozenset[str]) -> list[str] | None:
    """Return the parts of the body of ``check``, None if cutting it would not be safe.

    Args:
        check: The function; its only parameter is the function under test.
        helpers: Other statements of the examiner, which may define functions that ``check`` uses.
        program_names: Other names of the function under test.
    """
    body = [node for node in check.body if not _is_idle(node)]
    if len(check.args.args) != 1 or check.decorator_list or any(map(_forbids_cutting, body)):
        return None
    tested = program_names | {check.args.args[0].arg}
    dependent = _dependent_names([*helpers, *body], tested, _locals(body))
    asserting = _asserting_functions([*helpers, *body])
    checks = {node for node in body if _can_fail(node, asserting) or _calls(node, dependent)}
    last = max((at for at, node in enumerate(body) if node in checks), default=-1)
    if _share_state(body, checks) or any(_loads(node) & dependent for node in body[last + 1 :]):
        return None
    setup: list[ast.stmt] = []
    sources = []
    for node in body:
        if node not in checks:
            setup.append(node)
        elif _loads(node) & dependent:
            sources.append(_source(check, setup, node))
    return sources


def _source(check: ast.FunctionDef, setup: list[ast.stmt], node: ast.stmt) -> str:
    context = _needed(setup, node)
    if not context and not _stores(node):
        return ast.unparse(node)
    parameter = check.args.args[0].arg
    function = ast.FunctionDef("_check", check.args, [*context, node], [], lineno=1, col_offset=0)
    return f"{ast.unparse(ast.fix_missing_locations(function))}\n_check({parameter})"


def _needed(before: list[ast.stmt], node: ast.stmt) -> list[ast.stmt]:
    """Return those statements before a check that it uses, and those that do more than bind a name."""
    wanted = _loads(node)
    kept: list[ast.stmt] = []
    for other in reversed(before):
        if _only_binds(other) and not _stores(other) & wanted:
            continue
        kept.append(other)
        wanted |= _loads(other)
    return kept[::-1]


def _only_binds(node: ast.stmt) -> bool:
    plain = isinstance(node, ast.Assign) and all(isinstance(target, ast.Name) for target in node.targets)
    calls = any(isinstance(part, ast.Call | ast.Await) for part in ast.walk(node))
    return (plain and not calls) or isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef)


def _is_idle(node: ast.stmt) -> bool:
    value = node.value if isinstance(node, ast.Expr) else None
    return isinstance(node, ast.Pass) or isinstance(value, ast.Constant | ast.Name)


def _forbids_cutting(node: ast.stmt) -> bool:
    forbidden = ast.Return | ast.Yield | ast.YieldFrom | ast.Await | ast.Global | ast.Nonlocal | ast.Delete
    leaks = any(isinstance(part, ast.NamedExpr) for part in ast.walk(node))
    calls = {"locals", "globals", "vars", "exec", "eval"}
    return leaks or any(isinstance(part, forbidden) for part in _own_parts(node)) or bool(_loads(node) & calls)


def _own_parts(node: ast.AST) -> list[ast.AST]:
    """Return the node and its descendants, without those inside scopes of their own."""
    parts = [node]
    if not isinstance(node, _SCOPES):
        for child in ast.iter_child_nodes(node):
            parts += _own_parts(child)
    return parts


def _asserting_functions(nodes: Sequence[ast.stmt]) -> set[str]:
    """Return the names of functions that can fail a test: they assert or raise, or use one that does."""
    functions = [node for node in nodes if isinstance(node, _DEFINITIONS)]
    names = {node.name for node in functions if _has_assert(ast.walk(node))}
    while more := {node.name for node in functions if node.name not in names and _loads(node) & names}:
        names |= more
    return names


def _can_fail(node: ast.stmt, asserting: set[str]) -> bool:
    if isinstance(node, _DEFINITIONS):
        return False
    return _has_assert(_own_parts(node)) or bool(_loads(node) & asserting)


def _has_assert(parts: Iterable[ast.AST]) -> bool:
    return any(isinstance(part, ast.Assert | ast.Raise) for part in parts)


def _calls(node: ast.stmt, dependent: set[str]) -> bool:
    """Whether a statement only matters for the effect of the function under test in it, such as not to raise."""
    return not isinstance(node, _BINDINGS) and bool(_loads(node) & dependent)


def _locals(body: list[ast.stmt]) -> set[str]:
    return set[str]().union(*(_stores(node) for node in body if not isinstance(node, ast.Import | ast.ImportFrom)))


def _dependent_names(nodes: Sequence[ast.stmt], tested: frozenset[str], local: set[str]) -> set[str]:
    """Return every name whose value may come from the function under test.

    A call may change its arguments, so the local names of a statement that calls it count as well.
    """
    names = set(tested)
    while True:
        more = set(names)
        for node in nodes:
            if not _loads(node) & names:
                continue
            more |= {node.name} if isinstance(node, _DEFINITIONS) else _stores(node) | (_loads(node) & local)
        if more == names:
            return names
        names = more


def _share_state(body: list[ast.stmt], checks: set[ast.stmt]) -> bool:
    """Whether one check might change a value that another statement reads."""
    setup = [node for node in body if node not in checks]
    before = _locals(setup)
    changeable = _changeable_names(setup)
    for node in checks:
        bound = _stores(node)
        if bound and (
            bound & before
            or any(_loads(other) & bound - _loop_names(node, other) for other in body if other is not node)
        ):
            return True
    uses = Counter(name for node in checks for name in _loads(node) & changeable)
    return any(count > 1 for count in uses.values())


def _loop_names(*nodes: ast.stmt) -> set[str]:
    """Return the loop variables that all of these statements have: each binds them before it uses them."""
    return set.intersection(*(_stores(node.target) if isinstance(node, ast.For) else set() for node in nodes))


def _changeable_names(setup: list[ast.stmt]) -> set[str]:
    """Return the names of values that may be changed in place, or that use such a value."""
    names: set[str] = set()
    for node in setup:
        constant = isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        if not (constant or isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef)):
            names |= _stores(node)
    functions = [node for node in setup if isinstance(node, ast.FunctionDef)]
    while more := {node.name for node in functions if node.name not in names and _loads(node) & names}:
        names |= more
    return names


def _loads(node: ast.AST) -> set[str]:
    names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load)}
    changed = (part.target for part in ast.walk(node) if isinstance(part, ast.AugAssign))
    return names.union(target.id for target in changed if isinstance(target, ast.Name))


def _stores(node: ast.AST) -> set[str]:
    """Return the names that a statement binds in its own scope."""
    names: set[str] = set()
    for part in _own_parts(node):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            names.add(part.id)
        elif isinstance(part, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name.partition(".")[0] for alias in part.names}
        elif isinstance(part, (*_DEFINITIONS, ast.ExceptHandler)) and part.name:
            names.add(part.name)
    return names
