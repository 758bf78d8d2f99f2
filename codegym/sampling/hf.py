"""A sampler for any causal model of ``transformers``: what labels need, and no more.

It uses ``model.generate``, so it works wherever that does; a faster decode loop can take its place, since a sampler is
any callable of the same form.
"""

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
from codegym.sampling.batching import batches
from codegym.sampling.loading import load_causal
from codegym.tasks.record import Task
from codegym.tokenizers import Tokenizer, encode_exactly, load_tokenizer


class _Row(NamedTuple):
    """One completion to be sampled."""

    place: int
    """Index of its request."""
    ids: list[int]
    """What the model reads."""
    healed: bytes
    """What the first token must begin with, since that much of the prefix was left out."""
    budget: int
    seed: tuple[int, int]


class TransformersSampler:
    """Completes prefixes with a causal model.

        sampler = TransformersSampler.load("runs/policy", max_tokens=128)
        labeler = Labeler(sampler, judge)

    Every completion has random numbers of its own, so that it is the same whatever else is in the batch (up to
    rounding). A prefix ends where a line does, but the policy's tokens need not: where other tokens begin with the last
    token of a prefix, such as the newline with an indentation, that token is sampled anew among those.

    Args:
        model: the policy.
        tokenizer: the policy's.
        max_tokens: token budget of a whole program, its prefix and the end-of-sequence token included.
        max_prompt_tokens: of a longer prompt only the last so many are kept, with a warning at the first one.
        temperature: the logits are divided by it.
        greedy: take the likeliest token each time; all completions of a prefix are the same then.
        batch_tokens: tokens in a batch, padding and what is to come included.

    Raises:
        ValueError: the model has too few positions.
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
            raise ValueError(f"temperature and max_tokens must be above 0, got {temperature} and {max_tokens}")
        limit = getattr(model.config, "max_position_embeddings", None)
        if limit is not None and limit <= max_tokens:
            raise ValueError(f"max_tokens={max_tokens} leaves no room for a prompt: the model has {limit} positions")
        self.model, self.tokenizer = model, tokenizer
        model.train(False)
        self.max_tokens, self.batch_tokens = max_tokens, batch_tokens
        self.temperature = None if greedy else temperature
        """None for the likeliest token."""
        self.max_prompt_tokens = min(max_prompt_tokens, (limit or 1 << 30) - max_tokens)
        self._begin_alike: dict[bytes, list[int]] = {}
        self._told_of_cut = False

    @classmethod
    def load(cls, source: str | os.PathLike[str], *, device: str = "cpu", **options: Any) -> TransformersSampler:
        """Load a policy and its tokenizer from a folder or from the Hub; ``options`` are those of the class.

        The folder may hold a LoRA adapter, which names its base model; the tokenizer must lie beside it.

        Raises:
            ImportError: it is an adapter, and ``peft`` is not installed.
        """
        model: Any = load_causal(source)
        return cls(model.to(device), load_tokenizer(source), **options)

    def __call__(self, requests: Sequence[PrefixRequest]) -> list[list[Completion]]:
        """Complete prefixes."""
        rows = [row for place, request in enumerate(requests) for row in self._rows(place, request)]
        found: list[list[Completion]] = [[] for _ in requests]
        done: dict[int, Completion] = {}
        for batch in batches([len(row.ids) + row.budget for row in rows], self.batch_tokens):
            done |= zip(batch, self._generate([rows[number] for number in batch]), strict=True)
        for number, row in enumerate(rows):
            found[row.place].append(done[number])
        return found

    def _rows(self, place: int, request: PrefixRequest) -> Iterator[_Row]:
        prompt = self._prompt(request.task)
        prefix = encode_exactly(self.tokenizer, request.text)
        healed = self.tokenizer.token_bytes[prefix[-1]] if prefix else b""
        if len(self._tokens_with_prefix(healed)) > 1 and len(prompt) + len(prefix) > 1:
            prefix = prefix[:-1]
        else:
            healed = b""
        ids, budget = [*prompt, *prefix] or [self.tokenizer.eos_token_id], max(1, self.max_tokens - len(prefix))
        for number in range(request.num_completions):
            yield _Row(place, ids, healed, budget, (request.seed, number))

    def _prompt(self, task: Task) -> list[int]:
        """What is read of a prompt."""
        whole = self.tokenizer.encode(task.prompt)
        if len(whole) > self.max_prompt_tokens and not self._told_of_cut:
            self._told_of_cut = True  # a policy that misses the beginning of its task looks like a bad one
            warnings.warn(
                f"the prompt of task {task.task_id!r} has {len(whole)} tokens, of which the last "
                f"{self.max_prompt_tokens} are read, and there may be more such tasks: raise max_prompt_tokens, as far "
                f"as the model's positions allow beside max_tokens={self.max_tokens}",
                stacklevel=2,
            )
        return whole[-self.max_prompt_tokens :]

    def _tokens_with_prefix(self, start: bytes) -> list[int]:
        """The tokens that begin like this."""
        if not start:
            return []
        if start not in self._begin_alike:
            pieces = enumerate(self.tokenizer.token_bytes)
            self._begin_alike[start] = [id for id, piece in pieces if piece.startswith(start)]
        return self._begin_alike[start]

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
            generation_config=GenerationConfig(**options),  # type: ignore[no-untyped-call]
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
        """Read what a row wrote, up to its end or to its budget."""
        eos = self.tokenizer.eos_token_id
        ids = ids[: row.budget]
        written = ids[: ids.index(eos)] if eos in ids else ids
        data = b"".join(self.tokenizer.token_bytes[id] for id in written)[len(row.healed) :]
        return Completion(data.decode("utf-8", errors="replace"), min(len(written) + 1, row.budget))


class _Choice(LogitsProcessor):
    """Leaves one token a row, drawn by inverting its distribution at the row's own random number.

    So a greedy ``generate`` samples, with random numbers that belong to the rows and not to the batch.
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
        self.writes = writes  # [V]: tokens that are text, or the end
        self.randoms = randoms  # [B, L]
        self.first = first  # [B, V]: what may come first
        self.budgets = budgets  # [B]

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Give scores, [B, V'], in which only the token that was drawn is possible."""
        step, size = input_ids.shape[1] - self.start, self.first.shape[1]
        logits = scores[:, :size].float()  # the output layer may be wider than the tokenizer
        logits = logits.masked_fill(~(self.first if step == 0 else self.writes), -torch.inf)
        drawn = self._draw(logits, self.randoms[:, step])
        drawn = drawn.masked_fill((step >= self.budgets)[:, None], self.eos)
        return torch.full_like(scores, -torch.inf).scatter(1, drawn, 0.0)

    def _draw(self, logits: Tensor, randoms: Tensor) -> Tensor:
        """A token a row, [B, 1], given logits [B, V] and a random number each, [B]."""
        if self.temperature is None:
            return logits.argmax(-1, keepdim=True)
        sums = (logits / self.temperature).softmax(-1).cumsum(-1, dtype=torch.float64)
        return torch.searchsorted(sums, (randoms * sums[:, -1])[:, None], right=True)
