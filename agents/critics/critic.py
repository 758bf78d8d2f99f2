"""The critic: a number after every token, from scratch or from a process reward model, in the units of returns."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.common.losses import aggregate, gradient_step, value_loss
from agents.common.rollout import Rollout, collect
from agents.common.run import Run
from codegym.judge import FakeJudge
from codegym.sampling import derive_seed
from codegym.scorers import LineScorer, ScoreRequest
from codegym.step import Step
from codegym.syntax.lines import LineKind

ValueInit = Literal["none", "weights", "distilled"]
"""What a critic starts from: the policy's trunk with a zero head, the weights of a process reward model, its scores."""


class Critic(nn.Module):
    """Values of states: ``scale * body + shift``, where the body gives a number after every token.

    The body is the critic's own: the policy or process reward model that it starts from is copied, not shared, since
    what is trained for one of them spoils the other.

    Args:
        body: maps tokens [B, T] to numbers [B, T].
    """

    scale: Tensor
    shift: Tensor
    is_uncalibrated: Tensor
    """True while there was nothing to calibrate by: the value of every state is ``shift`` then."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("shift", torch.zeros(()))
        self.register_buffer("is_uncalibrated", torch.tensor(False))

    def raw_values(self, tokens: Tensor) -> Tensor:
        """What the body says before each token, [B, T]; before the first one 0."""
        raw_values = self.body(tokens[:, :-1])
        return torch.cat([torch.zeros_like(raw_values[:, :1]), raw_values], 1)

    def forward(self, tokens: Tensor) -> Tensor:
        """Value of the state before each token, [B, T]; that before the first one is 0."""
        values = torch.where(self.is_uncalibrated, self.shift, self.scale * self.raw_values(tokens) + self.shift)
        return torch.cat([torch.zeros_like(values[:, :1]), values[:, 1:]], 1)

    @torch.no_grad()
    def calibrate(self, raw_values: Tensor, returns: Tensor, mask: Tensor) -> None:
        """Fit scale and shift so that values meet returns in the least-squares sense, on masked entries of [B, T].

        A process reward model is optimistic (best of K) and of another range than returns; a plain copy of it makes
        every correct prefix look like a disappointment. Where all returns are alike, as when no program passes, or
        where they fall as the numbers rise, there is nothing to fit yet: the critic waits, and should be calibrated
        again. With a scale of 0 it would never learn.

        Args:
            raw_values: of the body, [B, T].
            returns: [B, T].
            mask: [B, T] bool.
        """
        x, y = raw_values[mask].double(), returns[mask].double()
        variance = x.var(unbiased=False)
        # numbers that are all alike, as those of a zero head, can only be shifted
        slope = ((x - x.mean()) * (y - y.mean())).mean() / variance if variance > 1e-12 else torch.ones(())
        self.is_uncalibrated.copy_((y.var(unbiased=False) <= 1e-12) | (slope <= 0))
        self.scale.copy_(torch.ones(()) if self.is_uncalibrated else slope)
        self.shift.copy_(y.mean() if self.is_uncalibrated else y.mean() - slope * x.mean())


class ValueNetwork(nn.Module):
    """A causal trunk with a linear head that says 0 at first."""

    def __init__(self, trunk: nn.Module, width: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = nn.Linear(width, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """A number after every token, [B, T]."""
        raw_values: Tensor = self.head(self.trunk(input_ids=tokens, use_cache=False).last_hidden_state)[..., 0]
        return raw_values


def critic_of(model: Any) -> Critic:
    """Make a critic whose trunk is a copy of the policy's; of one with LoRA the matrices are trained there too."""
    whole = model.get_base_model() if hasattr(model, "get_base_model") else model
    return Critic(ValueNetwork(copy.deepcopy(whole.base_model), whole.config.hidden_size))


def first_critic(run: Run, value_init: ValueInit, critic: Critic | None) -> Critic:
    """What a critic starts from, before it is calibrated; one to be distilled has yet to learn.

    Raises:
        ValueError: it is told twice, or the line scorer is missing or has no weights to copy.
    """
    if critic is not None and value_init != "none":
        raise ValueError(f"a critic was given and value_init={value_init!r} too: leave one of them out")
    if value_init != "none" and run.line_scorer is None:
        raise ValueError(f"value_init={value_init!r} needs a process reward model: pass line_scorer=... as well")
    if value_init != "weights":
        return critic or critic_of(run.model)
    if not hasattr(run.line_scorer, "value_model"):
        kind = type(run.line_scorer).__name__
        raise ValueError(f'value_init="weights" wants a ProcessRewardModel, got {kind}: "distilled" takes any scorer')
    return Critic(run.line_scorer.value_model(run.policy.tokenizer))


def scored_programs(run: Run, scorer: LineScorer, num_rollouts: int) -> tuple[Tensor, Tensor, Tensor]:
    """Programs of a run's policy and what a line scorer says of them: tokens, scores and where there are any, [B, T].

    They are written for tasks of the run, as many in a rollout as in an iteration, and not judged: no program is run.

    Args:
        run: whose policy and tasks are used.
        scorer: a process reward model, or anything else that scores lines.
        num_rollouts: how many.
    """
    config, parts = run.config, []
    envs = run.make_envs("outcome", config.batch_size, FakeJudge())
    for number in range(num_rollouts):
        seeds = [derive_seed(config.seed, "distil", number, slot) for slot in range(config.batch_size)]
        generator = run.generator(number, "distil")
        rollout = collect(envs, run.model, run.sampling, seeds, generator, allowed=run.allowed)
        programs = [ledger.last for ledger in envs.batch.returns if ledger.last is not None]
        parts.append((rollout.tokens, *scores_before(rollout, programs, scorer)))
    envs.close()
    longest = max(tokens.shape[1] for tokens, _, _ in parts)
    padded = [[functional.pad(each, (0, longest - each.shape[1])) for each in part] for part in parts]
    tokens, scores, known = (torch.cat(column) for column in zip(*padded, strict=True))
    return tokens, scores, known


def scores_before(rollout: Rollout, programs: Sequence[Step], scorer: LineScorer) -> tuple[Tensor, Tensor]:
    """What a line scorer says of the program before each token, [B, T], and where it says anything, bool [B, T].

    A token has the score of the last scored line that was closed before it; up to the end of the first one, the score
    of that. So scorer and policy may have different tokenizers: nothing but text goes over. Neutral lines have no
    score, and a program without scored lines has none at all.

    Args:
        rollout: what the policy wrote.
        programs: the last step of each program, [B].
        scorer: a process reward model, or anything else that scores lines.
    """
    requests = {row: request for row, last in enumerate(programs) if (request := _request(row, last)).indices}
    answers = scorer.score([*requests.values()]) if requests else []
    scores, known = torch.zeros(rollout.mask.shape), torch.zeros_like(rollout.mask)
    starts = rollout.mask.int().argmax(1).tolist()
    for (row, request), answer in zip(requests.items(), answers, strict=True):
        known[row] = rollout.mask[row]
        scores[row] = answer[0]
        for index, score in zip(request.indices, answer, strict=True):
            scores[row, starts[row] + programs[row].lines[index].last_token + 1 :] = score
    return scores * known, known


def _request(row: int, last: Step) -> ScoreRequest:
    code = tuple(index for index, line in enumerate(last.lines) if line.kind is LineKind.CODE)
    return ScoreRequest(last.task, tuple(line.text for line in last.lines), code, row)


def distill(
    critic: Critic,
    tokens: Tensor,
    targets: Tensor,
    mask: Tensor,
    *,
    generator: torch.Generator,
    epochs: int = 16,
    minibatch_size: int = 64,
    learning_rate: float = 1e-3,
    max_grad_norm: float = 1.0,
) -> float:
    """Train a critic by regression to given numbers, such as ``scores_before``; gives the loss of the last epoch.

    Args:
        critic: what learns, such as ``critic_of`` the policy.
        tokens: [B, T].
        targets: [B, T], the number before each token.
        mask: [B, T] bool, where there is one.
        generator: of the order of programs.
        epochs: passes over the programs.
        minibatch_size: programs a gradient step.
        learning_rate: of AdamW.
        max_grad_norm: gradients are scaled down to it.
    """
    optimizer = torch.optim.AdamW(critic.parameters(), learning_rate, weight_decay=0.0)
    losses = [0.0]
    for _ in range(epochs):
        order = torch.randperm(len(tokens), generator=generator).split(minibatch_size)
        losses = [fit_step(critic, tokens[rows], targets[rows], mask[rows], optimizer, max_grad_norm) for rows in order]
    return sum(losses) / len(losses)


def fit_step(
    critic: Critic,
    tokens: Tensor,
    targets: Tensor,
    mask: Tensor,
    optimizer: torch.optim.Optimizer,
    max_grad_norm: float,
) -> float:
    """Take one gradient step of a critic's values towards targets, all [B, T]; gives the loss before it."""
    values = critic(tokens)
    loss = aggregate(value_loss(values, targets, values), mask)
    gradient_step(optimizer, loss, critic, max_grad_norm)
    return float(loss.detach())
