"""Records as JSON: frozen dataclasses of plain values, tuples, mappings and other records."""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from itertools import repeat
from pathlib import Path
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from codegym.jsonl import write_atomically
from codegym.plugins import suggest

T = TypeVar("T")


def to_plain(value: Any) -> Any:
    """Return ``value`` as JSON holds it; fields of records that are None are left out."""
    if is_dataclass(value):
        pairs = [(field.name, getattr(value, field.name)) for field in fields(value)]
        return {name: to_plain(item) for name, item in pairs if item is not None}
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    return [to_plain(item) for item in value] if isinstance(value, list | tuple) else value


def from_plain(kind: type[T], value: Any) -> T:
    """Return the record, or the list of records, that ``to_plain`` made ``value`` of.

    Args:
        kind: Type of the record, or of the list: ``list[Record]``.
        value: Plain data as read from JSON.

    Raises:
        ValueError: The data has a field that the record does not have.
    """
    return cast(T, _restore(kind, value))


def _restore(kind: Any, value: Any) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if is_dataclass(kind):
        return _restore_record(kind, value)
    if value is not None and origin in (Union, types.UnionType):
        return _restore(arguments[0], value)  # "T | None"
    if origin is tuple:
        kinds = repeat(arguments[0]) if arguments[-1] is ... else arguments
        return tuple(_restore(each, item) for each, item in zip(kinds, value, strict=False))
    if origin is list:
        return [_restore(arguments[0], item) for item in value]
    if origin is not None and isinstance(value, dict):
        return {key: _restore(arguments[1], item) for key, item in value.items()}
    return value


def _restore_record(kind: Any, value: Mapping[str, Any]) -> Any:
    hints = get_type_hints(kind)
    if unknown := [name for name in value if name not in hints]:
        raise ValueError(
            f"unknown field of {kind.__name__}: got {unknown[0]!r}{suggest(unknown[0], hints)}; expected "
            f"{', '.join(hints)}. Was the file written by another version?"
        )
    return kind(**{name: _restore(hints[name], item) for name, item in value.items()})


def write_record(file: Path, record: Any, indent: int | None = 1) -> None:
    """Write a record to a JSON file, all at once.

    Args:
        file: The file; its folder must exist.
        record: A dataclass, or plain data.
        indent: Spaces a level, or None for a single line.
    """
    write_atomically(file, json.dumps(to_plain(record), indent=indent) + "\n")


def read_record(kind: type[T], file: Path) -> T:
    """Return the record that ``write_record`` wrote.

    Args:
        kind: Type of the record.
        file: The JSON file.
    """
    return from_plain(kind, json.loads(file.read_text("utf-8")))
