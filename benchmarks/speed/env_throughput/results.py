"""Goals from rates: medians with their range, and ratios round by round, since lasting noise affects both sides."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from benchmarks.lab.spread import Spread
from benchmarks.speed.env_throughput.settings import LONG, MANY, RIVAL_SLOTS, SHORT, EnvRow
from benchmarks.speed.sandbox.results import Goal

Rates = dict[EnvRow, list[float]]
"""Token steps per second, by round."""
SINGLE = EnvRow()
VECTOR = EnvRow(slots=MANY)


def find_goals(rates: Rates, memory: dict[int, dict[int, int]]) -> list[Goal]:
    """Return the goals of the environment whose rows were measured.

    Args:
        rates: Row -> rates by round.
        memory: Length -> slots -> bytes.
    """
    return [*_speed(rates), *_cost_of_length(rates), *_against_rl4lms(rates), *_linear(memory)]


def _speed(rates: Rates) -> Iterator[Goal]:
    for base, least in ((VECTOR, 1_000_000), (SINGLE, 60_000)):
        for row in (base, replace(base, vocabulary="bpe")):
            if row in rates:
                found = Spread.of(rates[row])
                yield Goal(f"at least {least:,} steps/s: {row}", found.format(), found.middle >= least)


def _cost_of_length(rates: Rates) -> Iterator[Goal]:
    """Yield the cost of a token in a long program over one in a short program, without the copy of the observation."""
    without = replace(VECTOR, copy=False)
    sparse = (without, replace(without, vocabulary="bpe"))
    for base in (*sparse, *(replace(row, dense=True) for row in sparse)):
        long, short = replace(base, length=LONG), replace(base, length=SHORT)
        if long in rates and short in rates:
            found = _ratio(rates, lambda round, short=short, long=long: round[short] / round[long])
            yield _cost(base, found)
    copy = EnvRow("copy")
    needed = [replace(base, length=length) for base in (SINGLE, copy) for length in (SHORT, LONG)]
    if all(row in rates for row in needed):
        short, long, copy_short, copy_long = needed
        found = _ratio(rates, lambda r: (1 / r[long] - 1 / r[copy_long]) / (1 / r[short] - 1 / r[copy_short]))
        yield _cost(SINGLE, found)


def _cost(base: EnvRow, found: Spread) -> Goal:
    where = f"{base.slots} slots" if base.slots else "single"
    text = f"a token at length {LONG} costs at most 1.10 of one at {SHORT}, copy apart: {base.title}, {where}"
    return Goal(f"{text}, {base.vocabulary}", found.format(".2f"), found.middle <= 1.10)


def _against_rl4lms(rates: Rates) -> Iterator[Goal]:
    """Yield the ratios to RL4LMs with the same tokenizer; many slots against the better of its vector forms."""
    for base, least in ((SINGLE, 20), (VECTOR, 300)):
        for ours in (base, replace(base, vocabulary="bpe")):
            form = replace(ours, env="RL4LMs", slots=RIVAL_SLOTS if ours.slots else 0)
            rivals = [rival for rival in (form, replace(form, env="RL4LMs, processes")) if rival in rates]
            if ours in rates and rivals:
                found = _ratio(rates, lambda r, ours=ours, rivals=rivals: r[ours] / max(r[rival] for rival in rivals))
                yield Goal(f"at least {least} times RL4LMs: {ours}", found.format(), found.middle >= least)


def _linear(memory: dict[int, dict[int, int]]) -> Iterator[Goal]:
    """Yield the memory of an additional slot among many over that of one among few."""
    for length, taken in memory.items():
        few, some, most = min(taken), sorted(taken)[1], max(taken)
        ratio = ((taken[most] - taken[some]) / (most - some)) / ((taken[some] - taken[few]) / (some - few))
        text = f"memory is linear in slots, length {length}: a further slot at {most} against one at {some}"
        yield Goal(text, f"{ratio:.2f}", 0.9 <= ratio <= 1.1)


def _ratio(rates: Rates, of: Callable[[dict[EnvRow, float]], float]) -> Spread:
    rounds = min(map(len, rates.values()))
    return Spread.of([of({row: found[number] for row, found in rates.items()}) for number in range(rounds)])
