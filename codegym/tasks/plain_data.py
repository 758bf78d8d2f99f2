"""Plain data: the values that can go to a program as arguments, and come back from it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import cast

_ATOMS = frozenset({type(None), bool, int, float, str})
_SCALARS = (int, float, complex, str, bytes, bytearray, range, type(...))
_TYPES = frozenset(
    {int, float, complex, bool, str, bytes, bytearray, list, tuple, dict, set, frozenset, range, type(None)}
)
_LIBRARIES = frozenset({"decimal", "fractions", "datetime", "numpy"})
_LEVELS: tuple[tuple[type | tuple[type, ...], int], ...] = (
    (list, 1),
    ((tuple, set, frozenset, deque), 2),
    (dict, 3),
)
"""Levels of JSON that a container takes on its way to the sandbox."""
MAX_DEPTH = 250
"""Most levels of JSON that a value may have."""


def find_unplain(value: object) -> str | None:
    """Return a description of what is not plain data in ``value``, None if all of it is.

    Plain are None, bools, numbers (complex ones, decimals and fractions too), texts, bytes, ranges, dates, numpy
    arrays, builtin types, and lists, tuples, sets, frozensets, deques and dicts of plain data.

    >>> find_unplain([1, {"a": (2.5, None)}]), find_unplain({"f": print})
    (None, 'a builtin_function_or_method')
    """
    waiting = [(value, 0)]
    while waiting:
        value, depth = waiting.pop()
        levels = next((levels for container, levels in _LEVELS if isinstance(value, container)), 0)
        if not levels:
            if not _is_plain_leaf(value):
                return f"a {type(value).__name__}"
            continue
        if depth > MAX_DEPTH:
            return f"data nested deeper than {MAX_DEPTH} levels"
        items = _items(value)
        if not _ATOMS.issuperset(map(type, items)):
            waiting += [(item, depth + levels) for item in items]
    return None


def _is_plain_leaf(value: object) -> bool:
    if isinstance(value, type):
        return value in _TYPES
    return value is None or isinstance(value, _SCALARS) or type(value).__module__ in _LIBRARIES


def _items(container: object) -> list[object]:
    if isinstance(container, dict):
        return [*container.keys(), *container.values()]
    return [*cast("Iterable[object]", container)]


def describe_value(value: object) -> str:
    """Return a description of a value in at most about 60 characters, for messages.

    >>> describe_value("a text"), describe_value([1, 2]), describe_value(None)
    ("the string 'a text'", 'a list of 2', 'None')
    """
    if isinstance(value, str):
        return f"the string {value[:40]!r}" + ("..." if len(value) > 40 else "")
    if isinstance(value, list | tuple | dict):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, int) and value.bit_length() > 200:
        return "a very large int"
    return f"{value!r}"[:60]
