"""Policies: a causal language model with the tokenizer that it writes programs with."""

from __future__ import annotations

import importlib
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

from agents.generation.generate import Completions, Finished, Sampling, generate, sample
from agents.seeding import seeded_weights
from codegym.cli import check_policy
from codegym.tokenizers import Tokenizer, TransformersTokenizer, load_tokenizer, save_tokenizer

_ADAPTER_FILE = "adapter_config.json"


@dataclass(frozen=True)
class TinyConfig:
    """Size of a policy from scratch: a Llama with about 125,000 parameters for a vocabulary of 150 tokens."""

    num_layers: int = 2
    width: int = 64
    num_heads: int = 4
    num_kv_heads: int = 1
    """All heads share one set of keys and values: generation is bound by reading them."""
    mlp_width: int = 224
    max_positions: int = 512
    """Of prompt and completion."""


@dataclass(frozen=True)
class LoraConfig:
    """Small trainable matrices beside the weights of a large model, which stay as they are (extra ``peft``)."""

    rank: int = 16
    alpha: float = 32.0
    target_modules: str | tuple[str, ...] = "all-linear"


@contextmanager
def _no_bars() -> Iterator[None]:
    """Loading and saving are quick here: the bars of ``transformers`` would only stand in the log."""
    logging = importlib.import_module("transformers.utils.logging")
    were_on = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if were_on:
            logging.enable_progress_bar()


def make_policy(vocab_size: int, config: TinyConfig = TinyConfig(), seed: int = 0) -> PreTrainedModel:  # noqa: B008
    """Make a causal model with random weights; the same seed gives the same weights."""
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
    """Load a causal model from a folder or from the Hub, in float32, with trainable LoRA matrices where wanted.

    A folder with a LoRA adapter gives its base model with the adapter, trainable.

    Raises:
        ImportError: LoRA is wanted and ``peft`` is not installed.
        ValueError: ``lora`` is given for a folder that has an adapter already.
    """
    name = os.path.expanduser(os.fspath(source))
    check_policy(name)
    if os.path.isdir(name):
        name = os.path.abspath(name)  # an adapter names its base, and is loaded from other places too
    if (Path(name) / _ADAPTER_FILE).is_file():
        if lora is not None:
            raise ValueError(f"{name} has a LoRA adapter already: leave lora out to go on with it")
        loader = _peft().AutoPeftModelForCausalLM
        return _ready(loader.from_pretrained(name, is_trainable=True, dtype=torch.float32))
    model = _ready(AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32))
    return model if lora is None else with_lora(model, lora)


def with_lora(model: PreTrainedModel, lora: LoraConfig) -> PreTrainedModel:
    """Put trainable matrices beside the weights of a model, which stay as they are."""
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
    """A model with dropout off, which it is always in here: sampled and scored log-probabilities must be the same."""
    ready: PreTrainedModel = model.eval()
    return ready


def _peft() -> Any:
    try:
        return importlib.import_module("peft")
    except ImportError as error:
        raise ImportError("LoRA needs the package peft: pip install 'codegym[agents]' or pip install peft") from error


class Policy:
    """A causal model with its tokenizer, saved in one folder, asked for tokens as in Stable-Baselines3.

        policy = Policy.load("runs/start")
        action, _ = policy.predict(observation)          # of codegym/Token-v0, one or a batch
        completions = policy.complete([task.prompt], Sampling(max_tokens=96), torch.Generator().manual_seed(0))

    Args:
        model: a causal model of ``transformers``; its output layer may be wider than the vocabulary.
        tokenizer: what ``codegym.tokenizers.load_tokenizer`` takes.
        seed: of the tokens that ``predict`` samples.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: object = "bytes", seed: int = 0) -> None:
        self.model = model
        self.tokenizer: Tokenizer = load_tokenizer(tokenizer)
        self.generator = torch.Generator().manual_seed(seed)
        self.allowed = _writable(self.tokenizer, int(model.config.vocab_size))

    @classmethod
    def load(cls, source: str | os.PathLike[str], lora: LoraConfig | None = None, seed: int = 0) -> Policy:
        """Load what ``save`` wrote, or any causal model with a fast tokenizer, from a folder or the Hub."""
        return cls(load_policy(source, lora), load_tokenizer(source), seed)

    @_no_bars()
    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write the model and its tokenizer into a folder; of a LoRA policy the adapter and the name of its base."""
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
        """Complete prompts; tokens that are no text, other than the end of the program, are never chosen."""
        allowed = None if bool(self.allowed.all()) else self.allowed
        ids = [self.tokenizer.encode(prompt) for prompt in prompts]
        eos = self.tokenizer.eos_token_id
        return generate(self.model, ids, eos, sampling, generator=generator, allowed=allowed, on_finished=on_finished)

    def text(self, tokens: Sequence[int]) -> str:
        """Spell a completion, as the environment does: what is not UTF-8 becomes U+FFFD."""
        return b"".join([self.tokenizer.token_bytes[token] for token in tokens]).decode("utf-8", "replace")

    def predict(
        self,
        observation: Mapping[str, NDArray[Any]],
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = False,
    ) -> tuple[Any, Any]:
        """Choose the next token for an observation of ``codegym/Token-v0``, or for a batch of them.

        The policy reads the observation anew each time: no state is kept, ``state`` comes back as it was given, and
        whether an episode starts makes no difference. To write many programs, ``complete`` is much faster.

        Returns:
            The token, a whole number for one observation and int64 [N] for a batch, and ``state``.
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


def make_tiny(tokenizer: object, config: TinyConfig = TinyConfig(), seed: int = 0) -> Policy:  # noqa: B008
    """Make a tiny policy from scratch for a tokenizer."""
    loaded = load_tokenizer(tokenizer)
    return Policy(make_policy(loaded.vocab_size, config, seed), loaded, seed)


def _original(tokenizer: Tokenizer) -> Any:
    """The ``transformers`` tokenizer behind one, with its chat template and all; None where it is not the same."""
    if not isinstance(tokenizer, TransformersTokenizer):
        return None
    try:
        original = AutoTokenizer.from_pretrained(tokenizer.name)
        return original if TransformersTokenizer(original) == tokenizer else None
    except (OSError, ValueError):  # it was an object, its folder is gone, or it names no end of a program
        return None


def _writable(tokenizer: Tokenizer, width: int) -> Tensor:
    """Which outputs of a model write text or end the program: bool [width]."""
    pieces = tokenizer.token_bytes[:width]
    allowed = torch.tensor([bool(piece) for piece in pieces] + [False] * (width - len(pieces)))
    allowed[tokenizer.eos_token_id] = True
    return allowed
