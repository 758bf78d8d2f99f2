"""Models that are measured, with random weights: speed does not depend on what a model has learned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

from agents.policies.causal import make_policy


@dataclass(frozen=True)
class Model:
    """A model and the sizes that it is measured at."""

    name: str
    make: Callable[[], PreTrainedModel]
    batch_sizes: tuple[int, ...]
    prompt_tokens: int
    new_tokens: int


def large() -> PreTrainedModel:
    """Return a Llama with about 110 million parameters."""
    config = LlamaConfig(
        vocab_size=16_000,
        hidden_size=768,
        intermediate_size=2048,
        num_hidden_layers=12,
        num_attention_heads=12,
        max_position_embeddings=512,
    )
    return LlamaForCausalLM(config).eval()


MODELS = {
    "tiny": Model("tiny", lambda: make_policy(103), (64, 256), prompt_tokens=24, new_tokens=90),
    "100m": Model("100m", large, (32,), prompt_tokens=24, new_tokens=60),
}
