"""Does judging overlap with generation? Wall time of an environment over generating alone and judging alone.

    python -m benchmarks.speed.overlap --sandbox docker

The policy is a clock: the duration of a vector step is set so that generating all programs takes as long as judging
them. That is the hardest case, since neither can hide behind the other. The programs are gold solutions with different
comments, so that no verdict comes from the judge's cache; their lengths differ, so that they end at different steps.

A judge that keeps every core busy has nothing to overlap with: leave one core free.
"""

from __future__ import annotations

import itertools
import json
import os
import statistics
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from benchmarks.lab.spread import Spread
from codegym import Judge, Task
from codegym.sandbox import open_sandbox
from codegym.tasks.procedural import Arithmetic

END = 256
"""End-of-sequence token of the byte tokenizer."""


@dataclass(frozen=True)
class OverlapOptions:
    """Options of an overlap measurement."""

    sandbox: str = "docker"
    """Sandbox back end."""
    workers: int = max(1, (os.cpu_count() or 2) - 1)
    """Programs that are judged at the same time."""
    slots: int = 64
    """Episodes of the vector environment."""
    programs: int = 4000
    """Programs that are judged."""
    rounds: int = 3
    """Rounds of measurement."""
    out: Path | None = None
    """File for the results as JSON."""


@dataclass(frozen=True)
class Round:
    """Wall seconds of one round."""

    judging: float
    generating: float
    in_turn: float
    """Wall seconds if the environment waits for every verdict."""
    overlapped: float

    def excess(self, seconds: float) -> float:
        """Return the extra time over the slower of judging and generating alone, as a share of it.

        Args:
            seconds: Wall seconds to compare.
        """
        return seconds / max(self.judging, self.generating) - 1


class ProgramWriter:
    """Writes programs that have never been written before."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._lengths = np.random.default_rng(0)
        self.family = Arithmetic()

    def program(self, task: Task) -> str:
        """Return a program that passes."""
        return f"{task.solution}# {next(self._numbers)} {'.' * int(self._lengths.integers(60))}\n"

    def tokens(self, task_id: str) -> Iterator[int]:
        """Yield programs token by token."""
        yield from self.program(self.family.by_id(task_id)).encode()
        yield from itertools.repeat(END)


def judge_alone(judge: Judge, writer: ProgramWriter, options: OverlapOptions) -> float:
    """Return the seconds that judging as many programs as an environment takes.

    Args:
        judge: The judge.
        writer: Source of programs.
        options: Options of the measurement.
    """
    rng = np.random.default_rng(0)
    tasks = [writer.family.draw(rng) for _ in range(options.programs)]
    pairs = [(task, writer.program(task)) for task in tasks]
    start = time.perf_counter()
    assert all(verdict.passed for verdict in judge.judge_all(pairs))
    return time.perf_counter() - start


def generate(
    judge: Any, writer: ProgramWriter, options: OverlapOptions, step_seconds: float, overlap: bool
) -> tuple[float, int]:
    """Return the seconds until all programs have ended, and the number of vector steps.

    Args:
        judge: The judge.
        writer: Source of programs.
        options: Options of the measurement.
        step_seconds: Duration of a vector step of the policy.
        overlap: Whether verdicts arrive during later steps.
    """
    envs = gym.make_vec(
        "codegym/Token-v0", options.slots, sandbox=judge, max_tokens=256, max_prompt_tokens=8, overlap=overlap
    )
    _, infos = envs.reset(seed=0)
    texts = [writer.tokens(task_id) for task_id in infos["task_id"]]
    actions = np.array([next(text) for text in texts])
    ended, start = 0, time.perf_counter()
    for step in itertools.count(1):
        time.sleep(max(0.0, start + step * step_seconds - time.perf_counter()))
        _, _, terminated, _, infos = envs.step(actions)
        waiting = infos.get("_waiting", np.zeros(options.slots, np.bool_))
        for slot in np.flatnonzero(~waiting):
            if terminated[slot]:
                texts[slot] = writer.tokens(infos["task_id"][slot])
            actions[slot] = next(texts[slot])
        ended += int(terminated.sum())
        if ended >= options.programs:
            envs.close()
            return time.perf_counter() - start, step
    raise AssertionError


def measure_round(judge: Judge, options: OverlapOptions) -> Round:
    """Measure one round; judging alone sets the clock of the policy.

    Args:
        judge: The judge.
        options: Options of the measurement.
    """
    writer = ProgramWriter()
    judging = judge_alone(judge, writer, options)
    _, num_steps = generate("fake", writer, options, 0.0, False)
    step_seconds = judging / num_steps
    generating, _ = generate("fake", writer, options, step_seconds, False)
    in_turn, _ = generate(judge, writer, options, step_seconds, False)
    overlapped, _ = generate(judge, writer, options, step_seconds, True)
    return Round(judging, generating, in_turn, overlapped)


def print_rounds(rounds: list[Round], options: OverlapOptions, console: Console) -> None:
    """Print a table of medians.

    Args:
        rounds: Measured rounds.
        options: Options of the measurement.
        console: Console for the table.
    """
    table = Table(
        title=f"{options.programs} programs, {options.slots} slots, {options.sandbox}, {options.workers} workers"
    )
    for column in ("", "seconds", "over the slower one alone"):
        table.add_column(column, justify="left" if not column else "right")
    for name in ("judging", "generating", "in_turn", "overlapped"):
        seconds = [getattr(each, name) for each in rounds]
        excess = Spread.of([each.excess(getattr(each, name)) for each in rounds])
        table.add_row(name.replace("_", " "), f"{statistics.median(seconds):.2f}", excess.format("+.0%"))
    console.print(table)


def main(options: OverlapOptions) -> None:
    """Measure, print, and write the results."""
    with open_sandbox(options.sandbox, num_workers=options.workers) as sandbox:
        judge = Judge(sandbox)
        judge_alone(judge, ProgramWriter(), OverlapOptions(programs=200))  # boxes are warm afterwards
        rounds = [measure_round(Judge(sandbox, cache_size=0), options) for _ in range(options.rounds)]
    print_rounds(rounds, options, Console())
    if options.out is not None:
        options.out.write_text(json.dumps([asdict(each) for each in rounds], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(tyro.cli(OverlapOptions, description=__doc__))
