"""Samplers complete prefixes of programs with a policy.

``TransformersSampler``, ``load_causal`` and the checkpoints need PyTorch; they are imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from codegym.plugins import lazy_exports
from codegym.sampling.base import Completion, LabelingCost, PrefixRequest, Sampler, complete, derive_seed
from codegym.sampling.batching import batch_by_tokens, bucket_by_length, pack_by_length

if TYPE_CHECKING:
    from codegym.sampling.checkpoint import load_checkpoint, save_checkpoint
    from codegym.sampling.hf import TransformersSampler
    from codegym.sampling.loading import load_causal

__all__ = [
    "Completion",
    "LabelingCost",
    "PrefixRequest",
    "Sampler",
    "TransformersSampler",
    "batch_by_tokens",
    "bucket_by_length",
    "complete",
    "derive_seed",
    "load_causal",
    "load_checkpoint",
    "pack_by_length",
    "save_checkpoint",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    __all__,
    {
        "TransformersSampler": "codegym.sampling.hf:TransformersSampler",
        "load_causal": "codegym.sampling.loading:load_causal",
        "load_checkpoint": "codegym.sampling.checkpoint:load_checkpoint",
        "save_checkpoint": "codegym.sampling.checkpoint:save_checkpoint",
    },
)
