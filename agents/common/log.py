"""The log of a run: a row an iteration, as a line of JSON, in TensorBoard and, where wanted, in Weights & Biases."""

from __future__ import annotations

import hashlib
import importlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter


class Log:
    """An open log, which goes on from the iteration where training goes on.

    Args:
        folder: of the run; rows are in ``metrics.jsonl`` and ``tensorboard``.
        first: iteration that comes next; what there is of it and of later ones is forgotten.
        wandb_project: of Weights & Biases, or None.
        settings: of the run, shown in Weights & Biases.

    Raises:
        ImportError: a project is named and the package ``wandb`` is not installed.
    """

    def __init__(
        self, folder: Path, first: int, wandb_project: str | None = None, settings: Mapping[str, Any] | None = None
    ) -> None:
        self.file = folder / "metrics.jsonl"
        self._wandb = None if wandb_project is None else _open_wandb(wandb_project, folder, settings)
        lines = self.file.read_text("utf-8").splitlines(keepends=True) if self.file.exists() else []
        self.file.write_text("".join(line for line in lines if json.loads(line)["iteration"] < first), "utf-8")
        self._tensorboard = SummaryWriter(str(folder / "tensorboard"), purge_step=first)

    def write(self, row: Mapping[str, float]) -> None:
        """Write a row; JSON has no NaN and no infinity, so a number that is not finite is left out."""
        row = {name: value for name, value in row.items() if math.isfinite(value)}
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, allow_nan=False) + "\n")
        for name, value in row.items():
            self._tensorboard.add_scalar(name, value, row["iteration"])
        if self._wandb is not None:
            self._wandb.log(dict(row), step=row["iteration"])

    def close(self) -> None:
        """Write what is still held back."""
        self._tensorboard.close()
        if self._wandb is not None:
            self._wandb.finish()


def _open_wandb(project: str, folder: Path, settings: Mapping[str, Any] | None) -> Any:
    """A run of Weights & Biases; the same folder is the same run, so one that was interrupted goes on there too."""
    try:
        wandb = importlib.import_module("wandb")
    except ImportError as error:
        raise ImportError(
            f"wandb_project={project!r} needs the package wandb: pip install 'codegym[wandb]' or pip install wandb, "
            "or leave wandb_project out; the log is in metrics.jsonl and TensorBoard in any case"
        ) from error
    name = hashlib.blake2b(str(folder.resolve()).encode(), digest_size=8).hexdigest()
    return wandb.init(
        project=project, id=name, name=folder.name, dir=str(folder), config=dict(settings or {}), resume="allow"
    )
