"""Compilation of a program's source, and exceptions as a type, a message and a line."""

from __future__ import annotations

from types import CodeType, TracebackType
from typing import Any

FILENAME = "<program>"


def compile_program(source: str) -> CodeType | list[Any]:
    """Return the code of a program, or [type, message, line] if ``source`` does not compile."""
    try:
        return compile(source.removeprefix("\ufeff"), FILENAME, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        kind = type(error).__name__ if isinstance(error, SyntaxError) else "SyntaxError"
        line = error.lineno if isinstance(error, SyntaxError) else None
        return [kind, str(getattr(error, "msg", error))[:2000], line or _line_of_odd_character(source)]


def _line_of_odd_character(source: str) -> int | None:
    """Return the line of the first null byte or lone surrogate, for which the compiler reports no line."""
    for place, character in enumerate(source):
        if character == "\0" or "\ud800" <= character <= "\udfff":
            return source[:place].replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1
    return None


def describe(error: BaseException, first_line: int) -> list[Any]:
    """Return type, message and line of an exception: the line of the innermost frame at or after ``first_line``."""
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
