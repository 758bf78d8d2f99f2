"""Examiner's channel to a candidate: questions and answers cross as plain data.

Objects that are not plain stay on the other side and are used through ``Remote`` stand-ins. Comparisons never cross, so
no object of the candidate ever sees an expected value or decides equality.
"""

from __future__ import annotations

import builtins
import marshal
import struct
from _socket import SHUT_WR, socket
from collections import deque
from collections.abc import Iterator
from typing import Any

from . import plain_codec
from .frames import ROOM_BYTES
from .responder import DONE, MARSHAL, RAISED

MAX_PREFETCH_BYTES = 32768
"""Longer questions are not prefetched: they could fill the socket while the candidate waits to answer."""
REPORTED = "reported_by_candidate"
"""Attribute of an exception that the candidate raised: type, message and line, as the candidate reports them."""
_HEAD = struct.Struct("<cI")
"""Head of a message: a letter and a length."""
BYTES, LIST = b"s", b"["
"""First letters of marshalled bytes and of a marshalled list."""
_ROOM = memoryview(bytearray(ROOM_BYTES))
_NEVER_RAISED = (StopIteration, StopAsyncIteration)  # these would end a test's loop early, as if it had finished


class CandidateGone(BaseException):
    """The candidate's process has ended; not an ``Exception``, so that no test swallows it."""


class PrefetchMismatch(BaseException):
    """The tests asked another question than the prefetched one; the program has to run again, question by question."""


class Channel:
    """Requests and answers between the tests and one candidate process.

    Tests mostly ask every program the same questions. Known questions (``Tests.learn``) are prefetched: all of them are
    sent in one message, so that neither side waits for the other at each call. ``PrefetchMismatch`` is raised if the
    tests then ask anything else.
    """

    def __init__(self, connection: socket, max_bytes: int, attributes: bool, prefetched: list[bytes]) -> None:
        self.connection = connection
        self.max_bytes = max_bytes
        self.attributes = attributes
        self.remotes: dict[int, Remote] = {}
        self.questions: list[bytes] = []
        self._prefetched = prefetched
        self._unanswered = iter(prefetched)
        self._expected = next(self._unanswered, None)
        self._buffer, self._place = b"", 0
        if prefetched:  # the socket has room for them, although the candidate does not read yet
            self.connection.sendall(_message(prefetched))
            self.connection.shutdown(SHUT_WR)

    def close(self) -> None:
        """Close the connection, so that the candidate ends."""
        self.connection.close()

    def ready(self) -> bool:
        """Wait for the module code to end; return False if it raised."""
        return self._receive() == DONE

    def name(self, name: str) -> Any:
        """Return the object with this ``name`` in the program; raise if there is none."""
        return self._ask(marshal.dumps(name, MARSHAL))

    def call(self, remote: Remote, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        """Call an object of the candidate; raise what it raises, and change the arguments that it changes."""
        return self._ask(self._call(remote, arguments, keywords), arguments)

    def ask(self, operation: str, *operands: Any) -> Any:
        """Do another operation in the candidate's process; raise what it raises."""
        return self._ask(_plain([operation, *operands]))

    def _call(self, remote: Remote, arguments: list[Any], keywords: dict[str, Any]) -> bytes:
        try:
            question = marshal.dumps((_number(remote), arguments, keywords), MARSHAL)
        except ValueError:
            return _plain(["call", remote, arguments, keywords])
        # A known question needs no second check: marshalling hides no types but those of buffers.
        if question == self._expected or (_is_exact(arguments) and _is_exact(keywords)):
            return question
        return _plain(["call", remote, arguments, keywords])

    def _ask(self, question: bytes, arguments: list[Any] | None = None) -> Any:
        if self._prefetched:
            if question != self._expected:
                raise PrefetchMismatch
            self._expected = next(self._unanswered, None)
        else:
            self._send(_message([question]))
            self.questions.append(question)
        answer = self._receive()
        if answer.startswith(RAISED):
            raise _exception(*plain_codec.decode(answer[1:]))
        value, _, changed = answer[1:].partition(b"\n")
        if changed and arguments is not None:
            _change_in_place(arguments, plain_codec.decode(changed, self.remote))
        return plain_codec.decode(value, self.remote)

    def remote(self, number: int) -> Remote:
        """Return the stand-in of the candidate's object with this number; always the same one."""
        if number not in self.remotes:
            self.remotes[number] = Remote(self, number)
        return self.remotes[number]

    def _send(self, message: bytes) -> None:
        try:
            self.connection.sendall(message)
        except OSError:
            raise CandidateGone from None

    def _receive(self) -> bytes:
        """Return the next answer; raise ``CandidateGone`` at once if the bytes are no answer."""
        while True:
            waiting, start = self._buffer, self._place + _HEAD.size
            if len(waiting) >= start:
                letter, length = _HEAD.unpack_from(waiting, self._place)
                if letter != BYTES or length > self.max_bytes:
                    raise CandidateGone
                if len(waiting) >= start + length:
                    self._place = start + length
                    return waiting[start : self._place]
            if not (num_bytes := self.connection.recv_into(_ROOM)):
                raise CandidateGone
            self._buffer, self._place = waiting[self._place :] + _ROOM[:num_bytes], 0


def _message(questions: list[bytes]) -> bytes:
    """Pack questions into one message: a marshalled list, made of its marshalled items."""
    return marshal.dumps(LIST + len(questions).to_bytes(4, "little") + b"".join(questions), MARSHAL)


def _plain(question: list[Any]) -> bytes:
    return marshal.dumps(plain_codec.encode(question, _number), MARSHAL)


_SCALARS = frozenset({type(None), bool, int, float, complex, str, bytes})


def _is_exact(value: Any) -> bool:
    """Return whether all parts have the builtin types that marshalling preserves."""
    kind = type(value)
    if kind in _SCALARS:
        return True
    if kind is dict:
        return _is_exact([*value]) and _is_exact([*value.values()])
    if kind not in (list, tuple, set, frozenset):
        return False
    return _SCALARS.issuperset(map(type, value)) or all(map(_is_exact, value))


class Remote:
    """Stand-in for an object of the candidate that is not plain data.

    It has attributes and methods only if the task is about the candidate's own classes: in other tasks, a result whose
    ``startswith`` always returns True would pass for a string.
    """

    __slots__ = ("_channel", "_handle")

    def __init__(self, channel: Channel, number: int) -> None:
        object.__setattr__(self, "_channel", channel)
        object.__setattr__(self, "_handle", number)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:  # noqa: D102
        return self._channel.call(self, [*arguments], keywords)

    def __getattr__(self, name: str) -> Any:
        if not self._channel.attributes:
            raise AttributeError(f"no attribute {name!r}: the program returned an object that is not plain data")
        return self._channel.ask("getattr", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._channel.ask("setattr", self, name, value)

    def __getitem__(self, key: Any) -> Any:
        return self._channel.ask("getitem", self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._channel.ask("setitem", self, key, value)

    def __iter__(self) -> Iterator[Any]:
        cursor = self._channel.ask("iter", self)
        while found := self._channel.ask("next", cursor):
            yield found[0]

    def __next__(self) -> Any:
        found = self._channel.ask("next", self._channel.ask("iter", self))
        if not found:
            raise StopIteration
        return found[0]

    def __len__(self) -> int:
        return self._channel.ask("len", self)  # type: ignore[no-any-return]

    def __bool__(self) -> bool:
        return self._channel.ask("bool", self) is True

    def __str__(self) -> str:
        return str(self._channel.ask("str", self))

    def __repr__(self) -> str:
        return str(self._channel.ask("repr", self))

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return object.__hash__(self)


def _number(value: Any) -> int:
    if type(value) is Remote:
        return value._handle  # type: ignore[no-any-return]
    raise TypeError(f"the test passes a {type(value).__name__} to the program: expected plain data")


def _exception(names: list[str], kind: str, message: str, line: int | None) -> BaseException:
    """Return the nearest builtin exception of the one that the candidate reports."""
    for name in names:
        found = getattr(builtins, str(name), None)
        if isinstance(found, type) and issubclass(found, Exception) and not issubclass(found, _NEVER_RAISED):
            break
    else:
        found = RuntimeError
    try:
        error = found(str(message))
    except Exception:  # some classes need more arguments
        error = RuntimeError(str(message))
    error.__dict__[REPORTED] = [str(kind)[:200], str(message)[:2000], line if type(line) is int else None]
    return error


def _change_in_place(arguments: list[Any], after: list[Any]) -> None:
    """Change the test's own objects as the candidate changed its copies."""
    for mine, theirs in zip(arguments, after, strict=False):
        if type(mine) is not type(theirs):
            continue
        if type(mine) in (list, bytearray):
            mine[:] = theirs
        elif type(mine) in (dict, set, deque):
            mine.clear()
            (mine.extend if type(mine) is deque else mine.update)(theirs)
