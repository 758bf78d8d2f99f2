"""Cases of the corpora whose verdict depends on how fast the machine is at that moment."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.reliability.equality.compare import Comparison

TIMED: dict[str, str] = {}
"""Name of a case -> why two runs of one checkout may differ."""


def without_timing(comparison: Comparison) -> Comparison:
    """Return the comparison without the differences of timing-dependent cases.

    Args:
        comparison: Result of comparing one part.
    """
    steady = [each for each in comparison.differences if each.path.partition("/")[0] not in TIMED]
    return replace(comparison, differences=tuple(steady))
