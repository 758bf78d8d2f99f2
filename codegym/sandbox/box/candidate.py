"""The candidate's side: what a fresh fork does with the program it was made for.

Everything in this process belongs to the program, so nothing here is secret and nothing it says is believed beyond
"calling the function gave this value". No expected value and no test is ever in this process or in its parent.
"""

from __future__ import annotations

import atexit
import builtins
import importlib
import marshal
import struct
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from os import SEEK_END, _exit, close, lseek, pread, read, write
from types import CodeType, FrameType, ModuleType, TracebackType
from typing import Any, NoReturn

from . import plain
from .files import CHANNEL_FD, JOB_FD, LINES_FD, REPORT_FD

FILENAME = "<program>"
CALL, DONE, RAISED = b"c", b"+", b"-"
"""First bytes of messages between the examiner and a candidate: a call (handle, arguments and keywords, a line each;
anything else is plain data), and answers (the value, with changed arguments on a second line; or the exception)."""
Steps = list[tuple[Callable[..., Any], tuple[Any, ...]]]
"""Calls with their arguments, made up in advance: what is looked up in a fork is copied for it, a page each."""
_LENGTH = struct.Struct(">I")
_CHANGEABLE = frozenset({list, dict, set, bytearray, deque})


def compile_program(source: str) -> CodeType | list[Any]:
    """The code of a program, or [type, message, line] where it is not Python."""
    try:
        return compile(source.removeprefix("\ufeff"), FILENAME, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        kind = type(error).__name__ if isinstance(error, SyntaxError) else "SyntaxError"
        line = error.lineno if isinstance(error, SyntaxError) else None
        return [kind, str(getattr(error, "msg", error))[:2000], line or _line_of_odd_character(source)]


def _line_of_odd_character(source: str) -> int | None:
    """Where the first null byte or half character stands: the compiler refuses them without saying so."""
    for place, character in enumerate(source):
        if character == "\0" or "\ud800" <= character <= "\udfff":
            return source[:place].replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1
    return None


def describe(error: BaseException, first_line: int) -> list[Any]:
    """Type, message and line of an exception: the innermost frame at or after ``first_line`` of the program."""
    try:
        message = str(error)[:2000]
    except Exception:
        message = "<str() of the exception failed>"
    return [type(error).__name__, message, _innermost_line(error.__traceback__, first_line)]


def _innermost_line(traceback: TracebackType | None, first_line: int) -> int | None:
    line = None
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == FILENAME and (traceback.tb_lineno or 0) >= first_line:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line


class Report:
    """Where the process writes what happened: one line of plain data an event, kept even if the process dies."""

    def __init__(self, descriptor: int, first_line: int) -> None:
        self.descriptor = descriptor
        self.first_line = first_line

    def write(self, *event: Any) -> None:
        """Append one event."""
        write(self.descriptor, plain.encode([*event]) + b"\n")

    def error(self, error: BaseException) -> None:
        """The exception that ended the module code or the process."""
        self.write("error", *describe(error, self.first_line))


def run_script(code: CodeType, report: Report) -> int:
    """Run the program as ``__main__`` with everything that the end of a process brings; gives the exit status."""
    module = _fresh_module("__main__")
    status = 0
    try:
        exec(code, module.__dict__)
    except BaseException as error:
        status = _status_of(error, report)
    try:
        threading._shutdown()  # type: ignore[attr-defined]  # waits for threads that are not daemons
        atexit._run_exitfuncs()
        module.__dict__.clear()  # objects that print when they die
        sys.stdout.flush()
    except BaseException as error:
        status = status or _status_of(error, report)
    return status


def _status_of(error: BaseException, report: Report) -> int:
    if isinstance(error, SystemExit):
        return 0 if error.code is None else error.code & 0xFF if type(error.code) is int else 1
    report.error(error)
    return 1


def answer_calls(code: CodeType, function: str, calls: list[str], report: Report) -> int:
    """Run the module, then call ``function`` with each list of arguments and report every value."""
    module = _load(code, report)
    if module is None:
        return 1
    for arguments in calls:
        try:
            report.write("value", _target(module, function)(*plain.decode(arguments.encode("ascii"))))
        except BaseException as error:
            report.write("raised", *describe(error, report.first_line))
    return 0


def _target(module: ModuleType, function: str) -> Callable[..., Any]:
    owner, _, method = function.rpartition(".")
    if not owner:
        found = module.__dict__.get(function)
        if found is None:
            raise NameError(f"the program defines no {function!r}")
        return found  # type: ignore[no-any-return]
    return getattr(_target(module, owner)(), method)  # type: ignore[no-any-return]


def serve_examiner(code: CodeType, channel: int, report: Report) -> int:
    """Run the module, then do what the examiner's stand-ins ask for, until the examiner closes the channel."""
    module = _load(code, report)
    _send(channel, RAISED if module is None else DONE)
    if module is None:
        return 1
    objects: list[Any] = []
    numbers: dict[int, int] = {}

    def refer(value: Any) -> int:
        if id(value) not in numbers:  # objects are never dropped, so an id is never used twice
            numbers[id(value)] = len(objects)
            objects.append(value)
        return numbers[id(value)]

    for request in _requests(channel):
        try:
            if request.startswith(CALL):
                answer = _call(request, objects, refer)
            else:
                operation, *operands = plain.decode(request, objects.__getitem__)
                answer = DONE + plain.encode(_OPERATIONS[operation](module, *operands), refer)
        except BaseException as error:
            names = [kind.__name__ for kind in type(error).__mro__]
            answer = RAISED + plain.encode([names, *describe(error, report.first_line)])
        _send(channel, answer)
    close(channel)  # the examiner may read while the process ends
    return 0


def _call(request: bytes, objects: list[Any], refer: Callable[[Any], int]) -> bytes:
    """Call, and send arguments back that the program changed in place."""
    handle, text, keywords = request[1:].split(b"\n")
    arguments = plain.decode(text, objects.__getitem__)
    named = plain.decode(keywords, objects.__getitem__) if keywords else {}
    answer = DONE + plain.encode(objects[int(handle)](*arguments, **named), refer)
    if not _CHANGEABLE.isdisjoint(map(type, arguments)) and (after := plain.encode(arguments, refer)) != text:
        answer += b"\n" + after
    return answer


def _lookup(module: ModuleType, name: str) -> Any:
    if name in module.__dict__:
        return module.__dict__[name]
    raise NameError(f"the program defines no {name!r}")


_OPERATIONS: dict[str, Callable[..., Any]] = {
    "name": _lookup,
    "getattr": lambda _, target, name: getattr(target, name),
    "setattr": lambda _, target, name, value: setattr(target, name, value),
    "getitem": lambda _, target, key: target[key],
    "setitem": lambda _, target, key, value: target.__setitem__(key, value),
    "iter": lambda _, target: _Cursor(iter(target)),
    "next": lambda _, cursor: cursor.next(),
    "len": lambda _, target: len(target),
    "str": lambda _, target: str(target),
    "repr": lambda _, target: repr(target),
    "bool": lambda _, target: bool(target),
}


class _Cursor:
    """An iterator that tells its end by an empty list, since exceptions lose their meaning on the way."""

    def __init__(self, iterator: Any) -> None:
        self.iterator = iterator

    def next(self) -> list[Any]:
        for value in self.iterator:
            return [value]
        return []


def _load(code: CodeType, report: Report) -> ModuleType | None:
    """Run the module code; a program that leaves by ``sys.exit`` has still defined its functions."""
    module = _fresh_module("program")
    try:
        exec(code, module.__dict__)
    except SystemExit:
        pass
    except BaseException as error:
        report.error(error)
        return None
    return module


def _fresh_module(name: str) -> ModuleType:
    module = ModuleType(name)
    module.__dict__["__builtins__"] = builtins
    module.__dict__["__file__"] = FILENAME
    sys.modules[name] = module
    return module


def _send(channel: int, message: bytes) -> None:
    view = memoryview(_LENGTH.pack(len(message)) + message)
    while view:
        view = view[write(channel, view) :]


def _requests(channel: int) -> Iterator[bytes]:
    """The examiner's messages, until it closes the channel; often several come at once."""
    waiting = b""
    while more := read(channel, 1 << 16):
        waiting += more
        while len(waiting) >= 4 and len(waiting) >= 4 + (length := _LENGTH.unpack_from(waiting)[0]):
            request, waiting = waiting[4 : 4 + length], waiting[4 + length :]
            yield request


def become(steps: Steps, num_lines: int) -> NoReturn:
    """In a fresh fork: take the steps that give up everything, then do the job that lies on its descriptor."""
    status = 1
    try:
        take(steps)
        job = pread(JOB_FD, lseek(JOB_FD, 0, SEEK_END), 0)
        close(JOB_FD)
        status = work(job, num_lines, REPORT_FD, CHANNEL_FD)
    finally:
        _exit(status)


def take(steps: Steps) -> None:
    """Make the calls, one after another."""
    for call, arguments in steps:
        call(*arguments)


def work(job: bytes, num_lines: int, report_fd: int, channel: int) -> int:
    """Do a job; gives the exit status."""
    code, kind, first_line, function, calls = marshal.loads(job)
    report = Report(report_fd, first_line)
    if isinstance(code, str):
        code = compile_program(code)
        if isinstance(code, list):
            report.write("syntax", *code)
            return 1
    if num_lines:
        _count_lines(num_lines)
    if kind == "script":
        return run_script(code, report)
    if kind == "calls":
        return answer_calls(code, function, calls, report)
    return serve_examiner(code, channel, report)


def _count_lines(num_lines: int) -> None:
    """Trace the program: set ``lines[n - 1]`` to 1 when line n runs, in every thread."""
    mmap = importlib.import_module("mmap")  # here, since every library that is loaded makes each fork dearer
    lines = mmap.mmap(LINES_FD, num_lines)

    def local(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            lines[frame.f_lineno - 1] = 1
        return local

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        return local if frame.f_code.co_filename == FILENAME else None

    threading.settrace(trace)
    sys.settrace(trace)
