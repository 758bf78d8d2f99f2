"""Messages on a stream socket: a length, a JSON header, and a block of raw bytes."""

from __future__ import annotations

import socket
import struct
from typing import Any

from .plain_codec import from_json, to_json

MAX_BYTES = 1 << 30
ROOM_BYTES = 1 << 16
"""Read at once, into the same place each time: what ``recv`` gets for itself and cuts off leaves memory in pieces."""
_LENGTHS = struct.Struct(">II")


def pack(header: Any, block: bytes = b"") -> bytes:
    """One message as bytes; ``header`` is plain JSON data."""
    text = to_json(header)
    return _LENGTHS.pack(len(text), len(block)) + text + block


class Stream:
    """Reads whole messages from a socket, several from one system call where they come together."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._buffer = bytearray()
        self._room = memoryview(bytearray(ROOM_BYTES))

    def send(self, *messages: bytes) -> None:
        """Write messages that are packed already, all together."""
        self.socket.sendall(b"".join(messages))

    def receive(self) -> tuple[Any, bytes]:
        """Wait for the next message.

        Raises:
            EOFError: the other side has closed.
            ValueError: the bytes are not a message.
        """
        waiting = self._wait_for(_LENGTHS.size)
        header_length, block_length = _LENGTHS.unpack_from(waiting)
        if header_length + block_length > MAX_BYTES:
            raise ValueError(f"a message of {header_length + block_length:,} bytes is over the limit")
        block_start = _LENGTHS.size + header_length
        block_end = block_start + block_length
        self._wait_for(block_end)
        text, block = bytes(waiting[_LENGTHS.size : block_start]), bytes(waiting[block_start:block_end])
        del waiting[:block_end]
        return from_json(text), block

    def receive_some(self, most: int) -> list[tuple[Any, bytes]]:
        """Wait for the next message; with it come those that have arrived already, ``most`` in all."""
        messages = [self.receive()]
        while len(messages) < most and self._has_message():
            messages.append(self.receive())
        return messages

    def _has_message(self) -> bool:
        waiting = self._buffer
        return len(waiting) >= _LENGTHS.size and len(waiting) >= _LENGTHS.size + sum(_LENGTHS.unpack_from(waiting))

    def _wait_for(self, count: int) -> bytearray:
        """What has come, once it is so many bytes."""
        while len(self._buffer) < count:
            if not (num_bytes := self.socket.recv_into(self._room)):
                raise EOFError("the other side has closed the connection")
            self._buffer += self._room[:num_bytes]
        return self._buffer
