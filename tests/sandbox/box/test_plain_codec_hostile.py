"""Hostile text ends in ``PlainError``, after bounded work and in bounded memory."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from helpers.plain_values import texts, values
from hypothesis import given
from hypothesis import strategies as st

from codegym.sandbox.box.plain_codec import MAX_EQUAL_HASHES, MAX_NODES, PlainError, decode, encode

# --- hostile text -----------------------------------------------------------------------------------------------


def survives(text):
    """Decode; the only thing that may go wrong is a ``PlainError``."""
    for resolve in (None, lambda number: "object"):
        try:
            encode(decode(text, resolve))
        except PlainError:
            continue


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(text):
    survives(text)


tags = st.sampled_from([*"tdsfqcbBReTDFinr", "td", "dt", "da", "ti", "n", "zz", ""])
json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts | st.sampled_from(["0x1f", "1e9", "sNaN", "int"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(tags, inner, max_size=1)
        | st.dictionaries(tags, inner, max_size=2)
    ),
    max_leaves=20,
)


@given(json_like)
def test_any_tags_around_anything_are_read_or_refused(data):
    survives(json.dumps(data).encode())


@given(values, st.data())
def test_a_valid_message_with_a_changed_byte_is_read_or_refused(value, data):
    text = bytearray(encode(value))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(text) - 1))
        action = data.draw(st.sampled_from(["change", "cut", "double"]))
        if action == "change":
            text[place] = data.draw(st.sampled_from(b'[]{}":,0129eE-+.trdsfqnibDFT\\u\x00\xff'))
        elif action == "cut" and len(text) > 1:
            del text[place : place + data.draw(st.integers(1, 9))]
        else:
            text[place:place] = text[max(0, place - 9) : place + 9]
        text = text or bytearray(b"0")
    survives(bytes(text))


HOSTILE = {
    "nothing": b"",
    "not ascii": "[\u00e9]".encode(),
    "two values": b"1 2",
    "open": b"[[[",
    "deep brackets": b"[" * 100_000,
    "deep tags": b'{"t":[' * 50_000,
    "deep and closed": b"[" * 500 + b"]" * 500,
    "empty tag": b"{}",
    "two tags": b'{"t":[],"s":[]}',
    "unknown tag": b'{"pickle":[]}',
    "many digits": b"9" * 1_000_000,
    "no hexadecimal": b'{"i":"0xg"}',
    "int of a list": b'{"i":[]}',
    "long Decimal": b'{"D":"' + b"9" * 1_000_000 + b'"}',
    "Decimal of a number": b'{"D":5}',
    "signalling Decimal": b'{"D":"sNaN1"}',
    "Fraction of large parts": b'{"F":[{"i":"0x' + b"f" * 100_000 + b'"},3]}',
    "Fraction of a tiny Decimal": b'{"F":[{"D":"1E-999999999"}]}',
    "Fraction of a text": b'{"F":["1e999999999"]}',
    "Fraction of nothing": b'{"F":[1,0]}',
    "tuple of an endless range": b'{"t":{"R":[0,1000000000000]}}',
    "set of an endless range": b'{"s":{"R":[0,1000000000000]}}',
    "deque of an endless range": b'{"q":{"R":[0,1000000000000]}}',
    "dict of an endless range": b'{"d":{"R":[0,1000000000000]}}',
    "complex of an endless range": b'{"c":{"R":[0,1000000000000]}}',
    "range of an endless range": b'{"R":{"R":[0,1000000000000]}}',
    "Fraction of an endless range": b'{"F":{"R":[0,1000000000000]}}',
    "bytes of a size": b'{"B":1000000000000}',
    "bytes beyond 255": b'{"b":"\\u0100"}',
    "pickled date": b'{"da":[{"b":"\\u0007\\u00e4\\u0001\\u00ff"}]}',
    "pickled time": b'{"dt":[{"b":"\\u0007\\u00e4\\u0001\\u00ff\\u00ff\\u00ff\\u00ff\\u0000\\u0000\\u0000"}]}',
    "endless time": b'{"td":[1e308]}',
    "unhashable item": b'{"s":[[]]}',
    "pair of three": b'{"d":[[1,2,3]]}',
    "type of the program": b'{"T":"object"}',
    "equal hashes": b'{"s":[' + b",".join(b"%d" % (k * (2**61 - 1)) for k in range(20_000)) + b"]}",
    "equal hashes of keys": b'{"d":[' + b",".join(b"[%d,0]" % (k * (2**61 - 1)) for k in range(20_000)) + b"]}",
    "too many values": b"[" + b"0," * MAX_NODES + b"0]",
    "too many tags": b"[" + b'{"q":[]},' * (MAX_NODES // 6 + 1) + b"0]",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_s14_hostile_text_is_refused_at_once(text):
    tracemalloc.start()
    try:
        with pytest.raises(PlainError):
            decode(text)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20 * len(text) + 1_000_000


REPEATED = 10_000
SHAPES = {
    "empty lists": (b"[]", 32),
    "lists of one": (b"[0]", 32),
    "strings": (b'"ab"', 16),
    "floats": (b"1.5", 16),
    "tuples": (b'{"t":[]}', 40),
    "sets": (b'{"s":[]}', 64),
    "frozensets": (b'{"f":[0]}', 64),
    "dicts": (b'{"d":[[0,0]]}', 64),
    "deques": (b'{"q":[]}', 128),  # one takes 760 bytes
    "ranges": (b'{"R":[1]}', 48),
    "complex": (b'{"c":[]}', 48),
    "Decimals": (b'{"D":"1"}', 48),
    "Fractions": (b'{"F":[1,3]}', 48),
    "dates": (b'{"da":[1,1,1]}', 48),
    "hexadecimal": (b'{"i":"1"}', 48),
}


@pytest.mark.parametrize(("part", "times"), SHAPES.values(), ids=SHAPES)
def test_s14_memory_is_bounded_by_the_length_of_the_text(part, times):
    """With ``MAX_NODES`` no message takes more than about 700 MB, whatever is in it."""
    text = b"[" + (part + b",") * REPEATED + b"0]"
    decode(text)  # imports are not counted
    tracemalloc.start()
    try:
        decode(text)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < times * len(text)


@pytest.mark.parametrize("text", [b'{"i":"' + b"f" * 1_000_000 + b'"}', b"1." + b"9" * 1_000_000])
def test_long_numbers_that_are_cheap_are_read(text):
    assert decode(text) > 1


def test_large_honest_collections_are_read():
    powers = {2.0**exponent for exponent in range(-1074, 1024)}  # 2,098 numbers with 61 hashes
    assert len({hash(power) for power in powers}) == 61
    assert decode(encode(powers)) == powers
    assert len(decode(encode(set(range(100_000))))) == 100_000
    table = {(i, str(i)): [i] for i in range(20_000)}
    assert decode(encode(table)) == table
    collisions = {k * (2**61 - 1) for k in range(MAX_EQUAL_HASHES)}
    assert decode(encode(collisions)) == collisions
