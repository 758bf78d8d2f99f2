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
_TEST_SHARE = 5  # one behaviour of this number is for testing
_MIN_ANSWERS = 3
_ATTEMPTS = 5_000
_HORIZON = re.compile(r"[1-9][0-9]*")
_HEX = re.compile(r"0|[1-9a-f][0-9a-f]*")


class Family(Protocol):
    """An endless supply of tasks of one kind: a task source that is made without arguments."""

    def draw(self, rng: np.random.Generator) -> Task:
        """Draw a task.

        Args:
            rng: The only source of randomness: the same state of the generator gives the same task.
        """

    def by_id(self, task_id: object) -> Task:
        """Return the task with that id.

        Args:
            task_id: Id of the task, compared as text.

        Raises:
            KeyError: There is no such task.
        """


class SolutionLine(NamedTuple):
    """A line of a solution, and how it goes wrong."""

    text: str
    """Source of the line, without its newline."""
    operation: str
    """Kind of the line, as a key of bug rates and reports."""
    bug_rate: float = 0.0
    """Probability that ``inject_bugs`` makes the line wrong."""
    wrong: tuple[str, ...] = ()
    """Plausible wrong lines in its place."""


class TaskDraft(NamedTuple):
    """A task before its checks."""

    prompt: str
    """Text that the policy sees."""
    lines: tuple[SolutionLine, ...]
    """Lines of the solution, the ``def`` line first."""
    discriminating_input: Arguments = ()
    """Arguments with which every wrong line and every missing line changes the result. If empty, the checks decide
    which wrong lines are kept."""
    constructs: tuple[str, ...] = ()
    """Names of the language constructs in the solution, for ``construct_report``."""


@dataclass(frozen=True)
class Procedural:
    r"""A family whose tasks are sampled. A subclass writes ``draft``, ``sample_arguments`` and ``examples``.

        @dataclass(frozen=True)
        class Sums(Procedural):
            name: ClassVar[str] = "sums"
            horizons: ClassVar[tuple[int, int]] = (1, 4)
            horizon: int | tuple[int, int] = (1, 2)

            def draft(self, source, horizon, difficulty):
                adds = [source.randint(1, 9) for _ in range(horizon)]
                lines = [SolutionLine(f"    a = a + {n}", "add", 0.2, (f"    a = a - {n}",)) for n in adds]
                lines = (SolutionLine("def f(a):", "def"), *lines, SolutionLine("    return a", "return"))
                return TaskDraft(f"f(a): add {adds}\n", lines)

            @staticmethod
            def sample_arguments(source):
                return (source.randint(-9, 9),)

            def examples(self):
                yield "f(a): add [1, 2]\n"
                yield "def f(a):\n    a = a + 1\n    a = a - 2\n    return a\n"

    The base class does the rest: it runs the solution on random arguments for the checks, drops drafts whose solution
    fails or is constant, splits by behaviour, and finds a task again by its id, which holds the seed.

    Args:
        horizon: Number of lines between ``def`` and the last ``return``, all of which must be right; or the lowest and
            the highest number.
        split: "train" or "test". The two have no prompt and no behaviour in common: the behaviour is what the solution
            returns on eight fixed arguments, its hash decides, and a fifth of the behaviours is for testing.
        difficulty: Number from 0 to 1: the larger, the more the tasks consist of parts that often go wrong.

    Raises:
        ValueError: An argument is out of range.
    """

    horizon: int | tuple[int, int] = (2, 6)
    split: Split = "train"
    difficulty: float = 0.0

    name: ClassVar[str]
    """Name of the family, the first part of its task ids."""
    horizons: ClassVar[tuple[int, int]]
    """Lowest and highest horizon of the family."""

    def __post_init__(self) -> None:
        low, high = self.span
        if not self.horizons[0] <= low <= high <= self.horizons[1]:
            raise ValueError(f"horizon of {self.name}: got {self.horizon}; expected a range within {self.horizons}")
        if self.split not in ("train", "test"):
            raise ValueError(f'split: got {self.split!r}; expected "train" or "test"')
        if not 0 <= self.difficulty <= 1:
            raise ValueError(f"difficulty: got {self.difficulty}; expected a number from 0 to 1")

    @property
    def span(self) -> tuple[int, int]:
        """The lowest and the highest horizon of the tasks that are drawn."""
        return (self.horizon, self.horizon) if isinstance(self.horizon, int) else self.horizon

    def draw(self, rng: np.random.Generator) -> Task:
        """Draw a task; each horizon is as likely as the others.

        Raises:
            ValueError: No attempt of 5,000 led to a task.
        """
        low, high = self.span
        horizon = int(rng.integers(low, high, endpoint=True))
        for _ in range(_ATTEMPTS):
            seed = int(rng.integers(1 << 40))
            task = self._make(f"{self.name}:{self.split}:{horizon}:{self.difficulty:g}:{seed:x}")
            if task is not None:
                return task
        raise ValueError(f"no task in {_ATTEMPTS} attempts: {self} leaves too few")

    def by_id(self, task_id: object) -> Task:
        """Return the task of that id, whatever horizon, split and difficulty this family draws.

        Raises:
            KeyError: There is no such task.
        """
        task = self._make(str(task_id))
        if task is None:
            raise KeyError(f'no task {task_id!r}: ids look like "{self.name}:train:{self.horizons[0]}:0.5:1f", not all')
        return task

    def examples(self) -> Iterator[str]:
        """Yield texts that hold every word of the family's prompts and programs, wrong lines included.

        ``vocabulary`` makes a tokenizer's tokens of them.
        """
        raise NotImplementedError

    def draft(self, source: random.Random, horizon: int, difficulty: float) -> TaskDraft | None:
        """Sample a prompt and the lines of its solution, or return None if this attempt led to no task.

        The same state of ``source`` must give the same draft, in every process: a task id holds no more than the seed
        of ``source``. The solution is one function ``f``, within the grammar of
        ``codegym.tasks.procedural.grammar``.

        Args:
            source: The only source of randomness.
            horizon: Number of lines between ``def`` and the last ``return``.
            difficulty: Number from 0 to 1, as in the constructor.
        """
        raise NotImplementedError

    @staticmethod
    def sample_arguments(source: random.Random) -> Arguments:
        """Sample the arguments of one call of a solution: numbers, texts, or lists of them.

        They are the inputs of the checks, and of the probes that split behaviours into train and test.

        Args:
            source: The only source of randomness.
        """
        raise NotImplementedError

    def _make(self, task_id: str) -> Task | None:
        """Return the task of an id, None if the id has another form or its task would be a bad one."""
        head, _, seed = task_id.rpartition(":")
        parts = head.split(":")
        if len(parts) != 4 or not _HEX.fullmatch(seed) or not _HORIZON.fullmatch(parts[2]):
            return None
        name, split, horizon, difficulty = parts[0], parts[1], int(parts[2]), _level(parts[3])
        if name != self.name or difficulty is None or not self.horizons[0] <= horizon <= self.horizons[1]:
            return None
        source = random.Random(int(seed, 16))
        draft = self.draft(source, horizon, difficulty)
        program = draft and compile_program(line.text for line in draft.lines)
        if not draft or not program or _split_of(program, _probes(self.name, self.sample_arguments)) != split:
            return None
        checks = _checks(draft, program, lambda: self.sample_arguments(source))
        draft = draft if draft.discriminating_input or not checks else _discriminated(draft, checks)
        if checks is None or draft is None:
            return None
        metadata = {"family": name, "split": split, "horizon": horizon, "difficulty": difficulty} | _metadata(draft)
        return Task(task_id, draft.prompt, checks, entry_point="f", solution=_text(draft), metadata=metadata)


def _level(text: str) -> float | None:
    """Return the difficulty in an id, None if it is not written as ``draw`` writes it."""
    try:
        level = float(text)
    except ValueError:
        return None
    return level if 0 <= level <= 1 and f"{level:g}" == text else None


def _text(draft: TaskDraft) -> str:
    return "".join(line.text + "\n" for line in draft.lines)


def _metadata(draft: TaskDraft) -> dict[str, object]:
    return {
        "operations": [line.operation for line in draft.lines],
        "bug_rates": [line.bug_rate for line in draft.lines],
        "wrong_lines": [list(line.wrong) for line in draft.lines],
        "constructs": list(draft.constructs),
    }


@cache
def _probes(name: str, arguments: Callable[[random.Random], Arguments]) -> list[Arguments]:
    source = random.Random(f"probes of {name}")
    return [arguments(source) for _ in range(_NUM_PROBES)]


def _split_of(program: Program, probes: list[Arguments]) -> Split | None:
    """Return the split of a behaviour, None if the program fails or returns nearly always the same."""
    answers = outputs(program, probes)
    if answers is None or not _varies(answers):
        return None
    digest = blake2b(repr(answers).encode(), digest_size=8).digest()
    return "test" if int.from_bytes(digest) % _TEST_SHARE == 0 else "train"


def _varies(answers: Sequence[object]) -> bool:
    return len(set(map(repr, answers))) >= _MIN_ANSWERS


def _checks(draft: TaskDraft, program: Program, arguments: Callable[[], Arguments]) -> tuple[CallCheck, ...] | None:
    """Return checks on random arguments, None if the solution fails or returns nearly always the same."""
    inputs = [arguments() for _ in range(NUM_CHECKS)]
    if draft.discriminating_input:
        inputs[0] = draft.discriminating_input
    answers = outputs(program, inputs)
    return tuple(map(CallCheck, inputs, answers)) if answers is not None and _varies(answers) else None


def _discriminated(draft: TaskDraft, checks: Sequence[CallCheck]) -> TaskDraft | None:
    """Return the draft with only those wrong lines that fail the checks.

    None if a program without one of the lines passes, or if a line with a bug rate has no wrong line left.
    """
    texts = [line.text for line in draft.lines]
    around = [(texts[:place], texts[place + 1 :]) for place in range(len(texts))]
    if any(passes(checks, compile_program([*before, *after])) for before, after in around[1:]):
        return None
    lines = []
    for line, (before, after) in zip(draft.lines, around, strict=True):
        programs = [(text, compile_program([*before, text, *after])) for text in line.wrong]
        wrong = tuple(text for text, program in programs if program and not passes(checks, program))
        if line.bug_rate and not wrong:
            return None
        lines.append(line._replace(wrong=wrong))
    return draft._replace(lines=tuple(lines))
