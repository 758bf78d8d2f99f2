"""Compare two fingerprints value by value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MISSING = "missing"
"""Stands in a difference for a value that one fingerprint does not have."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A value that two fingerprints do not share."""

    path: str
    """Keys and indices that lead to the value, joined by slashes."""
    old: Any
    new: Any

    def __str__(self) -> str:
        return f"{self.path}: {self.old!r} -> {self.new!r}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Result of comparing one part of two fingerprints."""

    part: str
    num_values: int
    """Values that either fingerprint has."""
    differences: tuple[Difference, ...]

    @property
    def is_equal(self) -> bool:
        """Whether all values are equal."""
        return not self.differences


def compare(part: str, old: Any, new: Any) -> Comparison:
    """Compare one part of two fingerprints.

    Args:
        part: Name of the part.
        old: Plain data of the old checkout: dicts, lists and scalars.
        new: Plain data of the new checkout.
    """
    before, after = dict(leaves(old)), dict(leaves(new))
    paths = [*before, *(path for path in after if path not in before)]
    pairs = [(path, before.get(path, MISSING), after.get(path, MISSING)) for path in paths]
    # repr, not ==: NaN equals itself here, and 1, 1.0 and True differ
    return Comparison(part, len(paths), tuple(Difference(*pair) for pair in pairs if repr(pair[1]) != repr(pair[2])))


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the path and value of every scalar in plain data.

    Args:
        value: Dicts, lists and scalars.
        path: Prefix of the paths.
    """
    if not isinstance(value, dict | list):
        yield path, value
        return
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield from leaves(item, f"{path}/{key}" if path else str(key))
