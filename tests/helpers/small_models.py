"""Small models, made on the spot."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from codegym.tokenizers import train_tokenizer

TEXTS = ["def f(x):\n    x = x + 1\n    y = [i * 2 for i in x]\n    return y\n", "Write f(x): add 1.\n"] * 20


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session", params=["llama", "gpt2"])
def policy_folder(request, tmp_path_factory) -> Path:
    """A policy with random weights and a byte-level BPE tokenizer, as ``save_pretrained`` writes it."""
    folder = tmp_path_factory.mktemp(request.param)
    tokenizer = train_tokenizer(TEXTS, 320, folder)
    vocab, eos = tokenizer.vocab_size + 3, tokenizer.eos_token_id  # output layers are often wider
    torch.manual_seed(0)
    if request.param == "llama":
        sizes = {"intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 32}
        model = LlamaForCausalLM(
            LlamaConfig(vocab_size=vocab, max_position_embeddings=256, bos_token_id=None, eos_token_id=eos, **sizes)
        )
    else:
        model = GPT2LMHeadModel(
            GPT2Config(
                vocab_size=vocab, n_positions=256, n_embd=32, n_layer=2, n_head=2, eos_token_id=eos, bos_token_id=eos
            )
        )
    for parameter in model.parameters():  # the usual start is so small that nothing would be told apart
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(folder)
    return folder
