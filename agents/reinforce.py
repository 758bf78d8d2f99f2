"""REINFORCE: the policy gradient of whole programs, with a baseline (Williams 1992).

    python -m agents.reinforce --policy runs/start --out runs/reinforce --tasks pipelines --baseline greedy

Baselines: the mean score of the iteration ("mean"); the score of the policy's own greedy program for the same prompt
("greedy", self-critical training, as in CodeRL, arXiv 2207.01780, and RLTF, arXiv 2307.04349); none ("none").

With ``kl_coef`` the KL divergence from the starting policy is charged: as k1 in the reward of each token (RLHF) or as
k3 in the loss (``kl_placement``). The greedy program of a baseline is not charged.

Left out: CodeRL's critic that weighs the tokens, and supervised steps between updates.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Unpack

import torch
from torch import Tensor

from agents.common.advantages import returns_to_go
from agents.common.cli import run_from_cli
from agents.common.config import RunConfig, RunInputs
from agents.common.log import mean_metrics
from agents.common.losses import KLPlacement, aggregate, check_kl_placement, kl
from agents.common.rollout import Rollout, add_kl_penalty
from agents.common.run import Run
from agents.registry import Agent


@dataclass(frozen=True)
class REINFORCEConfig(RunConfig):
    """Configuration of REINFORCE."""

    out: Path = Path("runs/reinforce")
    """Folder of the run. If it already holds a run with this configuration, training resumes."""
    baseline: Literal["mean", "greedy", "none"] = "mean"
    """Baseline of returns: mean score of the iteration, score of the greedy program, or none."""
    to_go: bool = False
    """Credit a token with the rewards from it on, instead of the score of its whole program."""
    kl_coef: float = 0.0
    """Weight of the KL divergence from the starting policy."""
    kl_placement: KLPlacement = "reward"
    """Place at which the divergence is charged: "reward", as k1 in the reward of each token, or "loss", as k3."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_kl_placement(self.kl_placement)


def train(config: REINFORCEConfig, **inputs: Unpack[RunInputs]) -> Run[REINFORCEConfig]:
    """Train a policy with REINFORCE and return the finished run.

    Args:
        config: Configuration of the run.
        **inputs: Objects that replace names in ``config``; see ``RunInputs``.
    """
    with Run(config, **inputs) as run:
        reference = run.make_reference(config.kl_coef)
        optimizer = torch.optim.AdamW(run.model.parameters(), config.learning_rate, weight_decay=0.0)
        run.register(optimizer=optimizer)
        for iteration in run.iterations():
            rollout = run.collect(iteration)
            ref_log_probs = None if reference is None else run.reference_log_probs(rollout, reference)
            charged = add_kl_penalty(rollout, ref_log_probs, config.kl_placement, config.kl_coef)
            returns = returns_to_go(charged.rewards, charged.mask) if config.to_go else charged.scores[:, None]
            advantages = (returns - baseline(run, iteration, charged)) * rollout.mask
            steps = []
            for rows in run.minibatches(iteration, 0, len(rollout.tokens)):
                part = rollout.select(rows)
                log_probs, entropy = run.log_probs(part)
                losses = -log_probs * advantages[rows]
                if ref_log_probs is not None and config.kl_placement == "loss":
                    losses = losses + config.kl_coef * kl(log_probs, ref_log_probs[rows])
                loss = aggregate(losses, part.mask)
                steps.append(run.policy_step(optimizer, loss, part, log_probs, entropy))
            run.log(iteration, rollout, mean_metrics(steps))
    return run


def baseline(run: Run[REINFORCEConfig], iteration: int, rollout: Rollout) -> Tensor:
    """Return the baseline of each program's return, [B, 1].

    Args:
        run: The open run.
        iteration: Number of the iteration.
        rollout: Programs of the iteration, with the rewards that they are credited with.
    """
    config = run.config
    if config.baseline == "none":
        return torch.zeros(len(rollout.scores), 1)
    scores = rollout.scores.mean().repeat(config.batch_size)
    if config.baseline == "greedy":
        greedy = run.collect(iteration, greedy=True)
        scores[greedy.slots] = greedy.scores  # if the greedy program could not be judged, the mean stays
    return scores[rollout.slots][:, None]


AGENT = Agent(REINFORCEConfig, train)

if __name__ == "__main__":
    run_from_cli(AGENT, __doc__)
