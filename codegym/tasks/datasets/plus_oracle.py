"""How evalplus decides whether an output is right; the source of these functions is sent into the examiner.

Only the standard library may be used here, and of the other functions only those in ``USES``. ``out`` is the result of
the function under test, ``expected`` that of the reference solution, ``arguments`` are those of both calls.

The general rule: equal outputs agree; otherwise, if a tolerance is given or everything expected is a float
(then 1e-6), both have one type and length and each number differs by at most ``atol + 1e-7 |expected|``. In the
original such a 1e-6 also holds for all later inputs of the task; here inputs do not influence each other.
"""

# ruff: noqa: D103 - one line each, described above; the source is sent unchanged

import math
from collections.abc import Callable
from typing import Any


def agrees(out: Any, expected: Any, arguments: Any, atol: float) -> bool:
    floats = expected if isinstance(expected, (list, tuple)) and expected else [expected]
    if atol == 0 and all(isinstance(item, float) for item in floats):
        atol = 1e-6
    return bool(out == expected) or (atol != 0 and type(out) is type(expected) and close(out, expected, atol))


def close(out: Any, expected: Any, atol: float) -> bool:
    pairs = [(out, expected)]
    while pairs:
        one, other = pairs.pop()
        if isinstance(other, (list, tuple)):
            if not isinstance(one, (list, tuple)) or len(one) != len(other):
                return False
            pairs += zip(one, other)  # noqa: B905 - the lengths are equal
        elif not (one == other or near(one, other, atol)):
            return False
    return True


def near(one: Any, other: Any, atol: float) -> bool:
    numbers = (int, float, complex)
    if not isinstance(one, numbers) or not isinstance(other, numbers):
        return False
    return abs(one - other) <= atol + 1e-7 * abs(other) < math.inf


def agrees_as_set(out: Any, expected: Any, arguments: Any, atol: float) -> bool:
    return bool(set(out) == set(expected))


def agrees_not_none(out: Any, expected: Any, arguments: Any, atol: float) -> bool:
    found = out if isinstance(out, bool) else out is not None
    return bool(found == (expected if isinstance(expected, bool) else expected is not None))


def agrees_anyway(out: Any, expected: Any, arguments: Any, atol: float) -> bool:
    return True


def agrees_or_zero(out: Any, expected: Any, arguments: Any, atol: float) -> bool:
    return bool(out == 0 or agrees(out, expected, arguments, atol))


def agrees_root(out: Any, expected: Any, arguments: Any, atol: float) -> bool:
    (coefficients,) = arguments
    value = sum(factor * math.pow(out, power) for power, factor in enumerate(coefficients))
    return bool(abs(value) <= atol)


def agrees_pyramid(out: Any, expected: Any, arguments: Any, atol: float) -> bool:
    edge, height = arguments
    upright = round(edge**2 + 2 * edge * math.sqrt((edge / 2) ** 2 + height**2))
    return bool(abs(out - upright) <= atol) or agrees(out, expected, arguments, atol)


def agrees_digits(out: Any, expected: Any, arguments: Any, atol: float) -> bool:
    one, other = (str(number) for number in arguments)
    width = max(len(one), len(other))
    padded = sum(abs(int(a) - int(b)) for a, b in zip(one.zfill(width), other.zfill(width)))  # noqa: B905
    return bool(out == padded or agrees(out, expected, arguments, atol))


ORACLES: dict[str, dict[int, Callable[..., bool]]] = {
    "humaneval": {32: agrees_root},
    "mbpp": {
        **dict.fromkeys([2, 7, 111, 140, 232, 249, 579, 769], agrees_as_set),
        **dict.fromkeys([737, 787, 794], agrees_not_none),
        164: agrees_anyway,
        295: agrees_or_zero,
        558: agrees_digits,
        581: agrees_pyramid,
    },
}
"""Task number -> oracle of the tasks that have one of their own."""

USES: tuple[Callable[..., bool], ...] = (agrees, close, near)
"""Functions that the oracles call."""
