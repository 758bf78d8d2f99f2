"""Sampling from a causal language model: cached, batched, and exact about what it sampled from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel

from agents.generation.decoding import Decoder, move, open_decoder

Allowed = Tensor | Callable[[Tensor, Tensor], Tensor]
"""Mask of the tokens that may come next: bool [V], or a function from indices of rows [N] and their tokens so far
[N, T] to bool [N, V]. At least one token of a row must be allowed."""
Finished = Callable[[int, list[int]], object]
"""Function that is called with the index of a prompt and its completion, end-of-sequence token included, at its end."""


@dataclass(frozen=True)
class Completions:
    """Completions that a policy sampled, one row per prompt, in their order; B rows of up to L tokens."""

    tokens: Tensor
    """Token ids, int64 [B, L]; 0 outside ``mask``."""
    mask: Tensor
    """True at tokens that the policy chose, the end-of-sequence token included, bool [B, L]."""
    log_probs: Tensor
    """Log-probability of each token under the distribution it was sampled from, float32 [B, L]; 0 outside ``mask``."""
    lengths: Tensor
    """Number of chosen tokens of each row, int64 [B]."""
    ended_by_eos: Tensor
    """True if the end-of-sequence token ended the row, False if the budget did, bool [B]."""

    def row(self, index: int) -> list[int]:
        """Return the tokens of completion ``index``, the end-of-sequence token included."""
        return self.tokens[index, : int(self.lengths[index])].tolist()


@dataclass(frozen=True)
class Sampling:
    """Settings of the sampling.

    Raises:
        ValueError: ``max_tokens`` or ``temperature`` is not positive.
    """

    max_tokens: int = 128
    """Token budget of a completion, the end-of-sequence token included."""
    temperature: float = 1.0
    """Divisor of the logits. Recorded log-probabilities are those of the divided logits."""
    greedy: bool = False
    """Take the most likely token. Its recorded log-probability is that of the distribution at ``temperature``."""

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise ValueError(f"max_tokens is too small: got {self.max_tokens}; expected at least 1")
        if not self.temperature > 0:
            raise ValueError(
                f"temperature is not positive: got {self.temperature}; expected a number above 0, or greedy=True"
            )


def generate(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    eos_token_id: int,
    sampling: Sampling = Sampling(),
    *,
    generator: torch.Generator | None = None,
    allowed: Allowed | None = None,
    on_finished: Finished | None = None,
) -> Completions:
    """Complete every prompt.

    A row leaves the batch when it ends, so a batch costs what its tokens cost and not what its longest row does.
    Equal prompts are read once. The random numbers of a row depend on ``generator`` and on the index of the prompt, not
    on when other rows end. Dropout is off, whatever mode the model is in.

    Args:
        model: Causal model of ``transformers`` with a key-value cache, LoRA or not.
        prompts: Token ids, at least one each; lengths may differ.
        eos_token_id: Token that ends a row.
        sampling: Settings of the sampling.
        generator: Source of the random numbers, on the CPU or on the model's device; None needs ``greedy``.
        allowed: Tokens that may come next. Others have probability 0; recorded probabilities are renormalized.
        on_finished: Function that is called as soon as a row has ended, so that it can be judged at once.

    Raises:
        ValueError: The generator is missing, a prompt is empty, or the model has too few positions.
    """
    if generator is None and not sampling.greedy:
        raise ValueError(
            "sampling needs random numbers: got generator=None; expected a generator such as "
            "torch.Generator().manual_seed(0)"
        )
    _check_lengths(model, prompts, sampling.max_tokens)
    was_training = model.training
    model.train(False)
    try:
        with torch.inference_mode():
            decoder, logits = open_decoder(model, prompts, sampling.max_tokens)
            batch = _Batch(len(prompts), eos_token_id, sampling, generator, allowed, logits.device)
            _run(decoder, logits, batch, on_finished)
    finally:
        model.train(was_training)
    return batch.completions()  # outside: tensors made in inference mode could not take part in a loss


def _run(decoder: Decoder, logits: Tensor, batch: _Batch, on_finished: Finished | None) -> None:
    """Alternate between choosing a token for each row and computing the next logits."""
    # Checking which rows have ended makes the host wait for a GPU, so it is done only every few steps there.
    patience = 1 if logits.device.type == "cpu" else 8
    while True:
        tokens = batch.choose(logits)
        if batch.step % patience == 0 or batch.is_full:
            ended, holes, movers = batch.retire()
            if on_finished is not None:
                for index in ended:
                    on_finished(index, batch.row(index))
            if not len(batch.rows):
                return
            if ended:
                tokens = move(tokens, holes, movers)[: len(batch.rows)]
                decoder.keep(len(batch.rows), holes, movers)
        logits = decoder.step(tokens)


class _Batch:
    """State of the completions. The N live rows are packed: the last one replaces one that has ended."""

    def __init__(
        self,
        size: int,
        eos_token_id: int,
        sampling: Sampling,
        generator: torch.Generator | None,
        allowed: Allowed | None,
        device: torch.device,
    ) -> None:
        self.eos_token_id, self.sampling = eos_token_id, sampling
        self.forbidden = ~allowed.to(device) if isinstance(allowed, Tensor) else None  # [V]
        self.allowed = None if isinstance(allowed, Tensor) else allowed
        self.step = 0
        self.rows = torch.arange(size, device=device)  # [N] prompt of each live row
        self.ended = torch.zeros(size, dtype=torch.bool, device=device)  # [N]
        shape = (sampling.max_tokens, size)
        self.tokens = torch.zeros(shape, dtype=torch.int64, device=device)  # [L, B]
        self.log_probs = torch.zeros(shape, device=device)  # [L, B]
        self.randoms = torch.empty(0)
        if generator is not None:
            randoms = torch.rand(shape[::-1], generator=generator, dtype=torch.float64, device=generator.device)
            self.randoms = randoms.T.contiguous().to(device)  # [L, B]

    @property
    def is_full(self) -> bool:
        """True if the token budget is exhausted."""
        return self.step == self.sampling.max_tokens

    @property
    def is_whole(self) -> bool:
        """True if no row has left, so that rows are in the order of the prompts."""
        return len(self.rows) == self.tokens.shape[1]

    def choose(self, logits: Tensor) -> Tensor:
        """Choose the next token of every live row, [N], from its logits, [N, V]."""
        log_probs = self._log_probs(logits.float())
        if self.sampling.greedy:
            tokens = log_probs.argmax(-1)
        else:
            tokens = sample(log_probs, self.randoms[self.step].index_select(0, self.rows))
        chosen = log_probs.gather(1, tokens[:, None])[:, 0]
        self.tokens[self.step].index_copy_(0, self.rows, tokens)
        self.log_probs[self.step].index_copy_(0, self.rows, chosen)
        self.ended |= tokens == self.eos_token_id
        self.step += 1
        return tokens

    def _log_probs(self, logits: Tensor) -> Tensor:
        if self.sampling.temperature != 1:
            logits = logits / self.sampling.temperature
        if self.forbidden is not None:
            logits = logits.masked_fill(self.forbidden, -torch.inf)
        if self.allowed is not None:
            written = self.tokens[: self.step]
            written = (written if self.is_whole else written.index_select(1, self.rows)).T  # [N, T]
            logits = logits.masked_fill(~self.allowed(self.rows, written), -torch.inf)
        return logits.log_softmax(-1)

    def retire(self) -> tuple[list[int], Tensor, Tensor]:
        """Remove the rows that have ended; return their prompts, the free indices, and those that move there."""
        ended = torch.ones_like(self.ended) if self.is_full else self.ended
        if not ended.any():
            return [], self.rows[:0], self.rows[:0]
        prompts = self.rows[ended].tolist()
        remaining = len(self.rows) - len(prompts)
        holes = ended[:remaining].nonzero()[:, 0]
        movers = (~ended[remaining:]).nonzero()[:, 0] + remaining
        self.rows = move(self.rows, holes, movers)[:remaining]
        self.ended = torch.zeros_like(self.rows, dtype=torch.bool)
        return prompts, holes, movers

    def row(self, index: int) -> list[int]:
        """Return the completion of one prompt."""
        tokens: list[int] = self.tokens[: self.step, index].tolist()
        return tokens[: tokens.index(self.eos_token_id) + 1] if self.eos_token_id in tokens else tokens

    def completions(self) -> Completions:
        """Return all completions, without tokens sampled after an end."""
        is_eos = self.tokens[: self.step].T.eq(self.eos_token_id)  # [B, L]
        ended_by_eos = is_eos.any(1)
        lengths = torch.where(ended_by_eos, is_eos.int().argmax(1) + 1, self.step)
        longest = int(lengths.max())
        mask = torch.arange(longest, device=lengths.device) < lengths[:, None]  # [B, L]
        tokens = self.tokens[:longest].T.masked_fill(~mask, 0)
        return Completions(tokens, mask, self.log_probs[:longest].T.masked_fill(~mask, 0), lengths, ended_by_eos)


def sample(log_probs: Tensor, randoms: Tensor) -> Tensor:
    """Draw one token per row, [N], by inverting its cumulative distribution at a random number.

    This needs one random number per row; ``torch.multinomial`` needs one per token, which on a CPU costs more than the
    layers of a small model. A token of probability 0 is never drawn, because the cumulative sum does not grow there.

    Args:
        log_probs: Log-probabilities, [N, V].
        randoms: Random numbers in [0, 1), float64 [N].
    """
    sums = log_probs.exp().cumsum(-1, dtype=torch.float64)  # [N, V]
    return torch.searchsorted(sums, (randoms * sums[:, -1])[:, None], right=True)[:, 0]


def _check_lengths(model: PreTrainedModel, prompts: Sequence[Sequence[int]], max_tokens: int) -> None:
    lengths = [len(prompt) for prompt in prompts]
    if not lengths or min(lengths) == 0:
        raise ValueError(f"empty prompts: got lengths {lengths}; expected at least one prompt of at least one token")
    limit = getattr(model.config, "max_position_embeddings", None)
    if limit is not None and max(lengths) + max_tokens > limit:
        raise ValueError(
            f"the model has too few positions: got a prompt of {max(lengths)} tokens and a budget of {max_tokens}; "
            f"expected at most {limit} together. Shorten the prompts or lower max_tokens"
        )
