"""Process reward models: line scorers that are learned from labeled programs.

All but ``TrainConfig`` and ``Report`` needs PyTorch; it is imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from codegym.plugins import lazy_exports
from codegym.scorers.prm.config import TrainConfig
from codegym.scorers.prm.report import PRMQualityError, Report

if TYPE_CHECKING:
    from codegym.scorers.prm.model import ProcessRewardModel
    from codegym.scorers.prm.train import evaluate_prm, train_prm
    from codegym.scorers.prm.value import ValueModel

__all__ = [
    "PRMQualityError",
    "ProcessRewardModel",
    "Report",
    "TrainConfig",
    "ValueModel",
    "evaluate_prm",
    "train_prm",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    __all__,
    {
        "ProcessRewardModel": "codegym.scorers.prm.model:ProcessRewardModel",
        "ValueModel": "codegym.scorers.prm.value:ValueModel",
        "evaluate_prm": "codegym.scorers.prm.train:evaluate_prm",
        "train_prm": "codegym.scorers.prm.train:train_prm",
    },
)
