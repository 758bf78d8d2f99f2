"""Does judging overlap with generation? Wall time of an environment beside generating alone and judging alone.

    python -m benchmarks.speed.overlap --sandbox docker

The policy is a clock: a vector step takes as long as makes generating all programs as slow as judging all of them. That
is the hardest case, since neither can hide behind the other. It writes gold programs, each with a comment of its own,
so that no verdict comes from the judge's memory; they are of many lengths, so that they end at different steps.

A judge that keeps every core busy has nothing to overlap with: leave it one core less than there are.
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
"""The end-of-sequence token of the byte tokenizer."""


@dataclass(frozen=True)
class Config:
    """Settings of one run."""

    sandbox: str = "docker"
    workers: int = max(1, (os.cpu_count() or 2) - 1)
    """Programs that are judged at the same time."""
    slots: int = 64
    programs: int = 4000
    rounds: int = 3
    out: Path | None = None


@dataclass(frozen=True)
class Round:
    """Wall seconds of one round."""

    judging: float
    generating: float
    in_turn: float
    """The environment waits for every verdict."""
    overlapped: float

    def excess(self, seconds: float) -> float:
        """How much longer than the slower of judging and generating alone, as a share of it."""
        return seconds / max(self.judging, self.generating) - 1


class Writer:
    """Writes programs that no one has written before."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._lengths = np.random.default_rng(0)
        self.family = Arithmetic()

    def program(self, task: Task) -> str:
        """A program that passes."""
        return f"{task.solution}# {next(self._numbers)} {'.' * int(self._lengths.integers(60))}\n"

    def tokens(self, task_id: str) -> Iterator[int]:
        """The same, token by token; goes on with the last one."""
        yield from self.program(self.family.by_id(task_id)).encode()
        yield from itertools.repeat(END)


def judge_alone(judge: Judge, writer: Writer, config: Config) -> float:
    """Seconds to judge as many programs as an environment would."""
    rng = np.random.default_rng(0)
    tasks = [writer.family.draw(rng) for _ in range(config.programs)]
    pairs = [(task, writer.program(task)) for task in tasks]
    start = time.perf_counter()
    assert all(verdict.passed for verdict in judge.judge_all(pairs))
    return time.perf_counter() - start


def generate(judge: Any, writer: Writer, config: Config, step_seconds: float, overlap: bool) -> tuple[float, int]:
    """Seconds until so many programs have ended, and the number of vector steps."""
    envs = gym.make_vec(
        "codegym/Token-v0", config.slots, sandbox=judge, max_tokens=256, max_prompt_tokens=8, overlap=overlap
    )
    _, infos = envs.reset(seed=0)
    texts = [writer.tokens(task_id) for task_id in infos["task_id"]]
    actions = np.array([next(text) for text in texts])
    ended, start = 0, time.perf_counter()
    for step in itertools.count(1):
        time.sleep(max(0.0, start + step * step_seconds - time.perf_counter()))
        _, _, terminated, _, infos = envs.step(actions)
        waiting = infos.get("_waiting", np.zeros(config.slots, np.bool_))
        for slot in np.flatnonzero(~waiting):
            if terminated[slot]:
                texts[slot] = writer.tokens(infos["task_id"][slot])
            actions[slot] = next(texts[slot])
        ended += int(terminated.sum())
        if ended >= config.programs:
            envs.close()
            return time.perf_counter() - start, step
    raise AssertionError


def measure(judge: Judge, config: Config) -> Round:
    """One round, with the clock of the policy set by how long judging takes."""
    writer = Writer()
    judging = judge_alone(judge, writer, config)
    _, num_steps = generate("fake", writer, config, 0.0, False)
    step_seconds = judging / num_steps
    generating, _ = generate("fake", writer, config, step_seconds, False)
    in_turn, _ = generate(judge, writer, config, step_seconds, False)
    overlapped, _ = generate(judge, writer, config, step_seconds, True)
    return Round(judging, generating, in_turn, overlapped)


def report(rounds: list[Round], config: Config, console: Console) -> None:
    """A table of medians."""
    table = Table(title=f"{config.programs} programs, {config.slots} slots, {config.sandbox}, {config.workers} workers")
    for column in ("", "seconds", "over the slower one alone"):
        table.add_column(column, justify="left" if not column else "right")
    for name in ("judging", "generating", "in_turn", "overlapped"):
        seconds = [getattr(each, name) for each in rounds]
        excess = Spread.of([each.excess(getattr(each, name)) for each in rounds])
        table.add_row(name.replace("_", " "), f"{statistics.median(seconds):.2f}", excess.format("+.0%"))
    console.print(table)


def main(config: Config) -> None:
    """Measure, print, write."""
    with open_sandbox(config.sandbox, num_workers=config.workers) as sandbox:
        judge = Judge(sandbox)
        judge_alone(judge, Writer(), Config(programs=200))  # boxes are warm afterwards
        rounds = [measure(Judge(sandbox, cache_size=0), config) for _ in range(config.rounds)]
    report(rounds, config, Console())
    if config.out is not None:
        config.out.write_text(json.dumps([asdict(each) for each in rounds], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
