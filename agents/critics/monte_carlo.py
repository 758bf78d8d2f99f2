"""True values of states: the policy completes each state many times, and the mean return estimates its value.

``explained_variance`` of a rollout compares each value with one sampled return, whose noise no critic can explain, and
a critic that was trained on that rollout has memorized some of the noise. This compares with the expected return.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.common.config import RunConfig
from agents.common.rollout import Rollout, token_rewards
from agents.common.run import Run
from agents.generation.generate import generate
from codegym.envs.batch import StepResult
from codegym.sampling import pack_by_length
from codegym.step import Step


class State(NamedTuple):
    """An unfinished program: a prompt with some lines."""

    row: int
    """Index of the program in the rollout."""
    position: int
    """Index in the row of the next token, which is the index of the state's value."""
    written: int
    """Number of tokens of the completion so far."""


def find_states(rollout: Rollout, programs: Sequence[Step]) -> list[State]:
    """Return the states at the prompt and at each line end of every program, except at its end.

    Args:
        rollout: Programs of the policy.
        programs: Last step of each program, [B].
    """
    states = []
    for row, (start, last) in enumerate(zip(rollout.mask.int().argmax(1).tolist(), programs, strict=True)):
        counts = sorted({0, *(line.last_token + 1 for line in last.lines)})
        states += [State(row, start + count, count) for count in counts if count < last.num_tokens]
    return states


def sampled_returns(
    run: Run[RunConfig],
    rollout: Rollout,
    programs: Sequence[Step],
    states: Sequence[State],
    count: int,
    generator: torch.Generator,
    gamma: float = 1.0,
) -> Tensor:
    """Complete states with the run's policy, judge the programs, and return their returns-to-go, float64 [S, count].

    A return is the discounted sum of all rewards after the state, with their placement and penalties. It is NaN if the
    program could not be judged.

    Args:
        run: Open run whose policy, reward and judge are used.
        rollout: Programs that the states are part of.
        programs: Last step of each program of the rollout.
        states: States to complete, S of them.
        count: Completions per state.
        generator: Random numbers for the tokens.
        gamma: Discount per token.
    """
    repeated = [state for state in states for _ in range(count)]
    envs = run.make_envs(run.reward, len(repeated))
    try:
        envs.reset(options={"task_id": [programs[state.row].task.task_id for state in repeated]})
        for slot, tokens in _completions(run, rollout, repeated, generator):
            state = repeated[slot]
            before = rollout.tokens[state.row, state.position - state.written : state.position].tolist()
            envs.append_chunk(slot, [*before, *tokens])
        results = envs.finish()
        earned = token_rewards(envs, results, run.config.reward_placement)
    finally:
        envs.close()
    penalty = run.config.missing_eos_penalty
    returns = [_to_go(*each, penalty, gamma) for each in zip(repeated, results, earned, strict=True)]
    return torch.tensor(returns, dtype=torch.float64).reshape(len(states), count)


def _completions(
    run: Run[RunConfig], rollout: Rollout, states: Sequence[State], generator: torch.Generator
) -> Iterator[tuple[int, list[int]]]:
    """Yield index and completion of each state. The environment cuts off tokens beyond the budget."""
    prefixes = [rollout.tokens[state.row, : state.position].tolist() for state in states]
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
    """Yield indices, at most ``size`` at a time, whose longest prefix and largest budget fit into the model."""

    def fits(batch: list[int], index: int) -> bool:
        largest = max(budgets[other] for other in [*batch, index])
        return len(batch) < size and (limit is None or lengths[index] + largest <= limit)

    return pack_by_length(lengths, fits)


def _to_go(state: State, result: StepResult, earned: NDArray[np.float64], penalty: float, gamma: float) -> float:
    """Return the discounted sum of rewards after a state; NaN if the program could not be judged."""
    if not result.info["reward_valid"]:
        return float("nan")
    rewards = earned[: result.info["num_tokens"]].copy()
    rewards[-1] -= penalty * result.info["budget_exhausted"]
    to_go = rewards[state.written :]
    return float(to_go @ gamma ** np.arange(len(to_go)))


def mc_explained_variance(values: Tensor, returns: Tensor) -> float:
    """Return the share of the variance of the true values that a critic explains, corrected for sampling noise.

    ``1 - (Var(truth - V) - noise) / (Var(truth) - noise)``, in which truth is the mean of n returns and ``noise`` its
    mean squared error: the mean over states of s^2 / n with the sample variance s^2, which for returns of 0 and 1 is
    p (1 - p) / (n - 1). Variances over states are unbiased too. NaN if the true values do not differ by more than the
    noise, as when almost no program passes: then more completions are needed, or an easier task.

    Args:
        values: Values of the states, [S].
        returns: Sampled returns, [S, n]. NaN is left out, and so is a state with fewer than two numbers.
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
