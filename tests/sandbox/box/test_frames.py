"""Messages on a stream socket arrive whole, in order, however the bytes were cut on the way."""

from __future__ import annotations

import io
import itertools
import socket
import struct
import threading
import tracemalloc
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegym.sandbox.box.frames import MAX_BYTES, Stream, pack


@pytest.fixture
def pair():
    one, other = socket.socketpair()
    with one, other:
        yield Stream(one), Stream(other)


def test_a_message_is_a_header_and_a_block(pair):
    here, there = pair
    here.send(pack({"id": 1}, b"\x00raw\xff"))
    assert there.receive() == ({"id": 1}, b"\x00raw\xff")


def test_a_message_is_two_lengths_then_the_header_then_the_block():
    assert pack([1, "é"], b"xyz") == b"\x00\x00\x00\x0c\x00\x00\x00\x03" + rb'[1,"\u00e9"]' + b"xyz"


headers = st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner), max_leaves=5)
messages = st.lists(st.tuples(headers, st.binary(max_size=50)), min_size=1, max_size=5)


@given(messages, st.lists(st.integers(1, 40), min_size=1))
def test_messages_keep_their_borders_however_the_bytes_are_cut(sent, cuts):
    data, sizes = io.BytesIO(b"".join(pack(*message) for message in sent)), itertools.cycle(cuts)
    piece = SimpleNamespace(recv_into=lambda room: data.readinto(room[: next(sizes)]))  # a socket would not hold all
    stream = Stream(piece)
    assert [stream.receive() for _ in sent] == sent
    with pytest.raises(EOFError):
        stream.receive()


def test_messages_that_came_together_are_given_together(pair):
    here, there = pair
    here.send(*[pack(number) for number in range(5)], pack(5)[:3])
    assert [header for header, _ in there.receive_some(4)] == [0, 1, 2, 3]
    assert there.receive_some(4) == [(4, b"")]  # the sixth is not whole
    here.send(pack(5)[3:])
    assert there.receive_some(4) == [(5, b"")]


def test_large_blocks_cross_while_both_sides_take_turns(pair):
    here, there = pair
    block = bytes(range(256)) * 4 * 4096  # 4 MiB, many times what a socket holds
    thread = threading.Thread(target=lambda: [here.send(pack(number, block)) for number in range(3)])
    thread.start()
    assert [there.receive() for _ in range(3)] == [(0, block), (1, block), (2, block)]
    thread.join()


@pytest.mark.parametrize("cut", [1, 7, 8, 9, 15])
def test_end_of_the_stream_inside_a_message_is_an_error(pair, cut):
    here, there = pair
    here.socket.sendall(pack({"id": 1}, b"block")[:cut])
    here.socket.shutdown(socket.SHUT_WR)
    with pytest.raises(EOFError, match="the other side has closed"):
        there.receive()


@pytest.mark.parametrize("lengths", [(MAX_BYTES, 1), (1, MAX_BYTES), (0xFFFFFFFF, 0xFFFFFFFF)])
def test_length_beyond_the_limit_is_refused_before_anything_is_read(pair, lengths):
    here, there = pair
    here.socket.sendall(struct.pack(">II", *lengths))
    with pytest.raises(ValueError, match="message too long"):
        there.receive()


def test_promised_length_takes_no_memory_before_the_bytes_come(pair):
    here, there = pair
    here.socket.sendall(struct.pack(">II", 2, MAX_BYTES - 2) + b"{}only this")
    here.socket.shutdown(socket.SHUT_WR)
    tracemalloc.start()
    try:
        with pytest.raises(EOFError):
            there.receive()
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("header", [b"", b"{", b"\xff", b"nothing", b"1 2"])
def test_header_that_is_no_json_is_an_error(pair, header):
    here, there = pair
    here.socket.sendall(struct.pack(">II", len(header), 0) + header)
    with pytest.raises(ValueError):
        there.receive()


def test_silence_is_a_timeout(pair):
    here, there = pair
    there.socket.settimeout(0.01)
    here.socket.sendall(pack(1)[:-1])
    with pytest.raises(TimeoutError):
        there.receive()


def test_header_is_ascii_so_that_half_characters_cross(pair):
    here, there = pair
    here.send(pack({"stdin": "\ud800 é"}))
    assert there.receive() == ({"stdin": "\ud800 é"}, b"")
    assert pack({"stdin": "\ud800 é"}).isascii()
