"""What an environment is made of, as plain values or objects."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Literal

from codegym.envs.actions import LineActions, TokenActions
from codegym.envs.dynamics import CodeDynamics
from codegym.judge.shared import make_judge
from codegym.rewards import Reward, ScoresNeeded, parse_reward
from codegym.sandbox.base import Limits
from codegym.scorers import LineScorer, LineScorerLike, make_line_scorer
from codegym.tasks.source import TasksLike
from codegym.tokenizers import Tokenizer

Mask = Literal["text", "completable"] | None


@dataclass(frozen=True)
class EnvConfig:
    """The keywords that all environments share; plain values can come from a configuration file.

    Raises:
        ValueError: a keyword has no such value, or two of them contradict each other.
    """

    tasks: TasksLike = "arithmetic"
    """Name of a procedural family or of a data set, a ``Task``, a sequence of tasks, or a task source."""
    path: str | os.PathLike[str] | None = None
    """File of the data set; without it the data set comes from the Hub."""
    tokenizer: Any = "bytes"
    """"bytes", a list of token strings, folder or Hub id of a ``transformers`` tokenizer, or a ``Tokenizer``."""
    reward: Any = "outcome"
    """Terms by name ("outcome + 0.5*process"), terms with weights, a function of a ``Step``, or a ``Reward``."""
    line_scorer: LineScorerLike = None
    """Scores closed lines, for rewards that need it: the folder of a process reward model, "fake", or an object."""
    sandbox: Any = "auto"
    """"auto", "docker", "process", "fake", a sandbox, or a judge."""
    limits: Limits | dict[str, Any] = Limits()  # noqa: RUF009 - a frozen record
    """Of each process of a program."""
    max_tokens: int = 512
    """Token budget of a completion, the end-of-sequence token included."""
    max_prompt_tokens: int = 256
    """Room for the prompt in the observation; of a longer one the end is kept."""
    mask: Mask = "text"
    """Which tokens ``action_mask`` allows: those that are text, those that keep the program completable, or all."""

    def __post_init__(self) -> None:
        for name in ("max_tokens", "max_prompt_tokens"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise ValueError(f"{name} must be a whole number above 0, got {value!r}")
        if self.mask not in ("text", "completable", None):
            raise ValueError(f'mask must be "text", "completable" or None, got {self.mask!r}')

    def make_limits(self) -> Limits:
        """The limits as a record."""
        return Limits(**self.limits) if isinstance(self.limits, dict) else self.limits

    def make_line_scorer(self) -> LineScorer | None:
        """Return the line scorer as an object."""
        return make_line_scorer(self.line_scorer)

    def make_reward(self) -> Reward:
        """The reward as an object."""
        reward = parse_reward(self.reward)
        needy = [term.name for term, _ in reward.terms if term.scores and term.needs_scorer]
        if self.line_scorer is None and needy:
            raise ValueError(f"reward term {needy[0]!r} needs line scores: pass line_scorer=... as well")
        return reward

    def make_dynamics(self, tokenizer: Tokenizer, reward: Reward, num_slots: int) -> CodeDynamics:
        """Slots for episodes with these settings."""
        return CodeDynamics(
            tokenizer,
            make_judge(self.sandbox, self.make_limits()),
            num_slots,
            max_tokens=self.max_tokens,
            max_prompt_tokens=self.max_prompt_tokens,
            line_scorer=self.make_line_scorer(),
            score_per_line=reward.scores is ScoresNeeded.PER_LINE,
        )

    def make_actions(self, tokenizer: Tokenizer) -> TokenActions | LineActions:
        """How an action is read."""
        return TokenActions(tokenizer)


@dataclass(frozen=True)
class LineEnvConfig(EnvConfig):
    """``Settings`` of environments whose actions are lines."""

    max_line_tokens: int = 64
    """Room for the tokens of one action."""

    def make_actions(self, tokenizer: Tokenizer) -> TokenActions | LineActions:
        """How an action is read."""
        return LineActions(tokenizer, self.max_line_tokens)
