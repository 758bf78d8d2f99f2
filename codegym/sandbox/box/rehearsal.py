"""What tests would ask of a program that tells them nothing: only that may be asked of all programs ahead of time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .channel import CALL, MAX_AHEAD_BYTES, CandidateGone, Channel


class Rehearsal(Channel):
    """A channel to nobody: it notes what is asked. ``answer`` gives the value of every call, or raises."""

    def __init__(self, answer: Callable[[], Any]) -> None:
        self.questions = []
        self.remotes = {}
        self._ahead = []
        self._answer = answer

    def _ask(self, question: bytes, arguments: list[Any] | None = None) -> Any:
        self.questions.append(question)
        if len(self.questions) > MAX_AHEAD_BYTES:  # each takes a byte at least
            raise CandidateGone
        is_call = question.startswith(CALL) or b'["call"' in question[:16]
        return self._answer() if is_call else self.remote(len(self.remotes))


def refuse() -> Any:
    """The answer of a program whose every call fails."""
    raise RuntimeError("nobody answers at a rehearsal")


class Agreeable:
    """An answer that tells nothing and is right whatever it is compared with."""

    def _agree(self, *_: object) -> bool:
        return True

    def _itself(self, *_: object) -> Agreeable:
        return self

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _agree
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __abs__ = __round__ = _itself
    __hash__ = None  # type: ignore[assignment]
