"""Comparison rules: when printed text or a returned value matches the expected one.

A rule has two halves, one for printed text and one for returned values. Both are pure functions that never raise on the
data of a hostile program. ``RULES`` is the table of all rules; ``Task.comparison`` is a name of it.

``exact``
    text: equal after trailing white space is cut from every line and trailing newlines from the whole.
    values: Python's ``==`` (so ``1 == 1.0 == True``, but a tuple is no list), except that NaN equals NaN.

``apps`` (APPS and TACO; ``eval/testing_util.py`` of the authors of APPS)
    text matches if any of these holds:
    (1) the texts are equal once both are stripped, or once each printed line is stripped as well;
    (2) the printed lines equal the expected non-empty lines, stripped; empty printed lines do not count;
    (3) every line is one number, there are equally many, and ``|a - b| <= 1e-8 + 1e-5 |b|`` for each pair;
    (4) taken as a set of lines, each a set of words, both are equal; order and repetition do not count;
    (5) the same, with every word a number rounded to three places.
    values: a tuple counts as a list (at the top only); then ``==`` with the expected value, or, if that is a non-empty
    list, with its first item (many rows wrap the value once). A sequence that begins with a tuple may also match that
    first item after its items are converted to lists.

``codecontests`` (``execution/tester_sandboxer.cc`` of the authors)
    text: words, split at blank, tab, newline, return and vertical tab, in ASCII lower case. The lists are equal, or
    equally long and each pair matches: two numbers differ by less than 1e-5 as doubles, anything else is equal.
    values: as ``exact``; the data set has no calls.

``livecodebench`` (``lcb_runner/evaluation/testing_util.py`` of the authors)
    text: both stripped and cut at newlines, every line stripped; equally many lines; each pair is equal, or both
    consist of decimal numbers that are exactly equal one by one.
    values: a tuple counts as a list (at the top only); then ``==``.

If the authors' harness would raise, texts and values do not match. Time is linear in the size of the data.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal, DecimalException

from codegym.plugins import suggest

_NAN = object()
_DOUBLE = re.compile(r"[+-]?(?:(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:e[+-]?[0-9]++)?|inf|infinity|nan)")
_BLANKS = re.compile(r"[ \n\t\r\v]+")
_ASCII_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


@dataclass(frozen=True, slots=True)
class ComparisonRule:
    """The two halves of a comparison rule; each takes the program's result and the expected one."""

    stdout: Callable[[str, str], bool]
    """Whether printed text matches."""
    value: Callable[[object, object], bool]
    """Whether a returned value matches."""


def stdout_matches(rule: str, printed: str, expected: str) -> bool:
    r"""Return whether printed text matches the expected text.

    Args:
        rule: Name of ``RULES``.
        printed: Text that the program printed.
        expected: Expected text of the check.

    >>> stdout_matches("exact", "1 2 \n", "1 2"), stdout_matches("codecontests", "YES 0.5", "yes 0.500001")
    (True, True)
    """
    return get_rule(rule).stdout(printed, expected)


def value_matches(rule: str, value: object, expected: object) -> bool:
    """Return whether a returned value matches the expected value.

    Args:
        rule: Name of ``RULES``.
        value: Returned value, as plain data.
        expected: Expected value of the check.

    >>> value_matches("exact", (1, 2), [1, 2]), value_matches("livecodebench", (1, 2), [1, 2])
    (False, True)
    """
    return get_rule(rule).value(value, expected)


def get_rule(name: str) -> ComparisonRule:
    """Return the rule called ``name``.

    Raises:
        ValueError: There is no such rule.
    """
    try:
        return RULES[name]
    except KeyError:
        raise ValueError(
            f"unknown comparison rule: got {name!r}{suggest(name, RULES)}; expected one of {', '.join(sorted(RULES))}"
        ) from None


# --- values -----------------------------------------------------------------------------------------------------


def equal(value: object, expected: object) -> bool:
    """Return whether plain data is equal, as by ``==``, but NaN equals NaN and any depth works.

    Args:
        value: Returned value, as plain data.
        expected: Expected value of the check.
    """
    pairs = [(value, expected)]
    while pairs:
        one, other = pairs.pop()
        if isinstance(one, list | tuple) and type(one) is type(other):
            if len(one) != len(other):
                return False
            pairs += zip(one, other, strict=True)
        elif isinstance(one, dict) and isinstance(other, dict):
            matched = _match_keys(one, other)
            if matched is None:
                return False
            pairs += matched
        elif not _leaves_equal(one, other):
            return False
    return True


def _match_keys(one: dict[object, object], other: dict[object, object]) -> list[tuple[object, object]] | None:
    if len(one) != len(other):
        return None
    try:
        wanted = {_without_nan(key): item for key, item in other.items()}
        return [(item, wanted[_without_nan(key)]) for key, item in one.items()]
    except (KeyError, RecursionError):
        return None


def _leaves_equal(one: object, other: object) -> bool:
    try:
        if isinstance(one, float | complex | set | frozenset):
            one, other = _without_nan(one), _without_nan(other)
        return bool(one == other)
    except (RecursionError, ArithmeticError):
        return False


def _without_nan(item: object) -> object:
    """Replace every NaN in a float, a set or a key by one sentinel, so that ``==`` can be used."""
    if isinstance(item, float | complex):
        return _NAN if item != item else item
    if isinstance(item, tuple):
        return tuple(map(_without_nan, item))
    if isinstance(item, set | frozenset):
        return frozenset(map(_without_nan, item))
    return item


def _tuple_to_list(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _apps_value(value: object, expected: object) -> bool:
    value = _tuple_to_list(value)
    if equal(value, expected):
        return True
    if not isinstance(expected, list) or not expected:
        return False
    first = expected[0]
    if equal(value, first):
        return True
    if not isinstance(value, list) or not value or not isinstance(value[0], tuple):
        return False
    return all(isinstance(item, Iterable) for item in value) and equal([list(item) for item in value], first)


def _livecodebench_value(value: object, expected: object) -> bool:
    return equal(_tuple_to_list(value), expected)


# --- printed text -----------------------------------------------------------------------------------------------


def _exact_text(printed: str, expected: str) -> bool:
    return _right_stripped(printed) == _right_stripped(expected)


def _right_stripped(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.split("\n")).rstrip("\n")


def _apps_text(printed: str, expected: str) -> bool:
    lines = printed.splitlines()
    stripped = (printed, "\n".join(lines), "\n".join(line.strip() for line in lines))
    if expected.strip() in (text.strip() for text in stripped):
        return True
    wanted = [line.strip() for line in expected.split("\n") if line]
    filled = [line for line in lines if line]
    if wanted in (lines, filled) or _all_close(filled, wanted):
        return True
    words = [line.split() for line in filled if line.strip()]
    wanted_words = [line.split() for line in wanted]
    if _as_sets(words) == _as_sets(wanted_words):
        return True
    rounded, wanted_rounded = _rounded(words), _rounded(wanted_words)
    return rounded is not None and wanted_rounded is not None and _as_sets(rounded) == _as_sets(wanted_rounded)


def _as_sets(lines: Iterable[Iterable[object]]) -> set[frozenset[object]]:
    return {frozenset(line) for line in lines}


def _all_close(lines: list[str], wanted: list[str]) -> bool:
    if len(lines) != len(wanted):
        return False
    try:
        pairs = [(float(one), float(other)) for one, other in zip(lines, wanted, strict=True)]
    except ValueError:
        return False
    return all(a == b or (math.isfinite(b) and abs(a - b) <= 1e-8 + 1e-5 * abs(b)) for a, b in pairs)


def _rounded(lines: list[list[str]]) -> list[list[float]] | None:
    try:
        return [[round(float(word), 3) for word in line] for line in lines]
    except (ValueError, OverflowError):
        return None


def _codecontests_text(printed: str, expected: str) -> bool:
    words, wanted = _lower_words(printed), _lower_words(expected)
    if words == wanted:
        return True
    return len(words) == len(wanted) and all(map(_words_agree, words, wanted))


def _lower_words(text: str) -> list[str]:
    return [word for word in _BLANKS.split(text.translate(_ASCII_LOWER)) if word]


def _words_agree(one: str, other: str) -> bool:
    if _DOUBLE.fullmatch(one) and _DOUBLE.fullmatch(other):
        # also for equal words: the difference of two infinities is NaN, not below the bound, as in the C++ original
        return abs(float(one) - float(other)) < 1e-5
    return one == other


def _livecodebench_text(printed: str, expected: str) -> bool:
    lines, wanted = _stripped_lines(printed), _stripped_lines(expected)
    return len(lines) == len(wanted) and all(map(_decimal_lines_agree, lines, wanted))


def _stripped_lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().split("\n")]


def _decimal_lines_agree(line: str, wanted: str) -> bool:
    if line == wanted:
        return True
    try:
        return [Decimal(word) for word in line.split()] == [Decimal(word) for word in wanted.split()]
    except (DecimalException, ValueError):  # not a number, or a signalling NaN
        return False


RULES: dict[str, ComparisonRule] = {
    "exact": ComparisonRule(_exact_text, equal),
    "apps": ComparisonRule(_apps_text, _apps_value),
    "codecontests": ComparisonRule(_codecontests_text, equal),
    "livecodebench": ComparisonRule(_livecodebench_text, _livecodebench_value),
}
