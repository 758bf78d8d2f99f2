"""The design of an experiment: tasks, labels, and the arms that are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from codegym.plugins import suggest

AgentOptions = Mapping[str, Any]
"""Fields of an agent's configuration, such as ``{"learning_rate": 3e-4}``."""


@dataclass(frozen=True)
class Arm:
    """One way to train; everything else is equal for all arms."""

    name: str
    """Name in tables, figures and folders."""
    description: str = field(default="", compare=False)
    """Description for the summary."""
    agent: str = "ppo"
    """Name in ``agents.AGENTS``, or "package.module:object"."""
    dense: bool = False
    """Whether the design's ``shaping`` terms, which read line scores, are added to the reward."""
    value_init: Literal["none", "prm", "value_model"] = "none"
    """Initial critic: a copy of the policy, the process reward model, or that model fine-tuned on the outcomes of the
    completions that its labels were found with."""
    curriculum: bool = False
    """Whether to train on tasks of all lengths up to the evaluated one instead of that length only."""
    options: AgentOptions = field(default_factory=dict)
    """Options of the agent in every run of the arm."""
    trials: tuple[AgentOptions, ...] = ({},)
    """Options that tuning chooses from; every arm has the same number of trials."""
    tuned: AgentOptions = field(default_factory=dict)
    """Options of the arm in a design without tuning."""
    label: str = field(default="", compare=False)
    """Name in figures, understandable without the description; empty for ``name``."""
    color: str = field(default="", compare=False)
    """Color in all figures, as matplotlib names it."""

    @property
    def needs_labels(self) -> bool:
        """Whether the arm uses the process reward model, so that the cost of the labels is its cost too."""
        return self.dense or self.value_init != "none"


@dataclass(frozen=True)
class Setting:
    """Tasks of one difficulty, and the budget on them."""

    num_lines: int
    """Lines that must all be correct."""
    difficulty: float = 0.0
    """Share of error-prone operations in the tasks, from 0 to 1."""
    num_iterations: int = 40
    """Iterations after which an arm is stopped."""
    num_seeds: int = 3
    """Training runs of each arm."""
    match_label_budget: bool = False
    """Whether arms without labels may write as many more programs as the labels took completions."""

    @property
    def name(self) -> str:
        """Name in tables and folders."""
        return f"{self.num_lines} lines" + (f", hard {self.difficulty:g}" if self.difficulty else "")

    @property
    def max_tokens(self) -> int:
        """Token budget of a program: about 1.5 times the longest solutions."""
        return 40 + 15 * self.num_lines


@dataclass(frozen=True)
class Design:
    """Everything that decides the numbers of an experiment.

    Raises:
        ValueError: Two arms have one name, arms have unequal numbers of trials, or an arm needs a value model and
            ``keep_completions`` is 0.
    """

    settings: tuple[Setting, ...]
    """Tasks that every arm is trained on."""
    arms: tuple[Arm, ...]
    """Ways to train that are compared."""
    family: str = "pipelines"
    """Procedural family of the tasks."""
    batch_size: int = 256
    """Programs an iteration."""
    max_lines: int = 6
    """Lines of the longest tasks in the supervised start."""
    sft_programs: int = 12_000
    """Programs of the supervised start."""
    label_lines: tuple[int, int] = (1, 4)
    """Shortest and longest tasks whose programs are labeled; programs for longer ones have hardly any correct line."""
    label_programs: int = 2_000
    """Programs that are labeled."""
    num_completions: int = 12
    """Completions K of a prefix; the prefix counts as lost if none of them passes."""
    prm_epochs: int = 12
    """Epochs of the process reward model."""
    keep_completions: int = 0
    """Completions of each prefix that are kept for the value model; 0 trains none."""
    reward: str = "outcome"
    """Reward of all arms."""
    shaping: str = "0.25*progress"
    """Terms that dense arms add. The weight is PSGPO's: one passing program outweighs many errors of the process reward
    model. Adam is insensitive to it as long as no program passes."""
    eval_every: int = 2
    """Iterations between two evaluations."""
    eval_programs: int = 256
    """Unseen tasks of an evaluation; the final one has twice as many."""
    stop_at_pass_rate: float | None = None
    """Pass rate at which a run ends early; enough if only the cost of reaching 50 % is asked for."""
    initial_eval_programs: int = 4_096
    """Programs for the pass rate of the initial policy."""
    tuning: Setting | None = None
    """Setting on which arms are tuned; None takes each arm's ``tuned`` options."""

    def __post_init__(self) -> None:
        names = [arm.name for arm in self.arms]
        if len({*names}) < len(names):
            raise ValueError(f"two arms have one name: got {', '.join(names)}; expected different names")
        if len({len(arm.trials) for arm in self.arms}) > 1:
            counts = ", ".join(f"{arm.name}: {len(arm.trials)}" for arm in self.arms)
            raise ValueError(f"unequal tuning budgets: got {counts}; expected the same number of trials for every arm")
        if not self.keep_completions and any(arm.value_init == "value_model" for arm in self.arms):
            raise ValueError("an arm needs a value model: got keep_completions=0; expected at least 1")

    def get_arm(self, name: str) -> Arm:
        """Return the arm called ``name``.

        Raises:
            ValueError: There is no such arm.
        """
        arms = {arm.name: arm for arm in self.arms}
        if name not in arms:
            raise ValueError(f"unknown arm: got {name!r}{suggest(name, arms)}; expected one of {', '.join(arms)}")
        return arms[name]


@dataclass(frozen=True)
class RunSpec:
    """Everything that the process of one training run needs."""

    design: Design
    """Design of the experiment."""
    setting: Setting
    """Tasks and budget of the run."""
    arm: str
    """Name of the arm."""
    options: Mapping[str, Any]
    """Options of the agent, on top of those of the design."""
    seed: int
    """Seed of tasks, tokens and minibatches."""
    initial_policy: str
    """Folder of the policy to start from."""
    prm: str
    """Folder of the process reward model."""
    out: str
    """Folder of the run."""
    sandbox: str
    """Sandbox back end."""
