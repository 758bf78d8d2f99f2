"""Messages on a stream socket: a length, a JSON header, and a block of raw bytes."""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

MAX_BYTES = 1 << 30
ROOM_BYTES = 1 << 16
"""Read at once, into the same place each time: what ``recv`` gets for itself and cuts off leaves memory in pieces."""
_LENGTHS = struct.Struct(">II")
_ENCODER = json.JSONEncoder(separators=(",", ":"), check_circular=False)
_DECODER = json.JSONDecoder()


def pack(header: Any, block: bytes = b"") -> bytes:
    """One message as bytes; ``header`` is plain JSON data."""
    text = _ENCODER.encode(header).encode("ascii")
    return _LENGTHS.pack(len(text), len(block)) + text + block


class Stream:
    """Reads whole messages from a socket, several from one system call where they come together."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._waiting = bytearray()
        self._room = memoryview(bytearray(ROOM_BYTES))

    def send(self, header: Any, block: bytes = b"") -> None:
        """Write one message."""
        self.socket.sendall(pack(header, block))

    def receive(self) -> tuple[Any, bytes]:
        """Wait for the next message.

        Raises:
            EOFError: the other side has closed.
            ValueError: the bytes are not a message.
        """
        header_length, block_length = _LENGTHS.unpack(self._take(_LENGTHS.size))
        if header_length + block_length > MAX_BYTES:
            raise ValueError(f"a message of {header_length + block_length:,} bytes is over the limit")
        text = self._take(header_length).decode("utf-8")
        header, end = _DECODER.raw_decode(text)
        if end != len(text):
            raise ValueError("a message with more than one header")
        return header, self._take(block_length)

    def _take(self, count: int) -> bytes:
        waiting = self._waiting
        while len(waiting) < count:
            if not (num_bytes := self.socket.recv_into(self._room)):
                raise EOFError("the other side has closed the connection")
            waiting += self._room[:num_bytes]
        taken = bytes(waiting[:count])
        del waiting[:count]
        return taken
