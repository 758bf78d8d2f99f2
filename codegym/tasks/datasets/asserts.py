"""The names that assert tests need, and who defines them: the program, an import, or the tests themselves."""

from __future__ import annotations

import ast
import builtins
import symtable
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from codegym.errors import DatasetError

_BUILTINS = frozenset(dir(builtins)) | {"__name__", "__file__", "__doc__"}


@dataclass(frozen=True, slots=True)
class AssertRequirements:
    """Names that the tests of a task need from outside."""

    exports: tuple[str, ...]
    """Names that the program has to define, in the order in which the tests use them."""
    imports: tuple[str, ...]
    """Import statements of the gold solution whose names the tests use as well."""
    types: tuple[str, ...]
    """Those exports that are classes in the gold solution."""


def parse(source: str, field: str) -> ast.Module:
    """Return the syntax tree of a field.

    Args:
        source: Content of the field.
        field: Name of the field, for the message.

    Raises:
        DatasetError: The source is not valid Python.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the data sets hold invalid escapes such as "\d"
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise DatasetError(f"field {field!r}: not valid Python ({error})") from error


def is_python(source: str) -> bool:
    """Return whether this Python can parse ``source``."""
    try:
        parse(source, "")
    except DatasetError:
        return False
    return True


def find_needs(gold: str, setup: str, tests: Sequence[str]) -> AssertRequirements:
    """Return the names that ``setup`` followed by ``tests`` need from a program like ``gold``.

    A name that the gold solution defines is exported even if it shadows a builtin, since the tests mean the solution's.
    A name without any definition is exported too: then only the program can define it.

    Args:
        gold: Source of the gold solution.
        setup: Source that runs before the tests.
        tests: Sources of the tests.
    """
    tree = parse(gold, "code")
    imported, defined = _imports(tree), top_level_names(tree)
    wanted = _outside_names([setup, *tests])
    exports = [name for name in wanted if name in defined or (name not in imported and name not in _BUILTINS)]
    imports = [imported[name] for name in wanted if name in imported and name not in defined]
    classes = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    return AssertRequirements(
        tuple(exports), tuple(dict.fromkeys(imports)), tuple(name for name in exports if name in classes)
    )


def top_level_names(tree: ast.Module) -> set[str]:
    """Return the names that the module ``tree`` binds by ``def``, ``class`` or assignment."""
    table = _symbols(ast.unparse(tree))
    return {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() and not symbol.is_imported()}


def _imports(tree: ast.Module) -> dict[str, str]:
    """Map each name that the module imports to the statement that imports it alone."""
    found: dict[str, str] = {}
    for node in tree.body:
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        for alias in node.names:
            alone = (
                ast.Import([alias])
                if isinstance(node, ast.Import)
                else ast.ImportFrom(node.module, [alias], level=node.level)
            )
            found[alias.asname or alias.name.partition(".")[0]] = ast.unparse(alone)
    return found


def _outside_names(pieces: Iterable[str]) -> list[str]:
    """List the names that pieces of code use without binding them, first use first; they share one namespace."""
    names: dict[str, None] = {}
    bound: set[str] = set()
    for piece in pieces:
        table = _symbols(piece)
        bound |= {symbol.get_name() for symbol in table.get_symbols() if _is_bound(symbol)}
        used = _global_uses(table, top=True)
        ordered = [node.id for node in ast.walk(ast.parse(piece)) if isinstance(node, ast.Name)]
        names.update(dict.fromkeys(name for name in ordered if name in used and name not in bound))
    return list(names)


def _is_bound(symbol: symtable.Symbol) -> bool:
    return symbol.is_assigned() or symbol.is_imported()


def _global_uses(table: symtable.SymbolTable, *, top: bool = False) -> set[str]:
    used = (symbol for symbol in table.get_symbols() if symbol.is_referenced())
    here = {symbol.get_name() for symbol in used if top or symbol.is_global()}
    return here.union(*(_global_uses(child) for child in table.get_children()))


def _symbols(source: str) -> symtable.SymbolTable:
    return symtable.symtable(source, "<data set>", "exec")
