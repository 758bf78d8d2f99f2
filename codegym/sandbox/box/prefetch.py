"""Questions that tests ask any program, whatever it answers: only these may be prefetched for all programs."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from .channel import MAX_PREFETCH_BYTES, CandidateGone, Channel, Remote


class QuestionRecorder(Channel):
    """A channel without a candidate that records questions. ``answer`` returns the value of every call, or raises."""

    def __init__(self, answer: Callable[[], Any]) -> None:
        self.questions = []
        self.remotes = {}
        self._expected = None
        self._answer = answer

    def call(self, remote: Remote, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        """Record the call and return the fixed answer."""
        self._note(self._call(remote, arguments, keywords))
        return self._answer()

    def _ask(self, question: bytes, arguments: list[Any] | None = None) -> Any:
        self._note(question)
        return self.remote(len(self.remotes))

    def _note(self, question: bytes) -> None:
        self.questions.append(question)
        if len(self.questions) > MAX_PREFETCH_BYTES:  # each takes at least a byte
            raise CandidateGone


def raise_error() -> Any:
    """Answer like a program whose every call fails."""
    raise RuntimeError("no program answers")


class PermissiveAnswer:
    """An answer without information that lets tests continue: it equals everything, in any calculation."""

    def _agree(self, *_: object) -> bool:
        return True

    def _itself(self, *_: object) -> PermissiveAnswer:
        return self

    def __float__(self) -> float:
        return 0.0

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _agree
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __abs__ = __round__ = _itself
    __hash__ = None  # type: ignore[assignment]


class _AssertRemover(ast.NodeTransformer):
    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        return ast.copy_location(ast.Expr(node.test), node)

    def generic_visit(self, node: ast.AST) -> ast.AST:
        return node if isinstance(node, ast.expr) else super().generic_visit(node)  # no statement is in an expression


def remove_asserts(source: str) -> ast.Module | str:
    """Replace assertions by their expressions, so that a loop continues as it does for a program that passes.

    Return the source itself if it does not compile, or is so long that its questions would not be prefetched.
    """
    if len(source) > MAX_PREFETCH_BYTES:
        return source
    try:
        tree: ast.Module = _AssertRemover().visit(ast.parse(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return source
    return tree
