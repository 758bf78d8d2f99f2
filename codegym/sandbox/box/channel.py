"""The examiner's way to a candidate: questions go over as plain data, answers come back as plain data.

Objects that are not plain stay on the other side and are used through ``Remote`` stand-ins. Comparing never crosses,
so no object of the candidate's ever sees an expected value or decides equality.
"""

from __future__ import annotations

import builtins
import select
import socket
import struct
from collections import deque
from collections.abc import Iterator
from typing import Any

from . import plain
from .candidate import CALL, DONE, RAISED

MAX_AHEAD_BYTES = 32768
"""Longer questions are not sent ahead: they could fill the socket while the candidate waits to answer."""
MAX_PATIENCE_MS = 50
"""Answers may fill the socket: then they have to be read before the candidate is through."""
TOLD = "told_by_candidate"
"""Attribute of an exception that the candidate raised: type, message and line, as it tells them."""
_LENGTH = struct.Struct(">I")
_NEVER_RAISED = (StopIteration, StopAsyncIteration)  # these would end a test's loop early, as if it were through


class CandidateGone(BaseException):
    """The candidate's process has ended; not an ``Exception``, so that no test swallows it."""


class Diverged(BaseException):
    """The tests asked for something else than the last time; the program has to run again, question by question."""


class Channel:
    """Requests and answers between the tests and one candidate process.

    Tests mostly ask every program the same. Questions that are known (``Tests.learn``) are all sent ahead, in one
    message, so that nobody waits for the other at each call; where the tests ask anything else, ``Diverged`` is raised.
    """

    def __init__(self, connection: socket.socket, max_bytes: int, attributes: bool, ahead: list[bytes]) -> None:
        self.connection = connection
        self.max_bytes = max_bytes
        self.attributes = attributes
        self.remotes: dict[int, Remote] = {}
        self.questions: list[bytes] = []
        self._ahead = ahead
        self._waiting = b""
        if ahead:
            self._send(b"".join(map(_framed, ahead)))
            self._wait_for_all()

    def ready(self) -> bool:
        """Wait for the module code to end; False where it raised."""
        return self._receive() == DONE

    def call(self, handle: int, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        """Call a function of the candidate's; raises what it raised, changes arguments that it changed."""
        named = plain.encode(keywords, _number) if keywords else b""
        value, _, changed = self._ask(
            CALL + b"%d\n%b\n%b" % (handle, plain.encode(arguments, _number), named)
        ).partition(b"\n")
        if changed:
            _change_in_place(arguments, plain.decode(changed, self.remote))
        return plain.decode(value, self.remote)

    def ask(self, operation: str, *operands: Any) -> Any:
        """Have another operation done in the candidate's process; raises what it raised."""
        return plain.decode(self._ask(plain.encode([operation, *operands], _number)), self.remote)

    def _ask(self, question: bytes) -> bytes:
        number = len(self.questions)
        self.questions.append(question)
        if not self._ahead:
            self._send(_framed(question))
        elif self._ahead[number : number + 1] != [question]:
            raise Diverged
        answer = self._receive()
        if answer.startswith(RAISED):
            raise _exception(*plain.decode(answer[1:]))
        return answer[1:]

    def remote(self, number: int) -> Remote:
        """The stand-in of the candidate's object with this number; always the same one."""
        if number not in self.remotes:
            self.remotes[number] = Remote(self, number)
        return self.remotes[number]

    def _wait_for_all(self) -> None:
        """Sleep until the candidate has no more to say: being woken for each answer costs both sides more than it."""
        self.connection.shutdown(socket.SHUT_WR)
        poll = select.poll()
        poll.register(self.connection, select.POLLRDHUP)
        poll.poll(MAX_PATIENCE_MS)

    def _send(self, message: bytes) -> None:
        try:
            self.connection.sendall(message)
        except OSError:
            raise CandidateGone from None

    def _receive(self) -> bytes:
        """The next answer."""
        while len(self._waiting) < 4 or len(self._waiting) < 4 + (length := _LENGTH.unpack_from(self._waiting)[0]):
            if len(self._waiting) > self.max_bytes or not (more := self.connection.recv(1 << 16)):
                raise CandidateGone
            self._waiting += more
        answer, self._waiting = self._waiting[4 : 4 + length], self._waiting[4 + length :]
        return answer


def _framed(message: bytes) -> bytes:
    return _LENGTH.pack(len(message)) + message


class Remote:
    """Stand-in for an object of the candidate's that is not plain data.

    Attributes and methods are there only where the task is about the candidate's own classes: elsewhere a result
    with a ``startswith`` that always says True would pass for a string.
    """

    __slots__ = ("_channel", "_handle")

    def __init__(self, channel: Channel, number: int) -> None:
        object.__setattr__(self, "_channel", channel)
        object.__setattr__(self, "_handle", number)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:  # noqa: D102
        return self._channel.call(self._handle, [*arguments], keywords)

    def __getattr__(self, name: str) -> Any:
        if not self._channel.attributes:
            raise AttributeError(f"the program returned an object that is not plain data; its {name!r} is not used")
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
    raise TypeError(f"a {type(value).__name__} of the test cannot be passed to the program: it is not plain data")


def _exception(names: list[str], kind: str, message: str, line: int | None) -> BaseException:
    """The nearest builtin exception of the one that the candidate says it raised."""
    for name in names:
        found = getattr(builtins, str(name), None)
        if isinstance(found, type) and issubclass(found, Exception) and not issubclass(found, _NEVER_RAISED):
            break
    else:
        found = RuntimeError
    try:
        error = found(str(message))
    except Exception:  # some want more arguments
        error = RuntimeError(str(message))
    error.__dict__[TOLD] = [str(kind)[:200], str(message)[:2000], line if type(line) is int else None]
    return error


def _change_in_place(arguments: list[Any], after: list[Any]) -> None:
    """Do to the test's own objects what the candidate did to its copies."""
    for mine, theirs in zip(arguments, after, strict=False):
        if type(mine) is not type(theirs):
            continue
        if type(mine) in (list, bytearray):
            mine[:] = theirs
        elif type(mine) in (dict, set, deque):
            mine.clear()
            (mine.extend if type(mine) is deque else mine.update)(theirs)


class Rehearsal(Channel):
    """A channel to nobody: it notes what is asked, and every call fails."""

    def __init__(self) -> None:
        self.questions = []
        self.remotes = {}

    def _ask(self, question: bytes) -> bytes:
        self.questions.append(question)
        if question.startswith(CALL) or len(self.questions) > MAX_AHEAD_BYTES:
            raise RuntimeError("nobody answers at a rehearsal")
        return plain.encode(self.remote(len(self.remotes)), _number)
