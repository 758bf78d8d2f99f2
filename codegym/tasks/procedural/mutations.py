"""Mutations of a line: one of its words is taken for another."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_TOKEN = re.compile(r"\"[^\"]*\"|[a-z]\w*|\d+|//=|[-+*/%=!<>]=|//|[-+*%<>]|\S")
_FOR = {
    "+": ("-",), "-": ("+",), "*": ("+",), "//": ("%",), "%": ("//",),
    "+=": ("-=",), "-=": ("+=",), "//=": ("-=",),
    "<": (">", "<="), ">": ("<", ">="), "<=": ("<", ">="), ">=": (">", "<="), "==": ("!=",), "!=": ("==",),
    "max": ("min",), "min": ("max",), "sum": ("len",), "len": ("sum",), "and": ("or",), "or": ("and",),
    "break": ("continue",), "continue": ("break",),
}  # fmt: skip


def mutations(line: str, names: Sequence[str]) -> list[str]:
    """Return copies of a line with one word wrong: a number off by one, another operator, function or variable.

    >>> mutations("    s += 2", names=("s", "t"))
    ['    t += 2', '    s -= 2', '    s += 3', '    s += 1']

    Args:
        line: Line of a program.
        names: Variables that are confused with one another.
    """
    changed = []
    for match in _TOKEN.finditer(line):
        for other in _others(match[0], names):
            changed.append(line[: match.start()] + other + line[match.end() :])
    return changed


def _others(word: str, names: Sequence[str]) -> Iterator[str]:
    yield from _FOR.get(word, ())
    if word.isdigit():
        yield str(int(word) + 1)
        if int(word) > 0:
            yield str(int(word) - 1)
    elif word in names:
        yield from (name for name in names if name != word)
