"""Programs to learn from by maximum likelihood."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from agents.policies.causal import Policy


class Example(NamedTuple):
    """Tokens to learn from."""

    tokens: list[int]
    """Prompt, completion, end of the program."""
    prompt_length: int


def to_example(policy: Policy, prompt: str, program: str) -> Example:
    """Tokenise a prompt and a program apart, as a policy sees them."""
    tokenizer = policy.tokenizer
    start = tokenizer.encode(prompt)
    return Example([*start, *tokenizer.encode(program), tokenizer.eos_token_id], len(start))


def completion_loss(model: Any, examples: Sequence[Example]) -> Tensor:
    """Cross-entropy of the completions, mean over their tokens, the end of the program included."""
    longest = max(len(example.tokens) for example in examples)
    tokens = torch.tensor([example.tokens + [0] * (longest - len(example.tokens)) for example in examples])  # [B, T]
    places = torch.arange(longest)
    starts = torch.tensor([example.prompt_length for example in examples])[:, None]
    ends = torch.tensor([len(example.tokens) for example in examples])[:, None]
    targets = tokens.masked_fill((places < starts) | (places >= ends), -100).to(model.device)  # not a matter of pad ids
    # On the right of a causal model padding changes nothing, so there is no attention mask.
    logits = model(tokens[:, :-1].to(model.device)).logits.float()  # [B, T - 1, V]
    return functional.cross_entropy(logits.flatten(0, 1), targets[:, 1:].flatten())


def batches(examples: Sequence[Example], batch_size: int, generator: torch.Generator) -> Iterator[list[Example]]:
    """Go through all examples in random order, those of similar length together: less padding."""
    order = torch.randperm(len(examples), generator=generator).tolist()
    pool = 16 * batch_size
    pools = [sorted(order[at : at + pool], key=lambda i: len(examples[i].tokens)) for at in range(0, len(order), pool)]
    found = [part[at : at + batch_size] for part in pools for at in range(0, len(part), batch_size)]
    for place in torch.randperm(len(found), generator=generator).tolist():
        yield [examples[index] for index in found[place]]
