"""Tokenizers: between program text and token ids, with the exact bytes of every token."""

from codegym.tokenizers.base import Tokenizer
from codegym.tokenizers.exact import encode_exactly
from codegym.tokenizers.hf import TransformersTokenizer
from codegym.tokenizers.loading import TOKENIZERS, load_tokenizer, save_tokenizer
from codegym.tokenizers.model_names import resolve_model
from codegym.tokenizers.simple import ByteTokenizer, VocabularyTokenizer
from codegym.tokenizers.training import train_tokenizer

__all__ = [
    "TOKENIZERS",
    "ByteTokenizer",
    "Tokenizer",
    "TransformersTokenizer",
    "VocabularyTokenizer",
    "encode_exactly",
    "load_tokenizer",
    "resolve_model",
    "save_tokenizer",
    "train_tokenizer",
]
