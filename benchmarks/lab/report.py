"""From results to a table, curves and a page of words."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.table import Table

from benchmarks.lab.experiment import Arm, Cell, Experiment
from benchmarks.lab.stats import GOAL, evaluated, interval_of_median, median, said, samples_to_threshold
from codegym.evaluation.metrics import bootstrap_interval

Result = Mapping[str, Any]


@dataclass(frozen=True)
class Found:
    """All that a report is made of."""

    experiment: Experiment
    starts: Mapping[str, Sequence[float]]
    """Cell -> pass rate of the start and its interval."""
    cost: Mapping[str, Any]
    """Of the labels, and how good the process reward model is."""
    results: Sequence[Result]
    tuning: Sequence[Result] = field(default_factory=list)
    """What tuning looked at, one a trial."""

    def write(self, file: Path) -> None:
        """Keep everything as data."""
        values = {**vars(self), "experiment": self.experiment.as_dict()}
        file.write_text(json.dumps(values) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, file: Path) -> Found:
        """Read what ``write`` wrote."""
        values = json.loads(file.read_text("utf-8"))
        return cls(**values | {"experiment": Experiment.of(values["experiment"])})

    @property
    def cells(self) -> list[Cell]:
        """Those that something is known of."""
        arms = self.experiment.chosen_arms()
        return [cell for cell in self.experiment.cells if any(self.of(cell, arm) for arm in arms)]

    def start_of(self, cell: Cell) -> str:
        """The pass rate of the start; where nothing passed, what it is below with 97.5 % confidence."""
        rate, _, high = self.starts[cell.name]
        return f"{rate:.2g}" if rate else f"<{high:.2g}"

    def of(self, cell: Cell, arm: Arm) -> list[Result]:
        """The results of an arm in a cell, one a seed."""
        horizon = {"horizon": cell.horizon, "difficulty": cell.difficulty}
        return [r for r in self.results if r["arm"] == arm.name and horizon.items() <= r["cell"].items()]

    def prices(self, cell: Cell, arm: Arm, *, with_labels: bool = False) -> list[float]:
        """What an arm paid in each seed to solve half of the tasks; completions of labels may be counted too."""
        labels = self.cost["completions"] if with_labels and arm.needs_labels else 0
        return [samples_to_threshold(result["curve"]) + labels for result in self.of(cell, arm)]


def report(found: Found, out: Path) -> Table:
    """Write ``table.md``, ``curves.png`` and ``summary.md``; give the table for the terminal."""
    rows = [
        row(found, cell, arm) for cell in found.cells for arm in found.experiment.chosen_arms() if found.of(cell, arm)
    ]
    (out / "table.md").write_text(markdown(rows), encoding="utf-8")
    draw_curves(found, out / "curves.png")
    (out / "summary.md").write_text(summary(found, rows), encoding="utf-8")
    return table(rows)


COLUMNS = ("tasks", "start", "arm", "seeds", "sampled", "greedy", f"programs to {GOAL:.0%}", "with labels")


def row(found: Found, cell: Cell, arm: Arm) -> dict[str, str]:
    """What one arm came to in one cell, as text."""
    results = found.of(cell, arm)
    sampled = [result["sampled"]["pass_rate"] for result in results]
    values = (
        cell.name,
        found.start_of(cell),
        arm.name,
        str(len(results)),
        with_interval(sampled, [result["sampled"]["interval"] for result in results]),
        f"{statistics.mean(result['greedy']['pass_rate'] for result in results):.2f}",
        with_spread(found.prices(cell, arm)),
        with_spread(found.prices(cell, arm, with_labels=True)),
    )
    return dict(zip(COLUMNS, values, strict=True))


def with_interval(rates: Sequence[float], intervals: Sequence[Sequence[float]]) -> str:
    """A mean with its 95 % interval over seeds; of fewer than three of them, the span of their intervals over tasks."""
    span = min(low for low, _ in intervals), max(high for _, high in intervals)
    low, high = bootstrap_interval(list(rates)) if len(rates) > 2 else span
    return f"{statistics.mean(rates):.2f} ({low:.2f}..{high:.2f})"


def with_spread(prices: Sequence[float]) -> str:
    """The median price, and its interval where there are several seeds."""
    middle = said(median(prices))
    if len(prices) < 2:
        return middle
    low, high = interval_of_median(prices)
    return middle if low == high else f"{middle} ({said(low)}..{said(high)})"


def table(rows: Sequence[dict[str, str]]) -> Table:
    """The rows for a terminal."""
    made = Table()
    for column in COLUMNS:
        made.add_column(column, justify="left" if column in ("tasks", "arm") else "right")
    for each in rows:
        made.add_row(*each.values())
    return made


def markdown(rows: Sequence[dict[str, str]]) -> str:
    """The rows as a table in Markdown."""
    lines = [COLUMNS, tuple("---" for _ in COLUMNS), *[tuple(each.values()) for each in rows]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def draw_curves(found: Found, file: Path) -> None:
    """Pass rate on unseen tasks over programs: one picture a cell, one line an arm, thin ones for its seeds."""
    figure = Figure(figsize=(4 + 4 * len(found.cells), 5), layout="constrained")
    for cell, axes in zip(
        found.cells, figure.subplots(1, len(found.cells), squeeze=False, sharey=True)[0], strict=True
    ):
        for number, arm in enumerate(found.experiment.chosen_arms()):
            _draw_arm(axes, found.of(cell, arm), arm, f"C{number}")
        axes.axhline(GOAL, color="grey", linewidth=0.5)
        axes.set(xlabel="programs written", ylim=(-0.02, 1.02))
        axes.set_title(f"{cell.name} that must all be right; start {found.start_of(cell)}", fontsize="medium")
    figure.axes[0].set_ylabel("pass rate on unseen tasks")
    figure.axes[0].legend(frameon=False, loc="upper left", fontsize="small")
    figure.savefig(file, dpi=120)


def _draw_arm(axes: Axes, results: Sequence[Result], arm: Arm, color: str) -> None:
    curves = [evaluated(result["curve"]) for result in results]
    for number, curve in enumerate(curves):
        programs, rates = zip(*[(point["programs"], point["eval_pass_rate"]) for point in curve], strict=True)
        style = {"linewidth": 2.0} if len(curves) == 1 else {"linewidth": 1.0, "alpha": 0.7}
        axes.plot(programs, rates, color=color, label=arm.name if number == 0 else None, **style)


def summary(found: Found, rows: Sequence[dict[str, str]]) -> str:
    """What was done and found, for somebody who has read no paper."""
    cost, experiment = found.cost, found.experiment
    seeds = max(len(found.of(cell, arm)) for cell in experiment.cells for arm in experiment.chosen_arms())
    caution = (
        "One seed says little: a difference counts when it shows again with others."
        if seeds == 1
        else f"Intervals are over up to {seeds} seeds; with fewer than 3 they are the smallest and the largest."
    )
    arms = "\n".join(f"- **{arm.name}**: {arm.said}." for arm in experiment.chosen_arms())
    return f"""# Does a process reward model pay?

A small policy was taught to write programs, mistakes included, and then trained by reinforcement on what the unit tests
say. Tasks of so many lines are solved only if all of the lines are right. The question is whether the policy learns
faster when a process reward model (PRM) also says of every line whether the program can still be saved. The arms:

{arms}

The PRM has its price: for the labels of {cost["programs"]:,} programs, beginnings were completed
{cost["completions"]:,} times ({cost["executions"]:,} executions, {cost["label_seconds"]:.0f} s). The labels agree with
the true first wrong line in {cost["agreement_with_oracle"]:.1%} of the lines. On tasks that it has not seen the PRM
tells right lines from wrong ones with a balanced accuracy of {cost["balanced_accuracy"]:.3f} (guessing: 0.5) and a
calibration error of {cost["calibration_error"]:.3f}; of two lines at the same place in two programs, a right one and a
first wrong one, it prefers the right one in {cost["same_line_auc"]:.1%} of the cases (guessing: 50 %).

{markdown(rows)}
"Start" is the share of programs that pass before any training. "Sampled" and "greedy" are pass rates on
{2 * experiment.eval_programs} unseen tasks in the end, with 95 % intervals. "Programs to {GOAL:.0%}" is how many had to
be written until {GOAL:.0%} of the sampled programs passed; "with labels" adds the completions that the labels took,
each counted as one program. {caution}

{in_words(found)}
"""


def in_words(found: Found) -> str:
    """A sentence for each cell: who was first, and what the labels are worth there."""
    return "\n".join(f"- {sentence(found, cell)}" for cell in found.cells)


def sentence(found: Found, cell: Cell) -> str:
    """Who needed the fewest programs in a cell; a curriculum is a rival of its own, with and without the PRM."""
    arms = [arm for arm in found.experiment.chosen_arms() if found.of(cell, arm)]
    alone, mixed = ([arm for arm in arms if arm.curriculum is mixes] for mixes in (False, True))
    start = f"**{cell.name}**, of which the start solves {found.start_of(cell)}"
    if not mixed or not alone:
        return f"{start}: {compared(found, cell, arms)}."
    without, using = compared(found, cell, alone), compared(found, cell, mixed)
    return f"{start}. On these tasks alone: {without}. With a curriculum: {using}."


def compared(found: Found, cell: Cell, arms: Sequence[Arm]) -> str:
    """Who of some arms needed the fewest programs, with and without labels."""
    plain = _cheapest(found, cell, [arm for arm in arms if not arm.needs_labels])
    labeled = _cheapest(found, cell, [arm for arm in arms if arm.needs_labels])
    if plain is None and labeled is None:
        return f"no arm came to {GOAL:.0%}"
    if labeled is None:
        return f"{_needed(plain)}, and no arm with the PRM came to {GOAL:.0%}"
    if plain is None:
        return f"{_needed(labeled)} besides its labels, and {_without_rival(found, cell, arms, labeled[1])}"
    saved = plain[1] - labeled[1]
    if saved <= 0:
        return f"{_needed(plain)}; the PRM saves nothing ({labeled[0]}: {said(labeled[1])})"
    runs = math.ceil(found.cost["completions"] / saved)
    return (
        f"{_needed(labeled)}, {plain[0]} as the best without the PRM {said(plain[1])}; so the labels are paid back by "
        f"{runs} runs that share them"
    )


def _without_rival(found: Found, cell: Cell, arms: Sequence[Arm], price: float) -> str:
    """What became of the arms without the PRM, none of which came there."""
    rivals = [result for arm in arms if not arm.needs_labels for result in found.of(cell, arm)]
    if not rivals:
        return "no arm without the PRM was run"
    budget = min(result["cell"]["iterations"] for result in rivals) * found.experiment.programs
    whole = price + found.cost["completions"]
    # a budget that was smaller proves nothing
    than = f"{'more' if budget >= whole else 'less'} than the {said(whole)}"
    return f"no arm without the PRM came to {GOAL:.0%} in {budget:,}, which is {than} with the labels"


def _needed(arm: tuple[str, float] | None) -> str:
    assert arm is not None
    return f"{arm[0]} needed the fewest programs ({said(arm[1])})"


def _cheapest(found: Found, cell: Cell, arms: Sequence[Arm]) -> tuple[str, float] | None:
    """The arm with the lowest median price, its labels not counted; None where none came there."""
    prices = {arm.name: median(found.prices(cell, arm)) for arm in arms}
    best = min(prices, key=lambda name: prices[name], default="")
    return (best, prices[best]) if best and not math.isinf(prices[best]) else None
