"""Candidate's side of a box: a fresh fork runs one untrusted program.

Everything in this process belongs to the program. So nothing here is secret, and nothing that it reports is believed
except "calling the function returned this value". No expected value and no test is ever in this process or its parent.

The memory page of every object that is used here is copied for every program, so there are few functions and look-ups.
"""

from __future__ import annotations

import atexit
import builtins
import importlib
import sys
from collections.abc import Callable
from marshal import dumps, loads
from os import SEEK_END, _exit, close, lseek, pread, write
from types import CodeType, FrameType, ModuleType
from typing import Any, NoReturn

from . import plain_codec
from .program import FILENAME, compile_program, describe
from .protocol import CHANNEL_FD, JOB_FD, LINES_FD, REPORT_FD
from .responder import MARSHAL, RAISED, answer_examiner

Steps = list[tuple[Callable[..., Any], tuple[Any, ...]]]
"""Calls with their arguments, prepared in advance."""
SCRIPT, PROGRAM = ModuleType("__main__"), ModuleType("program")
"""Modules in which programs run: scripts in the first, programs with functions for the host or tests in the second."""
_SCRIPT_SPACE, _PROGRAM_SPACE = vars(SCRIPT), vars(PROGRAM)


def make_modules() -> None:
    """Register both modules, empty, so that a fork finds them ready."""
    for module in (SCRIPT, PROGRAM):
        name, namespace = module.__name__, vars(module)
        namespace.clear()
        namespace.update(vars(ModuleType(name)), __builtins__=builtins, __file__=FILENAME)
        sys.modules[name] = module


def become(steps: Steps, num_lines: int) -> NoReturn:
    """Drop all privileges in a fresh fork, then do the job in the job file; never return."""
    status = 1
    try:
        for call, arguments in steps:
            call(*arguments)
        job = pread(JOB_FD, lseek(JOB_FD, 0, SEEK_END), 0)
        close(JOB_FD)
        status = work(job, num_lines, REPORT_FD, CHANNEL_FD)
    finally:
        _exit(status)


def work(job: bytes, num_lines: int, report_fd: int, channel: int) -> int:
    """Do a job and return the exit status."""
    code, is_script, first_line, function, calls = loads(job)
    if type(code) is str:
        code = compile_program(code)
        if type(code) is list:
            report(report_fd, "syntax", *code)
            return 1
    if num_lines:
        _count_lines(num_lines)
    if is_script:
        return _run_script(code, report_fd, first_line)
    try:
        exec(code, _PROGRAM_SPACE)
    except SystemExit:
        pass  # a program that exits has still defined its functions
    except BaseException as error:
        report(report_fd, "error", *describe(error, first_line))
        write(channel, dumps(RAISED, MARSHAL))
        return 1
    if calls is None:
        answer_examiner(_PROGRAM_SPACE, channel, first_line)
    else:
        _answer_calls(_PROGRAM_SPACE, function, calls, report_fd, first_line)
    return 0


def report(report_fd: int, *event: Any) -> None:
    """Write an event as one line of plain data, which is kept even if the process dies."""
    write(report_fd, plain_codec.encode([*event]) + b"\n")


def _run_script(code: CodeType, report_fd: int, first_line: int) -> int:
    """Run the program with everything that happens at the end of a process; return the exit status."""
    status = 0
    try:
        exec(code, _SCRIPT_SPACE)
    except BaseException as error:
        status = _status_of(error, report_fd, first_line)
    try:
        if (threading := sys.modules.get("threading")) is not None:
            threading._shutdown()  # waits for threads that are not daemons
        atexit._run_exitfuncs()
        _SCRIPT_SPACE.clear()  # objects that print when they die
        sys.stdout.flush()
    except BaseException as error:
        status = status or _status_of(error, report_fd, first_line)
    return status


def _status_of(error: BaseException, report_fd: int, first_line: int) -> int:
    if isinstance(error, SystemExit):
        return 0 if error.code is None else error.code & 0xFF if type(error.code) is int else 1
    report(report_fd, "error", *describe(error, first_line))
    return 1


def _answer_calls(namespace: dict[str, Any], function: str, calls: list[str], report_fd: int, first_line: int) -> None:
    """Call ``function`` with each list of arguments and report every value."""
    for arguments in calls:
        try:
            report(report_fd, "value", _target(namespace, function)(*plain_codec.decode(arguments.encode("ascii"))))
        except BaseException as error:
            report(report_fd, "raised", *describe(error, first_line))


def _target(namespace: dict[str, Any], function: str) -> Callable[..., Any]:
    owner, _, method = function.rpartition(".")
    if not owner:
        found = namespace.get(function)
        if found is None:
            raise NameError(f"the program defines no {function!r}")
        return found  # type: ignore[no-any-return]
    return getattr(_target(namespace, owner)(), method)  # type: ignore[no-any-return]


def _count_lines(num_lines: int) -> None:
    """Trace the program: set ``lines[n - 1]`` to 1 when line n runs, in every thread."""
    # Imported here, because modules that are loaded before make each fork slower.
    mmap, threading = importlib.import_module("mmap"), importlib.import_module("threading")
    lines = mmap.mmap(LINES_FD, num_lines)

    def local(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            lines[frame.f_lineno - 1] = 1
        return local

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        return local if frame.f_code.co_filename == FILENAME else None

    threading.settrace(trace)
    sys.settrace(trace)
