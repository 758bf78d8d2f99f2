"""Token ids that spell a given text exactly."""

from __future__ import annotations

from collections.abc import Sequence

from codegym.tokenizers.base import Tokenizer, utf8


def encode_exactly(tokenizer: Tokenizer, text: str) -> list[int]:
    """Return ids that spell a text, in as few tokens as possible if ``encode`` fails.

    A policy can write what the greedy ``encode`` of a small vocabulary does not find again:

    >>> from codegym.tokenizers import VocabularyTokenizer
    >>> tokenizer = VocabularyTokenizer(["a", "ab", "bc"])
    >>> encode_exactly(tokenizer, "abc")
    [0, 2]

    Args:
        tokenizer: Tokenizer of the policy that wrote the text.
        text: Text to spell, such as one line.

    Raises:
        ValueError: No sequence of tokens spells the text.
    """
    try:
        return tokenizer.encode(text)
    except ValueError as error:
        found = _fewest(tokenizer.token_bytes, utf8(text))
        if found is None:
            raise ValueError(f"{tokenizer!r:.200} cannot write the line {text!r:.200}: {error}") from error
        return found


def _fewest(pieces: Sequence[bytes], data: bytes) -> list[int] | None:
    ids = {piece: id for id, piece in enumerate(pieces) if piece}
    lengths = sorted({len(piece) for piece in ids})
    ways: list[list[int] | None] = [[]]  # to each position
    for end in range(1, len(data) + 1):
        before = [(ways[end - n], ids.get(data[end - n : end])) for n in lengths if n <= end]
        ways.append(
            min(([*way, id] for way, id in before if way is not None and id is not None), key=len, default=None)
        )
    return ways[-1]
