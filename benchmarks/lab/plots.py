"""Figures: learning curves, and the map of what half of the tasks cost at every initial pass rate."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.lab.design import Arm, Setting
from benchmarks.lab.experiment import Panel
from benchmarks.lab.results import Results
from benchmarks.lab.stats import TARGET_PASS_RATE, evaluations, interval_of_median, median

GREY = "#666666"
NEVER = 2.2
"""Height of "not reached", as a multiple of the largest finite cost."""
LABEL_GAP = 0.065
"""Smallest vertical distance between two direct labels, as a share of the panel's height."""
DODGE = 0.05
"""Horizontal distance between two arms, so that equal ones do not hide each other."""


def draw_map(results: Results, panels: Sequence[Panel], file: Path) -> None:
    """Draw the median cost of each arm over settings from easy to hard, with its interval as a band.

    Args:
        results: Results of the experiment.
        panels: Panels in reading order; if empty, one panel shows all arms.
        file: Picture to write.
    """
    names = {arm.name for arm in results.design.arms}
    known = [panel for panel in panels if {*panel.arms} <= names]
    known = known or [Panel("Cost of every arm", tuple(arm.name for arm in results.design.arms))]
    columns, rows = min(2, len(known)), math.ceil(len(known) / 2)
    figure = Figure(figsize=(7.2 * columns, 0.6 + 4.3 * rows), layout="constrained")
    title = f"Programs written until {TARGET_PASS_RATE:.0%} of them pass: lower is better"
    figure.suptitle(title, x=0.01, ha="left", fontsize=17)
    grid = figure.subplots(rows, columns, squeeze=False).flat
    settings = sorted(results.settings, key=lambda setting: results.initial_pass_rates[setting.name][0], reverse=True)
    never = NEVER * _largest_cost(results, settings)
    for axes, panel in zip(grid, known, strict=False):
        _draw_frame(axes, results, settings, panel.title, never)
        ends = [
            _draw_arm(axes, results, settings, results.design.get_arm(name), place, never, panel.with_labels)
            for name, place in zip(panel.arms, _dodges(len(panel.arms)), strict=True)
        ]
        _label_lines(axes, ends, len(settings) - 1)
    figure.savefig(file, dpi=100)


def _dodges(count: int) -> list[float]:
    return [DODGE * (number - (count - 1) / 2) for number in range(count)]


def _draw_frame(axes: Axes, results: Results, settings: Sequence[Setting], title: str, never: float) -> None:
    """Draw everything of a panel but its arms."""
    axes.set_title(title, loc="left", fontsize=14, fontweight="bold")
    axes.set_yscale("log")
    axes.set_ylim(1_000, never * 1.5)
    axes.yaxis.set_major_formatter(lambda cost, _: f"{cost:,.0f}")
    axes.tick_params(labelsize=11)
    axes.set_xlim(-0.3, len(settings) - 1 + 0.4 * len(settings))
    axes.axhspan(never / 1.35, never * 1.5, color="#eeeeee", linewidth=0, zorder=0)
    axes.text(-0.25, never, "not reached within the budget", color=GREY, fontsize=11, va="center")
    axes.set_xticks(range(len(settings)), [_tick(results, setting) for setting in settings], fontsize=11)
    axes.set_xlabel("tasks, with the pass rate before training", color=GREY, fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)


def _tick(results: Results, setting: Setting) -> str:
    rate, _, high = results.initial_pass_rates[setting.name]
    hard = "hard " if setting.difficulty else ""
    return f"{setting.num_lines} {hard}lines\n" + (f"{100 * rate:.2g} %" if rate else f"< {100 * high:.2g} %")


def _draw_arm(
    axes: Axes,
    results: Results,
    settings: Sequence[Setting],
    arm: Arm,
    dodge: float,
    never: float,
    with_labels: bool,
) -> tuple[str, str, float]:
    """Draw one arm and return its label, its color and the height of its right end."""
    points = []
    for number, setting in enumerate(settings):
        if costs := results.costs(setting, arm, with_labels=with_labels):
            heights = [min(cost, never) for cost in (median(costs), *interval_of_median(costs))]
            points.append((number + dodge, *heights))
    places, middle, low, high = zip(*points, strict=True)
    color = arm.color or f"C{results.design.arms.index(arm)}"
    axes.fill_between(places, low, high, color=color, alpha=0.15, linewidth=0)
    for first, last in itertools.pairwise(points):
        is_reached = max(first[1], last[1]) < never
        style = {"linewidth": 2.4} if is_reached else {"linewidth": 1.2, "linestyle": ":"}
        axes.plot([first[0], last[0]], [first[1], last[1]], color=color, **style)
    for place, cost in zip(places, middle, strict=True):
        axes.plot(place, cost, "o", color=color, markerfacecolor=color if cost < never else "white", markersize=7)
    return (arm.label or arm.name) + (" + labels" if with_labels and arm.needs_labels else ""), color, middle[-1]


def _label_lines(axes: Axes, ends: Sequence[tuple[str, str, float]], place: float) -> None:
    """Write the names of the lines at their right ends, one below the other if they would overlap."""
    low, high = (math.log(limit) for limit in axes.get_ylim())
    taken = 1.0
    for name, color, cost in sorted(ends, key=lambda end: -end[2]):
        taken = min((math.log(cost) - low) / (high - low), taken - LABEL_GAP)
        height = math.exp(low + taken * (high - low))
        axes.text(place + 0.2, height, name, color=color, fontsize=12, fontweight="bold", va="center")


def _largest_cost(results: Results, settings: Sequence[Setting]) -> float:
    """Return the largest finite cost with labels, or the smallest budget if no arm reached the target."""
    arms = results.design.arms
    costs = [cost for setting in settings for arm in arms for cost in results.costs(setting, arm, with_labels=True)]
    budgets = [setting.num_iterations * results.design.batch_size for setting in settings]
    return max([cost for cost in costs if not math.isinf(cost)], default=min(budgets))


def draw_curves(results: Results, file: Path) -> None:
    """Draw the pass rate on unseen tasks over programs: a panel for each setting, a thin line for each seed.

    Args:
        results: Results of the experiment.
        file: Picture to write.
    """
    settings = results.settings
    figure = Figure(figsize=(1.5 + 5 * len(settings), 4.5), layout="constrained")
    for setting, axes in zip(settings, figure.subplots(1, len(settings), squeeze=False, sharey=True)[0], strict=True):
        for arm in results.arms_of(setting):
            _draw_curves_of(axes, results, setting, arm)
        axes.axhline(TARGET_PASS_RATE, color=GREY, linewidth=0.5)
        axes.set(xlabel="programs written", ylim=(-0.02, 1.02))
        title = f"{setting.name}, initial pass rate {results.initial_pass_rate(setting)}"
        axes.set_title(title, loc="left", fontsize=12, fontweight="bold")
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("pass rate on unseen tasks")
    figure.axes[0].legend(frameon=False, loc="upper left", fontsize=10)
    figure.savefig(file, dpi=110)


def _draw_curves_of(axes: Axes, results: Results, setting: Setting, arm: Arm) -> None:
    runs, color = results.runs_of(setting, arm), arm.color or None
    for number, run in enumerate(runs):
        programs, rates = zip(*evaluations(run.curve), strict=True)
        width = 2.0 if len(runs) == 1 else 1.0
        (line,) = axes.plot(programs, rates, color=color, linewidth=width, label=arm.name if number == 0 else None)
        color = line.get_color()
