r"""Kinds of lines: which physical lines of a program earn or lose, and which are neutral.

A line is decided from the program up to its end, and what came before is held in a ``LexerState`` of bounded size, so
that a line costs what it is long, whatever stands above it:

    >>> kind, state = line_kind("total = sum(\n", INITIAL_STATE)
    >>> kind.value, state.open
    ('continuation', ('(',))
    >>> line_kind("    values)\n", state)
    (<LineKind.CODE: 'code'>, LexerState(open=(), content=''))

Strings are those of Python 3.12, in which the braces of an f-string may hold quotes of any kind; what is valid in
Python 3.11 is read the same way. The kinds say nothing about whether a program is valid.
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple


class LineKind(StrEnum):
    """What a physical line is, decided from the program up to its end."""

    CODE = "code"
    """Completes a statement, or cannot be read: the only kind that is not neutral."""
    BLANK = "blank"
    COMMENT = "comment"
    DOCSTRING = "docstring"
    """Completes a statement that is nothing but strings in which nothing is evaluated."""
    CONTINUATION = "continuation"
    """The statement goes on in the next line: open bracket, open string or backslash."""


class LexerState(NamedTuple):
    """What a line must know of the lines before it."""

    open: tuple[str, ...] = ()
    """What is open, innermost last: ``(`` for any bracket; the quotes of a string, with ``f`` before those of an
    f-string; the quotes of an f-string after ``{`` for one of its fields and after ``:`` for a format in a field."""
    content: str = ""
    """What the unfinished statement has been so far: nothing, ``strings`` or ``code``."""


INITIAL_STATE = LexerState()

MAX_DEPTH = 256
"""Python refuses programs with more than 200 open brackets, so what is deeper is not told apart."""


def split_lines(text: str) -> list[str]:
    r"""Cut a program after every ``"\n"``, the only place where a line of a program ends here.

    >>> split_lines("a\r\n\nb\x0c")
    ['a\r\n', '\n', 'b\x0c']
    """
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def line_kinds(text: str) -> tuple[LineKind, ...]:
    r"""Give the kind of every line of a program.

    >>> [kind.value for kind in line_kinds("def f():\n    '''Doc.'''\n\n    return 1  # one")]
    ['code', 'docstring', 'blank', 'code']
    """
    found, state = [], INITIAL_STATE
    for line in split_lines(text):
        kind, state = line_kind(line, state)
        found.append(kind)
    return tuple(found)


def line_kind(line: str, state: LexerState = INITIAL_STATE) -> tuple[LineKind, LexerState]:
    r"""Give the kind of a line and the state after it.

    A carriage return alone, which ends a line for Python but not here, makes a line of several parts: it is ``CODE``
    where one of them is, and else what its last part is.

    Args:
        line: with its ``"\n"``, which only the last line of a program may lack.
        state: after the line before; ``INITIAL_STATE`` for the first one.
    """
    return _remembered(line, state) if len(line) <= 200 else _line_kind(line, state)


def _line_kind(line: str, state: LexerState) -> tuple[LineKind, LexerState]:
    if "\r" in line:
        return _parts_kind(line.replace("\r\n", "\n").replace("\r", "\n"), state)
    if state == INITIAL_STATE and _STATEMENT.fullmatch(line):
        return LineKind.CODE, INITIAL_STATE
    return LineLexer(line, state).result()


_remembered = lru_cache(maxsize=1 << 14)(_line_kind)


def _parts_kind(text: str, state: LexerState) -> tuple[LineKind, LexerState]:
    is_code, kind = False, LineKind.BLANK
    for part in split_lines(text):
        kind, state = _line_kind(part, state)
        is_code = is_code or kind is LineKind.CODE
    return (LineKind.CODE if is_code else kind), state


_SPACE = " \t\f"


def _statement() -> re.Pattern[str]:
    """What nearly all lines look like: a word, then words and strings in brackets that are closed in the same line."""
    strings = "|".join(rf"(?<![fFtT])(?<![fFtT][rR]){q}(?:[^{q}\\\n]++|\\.)*+{q}(?!{q})" for q in "'\"")
    inner = rf"""(?:[^'"()\[\]{{}}\\#\n]++|{strings})*+"""
    for _ in range(5):
        inner = rf"""(?:[^'"()\[\]{{}}\\#\n]++|{strings}|[(\[{{]{inner}[)\]}}])*+"""
    return re.compile(rf"""[{_SPACE}]*+(?=@?\w++[^'"]){inner}(?:\#[^\n]*+)?\n?""")


_STATEMENT = _statement()
_SPECIAL = r"""(?:(?:(?<!\w)(?:[bB][rR]?|[rR][bB]?|[uU]|(?P<f>[fFtT][rR]?|[rR][fFtT])))?(?P<quotes>'''|\"{3}|'|")"""
_CODE = re.compile(rf"{_SPECIAL}|(?P<open>[(\[{{])|(?P<close>[)\]}}])|(?P<end>#|\\?\n))")
_FIELD = re.compile(rf"{_SPECIAL}|(?P<open>[(\[{{])|(?P<close>[)\]}}])|(?P<end>#|\\?\n)|(?P<format>:))")


def _bodies() -> dict[str, re.Pattern[str]]:
    """For everything in ``LexerState.open`` that is text and not code: what goes on with it, as far as it goes."""
    found = {}
    for quotes in ("'", '"', "'''", '"""'):
        stop = quotes[0] + ("\n" if len(quotes) == 1 else "")
        inner = f"|{quotes[0]}(?!{quotes[1:]})" if len(quotes) == 3 else ""
        escape = r"|\\(?:N\{[^{}\n]*\}|[^{}])?"
        found[quotes] = rf"(?:[^\\{stop}]++|\\.?{inner})*+"
        found["f" + quotes] = rf"(?:[^\\{{{stop}]++|\{{\{{{escape}{inner})*+"
        found[":" + quotes] = rf"(?:[^\\{{}}{stop}]++{escape}{inner})*+"
    return {name: re.compile(pattern, re.DOTALL) for name, pattern in found.items()}


_BODIES = _bodies()


class LineLexer:
    """One pass over a line that has no carriage return.

    Args:
        line: with its newline, where it has one.
        state: after the line before.
    """

    def __init__(self, line: str, state: LexerState) -> None:
        self.line = line
        self.position = 0
        self.open = list(state.open)
        self.content = state.content
        self.comment = self.joined = self.broken = False

    def result(self) -> tuple[LineKind, LexerState]:
        """Go through the line and say what it is."""
        while self.position < len(self.line):
            if self.open and self.open[-1] in _BODIES:
                self.read_text(self.open[-1])
            else:
                self.read_code()
        if self.broken or self.is_cut():
            return LineKind.CODE, INITIAL_STATE
        if self.open or self.joined:
            return LineKind.CONTINUATION, LexerState(tuple(self.open), self.content)
        if self.content:
            return (LineKind.CODE if self.content == "code" else LineKind.DOCSTRING), INITIAL_STATE
        return (LineKind.COMMENT if self.comment else LineKind.BLANK), INITIAL_STATE

    def is_cut(self) -> bool:
        """Whether the program ends inside a string that cannot go on in another line."""
        text = self.open[-1] if self.open else ""
        return text in _BODIES and len(text.lstrip("f:")) == 1 and not self.line.endswith("\n")

    def read_code(self) -> None:
        """Go to the next place that matters, and past it."""
        in_field = bool(self.open) and self.open[-1][0] == "{"
        match = (_FIELD if in_field else _CODE).search(self.line, self.position)
        end = match.start() if match else len(self.line)
        if self.content != "code" and self.line[self.position : end].strip(_SPACE + (";" if self.content else "")):
            self.content = "code"
        self.position = match.end() if match else end
        if match is None:
            return
        if match["quotes"]:
            self.content = self.content or "strings"
            self.push(("f" if match["f"] else "") + match["quotes"])
        elif match["open"]:
            if self.content or match["open"] != "(":
                self.content = "code"
            self.push("(")
        elif match["close"]:
            self.close(match["close"])
        elif match["end"]:
            self.end(match["end"])
        else:
            self.push(":" + self.open[-1][1:])

    def push(self, what: str) -> None:
        """Open something, as told by ``LexerState.open``."""
        if len(self.open) < MAX_DEPTH:
            self.open.append(what)

    def close(self, bracket: str) -> None:
        """Close the innermost bracket or field, where there is one."""
        if self.open and (self.open[-1] == "(" or bracket == "}"):
            self.open.pop()
        else:
            self.content = "code"
        self.content = self.content or "code"

    def end(self, what: str) -> None:
        """Leave the rest of the line: there is a comment, or only the newline."""
        self.comment = what == "#"
        self.joined = what == "\\\n"
        self.position = len(self.line)

    def read_text(self, what: str) -> None:
        """Go through a string, or the text of an f-string, to its end or to its next field."""
        body = _BODIES[what].match(self.line, self.position)
        assert body is not None  # the patterns match nothing, too
        self.position = body.end()
        quotes = what.lstrip("f:")
        if self.line.startswith(quotes, self.position):
            self.position += len(quotes)
            while self.open.pop()[0] in "{:":
                pass
        elif self.line.startswith("{", self.position):
            self.position += 1
            self.content = "code"
            self.push("{" + quotes)
        elif self.line.startswith("}", self.position):
            self.position += 1
            del self.open[-2:]
        elif self.position < len(self.line):  # a newline
            self.broken = True
            self.position = len(self.line)
