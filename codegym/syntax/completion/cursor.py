"""A program that stops anywhere, and the same program after one more character."""

from __future__ import annotations

from typing import NamedTuple

from codegym.syntax.completion.logical_line import read
from codegym.syntax.completion.outline import Outline, outline_of
from codegym.syntax.completion.parsing import can_be_completed, is_number, parse_error, parses

_SPACE = " \t\f"


class Cursor(NamedTuple):
    r"""A program that stops anywhere, its line ends all ``"\n"``."""

    closed: str
    """The program up to its last newline."""
    outline: Outline
    tail: str = ""
    """The physical line that is not finished."""

    def after(self, character: str) -> Cursor | None:
        """Return the cursor after one more ``character``, None if the program could not be completed then."""
        if character == "\0":
            return None
        if character in "\r\n":
            return self.after_newline()
        place = self._replace(tail=self.tail + character)
        return place if place.is_viable() else None

    def is_viable(self) -> bool:
        """Whether the program can be completed, judged by the unfinished logical line."""
        indent, line = self._line()
        if not line or line.startswith("#"):
            return True
        depth = self.outline.depth(indent)
        if depth is None:
            return False
        reading = read(line)
        if reading.comment >= 0 and not reading.open:
            if reading.comment < len(line) - 1:
                return True
            after = self._replace(tail=self.tail[:-1]).after_newline()
            return after is not None and not after.outline.line
        return can_be_completed(self.outline.context(depth), line, self.outline.headers(depth))

    def after_newline(self) -> Cursor | None:
        """Return the cursor after a newline, None if the program could not be completed then.

        If the newline ends a statement, a completion of the whole program has been compiled.
        """
        outline = self.outline.after(self.tail + "\n")
        place = Cursor(self.closed + self.tail + "\n", outline)
        indent, line = self._line()
        if outline.line:
            return place if place.is_viable() else None
        if not line or line.startswith("#"):
            return place
        depth = self.outline.depth(indent)
        if depth is None or not parses(self.outline.context(depth) + read(line).code + "\n"):
            return None
        return place if place.can_be_closed() else None

    def can_be_closed(self) -> bool:
        """Whether the program up to its last statement can be completed: a completion of it is compiled."""
        closed = self.closed[: len(self.closed) - len(self.outline.line)]
        why = parse_error(closed + self.outline._replace(line="").closing())
        return why is None or why.startswith("no binding for nonlocal")  # a later line can bring it

    def compiles(self) -> bool:
        """Whether the program is complete: it compiles without any addition."""
        after = self.after_newline()
        if after is None or after.outline.line or after.outline.closing():
            return False
        return parse_error(after.closed) is None

    def takes_all_letters(self) -> bool:
        """Whether every ASCII letter can follow. If one letter can make a name or a text longer, all of them can."""
        return not is_number(self.tail) and self.after("_") is not None

    def _line(self) -> tuple[str, str]:
        """Return the indentation and the rest of the unfinished logical line."""
        logical = self.outline.line + self.tail
        line = logical.lstrip(_SPACE)
        return logical[: len(logical) - len(line)], line


def place_of(program: str) -> Cursor:
    """Return the cursor at the end of ``program``."""
    program = program.replace("\r\n", "\n").replace("\r", "\n")
    cut = program.rfind("\n") + 1
    return Cursor(program[:cut], outline_of(program[:cut]), program[cut:])
