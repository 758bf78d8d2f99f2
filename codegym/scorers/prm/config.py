"""Settings of the training of a process reward model, as a record that needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from codegym.scorers.labels import LabelKind, Selection

Loss = Literal["mse", "cross_entropy"]
Target = LabelKind | Literal["values"]


@dataclass(frozen=True)
class TrainConfig:
    """How a process reward model is trained.

    Raises:
        ValueError: A number is out of range.
    """

    target: Target = "hard"
    """Target of the scores: "hard" labels 1 and -1; "soft" or "marginal" ones, which need programs labeled with the
    method "monte_carlo"; or "values", the outcomes of the completions that were sampled for the labels. A model of
    values is a critic and no judge of lines (see ``codegym.scorers.prm.value_labels``); start it from a model of hard
    labels."""
    selection: Selection = "remove_hard"
    """Selection of the training programs; see ``codegym.scorers.labels.select``. The report always uses the
    "remove_hard" selection of the held-out tasks. The target "values" uses all programs, since failures have values."""
    witnesses: bool = True
    """Learn hard labels also from witnesses: passing completions found while labeling. They cost no further sample.
    Without them the model sees few correct late lines, and learns to score late lines as wrong."""
    loss: Loss = "mse"
    """Loss: "mse" of scores and labels (PSGPO), or "cross_entropy" of both as probabilities (Math-Shepherd)."""
    neutral_lines: bool = True
    """Learn the label 0 of comments and the like, too. Environments never request scores of such lines."""
    epochs: int = 8
    """Number of passes over the training programs."""
    batch_size: int = 32
    """Number of programs in an update."""
    learning_rate: float = 1e-3
    """Largest learning rate. It grows over the first tenth of the updates and falls to 0 until the last one. Large
    pre-trained models need about 1e-5."""
    weight_decay: float = 0.01
    """Weight decay of AdamW."""
    max_grad_norm: float = 1.0
    """Largest norm of the gradient; a larger one is scaled down to it."""
    holdout_fraction: float = 0.1
    """Fraction of the tasks that is held out for the report."""
    on_useless: Literal["raise", "warn"] = "raise"
    """Action if the model is no better than chance on held-out tasks: "raise" an error, or "warn"."""
    seed: int = 0
    """Seed of the order of programs and of dropout."""

    def __post_init__(self) -> None:
        if not 0 < self.holdout_fraction < 1:
            raise ValueError(f"wrong holdout_fraction: got {self.holdout_fraction}; expected a number between 0 and 1")
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"wrong {name}: got {getattr(self, name)}; expected at least 1")
