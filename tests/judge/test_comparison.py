"""The rules of ``codegym.judge.comparison``."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegym.judge.comparison import RULES, stdout_matches, value_matches

NAN, INF = math.nan, math.inf


def test_a_rule_compares_what_was_printed_with_what_was_expected():
    assert stdout_matches("exact", "4\n", "4")
    assert not stdout_matches("exact", "5\n", "4")


@pytest.mark.parametrize(
    ("printed", "expected", "rules"),
    [
        ("a b\n", "a b", "exact apps codecontests livecodebench"),
        ("a b  \r\n\n", "a b\n", "exact apps codecontests livecodebench"),
        ("a\r\nb", "a\nb", "exact apps codecontests livecodebench"),
        (" a", "a", "apps codecontests livecodebench"),
        ("\na", "a", "apps codecontests livecodebench"),
        ("a\n\nb", "a\nb", "apps codecontests"),
        ("a  b", "a b", "apps codecontests"),
        ("a\nb", "a b", "codecontests"),
        ("A", "a", "codecontests"),
        ("Ä", "ä", ""),  # only ASCII letters are made lower
        ("b a", "a b", "apps"),
        ("b\na\na", "a\nb", "apps"),
        ("1.0", "1", "apps codecontests livecodebench"),
        ("1.000001", "1", "apps codecontests"),
        ("1.0004 x", "1 x", ""),
        ("1.0004 2", "1 2", "apps"),
        ("1.00002", "1", "apps"),  # rounded to three places both are 1
        ("100000.5", "100000", "apps"),  # |a - b| <= 1e-5 |b|
        ("100000000000000001", "100000000000000000", "apps codecontests"),
        ("a", "a\nb", ""),  # the first lines alone do not do
        ("a\nb", "a", ""),
        ("", "a", ""),
        ("", "1", ""),
        ("", "", "exact apps codecontests livecodebench"),
        ("inf", "inf", "exact apps codecontests livecodebench"),
        ("1 inf", "1.0 inf", "apps livecodebench"),  # in the C++ original two infinities differ by NaN
        ("nan\n1", "nan\n1.0", "livecodebench"),  # there a line that is equal needs no number
        ("1e999", "2e999", "apps"),
        ("0x10", "16", ""),
        ("1_0", "10", "apps livecodebench"),  # Python's float and Decimal take this
        ("sNaN", "snan", "codecontests"),
        (".5", "0.5", "apps codecontests livecodebench"),
    ],
)
def test_r8_printed_text(printed, expected, rules):
    assert {rule for rule in RULES if stdout_matches(rule, printed, expected)} == set(rules.split())


@pytest.mark.parametrize(
    ("value", "expected", "rules"),
    [
        (1, 1, "exact apps codecontests livecodebench"),
        (True, 1, "exact apps codecontests livecodebench"),
        (1.0, 1, "exact apps codecontests livecodebench"),
        (1.0000001, 1, ""),
        ("1", 1, ""),
        (None, 0, ""),
        ((1, 2), [1, 2], "apps livecodebench"),
        ([(1, 2)], [[1, 2]], ""),
        ([(1, 2)], [[[1, 2]]], "apps"),
        ([1, 2], (1, 2), ""),
        (1, [1], "apps"),
        ([1], [[1]], "apps"),
        (1, [], ""),
        ([(1,), 2], [[[1], 2]], ""),
        (NAN, NAN, "exact apps codecontests livecodebench"),
        ([1, {"a": NAN}], [1, {"a": NAN}], "exact apps codecontests livecodebench"),
        ({NAN: 1}, {float("nan"): 1}, "exact apps codecontests livecodebench"),
        ({(1, NAN)}, {(1, float("nan"))}, "exact apps codecontests livecodebench"),
        ({1: 2}, {1: 3}, ""),
        ({1: 2}, {2: 2}, ""),
        ({1: 2}, {1: 2, 2: 2}, ""),
        ({1, 2}, frozenset({2, 1}), "exact apps codecontests livecodebench"),
        ({1, 2}, {1}, ""),
        (b"a", "a", ""),
        (INF, 10**400, ""),
        (10**400, 1e300, ""),
        (1j, 10**400, ""),
    ],
)
def test_r8_values(value, expected, rules):
    assert {rule for rule in RULES if value_matches(rule, value, expected)} == set(rules.split())


def test_an_unknown_rule_is_an_error_that_lists_the_rules():
    with pytest.raises(ValueError, match="unknown comparison rule: got 'fuzzy'; expected one of apps, codecontests, "):
        stdout_matches("fuzzy", "", "")


def nested(depth, kind):
    value = kind()
    for _ in range(depth):
        value = kind([value]) if kind is not dict else {"a": value}
    return value


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("kind", [list, tuple, dict])
def test_depth_is_no_limit(rule, kind):
    # in a list, since some rules take the outermost tuple for a list
    assert value_matches(rule, [nested(50_000, kind)], [nested(50_000, kind)])
    assert not value_matches("exact", [nested(50_000, kind)], [nested(50_001, kind)])


LONG = 100_000
HOSTILE = {
    "digits": "9" * LONG,
    "almost a number": "1" * LONG + "x",
    "small number": "0." + "0" * LONG + "1",
    "huge exponent": "1e" + "9" * LONG,
    "signs": "-" * LONG,
    "words": "1 " * LONG,
    "lines": "1\n" * LONG,
    "dots": "1." * LONG,
    "blanks": " " * LONG + "x",
    "empty lines": "\n" * LONG + "x",
    "returns": "\r\v" * LONG,
    "nul and half characters": "\0\ud800" * LONG,
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_takes_linear_time(rule, name):
    text = HOSTILE[name]
    start = time.process_time()
    assert stdout_matches(rule, text, text) or name == "huge exponent"
    stdout_matches(rule, text + "2", text)
    stdout_matches(rule, text, text + " 2")
    assert time.process_time() - start < 5  # a quadratic step would take minutes


tokens = st.text("0123456789.eE+-naif \n\r\t_x\x0b\x0c\x1c\u0661\ud800", max_size=30)


@given(st.sampled_from(sorted(RULES)), tokens, tokens)
def test_no_text_makes_a_rule_raise(rule, printed, expected):
    assert isinstance(stdout_matches(rule, printed, expected), bool)


@given(st.sampled_from(sorted(RULES)), tokens)
def test_every_text_agrees_with_itself(rule, text):
    assert stdout_matches(rule, text, text)
    assert stdout_matches(rule, text + "\n\n", text)


keys = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.complex_numbers()
plain = st.recursive(
    keys | st.binary(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(keys | st.tuples(keys, keys), inner, max_size=3)
        | st.sets(keys | st.tuples(keys), max_size=3)
    ),
    max_leaves=8,
)


@given(st.sampled_from(sorted(RULES)), plain, plain)
def test_no_value_makes_a_rule_raise(rule, value, expected):
    assert isinstance(value_matches(rule, value, expected), bool)


def has_nan(value):
    if isinstance(value, dict):
        return any(map(has_nan, value.keys())) or any(map(has_nan, value.values()))
    if isinstance(value, list | tuple | set):
        return any(map(has_nan, value))
    return value != value


@given(plain, plain)
def test_exact_is_python_equality_where_there_is_no_nan(value, expected):
    assert value_matches("exact", value, value)
    if not has_nan(value) and not has_nan(expected):
        assert value_matches("exact", value, expected) == (value == expected)
