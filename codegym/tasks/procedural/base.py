"""What all families share: how a task is drawn, checked, split into train and test, and found again by its id."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from typing import ClassVar, Literal, NamedTuple, Protocol

import numpy as np

from codegym.tasks.procedural.interpreter import Program, compile_program, outputs, passes
from codegym.tasks.record import CallCheck, Task

Split = Literal["train", "test"]
Arguments = tuple[object, ...]

NUM_CHECKS = 6
_NUM_PROBES = 8
_TEST_SHARE = 5  # one behaviour of so many is for testing
_MIN_ANSWERS = 3
_ATTEMPTS = 5_000
_HORIZON = re.compile(r"[1-9][0-9]*")
_HEX = re.compile(r"0|[1-9a-f][0-9a-f]*")


class Family(Protocol):
    """Endless tasks of one kind."""

    def draw(self, rng: np.random.Generator) -> Task:
        """Draw a task; the same state of ``rng`` gives the same task."""

    def by_id(self, task_id: object) -> Task:
        """Give the task of that id; ``KeyError`` where there is none."""


class SolutionLine(NamedTuple):
    """A line of a solution, and how it goes wrong."""

    text: str
    operation: str
    """What the line does, as a key of bug rates and reports."""
    bug_rate: float = 0.0
    wrong: tuple[str, ...] = ()
    """Plausible wrong lines in its place."""


class TaskDraft(NamedTuple):
    """A task before its checks."""

    prompt: str
    lines: tuple[SolutionLine, ...]
    discriminating_input: Arguments = ()
    """Arguments with which every wrong line and every missing one is noticed; empty where this is to be found out."""
    constructs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Procedural:
    """A family whose tasks are sampled; a subclass says how: ``examples``, ``draft`` and ``sample_arguments``.

    Args:
        horizon: the number of lines between ``def`` and the last ``return``, all of which must be right; or the lowest
            and the highest.
        split: the train and the test tasks of a family have no prompt and no behaviour in common. The behaviour is
            what the solution returns on eight fixed arguments; its hash decides, and a fifth of them is for testing.
        difficulty: from 0 to 1, the larger the more the tasks consist of what is easily got wrong.

    Raises:
        ValueError: an argument is out of range.
    """

    horizon: int | tuple[int, int] = (2, 6)
    split: Split = "train"
    difficulty: float = 0.0

    name: ClassVar[str]
    horizons: ClassVar[tuple[int, int]]
    """The lowest and the highest horizon that the family has."""

    def __post_init__(self) -> None:
        low, high = _span(self.horizon)
        if not self.horizons[0] <= low <= high <= self.horizons[1]:
            raise ValueError(f"the horizon of {self.name} must lie within {self.horizons}, got {self.horizon}")
        if self.split not in ("train", "test"):
            raise ValueError(f'split must be "train" or "test", got {self.split!r}')
        if not 0 <= self.difficulty <= 1:
            raise ValueError(f"difficulty must be from 0 to 1, got {self.difficulty}")

    def draw(self, rng: np.random.Generator) -> Task:
        """Draw a task; each horizon is as likely as the others."""
        low, high = _span(self.horizon)
        horizon = int(rng.integers(low, high, endpoint=True))
        for _ in range(_ATTEMPTS):
            seed = int(rng.integers(1 << 40))
            task = self._make(f"{self.name}:{self.split}:{horizon}:{self.difficulty:g}:{seed:x}")
            if task is not None:
                return task
        raise ValueError(f"no task in {_ATTEMPTS} attempts: {self} leaves too few")

    def by_id(self, task_id: object) -> Task:
        """Give the task of that id, whatever knobs this family has; ``KeyError`` where there is none."""
        task = self._make(str(task_id))
        if task is None:
            raise KeyError(f'no task {task_id!r}: ids look like "{self.name}:train:{self.horizons[0]}:0.5:1f", not all')
        return task

    def examples(self) -> Iterator[str]:
        """Give texts that hold every word of the family's prompts and programs."""
        raise NotImplementedError

    def draft(self, source: random.Random, horizon: int, difficulty: float) -> TaskDraft | None:
        """Sample a prompt and the lines of its solution; None where this attempt led nowhere."""
        raise NotImplementedError

    @staticmethod
    def sample_arguments(source: random.Random) -> Arguments:
        """Sample what a solution is called with."""
        raise NotImplementedError

    def _make(self, task_id: str) -> Task | None:
        """The task of an id, None where it is none or would be a bad one."""
        head, _, seed = task_id.rpartition(":")
        parts = head.split(":")
        if len(parts) != 4 or not _HEX.fullmatch(seed) or not _HORIZON.fullmatch(parts[2]):
            return None
        name, split, horizon, difficulty = parts[0], parts[1], int(parts[2]), _level(parts[3])
        if name != self.name or difficulty is None or not self.horizons[0] <= horizon <= self.horizons[1]:
            return None
        source = random.Random(int(seed, 16))
        sketch = self.draft(source, horizon, difficulty)
        program = sketch and compile_program(line.text for line in sketch.lines)
        if not sketch or not program or _split_of(program, _probes(self.name, self.sample_arguments)) != split:
            return None
        checks = _checks(sketch, program, lambda: self.sample_arguments(source))
        sketch = sketch if sketch.discriminating_input or not checks else _noticed(sketch, checks)
        if checks is None or sketch is None:
            return None
        facts = {"family": name, "split": split, "horizon": horizon, "difficulty": difficulty} | _facts(sketch)
        return Task(task_id, sketch.prompt, checks, entry_point="f", solution=_text(sketch), metadata=facts)


def _span(horizon: int | tuple[int, int]) -> tuple[int, int]:
    return (horizon, horizon) if isinstance(horizon, int) else horizon


def _level(text: str) -> float | None:
    """The difficulty that an id names, None where it is not written as ``draw`` writes it."""
    try:
        level = float(text)
    except ValueError:
        return None
    return level if 0 <= level <= 1 and f"{level:g}" == text else None


def _text(sketch: TaskDraft) -> str:
    return "".join(line.text + "\n" for line in sketch.lines)


def _facts(sketch: TaskDraft) -> dict[str, object]:
    return {
        "operations": [line.operation for line in sketch.lines],
        "bug_rates": [line.bug_rate for line in sketch.lines],
        "wrong_lines": [list(line.wrong) for line in sketch.lines],
        "constructs": list(sketch.constructs),
    }


@cache
def _probes(name: str, arguments: Callable[[random.Random], Arguments]) -> list[Arguments]:
    source = random.Random(f"probes of {name}")
    return [arguments(source) for _ in range(_NUM_PROBES)]


def _split_of(program: Program, probes: list[Arguments]) -> Split | None:
    """Where a behaviour belongs, None where a program fails or always gives the same."""
    answers = outputs(program, probes)
    if answers is None or not _varies(answers):
        return None
    digest = blake2b(repr(answers).encode(), digest_size=8).digest()
    return "test" if int.from_bytes(digest) % _TEST_SHARE == 0 else "train"


def _varies(answers: Sequence[object]) -> bool:
    return len(set(map(repr, answers))) >= _MIN_ANSWERS


def _checks(sketch: TaskDraft, program: Program, arguments: Callable[[], Arguments]) -> tuple[CallCheck, ...] | None:
    """Checks on random arguments, None where the solution fails or always gives the same."""
    inputs = [arguments() for _ in range(NUM_CHECKS)]
    if sketch.discriminating_input:
        inputs[0] = sketch.discriminating_input
    answers = outputs(program, inputs)
    return tuple(map(CallCheck, inputs, answers)) if answers is not None and _varies(answers) else None


def _noticed(sketch: TaskDraft, checks: Sequence[CallCheck]) -> TaskDraft | None:
    """The sketch with those wrong lines only that the checks notice; None where a line may be missing, or has none."""
    texts = [line.text for line in sketch.lines]
    around = [(texts[:place], texts[place + 1 :]) for place in range(len(texts))]
    if any(passes(checks, compile_program([*before, *after])) for before, after in around[1:]):
        return None
    lines = []
    for line, (before, after) in zip(sketch.lines, around, strict=True):
        programs = [(text, compile_program([*before, text, *after])) for text in line.wrong]
        wrong = tuple(text for text, program in programs if program and not passes(checks, program))
        if line.bug_rate and not wrong:
            return None
        lines.append(line._replace(wrong=wrong))
    return sketch._replace(lines=tuple(lines))
