"""Candidate's end of its channel to the examiner: does what the stand-ins of its functions ask for.

Questions arrive marshalled, many in one message if they are prefetched. An answer is plain data (``plain_codec``), in
which objects of the candidate are numbers. In both directions a message is marshalled bytes: a letter, a length and the
bytes themselves.

The memory page of every object that is used here is copied for every program, so few objects are used.
"""

from __future__ import annotations

from collections.abc import Callable
from marshal import dumps, loads
from os import close, read, write
from types import FunctionType
from typing import Any

from .plain_codec import decode, encode
from .program import describe

Question = str | tuple[int, list[Any], dict[str, Any]] | bytes
"""A name of the program; a call (number of the object, arguments, keywords) if all parts have exact builtin types, as
they nearly always have; or any other operation with its operands, as plain data."""
DONE, RAISED = b"+", b"-"
"""First bytes of answers: a value, with changed arguments on a second line, or an exception."""
MARSHAL = 0
"""Version of marshal without references and interned strings: equal values are equal bytes."""
_CHUNK = 1 << 16
_objects: list[Any] = []
_numbers: dict[int, int] = {}
"""Objects that the examiner knows by number, and numbers by identity; a process holds one program."""


def answer_examiner(namespace: dict[str, Any], channel: int, first_line: int) -> None:
    """Answer questions until the examiner closes the channel.

    Each answer is written before the program's code runs again, because that may end the process.
    """
    unsent = dumps(DONE, MARSHAL)
    while True:
        _send(channel, unsent)
        questions = _receive(channel)
        unsent = b""
        for question in questions:
            if type(question) is not str:
                _send(channel, unsent)
                unsent = b""
            unsent += dumps(_answer(question, namespace, first_line), MARSHAL)
        if not questions:
            close(channel)  # the examiner may read while the process ends
            return


def _send(channel: int, message: bytes) -> None:
    """Write the whole message."""
    while message:
        message = message[write(channel, message) :]


def _receive(channel: int) -> list[Question]:
    """Return the questions of the next message, none at the end; no other message follows before the answers."""
    message = b""
    while more := read(channel, _CHUNK):
        message += more
        try:
            return loads(loads(message))  # type: ignore[no-any-return]
        except EOFError:  # the rest has not arrived yet
            continue
    return []


def refer(value: Any) -> int:
    """Return the number of an object, and keep the object alive, so that no other one gets its identity."""
    number = _numbers.setdefault(id(value), len(_objects))
    if number == len(_objects):
        _objects.append(value)
    return number


def forget() -> None:
    """Forget all objects."""
    _objects.clear()
    _numbers.clear()


def _answer(question: Question, namespace: dict[str, Any], first_line: int) -> bytes:
    try:
        if type(question) is tuple:
            number, arguments, keywords = question
            before = dumps(arguments, MARSHAL)
            answer = DONE + encode(_objects[number](*arguments, **keywords), refer)
            try:
                if dumps(arguments, MARSHAL) == before:
                    return answer
            except ValueError:  # the program has put an object into them that is not builtin
                pass
            return answer + b"\n" + encode(arguments, refer)
        if type(question) is str:
            if question not in namespace:
                raise NameError(f"the program defines no {question!r}")
            value = namespace[question]
            return DONE + (b'{"r":%d}' % refer(value) if type(value) is FunctionType else encode(value, refer))
        assert type(question) is bytes
        operation, *operands = decode(question, _objects.__getitem__)
        return DONE + _OPERATIONS[operation](*operands)
    except BaseException as error:
        names = [kind.__name__ for kind in type(error).__mro__]
        return RAISED + encode([names, *describe(error, first_line)])


def _call(target: Any, arguments: list[Any], keywords: dict[str, Any]) -> bytes:
    before = encode(arguments, refer)
    answer = encode(target(*arguments, **keywords), refer)
    after = encode(arguments, refer)
    return answer if after == before else answer + b"\n" + after


def _encoded(operation: Callable[..., Any]) -> Callable[..., bytes]:
    return lambda *operands: encode(operation(*operands), refer)


class _Cursor:
    """An iterator that marks its end by an empty list, because StopIteration cannot cross the channel."""

    def __init__(self, iterator: Any) -> None:
        self.iterator = iterator

    def next(self) -> list[Any]:
        for value in self.iterator:
            return [value]
        return []


_OPERATIONS: dict[str, Callable[..., bytes]] = {
    "call": _call,
    "getattr": _encoded(getattr),
    "setattr": _encoded(setattr),
    "getitem": _encoded(lambda target, key: target[key]),
    "setitem": _encoded(lambda target, key, value: target.__setitem__(key, value)),
    "iter": _encoded(lambda target: _Cursor(iter(target))),
    "next": _encoded(lambda cursor: cursor.next()),
    "len": _encoded(len),
    "str": _encoded(str),
    "repr": _encoded(repr),
    "bool": _encoded(bool),
}
