"""Verdicts that depend on how fast the machine is at that moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from benchmarks.reliability.equality.compare import Comparison, Difference

RACES = {
    "bomb-": "exceeds several limits; the first one decides",
    "daemon-": "races with processes that it leaves behind or that interrupt it",
    "signal-": "sends signals, which arrive at any time",
    "forge-fork": "writes to one channel from several processes",
}
"""Beginning of the name of a case -> why two runs of one checkout may differ."""


def without_timing(comparison: Comparison, old: Mapping[str, Any], new: Mapping[str, Any]) -> Comparison:
    """Return the comparison of two sets of verdicts without the differences that depend on time.

    A case is timing-dependent if its name begins as in ``RACES`` or if either verdict contains a timeout. Even then a
    difference counts if it is the one between passing and failing, or concerns the program judged next.

    Args:
        comparison: Comparison of the two sets.
        old: Name of a case -> verdict in the old checkout.
        new: Name of a case -> verdict in the new checkout.
    """
    steady = [each for each in comparison.differences if not _depends_on_time(each, old, new)]
    return replace(comparison, differences=tuple(steady))


def _depends_on_time(difference: Difference, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    name, _, field = difference.path.partition("/")
    if field in ("after", "failure") or "passed" in (difference.old, difference.new):
        return False
    verdicts = [verdict for verdict in (old.get(name), new.get(name)) if verdict]
    has_timeout = any("timeout" in (verdict["status"], *(verdict["checks"] or ())) for verdict in verdicts)
    return has_timeout or name.startswith(tuple(RACES))
