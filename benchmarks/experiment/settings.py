"""The experiment as data: the tasks, the start, the labels, and the arms that are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Arm:
    """One way to train, everything else being equal."""

    name: str
    said: str
    """In words, for the summary."""
    agent: Literal["ppo", "grpo"] = "ppo"
    reward: str = "outcome"
    dense: bool = False
    """The reward reads the scores of the process reward model."""
    value_init: bool = False
    """The critic starts from the process reward model."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the agent that differ from its defaults."""

    @property
    def needs_labels(self) -> bool:
        """Whether the cost of the labels is this arm's too."""
        return self.dense or self.value_init


_PPO = {"learning_rate": 1e-3, "epochs": 2, "critic_epochs": 4, "critic_warmup": 2}
_DENSE = "outcome + psgpo"
ARMS: tuple[Arm, ...] = (
    Arm("sparse PPO", "PPO with nothing but the tests", options=_PPO),
    Arm("sparse GRPO", "GRPO with nothing but the tests", "grpo", options={"learning_rate": 1e-3, "group_size": 8}),
    Arm("dense", "PPO with the PRM's line scores added (PSGPO)", reward=_DENSE, dense=True, options=_PPO),
    Arm("value init", "PPO whose critic starts from the PRM", value_init=True, options=_PPO),
    Arm("both", "PSGPO: line scores and critic", reward=_DENSE, dense=True, value_init=True, options=_PPO),
)


@dataclass(frozen=True)
class Experiment:
    """All that decides the numbers."""

    family: str = "pipelines"
    horizon: int = 8
    """Lines that must all be right."""
    hard: float = 0.0
    seeds: tuple[int, ...] = (0,)
    iterations: int = 24
    programs: int = 256
    """Programs an iteration."""
    max_tokens: int = 160
    max_prompt_tokens: int = 40
    supervised_programs: int = 16_000
    label_horizon: tuple[int, int] = (1, 5)
    """Of the programs that are labelled: those of long tasks have hardly a right line."""
    label_programs: int = 2_000
    num_completions: int = 12
    """K: a prefix is lost where none of them passes."""
    prm_epochs: int = 8
    eval_programs: int = 512
    """Unseen tasks on which the policies are compared in the end."""
    arms: tuple[str, ...] = tuple(arm.name for arm in ARMS)

    def chosen_arms(self) -> list[Arm]:
        """The arms that are run.

        Raises:
            ValueError: there is no arm of that name.
        """
        known = {arm.name: arm for arm in ARMS}
        if unknown := [name for name in self.arms if name not in known]:
            raise ValueError(f"no arm {unknown[0]!r}; there are {', '.join(known)}")
        return [known[name] for name in self.arms]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for a file."""
        return asdict(self)


QUICK = Experiment()
