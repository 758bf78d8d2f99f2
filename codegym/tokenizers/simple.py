"""Tokenizers that need no files: bytes, and an explicit list of tokens."""

from __future__ import annotations

import re
from collections.abc import Sequence

from codegym.tokenizers.base import utf8


class ByteTokenizer:
    """The 256 bytes, then the end of the program: every text can be written, with no download.

    >>> ByteTokenizer().encode("if x:")
    [105, 102, 32, 120, 58]
    """

    token_bytes: tuple[bytes, ...] = (*(bytes([byte]) for byte in range(256)), b"")
    vocab_size = 257
    eos_token_id = 256

    def encode(self, text: str) -> list[int]:
        """Return the UTF-8 bytes of a text.

        Raises:
            ValueError: The text holds a lone surrogate.
        """
        return list(utf8(text))

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        return "ByteTokenizer()"


class VocabularyTokenizer:
    r"""A tokenizer with an explicit list of tokens: a tiny action space for a tiny task.

    >>> tokenizer = VocabularyTokenizer(["def f(x):\n", "    return", " x", " + x"])
    >>> tokenizer.encode("def f(x):\n    return x + x"), tokenizer.eos_token_id
    ([0, 1, 2, 3], 4)

    ``encode`` takes the longest token that fits and never reconsiders it: with the tokens ``a``, ``ab`` and ``bc`` the
    text ``abc`` is refused although ``a`` and ``bc`` spell it (``encode_exactly`` finds them).

    Args:
        tokens: Text or bytes of each id, from id 0. The id after the last one ends the program.

    Raises:
        ValueError: There is no token, one is empty, one occurs twice, or one holds a lone surrogate.
    """

    def __init__(self, tokens: Sequence[str | bytes]) -> None:
        written = tuple(utf8(token) if isinstance(token, str) else bytes(token) for token in tokens)
        _check(written)
        self.token_bytes = (*written, b"")
        self._ids = {token: id for id, token in enumerate(written)}
        self._longest_first = re.compile(b"|".join(map(re.escape, sorted(written, key=len, reverse=True))))

    @property
    def vocab_size(self) -> int:
        """Number of tokens, plus one for the end of the program."""
        return len(self.token_bytes)

    @property
    def eos_token_id(self) -> int:
        """The id after the last token."""
        return len(self.token_bytes) - 1

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text.

        Raises:
            ValueError: No token fits at some position of the text; the message names the first one.
        """
        data, position, ids = utf8(text), 0, []
        while position < len(data):
            match = self._longest_first.match(data, position)
            if match is None:
                place = len(data[:position].decode("utf-8", errors="ignore"))
                raise ValueError(f"no token fits at position {place} of the text: {text[place : place + 20]!r} ...")
            ids.append(self._ids[match.group()])
            position = match.end()
        return ids

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VocabularyTokenizer) and other.token_bytes == self.token_bytes

    def __hash__(self) -> int:
        return hash(self.token_bytes)

    def __repr__(self) -> str:
        return f"VocabularyTokenizer({list(self.token_bytes[:-1])!r})"


def _check(tokens: tuple[bytes, ...]) -> None:
    if not tokens:
        raise ValueError("a vocabulary needs at least one token")
    seen: set[bytes] = set()
    for id, token in enumerate(tokens):
        if not token:
            raise ValueError(f"token {id} is empty: an action that writes nothing could be repeated for ever")
        if token in seen:
            raise ValueError(f"token {id} is {token!r}, which is token {tokens.index(token)} already")
        seen.add(token)
