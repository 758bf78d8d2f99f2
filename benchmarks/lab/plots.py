"""The map of when a process reward model pays: what half of the tasks cost, over how often the start solves them."""

from __future__ import annotations

import math
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.lab.experiment import Arm
from benchmarks.lab.report import Found
from benchmarks.lab.stats import GOAL, interval_of_median, median

_MARKERS = "osD^vP*X"


def draw_map(found: Found, out: Path) -> None:
    """Write ``map.png``: on the left the programs alone, on the right with the completions of the labels."""
    figure = Figure(figsize=(12, 5.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, with_labels in ((left, False), (right, True)):
        never = 2 * _dearest(found, with_labels=with_labels)
        for number, arm in enumerate(found.experiment.chosen_arms()):
            _draw_arm(axes, found, arm, number, never, with_labels=with_labels)
        axes.axhline(never, color="grey", linewidth=0.5, linestyle=":")
        axes.annotate("never within the budget", (0.02, never), xycoords=("axes fraction", "data"), va="bottom")
        axes.set(xscale="log", yscale="log", xlabel="pass rate of the start (harder tasks on the right)")
        axes.invert_xaxis()
    left.set(ylabel=f"programs to {GOAL:.0%}", title="labels not counted")
    right.set_title("completions of the labels counted")
    left.legend(frameon=False, fontsize="small")
    figure.savefig(out / "map.png", dpi=120)


def _draw_arm(axes: Axes, found: Found, arm: Arm, number: int, never: float, *, with_labels: bool) -> None:
    """An arm's median price in each cell, with its interval; arms stand a little beside each other."""
    places, middles, below, above = [], [], [], []
    for cell in found.cells:
        prices = found.prices(cell, arm, with_labels=with_labels)
        if not prices:
            continue
        middle, (low, high) = median(prices), interval_of_median(prices)
        middle, low, high = (never if math.isinf(price) else price for price in (middle, low, high))
        places.append(max(found.starts[cell.name][0], 1e-5) * 1.04 ** (3 - number))
        middles.append(middle)
        below.append(middle - low)
        above.append(high - middle)
    marker = _MARKERS[number % len(_MARKERS)]
    axes.errorbar(places, middles, (below, above), marker=marker, capsize=2, label=arm.name, linewidth=1)


def _dearest(found: Found, *, with_labels: bool) -> float:
    """The largest price that was paid, or the smallest budget where none was."""
    arms, cells = found.experiment.chosen_arms(), found.cells
    prices = [price for cell in cells for arm in arms for price in found.prices(cell, arm, with_labels=with_labels)]
    budgets = [cell.iterations * found.experiment.programs for cell in cells]
    return max([price for price in prices if not math.isinf(price)], default=min(budgets))
