"""Configuration of an environment, as plain values or objects."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, TypedDict, TypeVar

from codegym.envs.actions import LineActions, TokenActions
from codegym.envs.dynamics import CodeDynamics
from codegym.envs.observations import DictObservation, OneHotObservation
from codegym.judge import make_judge
from codegym.plugins import suggest
from codegym.rewards import Reward, RewardLike, ScoresNeeded, parse_reward
from codegym.sandbox import Limits
from codegym.scorers import LineScorer, LineScorerLike, make_line_scorer
from codegym.tasks.source import TasksLike
from codegym.tokenizers import Tokenizer

Mask = Literal["text", "completable"] | None
ObservationForm = Literal["dict", "one_hot"]
T = TypeVar("T")


class EnvKeywords(TypedDict, total=False):
    """Types of the keywords of environments, for type checkers and editors.

    ``EnvConfig`` documents them; ``max_line_tokens`` is for line environments, see ``LineEnvConfig``.
    """

    tasks: TasksLike
    path: str | os.PathLike[str] | None
    tokenizer: Any
    reward: RewardLike
    line_scorer: LineScorerLike
    sandbox: Any
    limits: Limits | Mapping[str, Any]
    packages: Sequence[str]
    max_tokens: int
    max_prompt_tokens: int
    mask: Mask
    observation: ObservationForm
    window: int
    max_line_tokens: int


@dataclass(frozen=True, kw_only=True)
class EnvConfig:
    """Keywords that all environments share; plain values can come from a configuration file.

    Raises:
        ValueError: A keyword has a value out of its range, or two of them contradict each other.
        TypeError: A keyword has a value of the wrong type.
    """

    tasks: TasksLike = "arithmetic"
    """Tasks: name of a procedural family or data set, ``"module:object"``, a ``Task``, a sequence of tasks, or a task
    source."""
    path: str | os.PathLike[str] | None = None
    """File of the data set that ``tasks`` names; None takes the data set from the Hub."""
    tokenizer: Any = "bytes"
    """Tokenizer: "bytes", a list of token strings, folder or Hub id of a ``transformers`` tokenizer,
    ``"module:object"``, or a ``Tokenizer``."""
    reward: RewardLike = "outcome"
    """Reward: terms by name ("outcome + 0.5*process"), a mapping of terms to weights, a function of a ``Step``,
    ``"module:object"``, or a ``Reward``."""
    line_scorer: LineScorerLike = None
    """Scorer of closed lines, for rewards that read scores: a name such as "fake", the folder of a process reward
    model, ``"module:object"``, or an object with ``score(requests)``."""
    sandbox: Any = "auto"
    """Sandbox that runs the programs: "auto", "docker", "process", "fake" (runs nothing), ``"module:object"``, an open
    sandbox, or a judge."""
    limits: Limits | Mapping[str, Any] = Limits()  # noqa: RUF009 - a frozen record
    """Resource limits of each program process: a ``Limits``, or a mapping of its fields (seconds, MiB)."""
    packages: Sequence[str] = ()
    """Packages that programs may import beyond the standard library, such as ``["numpy"]``; for a sandbox by name."""
    max_tokens: int = 512
    """Token budget of a completion, the end-of-sequence token included."""
    max_prompt_tokens: int = 256
    """Tokens of the prompt in the observation; a longer prompt loses its beginning."""
    mask: Mask = "text"
    """Tokens that ``action_mask`` allows: "text" (tokens that are text), "completable" (tokens after which the program
    can still become valid Python), or None for no masks."""
    observation: ObservationForm = "dict"
    """Observation: "dict" (all token ids and lengths) or "one_hot" (the last ``window`` tokens as a flat vector)."""
    window: int = 8
    """Tokens in an observation of the form "one_hot"; others ignore it."""

    def __post_init__(self) -> None:
        for name in ("max_tokens", "max_prompt_tokens", "window"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise ValueError(f"wrong {name}: got {value!r}; expected a whole number above 0")
        for name, known in (("mask", ("text", "completable", None)), ("observation", ("dict", "one_hot"))):
            value = getattr(self, name)
            if value not in known:
                hint = suggest(value, [one for one in known if one]) if isinstance(value, str) else ""
                raise ValueError(f"wrong {name}: got {value!r}{hint}; expected one of {', '.join(map(repr, known))}")
        if isinstance(self.packages, str):
            raise TypeError(f"wrong packages: got {self.packages!r}; expected a sequence of names, such as ['numpy']")
        self.make_limits()

    def make_limits(self) -> Limits:
        """Return the limits as a record.

        Raises:
            TypeError: They are neither a ``Limits`` nor a mapping of its fields.
        """
        names = [field.name for field in fields(Limits)]
        if isinstance(self.limits, Limits):
            return self.limits
        if not isinstance(self.limits, Mapping):
            raise TypeError(
                f"wrong limits: got {self.limits!r}; expected a codegym.Limits or a mapping of its fields "
                f"({', '.join(names)})"
            )
        check_names("limit", self.limits, names)
        return Limits(**self.limits)

    def make_line_scorer(self) -> LineScorer | None:
        """Return the line scorer as an object; None if there is none.

        Raises:
            ValueError: There is no such name, folder or object, or the object has no method ``score``.
            ImportError: It is the folder of a process reward model, and torch is missing.
        """
        return make_line_scorer(self.line_scorer)

    def make_reward(self) -> Reward:
        """Return the reward as an object.

        Raises:
            ValueError: A term needs line scores, and there is no line scorer.
        """
        reward = parse_reward(self.reward)
        needy = [term.name for term, _ in reward.terms if term.scores and term.needs_scorer]
        if self.line_scorer is None and needy:
            raise ValueError(
                f"reward term {needy[0]!r} needs line scores: got line_scorer=None; expected a line scorer. "
                "Pass line_scorer=, for example 'fake' to try it out"
            )
        return reward

    def make_dynamics(self, tokenizer: Tokenizer, reward: Reward, num_slots: int) -> CodeDynamics:
        """Return slots for episodes with this configuration.

        Args:
            tokenizer: Tokenizer of the programs.
            reward: Reward, which decides when lines are scored.
            num_slots: Number of episodes side by side.
        """
        return CodeDynamics(
            tokenizer,
            make_judge(self.sandbox, self.make_limits(), tuple(self.packages)),
            num_slots,
            max_tokens=self.max_tokens,
            max_prompt_tokens=self.max_prompt_tokens,
            line_scorer=self.make_line_scorer(),
            score_per_line=reward.scores is ScoresNeeded.PER_LINE,
        )

    def make_actions(self, tokenizer: Tokenizer) -> TokenActions | LineActions:
        """Return the reader of actions.

        Args:
            tokenizer: Tokenizer whose ids the actions hold.
        """
        return TokenActions(tokenizer)

    def make_observation(self, dynamics: CodeDynamics) -> DictObservation | OneHotObservation:
        """Return the maker of observations.

        Args:
            dynamics: Slots to observe.
        """
        if self.observation == "one_hot":
            return OneHotObservation(dynamics, self.window)
        return DictObservation(dynamics)


@dataclass(frozen=True, kw_only=True)
class LineEnvConfig(EnvConfig):
    """Keywords of environments whose actions are lines."""

    max_line_tokens: int = 64
    """Tokens of one action; a longer line takes several actions."""

    def make_actions(self, tokenizer: Tokenizer) -> TokenActions | LineActions:
        """Return the reader of actions.

        Args:
            tokenizer: Tokenizer whose ids the actions hold.
        """
        return LineActions(tokenizer, self.max_line_tokens)


ConfigT = TypeVar("ConfigT", bound=EnvConfig)


def make_config(kind: type[ConfigT], keywords: Mapping[str, Any], own: Sequence[str]) -> ConfigT:
    """Return the configuration that the keywords of an environment describe.

    Args:
        kind: Class of the configuration.
        keywords: Keywords for the configuration.
        own: Names of the environment's other keywords, for the message.

    Raises:
        TypeError: There is no such keyword.
    """
    check_names("keyword", keywords, [*(field.name for field in fields(kind)), *own])
    return kind(**keywords)


def check_names(kind: str, names: Mapping[str, Any], known: Sequence[str]) -> None:
    """Raise ``TypeError`` for the first name that is not known, with the most similar one.

    Args:
        kind: Word for such a name, in the singular, for the message.
        names: Names with their values.
        known: Names that exist.

    Raises:
        TypeError: A name is not known.
    """
    for name, value in names.items():
        if name not in known:
            raise TypeError(
                f"unknown {kind}: got {name}={value!r}{suggest(name, known)}; expected one of {', '.join(known)}"
            )


def shows_keywords(kind: type[EnvConfig]) -> Callable[[type[T]], type[T]]:
    """Return a decorator that shows the fields of ``kind`` in the signature of a class, for ``help`` and completion."""

    def decorate(cls: type[T]) -> type[T]:
        own = [
            parameter
            for name, parameter in inspect.signature(cls.__init__).parameters.items()
            if name != "self" and parameter.kind is not parameter.VAR_KEYWORD
        ]
        shared = [
            inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=field.type)
            for field in fields(kind)
        ]
        cls.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]  # read by inspect
        return cls

    return decorate
