"""Causal models from a folder or the Hub, as samplers and process reward models take them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from transformers import AutoModelForCausalLM, PreTrainedModel

from codegym.tokenizers import resolve_model

_ADAPTER = "adapter_config.json"


def load_causal(source: str | os.PathLike[str]) -> PreTrainedModel:
    """Load a causal model from a folder or the Hub, with the weights of a LoRA adapter merged into its base model.

    Args:
        source: A folder that ``save_pretrained`` wrote, of a model or of a LoRA adapter, or an id on the Hub.

    Raises:
        ImportError: The folder holds an adapter, and ``peft`` is not installed.
    """
    name = resolve_model(source, "policy")
    if (Path(name) / _ADAPTER).is_file():
        return _load_adapter(name)
    loader: Any = AutoModelForCausalLM
    model: PreTrainedModel = loader.from_pretrained(name)
    return model


def _load_adapter(folder: str) -> PreTrainedModel:
    try:
        from peft import AutoPeftModelForCausalLM
    except ImportError as error:
        raise ImportError(
            f"a LoRA adapter needs the package peft: got {folder!r}. Run pip install 'codegym[agents]'"
        ) from error
    merged: PreTrainedModel = AutoPeftModelForCausalLM.from_pretrained(folder).merge_and_unload()
    return merged
