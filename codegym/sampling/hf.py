"""A sampler for any causal model of ``transformers``, by ``model.generate``."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList, PreTrainedModel

from codegym.sampling.base import Completion, PrefixRequest
from codegym.sampling.batching import batch_by_tokens
from codegym.sampling.loading import load_causal
from codegym.tasks.record import Task
from codegym.tokenizers import Tokenizer, encode_exactly, load_tokenizer


class _Row(NamedTuple):
    """One completion to be sampled."""

    request: int
    """Index of its request."""
    ids: list[int]
    """Input of the model."""
    healed: bytes
    """Bytes that the first token must begin with, because they were cut off the prefix (token healing)."""
    budget: int
    """Largest number of tokens to sample."""
    seed: tuple[int, int]


class TransformersSampler:
    """Sampler that completes prefixes with a causal model.

        sampler = TransformersSampler.load("runs/policy", max_tokens=128)
        labeler = Labeler(sampler, judge)

    Every completion has its own random numbers, so it is the same in every batch, up to rounding. A prefix ends at the
    end of a line, but the policy's tokens need not: if other tokens begin with the last token of a prefix (a newline
    with an indentation, for example), that token is removed and sampled again among those (token healing).

    Args:
        model: The policy, a causal model of ``transformers``.
        tokenizer: The tokenizer of the policy.
        max_tokens: Token budget of a whole program, with its prefix and the end-of-sequence token.
        max_prompt_tokens: Largest number of prompt tokens. A longer prompt keeps its last tokens, with one warning.
        temperature: Sampling temperature, by which the logits are divided.
        greedy: Whether to take the likeliest token. All completions of a prefix are then the same.
        batch_tokens: Largest number of tokens in a batch, with padding and the tokens to be sampled.

    Raises:
        ValueError: ``temperature`` or ``max_tokens`` is not above 0, or the model has too few positions.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: Tokenizer,
        *,
        max_tokens: int = 256,
        max_prompt_tokens: int = 512,
        temperature: float = 1.0,
        greedy: bool = False,
        batch_tokens: int = 1 << 16,
    ) -> None:
        if not temperature > 0 or max_tokens < 1:
            raise ValueError(f"wrong sampling settings: got {temperature=} and {max_tokens=}; expected both above 0")
        limit = getattr(model.config, "max_position_embeddings", None)
        if limit is not None and limit <= max_tokens:
            raise ValueError(
                f"no room for a prompt: got {max_tokens=}; expected less than the model's {limit} positions"
            )
        self.model, self.tokenizer = model, tokenizer
        model.train(False)
        self.max_tokens, self.batch_tokens = max_tokens, batch_tokens
        self.temperature = None if greedy else temperature
        """Sampling temperature, None to take the likeliest token."""
        self.max_prompt_tokens = min(max_prompt_tokens, (limit or 1 << 30) - max_tokens)
        self._prefixed: dict[bytes, list[int]] = {}
        self._has_warned = False

    @classmethod
    def load(cls, source: str | os.PathLike[str], *, device: str = "cpu", **options: Any) -> TransformersSampler:
        """Load a policy and its tokenizer from a folder or from the Hub.

        Args:
            source: A folder that ``save_pretrained`` wrote, or an id on the Hub. A folder with a LoRA adapter names its
                base model and must hold the tokenizer, too.
            device: Device of the model, such as "cpu" or "cuda".
            options: Keyword arguments of the class.

        Raises:
            ImportError: It is an adapter, and ``peft`` is not installed.
        """
        model: Any = load_causal(source)
        return cls(model.to(device), load_tokenizer(source), **options)

    def __call__(self, requests: Sequence[PrefixRequest]) -> list[list[Completion]]:
        """Return the completions of each request."""
        rows = [row for index, request in enumerate(requests) for row in self._rows(index, request)]
        found: list[list[Completion]] = [[] for _ in requests]
        done: dict[int, Completion] = {}
        for batch in batch_by_tokens([len(row.ids) + row.budget for row in rows], self.batch_tokens):
            done |= zip(batch, self._generate([rows[number] for number in batch]), strict=True)
        for number, row in enumerate(rows):
            found[row.request].append(done[number])
        return found

    def _rows(self, index: int, request: PrefixRequest) -> Iterator[_Row]:
        prompt = self._prompt(request.task)
        prefix = encode_exactly(self.tokenizer, request.text)
        healed = self.tokenizer.token_bytes[prefix[-1]] if prefix else b""
        if len(self._tokens_with_prefix(healed)) > 1 and len(prompt) + len(prefix) > 1:
            prefix = prefix[:-1]
        else:
            healed = b""
        ids, budget = [*prompt, *prefix] or [self.tokenizer.eos_token_id], max(1, self.max_tokens - len(prefix))
        for number in range(request.num_completions):
            yield _Row(index, ids, healed, budget, (request.seed, number))

    def _prompt(self, task: Task) -> list[int]:
        """Return the last tokens of a prompt, as many as are read."""
        whole = self.tokenizer.encode(task.prompt)
        if len(whole) > self.max_prompt_tokens and not self._has_warned:
            self._has_warned = True  # a policy that does not see the start of its task looks like a bad one
            warnings.warn(
                f"a prompt is too long: got {len(whole)} tokens of task {task.task_id!r}; expected at most "
                f"max_prompt_tokens={self.max_prompt_tokens}. Only its last tokens are read, and there may be more "
                f"such tasks: raise max_prompt_tokens, if the model has positions beside max_tokens={self.max_tokens}",
                stacklevel=2,
            )
        return whole[-self.max_prompt_tokens :]

    def _tokens_with_prefix(self, start: bytes) -> list[int]:
        """Return the ids of tokens that begin with these bytes."""
        if not start:
            return []
        if start not in self._prefixed:
            pieces = enumerate(self.tokenizer.token_bytes)
            self._prefixed[start] = [id for id, piece in pieces if piece.startswith(start)]
        return self._prefixed[start]

    @torch.inference_mode()
    def _generate(self, rows: Sequence[_Row]) -> Iterator[Completion]:
        longest, eos = max(len(row.ids) for row in rows), self.tokenizer.eos_token_id
        budget = max(row.budget for row in rows)
        device = self.model.device
        tokens = torch.tensor([[eos] * (longest - len(row.ids)) + row.ids for row in rows], device=device)
        columns = torch.arange(longest, device=device)
        padding = torch.tensor([longest - len(row.ids) for row in rows], device=device)
        options = {"max_new_tokens": budget, "do_sample": False, "eos_token_id": eos, "pad_token_id": eos}
        generate: Any = self.model.generate
        output = generate(
            tokens,
            attention_mask=(columns >= padding[:, None]).long(),
            generation_config=GenerationConfig(**options),
            logits_processor=LogitsProcessorList([self._choice(rows, longest, budget, device)]),
        )
        return map(self._completion, rows, output[:, longest:].tolist())

    def _choice(self, rows: Sequence[_Row], start: int, budget: int, device: torch.device) -> _Choice:
        randoms = np.stack([np.random.default_rng(row.seed).random(budget) for row in rows])  # [B, L]
        writes = torch.tensor([bool(piece) for piece in self.tokenizer.token_bytes])  # [V]
        writes[self.tokenizer.eos_token_id] = True
        first = writes.repeat(len(rows), 1)  # [B, V]
        for index, row in enumerate(rows):
            if row.healed:
                first[index] = False
                first[index, self._tokens_with_prefix(row.healed)] = True
        budgets = torch.tensor([row.budget for row in rows], device=device)
        tensors = torch.from_numpy(randoms).to(device), writes.to(device), first.to(device), budgets
        return _Choice(start, self.temperature, self.tokenizer.eos_token_id, *tensors)

    def _completion(self, row: _Row, ids: list[int]) -> Completion:
        """Return the completion of a row, up to its end-of-sequence token or its budget."""
        eos = self.tokenizer.eos_token_id
        ids = ids[: row.budget]
        written = ids[: ids.index(eos)] if eos in ids else ids
        data = b"".join(self.tokenizer.token_bytes[id] for id in written)[len(row.healed) :]
        return Completion(data.decode("utf-8", errors="replace"), min(len(written) + 1, row.budget))


class _Choice(LogitsProcessor):
    """Logits processor that leaves one token in each row, drawn by inverse transform with the row's own random number.

    A greedy ``generate`` samples with it, with random numbers that belong to the rows and not to the batch.
    """

    def __init__(
        self,
        start: int,
        temperature: float | None,
        eos: int,
        randoms: Tensor,
        writes: Tensor,
        first: Tensor,
        budgets: Tensor,
    ) -> None:
        self.start, self.temperature, self.eos = start, temperature, eos
        self.writes = writes  # [V]: tokens that are text, or end-of-sequence
        self.randoms = randoms  # [B, L]
        self.first = first  # [B, V]: tokens that may come first
        self.budgets = budgets  # [B]

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Return scores, [B, V'], in which only the drawn token is possible."""
        step, size = input_ids.shape[1] - self.start, self.first.shape[1]
        logits = scores[:, :size].float()  # the output layer may be wider than the tokenizer
        logits = logits.masked_fill(~(self.first if step == 0 else self.writes), -torch.inf)
        drawn = self._draw(logits, self.randoms[:, step])
        drawn = drawn.masked_fill((step >= self.budgets)[:, None], self.eos)
        return torch.full_like(scores, -torch.inf).scatter(1, drawn, 0.0)

    def _draw(self, logits: Tensor, randoms: Tensor) -> Tensor:
        """Return a token for each row, [B, 1], from logits [B, V] and random numbers [B]."""
        if self.temperature is None:
            return logits.argmax(-1, keepdim=True)
        sums = (logits / self.temperature).softmax(-1).cumsum(-1, dtype=torch.float64)
        return torch.searchsorted(sums, (randoms * sums[:, -1])[:, None], right=True)
