"""Messages on a stream socket: two lengths, a JSON header, and a block of raw bytes."""

from __future__ import annotations

import socket
import struct
from typing import Any

from .plain_codec import from_json, to_json

MAX_BYTES = 1 << 30
ROOM_BYTES = 1 << 16
"""Size of the one buffer that is read into: buffers that ``recv`` allocates and shrinks would fragment the memory."""
_LENGTHS = struct.Struct(">II")


def pack(header: Any, block: bytes = b"") -> bytes:
    """Return one message as bytes; ``header`` is plain JSON data."""
    text = to_json(header)
    return _LENGTHS.pack(len(text), len(block)) + text + block


class Stream:
    """Reads whole messages from a socket, several from one system call if they arrive together."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._buffer = bytearray()
        self._room = memoryview(bytearray(ROOM_BYTES))

    def send(self, *messages: bytes) -> None:
        """Write packed messages, all together."""
        self.socket.sendall(b"".join(messages))

    def receive(self) -> tuple[Any, bytes]:
        """Wait for the next message.

        Raises:
            EOFError: The other side has closed the connection.
            ValueError: The bytes are not a message.
        """
        waiting = self._wait_for(_LENGTHS.size)
        header_length, block_length = _LENGTHS.unpack_from(waiting)
        if header_length + block_length > MAX_BYTES:
            raise ValueError(
                f"message too long: got {header_length + block_length:,} bytes; expected at most {MAX_BYTES:,}"
            )
        block_start = _LENGTHS.size + header_length
        block_end = block_start + block_length
        self._wait_for(block_end)
        text, block = bytes(waiting[_LENGTHS.size : block_start]), bytes(waiting[block_start:block_end])
        del waiting[:block_end]
        return from_json(text), block

    def receive_some(self, most: int) -> list[tuple[Any, bytes]]:
        """Wait for the next message; return it with those that have arrived already, ``most`` in total."""
        messages = [self.receive()]
        while len(messages) < most and self._has_message():
            messages.append(self.receive())
        return messages

    def _has_message(self) -> bool:
        waiting = self._buffer
        return len(waiting) >= _LENGTHS.size and len(waiting) >= _LENGTHS.size + sum(_LENGTHS.unpack_from(waiting))

    def _wait_for(self, count: int) -> bytearray:
        """Wait until ``count`` bytes have arrived; return the buffer."""
        while len(self._buffer) < count:
            if not (num_bytes := self.socket.recv_into(self._room)):
                raise EOFError("the other side has closed the connection")
            self._buffer += self._room[:num_bytes]
        return self._buffer
