"""Batches of programs for maximum likelihood."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel

from agents.policies.causal import Policy
from codegym.sampling import bucket_by_length


class Example(NamedTuple):
    """A prompt with a program to learn."""

    tokens: list[int]
    """Prompt, completion and end-of-sequence token."""
    prompt_length: int
    """Number of tokens of the prompt."""


def to_example(policy: Policy, prompt: str, program: str) -> Example:
    """Tokenize a prompt and a program separately, as a policy sees them.

    Args:
        policy: Policy whose tokenizer is used.
        prompt: Prompt of the task.
        program: Completion to learn.
    """
    tokenizer = policy.tokenizer
    start = tokenizer.encode(prompt)
    return Example([*start, *tokenizer.encode(program), tokenizer.eos_token_id], len(start))


def completion_loss(model: PreTrainedModel, examples: Sequence[Example]) -> Tensor:
    """Return the mean cross-entropy of the tokens of the completions, end-of-sequence tokens included.

    Args:
        model: Causal model to train.
        examples: Prompts with programs.
    """
    longest = max(len(example.tokens) for example in examples)
    tokens = torch.tensor([example.tokens + [0] * (longest - len(example.tokens)) for example in examples])  # [B, T]
    places = torch.arange(longest)
    starts = torch.tensor([example.prompt_length for example in examples])[:, None]
    ends = torch.tensor([len(example.tokens) for example in examples])[:, None]
    targets = tokens.masked_fill((places < starts) | (places >= ends), -100).to(model.device)
    # Padding on the right does not change what a causal model predicts before it, so there is no attention mask.
    logits = model(tokens[:, :-1].to(model.device)).logits.float()  # [B, T - 1, V]
    return functional.cross_entropy(logits.flatten(0, 1), targets[:, 1:].flatten())


def batches(examples: Sequence[Example], batch_size: int, generator: torch.Generator) -> Iterator[list[Example]]:
    """Yield all examples in batches of similar length, in random order.

    Args:
        examples: Examples of any length.
        batch_size: Examples per batch.
        generator: Random numbers for the order.
    """
    order = torch.randperm(len(examples), generator=generator).tolist()
    found = bucket_by_length(order, [len(example.tokens) for example in examples], batch_size, pool_size=16)
    for place in torch.randperm(len(found), generator=generator).tolist():
        yield [examples[index] for index in found[place]]
