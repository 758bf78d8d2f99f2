"""The next logits of a batch whose rows leave it: for any ``transformers`` model, and a short way for Llama's form."""

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
    """A model that holds the keys and values of N rows."""

    def step(self, tokens: Tensor) -> Tensor:
        """Append a token to each row, [N]; gives the next logits, [N, V]."""

    def keep(self, count: int, holes: Tensor, movers: Tensor) -> None:
        """Move the rows at ``movers`` to ``holes`` and forget all rows from ``count`` on."""


def open_decoder(model: PreTrainedModel, prompts: Sequence[Sequence[int]], max_tokens: int) -> tuple[Decoder, Tensor]:
    """Read the prompts, equal ones once; gives a decoder and the first logits, [N, V]."""
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
    """Align prompts at their ends: tokens [N, P], and how many at the start of each row are padding [N]."""
    longest = max(map(len, prompts))
    rows = [[0] * (longest - len(prompt)) + list(prompt) for prompt in prompts]
    return torch.tensor(rows, device=device), torch.tensor([longest - len(prompt) for prompt in prompts], device=device)


def _prefill(model: Any, tokens: Tensor, padding: Tensor) -> tuple[Any, Tensor]:
    """Run the prompts: the cache, and the logits after the last token, [N, V]."""
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
    """What a model calls its cache: the name has changed within version 5 of ``transformers``."""
    return "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"


class _Layer(DynamicLayer):  # type: ignore[no-untyped-call]  # its __init_subclass__ has no types
    """A layer of a ``transformers`` cache that keeps its rows in place instead of copying all of them every step."""

    def __init__(self, slots: KeysAndValues) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.slots = slots
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Append one position to each row; gives all positions, [N, H, T, D]."""
        return self.slots.append(key_states, value_states)

    def get_seq_length(self) -> int:
        """How many positions are held."""
        return self.slots.length


class TransformersDecoder:
    """The forward method of a model, over a cache of our own."""

    def __init__(
        self, model: Any, layers: list[KeysAndValues], padding: Tensor, prompt_length: int, max_tokens: int
    ) -> None:
        self.model, self.layers = model, layers
        self.cache = {_cache_name(model): Cache(layers=[_Layer(layer) for layer in layers])}
        self.padding: Tensor | None = padding if bool(padding.any()) else None
        self.columns = torch.arange(prompt_length + max_tokens, device=padding.device)

    def step(self, tokens: Tensor) -> Tensor:
        """Append a token to each row."""
        length = self.layers[0].length
        options: dict[str, Any] = self.cache | {"position_ids": self.columns[None, length : length + 1]}
        if self.padding is not None:
            options["position_ids"] = length - self.padding[:, None]
            options["attention_mask"] = (self.columns[: length + 1] >= self.padding[:, None]).long()
        output = self.model(tokens[:, None], use_cache=True, **options)
        logits: Tensor = output.logits[:, -1]
        return logits

    def keep(self, count: int, holes: Tensor, movers: Tensor) -> None:
        """Drop rows."""
        for layer in self.layers:
            layer.keep(count, holes, movers)
        if self.padding is not None:
            self.padding = move(self.padding, holes, movers)[:count]
