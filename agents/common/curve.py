"""The learning curve of a run as a picture (extra ``benchmarks``, for matplotlib)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path


def draw_curve(rows: Sequence[Mapping[str, float]], file: Path) -> None:
    """Draw pass rate and reward against the number of programs written.

    Args:
        rows: Rows of the log of a run.
        file: Path of the picture, such as ``curve.png``.

    Raises:
        ImportError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(f"{file} needs the package matplotlib: pip install 'codegym[benchmarks]'") from error
    figure = Figure(figsize=(7, 4), layout="constrained")  # without pyplot, which would keep the figure open
    left = figure.add_subplot(xlabel="programs", ylabel="pass rate", ylim=(-0.02, 1.02))
    right = left.twinx()  # rewards have another range
    right.set_ylabel("reward")
    programs = [row["charts/programs"] for row in rows]
    rates, rewards = ([row[f"charts/{name}"] for row in rows] for name in ("pass_rate", "reward"))
    lines = left.plot(programs, rates, "o-", color="C0", markersize=3, label="pass rate")
    lines += right.plot(programs, rewards, "--", color="C1", label="reward")
    left.legend(handles=lines, loc="lower right")
    figure.savefig(file, dpi=150)
