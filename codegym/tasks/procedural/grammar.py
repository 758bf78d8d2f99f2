"""The grammar of the families' programs: statements that may run in this process, and their guards."""

from __future__ import annotations

import ast
import re
import warnings
from types import CodeType
from typing import Any

MAX_STEPS = 2_000
"""Steps of all loops of one call together."""
MAX_SIZE = 1_000
"""Items of a list, characters of a text."""
_MAX_BITS = 256
_SMALL = 1 << _MAX_BITS // 2
_NODES = re.compile(
    "Module|Assign|AugAssign|Expr|If|For|While|Return|Pass|Break|Continue|Name|Load|Store|Constant|Tuple|List|Dict|"
    "BinOp|UnaryOp|BoolOp|Compare|IfExp|Call|Attribute|Subscript|Slice|ListComp|GeneratorExp|comprehension|Add|Sub|"
    "Mult|FloorDiv|Mod|USub|Not|And|Or|Eq|NotEq|Lt|LtE|Gt|GtE|In|NotIn"
)
_METHODS = re.compile(
    "append|pop|get|join|split|strip|lstrip|rstrip|upper|lower|swapcase|title|capitalize|replace|count|find|index|"
    "startswith|endswith|isalpha|isdigit|isupper|islower|ljust|rjust"
)
_PADDING = frozenset(["ljust", "rjust"])


class Returned(Exception):
    """Exception that a ``return`` raises, with the value."""


def _give(value: object) -> None:
    raise Returned(value)


def _fit(value: Any) -> object:
    large = value.bit_length() > _MAX_BITS if isinstance(value, int) else len(value) > MAX_SIZE
    if large:
        raise OverflowError("a value became too large")
    return value


def _times(left: int, right: int) -> int:
    """Return the product; a few multiplications can make a huge value."""
    if isinstance(left, int) and isinstance(right, int):
        if -_SMALL < left < _SMALL and -_SMALL < right < _SMALL:
            return left * right
        if left.bit_length() + right.bit_length() > _MAX_BITS:
            raise OverflowError("a number became too large")
    elif isinstance(left, int):
        _range(left * len(right))
    else:
        _range(right * len(left))
    return left * right


def _range(*bounds: int) -> range:
    made = range(*bounds)
    if len(made) > MAX_SIZE:
        raise OverflowError("a range became too long")
    return made


_ALLOWED = (abs, all, any, chr, dict, enumerate, int, len, list, max, min, ord, reversed, set, sorted, str, sum, zip)
BUILTINS: dict[str, object] = {function.__name__: function for function in _ALLOWED} | {
    "__builtins__": {},
    "range": _range,
    "_fit": _fit,
    "_give": _give,
    "_times": _times,
}
"""The names that a program finds; ``_step`` comes with every call."""


def compile_statement(text: str) -> CodeType | None:
    """Return the code of the statement ``text`` with its guards, None if it is outside the grammar or no Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a policy may well write "1 is 1"
            return compile(_Guards().visit(ast.parse(text)), "<program>", "exec")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


def _allowed(node: ast.AST) -> bool:
    if not _NODES.fullmatch(type(node).__name__):
        return False
    if isinstance(node, ast.Name):
        return node.id[0] != "_"
    if isinstance(node, ast.Attribute):
        return _METHODS.fullmatch(node.attr) is not None
    if isinstance(node, ast.Constant):
        return isinstance(node.value, int | str | None) and len(str(node.value)) < 50
    if isinstance(node, ast.ListComp | ast.GeneratorExp):  # nested ones would multiply their steps
        return len(node.generators) == 1 and sum(isinstance(n, ast.comprehension) for n in ast.walk(node)) == 1
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _PADDING:
        width = node.args[0] if node.args else None
        return isinstance(width, ast.Constant) and isinstance(width.value, int) and width.value < MAX_SIZE
    return True


class _Guards(ast.NodeTransformer):
    """Transformer that inserts the guards: ``_step`` into loops, ``_fit`` around kept values, ``_times`` for ``*``.

    Raises:
        ValueError: A node is outside the grammar.
    """

    def visit(self, node: ast.AST) -> Any:  # what generic_visit calls for every node
        if not _allowed(node):
            raise ValueError(f"{type(node).__name__} is outside the grammar")
        return super().visit(node)

    def visit_For(self, node: ast.For | ast.While) -> ast.For | ast.While:
        self.generic_visit(node)
        node.body.insert(0, _do(_call("_step")))
        return node

    visit_While = visit_For

    def visit_Return(self, node: ast.Return) -> ast.Expr:
        self.generic_visit(node)
        return _do(_call("_give", node.value or ast.Constant(None, **_PLACE)))

    def visit_Assign(self, node: ast.Assign) -> ast.Assign:
        self.generic_visit(node)
        if isinstance(node.value, ast.Tuple):
            node.value.elts = [_call("_fit", value) for value in node.value.elts]
        else:
            node.value = _call("_fit", node.value)
        return node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt | list[ast.stmt]:
        self.generic_visit(node)
        loaded = ast.parse(ast.unparse(node.target), mode="eval").body
        if isinstance(node.op, ast.Mult):
            return ast.Assign([node.target], _call("_times", loaded, node.value), **_PLACE)
        return [node, _do(_call("_fit", loaded))]

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        return _call("_times", node.left, node.right) if isinstance(node.op, ast.Mult) else node

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        if isinstance(node.func, ast.Attribute) and node.func.attr == "append":
            node.args = [_call("_fit", value) for value in node.args]
        return node


_PLACE: dict[str, Any] = {"lineno": 1, "col_offset": 0, "end_lineno": 1, "end_col_offset": 0}


def _call(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load(), **_PLACE), list(arguments), [], **_PLACE)


def _do(call: ast.Call) -> ast.Expr:
    return ast.Expr(call, **_PLACE)
