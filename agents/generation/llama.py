"""One decoding step of a Llama-type model in a few large operations.

A small model spends most of a step between operations: the module tree of ``transformers`` runs about sixty per layer.
This runs the same arithmetic with joined projections, into which the weights of the norms are folded.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import LlamaForCausalLM

from agents.generation.kv_cache import KeysAndValues, move

_SMALL = 10_000_000
"""Largest number of parameters for which the joined weights are made, a second copy for every call of ``generate``."""


def has_plain_form(model: LlamaForCausalLM) -> bool:
    """Return whether ``LlamaDecoder`` can run ``model``: small, no biases, no adapters, standard rotary positions."""
    config = model.config
    return (
        type(model) is LlamaForCausalLM
        and model.num_parameters() <= _SMALL
        and config.hidden_act == "silu"
        and model.model.rotary_emb.rope_type == "default"
        and not any(type(module) is nn.Linear and module.bias is not None for module in model.modules())
        and all(
            type(getattr(layer.self_attn, f"{name}_proj")) is nn.Linear
            for layer in model.model.layers
            for name in "qkvo"
        )
        and all(
            type(getattr(layer.mlp, f"{name}_proj")) is nn.Linear
            for layer in model.model.layers
            for name in ("gate", "up", "down")
        )
        and type(model.lm_head) is nn.Linear
        and model.dtype == torch.float32
    )


class _Weights(NamedTuple):
    """Weights of one layer, transposed for ``x @ w``."""

    qkv: Tensor  # [E, (H + 2 K) D]
    out: Tensor  # [H D, E]
    gate_up: Tensor  # [E, 2 F]
    down: Tensor  # [F, E]


def _weights(layer: Any, width: int) -> _Weights:
    """Join projections, with norm weights, the root of the width and the scale of attention multiplied into them."""
    attention, mlp = layer.self_attn, layer.mlp
    queries = attention.q_proj.weight * attention.head_dim**-0.5
    qkv = torch.cat([queries, attention.k_proj.weight, attention.v_proj.weight])
    gate_up = torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight])
    return _Weights(
        (qkv * layer.input_layernorm.weight * width**0.5).T,
        attention.o_proj.weight.T,
        (gate_up * layer.post_attention_layernorm.weight * width**0.5).T,
        mlp.down_proj.weight.T,
    )


class LlamaDecoder:
    """A Llama-type model with its cache.

    Args:
        model: Model for which ``has_plain_form`` holds.
        layers: Keys and values of each layer.
        padding: Number of padding tokens of each row, [N].
        prompt_length: Length of the longest prompt.
        max_tokens: Token budget of a completion.
    """

    def __init__(
        self, model: LlamaForCausalLM, layers: list[KeysAndValues], padding: Tensor, prompt_length: int, max_tokens: int
    ) -> None:
        config = model.config
        self.layers, self.weights = layers, [_weights(layer, config.hidden_size) for layer in model.model.layers]
        self.embedding = model.model.embed_tokens.weight
        self.head = (model.lm_head.weight * model.model.norm.weight * config.hidden_size**0.5).T
        self.least = torch.tensor((config.rms_norm_eps * config.hidden_size) ** 0.5, device=padding.device)
        self.heads = int(config.num_attention_heads)
        self.kv_heads = int(config.num_key_value_heads or self.heads)
        self.head_dim = model.model.layers[0].self_attn.head_dim
        positions = torch.arange(prompt_length + max_tokens, device=padding.device)
        cos, sin = model.model.rotary_emb(self.embedding, positions[None])
        self.cos, self.sin = cos[0], sin[0]  # [P + L, D]
        self.padding: Tensor | None = None  # [N]
        self.bias = torch.empty(0)  # [N, 1, 1, P]: padding is not attended to
        if bool(padding.any()):
            hidden = positions[:prompt_length] < padding[:, None]
            self.padding = padding
            self.bias = torch.zeros(hidden.shape, device=padding.device).masked_fill(hidden, -torch.inf)[:, None, None]

    def step(self, tokens: Tensor) -> Tensor:
        """Append one of ``tokens``, [N], to each row and return the next logits, [N, V]."""
        hidden = functional.embedding(tokens, self.embedding)  # [N, E]
        position = self.layers[0].length if self.padding is None else (self.layers[0].length - self.padding)[:, None]
        rotation = self.cos[position], self.sin[position]  # [D] or [N, 1, D]
        for weights, layer in zip(self.weights, self.layers, strict=True):
            mixed = self._attend(self._norm(hidden) @ weights.qkv, rotation, layer)
            hidden = torch.addmm(hidden, mixed, weights.out)
            gate, up = (self._norm(hidden) @ weights.gate_up).chunk(2, -1)
            hidden = torch.addmm(hidden, functional.silu(gate, inplace=True).mul_(up), weights.down)
        logits: Tensor = self._norm(hidden) @ self.head
        return logits

    def _norm(self, hidden: Tensor) -> Tensor:
        """RMS norm without its factors: sqrt(sum of squares + width * eps) is the hypotenuse of two lengths."""
        length = torch.linalg.vector_norm(hidden, dim=-1, keepdim=True)
        return hidden / torch.hypot(length, self.least)

    def _attend(self, projected: Tensor, rotation: tuple[Tensor, Tensor], layer: KeysAndValues) -> Tensor:
        """Return the attention of one new position to all positions so far, [N, H D]."""
        count, heads, kv_heads = len(projected), self.heads, self.kv_heads
        parts = projected.view(count, heads + 2 * kv_heads, self.head_dim)
        turned = rotate(parts[:, : heads + kv_heads], *rotation)
        keys, values = layer.append(turned[:, heads:, None], parts[:, heads + kv_heads :, None])  # [N, K, T, D]
        queries = turned[:, :heads].reshape(count, kv_heads, heads // kv_heads, self.head_dim)
        scores = queries @ keys.transpose(-1, -2)  # [N, K, H / K, T]
        if self.padding is not None:
            scores[..., : self.bias.shape[-1]] += self.bias
        mixed: Tensor = scores.softmax(-1) @ values
        return mixed.view(count, -1)

    def keep(self, count: int, holes: Tensor, movers: Tensor) -> None:
        """Keep ``count`` rows, after those at ``movers`` have moved to ``holes``."""
        for layer in self.layers:
            layer.keep(count, holes, movers)
        if self.padding is not None:
            self.padding = move(self.padding, holes, movers)[:count]
            self.bias = move(self.bias, holes, movers)[:count]


def rotate(parts: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Return queries and keys rotated to their position (rotary embedding), [N, H, D].

    Args:
        parts: Queries and keys, [N, H, D].
        cos: Cosines of the position, [D] or [N, 1, D].
        sin: Sines of the position, [D] or [N, 1, D].
    """
    left, right = parts.chunk(2, -1)
    return parts * cos + torch.cat((-right, left), -1) * sin
