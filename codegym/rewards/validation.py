"""Checks of the arguments of terms, and of the range of line scores."""

from __future__ import annotations

import math
from numbers import Real

from codegym.step import Line


def check_number(name: str, value: float, low: float = -math.inf, high: float = math.inf) -> float:
    """Return ``value`` if it is a finite number from ``low`` to ``high``.

    Args:
        name: Name of the argument, for the message.
        value: Value of the argument.
        low: Smallest allowed value.
        high: Largest allowed value.

    Raises:
        ValueError: It is no number, not finite or out of range.
    """
    if not is_finite(value) or not low <= value <= high:
        least = f", {low:g} or more" if math.isfinite(low) else ""
        expected = f"a number from {low:g} to {high:g}" if math.isfinite(high) else f"a finite number{least}"
        raise ValueError(f"wrong {name}: got {value!r}; expected {expected}")
    return value


def check_count(name: str, value: int) -> int:
    """Return ``value`` if it is a whole number, 0 or more.

    Args:
        name: Name of the argument, for the message.
        value: Value of the argument.

    Raises:
        ValueError: It is something else.
    """
    if type(value) is not int or value < 0:
        raise ValueError(f"wrong {name}: got {value!r}; expected a whole number, 0 or more")
    return value


def is_finite(value: object) -> bool:
    """Return whether ``value`` is a number, neither infinite nor NaN. True and False are not numbers."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Raise an error if an argument is none of its choices.

    Args:
        name: Name of the argument, for the message.
        value: Value of the argument.
        choices: Allowed values of the argument.

    Raises:
        ValueError: It is none of them.
    """
    if value not in choices:
        raise ValueError(f"wrong {name}: got {value!r}; expected one of {', '.join(map(repr, choices))}")


def unit_score(line: Line) -> float:
    """Return the score of a ``line``, which must be in [-1, 1]; 0 if the line has none.

    Raises:
        ValueError: It is outside. Clipping it here would hide that the line scorer has another scale.
    """
    if line.score is None:
        return 0.0
    if not -1 <= line.score <= 1:
        raise ValueError(
            f"wrong score of line {line.number}: got {line.score}; expected one in [-1, 1]. Clip or squash scores in "
            "the line scorer"
        )
    return line.score
