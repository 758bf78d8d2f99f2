"""Table of the generation measurements."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.lab.spread import Spread
from benchmarks.speed.training.generation import GenerationTimes

GOALS = {"tiny": 3.0, "100m": 1.2}
"""Model -> wanted ratio to ``model.generate``."""


def print_generation(found: Sequence[GenerationTimes], load: float, console: Console) -> None:
    """Print the table.

    Args:
        found: Measurements.
        load: Load of the machine before the run.
        console: Console for the table.
    """
    table = Table(title=f"generation; load of the machine before the run {load:.1f}; median (min..max)")
    columns = ("model", "batch", "lengths", "threads", "contender", "tokens/s", "times generate", "of CPU time", "goal")
    for column in (*columns, "of the matrix rate", "log-prob error"):
        table.add_column(column, justify="left" if column in ("model", "lengths", "contender") else "right")
    for each in found:
        for name in each.seconds:
            table.add_row(*generation_cells(each, name))
    console.print(table)


def generation_cells(found: GenerationTimes, name: str) -> list[str]:
    """Return one row: a contender at one setting.

    Args:
        found: Measurements of the setting.
        name: Name of the contender.
    """
    rates = [found.num_tokens / seconds for seconds in found.seconds[name]]
    wall = ratios(found.seconds, name)
    row = [found.model, str(found.batch_size), found.lengths, str(found.num_threads), name]
    times = Spread.of(wall)
    row += [Spread.of(rates).format(), times.format(".1f"), Spread.of(ratios(found.cpu_seconds, name)).format(".1f")]
    goal = GOALS[found.model]
    row.append(("met" if times.middle >= goal else "missed") + f" ({goal:g})" if name == "ours" else "")
    # Two operations for each weight and token; attention, which comes on top, is left out.
    shares = [2e-9 * found.num_parameters * rate / peak for rate, peak in zip(rates, found.gflops, strict=True)]
    return [*row, Spread.of(shares).format(".0%"), f"{found.error:.0e}" if name == "ours" else ""]


def ratios(seconds: dict[str, list[float]], name: str) -> list[float]:
    """Return the ratio to ``model.generate``, round by round.

    Args:
        seconds: Contender -> seconds by round.
        name: Name of the contender.
    """
    return [theirs / ours for theirs, ours in zip(seconds["generate"], seconds[name], strict=True)]
