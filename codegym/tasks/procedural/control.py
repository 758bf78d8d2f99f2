"""Control flow: loops, conditions and accumulators, one in the other."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from codegym.tasks.procedural.base import Procedural, TaskDraft
from codegym.tasks.procedural.tree import Statement, examples_of, size, write

BUG_RATES = {
    "set": 0.15,
    "each": 0.15,
    "add": 0.25,
    "take": 0.3,
    "raise": 0.35,
    "mix": 0.45,
    "if": 0.35,
    "while": 0.45,
    "times": 0.4,
    "skip": 0.35,
    "stop": 0.35,
    "return": 0.15,
}
_SUMS = ("s", "t")
_HARD = ("while", "times", "else")
_NUMBERS = range(-6, 13)


@dataclass(frozen=True)
class Control(Procedural):
    """Nested loops and conditions over a list of numbers that end in one number."""

    name: ClassVar[str] = "control"
    horizons: ClassVar[tuple[int, int]] = (3, 16)
    horizon: int | tuple[int, int] = (3, 8)

    def examples(self) -> Iterator[str]:
        """Yield texts that hold every word of the prompts and programs."""
        return examples_of(self)

    def draft(self, source: random.Random, horizon: int, difficulty: float) -> TaskDraft:
        """Sample a prompt and the lines of its solution."""
        sums = _SUMS[: 2 if horizon > 5 and source.random() < 0.5 else 1]
        writer = _Writer(source, sums, difficulty)
        statements = [_set(name, source.randint(0, 3)) for name in sums]
        left = horizon - len(sums)
        while left:
            lines = left if left < 4 or source.random() < 0.6 else source.randint(2, left - 2)
            statements.append(Statement("each", "for i in a:", "each i of a", writer.block(lines - 1, ("i",))))
            left -= lines
        end = source.choice(["s"] if len(sums) == 1 else ["s + t", "s - t", "s * t"])
        statements.append(Statement("return", f"return {end}", f"return {end}"))
        return write(source, statements, BUG_RATES)

    @staticmethod
    def sample_arguments(source: random.Random) -> tuple[object, ...]:
        """Sample the arguments of one call."""
        return (source.choices(_NUMBERS, k=source.randint(5, 8)),)


def _set(name: str, number: int) -> Statement:
    return Statement("set", f"{name} = {number}", f"{name} is {number}")


@dataclass(frozen=True)
class _Writer:
    """Samples blocks with a given number of lines."""

    source: random.Random
    sums: Sequence[str]
    difficulty: float

    def block(self, lines: int, items: tuple[str, ...]) -> tuple[Statement, ...]:
        """Return statements with this number of lines; ``items`` are the variables of the loops around them."""
        written: list[Statement] = []
        while lines:
            kinds = [kind for kind, least in _LEAST.items() if least <= lines and (kind != "times" or len(items) < 2)]
            weights = [1 + 2 * self.difficulty * (kind in _HARD) - 0.5 * (kind == "update") for kind in kinds]
            made = self._statement(self.source.choices(kinds, weights)[0], lines, items)
            written += made
            lines -= sum(map(size, made))
        return tuple(written)

    def _statement(self, kind: str, lines: int, items: tuple[str, ...]) -> list[Statement]:
        source, name = self.source, self.source.choice(self.sums)
        if kind == "update":
            return [self._update(name, items)]
        if kind == "while":
            limit = source.choice((9, 12, 20))
            step = source.choice([("//= 2", "halve {}"), ("-= 7", "take 7 from {}")])
            inner = Statement("take", f"{name} {step[0]}", step[1].format(name))
            return [Statement("while", f"while {name} > {limit}:", f"while {name} above {limit}", (inner,))]
        if kind == "times":
            count = source.choice((2, 3, 4))
            block = self.block(source.randint(1, lines - 1), (*items, "j"))
            return [Statement("times", f"for j in range({count}):", f"each j below {count}", block)]
        text, phrase = self._condition(items)
        if kind == "jump":
            jump = source.choice((Statement("skip", "continue", "skip"), Statement("stop", "break", "stop")))
            return [Statement("if", f"if {text}:", f"if {phrase}", (jump,))]
        inside = self.block(source.randint(1, lines - _LEAST[kind] + 1), items)
        first = Statement("if", f"if {text}:", f"if {phrase}", inside)
        if kind == "if":
            return [first]
        left = lines - size(first) - 1
        return [first, Statement("else", "else:", "else", self.block(source.randint(1, left), items))]

    def _update(self, name: str, items: tuple[str, ...]) -> Statement:
        source, item = self.source, self.source.choice(items)
        number = source.randint(1, 5)
        return source.choice(
            [
                Statement("add", f"{name} += {item}", f"add {item} to {name}"),
                Statement("add", f"{name} += {number}", f"add {number} to {name}"),
                Statement("take", f"{name} -= {item}", f"take {item} from {name}"),
                Statement("take", f"{name} -= {number}", f"take {number} from {name}"),
                Statement("raise", f"{name} = max({name}, {item})", f"raise {name} to {item}"),
                Statement("mix", f"{name} = {name} * 2 - {item}", f"double {name} less {item}"),
                Statement("mix", f"{name} += {item} * {item}", f"add square {item} to {name}"),
                Statement("mix", f"{name} += {item} % {number + 1}", f"add {item} mod {number + 1} to {name}"),
            ]
        )

    def _condition(self, items: tuple[str, ...]) -> tuple[str, str]:
        source, item, number = self.source, self.source.choice((*items, *self.sums)), self.source.randint(1, 5)
        return source.choice(
            [
                (f"{item} > {number}", f"{item} above {number}"),
                (f"{item} < {number}", f"{item} below {number}"),
                (f"{item} % 2 == 0", f"{item} even"),
                (f"{item} % 3 == 1", f"{item} mod 3 is 1"),
                (f"{items[-1]} > {self.sums[-1]}", f"{items[-1]} above {self.sums[-1]}"),
            ]
        )


_LEAST = {"update": 1, "if": 2, "while": 2, "jump": 2, "times": 2, "else": 4}
