"""What a policy wrote in the environments, with what it earned: whole programs, padded to one length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agents.common.losses import KLPlacement, penalize_rewards
from agents.generation.generate import Completions, Sampling, generate
from codegym.envs.batch import StepResult
from codegym.envs.vector import CodeVectorEnv
from codegym.rewards import Reward
from codegym.step import Step, iter_steps

RewardPlacement = Literal["credit", "stream"]
"""Which tokens rewards stand on: those that earned them, or those at which the environment would have paid them."""


@dataclass(frozen=True)
class Rollout:
    """B programs with their prompts, T tokens each, padded on the right."""

    tokens: Tensor
    """[B, T] int64: prompt, completion, zeros."""
    mask: Tensor
    """[B, T] bool: True at tokens that the policy chose, the end-of-sequence token included."""
    log_probs: Tensor
    """[B, T]: of the chosen tokens under the policy that sampled them; 0 outside ``mask``."""
    rewards: Tensor
    """[B, T]: on the tokens that earned them, or where they were paid (``RewardPlacement``)."""
    groups: Tensor
    """[B] int64: programs with the same number answer the same prompt."""
    passed: Tensor
    """[B] bool: every check passed."""
    finished: Tensor
    """[B] bool: ended by the end-of-sequence token, not by the budget."""
    slots: Tensor
    """[B] int64: in which slots of the environments they were written."""
    num_invalid: int = 0
    """Programs that the machine could not judge; they are not among the B."""

    @property
    def scores(self) -> Tensor:
        """Total reward of each program, [B]."""
        return self.rewards.sum(1)

    def select(self, rows: Tensor) -> Rollout:
        """Take some of the programs, by index or mask."""
        kept = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "num_invalid"}
        return Rollout(**{name: value[rows] for name, value in kept.items()}, num_invalid=self.num_invalid)


def collect(
    envs: CodeVectorEnv,
    model: nn.Module,
    sampling: Sampling,
    seeds: Sequence[int],
    generator: torch.Generator,
    *,
    allowed: Tensor | None = None,
    missing_eos_penalty: float = 0.0,
    placement: RewardPlacement = "credit",
) -> Rollout:
    """Write a program in every slot and wait for all verdicts; judging begins as soon as a program has ended.

    Args:
        envs: with as many slots as ``seeds``.
        model: the policy, a causal model of ``transformers``.
        sampling: how tokens are chosen; its budget must be that of the environments.
        seeds: of the slots; equal seeds draw equal tasks and make a group.
        generator: for the tokens.
        allowed: bool [V], tokens that may be chosen; None for all.
        missing_eos_penalty: taken from the last token of a program that its budget ended.
        placement: which tokens rewards stand on.
    """
    observation, _ = envs.reset(seed=list(seeds))
    lengths = observation["prompt_length"][:, 0].tolist()
    prompts = [row[:length].tolist() for row, length in zip(observation["tokens"], lengths, strict=True)]
    eos = envs.batch.tokenizer.eos_token_id
    completions = generate(
        model, prompts, eos, sampling, generator=generator, allowed=allowed, on_finished=envs.append_chunk
    )
    outcomes = envs.finish()
    earned = token_rewards(envs, outcomes, placement)
    return _padded(prompts, completions, outcomes, earned, seeds, missing_eos_penalty)


def token_rewards(
    envs: CodeVectorEnv, outcomes: Sequence[StepResult], placement: RewardPlacement
) -> list[NDArray[np.float64]]:
    """Reward of each token of the completion in every slot, at least [num_tokens] each; all have ended."""
    if placement == "credit":
        return [outcome.info["credit"] for outcome in outcomes]
    return [
        streamed_rewards(envs.batch.reward, ledger.last) for ledger in envs.batch.returns if ledger.last is not None
    ]


def streamed_rewards(reward: Reward, last: Step) -> NDArray[np.float64]:
    """What the environment would have paid at each token of a completion, [num_tokens], had it been written so.

    A causal term is paid where a line closes, what is known only at the end on the last token.
    """
    amounts = np.zeros(last.num_tokens)
    for step in iter_steps(last):
        amounts[step.num_tokens - 1] += sum(reward.stream(step).values())
    return amounts


def _padded(
    prompts: Sequence[Sequence[int]],
    completions: Completions,
    outcomes: Sequence[StepResult],
    earned: Sequence[NDArray[np.float64]],
    seeds: Sequence[int],
    missing_eos_penalty: float,
) -> Rollout:
    """Prompts, completions and what they earned, in rows of one length; without what could not be judged."""
    shape = len(prompts), max(map(len, prompts)) + completions.tokens.shape[1]
    tokens, mask = torch.zeros(shape, dtype=torch.int64), torch.zeros(shape, dtype=torch.bool)
    log_probs, rewards = torch.zeros(shape), torch.zeros(shape)
    for row, prompt in enumerate(prompts):
        start, count = len(prompt), int(completions.lengths[row])
        span = slice(start, start + count)
        tokens[row, :start] = torch.tensor(prompt)
        tokens[row, span] = completions.tokens[row, :count]
        mask[row, span] = True
        log_probs[row, span] = completions.log_probs[row, :count]
        rewards[row, span] = torch.from_numpy(earned[row][:count]).float()
        if not completions.ended_by_eos[row]:
            rewards[row, start + count - 1] -= missing_eos_penalty
    valid = torch.tensor([bool(outcome.info["reward_valid"]) for outcome in outcomes])
    groups = torch.from_numpy(np.unique(np.asarray(seeds), return_inverse=True)[1])
    passed = torch.tensor([bool(outcome.info["is_success"]) for outcome in outcomes])
    ended, slots = completions.ended_by_eos, torch.arange(len(prompts))
    everything = Rollout(tokens, mask, log_probs, rewards, groups, passed, ended, slots, int((~valid).sum()))
    return everything.select(valid)


def add_kl_penalty(
    rollout: Rollout, ref_log_probs: Tensor | None, kl_placement: KLPlacement, kl_coef: float
) -> Rollout:
    """The rollout with KL against the starting policy in its rewards, where it belongs there.

    Args:
        rollout: what the policy wrote.
        ref_log_probs: log-probabilities of the chosen tokens under the starting policy, [B, T]; None adds
            nothing.
        kl_placement: whether KL stands in the reward or in the loss.
        kl_coef: weight of KL.
    """
    if ref_log_probs is None or kl_placement == "loss":
        return rollout
    return replace(
        rollout, rewards=penalize_rewards(rollout.rewards, rollout.log_probs, ref_log_probs, rollout.mask, kl_coef)
    )


def log_probs_of(
    model: nn.Module, tokens: Tensor, mask: Tensor, temperature: float = 1.0, allowed: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Log-probability of each chosen token and entropy of the distribution it was chosen from, both [B, T].

    Both are 0 outside ``mask``. ``temperature`` and ``allowed`` must be those of the sampling, or the ratio to it means
    nothing.
    """
    logits = model(input_ids=tokens[:, :-1]).logits.float() / temperature  # [B, T - 1, V]
    if allowed is not None:
        logits = logits.masked_fill(~allowed, torch.finfo(logits.dtype).min)
    log_probs = logits.log_softmax(-1)
    chosen = log_probs.gather(-1, tokens[:, 1:, None])[..., 0]
    entropy = -(log_probs.exp() * log_probs).sum(-1)
    keep = mask[:, 1:]
    first = torch.zeros_like(chosen[:, :1])
    return torch.cat([first, chosen * keep], 1), torch.cat([first, entropy * keep], 1)
