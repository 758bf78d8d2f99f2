"""Programs as a process reward model reads them: token ids, with the last token of each line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from codegym.tokenizers import Tokenizer, encode_exactly

_CACHED = 1 << 14


class EncodedLines(NamedTuple):
    """Tokens of a prompt and of the lines of a program."""

    ids: list[int]
    """Token ids of prompt and program."""
    ends: list[int | None]
    """Index of the last token of each line, None for lines beyond ``max_tokens``."""


class LineEncoder:
    r"""Encodes line by line, so that the last token of a line holds its last byte and nothing after it.

    So the text after a line cannot change the tokens of the line, as it could if ``"\n    "`` were one token:

    >>> from codegym.tokenizers import ByteTokenizer
    >>> LineEncoder(ByteTokenizer(), max_tokens=8, max_prompt_tokens=2).encode("abc", ["x\n", "y\n", "z = 1\n"])
    EncodedLines(ids=[98, 99, 120, 10, 121, 10], ends=[3, 5, None])

    Args:
        tokenizer: The tokenizer of the model, which need not be the policy's. It must be able to write every line.
        max_tokens: Largest number of tokens of prompt and program together. Lines that do not fit are not read.
        max_prompt_tokens: Largest number of prompt tokens; a longer prompt keeps its last tokens.

    Raises:
        ValueError: The prompt may fill all of ``max_tokens``.
    """

    def __init__(self, tokenizer: Tokenizer, max_tokens: int, max_prompt_tokens: int) -> None:
        if not 0 <= max_prompt_tokens < max_tokens:
            raise ValueError(
                f"wrong max_prompt_tokens: got {max_prompt_tokens}; expected 0 or more, and less than {max_tokens=}"
            )
        self.tokenizer, self.max_tokens, self.max_prompt_tokens = tokenizer, max_tokens, max_prompt_tokens
        self._known: dict[str, list[int]] = {}

    def encode(self, prompt: str, lines: Iterable[str]) -> EncodedLines:
        """Encode a program.

        Args:
            prompt: Prompt of the task.
            lines: Lines of the program, each with its newline if it has one.

        Raises:
            ValueError: The tokenizer cannot write a line.
        """
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
        """Return the tokens of a text, from a cache, because the same lines are encoded again and again."""
        if text not in self._known:
            if len(self._known) >= _CACHED:
                self._known.clear()
            self._known[text] = encode_exactly(self.tokenizer, text)
        return self._known[text]
