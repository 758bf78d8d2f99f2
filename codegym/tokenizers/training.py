"""A byte-level BPE tokenizer trained on programs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from codegym.tokenizers.hf import TransformersTokenizer

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def train_tokenizer(
    texts: Iterable[str], vocab_size: int, path: str | os.PathLike[str], *, eos_token: str = "<|endoftext|>"
) -> TransformersTokenizer:
    """Train a byte-level BPE tokenizer and save it in a folder that ``AutoTokenizer.from_pretrained`` reads too.

    Args:
        texts: Programs, or prompts and programs.
        vocab_size: Number of tokens, all bytes and the end of the program included, so at least 257. Few texts may
            lead to fewer tokens.
        path: Folder to write; it is made if there is none.
        eos_token: Name of the token that ends a program.

    Raises:
        ValueError: ``vocab_size`` is below 257.
        ImportError: ``tokenizers`` or ``transformers`` is not installed.
    """
    if vocab_size < 257:
        raise ValueError(f"vocab_size: got {vocab_size}; expected at least 257 (all bytes and the end of the program)")
    backend = _train(texts, vocab_size, eos_token)
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    backend.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": eos_token,
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    return TransformersTokenizer(folder)


def _train(texts: Iterable[str], vocab_size: int, eos_token: str) -> Tokenizer:
    try:
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    except ImportError as error:
        raise ImportError(
            f"training a tokenizer needs the package tokenizers ({error}): pip install 'codegym[tokenizers]'"
        ) from error
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[eos_token],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(texts, trainer)
    return backend
