"""Programs as a process reward model reads them: token ids, and where each line ends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from codegym.tokenizers import Tokenizer, encode_exactly

_CACHED = 1 << 14


class EncodedLines(NamedTuple):
    """A prompt and the lines of a program."""

    ids: list[int]
    ends: list[int | None]
    """Index of the last token of each line; None for lines that end beyond what can be read."""


class LineEncoder:
    r"""Encodes line by line, so that the last token of a line holds its last byte and nothing after it.

    What comes after a line cannot change its tokens then, as it could where ``"\n    "`` is one token:

    >>> from codegym.tokenizers import ByteTokenizer
    >>> LineEncoder(ByteTokenizer(), max_tokens=8, max_prompt_tokens=2).encode("abc", ["x\n", "y\n", "z = 1\n"])
    EncodedLines(ids=[98, 99, 120, 10, 121, 10], ends=[3, 5, None])

    Args:
        tokenizer: of the model, which need not be the policy's. It must be able to write each line for itself.
        max_tokens: of prompt and program together; lines that do not fit are not read.
        max_prompt_tokens: of a longer prompt only the last so many are kept.

    Raises:
        ValueError: a program would have no room.
    """

    def __init__(self, tokenizer: Tokenizer, max_tokens: int, max_prompt_tokens: int) -> None:
        if not 0 <= max_prompt_tokens < max_tokens:
            raise ValueError(
                f"max_prompt_tokens must be from 0 to below max_tokens={max_tokens}, got {max_prompt_tokens}"
            )
        self.tokenizer, self.max_tokens, self.max_prompt_tokens = tokenizer, max_tokens, max_prompt_tokens
        self._known: dict[str, list[int]] = {}

    def encode(self, prompt: str, lines: Iterable[str]) -> EncodedLines:
        """Encode a program; ``ValueError`` where a line cannot be told in the model's tokens."""
        ids, ends = list(self._ids(prompt)[-self.max_prompt_tokens :] if self.max_prompt_tokens else ()), []
        is_full = False
        for line in lines:
            more = () if is_full else self._ids(line)
            is_full = is_full or len(ids) + len(more) > self.max_tokens
            if not is_full:
                ids += more
            ends.append(None if is_full else len(ids) - 1)
        return EncodedLines(ids, ends)

    def _ids(self, text: str) -> Sequence[int]:
        """The same lines come again and again."""
        if text not in self._known:
            if len(self._known) >= _CACHED:
                self._known.clear()
            self._known[text] = encode_exactly(self.tokenizer, text)
        return self._known[text]
