"""Programs that a policy wrote in the environments with their rewards, padded to one length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel

from agents.common.losses import KLPlacement, penalize_rewards
from agents.generation.generate import Completions, Sampling, generate
from codegym.envs.batch import StepResult
from codegym.envs.vector import CodeVectorEnv
from codegym.rewards import Reward
from codegym.step import Step, iter_steps

RewardPlacement = Literal["credit", "stream"]
"""Tokens that rewards are placed on: those that earned them, or those at which the environment pays them."""


@dataclass(frozen=True)
class Rollout:
    """B programs with their prompts, T tokens each, padded on the right."""

    tokens: Tensor
    """Prompt, completion and padding zeros, int64 [B, T]."""
    mask: Tensor
    """True at tokens that the policy chose, the end-of-sequence token included, bool [B, T]."""
    log_probs: Tensor
    """Log-probability of each chosen token under the policy that sampled it, [B, T]; 0 outside ``mask``."""
    rewards: Tensor
    """Reward of each token, placed by a ``RewardPlacement``, [B, T]."""
    groups: Tensor
    """Number of the group of each program, int64 [B]; programs of a group answer the same prompt."""
    passed: Tensor
    """True if every check passed, bool [B]."""
    ended_by_eos: Tensor
    """True if the end-of-sequence token ended the program, False if the token budget did, bool [B]."""
    slots: Tensor
    """Slot of the environments in which each program was written, int64 [B]."""
    terms: Mapping[str, Tensor]
    """Total of each reward term, weight included: name -> [B]."""
    num_unjudged: int = 0
    """Programs that could not be judged; they are not among the B."""
    results: tuple[StepResult, ...] = ()
    """Result of every slot, also of those whose program could not be judged."""

    @property
    def scores(self) -> Tensor:
        """Total reward of each program, [B]."""
        return self.rewards.sum(1)

    def select(self, rows: Tensor) -> Rollout:
        """Return the programs of ``rows``, which are indices or a bool mask [B]."""
        names = ("tokens", "mask", "log_probs", "rewards", "groups", "passed", "ended_by_eos", "slots")
        kept = {name: getattr(self, name)[rows] for name in names}
        return replace(self, **kept, terms={name: amounts[rows] for name, amounts in self.terms.items()})


def collect(
    envs: CodeVectorEnv,
    model: PreTrainedModel,
    sampling: Sampling,
    seeds: Sequence[int],
    generator: torch.Generator,
    *,
    allowed: Tensor | None = None,
    missing_eos_penalty: float = 0.0,
    placement: RewardPlacement = "credit",
) -> Rollout:
    """Write a program in every slot and wait for all verdicts. Each program is judged as soon as it has ended.

    Args:
        envs: Environments, with as many slots as there are ``seeds``.
        model: Policy, a causal model of ``transformers``.
        sampling: Sampling settings; the token budget must be that of the environments.
        seeds: Seeds of the slots. Equal seeds draw equal tasks, which makes a group.
        generator: Random numbers for the tokens.
        allowed: Tokens that may be chosen, bool [V]; None allows all.
        missing_eos_penalty: Amount subtracted from the last token of a program that exhausts its budget.
        placement: Tokens that rewards are placed on.
    """
    observation, _ = envs.reset(seed=list(seeds))
    lengths = observation["prompt_length"][:, 0].tolist()
    prompts = [row[:length].tolist() for row, length in zip(observation["tokens"], lengths, strict=True)]
    eos = envs.batch.tokenizer.eos_token_id
    completions = generate(
        model, prompts, eos, sampling, generator=generator, allowed=allowed, on_finished=envs.append_chunk
    )
    results = envs.finish()
    rewards = token_rewards(envs, results, placement)
    return _padded(prompts, completions, results, rewards, seeds, missing_eos_penalty)


def token_rewards(
    envs: CodeVectorEnv, results: Sequence[StepResult], placement: RewardPlacement
) -> list[NDArray[np.float64]]:
    """Return the reward of each token of the completion in every slot, at least [num_tokens] each.

    Args:
        envs: Environments in which every program has ended.
        results: Result of each slot.
        placement: Tokens that rewards are placed on.
    """
    if placement == "credit":
        return [result.info["credit"] for result in results]
    return [streamed_rewards(envs.batch.reward, result.last) for result in results if result.last is not None]


def streamed_rewards(reward: Reward, last: Step) -> NDArray[np.float64]:
    """Return the reward that the environment pays at each token of a completion, [num_tokens].

    A term of single steps is paid at the token that closes the line, a term of the whole program at the last token.

    Args:
        reward: Reward of the environment.
        last: Last step of the program.
    """
    amounts = np.zeros(last.num_tokens)
    for step in iter_steps(last):
        amounts[step.num_tokens - 1] += sum(reward.stream(step).values())
    return amounts


def _padded(
    prompts: Sequence[Sequence[int]],
    completions: Completions,
    results: Sequence[StepResult],
    earned: Sequence[NDArray[np.float64]],
    seeds: Sequence[int],
    missing_eos_penalty: float,
) -> Rollout:
    """Put prompts, completions and rewards into rows of one length, without programs that could not be judged."""
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
    valid = torch.tensor([bool(result.info["reward_valid"]) for result in results])
    everything = Rollout(
        tokens=tokens,
        mask=mask,
        log_probs=log_probs,
        rewards=rewards,
        groups=torch.from_numpy(np.unique(np.asarray(seeds), return_inverse=True)[1]),
        passed=torch.tensor([bool(result.info["is_success"]) for result in results]),
        ended_by_eos=completions.ended_by_eos,
        slots=torch.arange(len(prompts)),
        terms=_terms(results),
        num_unjudged=int((~valid).sum()),
        results=tuple(results),
    )
    return everything.select(valid)


def _terms(results: Sequence[StepResult]) -> dict[str, Tensor]:
    rows = [result.info["reward_terms"] for result in results]
    return {name: torch.tensor([row[name] for row in rows]) for name in rows[0]}


def add_kl_penalty(
    rollout: Rollout, ref_log_probs: Tensor | None, kl_placement: KLPlacement, kl_coef: float
) -> Rollout:
    """Return the rollout with the KL divergence from the starting policy charged to its rewards.

    Args:
        rollout: Programs of the policy.
        ref_log_probs: Log-probability of each chosen token under the starting policy, [B, T]. None charges nothing.
        kl_placement: "reward"; with "loss" the rewards stay as they are.
        kl_coef: Weight of the divergence.
    """
    if ref_log_probs is None or kl_placement == "loss":
        return rollout
    rewards = penalize_rewards(rollout.rewards, rollout.log_probs, ref_log_probs, rollout.mask, kl_coef)
    return replace(rollout, rewards=rewards)


def score_tokens(
    model: nn.Module, tokens: Tensor, mask: Tensor, temperature: float = 1.0, allowed: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return log-probability of each chosen token and entropy of the distribution it was chosen from, both [B, T].

    Both are 0 outside ``mask``. ``temperature`` and ``allowed`` must be those of the sampling, or ratios of
    probabilities to the sampling policy are meaningless.

    Args:
        model: Policy, a causal model of ``transformers``.
        tokens: Prompts and completions, int64 [B, T].
        mask: Tokens that the policy chose, bool [B, T].
        temperature: Temperature of the sampling.
        allowed: Tokens that could be chosen, bool [V]; None for all.
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
