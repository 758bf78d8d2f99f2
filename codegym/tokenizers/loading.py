"""Tokenizers from what a user names, and tokenizers in the folder of the model that uses them."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from codegym.plugins import Plugins, load_object, suggest
from codegym.tokenizers.base import Tokenizer
from codegym.tokenizers.hf import TransformersTokenizer, is_backend
from codegym.tokenizers.simple import ByteTokenizer, VocabularyTokenizer

_OWN = "codegym_tokenizer.json"


TOKENIZERS = Plugins[Callable[[], Tokenizer]]("tokenizer", "codegym.tokenizers", {"bytes": ByteTokenizer})
"""Name -> class or function that makes the tokenizer without arguments."""


def load_tokenizer(value: object = None) -> Tokenizer:
    r"""Return the tokenizer that ``value`` names or is.

    >>> load_tokenizer(), load_tokenizer(["x = 1\n"])
    (ByteTokenizer(), VocabularyTokenizer([b'x = 1\n']))

    Args:
        value: None for bytes; a name in ``TOKENIZERS`` or ``"package.module:object"`` of a tokenizer, a class or a
            function that makes one; a list or tuple of strings for exactly these tokens; a folder that
            ``save_tokenizer`` wrote; a folder, a Hub id or an object of a fast ``transformers`` tokenizer; a
            ``tokenizers.Tokenizer``; or a ``Tokenizer``, which is returned as it is.

    Raises:
        TypeError: The value is none of these.
        ValueError: The tokenizer cannot be loaded, or cannot write every program exactly.
    """
    if value is None:
        return ByteTokenizer()
    if isinstance(value, str | os.PathLike):
        return _load_named(value)
    if is_backend(value) or hasattr(value, "is_fast"):  # only tokenizers of transformers have this attribute
        return TransformersTokenizer(value)
    if isinstance(value, list | tuple) and all(isinstance(token, str | bytes) for token in value):
        return VocabularyTokenizer(value)
    if isinstance(value, Tokenizer) and not isinstance(value, type):
        return value
    raise TypeError(
        f'no tokenizer can be made of {value!r:.200}; expected "bytes", a list of token strings, a folder, Hub id or '
        "object of a fast transformers tokenizer, or an object with vocab_size, eos_token_id, token_bytes and "
        "encode(text)"
    )


def _load_named(source: str | os.PathLike[str]) -> Tokenizer:
    name = os.fspath(source)
    if name in TOKENIZERS:
        return _make(TOKENIZERS[name])
    if ":" in name and not os.path.isdir(name):
        return _make(load_object(name))
    if (own := _read_own(Path(source).expanduser() / _OWN)) is not None:
        return own
    if hint := "" if os.path.isdir(name) else suggest(name, TOKENIZERS):
        raise ValueError(f"unknown tokenizer: got {name!r}{hint}; expected one of {', '.join(TOKENIZERS)}, or a folder")
    return TransformersTokenizer(source)


def _make(plugin: object) -> Tokenizer:
    """Return the tokenizer that a plug-in is or makes."""
    return load_tokenizer(plugin() if isinstance(plugin, type) or inspect.isroutine(plugin) else plugin)


def save_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Write a tokenizer into a folder, from which ``load_tokenizer`` reads it.

    Args:
        tokenizer: A tokenizer of ``codegym.tokenizers``.
        folder: Folder to write into, often that of a model; it is made if there is none.

    Raises:
        TypeError: The tokenizer is of another kind.
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
        tokens = [token.decode("latin-1") for token in tokenizer.token_bytes[:-1]]  # one character a byte
        _write(folder / _OWN, {"kind": "vocabulary", "tokens": tokens})
    else:
        raise TypeError(f"a {type(tokenizer).__name__} cannot be saved; train with a tokenizer of codegym.tokenizers")


def _read_own(file: Path) -> Tokenizer | None:
    if not file.is_file():
        return None
    content = json.loads(file.read_text(encoding="utf-8"))
    if content["kind"] == "bytes":
        return ByteTokenizer()
    return VocabularyTokenizer([token.encode("latin-1") for token in content["tokens"]])


def _names(definition: str) -> list[tuple[str, int]]:
    """Return all tokens of a definition with their ids, the added ones last."""
    parsed = json.loads(definition)
    vocabulary = parsed["model"].get("vocab")
    known = list(vocabulary.items()) if isinstance(vocabulary, dict) else []
    return known + [(token["content"], token["id"]) for token in parsed["added_tokens"]]


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
