"""The tokens that an error points to, by RLTF's table of messages (arXiv 2307.04349, released classifier)."""

from __future__ import annotations

import re
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from codegym.judge import Status
from codegym.rewards.credit.spans import source_lines, token_mask
from codegym.step import Step


class ErrorScope(StrEnum):
    """The part of a program that an error points to."""

    WHOLE = "whole"
    """The whole program: it is too slow, or cut off at its end."""
    LINE = "line"
    """The line that the error names."""
    IGNORE = "ignore"
    """No part of the program."""


# Messages of CPython 3.9 and later follow the older ones that the released classifier knows.
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
    """Return the tokens that the error of the first failed check points to, bool [num_tokens].

    They are all tokens for ``ErrorScope.WHOLE`` and those of one line for ``ErrorScope.LINE``, without tokens of the
    prefix. A line that ends with a lone carriage return is taken up to the next newline, as lines of a completion are.

    Args:
        last: The last step of an episode.
    """
    span = np.zeros(last.num_tokens, dtype=np.bool_)
    scope = error_scope(last)
    if scope is ErrorScope.WHOLE:
        span[:] = True
    elif scope is ErrorScope.LINE:
        assert last.verdict is not None and last.verdict.error is not None
        number = last.verdict.error.line
        numbered = zip(last.lines, source_lines(last.lines), strict=True)
        span = token_mask((line for line, numbers in numbered if number in numbers), last.num_tokens)
    span[: last.num_prefix_tokens] = False
    return span


def error_scope(last: Step) -> ErrorScope:
    """Return the part of a program that its error points to. A wrong answer points to no part.

    For missing modules and ``nonlocal`` the released classifier searches for a name in the program; here the line that
    Python reports is taken, which is the same statement. An exhausted limit without a line counts as a timeout.

    Args:
        last: The last step of an episode.
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
    return _scope_of_syntax_error(error.message, error.line, last.text)


def _scope_of_syntax_error(message: str, line: int, source: str) -> ErrorScope:
    """Return LINE, or WHOLE for a program that ends before the statement in its last line is complete."""
    lines = re.split(r"\r\n|\r|\n", source.rstrip())
    if line < len(lines):
        return ErrorScope.LINE
    cut_off = message.startswith("expected an indented block after") and lines[-1].endswith(":")
    return ErrorScope.WHOLE if cut_off or _COMPILE_WHOLE_IF_LAST.match(message) else ErrorScope.LINE
