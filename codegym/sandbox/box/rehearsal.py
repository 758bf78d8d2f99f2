"""What tests would ask of a program that tells them nothing: only that may be asked of all programs ahead of time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .channel import MAX_AHEAD_BYTES, CandidateGone, Channel, Remote


class Rehearsal(Channel):
    """A channel to nobody: it notes what is asked. ``answer`` gives the value of every call, or raises."""

    def __init__(self, answer: Callable[[], Any]) -> None:
        self.questions = []
        self.remotes = {}
        self._expected = None
        self._answer = answer

    def call(self, remote: Remote, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        """Note the call, and answer it as this rehearsal does."""
        self._note(self._call(remote, arguments, keywords))
        return self._answer()

    def _ask(self, question: bytes, arguments: list[Any] | None = None) -> Any:
        self._note(question)
        return self.remote(len(self.remotes))

    def _note(self, question: bytes) -> None:
        self.questions.append(question)
        if len(self.questions) > MAX_AHEAD_BYTES:  # each takes a byte at least
            raise CandidateGone


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
