"""What states are really worth: the policy completes each of them many times, and the mean return is the truth.

``explained_variance`` of a rollout compares values with one sampled return each, whose noise no critic can explain; and
a critic that was trained on that rollout explains some of the noise by heart. This compares with the expected return.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.common.rollout import Rollout, token_rewards
from agents.common.run import Run
from agents.generation.generate import generate
from codegym.envs.batch import StepResult
from codegym.step import Step


class State(NamedTuple):
    """A program that is not finished: a prompt with some lines."""

    row: int
    """Of the rollout."""
    place: int
    """Index in the row of the token that comes next; the value of the state stands there."""
    written: int
    """Tokens of the completion so far."""


def states_of(rollout: Rollout, programs: Sequence[Step]) -> list[State]:
    """The prompt of every program and each of its line ends, but for the end of the program, where nothing follows.

    Args:
        rollout: what the policy wrote.
        programs: the last step of each program, [B].
    """
    states = []
    for row, (start, last) in enumerate(zip(rollout.mask.int().argmax(1).tolist(), programs, strict=True)):
        counts = sorted({0, *(line.last_token + 1 for line in last.lines)})
        states += [State(row, start + count, count) for count in counts if count < last.num_tokens]
    return states


def sampled_returns(
    run: Run,
    rollout: Rollout,
    programs: Sequence[Step],
    states: Sequence[State],
    count: int,
    generator: torch.Generator,
    gamma: float = 1.0,
) -> Tensor:
    """Complete states with the run's policy and judge the programs; gives their returns-to-go, float64 [S, count].

    The return is of the whole reward, with its placement and its penalties, from the state on. NaN is what the machine
    could not judge.

    Args:
        run: whose policy, reward and judge are used.
        rollout: where the states are from.
        programs: the last step of each program of the rollout.
        states: S of them.
        count: completions of each.
        generator: of the tokens.
        gamma: discount of one token.
    """
    repeated = [state for state in states for _ in range(count)]
    envs = run.make_envs(run.reward, len(repeated))
    try:
        envs.reset(options={"task_id": [programs[state.row].task.task_id for state in repeated]})
        for slot, tokens in _completions(run, rollout, repeated, generator):
            state = repeated[slot]
            before = rollout.tokens[state.row, state.place - state.written : state.place].tolist()
            envs.append_chunk(slot, [*before, *tokens])
        outcomes = envs.finish()
        earned = token_rewards(envs, outcomes, run.config.reward_placement)
    finally:
        envs.close()
    penalty = run.config.missing_eos_penalty
    returns = [_to_go(*each, penalty, gamma) for each in zip(repeated, outcomes, earned, strict=True)]
    return torch.tensor(returns, dtype=torch.float64).reshape(len(states), count)


def _completions(
    run: Run, rollout: Rollout, states: Sequence[State], generator: torch.Generator
) -> Iterator[tuple[int, list[int]]]:
    """How the policy goes on from each state, with its index; what goes beyond the budget the environment cuts off."""
    prefixes = [rollout.tokens[state.row, : state.place].tolist() for state in states]
    budgets = [run.config.max_tokens - state.written for state in states]
    limit = getattr(run.model.config, "max_position_embeddings", None)
    eos = run.policy.tokenizer.eos_token_id
    for batch in _batches(list(map(len, prefixes)), budgets, run.config.batch_size, limit):
        sampling = replace(run.sampling, max_tokens=max(budgets[index] for index in batch))
        rows = [prefixes[index] for index in batch]
        written = generate(run.model, rows, eos, sampling, generator=generator, allowed=run.allowed)
        for row, index in enumerate(batch):
            yield index, written.row(row)


def _batches(lengths: Sequence[int], budgets: Sequence[int], size: int, limit: int | None) -> Iterator[list[int]]:
    """Indices in batches of at most ``size`` whose longest prefix and largest budget fit into the model together."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        largest = max(budgets[other] for other in [*batch, index])
        if batch and (len(batch) == size or (limit is not None and lengths[index] + largest > limit)):
            yield batch
            batch = []
        batch.append(index)
    yield batch


def _to_go(state: State, outcome: StepResult, earned: NDArray[np.float64], penalty: float, gamma: float) -> float:
    """Discounted sum of what was earned from a state on; NaN where the machine failed."""
    if not outcome.info["reward_valid"]:
        return float("nan")
    rewards = earned[: outcome.info["num_tokens"]].copy()
    rewards[-1] -= penalty * outcome.info["budget_exhausted"]
    to_go = rewards[state.written :]
    return float(to_go @ gamma ** np.arange(len(to_go)))


def mc_explained_variance(values: Tensor, returns: Tensor) -> float:
    """Share of the variance of the true values that a critic explains, rid of the noise of the truth.

    ``1 - (Var(truth - V) - noise) / (Var(truth) - noise)``, truth being the mean of n returns and ``noise`` its mean
    squared error, the mean over states of s^2 / n with the sample variance s^2; for returns of 0 and 1 that is
    p (1 - p) / (n - 1). Variances over states are unbiased too. NaN where the true values do not differ by more than
    the noise, as when next to no program passes: then more completions are needed, or an easier task.

    Args:
        values: [S], of a critic.
        returns: [S, n], sampled; NaN is left out, and so is a state with fewer than two others.
    """
    counts = (~returns.isnan()).sum(1)
    kept = counts >= 2
    if int(kept.sum()) < 2:
        return float("nan")
    values, returns, counts = values[kept].double(), returns[kept].double(), counts[kept]
    truth = returns.nanmean(1)
    squares = ((returns - truth[:, None]) ** 2).nansum(1) / (counts - 1)
    noise = (squares / counts).mean()
    variance = truth.var() - noise
    return float("nan") if variance <= 1e-12 else float(1 - ((truth - values).var() - noise) / variance)
