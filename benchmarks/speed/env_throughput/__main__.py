"""Speed of the environment beside RL4LMs' ``TextGenEnv`` and, as the floor of the API, Gymnasium's CartPole.

    git clone https://github.com/allenai/RL4LMs ../RL4LMs
    python -m benchmarks.speed.env_throughput --rl4lms ../RL4LMs --out env.json

One process, no model, a sandbox that answers at once. Every round measures every row once, from another row on; ratios
are taken round by round. Before the first round each row runs through one program in every slot, which is not counted.
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
from benchmarks.speed.env_throughput.settings import LENGTH, LONG, SHORT, Setting, all_settings
from benchmarks.speed.sandbox.__main__ import describe_machine
from benchmarks.speed.sandbox.results import Goal

MIB = 1 << 20
SLOTS_HELD = (16, 64, 256, 1024)
LENGTHS_HELD = (LENGTH, LONG)


@dataclass(frozen=True)
class Config:
    """Settings of one run."""

    rl4lms: Path | None = None
    """A clone of github.com/allenai/RL4LMs, bare or not; without it its rows are left out."""
    rounds: int = 5
    seconds: float = 0.3
    """Of one row in one round."""
    clock: Literal["wall", "cpu"] = "wall"
    """"cpu" counts only the time in which this process had a core: on a machine that others use."""
    only: str = ""
    """Only rows whose title has this in it, for example "RL4LMs" or "copy=False"."""
    quick: bool = False
    """Few rows, two short rounds: to see that it runs."""
    out: Path | None = None
    """File for the results as JSON."""


def choose(config: Config) -> tuple[list[Setting], list[str]]:
    """The rows, and why others are left out."""
    settings = [setting for setting in all_settings() if config.only in str(setting)]
    if config.quick:
        settings = [s for s in settings if s.length <= LENGTH and not (s.env.startswith("RL4LMs") and s.slots)]
    missing = []
    if config.rl4lms is None:
        missing.append("RL4LMs: its repository is not at hand, see --rl4lms")
    elif not importlib.util.find_spec("torch"):
        missing.append("RL4LMs: torch is not installed")
    elif config.clock == "cpu":
        missing.append("RL4LMs, processes: their time is not that of this process")
    elif not importlib.util.find_spec("stable_baselines3"):
        missing.append("RL4LMs, processes: stable_baselines3 is not installed")
    absent = tuple(line.partition(":")[0] for line in missing)
    return [setting for setting in settings if not setting.env.startswith(absent)], missing


def measure(settings: list[Setting], config: Config) -> tuple[Rates, float]:
    """Token steps per second of each row, by round; and the share of the time that this process had a core."""
    rates: Rates = {setting: [] for setting in settings}
    with ExitStack() as stack:
        rl4lms = by_rl4lms.load(config.rl4lms) if any(s.env.startswith("RL4LMs") for s in settings) else None
        runs = {setting: open_run(setting, rl4lms, stack, CLOCKS[config.clock]) for setting in settings}
        console = Console(stderr=True)
        steps = {
            setting: warm_up(setting, run, config.seconds, config.rounds)
            for setting, run in track(runs.items(), "warming up", console=console)
        }
        wall, cpu = time.perf_counter(), time.process_time()
        for number in track(range(config.rounds), "rounds", console=console):
            gc.collect()
            turn = number * len(settings) // config.rounds
            for setting in settings[turn:] + settings[:turn]:
                rates[setting].append(steps[setting] * (setting.slots or 1) / runs[setting](steps[setting]))
        share = (time.process_time() - cpu) / (time.perf_counter() - wall)
    return rates, share


def warm_up(setting: Setting, run: Run, seconds: float, rounds: int) -> int:
    """Steps of one round: about so many seconds, and whole programs where all end at once."""
    if setting.env == "RL4LMs" and setting.length == LONG:  # seconds for a program: one is spread over all rounds
        return LONG // rounds
    steps = setting.length or 1
    taken = run(steps)
    while taken < seconds / 4:
        steps *= 4
        taken = run(steps)
    wanted = seconds / taken * steps
    whole = setting.length > 0 and (not setting.slots or setting.in_phase)
    return math.ceil(wanted / setting.length) * setting.length if whole else math.ceil(wanted)


def show(rates: Rates, clock: str, console: Console) -> None:
    table = Table(title=f"steps per second of {clock} time: median (min..max) over the rounds")
    for title in ("environment", "slots", "length", "tokenizer", "steps/s", "µs a step"):
        table.add_column(title, justify="left" if title == "environment" else "right")
    for setting, found in rates.items():
        spread = Spread.of(found)
        slots, length = (str(setting.slots) if setting.slots else "single"), str(setting.length or "")
        vocabulary = "" if setting.env in ("CartPole", "copy") else setting.vocabulary
        table.add_row(setting.title, slots, length, vocabulary, spread.format(), f"{1e6 / spread.middle:,.2f}")
    console.print(table)


def show_memory(memory: dict[int, dict[int, int]], console: Console) -> None:
    for length, taken in memory.items():
        cells = ", ".join(
            f"{n} slots {held / MIB:,.1f} MiB ({held / n / 1024:,.1f} KiB a slot)" for n, held in taken.items()
        )
        console.print(f"memory at length {length}: {cells}", highlight=False)


def main(config: Config) -> None:
    if config.quick:
        config = dataclasses.replace(config, rounds=2, seconds=0.05)
    settings, missing = choose(config)
    console = Console(width=150)
    machine = describe_machine()
    facts: dict[str, Any] = {
        "clock": config.clock,
        "tokens per line": {
            f"{vocabulary}{', new lines' * new}": round(tokens_per_line(tokenizer(vocabulary), new), 1)
            for vocabulary in ("bytes", "bpe")
            for new in (False, True)
        },
        "left out": missing,
        "rl4lms": {"commit": by_rl4lms.revision(config.rl4lms), "shims": by_rl4lms.SHIMS} if config.rl4lms else None,
    }
    console.print(f"{machine['cores']} cores, {machine['processor']}, Python {machine['python']}", highlight=False)
    console.print(
        f"load before the run {machine['load'][0]:.2f}; tokens per line {facts['tokens per line']}", highlight=False
    )
    rates, share = measure(settings, config)
    facts["share of a core"] = round(share, 2)
    memory = (
        {}
        if config.only
        else measure_memory(*(((4, 16, 64), (SHORT,)) if config.quick else (SLOTS_HELD, LENGTHS_HELD)))
    )
    show(rates, config.clock, console)
    show_memory(memory, console)
    console.print(f"this process had a core for {share:.0%} of the time; rates by the wall are low by as much")
    for line in missing:
        console.print(f"left out: {line}", highlight=False)
    if any(setting.env.startswith("RL4LMs") for setting in settings):
        console.print("RL4LMs runs unchanged; stand-ins:", *by_rl4lms.SHIMS, sep="\n  ", highlight=False)
    goals = find_goals(rates, memory)
    for goal in goals:
        console.print(f"{'met   ' if goal.met else 'MISSED'} {goal.text}: {goal.figure}", highlight=False)
    if config.out is not None:
        config.out.write_text(json.dumps(as_json(machine, facts, rates, memory, goals), indent=1) + "\n")


def as_json(
    machine: dict[str, Any], facts: dict[str, Any], rates: Rates, memory: dict[int, dict[int, int]], goals: list[Goal]
) -> dict[str, Any]:
    rows = [dataclasses.asdict(setting) | {"steps_per_second": found} for setting, found in rates.items()]
    return {
        "machine": machine,
        **facts,
        "rows": rows,
        "memory": memory,
        "goals": [dataclasses.asdict(goal) for goal in goals],
    }


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
