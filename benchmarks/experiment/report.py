"""From results to a table, a plot and a page of words."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from rich.table import Table

from benchmarks.experiment.settings import Arm, Experiment
from codegym.evaluation import bootstrap_interval

Result = dict[str, Any]
GOAL = 0.5
"""The pass rate whose price is compared."""


def report(experiment: Experiment, cost: Result, results: Sequence[Result], out: Path) -> Table:
    """Write ``table.md``, ``curves.png`` and ``summary.md``; give the table for the terminal."""
    by_arm: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        by_arm[result["arm"]].append(result)
    rows = [row(arm, by_arm[arm.name], cost, experiment) for arm in experiment.chosen_arms() if by_arm[arm.name]]
    (out / "table.md").write_text(markdown(rows), encoding="utf-8")
    plot(experiment, by_arm, out / "curves.png")
    (out / "summary.md").write_text(summary(experiment, cost, rows), encoding="utf-8")
    return table(rows)


COLUMNS = ("arm", "seeds", "at the start", "sampled", "greedy", f"programs to {GOAL:.0%}", "label completions")


def row(arm: Arm, results: Sequence[Result], cost: Result, experiment: Experiment) -> dict[str, str]:
    """What one arm came to, as text."""
    sampled = [result["sampled"]["pass_rate"] for result in results]
    needed = [programs_to(result["curve"], GOAL) for result in results]
    values = (
        arm.name,
        str(len(results)),
        f"{statistics.mean(result['curve'][0]['pass_rate'] for result in results):.3f}",
        with_interval(sampled, [result["sampled"]["interval"] for result in results]),
        f"{statistics.mean(result['greedy']['pass_rate'] for result in results):.3f}",
        spread(needed),
        f"{cost['completions']:,}" if arm.needs_labels else "0",
    )
    return dict(zip(COLUMNS, values, strict=True))


def with_interval(rates: Sequence[float], intervals: Sequence[Sequence[float]]) -> str:
    """A mean with its 95 % interval: over seeds where there are several, else over tasks."""
    low, high = bootstrap_interval(list(rates)) if len(rates) > 2 else intervals[0]
    return f"{statistics.mean(rates):.3f} ({low:.3f}..{high:.3f})"


def programs_to(curve: Sequence[Result], goal: float) -> float:
    """Programs until the mean pass rate of two iterations in a row reaches the goal; infinite where it never does."""
    for before, now in zip(curve, curve[1:], strict=False):
        if (before["pass_rate"] + now["pass_rate"]) / 2 >= goal:
            return float(now["programs"])
    return math.inf


def spread(needed: Sequence[float]) -> str:
    """Smallest and largest number of programs, "never" where the goal was not reached."""
    said = ["never" if math.isinf(number) else f"{number:,.0f}" for number in sorted(needed)]
    return said[0] if said[0] == said[-1] else f"{said[0]}..{said[-1]}"


def table(rows: Sequence[dict[str, str]]) -> Table:
    """The rows for a terminal."""
    made = Table()
    for column in COLUMNS:
        made.add_column(column, justify="left" if column == "arm" else "right")
    for each in rows:
        made.add_row(*each.values())
    return made


def markdown(rows: Sequence[dict[str, str]]) -> str:
    """The rows as a table in Markdown."""
    lines = [COLUMNS, tuple("---" for _ in COLUMNS), *[tuple(each.values()) for each in rows]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def plot(experiment: Experiment, by_arm: dict[str, list[Result]], file: Path) -> None:
    """Pass rate over programs: one line an arm, thin ones for its seeds."""
    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    for number, arm in enumerate(experiment.chosen_arms()):
        curves = [result["curve"] for result in by_arm[arm.name]]
        programs = [point["programs"] for point in curves[0]]
        rates = [[point["pass_rate"] for point in curve] for curve in curves]
        for each in rates if len(rates) > 1 else []:
            axes.plot(programs, each, color=f"C{number}", alpha=0.3, linewidth=1)
        means = [statistics.mean(column) for column in zip(*rates, strict=True)]
        axes.plot(programs, means, color=f"C{number}", linewidth=2, label=arm.name)
    axes.axhline(GOAL, color="grey", linewidth=0.5)
    axes.set(xlabel="programs written", ylabel="pass rate while training", ylim=(-0.02, 1.02))
    axes.set_title(f"{experiment.family}, {experiment.horizon} lines that must all be right")
    axes.legend(frameon=False)
    figure.savefig(file, dpi=150)
    plt.close(figure)


def summary(experiment: Experiment, cost: Result, rows: Sequence[dict[str, str]]) -> str:
    """What was done and found, for somebody who has read no paper."""
    seeds = len(experiment.seeds)
    caution = (
        "One seed says little: a difference counts when it shows again with others.\n"
        if seeds == 1
        else f"Intervals are over {seeds} seeds.\n"
    )
    completions, executions = f"{cost['completions']:,}", f"{cost['executions']:,}"
    return f"""# Does a process reward model pay?

A small policy was taught to write programs of {experiment.horizon} lines, mistakes included, and then trained on what
the unit tests say. The question is whether it learns faster when a process reward model (PRM) also scores every line.

The PRM has its price: {cost["programs"]:,} programs were labelled by completing their beginnings {completions}
times ({executions} executions, {cost["label_seconds"]:.0f} s). Its labels agree with the true first wrong
line in {cost["agreement_with_oracle"]:.1%} of the lines. On tasks that it has not seen it tells right lines from wrong
ones with a balanced accuracy of {cost["balanced_accuracy"]:.3f} (guessing: 0.5), calibration error
{cost["calibration_error"]:.3f}.

{markdown(rows)}
"Sampled" and "greedy" are pass rates on {experiment.eval_programs} unseen tasks after training, with 95 % intervals.
{caution}"""
