"""RLOO: REINFORCE with the mean of the other programs for the same prompt as baseline (arXiv 2402.14740).

    python -m agents.rloo --policy runs/start --out runs/rloo --tasks pipelines --group-size 4

The whole program is one action: its advantage applies to all of its tokens, without clipping.

Left out: the KL penalty in the reward, which is off in most later work.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import torch

from agents.common.advantages import leave_one_out
from agents.common.cli import run_from_cli
from agents.common.config import RunConfig, RunInputs
from agents.common.log import mean_metrics
from agents.common.losses import aggregate
from agents.common.run import Run
from agents.registry import Agent


@dataclass(frozen=True)
class RLOOConfig(RunConfig):
    """Configuration of RLOO."""

    out: Path = Path("runs/rloo")
    """Folder of the run. If it already holds a run with this configuration, training resumes."""
    group_size: int = 4
    """Programs that answer each prompt."""


def train(config: RLOOConfig, **inputs: Unpack[RunInputs]) -> Run[RLOOConfig]:
    """Train a policy with RLOO and return the finished run.

    Args:
        config: Configuration of the run.
        **inputs: Objects that replace names in ``config``; see ``RunInputs``.
    """
    with Run(config, **inputs) as run:
        optimizer = torch.optim.AdamW(run.model.parameters(), config.learning_rate, weight_decay=0.0)
        run.register(optimizer=optimizer)
        for iteration in run.iterations():
            rollout = run.collect(iteration, config.group_size)
            advantages = leave_one_out(rollout.scores, rollout.groups)
            steps = []
            for rows in run.minibatches(iteration, 0, len(rollout.tokens)):
                part = rollout.select(rows)
                log_probs, entropy = run.log_probs(part)
                loss = aggregate(-log_probs * advantages[rows][:, None], part.mask)
                steps.append(run.policy_step(optimizer, loss, part, log_probs, entropy))
            run.log(iteration, rollout, mean_metrics(steps))
    return run


AGENT = Agent(RLOOConfig, train)

if __name__ == "__main__":
    run_from_cli(AGENT, __doc__)
