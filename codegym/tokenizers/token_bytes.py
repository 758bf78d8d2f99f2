"""The bytes of the tokens of a ``transformers`` tokenizer, read from the definition of its pipeline.

A definition is the content of ``tokenizer.json``. Two kinds of vocabulary define the bytes of every token:

- byte-level: every byte has a printable character of its own, in the table of GPT-2;
- SentencePiece with byte fallback: ``▁`` is a space, ``<0x0A>`` a byte, and everything else is itself.

In all others (WordPiece, or a vocabulary with an unknown token) a part of the text is lost.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from typing import Any

Definition = dict[str, Any]

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


def byte_characters() -> dict[str, int]:
    """Return the table of GPT-2: printable characters of Latin-1 are themselves, the others follow from U+0100."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    table = {chr(byte): byte for byte in plain}
    hidden = [byte for byte in range(256) if byte not in table.values()]
    return table | {chr(256 + number): byte for number, byte in enumerate(hidden)}


def steps(part: Mapping[str, Any] | None, field: str) -> Iterator[Definition]:
    """Yield the steps of a normalizer, pre-tokenizer or decoder, nested sequences flattened.

    Args:
        part: Part of a definition, None if it is missing.
        field: Name of the field that holds the members of a sequence.
    """
    if part is None:
        return
    if part["type"] == "Sequence":
        for member in part[field]:
            yield from steps(member, field)
    else:
        yield dict(part)


def bytes_of(definition: Definition, vocabulary: Mapping[str, int], special: set[int]) -> tuple[bytes, ...]:
    """Return the bytes of every id up to the highest: none for special ids and for ids without a token.

    The result is empty if the vocabulary is of neither kind.

    Args:
        definition: Definition of the tokenizer.
        vocabulary: Map from token to id, added tokens included.
        special: Ids that are not text.
    """
    decoders = [*steps(definition["decoder"], "decoders")]
    kinds = {step["type"] for step in decoders}
    kinds |= {step["type"] for step in steps(definition["pre_tokenizer"], "pretokenizers")} & {"ByteLevel"}
    if not kinds & {"ByteLevel", "ByteFallback"}:
        return ()
    added = {token["content"]: token for token in definition["added_tokens"]}
    read = _byte_level(added.keys()) if "ByteLevel" in kinds else _byte_fallback(decoders)
    special = special | {token["id"] for token in added.values() if token["special"]}
    pieces = {id: b"" if id in special else read(piece) for piece, id in vocabulary.items()}
    return tuple(pieces.get(id, b"") for id in range(max(pieces) + 1))


def _byte_level(added: Set[str]) -> Callable[[str], bytes]:
    table = byte_characters()
    return lambda piece: piece.encode() if piece in added else bytes([table[character] for character in piece])


def _byte_fallback(decoders: Iterable[Definition]) -> Callable[[str], bytes]:
    spaces = [space for step in decoders if (space := _space(step)) is not None]

    def read(piece: str) -> bytes:
        if match := _BYTE.fullmatch(piece):
            return bytes([int(match[1], 16)])
        for written, meant in spaces:
            piece = piece.replace(written, meant)
        return piece.encode()

    return read


def _space(step: Definition) -> tuple[str, str] | None:
    """Return the replacement that a step of a decoder makes in every token."""
    if step["type"] == "Metaspace":
        return step["replacement"], " "
    if step["type"] == "Replace" and "String" in step["pattern"]:
        return step["pattern"]["String"], step["content"]
    return None


def exact(definition: Definition) -> Definition:
    """Return the ``definition`` without the steps that change a text for the sake of prose.

    These are the space before the first word, Unicode normalisation to NFC, and added tokens that swallow the white
    space around them; also truncation, padding and everything that adds special tokens.
    """
    definition = definition | dict.fromkeys(("truncation", "padding", "post_processor"))
    definition["added_tokens"] = [token | {"lstrip": False, "rstrip": False} for token in definition["added_tokens"]]
    normalizers = [s for s in steps(definition["normalizer"], "normalizers") if s["type"] not in ("Prepend", "NFC")]
    definition["normalizer"] = {"type": "Sequence", "normalizers": normalizers} if normalizers else None
    pretokenizers = [_without_prefix(step) for step in steps(definition["pre_tokenizer"], "pretokenizers")]
    definition["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": pretokenizers} if pretokenizers else None
    return definition


def _without_prefix(step: Definition) -> Definition:
    if step["type"] == "Metaspace":
        return {name: value for name, value in step.items() if name != "add_prefix_space"} | {"prepend_scheme": "never"}
    return step | {"add_prefix_space": False} if step["type"] == "ByteLevel" else step
