r"""Kinds of lines: which physical lines of a program are scored, and which are neutral.

The kind of a line is decided from the program up to its end. What came before is kept in a ``LexerState`` of bounded
size, so the cost of a line depends on its length only:

    >>> kind, state = line_kind("total = sum(\n", INITIAL_STATE)
    >>> kind.value, state.open
    ('continuation', ('(',))
    >>> line_kind("    values)\n", state)
    (<LineKind.CODE: 'code'>, LexerState(open=(), content=''))

Strings are those of Python 3.12, in which the braces of an f-string may hold quotes of any kind; what is valid in
Python 3.11 is read the same way. Kinds are defined for invalid programs too.
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple


class LineKind(StrEnum):
    """Kind of a physical line, decided from the program up to its end."""

    CODE = "code"
    """A line that completes a statement, or that cannot be read: the only kind that is scored."""
    BLANK = "blank"
    COMMENT = "comment"
    DOCSTRING = "docstring"
    """A line that completes a statement of string literals only, in which nothing is evaluated."""
    CONTINUATION = "continuation"
    """A line whose statement continues in the next line: open bracket, open string or backslash."""


class LexerState(NamedTuple):
    """State of the lexer between two lines."""

    open: tuple[str, ...] = ()
    """Everything that is open, innermost last: ``(`` for any bracket; the quotes of a string, after ``f`` for
    an f-string; the quotes of an f-string after ``{`` for one of its fields and after ``:`` for a format in a field."""
    content: str = ""
    """Content of the unfinished statement so far: "", "strings" or "code"."""


INITIAL_STATE = LexerState()

MAX_DEPTH = 256
"""Most open brackets that are counted: Python refuses programs with more than 200."""


def split_lines(text: str) -> list[str]:
    r"""Return the lines of ``text``, cut after every ``"\n"`` and nowhere else.

    >>> split_lines("a\r\n\nb\x0c")
    ['a\r\n', '\n', 'b\x0c']
    """
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def line_kinds(text: str) -> tuple[LineKind, ...]:
    r"""Return the kind of every line of the program ``text``.

    >>> [kind.value for kind in line_kinds("def f():\n    '''Doc.'''\n\n    return 1  # one")]
    ['code', 'docstring', 'blank', 'code']
    """
    found, state = [], INITIAL_STATE
    for line in split_lines(text):
        kind, state = line_kind(line, state)
        found.append(kind)
    return tuple(found)


def line_kind(line: str, state: LexerState = INITIAL_STATE) -> tuple[LineKind, LexerState]:
    r"""Return the kind of a line and the state after it.

    A carriage return alone, which ends a line for Python but not here, makes a line of several parts: it is ``CODE`` if
    one of them is, and otherwise the kind of its last part.

    Args:
        line: The line with its ``"\n"``, which only the last line of a program may lack.
        state: State after the line before; ``INITIAL_STATE`` for the first one.
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
    """Return a pattern for nearly all lines: words and strings, in brackets that are closed in the same line."""
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
    """Return, for every kind of text in ``LexerState.open``, a pattern that matches as much of it as possible."""
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
    """One pass over a line without carriage returns.

    Args:
        line: The line, with its newline if it has one.
        state: State after the line before.
    """

    def __init__(self, line: str, state: LexerState) -> None:
        self.line = line
        self.position = 0
        self.open = list(state.open)
        self.content = state.content
        self.comment = self.joined = self.broken = False

    def result(self) -> tuple[LineKind, LexerState]:
        """Read the whole line; return its kind and the state after it."""
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
        """Whether the program ends inside a string that cannot continue in another line."""
        text = self.open[-1] if self.open else ""
        return text in _BODIES and len(text.lstrip("f:")) == 1 and not self.line.endswith("\n")

    def read_code(self) -> None:
        """Read up to the next string, bracket, comment or newline, and past it."""
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
        """Open a bracket, string, field or format; ``what`` is written as in ``LexerState.open``."""
        if len(self.open) < MAX_DEPTH:
            self.open.append(what)

    def close(self, bracket: str) -> None:
        """Close the innermost open ``bracket`` or field, if there is one."""
        if self.open and (self.open[-1] == "(" or bracket == "}"):
            self.open.pop()
        else:
            self.content = "code"
        self.content = self.content or "code"

    def end(self, what: str) -> None:
        """Skip the rest of the line, which ``what`` ends: a comment, a newline, or a backslash before the newline."""
        self.comment = what == "#"
        self.joined = what == "\\\n"
        self.position = len(self.line)

    def read_text(self, what: str) -> None:
        """Read a string, or the text of an f-string, to its end or next field; ``what`` is its entry in ``open``."""
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
