"""Where in a program its error is, after RLTF's table of messages (arXiv 2307.04349, released classifier)."""

from __future__ import annotations

import re
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from codegym.judge import Status
from codegym.rewards.credit.spans import source_lines, token_mask
from codegym.step import Step


class ErrorScope(StrEnum):
    """How much of a program an error speaks of."""

    WHOLE = "whole"
    """All of it: too slow, or cut off at the end."""
    LINE = "line"
    """The line that the error names."""
    IGNORE = "ignore"
    """Nothing that could be pointed at."""


# Where CPython 3.9 and later have other words for it, they stand behind the old ones.
_COMPILE_IGNORE = re.compile(
    r"inconsistent use of tabs and spaces"
    r"|unindent does not match any outer"
    r"|EOF while scanning triple-quoted|unterminated triple-quoted"
    r"|duplicate (argument|parameter)"
    r"|import \* only allowed at module level"
)
_COMPILE_WHOLE_IF_LAST = re.compile(
    r"unexpected EOF while parsing|'.' was never closed"
    r"|invalid syntax|expected '"
    r"|EOL while scanning string literal|unterminated (\w-)?string literal"
)
_SYNTAX_ERRORS = {"SyntaxError", "IndentationError", "TabError"}
_LIMITS = {Status.TIMEOUT, Status.MEMORY_LIMIT, Status.OUTPUT_LIMIT}
_RUNTIME_IGNORE = {"RuntimeError", "ProcessEnded"}


def error_span(last: Step) -> NDArray[np.bool_]:
    """The tokens that the error of the first check that did not pass points to, [num_tokens]; none that were given.

    All of them for a ``ErrorScope.WHOLE``, those of one line for a ``ErrorScope.LINE``. A line that a lone carriage
    return ends is taken together with what follows up to the newline, as lines of the completion are.
    """
    span = np.zeros(last.num_tokens, dtype=np.bool_)
    reach = error_reach(last)
    if reach is ErrorScope.WHOLE:
        span[:] = True
    elif reach is ErrorScope.LINE:
        assert last.verdict is not None and last.verdict.error is not None
        number = last.verdict.error.line
        numbered = zip(last.lines, source_lines(last.lines), strict=True)
        span = token_mask((line for line, numbers in numbered if number in numbers), last.num_tokens)
    span[: last.num_prefix_tokens] = False
    return span


def error_reach(last: Step) -> ErrorScope:
    """How much of the program its error speaks of; a wrong answer, an assertion of the tests too, is ignored.

    Where the released classifier searches for a name in the program (missing modules, ``nonlocal``), the line that
    Python reports is taken: it is the same statement. A limit without an exception that names a line is as a timeout.
    """
    verdict = last.verdict
    if verdict is None or verdict.status in (Status.PASSED, Status.WRONG_ANSWER):
        return ErrorScope.IGNORE
    error, compiles = verdict.error, verdict.status is not Status.SYNTAX_ERROR
    if verdict.status is Status.TIMEOUT or (compiles and error is not None and error.type == "RecursionError"):
        return ErrorScope.WHOLE
    if error is None or error.line is None:
        return ErrorScope.WHOLE if verdict.status in _LIMITS else ErrorScope.IGNORE
    if compiles:
        return ErrorScope.IGNORE if error.type in _RUNTIME_IGNORE or not error.message else ErrorScope.LINE
    if error.type not in _SYNTAX_ERRORS or _COMPILE_IGNORE.match(error.message):
        return ErrorScope.IGNORE
    return _reach_of_syntax_error(error.message, error.line, last.text)


def _reach_of_syntax_error(message: str, line: int, source: str) -> ErrorScope:
    """A line, but the whole of a program that ends before the statement in its last line does."""
    lines = re.split(r"\r\n|\r|\n", source.rstrip())
    if line < len(lines):
        return ErrorScope.LINE
    cut_off = message.startswith("expected an indented block after") and lines[-1].endswith(":")
    return ErrorScope.WHOLE if cut_off or _COMPILE_WHOLE_IF_LAST.match(message) else ErrorScope.LINE
