"""RLOO: REINFORCE with the mean of the other programs for the same prompt as baseline (arXiv 2402.14740).

    python -m agents.rloo --policy runs/start --out runs/rloo --tasks arithmetic --group-size 4

The whole program is one action: its advantage stands on all of its tokens, without clipping.

Left out: the KL term in the reward, which is off in most later work.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from agents.common.advantages import leave_one_out
from agents.common.cli import run_from_cli
from agents.common.config import RunConfig
from agents.common.losses import aggregate, gradient_step
from agents.common.run import Run


@dataclass(frozen=True)
class RLOOConfig(RunConfig):
    """Settings of RLOO."""

    group_size: int = 4
    """Programs that answer each prompt."""


def train(config: RLOOConfig, *, line_scorer: Any = None, tasks: Any = None, eval_tasks: Any = None) -> Run:
    """Train a policy.

    Args:
        config: settings.
        line_scorer: a process reward model, for rewards that read line scores.
        tasks: a task source, instead of ``config.tasks``.
        eval_tasks: a task source for ``config.eval_every``; None: the tasks that are trained on.
    """
    with Run(config, line_scorer=line_scorer, tasks=tasks, eval_tasks=eval_tasks) as run:
        optimizer = torch.optim.AdamW(run.model.parameters(), config.learning_rate, weight_decay=0.0)
        run.register(optimizer=optimizer)
        for iteration in run.iterations():
            rollout = run.collect(iteration, config.group_size)
            advantages = leave_one_out(rollout.scores, rollout.groups)
            losses = []
            for rows in run.minibatches(iteration, 0, len(rollout.tokens)):
                part = rollout.select(rows)
                log_probs, _ = run.log_probs(part)
                loss = aggregate(-log_probs * advantages[rows][:, None], part.mask)
                gradient_step(optimizer, loss, run.model, config.max_grad_norm)
                losses.append(float(loss.detach()))
            run.log(iteration, rollout, {"policy_loss": sum(losses) / len(losses)})
    return run


if __name__ == "__main__":
    run_from_cli(RLOOConfig, train, __doc__)
