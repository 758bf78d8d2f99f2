"""Fast tokenizers of ``transformers``, made exact: every text is kept as it is."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from codegym.tokenizers.base import utf8
from codegym.tokenizers.model_names import resolve_model
from codegym.tokenizers.token_bytes import bytes_of, exact

# Everything that prose tokenizers change: case, accents, ligatures, widths, runs of blanks, line ends, rare characters.
_PROBE = "def F(x):\r\n\treturn  'Ａ e\u0301 é ﬁ 🙂\x00\u2028'+X\n\n    # two  blanks  \n "
_USUAL_EOS = ("<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", "<|im_end|>", "<|eot_id|>", "[EOS]")
_UTF8 = {*range(0xF5)} - {0xC0, 0xC1}
"""Bytes that occur in UTF-8."""


class TransformersTokenizer:
    """A fast ``transformers`` tokenizer with the exact bytes of every token.

        TransformersTokenizer("Qwen/Qwen2.5-Coder-0.5B")
        TransformersTokenizer("runs/tokenizer", eos_token="<|endoftext|>")

    Text is encoded as it is: no space is put before the first word, NFC is not applied, and what looks like a special
    token in a program is ordinary text. Special tokens (the end of a program, padding, chat markers) have no bytes.
    The output layer of a model may be wider than its tokenizer: never sample ids from ``vocab_size`` upwards.

    Args:
        source: A folder, an id on the Hub, a tokenizer object of ``transformers``, or a ``tokenizers.Tokenizer``.
        eos_token: Token that ends a program; None is the one that the tokenizer names. A ``tokenizers.Tokenizer`` names
            none: then it is its only special token, or the first with a usual name such as "<|endoftext|>".

    Raises:
        ValueError: The exact text cannot be recovered from the tokens (WordPiece, a lowercasing normalizer, no byte
            fallback ...), no token ends a program, or nothing can be loaded from ``source``.
        ImportError: ``transformers`` or ``tokenizers`` is not installed.
    """

    token_bytes: tuple[bytes, ...]
    eos_token_id: int

    def __init__(self, source: Any, *, eos_token: str | None = None) -> None:
        tokenizer = _open(source)
        self.name = str(getattr(tokenizer, "name_or_path", "") or type(tokenizer).__name__)
        if not getattr(tokenizer, "is_fast", False):
            raise ValueError(
                f"{self.name} is not a fast tokenizer (one with a tokenizer.json): its bytes are not known"
            )
        definition = exact(json.loads(tokenizer.backend_tokenizer.to_str()))
        self.eos_token_id = _eos_token_id(tokenizer, eos_token)
        special = {*tokenizer.all_special_ids, self.eos_token_id}
        self.token_bytes = bytes_of(definition, tokenizer.get_vocab(), special)
        if not self.token_bytes:
            raise ValueError(
                f"{self.name} is neither byte-level nor SentencePiece with byte fallback: a part of the text gets lost "
                "in its tokens, so it cannot write programs"
            )
        self._single = {piece[0]: id for id, piece in reversed([*enumerate(self.token_bytes)]) if len(piece) == 1}
        self._backend = _build(json.dumps(definition))
        self._digest = hashlib.blake2b(
            repr((definition, self.token_bytes, self.eos_token_id)).encode(), digest_size=16
        ).digest()
        self._check()

    @property
    def vocab_size(self) -> int:
        """One more than the highest id, that of an added token included."""
        return len(self.token_bytes)

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text.

        Raises:
            ValueError: The text holds a lone surrogate.
        """
        utf8(text)
        return self._encode(text)

    def _encode(self, text: str) -> list[int]:
        """Encode a text in parts if the whole would change: a literal ``▁`` would become a space."""
        ids = self._tokenize(text)
        if self._spell(ids) == (written := text.encode()):
            return ids
        if len(text) == 1:
            return [self._single[byte] for byte in written]
        middle = len(text) // 2
        return self._encode(text[:middle]) + self._encode(text[middle:])

    def _tokenize(self, text: str) -> list[int]:
        ids: list[int] = self._backend.encode(text, add_special_tokens=False).ids
        return ids

    def _spell(self, ids: Iterable[int]) -> bytes:
        return b"".join([self.token_bytes[id] for id in ids])

    def _check(self) -> None:
        if missing := _UTF8 - self._single.keys():
            raise ValueError(
                f"{self.name} has no token for the byte 0x{min(missing):02X} alone: not every text is exact"
            )
        came = self._spell(self._tokenize(_PROBE)).decode(errors="replace")
        if came != _PROBE:
            raise ValueError(
                f"{self.name} does not keep the exact text, so it cannot write programs: {_PROBE!r} becomes {came!r}"
            )

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_backend": self._backend.to_str()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state | {"_backend": _build(state["_backend"])}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TransformersTokenizer) and other._digest == self._digest

    def __hash__(self) -> int:
        return hash(self._digest)

    def __repr__(self) -> str:
        return f"<TransformersTokenizer {self.name}: {self.vocab_size} tokens>"


@dataclass(frozen=True)
class _Backend:
    """A bare ``tokenizers.Tokenizer`` with the attributes of a ``transformers`` tokenizer that are needed here."""

    backend_tokenizer: Any
    is_fast = True
    name_or_path = "tokenizers.Tokenizer"

    @property
    def all_special_ids(self) -> list[int]:
        added = self.backend_tokenizer.get_added_tokens_decoder()
        return [id for id, token in added.items() if token.special]

    @property
    def eos_token_id(self) -> int | None:
        """The only special token, or the first of the usual names of an end of sequence."""
        special = self.all_special_ids
        if len(special) == 1:
            return special[0]
        vocabulary = self.get_vocab()
        return next((vocabulary[name] for name in _USUAL_EOS if vocabulary.get(name) in special), None)

    def get_vocab(self) -> dict[str, int]:
        vocabulary: dict[str, int] = self.backend_tokenizer.get_vocab(with_added_tokens=True)
        return vocabulary


def is_backend(source: object) -> bool:
    """Return whether ``source`` is a tokenizer of the package ``tokenizers``; imports nothing."""
    kind = type(source)
    return kind.__name__ == "Tokenizer" and kind.__module__.partition(".")[0] == "tokenizers"


def _open(source: Any) -> Any:
    if is_backend(source):
        return _Backend(source)
    if not isinstance(source, str | os.PathLike):
        return source
    name = resolve_model(source, "tokenizer")
    try:
        from transformers import AutoTokenizer
    except ImportError as error:
        raise ImportError(
            f"the tokenizer {name!r} needs transformers ({error}): pip install 'codegym[tokenizers]'"
        ) from error
    try:
        return AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"no tokenizer can be loaded from {name!r}: got {error}; expected a folder with tokenizer.json and "
            "tokenizer_config.json, or the id of a model on the Hub"
        ) from error


def _build(definition: str) -> Any:
    try:
        from tokenizers import Tokenizer as Backend
    except ImportError as error:
        raise ImportError(
            f"this tokenizer needs the package tokenizers ({error}): pip install 'codegym[tokenizers]'"
        ) from error
    backend = Backend.from_str(definition)
    backend.encode_special_tokens = True  # not a part of the definition
    return backend


def _eos_token_id(tokenizer: Any, eos_token: str | None) -> int:
    if eos_token is None:
        if tokenizer.eos_token_id is None:
            raise ValueError(
                "the tokenizer names no end-of-sequence token, so no program could end: give one of its tokens, "
                'TransformersTokenizer(source, eos_token="...")'
            )
        return int(tokenizer.eos_token_id)
    id = tokenizer.get_vocab().get(eos_token)
    if id is None:
        raise ValueError(f"the tokenizer has no token {eos_token!r} that could end a program")
    return int(id)
