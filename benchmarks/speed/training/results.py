"""From measurements to a table."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.lab.spread import Spread
from benchmarks.speed.training.generation import Measured

GOALS = {"tiny": 3.0, "100m": 1.2}
"""How many times as fast as ``model.generate``."""


def show(found: Sequence[Measured], load: float, console: Console) -> None:
    """Print the table."""
    table = Table(title=f"generation; load of the machine before the run {load:.1f}; median (min..max)")
    columns = ("model", "batch", "lengths", "threads", "contender", "tokens/s", "times generate", "of CPU time", "goal")
    for column in (*columns, "of the matrix rate", "log-prob error"):
        table.add_column(column, justify="left" if column in ("model", "lengths", "contender") else "right")
    for each in found:
        for name in each.seconds:
            table.add_row(*cells(each, name))
    console.print(table)


def cells(found: Measured, name: str) -> list[str]:
    """One row: a contender at one setting."""
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
    """How many times as fast as ``model.generate``, round by round."""
    return [theirs / ours for theirs, ours in zip(seconds["generate"], seconds[name], strict=True)]
