"""The tokenizer protocol, and what its implementations share."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class Tokenizer(Protocol):
    """Maps program text to token ids and says which bytes every id adds to a program.

    The program that a sequence of ids spells is the concatenation of their bytes, whatever the sequence: a policy may
    sample ids that ``encode`` would never give, or half a character. Text is never tokenised a second time.

    For every text that ``encode`` takes, ``b"".join(token_bytes[id] for id in encode(text))`` is
    ``text.encode("utf-8")``. Implementations compare equal where they behave alike, and can be pickled.
    """

    @property
    def vocab_size(self) -> int:
        """Ids are ``0 .. vocab_size - 1``."""

    @property
    def eos_token_id(self) -> int:
        """The id that ends the program."""

    @property
    def token_bytes(self) -> tuple[bytes, ...]:
        """What each id adds to the program, ``vocab_size`` entries; ``b""`` for ids that are not text."""

    def encode(self, text: str) -> list[int]:
        """Give the ids of a text, without special tokens.

        Raises:
            ValueError: the text cannot be told in this vocabulary; always so for a lone surrogate, which has no
                UTF-8 bytes.
        """


def utf8(text: str) -> bytes:
    """Give the bytes of a text.

    Raises:
        ValueError: the text holds a lone surrogate.
    """
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(
            f"position {error.start} of the text is the lone surrogate {text[error.start]!r}, which is no character "
            'and has no UTF-8 bytes: replace it first, for example by text.encode("utf-8", "replace").decode()'
        ) from None
