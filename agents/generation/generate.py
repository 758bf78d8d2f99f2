"""Sampling from a causal language model: cached, batched, and exact about what it sampled from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel

from agents.generation.decoding import Decoder, move, open_decoder

Allowed = Tensor | Callable[[Tensor, Tensor], Tensor]
"""Which tokens may come next: bool [V], or a function of the indices of the rows [N] and of what they have sampled so
far [N, T], which gives bool [N, V]. At least one token of a row must be allowed."""
Finished = Callable[[int, list[int]], object]
"""Called with the index of a prompt and its completion, the end-of-sequence token included, as soon as it is there."""


@dataclass(frozen=True)
class Completions:
    """What a policy sampled, one row for each prompt, in their order; B rows of up to L tokens."""

    tokens: Tensor
    """[B, L] int64; 0 where ``mask`` is False."""
    mask: Tensor
    """[B, L] bool: True where the policy chose the token, the end-of-sequence token included."""
    log_probs: Tensor
    """[B, L] float32: of the chosen token under the distribution that it was sampled from; 0 outside ``mask``."""
    lengths: Tensor
    """[B] int64: chosen tokens of a row."""
    ended_by_eos: Tensor
    """[B] bool: False where the budget ended the row."""

    def row(self, index: int) -> list[int]:
        """Give the tokens of one completion, the end-of-sequence token included."""
        return self.tokens[index, : int(self.lengths[index])].tolist()


@dataclass(frozen=True)
class Sampling:
    """How tokens are chosen."""

    max_tokens: int = 128
    """Token budget of a completion, the end-of-sequence token included."""
    temperature: float = 1.0
    """The logits are divided by it, and the recorded log-probabilities are those of the divided ones."""
    greedy: bool = False
    """Take the most likely token; the log-probability recorded is still that of the distribution at ``temperature``."""

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise ValueError(f"max_tokens must be at least 1, got {self.max_tokens}")
        if not self.temperature > 0:
            raise ValueError(f"temperature must be above 0, got {self.temperature}; greedy=True is its limit at 0")


def generate(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    eos_token_id: int,
    sampling: Sampling = Sampling(),  # noqa: B008 - a frozen record
    *,
    generator: torch.Generator | None = None,
    allowed: Allowed | None = None,
    on_finished: Finished | None = None,
) -> Completions:
    """Complete every prompt.

    A row leaves the batch when it ends, so a batch costs what its tokens cost and not what its longest row does.
    Equal prompts are read once. The random numbers of a row are its own: they depend on ``generator`` and on the place
    of the prompt, not on when other rows end. Dropout is off, whatever mode the model is in.

    Args:
        model: a causal model of ``transformers`` with a key-value cache, LoRA or not.
        prompts: token ids, at least one each; lengths may differ.
        eos_token_id: ends a row.
        sampling: how tokens are chosen.
        generator: source of the random numbers, on the CPU or on the model's device; None needs ``greedy``.
        allowed: which tokens may come next; the others have probability 0, and the recorded ones are of what is left.
        on_finished: called as soon as a row has ended, so that judging it need not wait for the others.

    Raises:
        ValueError: no generator though it samples, an empty prompt, or more tokens than the model has positions.
    """
    if generator is None and not sampling.greedy:
        raise ValueError("sampling needs a generator, such as torch.Generator().manual_seed(0)")
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
    """Alternate between choosing a token for each row and asking the model for the next logits."""
    # To ask which rows have ended makes the host wait for a GPU, so there it is done now and then.
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
    """What is known of the completions; the N live rows are packed, the last one takes the place of one that ended."""

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
        """Whether the budget is spent."""
        return self.step == self.sampling.max_tokens

    @property
    def is_whole(self) -> bool:
        """Whether no row has left: they are in the order of the prompts."""
        return len(self.rows) == self.tokens.shape[1]

    def choose(self, logits: Tensor) -> Tensor:
        """Choose the next token of every live row, [N], given its logits, [N, V]."""
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
        """Take out the rows that have ended: their prompts, the places that got free, and those that move there."""
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
        """Give the completion of one prompt."""
        tokens: list[int] = self.tokens[: self.step, index].tolist()
        return tokens[: tokens.index(self.eos_token_id) + 1] if self.eos_token_id in tokens else tokens

    def completions(self) -> Completions:
        """Give all completions, without what was sampled after an end."""
        is_eos = self.tokens[: self.step].T.eq(self.eos_token_id)  # [B, L]
        ended_by_eos = is_eos.any(1)
        lengths = torch.where(ended_by_eos, is_eos.int().argmax(1) + 1, self.step)
        longest = int(lengths.max())
        mask = torch.arange(longest, device=lengths.device) < lengths[:, None]  # [B, L]
        tokens = self.tokens[:longest].T.masked_fill(~mask, 0)
        return Completions(tokens, mask, self.log_probs[:longest].T.masked_fill(~mask, 0), lengths, ended_by_eos)


def sample(log_probs: Tensor, randoms: Tensor) -> Tensor:
    """Draw a token of each row of [N, V] by inverting its distribution at a number of [0, 1), float64 [N].

    One random number a row, where the usual races of exponentials need one a token: on a CPU those cost more than the
    layers of a small model. A token of probability 0 is never drawn, since only where the sum grows it passes a number.
    """
    sums = log_probs.exp().cumsum(-1, dtype=torch.float64)  # [N, V]
    return torch.searchsorted(sums, (randoms * sums[:, -1])[:, None], right=True)[:, 0]


def _check_lengths(model: PreTrainedModel, prompts: Sequence[Sequence[int]], max_tokens: int) -> None:
    lengths = [len(prompt) for prompt in prompts]
    if not lengths or min(lengths) == 0:
        raise ValueError("every prompt needs at least one token, and there must be one prompt: nothing to go on from")
    limit = getattr(model.config, "max_position_embeddings", None)
    if limit is not None and max(lengths) + max_tokens > limit:
        raise ValueError(
            f"a prompt of {max(lengths)} tokens and a budget of {max_tokens} go beyond the {limit} positions of the "
            "model: shorten the prompts or lower max_tokens"
        )
