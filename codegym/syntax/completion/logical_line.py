"""A logical line as the parser should see it: without comments and text in strings; and what it leaves open."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from codegym.syntax.lines import INITIAL_STATE, LineLexer

_PREFIX = re.compile(r"(?:(?<!\w)(?i:br|rb|fr|rf|[bruf]))?\Z")


class LogicalLine(NamedTuple):
    """Content of a logical line that may be unfinished."""

    code: str
    """The line with every string empty and without comments, up to the string that is open."""
    open: tuple[str, ...]
    """Everything that is open, as in ``LexerState``."""
    starts: tuple[int, ...]
    """Index at which the inside of each of these begins."""
    prefix: str = ""
    """Letters before the quotes of the string that is open."""
    strings: tuple[str, ...] = ()
    """Strings that are closed, as written."""
    fields: tuple[str, ...] = ()
    """Expressions of f-strings that are finished, as written."""
    comment: int = -1
    """Index of the comment in which the line stops, -1 if it stops outside of one."""
    broken: bool = False


class _Reader(LineLexer):
    def __init__(self, line: str) -> None:
        super().__init__(line, INITIAL_STATE)
        self.starts: list[int] = []
        self.parts: list[str] = []
        self.copied = 0
        self.prefix = ""
        self.strings: list[str] = []
        self.fields: list[str] = []
        self.comment_at = -1

    def read(self) -> LogicalLine:
        self.result()
        in_text = any(what[0] not in "({" for what in self.open)
        code = "".join(self.parts) + ("" if in_text else self.line[self.copied :])
        return LogicalLine(
            code,
            tuple(self.open),
            tuple(self.starts),
            self.prefix if in_text else "",
            tuple(self.strings),
            tuple(self.fields),
            self.comment_at,
            self.broken,
        )

    def push(self, what: str) -> None:
        quotes = what.lstrip("f")
        if what[0] == ":":
            self.fields.append(self.line[self.starts[-1] : self.position - 1])
        elif what[0] not in "({" and not self.in_text():
            match = _PREFIX.search(self.line, 0, self.position - len(quotes))
            assert match is not None  # it may be empty
            self.prefix = match.group()
            self.parts.append(self.line[self.copied : match.start()])
            self.copied = match.start()
        super().push(what)
        self.starts = [*self.starts, self.position][: len(self.open)]

    def in_text(self) -> bool:
        return any(what[0] not in "({" for what in self.open)

    def close(self, bracket: str) -> None:
        if self.open and self.open[-1][0] == "{" and bracket == "}":
            self.fields.append(self.line[self.starts[-1] : self.position - 1])
        super().close(bracket)
        del self.starts[len(self.open) :]

    def read_text(self, what: str) -> None:
        super().read_text(what)
        del self.starts[len(self.open) :]
        if not self.in_text() and not self.broken:
            self.strings.append(self.line[self.copied : self.position])
            self.parts.append(empty(self.prefix))
            self.copied = self.position

    def end(self, what: str) -> None:
        self.joined = what == "\\\n"
        if what == "#":
            self.parts.append(self.line[self.copied : self.position - 1])
            newline = self.line.find("\n", self.position)
            self.comment_at = self.position - 1 if newline < 0 else -1
            self.position = self.copied = len(self.line) if newline < 0 else newline


def empty(prefix: str) -> str:
    """Return an empty string literal of the kind that ``prefix`` makes."""
    letters = prefix.lower()
    return "b''" if "b" in letters else "f''" if "f" in letters else "''"


@lru_cache(maxsize=4096)
def read(line: str) -> LogicalLine:
    """Return the content of a logical ``line`` without its indentation; it may stop anywhere."""
    return _Reader(line).read()
