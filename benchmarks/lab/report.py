"""From results to a table, learning curves and a summary."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from benchmarks.lab.design import Arm, Setting
from benchmarks.lab.experiment import Experiment
from benchmarks.lab.plots import draw_curves
from benchmarks.lab.results import PassRate, Results
from benchmarks.lab.stats import TARGET_PASS_RATE, format_count, interval_of_median, median
from codegym.evaluation import bootstrap_interval

COLUMNS = ("tasks", "start", "arm", "seeds", "sampled", "greedy", f"programs to {TARGET_PASS_RATE:.0%}", "with labels")


def write_report(experiment: Experiment, results: Results, out: Path) -> Table:
    """Write ``table.md``, ``curves.png`` and ``summary.md``, and return the table for the terminal.

    Args:
        experiment: The experiment, which words the summary.
        results: Its results.
        out: Folder for the files.
    """
    rows = table_rows(results)
    (out / "table.md").write_text(markdown_table(rows), encoding="utf-8")
    (out / "summary.md").write_text(experiment.summarize(results), encoding="utf-8")
    draw_curves(results, out / "curves.png")
    table = Table()
    for column in COLUMNS:
        table.add_column(column, justify="left" if column in ("tasks", "arm") else "right")
    for row in rows:
        table.add_row(*row)
    return table


def table_rows(results: Results) -> list[tuple[str, ...]]:
    """Return a row of ``COLUMNS`` for each arm in each setting of ``results``."""
    return [table_row(results, setting, arm) for setting in results.settings for arm in results.arms_of(setting)]


def table_row(results: Results, setting: Setting, arm: Arm) -> tuple[str, ...]:
    """Return the row of one arm in one setting.

    Args:
        results: Results of the experiment.
        setting: The setting.
        arm: The arm.
    """
    runs = results.runs_of(setting, arm)
    return (
        setting.name,
        results.initial_pass_rate(setting),
        arm.name,
        str(len(runs)),
        format_pass_rates([run.sampled for run in runs]),
        f"{statistics.mean(run.greedy.pass_rate for run in runs):.2f}",
        format_costs(results.costs(setting, arm)),
        format_costs(results.costs(setting, arm, with_labels=True)),
    )


def format_pass_rates(rates: Sequence[PassRate]) -> str:
    """Return the mean over seeds with its 95 % interval; with fewer than three seeds, the span of their intervals.

    Args:
        rates: One pass rate a seed.
    """
    means = [rate.pass_rate for rate in rates]
    span = min(rate.interval[0] for rate in rates), max(rate.interval[1] for rate in rates)
    low, high = bootstrap_interval(means) if len(means) > 2 else span
    return f"{statistics.mean(means):.2f} ({low:.2f}..{high:.2f})"


def format_costs(costs: Sequence[float]) -> str:
    """Return the median of ``costs``, with its interval if there are several seeds."""
    middle = format_count(median(costs))
    if len(costs) < 2:
        return middle
    low, high = interval_of_median(costs)
    return middle if low == high else f"{middle} ({format_count(low)}..{format_count(high)})"


def markdown_table(rows: Sequence[tuple[str, ...]]) -> str:
    """Return ``rows`` as a table in Markdown."""
    lines = [COLUMNS, tuple("---" for _ in COLUMNS), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
