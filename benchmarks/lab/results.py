"""Results of an experiment as records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.lab.design import Arm, Design, Setting
from benchmarks.lab.stats import CurvePoint, samples_to_threshold


@dataclass(frozen=True)
class PassRate:
    """Share of programs that pass."""

    pass_rate: float
    """Share, from 0 to 1."""
    interval: tuple[float, float]
    """95 % interval over tasks."""


@dataclass(frozen=True)
class ArmResult:
    """Result of one training run."""

    setting: Setting
    """Tasks and budget."""
    arm: str
    """Name of the arm."""
    seed: int
    """Seed of the run."""
    options: Mapping[str, Any]
    """Options of the agent."""
    curve: tuple[CurvePoint, ...]
    """Learning curve, one point an iteration."""
    sampled: PassRate
    """Final pass rate of sampled programs on unseen tasks."""
    greedy: PassRate
    """Final pass rate of greedily decoded programs on unseen tasks."""


@dataclass(frozen=True)
class TuningTrial:
    """Result of one tuning run."""

    arm: str
    """Name of the arm."""
    options: Mapping[str, Any]
    """Options that were tried."""
    mean_pass_rate: float
    """Mean over all evaluations of the run."""
    samples_to_threshold: float | None = None
    """Programs to the target pass rate, or None if it was not reached."""


@dataclass(frozen=True)
class PRMSummary:
    """Cost of the labels, and quality of the process reward model on held-out tasks."""

    programs: int
    """Programs that were labeled."""
    completions: int
    """Completions that were sampled for the labels."""
    executions: int
    """Programs that were judged for the labels."""
    label_seconds: float
    """Wall time of labeling."""
    agreement_with_oracle: float
    """Share of lines whose label agrees with the true first wrong line."""
    balanced_accuracy: float
    """Balanced accuracy of the scores' signs."""
    same_line_auc: float
    """Probability that a correct line scores higher than a first wrong line of the same number."""
    calibration_error: float
    """Expected calibration error."""
    tokens: int = 0
    """Tokens of the completions."""
    rounds: int = 0
    """Calls of the sampler."""
    cache_hits: int = 0
    """Prefixes whose success rate was known already."""
    train_seconds: float = 0.0
    """Wall time of training the process reward model."""
    value_model_seconds: float = 0.0
    """Wall time of training the value model."""
    accuracy: float = 0.0
    """Accuracy of the scores' signs."""
    majority_accuracy: float = 0.0
    """Accuracy of always predicting the more frequent sign."""


@dataclass(frozen=True)
class Results:
    """Everything that a report is made of."""

    design: Design
    """Design of the experiment."""
    initial_pass_rates: Mapping[str, tuple[float, float, float]]
    """Name of a setting -> pass rate of the initial policy and its 95 % interval."""
    prm: PRMSummary
    """Labels and process reward model."""
    runs: tuple[ArmResult, ...]
    """Results of the training runs."""
    tuning: tuple[TuningTrial, ...] = ()
    """Results of the tuning runs."""

    @property
    def settings(self) -> list[Setting]:
        """Settings with at least one result."""
        return [setting for setting in self.design.settings if self.arms_of(setting)]

    def arms_of(self, setting: Setting) -> list[Arm]:
        """Return the arms that have a result in ``setting``."""
        return [arm for arm in self.design.arms if self.runs_of(setting, arm)]

    def runs_of(self, setting: Setting, arm: Arm) -> list[ArmResult]:
        """Return the results of an arm in a setting, one a seed; budgets may differ from the setting's.

        Args:
            setting: The setting.
            arm: The arm.
        """
        tasks = (setting.num_lines, setting.difficulty)
        return [
            run for run in self.runs if run.arm == arm.name and (run.setting.num_lines, run.setting.difficulty) == tasks
        ]

    def costs(self, setting: Setting, arm: Arm, *, with_labels: bool = False) -> list[float]:
        """Return the number of programs that each seed of an arm needed to reach the target pass rate.

        Args:
            setting: The setting.
            arm: The arm.
            with_labels: Whether completions of the labels count as programs.
        """
        labels = self.prm.completions if with_labels and arm.needs_labels else 0
        return [samples_to_threshold(run.curve) + labels for run in self.runs_of(setting, arm)]

    def initial_pass_rate(self, setting: Setting) -> str:
        """Return the initial pass rate as text; if no program passed, its upper bound with 97.5 % confidence.

        Args:
            setting: The setting.
        """
        rate, _, high = self.initial_pass_rates[setting.name]
        return f"{rate:.2g}" if rate else f"<{high:.2g}"
