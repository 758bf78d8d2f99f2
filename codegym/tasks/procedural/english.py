"""From a syntax tree to English: what a program does, statement by statement, and the constructs it uses."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

_OPERATORS = {
    "Add": "plus",
    "Sub": "minus",
    "Mult": "times",
    "FloorDiv": "over",
    "Mod": "modulo",
    "Gt": "is above",
    "GtE": "is at least",
    "Lt": "is below",
    "LtE": "is at most",
    "Eq": "is",
    "NotEq": "is not",
    "In": "is in",
    "NotIn": "is not in",
    "And": "and",
    "Or": "or",
    "Not": "not",
    "USub": "minus",
}
_FUNCTIONS = {"len": "length", "sum": "sum", "max": "maximum", "min": "minimum", "sorted": "sorted", "abs": "size"}
_WORDLESS: dict[type, str] = {ast.Break: "leave the loop", ast.Continue: "go on", ast.Pass: "do nothing"}
_CONSTRUCTS = {
    "For": "for",
    "While": "while",
    "If": "if",
    "IfExp": "conditional expression",
    "AugAssign": "augmented assignment",
    "Slice": "slice",
    "ListComp": "comprehension",
    "Dict": "dictionary",
    "BoolOp": "boolean operator",
    "Compare": "comparison",
    "Call": "call",
    "Break": "break",
    "Continue": "continue",
}


def describe(source: str) -> str:
    r"""Return a description of a function of the families' grammar in low-level English, construct by construct.

    >>> describe("def f(a):\n    s = len(a)\n    for i in a:\n        s += i * 2\n    return s\n")
    'define f of a: set s to length of a; for each i in a (add i times 2 to s); return s\n'

    Args:
        source: Source of one function.

    Raises:
        ValueError: The source holds something else than one function, or a construct without words.
        SyntaxError: The source is not valid Python.
    """
    body = ast.parse(source).body
    if len(body) != 1 or not isinstance(body[0], ast.FunctionDef):
        raise ValueError("one function is wanted")
    parameters = " and ".join(argument.arg for argument in body[0].args.args)
    return f"define {body[0].name} of {parameters}: {_block(body[0].body)}\n"


def constructs(source: str) -> list[str]:
    """Return the names of the constructs in the program ``source``, sorted.

    >>> constructs("x = [i for i in y[1:] if i > 2]")
    ['comparison', 'comprehension', 'slice']
    """
    found = set[str]()
    for node in ast.walk(ast.parse(source)):
        found.add(_CONSTRUCTS.get(type(node).__name__, ""))
        if isinstance(node, ast.If) and node.orelse:
            found.add("else")
        if isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Slice):
            found.add("index")
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple):
            found.add("tuple assignment")
        if isinstance(node, ast.For) and any(isinstance(inner, ast.For) for inner in ast.walk(node) if inner != node):
            found.add("nested for")
    return sorted(found - {""})


def _block(statements: Sequence[ast.stmt]) -> str:
    return "; ".join(map(_statement, statements))


def _statement(node: ast.stmt) -> str:
    match node:
        case ast.For():
            return f"for each {_say(node.target)} in {_say(node.iter)} ({_block(node.body)})"
        case ast.While():
            return f"while {_say(node.test)} ({_block(node.body)})"
        case ast.If():
            otherwise = f" otherwise ({_block(node.orelse)})" if node.orelse else ""
            return f"if {_say(node.test)} ({_block(node.body)}){otherwise}"
    return _simple(node)


def _simple(node: ast.stmt) -> str:
    """Return the words of a statement without a block."""
    match node:
        case ast.Assign(targets=[target]):
            return f"set {_say(target)} to {_say(node.value)}"
        case ast.AugAssign(op=ast.Add()):
            return f"add {_say(node.value)} to {_say(node.target)}"
        case ast.AugAssign(op=ast.Sub()):
            return f"take {_say(node.value)} from {_say(node.target)}"
        case ast.AugAssign():
            return f"set {_say(node.target)} to itself {_OPERATORS[type(node.op).__name__]} {_part(node.value)}"
        case ast.Return(value=ast.expr()):
            return f"return {_say(node.value)}"
        case ast.Expr():
            return f"do {_say(node.value)}"
    if type(node) not in _WORDLESS:
        raise ValueError(f"no words for {type(node).__name__}")
    return _WORDLESS[type(node)]


def _say(node: ast.expr | None) -> str:
    if type(node) not in _SAID:
        raise ValueError(f"no words for {type(node).__name__}")
    return _SAID[type(node)](node)


def _part(node: ast.expr) -> str:
    """Return the words of an operand, in parentheses if it is an operation itself."""
    said = _say(node)
    return f"({said})" if isinstance(node, ast.BinOp | ast.BoolOp | ast.Compare | ast.IfExp) else said


def _compare(node: ast.Compare) -> str:
    said = _part(node.left)
    for operator, right in zip(node.ops, node.comparators, strict=True):
        said += f" {_OPERATORS[type(operator).__name__]} {_part(right)}"
    return said


def _call(node: ast.Call) -> str:
    arguments = " and ".join(map(_part, node.args))
    if isinstance(node.func, ast.Attribute):
        return f"{node.func.attr} {arguments} of {_part(node.func.value)}".replace("  ", " ")
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name == "range":
        return f"the numbers below {arguments}"
    return f"{_FUNCTIONS.get(name, name)} of {arguments}"


def _subscript(node: ast.Subscript) -> str:
    if not isinstance(node.slice, ast.Slice):
        return f"item {_part(node.slice)} of {_part(node.value)}"
    bounds = [("from", node.slice.lower), ("to", node.slice.upper), ("by", node.slice.step)]
    return " ".join([_part(node.value), *(f"{word} {_part(bound)}" for word, bound in bounds if bound)])


def _comprehension(node: ast.ListComp | ast.GeneratorExp) -> str:
    loop = node.generators[0]
    where = "".join(f" where {_say(condition)}" for condition in loop.ifs)
    return f"all {_say(node.elt)} for each {_say(loop.target)} in {_part(loop.iter)}{where}"


def _joined(nodes: Sequence[ast.expr]) -> str:
    return " and ".join(map(_part, nodes))


_SAID: dict[type, Callable[..., str]] = {
    ast.Name: lambda node: str(node.id),
    ast.Constant: lambda node: str(node.value) if isinstance(node.value, int) else f'"{node.value}"',
    ast.BinOp: lambda node: f"{_part(node.left)} {_OPERATORS[type(node.op).__name__]} {_part(node.right)}",
    ast.UnaryOp: lambda node: f"{_OPERATORS[type(node.op).__name__]} {_part(node.operand)}",
    ast.BoolOp: lambda node: f" {_OPERATORS[type(node.op).__name__]} ".join(map(_part, node.values)),
    ast.Compare: _compare,
    ast.IfExp: lambda node: f"{_part(node.body)} if {_say(node.test)} otherwise {_part(node.orelse)}",
    ast.Call: _call,
    ast.Subscript: _subscript,
    ast.ListComp: _comprehension,
    ast.GeneratorExp: _comprehension,
    ast.Tuple: lambda node: _joined(node.elts),
    ast.List: lambda node: f"list of {_joined(node.elts)}" if node.elts else "an empty list",
    ast.Dict: lambda node: "an empty dictionary",
}
