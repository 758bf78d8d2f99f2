"""Tokens per second of our generation and of ``model.generate``, for the same model, prompts and lengths."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor
from transformers import LogitsProcessor, LogitsProcessorList, PreTrainedModel

from agents.generation import decoding
from agents.generation.generate import Completions, Sampling, generate
from benchmarks.speed.training.settings import Model

EOS = 1
LENGTHS = ("equal", "mixed")
"""Lengths of completions: all equal, or from a quarter to the whole, as programs of 1 to 8 operations have."""


@dataclass(frozen=True)
class GenerationRow:
    """One row of the table."""

    model: Model
    batch_size: int
    lengths: str

    def __str__(self) -> str:
        return f"{self.model.name}, batch {self.batch_size}, {self.lengths} lengths"


@dataclass
class GenerationTimes:
    """Measurements of one row; a list has one entry a round."""

    model: str
    num_parameters: int
    batch_size: int
    lengths: str
    num_threads: int
    num_tokens: int
    seconds: dict[str, list[float]] = field(default_factory=dict)
    cpu_seconds: dict[str, list[float]] = field(default_factory=dict)
    error: float = 0.0
    """Largest difference of a recorded log-probability to that of a full forward pass."""
    gflops: list[float] = field(default_factory=list)
    """GFLOP/s of a product of two large matrices, in each round."""


class Ends(LogitsProcessor):
    """Ends every row at its length, with the same arithmetic for both contenders.

    Args:
        lengths: Tokens of each row, [B].
        eos: End-of-sequence token.
    """

    def __init__(self, lengths: Tensor, vocab_size: int, prompt_tokens: int) -> None:
        self.lengths, self.prompt_tokens = lengths, prompt_tokens  # [B]
        self.equal = bool((lengths == lengths[0]).all())  # then the budget ends all rows
        self.table = torch.ones(2, vocab_size, dtype=torch.bool)  # going on, ending
        self.table[0, EOS] = False
        self.table[1] = ~self.table[0]

    def allowed(self, rows: Tensor, written: Tensor) -> Tensor:
        """Return the mask for ``agents.generation.generate.generate``: [N, V], or [V] for all rows."""
        if self.equal:
            return self.table[0]
        return self.table[(self.lengths[rows] == written.shape[1] + 1).long()]

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Return the scores for ``model.generate``."""
        rows = torch.arange(len(input_ids))
        return scores.masked_fill(~self.allowed(rows, input_ids[:, self.prompt_tokens :]), -torch.inf)


def generation_rows(model: Model, batch_sizes: tuple[int, ...]) -> Iterator[GenerationRow]:
    """Yield the rows of a model.

    Args:
        model: Model and its sizes.
        batch_sizes: Batch sizes; empty for the model's own.
    """
    for batch_size in batch_sizes or model.batch_sizes:
        for lengths in LENGTHS:
            yield GenerationRow(model, batch_size, lengths)


def measure_row(row: GenerationRow, num_threads: int, rounds: int) -> GenerationTimes:
    """Run all contenders in every round.

    Args:
        row: Row of the table.
        num_threads: Threads of PyTorch.
        rounds: Number of rounds that count.
    """
    size = row.model
    model = size.make()
    generator = torch.Generator().manual_seed(0)
    vocab_size = model.config.vocab_size
    prompts = torch.randint(2, vocab_size, (row.batch_size, size.prompt_tokens), generator=generator)
    ends = Ends(draw_lengths(row, generator), vocab_size, size.prompt_tokens)
    contenders: dict[str, Callable[[], object]] = {
        "generate": lambda: by_transformers(model, prompts, ends, size.new_tokens),
        "ours": lambda: by_codegym(model, prompts, ends, size.new_tokens),
    }
    if size.name == "tiny":
        contenders["ours, any model"] = lambda: by_general_form(model, prompts, ends, size.new_tokens)
    found = GenerationTimes(size.name, model.num_parameters(), row.batch_size, row.lengths, num_threads, 0)
    found.num_tokens = int(ends.lengths.sum())
    found.error = largest_error(model, prompts, by_codegym(model, prompts, ends, size.new_tokens), ends)
    for number in range(rounds + 1):
        names = [*contenders]
        for name in names[number % len(names) :] + names[: number % len(names)]:
            wall, cpu = clock(contenders[name])
            if number:
                found.seconds.setdefault(name, []).append(wall)
                found.cpu_seconds.setdefault(name, []).append(cpu)
        if number:
            found.gflops.append(matrix_rate())
    return found


def draw_lengths(row: GenerationRow, generator: torch.Generator) -> Tensor:
    """Return the tokens of each completion, its end included, [B].

    Args:
        row: Row of the table.
        generator: Source of randomness.
    """
    longest = row.model.new_tokens
    if row.lengths == "equal":
        return torch.full((row.batch_size,), longest)
    return torch.randint(longest // 4, longest + 1, (row.batch_size,), generator=generator)


def by_transformers(model: PreTrainedModel, prompts: Tensor, ends: Ends, max_tokens: int) -> Tensor:
    """Generate as a user would: sampling from the whole distribution, without other processors."""
    tokens: Tensor = model.generate(  # type: ignore[operator]
        prompts,
        attention_mask=torch.ones_like(prompts),
        do_sample=True,
        top_k=0,
        max_new_tokens=max_tokens,
        eos_token_id=EOS,
        pad_token_id=EOS,
        logits_processor=LogitsProcessorList([ends]),
    )
    return tokens


def by_codegym(model: PreTrainedModel, prompts: Tensor, ends: Ends, max_tokens: int) -> Completions:
    """Generate with our loop."""
    sampling, generator = Sampling(max_tokens=max_tokens), torch.Generator().manual_seed(0)
    return generate(
        model,
        prompts.tolist(),
        EOS,
        sampling,
        generator=generator,
        allowed=ends.table[0] if ends.equal else ends.allowed,
    )


def by_general_form(model: PreTrainedModel, prompts: Tensor, ends: Ends, max_tokens: int) -> Completions:
    """Generate with our loop around the forward method of ``transformers``, which serves every model."""
    short_way, decoding.has_plain_form = decoding.has_plain_form, lambda model: False
    try:
        return by_codegym(model, prompts, ends, max_tokens)
    finally:
        decoding.has_plain_form = short_way


@torch.inference_mode()
def largest_error(model: PreTrainedModel, prompts: Tensor, completions: Completions, ends: Ends) -> float:
    """Return the largest error of recorded log-probabilities over up to 32 rows, by full forward passes."""
    rows = min(32, len(prompts))
    logits = model(torch.cat([prompts[:rows], completions.tokens[:rows]], 1)).logits[:, prompts.shape[1] - 1 : -1]
    places = torch.arange(logits.shape[1])
    ending = (ends.lengths[:rows, None] == places + 1) & (not ends.equal)
    allowed = ends.table[ending.long()]  # [R, L, V]
    expected = logits.masked_fill(~allowed, -torch.inf).log_softmax(-1)
    chosen = expected.gather(-1, completions.tokens[:rows, :, None])[..., 0]
    difference = (chosen - completions.log_probs[:rows]).abs()[completions.mask[:rows]]
    return float(difference.max())


def clock(action: Callable[[], object]) -> tuple[float, float]:
    """Return wall and CPU seconds of a call of ``action``."""
    wall, cpu = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - wall, time.process_time() - cpu


def matrix_rate(size: int = 1024) -> float:
    """Return the GFLOP/s of a product of two square matrices, best of three.

    Args:
        size: Rows and columns.
    """
    left, right = torch.randn(size, size), torch.randn(size, size)
    return 2 * size**3 / min(clock(lambda: left @ right)[0] for _ in range(3)) / 1e9
