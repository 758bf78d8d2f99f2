"""Tokenizers on disk, beside the models that use them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from codegym.tokenizers.base import Tokenizer
from codegym.tokenizers.hf import TransformersTokenizer
from codegym.tokenizers.loading import load_tokenizer
from codegym.tokenizers.simple import ByteTokenizer, VocabularyTokenizer

_OWN = "codegym_tokenizer.json"


def save_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Write a tokenizer into a folder, from which ``read_tokenizer`` reads it.

    Raises:
        TypeError: it is none of codegym's own kinds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(tokenizer, TransformersTokenizer):
        definition = tokenizer.__getstate__()["_backend"]
        eos = next(name for name, id in _names(definition) if id == tokenizer.eos_token_id)
        (folder / "tokenizer.json").write_text(definition, encoding="utf-8")
        settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": eos}
        _write(folder / "tokenizer_config.json", settings | {"clean_up_tokenization_spaces": False})
    elif isinstance(tokenizer, ByteTokenizer):
        _write(folder / _OWN, {"kind": "bytes"})
    elif isinstance(tokenizer, VocabularyTokenizer):
        tokens = [token.decode("latin-1") for token in tokenizer.token_bytes[:-1]]  # a byte is a character
        _write(folder / _OWN, {"kind": "vocabulary", "tokens": tokens})
    else:
        raise TypeError(f"a {type(tokenizer).__name__} cannot be saved; train with a tokenizer of codegym.tokenizers")


def _names(definition: str) -> list[tuple[str, int]]:
    """All tokens of a definition with their ids, the added ones last."""
    parsed = json.loads(definition)
    vocabulary = parsed["model"].get("vocab")
    known = list(vocabulary.items()) if isinstance(vocabulary, dict) else []
    return known + [(token["content"], token["id"]) for token in parsed["added_tokens"]]


def read_tokenizer(source: str | os.PathLike[str]) -> Tokenizer:
    """Read the tokenizer of a folder, of codegym's own kinds or of ``transformers``, or of an id on the Hub."""
    own = Path(source).expanduser() / _OWN
    if not own.is_file():
        return load_tokenizer(source)
    content = json.loads(own.read_text(encoding="utf-8"))
    if content["kind"] == "bytes":
        return ByteTokenizer()
    return VocabularyTokenizer([token.encode("latin-1") for token in content["tokens"]])


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
