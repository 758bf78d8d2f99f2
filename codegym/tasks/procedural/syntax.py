"""Syntax: random syntax trees, each described in low-level English, and a report of the constructs that go wrong.

After "Generating Unseen Code Tests In Infinitum" (arXiv 2407.19772), with sampled trees in place of a data set's.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar, cast

from codegym.tasks.procedural.base import Procedural, TaskDraft
from codegym.tasks.procedural.english import constructs, describe
from codegym.tasks.procedural.tree import Statement, examples_of, size, write
from codegym.tasks.record import Task

BUG_RATES = {
    "assign": 0.2,
    "update": 0.25,
    "swap": 0.45,
    "for": 0.2,
    "while": 0.45,
    "if": 0.35,
    "table": 0.5,
    "list": 0.3,
    "leave": 0.3,
    "return": 0.25,
}
_NUMBERS = range(-6, 13)
_LISTS = (
    "a[1:]", "a[:-1]", "a[::-1]", "a[1::2]", "a[2:5]", "sorted(a)", "a + a[:2]", "[i + {n} for i in a]",
    "[i * {n} for i in a]", "[i for i in a if i > {n}]", "[i for i in a if i % 2 == 0]", "[i - {n} for i in a[1:]]",
)  # fmt: skip
_VALUES = ("len({b})", "sum({b})", "max({b})", "{b}[0]", "{b}[-1]", "{n}")
_OPERATIONS = ("{x} + {n}", "{x} - {y}", "{x} * {n}", "{x} % {m}", "{x} // {m}", "{x} if {c} else {y}", "max({x}, {n})")
_CONDITIONS = ("{x} > {n}", "{x} < {y}", "{x} % {m} == 0", "{x} in {b}", "{x} > {n} and {y} < {m}", "not {x} < {n}")
_BLOCKS = {"update": 1, "assign": 1, "swap": 1, "if": 2, "while": 2, "leave": 2, "if else": 4}


@dataclass(frozen=True)
class Syntax(Procedural):
    """Sampled programs of many constructs, described statement by statement; ``difficulty`` nests their expressions."""

    name: ClassVar[str] = "syntax"
    horizons: ClassVar[tuple[int, int]] = (4, 16)
    horizon: int | tuple[int, int] = (4, 8)

    def examples(self) -> Iterator[str]:
        """Yield texts that hold every word of the prompts and programs."""
        return examples_of(self)

    def draft(self, source: random.Random, horizon: int, difficulty: float) -> TaskDraft:
        """Sample a prompt and the lines of its solution."""
        sampler = _Sampler(source, difficulty)
        statements = sampler.program(horizon)
        sketch = write(source, statements, BUG_RATES)
        program = "\n".join(line.text for line in sketch.lines)
        return sketch._replace(prompt=describe(program), constructs=tuple(constructs(program)))

    @staticmethod
    def sample_arguments(source: random.Random) -> tuple[object, ...]:
        """Sample the arguments of one call."""
        return (source.choices(_NUMBERS, k=source.randint(5, 8)),)


@dataclass(frozen=True)
class _Sampler:
    """Samples statements and expressions."""

    source: random.Random
    difficulty: float

    def program(self, lines: int) -> list[Statement]:
        """Return statements with this number of lines, and a ``return``."""
        statements = [_one("list", f"b = {self._filled(self.source.choice(_LISTS))}")]
        statements += [_one("assign", f"s = {self._value()}"), _one("assign", f"t = {self._value()}")]
        left = lines - len(statements)
        table = left > 2 and self.source.random() < 0.3
        if table:
            divisor = self.source.randint(2, 4)
            update = _one("table", f"d[i % {divisor}] = d.get(i % {divisor}, 0) + i")
            statements += [_one("table", "d = {}"), Statement("for", "for i in b:", "", (update,))]
            left -= 3
        while left:
            share = left if left < 5 or self.source.random() < 0.6 else self.source.randint(2, left - 2)
            loop = Statement("for", "for i in b:", "", self._block(share - 1))
            statements.append(loop if share > 1 else self._update("st"))
            left -= share
        end = self.source.choice(["s + t", "s - t", "s * t", "max(s, t)", "[s, t]"])
        return [*statements, _one("return", f"return {'[s, t, d.get(1, 0)]' if table else end}")]

    def _block(self, lines: int) -> tuple[Statement, ...]:
        written: list[Statement] = []
        while lines > 0:
            kind = self.source.choice([kind for kind, least in _BLOCKS.items() if least <= lines])
            made = self._statements(kind, lines)
            lines -= sum(map(size, made))
            written += made
        return tuple(written)

    def _statements(self, kind: str, lines: int) -> list[Statement]:
        name = self.source.choice("st")
        if kind == "update":
            return [self._update()]
        if kind == "assign":
            return [_one("assign", f"{name} = {self._number()}")]
        if kind == "swap":
            return [_one("swap", f"s, t = t, {self._number()}")]
        if kind == "while":
            limit, step = self.source.choice([(20, "//= 2"), (12, "-= 7"), (9, "//= 3")])
            return [Statement("while", f"while {name} > {limit}:", "", (_one("update", f"{name} {step}"),))]
        test = f"if {self._condition()}:"
        if kind == "leave":
            return [Statement("if", test, "", (_one("leave", self.source.choice(("break", "continue"))),))]
        if kind == "if":
            return [Statement("if", test, "", self._block(self.source.randint(1, lines - 1)))]
        first = Statement("if", test, "", self._block(self.source.randint(1, lines - 3)))
        rest = self._block(self.source.randint(1, lines - size(first) - 1))
        return [first, Statement("else", "else:", "", rest)]

    def _update(self, names: str = "ist") -> Statement:
        change = self.source.choice(("+=", "-="))
        return _one("update", f"{self.source.choice('st')} {change} {self._number(names)}")

    def _value(self) -> str:
        return self._filled(self.source.choice(_VALUES))

    def _number(self, names: str = "ist") -> str:
        if self.source.random() < 0.4 - 0.3 * self.difficulty:
            return self.source.choice([names[0], self._value()])
        return self._filled(self.source.choice(_OPERATIONS), names)

    def _condition(self) -> str:
        return self._filled(self.source.choice(_CONDITIONS))

    def _filled(self, form: str, names: str = "ist") -> str:
        source = self.source
        x, y = source.sample(names, 2)
        number, divisor = source.randint(1, 5), source.randint(2, 4)
        return form.format(x=x, y=y, n=number, m=divisor, b=source.choice("ab"), c=f"{y} > {divisor}")


def _one(operation: str, text: str) -> Statement:
    return Statement(operation, text, "")


def construct_report(results: Iterable[tuple[Task, bool]]) -> dict[str, tuple[int, int]]:
    """Return, for each construct, the number of solved tasks that use it, and the number of all tasks that do.

    Args:
        results: Pairs of a task and whether a program passed it. Tasks of other families count by their operations.
    """
    report: dict[str, tuple[int, int]] = {}
    for task, passed in results:
        names = task.metadata.get("constructs") or task.metadata.get("operations", [])
        for name in set(cast("list[str]", names)):
            solved, total = report.get(name, (0, 0))
            report[name] = (solved + passed, total + 1)
    return dict(sorted(report.items()))
