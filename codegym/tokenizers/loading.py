"""What a user may give where a tokenizer is wanted."""

from __future__ import annotations

import os

from codegym.tokenizers.base import Tokenizer
from codegym.tokenizers.hf import TransformersTokenizer
from codegym.tokenizers.simple import ByteTokenizer, VocabularyTokenizer


def load_tokenizer(value: object = None) -> Tokenizer:
    r"""Make a tokenizer of what a user gave.

    >>> load_tokenizer(), load_tokenizer(["x = 1\n"])
    (ByteTokenizer(), VocabularyTokenizer([b'x = 1\n']))

    Args:
        value: None or ``"bytes"`` for bytes; a list or tuple of strings for exactly these tokens; a folder or an id on
            the Hub, or an object, of a fast ``transformers`` tokenizer; or a ``Tokenizer``, which stays what it is.

    Raises:
        TypeError: it is none of these.
        ValueError: it cannot be loaded, or cannot write every program exactly.
    """
    if value is None or value == "bytes":
        return ByteTokenizer()
    if isinstance(value, str | os.PathLike) or hasattr(value, "is_fast"):  # the mark of a transformers tokenizer
        return TransformersTokenizer(value)
    if isinstance(value, list | tuple) and all(isinstance(token, str | bytes) for token in value):
        return VocabularyTokenizer(value)
    if isinstance(value, Tokenizer) and not isinstance(value, type):
        return value
    raise TypeError(
        f'no tokenizer can be made of {value!r:.200}; wanted is None or "bytes", a list of token strings, a folder, '
        "Hub id or object of a fast transformers tokenizer, or an object with vocab_size, eos_token_id, token_bytes "
        "and encode(text)"
    )
