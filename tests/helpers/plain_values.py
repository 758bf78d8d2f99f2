"""Strategies for plain data."""

from __future__ import annotations

from collections import deque
from decimal import Decimal

from hypothesis import strategies as st

from codegym.sandbox.box.plain_codec import BIG


def shape(value):
    """The value with its types, so that ``1 == True == 1.0``, ``0.0 == -0.0`` and NaN can be told apart."""
    kind = type(value)
    if kind in (float, complex, Decimal):
        return kind, repr(value)
    if kind in (list, tuple, deque):
        return kind, tuple(map(shape, value))
    if kind in (set, frozenset):
        return kind, frozenset(map(shape, value))
    if kind is dict:
        return kind, tuple((shape(key), shape(item)) for key, item in value.items())
    return kind, value


texts = st.text(st.characters() | st.sampled_from("\ud800\0\n\r\u2028\x7f"), max_size=5)
big = st.integers(1, 5).map(lambda power: BIG**power - 1)  # 6,165 digits
dates = st.dates() | st.datetimes() | st.times() | st.timedeltas()
ranges = st.builds(range, st.integers(), st.integers(), st.integers().filter(bool))
numbers = st.integers() | big | big.map(lambda number: -number) | st.floats() | st.complex_numbers()
decimals = st.decimals(allow_nan=False) | st.just(Decimal("NaN"))
hashable = st.none() | st.booleans() | numbers | texts | st.binary(max_size=5) | dates | ranges | st.fractions()
leaves = hashable | st.binary(max_size=5).map(bytearray) | decimals
keys = st.recursive(
    hashable,
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=4,
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.lists(inner, max_size=4).map(deque)
        | st.sets(keys, max_size=4)
        | st.frozensets(keys, max_size=4)
        | st.dictionaries(keys, inner, max_size=4)
    ),
    max_leaves=12,
)
