"""Codec of plain data: values of exact builtin types as JSON text, and back.

A value from ``decode`` consists of exact builtins (and a few value types of the standard library), whatever the sender
claims: an object with a dishonest ``__eq__`` or a subclass of ``str`` cannot cross. The codec uses no pickle, no code
and no attribute look-up; hostile text raises ``PlainError`` after bounded work.

A JSON object is always a tag with one key; lists, strings, numbers, booleans and null represent themselves. Subclasses
of builtin types cross as their base value (a ``Counter`` as a dict, an ``IntEnum`` as an int).
"""

from __future__ import annotations

import sys
from _json import encode_basestring_ascii, make_encoder, make_scanner  # the package around them makes forks slower
from collections import Counter, deque
from collections.abc import Callable, Iterable
from math import inf, nan
from types import NoneType
from typing import Any, NoReturn

MAX_DEPTH = 250  # levels of JSON: a list is one, a tuple or set two, a dict three; within the usual recursion limit
MAX_NODES = 4_000_000
TAG_NODES = 4  # a tag costs as much memory as several plain values
MAX_EQUAL_HASHES = 256
BIG = 1 << 4096  # well below 4,300 decimal digits, where int() and str() of the standard library refuse
_SMALL = -BIG

_ATOMS = frozenset({NoneType, bool, float, str})
_NUMBERS = frozenset({int})
_TYPES = {
    kind.__name__: kind
    for kind in (int, float, complex, bool, str, bytes, bytearray, list, tuple, dict, set, frozenset, range, NoneType)
}

Refer = Callable[[Any], int]
Resolve = Callable[[int], Any]


class PlainError(ValueError):
    """A value that is not plain data, or text that is not the encoding of one."""


def encode(value: object, refer: Refer | None = None) -> bytes:
    """Encode ``value`` as one line of ASCII; ``refer`` gives numbers to objects that are not plain.

    Raises:
        PlainError: The value is not plain and there is no ``refer``, or it is nested deeper than ``MAX_DEPTH``.
    """
    try:
        packed = _pack(value, refer, 0)
    except RecursionError:  # the caller has used up most of the stack
        raise PlainError("nested too deeply") from None
    return to_json(packed)


def decode(text: bytes, resolve: Resolve | None = None) -> Any:
    """Decode the result of ``encode``; ``resolve`` returns the objects of references.

    Raises:
        PlainError: The text is not such an encoding, or it is too large.
    """
    if TAG_NODES * len(text) > MAX_NODES < text.count(b",") + text.count(b"[") + TAG_NODES * text.count(b"{"):
        raise PlainError(f"more than {MAX_NODES:,} values in one message")
    try:
        return _unpack(from_json(text), resolve, 0)
    except PlainError:
        raise
    except (ValueError, TypeError, ArithmeticError, LookupError, RecursionError, MemoryError) as error:
        raise PlainError(f"not plain data: {type(error).__name__}: {error}"[:300]) from None


# --- JSON itself


class _ScannerContext:
    """Settings for the JSON scanner of the standard library."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float, parse_int = float, int
    parse_constant = {"NaN": nan, "Infinity": inf, "-Infinity": -inf}.__getitem__


def _refuse(value: object) -> NoReturn:
    raise TypeError(f"a {type(value).__name__} is no JSON data")


_SCAN: Any = make_scanner(_ScannerContext)  # type: ignore[arg-type]  # the stubs expect their own class
_WRITE: Any = make_encoder(None, _refuse, encode_basestring_ascii, None, ":", ",", False, False, True)


def to_json(data: Any) -> bytes:
    """Encode JSON data without blanks and in ASCII."""
    return "".join(_WRITE(data, 0)).encode("ascii")


def from_json(text: bytes) -> Any:
    """Decode the result of ``to_json``.

    Raises:
        ValueError: The text is not exactly one JSON value.
    """
    try:
        data, end = _SCAN(text.decode("ascii"), 0)
    except StopIteration:
        raise ValueError("no JSON") from None
    if end != len(text):
        raise ValueError("more than one value in one message")
    return data


# --- encoding


def _pack(value: Any, refer: Refer | None, depth: int) -> Any:
    kind = type(value)
    if kind in _ATOMS:
        return value
    if kind is int:
        return value if _SMALL < value < BIG else {"i": hex(value)}
    if depth > MAX_DEPTH:
        raise PlainError(f"nested deeper than {MAX_DEPTH} levels")
    if kind is list:
        return _pack_all(value, refer, depth)
    packed = _pack_container(kind, value, refer, depth)
    if packed is None:
        packed = _pack_scalar(kind, value)
    if packed is None:
        packed = _pack_library(kind, value, refer, depth)
    if packed is not None:
        return packed
    if refer is None:
        raise PlainError(f"a value of type {kind.__name__} is not plain data")
    return {"r": refer(value)}


def _pack_all(values: Iterable[Any], refer: Refer | None, depth: int) -> list[Any]:
    """Pack a sequence; sequences of atoms or of moderate numbers are returned as they are, at the speed of C."""
    items = [*values]
    kinds = {*map(type, items)}
    if kinds <= _ATOMS or (kinds == _NUMBERS and min(items) > _SMALL and max(items) < BIG):
        return items
    packed = []  # a comprehension would make a function each time, which costs a fork four pages
    for item in items:
        packed.append(_pack(item, refer, depth + 1))
    return packed


def _pack_container(kind: type, value: Any, refer: Refer | None, depth: int) -> Any:
    """Pack builtin containers and their subclasses, by the base type's own methods."""
    if issubclass(kind, list):
        return _pack_all(list.__iter__(value), refer, depth)
    if issubclass(kind, dict):
        return {"d": [_pack_all(pair, refer, depth + 2) for pair in dict.items(value)]}
    for base, tag in ((tuple, "t"), (set, "s"), (frozenset, "f"), (deque, "q")):
        if issubclass(kind, base):
            return {tag: _pack_all(base.__iter__(value), refer, depth + 1)}
    return None


def _pack_scalar(kind: type, value: Any) -> Any:
    """Pack numbers, strings and their subclasses, and other values without parts."""
    for base, exact in _EXACT:
        if issubclass(kind, base):
            return exact(value)
    if kind is range:
        return {"R": [_pack(part, None, 0) for part in (value.start, value.stop, value.step)]}
    if kind is type and value in _TYPES.values():
        return {"T": value.__name__}
    return {"e": 0} if value is ... else None


def _exact_complex(value: complex) -> dict[str, list[float]]:
    exact = complex.__pos__(value)
    return {"c": [exact.real, exact.imag]}


_EXACT: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (int, lambda value: _pack(int.__pos__(value), None, 0)),
    (float, float.__pos__),
    (str, str.__str__),
    (complex, _exact_complex),
    (bytes, lambda value: {"b": bytes.__add__(value, b"").decode("latin-1")}),
    (bytearray, lambda value: {"B": bytearray.__add__(value, b"").decode("latin-1")}),
)


def _pack_library(kind: type, value: Any, refer: Refer | None, depth: int) -> Any:
    """Pack value types of modules that the program itself has imported."""
    if kind is _class("decimal", "Decimal"):
        return {"D": str(value)}
    if kind is _class("fractions", "Fraction"):
        return {"F": [_pack(value.numerator, None, depth), _pack(value.denominator, None, depth)]}
    for tag, name in (("td", "timedelta"), ("dt", "datetime"), ("da", "date"), ("ti", "time")):
        if kind is _class("datetime", name) and getattr(value, "tzinfo", None) is None:
            return {tag: [getattr(value, field) for field in _DATE_FIELDS[name]]}
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.generic):
        return _pack(value.item(), refer, depth + 1)
    if numpy is not None and kind is numpy.ndarray:
        return {"n": _pack(value.tolist(), refer, depth + 1)}
    return None


def _class(module: str, name: str) -> object:
    return getattr(sys.modules.get(module), name, _class)  # a type is never this function: the default never matches


_DATE_FIELDS = {
    "timedelta": ("days", "seconds", "microseconds"),
    "datetime": ("year", "month", "day", "hour", "minute", "second", "microsecond"),
    "date": ("year", "month", "day"),
    "time": ("hour", "minute", "second", "microsecond"),
}


# --- decoding


def _unpack(data: Any, resolve: Resolve | None, depth: int) -> Any:
    kind = type(data)
    if kind is list:
        return _unpack_all(data, resolve, depth)
    if kind is not dict:
        return data
    if len(data) != 1:
        raise PlainError("a tag has exactly one key")
    if depth > MAX_DEPTH + 2:
        raise PlainError(f"nested deeper than {MAX_DEPTH} levels")
    ((tag, body),) = data.items()
    if tag == "i":
        return int(body, 16)
    if tag == "r":
        if resolve is None or type(body) is not int:
            raise PlainError("a reference in data that must be plain")
        return resolve(body)
    content = _unpack(body, resolve, depth + 1)
    if tag == "n":
        return content if resolve is None else _array(content)
    if type(content) is not _BODIES.get(tag, list):  # a tuple of a range could have any length
        raise PlainError(f"the tag {tag!r} with a {type(content).__name__}")
    return _READERS[tag](content)


def _unpack_all(items: list[Any], resolve: Resolve | None, depth: int) -> list[Any]:
    if depth > MAX_DEPTH + 2:
        raise PlainError(f"nested deeper than {MAX_DEPTH} levels")
    if {list, dict}.isdisjoint(map(type, items)):
        return items
    return [_unpack(item, resolve, depth + 1) for item in items]


def _exact(kind: type, parts: list[Any]) -> list[Any]:
    """Return the parts if all have this type: constructors also take pickled states and numbers of any precision."""
    if not all(type(part) is kind for part in parts):
        raise PlainError(f"a part that is no {kind.__name__}")
    return parts


def _spread(keys: list[Any]) -> list[Any]:
    """Return the keys if their hashes differ: a table of equal hashes takes quadratic time."""
    if len(keys) > MAX_EQUAL_HASHES and max(Counter(map(hash, keys)).values()) > MAX_EQUAL_HASHES:
        raise PlainError(f"more than {MAX_EQUAL_HASHES} keys with the same hash")
    return keys


def _dict(pairs: list[Any]) -> dict[Any, Any]:
    _spread([key for key, _ in pairs])
    return dict(pairs)


def _datetime(name: str) -> Callable[[list[Any]], Any]:
    return lambda parts: getattr(__import__("datetime"), name)(*_exact(int, parts))


def _decimal(text: str) -> Any:
    if len(text) > 10_000:
        raise PlainError("a Decimal of more than 10,000 characters")
    value = __import__("decimal").Decimal(text)
    if value.is_snan():
        raise PlainError("a signalling NaN, which raises in comparisons")
    return value


def _fraction(parts: list[Any]) -> Any:
    if not all(-BIG < part < BIG for part in _exact(int, parts)):  # reducing larger ones takes quadratic time
        raise PlainError("a Fraction of more than 4,096 bits")
    return __import__("fractions").Fraction(*parts)


def _array(body: Any) -> Any:
    try:
        return __import__("numpy").array(body)
    except ImportError:
        return body


_BODIES = {"b": str, "B": str, "D": str, "T": str, "e": int}
"""Types of the contents of tags; all other tags hold a list."""

_READERS: dict[str, Callable[[Any], Any]] = {
    "t": tuple,
    "d": _dict,
    "s": lambda items: set(_spread(items)),
    "f": lambda items: frozenset(_spread(items)),
    "q": deque,
    "c": lambda parts: complex(*_exact(float, parts)),
    "b": lambda text: text.encode("latin-1"),
    "B": lambda text: bytearray(text, "latin-1"),
    "R": lambda parts: range(*_exact(int, parts)),
    "e": lambda _: ...,
    "T": _TYPES.__getitem__,
    "D": _decimal,
    "F": _fraction,
    "td": _datetime("timedelta"),
    "dt": _datetime("datetime"),
    "da": _datetime("date"),
    "ti": _datetime("time"),
}
