"""How a process reward model is trained, as a record that needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from codegym.scorers.labels.labels import LabelKind, Selection

Loss = Literal["mse", "cross_entropy"]
Target = LabelKind | Literal["values"]


@dataclass(frozen=True)
class TrainConfig:
    """How a model is trained."""

    target: Target = "hard"
    """"hard" +1 and -1; "soft" and "marginal" need programs that were labeled with the method "monte_carlo"; "values"
    learns how the completions ended that the labels were found with, which makes it a model of values, a critic and no
    judge of lines (see ``codegym.scorers.prm.value_labels``). Let it go on from a model of hard labels."""
    selection: Selection = "remove_hard"
    """Which programs of the tasks that are not held out; see ``codegym.scorers.labels.labels.select``. The report is
    made on the "remove_hard" ones of those that are, whatever is chosen here. "values" takes all: what fails has a
    value too."""
    witnesses: bool = True
    """Learn hard labels also from the programs that prove the others' beginnings right, which the labels gave for
    nothing. A weak policy's own programs hardly have right lines late in them: a model that has seen no others holds
    late lines for wrong."""
    loss: Loss = "mse"
    neutral_lines: bool = True
    """Learn the label 0 of comments and the like; environments never ask for their score."""
    epochs: int = 8
    batch_size: int = 32
    """Programs a step."""
    learning_rate: float = 1e-3
    """The highest: it grows over the first tenth of the steps and falls to 0 until the last one. Large pre-trained
    trunks want 1e-5."""
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0
    holdout_fraction: float = 0.1
    """Share of the tasks that the report is made on."""
    on_useless: Literal["raise", "warn"] = "raise"
    """What happens where the held-out report is no better than guessing."""
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.holdout_fraction < 1:
            raise ValueError(
                f"holdout_fraction must be between 0 and 1, got {self.holdout_fraction}: without it nothing is known"
            )
        if self.epochs < 1 or self.batch_size < 1:
            raise ValueError(f"epochs and batch_size must be at least 1, got {self.epochs} and {self.batch_size}")
