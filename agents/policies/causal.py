"""Policies: a causal language model with the tokenizer that it writes programs with."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedModel
from transformers.pytorch_utils import Conv1D
from transformers.utils import logging

from agents.generation.generate import Completions, Finished, Sampling, generate, sample
from agents.seeding import seeded_weights
from codegym.tokenizers import Tokenizer, TransformersTokenizer, load_tokenizer, resolve_model, save_tokenizer

_ADAPTER_FILE = "adapter_config.json"


@dataclass(frozen=True)
class TinyConfig:
    """Size of a policy from scratch: a Llama with about 125,000 parameters for a vocabulary of 150 tokens."""

    num_layers: int = 2
    """Number of transformer layers."""
    width: int = 64
    """Size of the hidden states."""
    num_heads: int = 4
    """Number of attention heads."""
    num_kv_heads: int = 1
    """Number of heads of keys and values. All share one: generation is bound by reading them."""
    mlp_width: int = 224
    """Size of the hidden layer of each MLP."""
    max_positions: int = 512
    """Largest number of tokens of prompt and completion."""


@dataclass(frozen=True)
class LoraConfig:
    """LoRA: small trainable matrices beside the frozen weights of a large model (extra ``agents``)."""

    rank: int = 16
    """Rank of the matrices."""
    alpha: float = 32.0
    """Scale of the matrices, divided by the rank."""
    target_modules: str | tuple[str, ...] = "all-linear"
    """Names of the modules that get matrices."""


@contextmanager
def _no_bars() -> Iterator[None]:
    """Hide the progress bars of ``transformers``: loading and saving are quick here."""
    were_on = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if were_on:
            logging.enable_progress_bar()


def make_policy(vocab_size: int, config: TinyConfig = TinyConfig(), seed: int = 0) -> PreTrainedModel:
    """Make a causal model with random weights.

    Args:
        vocab_size: Number of tokens.
        config: Size of the model.
        seed: Seed of the weights.
    """
    llama = LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=config.width,
        intermediate_size=config.mlp_width,
        num_hidden_layers=config.num_layers,
        num_attention_heads=config.num_heads,
        num_key_value_heads=config.num_kv_heads,
        max_position_embeddings=config.max_positions,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=None,
    )
    with seeded_weights(seed):
        return _ready(LlamaForCausalLM(llama))


@_no_bars()
def load_policy(source: str | os.PathLike[str], lora: LoraConfig | None = None) -> PreTrainedModel:
    """Load a causal model in float32, with trainable LoRA matrices if ``lora`` is set.

    For a folder with a LoRA adapter the base model is loaded with the adapter, trainable.

    Args:
        source: Folder, or id on the Hub.
        lora: LoRA settings. None: train all weights.

    Raises:
        ImportError: LoRA is needed and ``peft`` is not installed.
        ValueError: There is no such folder, or ``lora`` is set for a folder that has an adapter already.
    """
    name = resolve_model(source, "policy")
    if os.path.isdir(name):
        name = os.path.abspath(name)  # an adapter names its base, and is loaded from other places too
    if (Path(name) / _ADAPTER_FILE).is_file():
        if lora is not None:
            raise ValueError(
                f"{name} has a LoRA adapter already: got {lora}; expected lora=None, which trains that adapter"
            )
        loader = _peft().AutoPeftModelForCausalLM
        return _ready(loader.from_pretrained(name, is_trainable=True, dtype=torch.float32))
    model = _ready(AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32))
    return model if lora is None else with_lora(model, lora)


def with_lora(model: PreTrainedModel, lora: LoraConfig) -> PreTrainedModel:
    """Add trainable matrices to a model, whose weights are frozen.

    Args:
        model: Causal model of ``transformers``.
        lora: Settings of the matrices.
    """
    targets = lora.target_modules if isinstance(lora.target_modules, str) else [*lora.target_modules]
    config = _peft().LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=0.0,
        target_modules=targets,
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in model.modules()),  # as GPT-2 has its weights
        task_type="CAUSAL_LM",
    )
    return _ready(_peft().get_peft_model(model, config))


def _ready(model: Any) -> PreTrainedModel:
    """Return the model with dropout off, so that sampled and scored log-probabilities are the same."""
    ready: PreTrainedModel = model.eval()
    return ready


def _peft() -> Any:
    try:
        import peft
    except ImportError as error:
        raise ImportError("LoRA needs the package peft: pip install 'codegym[agents]'") from error
    return peft


class Policy:
    """A causal model with its tokenizer, saved in one folder; ``predict`` is that of Stable-Baselines3.

        policy = Policy.load("runs/start")
        action, _ = policy.predict(observation)          # of codegym/Token-v0, one or a batch
        completions = policy.complete([task.prompt], Sampling(max_tokens=96), torch.Generator().manual_seed(0))

    Args:
        model: Causal model of ``transformers``; its output layer may be wider than the vocabulary.
        tokenizer: Tokenizer, or anything that ``codegym.tokenizers.load_tokenizer`` takes.
        seed: Seed of the tokens that ``predict`` samples.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: object = "bytes", seed: int = 0) -> None:
        self.model = model
        self.tokenizer: Tokenizer = load_tokenizer(tokenizer)
        self.generator = torch.Generator().manual_seed(seed)
        self.allowed = _writable(self.tokenizer, int(model.config.vocab_size))

    @classmethod
    def load(cls, source: str | os.PathLike[str], lora: LoraConfig | None = None, seed: int = 0) -> Policy:
        """Load a policy that ``save`` wrote, or any causal model with a fast tokenizer.

        Args:
            source: Folder, or id on the Hub.
            lora: LoRA settings. None: train all weights.
            seed: Seed of the tokens that ``predict`` samples.
        """
        return cls(load_policy(source, lora), load_tokenizer(source), seed)

    @_no_bars()
    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write the model and its tokenizer into ``folder``; of a LoRA policy only the adapter and its base's name."""
        path = Path(folder)
        self.model.save_pretrained(path)
        original = _original(self.tokenizer)
        if original is None:
            save_tokenizer(self.tokenizer, path)
        else:
            original.save_pretrained(path)
        return path

    def complete(
        self,
        prompts: Sequence[str],
        sampling: Sampling,
        generator: torch.Generator | None = None,
        on_finished: Finished | None = None,
    ) -> Completions:
        """Complete prompts. Tokens without text, other than the end of the program, are never chosen.

        Args:
            prompts: Prompts as text.
            sampling: Settings of the sampling.
            generator: Source of the random numbers; None needs greedy sampling.
            on_finished: Function that is called as soon as a completion has ended.
        """
        allowed = None if bool(self.allowed.all()) else self.allowed
        ids = [self.tokenizer.encode(prompt) for prompt in prompts]
        eos = self.tokenizer.eos_token_id
        return generate(self.model, ids, eos, sampling, generator=generator, allowed=allowed, on_finished=on_finished)

    def text(self, tokens: Sequence[int]) -> str:
        """Return ``tokens`` as text, as the environment does: bytes that are not UTF-8 become U+FFFD."""
        return b"".join([self.tokenizer.token_bytes[token] for token in tokens]).decode("utf-8", "replace")

    def predict(
        self,
        observation: Mapping[str, NDArray[Any]],
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = False,
    ) -> tuple[Any, Any]:
        """Choose the next token for an observation of ``codegym/Token-v0``, or for a batch of them.

        The policy reads the whole observation each time and keeps no state. To write many programs, ``complete`` is
        much faster.

        Args:
            observation: Observation, or a batch of N of them.
            state: Ignored and returned; an argument of Stable-Baselines3's ``predict``.
            episode_start: Ignored; an argument of Stable-Baselines3's ``predict``.
            deterministic: Take the most likely token instead of sampling.

        Returns:
            The token, an int for one observation and int64 [N] for a batch, and ``state``.
        """
        tokens = torch.from_numpy(np.atleast_2d(observation["tokens"])).long()  # [N, P + L]
        lengths = torch.from_numpy(np.array(observation["length"], np.int64).reshape(-1))  # [N]
        with torch.inference_mode():
            logits = self.model(tokens[:, : int(lengths.max())].to(self.model.device)).logits.float().cpu()
            last = logits[torch.arange(len(lengths)), lengths - 1].masked_fill(~self.allowed, -torch.inf)  # [N, V]
            chosen = last.argmax(-1) if deterministic else self._sample(last)
        actions = chosen.numpy()
        return (actions if np.ndim(observation["tokens"]) == 2 else int(actions[0])), state

    def _sample(self, logits: Tensor) -> Tensor:
        randoms = torch.rand(len(logits), generator=self.generator, dtype=torch.float64)
        return sample(logits.log_softmax(-1), randoms)


def make_tiny(tokenizer: object, config: TinyConfig = TinyConfig(), seed: int = 0) -> Policy:
    """Make a tiny policy from scratch.

    Args:
        tokenizer: Tokenizer, or anything that ``codegym.tokenizers.load_tokenizer`` takes.
        config: Size of the model.
        seed: Seed of the weights.
    """
    loaded = load_tokenizer(tokenizer)
    return Policy(make_policy(loaded.vocab_size, config, seed), loaded, seed)


def _original(tokenizer: Tokenizer) -> Any:
    """Return the ``transformers`` tokenizer that ``tokenizer`` wraps, or None if loading it again gives another one."""
    if not isinstance(tokenizer, TransformersTokenizer):
        return None
    try:
        original = AutoTokenizer.from_pretrained(tokenizer.name)
        return original if TransformersTokenizer(original) == tokenizer else None
    except (OSError, ValueError):  # it was made from an object, its folder is gone, or it has no end-of-sequence token
        return None


def _writable(tokenizer: Tokenizer, width: int) -> Tensor:
    """Return a mask of the outputs of a model that write text or end the program, bool [width]."""
    pieces = tokenizer.token_bytes[:width]
    allowed = torch.tensor([bool(piece) for piece in pieces] + [False] * (width - len(pieces)))
    allowed[tokenizer.eos_token_id] = True
    return allowed
