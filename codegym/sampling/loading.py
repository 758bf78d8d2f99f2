"""Policies on disk or on the Hub, as samplers and process reward models take them."""

from __future__ import annotations

import importlib
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from transformers import AutoModelForCausalLM, PreTrainedModel

_ADAPTER = "adapter_config.json"


def load_causal(source: str | os.PathLike[str]) -> PreTrainedModel:
    """Load a causal model; that of a folder with a LoRA adapter is its base with the adapter merged into the weights.

    Raises:
        ImportError: it is an adapter, and ``peft`` is not installed.
    """
    name = os.path.expanduser(os.fspath(source))
    loader: Any = AutoModelForCausalLM
    if not (Path(name) / _ADAPTER).is_file():
        model: PreTrainedModel = loader.from_pretrained(name)
        return model
    if find_spec("peft") is None:
        raise ImportError(f"{name} is a LoRA adapter, which needs the package peft: pip install peft")
    loader = importlib.import_module("peft").AutoPeftModelForCausalLM
    merged: PreTrainedModel = loader.from_pretrained(name).merge_and_unload()
    return merged
