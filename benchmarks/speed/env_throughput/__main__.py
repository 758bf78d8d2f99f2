"""Speed of the environment compared with RL4LMs' ``TextGenEnv`` and, as the floor of the API, Gymnasium's CartPole.

    git clone https://github.com/allenai/RL4LMs ../RL4LMs
    python -m benchmarks.speed.env_throughput --rl4lms ../RL4LMs --out env.json

One process, no model, a sandbox that answers at once. Every round measures every row once, beginning with another row;
ratios are taken round by round. Before the first round each row runs one uncounted program in every slot.
"""

from __future__ import annotations

import dataclasses
import gc
import importlib.util
import json
import math
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.lab.spread import Spread
from benchmarks.speed.env_throughput import by_rl4lms
from benchmarks.speed.env_throughput.actions import tokens_per_line
from benchmarks.speed.env_throughput.memory import measure_memory
from benchmarks.speed.env_throughput.results import Rates, find_goals
from benchmarks.speed.env_throughput.runners import CLOCKS, Run, open_run, tokenizer
from benchmarks.speed.env_throughput.settings import LENGTH, LONG, SHORT, EnvRow, all_rows
from benchmarks.speed.sandbox.__main__ import describe_machine
from benchmarks.speed.sandbox.results import Goal

MIB = 1 << 20
SLOTS_HELD = (16, 64, 256, 1024)
LENGTHS_HELD = (LENGTH, LONG)


@dataclass(frozen=True)
class ThroughputOptions:
    """Options of a throughput measurement."""

    rl4lms: Path | None = None
    """Clone of github.com/allenai/RL4LMs, bare or not. Default: its rows are left out."""
    rounds: int = 5
    """Rounds of measurement."""
    seconds: float = 0.3
    """Seconds for one row in one round."""
    clock: Literal["wall", "cpu"] = "wall"
    """"cpu" counts only the time in which this process had a core, for machines that others use too."""
    only: str = ""
    """Measure only rows whose title contains this text, for example "RL4LMs" or "copy=False"."""
    quick: bool = False
    """Measure few rows in two short rounds, to see that everything runs."""
    out: Path | None = None
    """File for the results as JSON."""


def choose_rows(options: ThroughputOptions) -> tuple[list[EnvRow], list[str]]:
    """Return the rows to measure, and the reasons for those left out.

    Args:
        options: Options of the measurement.
    """
    rows = [row for row in all_rows() if options.only in str(row)]
    if options.quick:
        rows = [s for s in rows if s.length <= LENGTH and not (s.env.startswith("RL4LMs") and s.slots)]
    missing = []
    if options.rl4lms is None:
        missing.append("RL4LMs: no clone of its repository is named, see --rl4lms")
    elif not importlib.util.find_spec("torch"):
        missing.append("RL4LMs: torch is not installed")
    elif options.clock == "cpu":
        missing.append("RL4LMs, processes: their time is not that of this process")
    elif not importlib.util.find_spec("stable_baselines3"):
        missing.append("RL4LMs, processes: stable_baselines3 is not installed")
    absent = tuple(line.partition(":")[0] for line in missing)
    return [row for row in rows if not row.env.startswith(absent)], missing


def measure_rates(rows: list[EnvRow], options: ThroughputOptions) -> tuple[Rates, float]:
    """Return token steps per second of each row, by round, and the share of time that this process had a core.

    Args:
        rows: Rows of the table.
        options: Options of the measurement.
    """
    rates: Rates = {row: [] for row in rows}
    with ExitStack() as stack:
        rl4lms = by_rl4lms.load(options.rl4lms) if any(s.env.startswith("RL4LMs") for s in rows) else None
        runs = {row: open_run(row, rl4lms, stack, CLOCKS[options.clock]) for row in rows}
        console = Console(stderr=True)
        steps = {
            row: warm_up(row, run, options.seconds, options.rounds)
            for row, run in track(runs.items(), "warming up", console=console)
        }
        wall, cpu = time.perf_counter(), time.process_time()
        for number in track(range(options.rounds), "rounds", console=console):
            gc.collect()
            turn = number * len(rows) // options.rounds
            for row in rows[turn:] + rows[:turn]:
                rates[row].append(steps[row] * (row.slots or 1) / runs[row](steps[row]))
        share = (time.process_time() - cpu) / (time.perf_counter() - wall)
    return rates, share


def warm_up(row: EnvRow, run: Run, seconds: float, rounds: int) -> int:
    """Return the number of steps of one round: about ``seconds``, and whole programs if all slots end together.

    Args:
        row: Row of the table.
        run: Function that runs steps.
        seconds: Wanted duration of a round.
        rounds: Number of rounds.
    """
    if row.env == "RL4LMs" and row.length == LONG:  # seconds for a program: one is spread over all rounds
        return LONG // rounds
    steps = row.length or 1
    taken = run(steps)
    while taken < seconds / 4:
        steps *= 4
        taken = run(steps)
    wanted = seconds / taken * steps
    whole = row.length > 0 and (not row.slots or row.in_phase)
    return math.ceil(wanted / row.length) * row.length if whole else math.ceil(wanted)


def print_rates(rates: Rates, clock: str, console: Console) -> None:
    table = Table(title=f"steps per second of {clock} time: median (min..max) over the rounds")
    for title in ("environment", "slots", "length", "tokenizer", "steps/s", "µs a step"):
        table.add_column(title, justify="left" if title == "environment" else "right")
    for row, found in rates.items():
        spread = Spread.of(found)
        slots, length = (str(row.slots) if row.slots else "single"), str(row.length or "")
        vocabulary = "" if row.env in ("CartPole", "copy") else row.vocabulary
        table.add_row(row.title, slots, length, vocabulary, spread.format(), f"{1e6 / spread.middle:,.2f}")
    console.print(table)


def print_memory(memory: dict[int, dict[int, int]], console: Console) -> None:
    for length, taken in memory.items():
        cells = ", ".join(
            f"{n} slots {held / MIB:,.1f} MiB ({held / n / 1024:,.1f} KiB a slot)" for n, held in taken.items()
        )
        console.print(f"memory at length {length}: {cells}", highlight=False)


def main(options: ThroughputOptions) -> None:
    if options.quick:
        options = dataclasses.replace(options, rounds=2, seconds=0.05)
    rows, missing = choose_rows(options)
    console = Console(width=150)
    machine = describe_machine()
    clone = {"commit": by_rl4lms.revision(options.rl4lms), "shims": by_rl4lms.SHIMS} if options.rl4lms else None
    versions: dict[str, Any] = {
        "clock": options.clock,
        "tokens per line": {
            f"{vocabulary}{', new lines' * new}": round(tokens_per_line(tokenizer(vocabulary), new), 1)
            for vocabulary in ("bytes", "bpe")
            for new in (False, True)
        },
        "left out": missing,
        "rl4lms": clone,
    }
    console.print(f"{machine['cores']} cores, {machine['processor']}, Python {machine['python']}", highlight=False)
    console.print(
        f"load before the run {machine['load'][0]:.2f}; tokens per line {versions['tokens per line']}", highlight=False
    )
    rates, share = measure_rates(rows, options)
    versions["share of a core"] = round(share, 2)
    memory = (
        {}
        if options.only
        else measure_memory(*(((4, 16, 64), (SHORT,)) if options.quick else (SLOTS_HELD, LENGTHS_HELD)))
    )
    print_rates(rates, options.clock, console)
    print_memory(memory, console)
    console.print(f"this process had a core for {share:.0%} of the time; rates by the wall are low by as much")
    for line in missing:
        console.print(f"left out: {line}", highlight=False)
    if any(row.env.startswith("RL4LMs") for row in rows):
        console.print("RL4LMs runs unchanged; stand-ins:", *by_rl4lms.SHIMS, sep="\n  ", highlight=False)
    goals = find_goals(rates, memory)
    for goal in goals:
        console.print(f"{'met   ' if goal.met else 'MISSED'} {goal.text}: {goal.figure}", highlight=False)
    if options.out is not None:
        options.out.write_text(json.dumps(as_json(machine, versions, rates, memory, goals), indent=1) + "\n")


def as_json(
    machine: dict[str, Any],
    versions: dict[str, Any],
    rates: Rates,
    memory: dict[int, dict[int, int]],
    goals: list[Goal],
) -> dict[str, Any]:
    rows = [dataclasses.asdict(row) | {"steps_per_second": found} for row, found in rates.items()]
    return {
        "machine": machine,
        **versions,
        "rows": rows,
        "memory": memory,
        "goals": [dataclasses.asdict(goal) for goal in goals],
    }


if __name__ == "__main__":
    main(tyro.cli(ThroughputOptions, description=__doc__))
