"""REINFORCE: the policy gradient of whole programs, with a baseline (Williams 1992).

    python -m agents.reinforce --policy runs/start --out runs/reinforce --tasks arithmetic --baseline greedy

Baselines: the mean score of the iteration ("mean"); the score of the policy's own greedy program for the same prompt
("greedy", self-critical training, as in CodeRL, arXiv 2207.01780, and RLTF, arXiv 2307.04349); none.

With ``kl_coef`` a program also pays for leaving the starting policy: k1 in the reward of each token, as in RLHF, or k3
in the loss (``kl_placement``). The greedy program of a baseline does not pay.

Left out: CodeRL's critic that weighs the tokens, and the supervised half-steps between updates.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from agents.common.advantages import returns_to_go
from agents.common.cli import run_from_cli
from agents.common.config import RunConfig
from agents.common.losses import KLPlacement, aggregate, check_kl_placement, gradient_step, kl
from agents.common.rollout import Rollout, add_kl_penalty
from agents.common.run import Run


@dataclass(frozen=True)
class REINFORCEConfig(RunConfig):
    """Settings of REINFORCE."""

    baseline: Literal["mean", "greedy", "none"] = "mean"
    """What a program's return is compared with."""
    to_go: bool = False
    """A token is credited with what was earned from it on, not with the score of its whole program."""
    kl_coef: float = 0.0
    """Weight of KL against the starting policy."""
    kl_placement: KLPlacement = "reward"
    """"reward": k1 in the reward of each token; "loss": k3 in the loss."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_kl_placement(self.kl_placement)


def train(config: REINFORCEConfig, *, line_scorer: Any = None, tasks: Any = None, eval_tasks: Any = None) -> Run:
    """Train a policy.

    Args:
        config: settings.
        line_scorer: a process reward model, for rewards that read line scores.
        tasks: a task source, instead of ``config.tasks``.
        eval_tasks: a task source for ``config.eval_every``; None: the tasks that are trained on.
    """
    with Run(config, line_scorer=line_scorer, tasks=tasks, eval_tasks=eval_tasks) as run:
        reference = copy.deepcopy(run.model).eval().requires_grad_(False) if config.kl_coef else None
        optimizer = torch.optim.AdamW(run.model.parameters(), config.learning_rate, weight_decay=0.0)
        run.register(optimizer=optimizer)
        for iteration in run.iterations():
            rollout = run.collect(iteration)
            ref_log_probs = None if reference is None else run.reference_log_probs(rollout, reference)
            penalized = add_kl_penalty(rollout, ref_log_probs, config.kl_placement, config.kl_coef)
            returns = returns_to_go(penalized.rewards, penalized.mask) if config.to_go else penalized.scores[:, None]
            advantages = (returns - baseline(run, iteration, penalized)) * rollout.mask
            losses = []
            for rows in run.minibatches(iteration, 0, len(rollout.tokens)):
                part = rollout.select(rows)
                log_probs, _ = run.log_probs(part)
                loss = -log_probs * advantages[rows]
                if ref_log_probs is not None and config.kl_placement == "loss":
                    loss = loss + config.kl_coef * kl(log_probs, ref_log_probs[rows])
                loss = aggregate(loss, part.mask)
                gradient_step(optimizer, loss, run.model, config.max_grad_norm)
                losses.append(float(loss.detach()))
            run.log(iteration, rollout, {"policy_loss": sum(losses) / len(losses)})
    return run


def baseline(run: Run, iteration: int, rollout: Rollout) -> Tensor:
    """What the return of each program is compared with, [B, 1]."""
    config = run.config
    assert isinstance(config, REINFORCEConfig)
    if config.baseline == "none":
        return torch.zeros(len(rollout.scores), 1)
    compared = rollout.scores.mean().repeat(config.batch_size)
    if config.baseline == "greedy":
        greedy = run.collect(iteration, greedy=True)
        compared[greedy.slots] = greedy.scores  # where the machine failed for the greedy one the mean stays
    return compared[rollout.slots][:, None]


if __name__ == "__main__":
    run_from_cli(REINFORCEConfig, train, __doc__)
