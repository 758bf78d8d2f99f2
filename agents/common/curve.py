"""The learning curve of a run as a picture (extra ``benchmarks``, for matplotlib)."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path


def draw_curve(rows: Sequence[Mapping[str, float]], file: Path) -> None:
    """Draw pass rate and reward over the programs that were written.

    Args:
        rows: of the log of a run.
        file: of the picture, such as ``curve.png``.

    Raises:
        ImportError: matplotlib is not installed.
    """
    try:
        figures = importlib.import_module("matplotlib.figure")
    except ImportError as error:
        raise ImportError(
            f"{file} needs matplotlib: pip install 'codegym[benchmarks]' or pip install matplotlib"
        ) from error
    figure = figures.Figure(figsize=(7, 4), layout="constrained")  # not of pyplot: nothing stays open
    left = figure.add_subplot(xlabel="programs", ylabel="pass rate", ylim=(-0.02, 1.02))
    right = left.twinx()  # rewards have another range
    right.set_ylabel("reward")
    programs = [row["programs"] for row in rows]
    lines = left.plot(programs, [row["pass_rate"] for row in rows], "o-", color="C0", markersize=3, label="pass rate")
    lines += right.plot(programs, [row["reward"] for row in rows], "--", color="C1", label="reward")
    left.legend(handles=lines, loc="lower right")
    figure.savefig(file, dpi=150)
