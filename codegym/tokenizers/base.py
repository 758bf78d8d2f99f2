"""The tokenizer protocol, and what its implementations share."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class Tokenizer(Protocol):
    """A map from program text to token ids, and from each id to the bytes that it adds to a program.

    The program that a sequence of ids spells is the concatenation of their bytes, whatever the sequence: a policy may
    sample ids that ``encode`` would never return, or half a character. Text is never tokenised a second time.

    For every text that ``encode`` accepts, ``b"".join(token_bytes[id] for id in encode(text))`` is
    ``text.encode("utf-8")``. Implementations compare equal if they behave alike, and can be pickled.
    """

    @property
    def vocab_size(self) -> int:
        """Number of ids; they are ``0 .. vocab_size - 1``."""

    @property
    def eos_token_id(self) -> int:
        """Id that ends the program."""

    @property
    def token_bytes(self) -> tuple[bytes, ...]:
        """Bytes that each id adds to the program, ``vocab_size`` entries; ``b""`` for ids that are not text."""

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, without special tokens.

        Args:
            text: Program or prompt.

        Raises:
            ValueError: The vocabulary cannot spell the text. This is always so for a lone surrogate, which has no UTF-8
                bytes.
        """


def utf8(text: str) -> bytes:
    """Return the bytes of ``text``.

    Raises:
        ValueError: The text holds a lone surrogate.
    """
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(
            f"position {error.start} of the text is the lone surrogate {text[error.start]!r}, which is no character "
            'and has no UTF-8 bytes: replace it first, for example by text.encode("utf-8", "replace").decode()'
        ) from None
