"""Plain data as JSON and back, exactly.

Lists, texts, finite floats, whole numbers, true, false, null and objects with texts as keys are written as such.
Everything else is an object with one key that begins with ``$``:

    {"$tuple": [items]}      {"$set": [items]}       {"$frozenset": [items]}    {"$dict": [[key, value], ...]}
    {"$float": "inf"}        {"$int": "0x..."}       {"$complex": [re, im]}     {"$bytes": "hexadecimal"}
    {"$str": "hexadecimal"}

``$float`` is for ``inf``, ``-inf`` and ``nan``; ``$int`` for whole numbers above 10,000 bits; ``$dict`` for dicts with
other keys, or with keys that begin with ``$``; ``$str`` for texts with half a surrogate pair (UTF-8 bytes).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

from codegym.errors import DatasetError
from codegym.tasks.plain_data import describe_value

_MAX_BITS = 10_000


def plain_text(value: object) -> str:
    """Return plain data as JSON text, one text for one ``value``.

    Raises:
        DatasetError: The value is not plain data, or is nested too deeply.
    """
    try:
        return json.dumps(encode(value), separators=(",", ":"))
    except RecursionError:
        raise DatasetError("a value is nested too deeply") from None


def encode(value: object) -> Any:
    """Return ``value`` as data that ``json`` can write.

    Raises:
        DatasetError: The value is not plain data.
    """
    write = _WRITERS.get(type(value))
    if write is None:
        raise DatasetError(f"got {describe_value(value)} ({type(value).__name__}), wanted plain data")
    return write(value)


def decode(data: Any) -> Any:
    """Return the value of which ``encode`` made ``data``.

    Raises:
        DatasetError: The data has an object with an unknown ``$`` key, or one with a wrong content.
    """
    if isinstance(data, list):
        return [decode(item) for item in data]
    if not isinstance(data, dict):
        return data
    tag = next(iter(data), "")
    if not tag.startswith("$"):
        return {key: decode(item) for key, item in data.items()}
    if len(data) != 1 or tag not in _READERS:
        raise DatasetError(f"got an object with the key {tag!r}, wanted one of {', '.join(_READERS)} alone")
    try:
        return _READERS[tag](data[tag])
    except (TypeError, ValueError) as error:
        raise DatasetError(f"{tag}: {error}") from error


def _write_str(value: str) -> Any:
    try:
        value.encode()
    except UnicodeEncodeError:  # JSON would join two neighbouring halves
        return {"$str": value.encode("utf-8", "surrogatepass").hex()}
    return value


def _write_int(value: int) -> Any:
    return {"$int": hex(value)} if value.bit_length() > _MAX_BITS else value


def _write_float(value: float) -> Any:
    return value if math.isfinite(value) else {"$float": repr(value)}


def _write_dict(value: dict[object, object]) -> Any:
    if all(type(key) is str and not key.startswith("$") and key.isascii() for key in value):
        return {key: encode(item) for key, item in value.items()}
    return {"$dict": [[encode(key), encode(item)] for key, item in value.items()]}


def _items(tag: str) -> Callable[[Any], Any]:
    return lambda value: {tag: [encode(item) for item in value]}


def _sorted_items(tag: str) -> Callable[[Any], Any]:
    return lambda value: {tag: sorted((encode(item) for item in value), key=json.dumps)}


_WRITERS: dict[type, Callable[[Any], Any]] = {
    type(None): lambda value: value,
    bool: lambda value: value,
    int: _write_int,
    float: _write_float,
    str: _write_str,
    complex: lambda value: {"$complex": [_write_float(value.real), _write_float(value.imag)]},
    bytes: lambda value: {"$bytes": value.hex()},
    list: lambda value: [encode(item) for item in value],
    tuple: _items("$tuple"),
    set: _sorted_items("$set"),
    frozenset: _sorted_items("$frozenset"),
    dict: _write_dict,
}

_READERS: dict[str, Callable[[Any], Any]] = {
    "$tuple": lambda items: tuple(decode(item) for item in items),
    "$set": lambda items: {decode(item) for item in items},
    "$frozenset": lambda items: frozenset(decode(item) for item in items),
    "$dict": lambda pairs: {decode(key): decode(item) for key, item in pairs},
    "$float": float,
    "$int": lambda digits: int(digits, 16),
    "$complex": lambda parts: complex(*map(decode, parts)),
    "$bytes": bytes.fromhex,
    "$str": lambda digits: bytes.fromhex(digits).decode("utf-8", "surrogatepass"),
}
