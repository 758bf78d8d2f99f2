"""The critic: a value before every token, from scratch or from a process reward model, in the units of returns."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from agents.common.config import RunConfig
from agents.common.losses import aggregate, gradient_step, value_loss
from agents.common.rollout import Rollout, collect
from agents.common.run import Run
from codegym.judge import FakeJudge
from codegym.sampling import derive_seed
from codegym.scorers import LineScorer, ScoreRequest
from codegym.step import Step
from codegym.syntax import LineKind

ValueInit = Literal["none", "weights", "distilled"]
"""Start of a critic: the policy's trunk with a zero head, the weights of a process reward model, or its scores."""


class Critic(nn.Module):
    """Values of states: ``scale * body + shift``; the body maps tokens to one number each.

    The body is the critic's own. The policy or process reward model that it starts from is copied, not shared, because
    training for one of them harms the other.

    Args:
        body: Module that maps tokens [B, T] to numbers [B, T].
    """

    scale: Tensor
    shift: Tensor
    is_uncalibrated: Tensor
    """True until there are returns to calibrate with; every value is ``shift`` until then."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("shift", torch.zeros(()))
        self.register_buffer("is_uncalibrated", torch.tensor(False))

    def raw_values(self, tokens: Tensor) -> Tensor:
        """Return the numbers of the body before each of ``tokens``, [B, T]; 0 before the first one."""
        raw_values = self.body(tokens[:, :-1])
        return torch.cat([torch.zeros_like(raw_values[:, :1]), raw_values], 1)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the value of the state before each of ``tokens``, [B, T]; 0 before the first one."""
        values = torch.where(self.is_uncalibrated, self.shift, self.scale * self.raw_values(tokens) + self.shift)
        return torch.cat([torch.zeros_like(values[:, :1]), values[:, 1:]], 1)

    @torch.no_grad()
    def calibrate(self, raw_values: Tensor, returns: Tensor, mask: Tensor) -> None:
        """Fit scale and shift so that values meet returns in the least-squares sense, on masked entries of [B, T].

        A process reward model is optimistic (best of K) and has another range than returns; with a plain copy every
        correct prefix looks like a disappointment. If all returns are equal, as when no program passes, or if they fall
        as the numbers rise, there is nothing to fit yet: the critic stays uncalibrated, and should be calibrated
        again. With a scale of 0 it would never learn.

        Args:
            raw_values: Numbers of the body before each token, [B, T].
            returns: Return from each token on, [B, T].
            mask: Tokens that the policy chose, bool [B, T].
        """
        x, y = raw_values[mask].double(), returns[mask].double()
        variance = x.var(unbiased=False)
        # equal numbers, as those of a zero head, can only be shifted
        slope = ((x - x.mean()) * (y - y.mean())).mean() / variance if variance > 1e-12 else torch.ones(())
        self.is_uncalibrated.copy_((y.var(unbiased=False) <= 1e-12) | (slope <= 0))
        self.scale.copy_(torch.ones(()) if self.is_uncalibrated else slope)
        self.shift.copy_(y.mean() if self.is_uncalibrated else y.mean() - slope * x.mean())


class ValueNetwork(nn.Module):
    """A causal trunk with a linear head that starts at zero.

    Args:
        trunk: Causal model without its head.
        width: Size of its hidden states.
    """

    def __init__(self, trunk: nn.Module, width: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = nn.Linear(width, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return a number after each of ``tokens``, [B, T]."""
        raw_values: Tensor = self.head(self.trunk(input_ids=tokens, use_cache=False).last_hidden_state)[..., 0]
        return raw_values


def make_critic(model: PreTrainedModel) -> Critic:
    """Make a critic whose trunk is a copy of that of ``model``; LoRA matrices are copied and trained too."""
    wrapper: Any = model
    whole = wrapper.get_base_model() if hasattr(model, "get_base_model") else wrapper
    return Critic(ValueNetwork(copy.deepcopy(whole.base_model), whole.config.hidden_size))


def init_critic(run: Run[RunConfig], value_init: ValueInit) -> Critic:
    """Make the critic that ``value_init`` names, before it is calibrated or distilled.

    Args:
        run: The open run.
        value_init: Start of the critic.

    Raises:
        ValueError: The line scorer is missing, or has no weights to copy.
    """
    if value_init != "none" and run.line_scorer is None:
        raise ValueError(
            f"value_init={value_init!r} needs a process reward model: got no line scorer; expected "
            "line_scorer=... (see: codegym prm --help)"
        )
    if value_init != "weights":
        return make_critic(run.model)
    make_value_model = getattr(run.line_scorer, "value_model", None)
    if make_value_model is None:
        kind = type(run.line_scorer).__name__
        raise ValueError(
            f'value_init="weights" needs weights to copy: got a {kind}; expected a ProcessRewardModel. Use '
            'value_init="distilled", which takes any line scorer'
        )
    return Critic(make_value_model(run.policy.tokenizer))


def scored_programs(run: Run[RunConfig], scorer: LineScorer, num_rollouts: int) -> tuple[Tensor, Tensor, Tensor]:
    """Write programs with a run's policy and score their lines; no program is executed.

    Args:
        run: Open run whose policy and tasks are used.
        scorer: Process reward model, or any other line scorer.
        num_rollouts: Number of batches, each of the size of an iteration.

    Returns:
        Tokens, score before each token, and a mask of the tokens that have a score, all [B, T].
    """
    config, parts = run.config, []
    envs = run.make_envs("outcome", config.batch_size, FakeJudge())
    for number in range(num_rollouts):
        seeds = [derive_seed(config.seed, "distil", number, slot) for slot in range(config.batch_size)]
        generator = run.generator(number, "distil")
        rollout = collect(envs, run.model, run.sampling, seeds, generator, allowed=run.allowed)
        programs = [result.last for result in rollout.results if result.last is not None]
        parts.append((rollout.tokens, *scores_before(rollout, programs, scorer)))
    envs.close()
    longest = max(tokens.shape[1] for tokens, _, _ in parts)
    padded = [[functional.pad(each, (0, longest - each.shape[1])) for each in part] for part in parts]
    tokens, scores, known = (torch.cat(column) for column in zip(*padded, strict=True))
    return tokens, scores, known


def scores_before(rollout: Rollout, programs: Sequence[Step], scorer: LineScorer) -> tuple[Tensor, Tensor]:
    """Return the line score that holds before each token, [B, T], and a mask of the tokens that have one.

    A token has the score of the last scored line that was closed before it, or, up to the end of the first one, the
    score of that. Scorer and policy may have different tokenizers, because only text is exchanged. Neutral lines have
    no score, and a program without scored lines has none at all.

    Args:
        rollout: Programs of the policy.
        programs: Last step of each program, [B].
        scorer: Process reward model, or any other line scorer.
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
    """Train a critic by regression to given numbers, such as ``scores_before``, and return the last epoch's loss.

    Args:
        critic: Critic to train, such as ``make_critic(policy.model)``.
        tokens: Prompts and completions, int64 [B, T].
        targets: Target before each token, [B, T].
        mask: Tokens that have a target, bool [B, T].
        generator: Random numbers for the order of the programs.
        epochs: Passes over the programs.
        minibatch_size: Programs per gradient step.
        learning_rate: Learning rate of AdamW.
        max_grad_norm: Norm to which a larger gradient is scaled down.
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
    *,
    old_values: Tensor | None = None,
    clip_range: float | None = None,
) -> float:
    """Take one gradient step of a critic's values towards their targets, and return the loss before it.

    Args:
        critic: Critic to train.
        tokens: Prompts and completions, int64 [B, T].
        targets: Target before each token, [B, T].
        mask: Tokens that have a target, bool [B, T].
        optimizer: Optimizer of the critic.
        max_grad_norm: Norm to which a larger gradient is scaled down.
        old_values: Values before the update, [B, T]; only for ``clip_range``.
        clip_range: Distance from ``old_values`` beyond which the loss stops falling. None: no clipping.
    """
    values = critic(tokens)
    loss = aggregate(value_loss(values, targets, values if old_values is None else old_values, clip_range), mask)
    gradient_step(optimizer, loss, critic, max_grad_norm)
    return float(loss.detach())
