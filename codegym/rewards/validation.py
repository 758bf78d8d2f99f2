"""Checks of what the terms are given: their arguments, and the range of line scores."""

from __future__ import annotations

import math
from numbers import Real

from codegym.step import Line


def check_number(name: str, value: float, low: float = -math.inf, high: float = math.inf) -> float:
    """Give an argument back as it came; ``ValueError`` where it is not a finite number from ``low`` to ``high``."""
    if not is_finite(value) or not low <= value <= high:
        least = f", {low:g} or more" if math.isfinite(low) else ""
        wanted = f"a number from {low:g} to {high:g}" if math.isfinite(high) else f"a finite number{least}"
        raise ValueError(f"{name}={value!r}, wanted {wanted}")
    return value


def check_count(name: str, value: int) -> int:
    """Give an argument back as it came; ``ValueError`` where it is not a whole number, 0 or more."""
    if type(value) is not int or value < 0:
        raise ValueError(f"{name}={value!r}, wanted a whole number, 0 or more")
    return value


def is_finite(value: object) -> bool:
    """Whether this is a number (True and False are none here) and neither infinite nor NaN."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Raise ``ValueError`` where an argument is none of the choices."""
    if value not in choices:
        raise ValueError(f"{name}={value!r}, wanted one of {', '.join(map(repr, choices))}")


def unit_score(line: Line) -> float:
    """The score of a line, which must lie in [-1, 1]; 0 where the line has none.

    Raises:
        ValueError: it does not. Cutting it off here would hide that the line scorer has another scale.
    """
    if line.score is None:
        return 0.0
    if not -1 <= line.score <= 1:
        raise ValueError(
            f"line {line.number} has the score {line.score}, wanted one in [-1, 1]: clip or squash in the line scorer"
        )
    return line.score
