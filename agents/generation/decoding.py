"""Next logits of a batch whose rows leave it one by one, for any ``transformers`` model; faster for Llamas."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from transformers import LlamaForCausalLM, PreTrainedModel
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

from agents.generation.kv_cache import KeysAndValues, move
from agents.generation.llama import LlamaDecoder, has_plain_form

__all__ = ["Decoder", "move", "open_decoder"]


class Decoder(Protocol):
    """A model with a key-value cache of N rows."""

    def step(self, tokens: Tensor) -> Tensor:
        """Append one of ``tokens``, [N], to each row and return the next logits, [N, V]."""

    def keep(self, count: int, holes: Tensor, movers: Tensor) -> None:
        """Keep ``count`` rows.

        Args:
            count: Number of rows to keep.
            holes: Indices of rows below ``count`` that have ended.
            movers: Indices of live rows from ``count`` on, which move to the holes.
        """


def open_decoder(model: PreTrainedModel, prompts: Sequence[Sequence[int]], max_tokens: int) -> tuple[Decoder, Tensor]:
    """Read the prompts, equal ones once, and return a decoder with the first logits, [N, V].

    Args:
        model: Causal model of ``transformers``, LoRA or not.
        prompts: Token ids of each prompt.
        max_tokens: Token budget of a completion.
    """
    places: dict[tuple[int, ...], int] = {}
    which = [places.setdefault(tuple(prompt), len(places)) for prompt in prompts]
    device = model.device
    index = torch.tensor(which, device=device)  # [N] distinct prompt of each row
    tokens, padding = pad_left(list(places), device)
    wrapper: Any = model
    base = wrapper.get_base_model() if hasattr(model, "get_base_model") else model  # of peft, with its adapters inside
    cache, logits = _prefill(base, tokens, padding)
    layers = [KeysAndValues(layer.keys, layer.values, index) for layer in cache.layers]
    kind: Any = LlamaDecoder if isinstance(base, LlamaForCausalLM) and has_plain_form(base) else TransformersDecoder
    return kind(base, layers, padding[index], tokens.shape[1], max_tokens), logits[index]


def pad_left(prompts: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Align prompts at their ends; return tokens [N, P] and the number of padding tokens of each row [N].

    Args:
        prompts: Token ids of each prompt.
        device: Device of the tensors.
    """
    longest = max(map(len, prompts))
    rows = [[0] * (longest - len(prompt)) + list(prompt) for prompt in prompts]
    return torch.tensor(rows, device=device), torch.tensor([longest - len(prompt) for prompt in prompts], device=device)


def _prefill(model: Any, tokens: Tensor, padding: Tensor) -> tuple[Any, Tensor]:
    """Run the prompts; return the cache and the logits after the last token, [N, V]."""
    columns = torch.arange(tokens.shape[1], device=tokens.device)
    cache = DynamicCache()
    options: dict[str, Any] = {_cache_name(model): cache}
    if bool(padding.any()):
        options["attention_mask"] = (columns >= padding[:, None]).long()
        options["position_ids"] = (columns - padding[:, None]).clamp(min=0)
    if "logits_to_keep" in inspect.signature(model.forward).parameters:
        options["logits_to_keep"] = 1
    return cache, model(tokens, use_cache=True, **options).logits[:, -1]


def _cache_name(model: Any) -> str:
    """Return the name of the argument for the cache, which changed within version 5 of ``transformers``."""
    return "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"


class _Layer(DynamicLayer):
    """A layer of a ``transformers`` cache that keeps its rows in place instead of copying all of them every step."""

    def __init__(self, slots: KeysAndValues) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.slots = slots
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Append one position to each row and return all positions, [N, H, T, D]."""
        return self.slots.append(key_states, value_states)

    def get_seq_length(self) -> int:
        """Return the number of positions."""
        return self.slots.length


class TransformersDecoder:
    """The forward method of any model, over our own cache.

    Args:
        model: Causal model of ``transformers``.
        layers: Keys and values of each layer.
        padding: Number of padding tokens of each row, [N].
        prompt_length: Length of the longest prompt.
        max_tokens: Token budget of a completion.
    """

    def __init__(
        self, model: Any, layers: list[KeysAndValues], padding: Tensor, prompt_length: int, max_tokens: int
    ) -> None:
        self.model, self.layers = model, layers
        self.cache = {_cache_name(model): Cache(layers=[_Layer(layer) for layer in layers])}
        self.padding: Tensor | None = padding if bool(padding.any()) else None
        self.columns = torch.arange(prompt_length + max_tokens, device=padding.device)

    def step(self, tokens: Tensor) -> Tensor:
        """Append one of ``tokens``, [N], to each row and return the next logits, [N, V]."""
        length = self.layers[0].length
        options: dict[str, Any] = self.cache | {"position_ids": self.columns[None, length : length + 1]}
        if self.padding is not None:
            options["position_ids"] = length - self.padding[:, None]
            options["attention_mask"] = (self.columns[: length + 1] >= self.padding[:, None]).long()
        output = self.model(tokens[:, None], use_cache=True, **options)
        logits: Tensor = output.logits[:, -1]
        return logits

    def keep(self, count: int, holes: Tensor, movers: Tensor) -> None:
        """Keep ``count`` rows, after those at ``movers`` have moved to ``holes``."""
        for layer in self.layers:
            layer.keep(count, holes, movers)
        if self.padding is not None:
            self.padding = move(self.padding, holes, movers)[:count]
