"""The outline of a program that stops anywhere: its open blocks, and its unfinished logical line."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from codegym.syntax.completion.logical_line import read
from codegym.syntax.lines import INITIAL_STATE, LexerState, LineKind, line_kind, split_lines

# The header that replaces another one in the context of a line: only its kind matters to the parser.
_HEADERS = {
    **{word: f"{word} 1:" for word in ("if", "elif", "while", "with", "match", "case")},
    **{word: f"{word}:" for word in ("else", "try", "finally")},
    "for": "for a in a:",
    "def": "def f():",
    "class": "class A:",
    "except": "except A:",
    "@": "@a",
}
_WORD = re.compile(r"(async\b[\s\\]*)?(\w+|@)(\s*\*)?")


class Level(NamedTuple):
    """The statements of one block."""

    indent: str
    chain: tuple[str, ...] = ()
    """Headers of the compound statement that was the last one so far: ``if 1:``, ``else:``."""


class Outline(NamedTuple):
    """State after the last newline of a program, as far as the next line depends on it."""

    levels: tuple[Level, ...] = (Level(""),)
    """Blocks that the last statement is in, outermost first."""
    header: bool = False
    """The last statement was a header, so a deeper block has to follow."""
    line: str = ""
    """The unfinished logical line, up to its last newline."""
    state: LexerState = INITIAL_STATE

    def after(self, line: str) -> Outline:
        """Return the outline after one more physical ``line``."""
        kind, state = line_kind(line, self.state)
        logical = self.line + line
        if kind is LineKind.CONTINUATION:
            return self._replace(line=logical, state=state)
        if kind in (LineKind.BLANK, LineKind.COMMENT):
            return self._replace(line="", state=INITIAL_STATE)
        return self._after_statement(logical)

    def _after_statement(self, logical: str) -> Outline:
        text = logical.lstrip(" \t\f")
        indent = logical[: len(logical) - len(text)]
        depth = self.depth(indent)
        if depth is None:  # lost: what follows is taken for a new block
            depth = len(self.levels)
        level = self.levels[depth] if depth < len(self.levels) else Level(indent)
        header, opens = header_of(text)
        goes_on = header.startswith(("elif", "else", "except", "finally")) or level.chain[-1:] == ("@a",)
        chain = (*(level.chain if goes_on else ()), header) if header else ()
        return Outline((*self.levels[:depth], level._replace(chain=chain)), opens)

    def depth(self, indent: str) -> int | None:
        """Return the index of the block to which a statement with this ``indent`` belongs, None if there is none."""
        columns = _columns(indent)
        if self.header:
            last = _columns(self.levels[-1].indent)
            return len(self.levels) if columns[0] > last[0] and columns[1] > last[1] else None
        for depth in reversed(range(len(self.levels))):
            if _columns(self.levels[depth].indent) == columns:
                return depth
            if self.levels[depth].chain[-1:] in (("try:",), ("@a",)):
                return None
        return None

    def context(self, depth: int) -> str:
        """Return lines that leave the parser the same choices for a statement at ``depth``, on canonical columns."""
        lines = ["if 1:"]
        for number, level in enumerate(self.levels[: depth + 1], start=1):
            for header in level.chain:
                lines.append(" " * number + header)
                if header != "@a":
                    lines.append(" " * number + body_of(header))
            if number <= depth and level.chain:
                lines.pop()  # the last block is open
        return "\n".join(lines) + "\n" + " " * (depth + 1)

    def headers(self, depth: int) -> tuple[str, ...]:
        """Return the headers of the blocks around a statement at ``depth``, outermost first."""
        return tuple(level.chain[-1] for level in self.levels[:depth] if level.chain)

    def closing(self) -> str:
        """Return lines that complete the program."""
        lines = []
        last = self.levels[-1]
        if self.header:
            lines.append(last.indent + body_of(last.chain[-1]))
        elif last.chain[-1:] == ("@a",):
            lines.append(f"{last.indent}def f(): pass")
        lines += [f"{level.indent}finally: pass" for level in reversed(self.levels) if level.chain[-1:] == ("try:",)]
        return "".join(line + "\n" for line in lines)


def body_of(header: str) -> str:
    """Return the smallest block for a ``header``."""
    return " case 1: pass" if header == "match 1:" else " pass"


@lru_cache(maxsize=256)
def outline_of(closed: str) -> Outline:
    """Return the outline of ``closed``, a program that ends with a newline."""
    outline = Outline()
    for line in split_lines(closed):
        outline = outline.after(line)
    return outline


def header_of(text: str) -> tuple[str, bool]:
    """Return the header that replaces the statement ``text`` in later contexts, and whether its block follows.

    A simple statement has the header "".
    """
    opens = read(text).code.rstrip().endswith(":")
    match = _WORD.match(text)
    if match is None or match[2] not in _HEADERS or (match[2] in ("match", "case") and not opens):
        return "", False
    header = "except* A:" if match[2] == "except" and match[3] else _HEADERS[match[2]]
    return ("async " + header if match[1] else header), opens


def _columns(indent: str) -> tuple[int, int]:
    """Return the width of an indentation with tabs of eight columns and of one: Python requires both to agree."""
    indent = indent[indent.rfind("\f") + 1 :]
    return len(indent.expandtabs(8)), len(indent)
