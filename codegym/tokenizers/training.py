"""A byte-level BPE tokenizer trained on programs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from codegym.tokenizers.hf import TransformersTokenizer, import_library


def train_tokenizer(
    texts: Iterable[str], vocab_size: int, path: str | os.PathLike[str], *, eos_token: str = "<|endoftext|>"
) -> TransformersTokenizer:
    """Train a byte-level BPE tokenizer and save it in a folder that ``AutoTokenizer.from_pretrained`` reads too.

    Args:
        texts: programs, or prompts and programs.
        vocab_size: with all bytes and the end of the program, so at least 257; few texts may give fewer tokens.
        path: the folder, made where it is missing.
        eos_token: the name of the end of the program.

    Raises:
        ValueError: ``vocab_size`` is below 257.
        ImportError: ``tokenizers`` or ``transformers`` is not installed.
    """
    if vocab_size < 257:
        raise ValueError(f"vocab_size must be at least 257 (all bytes and the end of the program), got {vocab_size}")
    library = import_library("tokenizers")
    backend = library.Tokenizer(library.models.BPE())
    backend.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = library.decoders.ByteLevel()
    trainer = library.trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[eos_token],
        initial_alphabet=library.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(texts, trainer)
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
