"""Several measurements of one thing: the middle one, and the range that it comes from."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """A median, or a mean, with the smallest and the largest value."""

    middle: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float], middle: Callable[[Sequence[float]], float] = statistics.median) -> Spread:
        """Of at least one value."""
        return cls(middle(values), min(values), max(values))

    def show(self, form: str = ",.0f", unit: str = "") -> str:
        """Write all three in a format, the unit once."""
        low, middle, high = (format(value, form) for value in (self.low, self.middle, self.high))
        return f"{middle}{unit} ({low}..{high})"
