"""Python text: kinds of lines, and the mask that keeps a program completable."""

from codegym.syntax.completion import CompletableMask
from codegym.syntax.lines import INITIAL_STATE, LexerState, LineKind, line_kind, line_kinds, split_lines

__all__ = [
    "INITIAL_STATE",
    "CompletableMask",
    "LexerState",
    "LineKind",
    "line_kind",
    "line_kinds",
    "split_lines",
]
