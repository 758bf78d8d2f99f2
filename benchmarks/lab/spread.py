"""Repeated measurements of one quantity: the middle and the range."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """A median or mean, with the smallest and the largest value."""

    middle: float
    """Median or mean."""
    low: float
    """Smallest value."""
    high: float
    """Largest value."""

    @classmethod
    def of(cls, values: Sequence[float], middle: Callable[[Sequence[float]], float] = statistics.median) -> Spread:
        """Return the spread of at least one value.

        Args:
            values: Repeated measurements.
            middle: Function that computes the middle.
        """
        return cls(middle(values), min(values), max(values))

    def format(self, form: str = ",.0f", unit: str = "") -> str:
        """Return "middle (low..high)".

        Args:
            form: Format of the numbers.
            unit: Unit, written once after the middle.
        """
        low, middle, high = (format(value, form) for value in (self.low, self.middle, self.high))
        return f"{middle}{unit} ({low}..{high})"
