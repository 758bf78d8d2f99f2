"""Plain data crosses the border as exact builtin values."""

from __future__ import annotations

import datetime as dt
import math
import sys
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from fractions import Fraction

import pytest
from helpers.plain_values import shape, values
from hypothesis import given

from codegym.sandbox.box.plain_codec import BIG, MAX_DEPTH, PlainError, decode, encode


def test_a_value_comes_back_as_it_was():
    assert encode([1, "a", (2.5, None)]) == b'[1,"a",{"t":[2.5,null]}]'
    assert decode(b'[1,"a",{"t":[2.5,null]}]') == [1, "a", (2.5, None)]


# --- round trip -------------------------------------------------------------------------------------------------


@given(values)
def test_every_plain_value_survives_the_way(value):
    text = encode(value)
    assert text.isascii()
    assert b"\n" not in text  # a line of its own in a report
    assert shape(decode(text)) == shape(value)


@pytest.mark.parametrize(
    "value",
    [
        *(
            True,
            1,
            1.0,
            0,
            -0.0,
            0.0,
            math.inf,
            -math.inf,
            math.nan,
            None,
            ...,
            "",
            b"",
            (),
            [],
            {},
            set(),
            frozenset(),
        ),
        *(10**4299, 10**4300, -(10**5000), BIG - 1, BIG, 1 - BIG, -BIG),
        *("\ud800", "\ude00\ud83d", "\U0001f600", "\0", '"\\'),
        *(complex(-0.0, math.inf), complex(math.nan, 1), bytes(range(256)), bytearray(b"\xff")),
        {1: "int", "1": "text", None: 0, (1, (2,)): [], frozenset({1}): {}, 2.5: {"r": 1}, b"x": 0},
        {"t": [1]},  # looks like a tag, is a dict
        [{"r": 0}, {"i": "0x1"}, {}],
        *(range(5), range(10**30, -5, -7), deque([1, deque()])),
        *(Decimal("1.10"), Decimal("-0"), Decimal("Infinity"), Decimal("1E+999999"), Fraction(-1, 3)),
        Fraction(1 - BIG, BIG - 2),
        *(dt.date(1, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59, 999999), dt.time(1), dt.timedelta.min),
        [int, float, complex, bool, str, bytes, bytearray, list, tuple, dict, set, frozenset, range, type(None)],
    ],
    ids=lambda value: f"{type(value).__name__}-{str(value)[:20] if not isinstance(value, int) else value % 1000}",
)
def test_value_and_type_are_exact(value):
    assert shape(decode(encode(value))) == shape(value)


def test_pair_of_surrogates_becomes_the_character_it_stands_for():
    assert decode(encode("\ud83d\ude00")) == "\U0001f600"  # the one text that does not come back as it was


def test_order_of_a_dict_is_kept():
    assert list(decode(encode({"b": 1, "a": 2, "c": 3}))) == ["b", "a", "c"]


# --- subclasses travel as their base value ----------------------------------------------------------------------


def liar(base):
    """A subclass that agrees with everything and pretends to be its base."""

    def fail(self, *_):
        raise AssertionError("a method of the program's own class was called")

    names = ("__iter__", "__len__", "__getitem__", "__str__", "__repr__", "__int__", "__float__", "__index__", "items")
    body = {"__eq__": lambda self, other: True, "__hash__": lambda self: 0, "__class__": property(lambda self: base)}
    return type(base.__name__, (base,), body | dict.fromkeys((*names, "__pos__", "__add__", "__reduce__"), fail))


@pytest.mark.parametrize(
    "value",
    [0, 7, 10**5000, 0.5, "text", b"bytes", bytearray(b"x"), 1 + 2j, [1, [2]], (1, 2), {"a": 1}, {1, 2}, deque([3])],
    ids=lambda value: type(value).__name__,
)
def test_r2_liar_travels_as_the_value_it_was_made_of(value):
    lie = liar(type(value))(value)
    assert lie == "anything"
    back = decode(encode([lie]))[0]
    assert type(back) is type(value)
    assert back == value


def test_r2_class_attribute_does_not_make_an_object_plain():
    class Spoof:
        __class__ = int

        def __eq__(self, other):
            return True

    assert isinstance(Spoof(), int)
    with pytest.raises(PlainError, match="a value of type Spoof is not plain data"):
        encode(Spoof())


class Colour(IntEnum):
    RED = 1


class Word(StrEnum):
    A = "a"


Point = namedtuple("Point", "x y")


@pytest.mark.parametrize(
    ("value", "base"),
    [
        (Colour.RED, 1),
        (Word.A, "a"),
        (Point(1, 2), (1, 2)),
        (Counter("aab"), {"a": 2, "b": 1}),
        (OrderedDict(b=1), {"b": 1}),
        (defaultdict(list, {1: [2]}), {1: [2]}),
        ({Colour.RED: Word.A}, {1: "a"}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_honest_subclass_travels_as_its_base_value(value, base):
    assert shape(decode(encode(value))) == shape(base)


# --- what is not plain ------------------------------------------------------------------------------------------


class Plain(Enum):
    MEMBER = 1


@pytest.mark.parametrize(
    "value",
    [
        object(),
        len,
        lambda: 0,
        iter([]),
        (i for i in ()),
        Plain.MEMBER,
        Ellipsis.__class__,
        int.__add__,
        dt.UTC,
    ]
    + [sys, NotImplemented, memoryview(b"x"), {}.keys(), type("Own", (), {}), dt.datetime(2000, 1, 1, tzinfo=dt.UTC)],
    ids=lambda value: type(value).__name__,
)
def test_other_objects_are_refused(value):
    with pytest.raises(PlainError, match="not plain data"):
        encode([value])


def nested(depth, kind):
    value = kind()
    for _ in range(depth):
        value = {1: value} if kind is dict else kind([value])
    return value


@pytest.mark.parametrize(
    ("kind", "levels"), [(list, 1), (tuple, 2), (frozenset, 2), (deque, 2), (dict, 3)], ids=lambda value: str(value)
)
def test_what_can_be_written_can_be_read_whatever_its_depth(kind, levels):
    deepest = nested(MAX_DEPTH // levels, kind)
    assert encode(decode(encode(deepest))) == encode(deepest)
    with pytest.raises(PlainError, match="nested deeper than 250 levels"):
        encode(nested(MAX_DEPTH // levels + 2, kind))


def test_a_deep_caller_gets_the_same_error():
    def call(depth):
        return call(depth - 1) if depth else encode(nested(MAX_DEPTH, list))

    with pytest.raises(PlainError, match="nested too deeply"):
        call(sys.getrecursionlimit() - 400)


def test_cycle_is_refused():
    cycle = []
    cycle.append(cycle)
    with pytest.raises(PlainError, match="nested deeper"):
        encode(cycle)
    table = {}
    table["self"] = (table,)
    with pytest.raises(PlainError, match="nested deeper"):
        encode(table)


# --- references -------------------------------------------------------------------------------------------------


def test_object_that_is_not_plain_goes_by_number_where_that_is_wanted():
    objects = [object(), object()]
    text = encode([objects[1], {"a": (objects[0],)}], objects.index)
    assert text == b'[{"r":1},{"d":[["a",{"t":[{"r":0}]}]]}]'
    back = decode(text, objects.__getitem__)
    assert back[0] is objects[1]
    assert back[1]["a"][0] is objects[0]


@pytest.mark.parametrize("text", [b'{"r":0}', b'[{"r":0}]', b'{"d":[[1,{"r":0}]]}'])
def test_reference_is_refused_where_only_plain_data_may_stand(text):
    with pytest.raises(PlainError, match="a reference in data that must be plain"):
        decode(text)


@pytest.mark.parametrize("number", [b"7", b'"0"', b"true", b"0.0", b"null", b"[]", b'{"i":"0x0"}'])
def test_reference_that_leads_nowhere_is_refused(number):
    with pytest.raises(PlainError):
        decode(b'{"r":' + number + b"}", [object()].__getitem__)


# --- numpy ------------------------------------------------------------------------------------------------------


def test_numpy_values_travel_as_builtin_ones():
    numpy = pytest.importorskip("numpy")
    scalars = [numpy.int64(7), numpy.float64(0.5), numpy.float32(0.5), numpy.bool_(True), numpy.str_("a")]
    assert shape(decode(encode([*scalars, numpy.complex128(1j)]))) == shape([7, 0.5, 0.5, True, "a", 1j])
    assert decode(encode(numpy.array([[1, 2], [3, 4]]))) == [[1, 2], [3, 4]]
    assert decode(encode(numpy.array(5))) == 5
    assert decode(encode(numpy.array([1, "a", None, (1, 2)], dtype=object))) == [1, "a", None, (1, 2)]
    assert shape(decode(encode({numpy.int64(1): numpy.uint8(255)}))) == shape({1: 255})


def test_numpy_array_is_an_array_again_for_the_examiner():
    numpy = pytest.importorskip("numpy")
    array = numpy.array([[1.5, 2], [3, 4]])
    back = decode(encode(array), lambda number: None)
    assert isinstance(back, numpy.ndarray)
    assert (back == array).all()


def test_numpy_objects_without_a_value_are_refused():
    numpy = pytest.importorskip("numpy")
    for value in (numpy.array([object()], dtype=object), numpy.int64, numpy.dtype("int8"), numpy.random.default_rng()):
        with pytest.raises(PlainError):
            encode(value)
