"""The log of a run: one row per iteration, as a line of JSON, in TensorBoard and optionally in Weights & Biases.

Keys are grouped by the part before the slash, as TensorBoard shows them: ``charts/``, ``losses/``, ``reward/``.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from torch.utils.tensorboard import SummaryWriter

if TYPE_CHECKING:
    import wandb

Metrics = dict[str, float]

SPEED = ("charts/tokens_per_second", "charts/programs_per_second")
"""Keys that differ between two runs of the same configuration."""


class Log:
    """An open log, which continues at the iteration at which training resumes.

    Args:
        folder: Folder of the run; rows are written to ``metrics.jsonl`` and ``tensorboard``.
        first: Number of the next iteration. Rows of it and of later iterations are deleted.
        wandb_project: Project of Weights & Biases, or None.
        settings: Configuration of the run, shown in Weights & Biases.

    Raises:
        ImportError: A project is named and the package ``wandb`` is not installed.
    """

    def __init__(
        self, folder: Path, first: int, wandb_project: str | None = None, settings: Mapping[str, object] | None = None
    ) -> None:
        self.file = folder / "metrics.jsonl"
        self._wandb = None if wandb_project is None else _open_wandb(wandb_project, folder, settings)
        lines = self.file.read_text("utf-8").splitlines(keepends=True) if self.file.exists() else []
        self.file.write_text("".join(line for line in lines if json.loads(line)["iteration"] < first), "utf-8")
        self._tensorboard = SummaryWriter(str(folder / "tensorboard"), purge_step=first)

    def write(self, row: Mapping[str, float]) -> None:
        """Write ``row``. Numbers that are not finite are left out, because JSON has neither NaN nor infinity."""
        row = {name: value for name, value in row.items() if math.isfinite(value)}
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, allow_nan=False) + "\n")
        for name, value in row.items():
            self._tensorboard.add_scalar(name, value, row["iteration"])
        if self._wandb is not None:
            self._wandb.log(dict(row), step=int(row["iteration"]))

    def close(self) -> None:
        """Flush and close all writers."""
        self._tensorboard.close()
        if self._wandb is not None:
            self._wandb.finish()


def mean_metrics(rows: Sequence[Mapping[str, float]]) -> Metrics:
    """Return the mean of each metric over ``rows``, which all have the same keys; empty without rows."""
    return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]} if rows else {}


def _open_wandb(project: str, folder: Path, settings: Mapping[str, object] | None) -> wandb.sdk.wandb_run.Run:
    """Open a run of Weights & Biases; the same folder is the same run, so that an interrupted one is continued."""
    try:
        import wandb
    except ImportError as error:
        raise ImportError(
            f"wandb_project={project!r} needs the package wandb: pip install 'codegym[wandb]', or leave wandb_project "
            "out; the log is in metrics.jsonl and TensorBoard in any case"
        ) from error
    name = hashlib.blake2b(str(folder.resolve()).encode(), digest_size=8).hexdigest()
    return wandb.init(
        project=project, id=name, name=folder.name, dir=str(folder), config=dict(settings or {}), resume="allow"
    )
