"""Tables of whole training runs: the share of each stage in an iteration."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.lab.spread import Spread
from benchmarks.speed.training.end_to_end import TrainingTimes
from benchmarks.speed.training.stages import STAGES

COLUMNS = ("stage", "seconds", "share", "CPU s", "GFLOP", "GFLOP/CPU s", "of matrix rate", "products alone")


def print_shares(found: Sequence[TrainingTimes], load: float, console: Console) -> None:
    """Print a table for each arm, with a summary below it.

    Args:
        found: Measurements of the arms.
        load: Load of the machine before the run.
        console: Console for the tables.
    """
    for each in found:
        title = f"{each.arm}: {each.programs} programs an iteration, {each.sandbox}, load before {load:.1f}"
        table = Table(title=f"{title}; median (min..max) of {len(each.totals)} iterations")
        for column in COLUMNS:
            table.add_column(column, justify="left" if column == "stage" else "right")
        for stage in STAGES:
            if stage == "judging" or any(each.seconds[stage]):  # that nobody waits is worth a row
                table.add_row(*share_cells(each, stage))
        table.add_row("all", Spread.of(each.totals).format(".2f"), "100%", f"{statistics.median(each.cpu_totals):.2f}")
        console.print(table)
        console.print(share_summary(each), highlight=False)


def share_cells(found: TrainingTimes, stage: str) -> list[str]:
    """Return one row; the last four columns are filled only if a stage has matrix products.

    Operations are divided by CPU time, since waiting for a busy core is no property of the code.

    Args:
        found: Measurements of an arm.
        stage: Name of the stage.
    """
    seconds, cpu_seconds = found.seconds[stage], found.cpu_seconds[stage]
    share = statistics.median(part / whole for part, whole in zip(seconds, found.totals, strict=True))
    row = [stage, Spread.of(seconds).format(".3f"), f"{share:.0%}", f"{statistics.median(cpu_seconds):.3f}"]
    if not (gflop := found.gflop.get(stage)):
        return [*row, "", "", "", ""]
    rates = [gflop / cpu for cpu in cpu_seconds]
    reached = statistics.median(rate / peak for rate, peak in zip(rates, found.matrix_rates, strict=True))
    alone = found.product_seconds[stage] / statistics.median(cpu_seconds)
    return [*row, f"{gflop:.1f}", f"{statistics.median(rates):.1f}", f"{reached:.0%}", f"{alone:.0%}"]


def share_summary(found: TrainingTimes) -> str:
    """Return programs per second, and the CPU time of the judge, in a sentence.

    Args:
        found: Measurements of an arm.
    """
    rates = [found.programs / seconds for seconds in found.totals]
    return (
        f"{Spread.of(rates).format()} programs/s end to end, {statistics.median(found.tokens):.0f} tokens a program; "
        f"CPU time of the boxes {Spread.of(found.judge_cpu_seconds).format('.2f')} s an iteration, of the threads that "
        f"pass programs on {Spread.of(found.thread_cpu_seconds).format('.2f')} s; a product of two 1024 x 1024 "
        f"matrices reaches {Spread.of(found.matrix_rates).format('.1f')} GFLOP/CPU s"
    )
