"""Machines: small state machines and simulations that read a list of numbers."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from codegym.tasks.procedural.base import Procedural, TaskDraft
from codegym.tasks.procedural.tree import Statement, examples_of, write

BUG_RATES = {
    "start": 0.1,
    "read": 0.1,
    "state": 0.25,
    "count": 0.3,
    "go": 0.35,
    "when": 0.4,
    "push": 0.35,
    "pop": 0.45,
    "move": 0.45,
    "return": 0.2,
}
_NUMBERS = range(10)


@dataclass(frozen=True)
class Machines(Procedural):
    """State machines, walkers on a ring and machines with a stack; ``difficulty`` gives more of the latter two."""

    name: ClassVar[str] = "machines"
    horizons: ClassVar[tuple[int, int]] = (7, 16)
    horizon: int | tuple[int, int] = (7, 10)

    def examples(self) -> Iterator[str]:
        """Yield texts that hold every word of the prompts and programs."""
        return examples_of(self)

    def draft(self, source: random.Random, horizon: int, difficulty: float) -> TaskDraft:
        """Sample a prompt and the lines of its solution."""
        kind = source.choices((_automaton, _walker, _stack), (1.0, 0.5 + difficulty, 0.5 + difficulty))[0]
        return write(source, kind(source, horizon), BUG_RATES)

    @staticmethod
    def sample_arguments(source: random.Random) -> tuple[object, ...]:
        """Sample the arguments of one call."""
        return (source.choices(_NUMBERS, k=source.randint(8, 12)),)


def _start(name: str, value: object) -> Statement:
    return Statement("start", f"{name} = {value}", f"{name} is {'empty' if value == [] else value}")


def _read(*block: Statement) -> Statement:
    return Statement("read", "for i in a:", "read i", block)


def _return(text: str) -> Statement:
    return Statement("return", f"return {text}", f"return {text}")


def _when(source: random.Random, *block: Statement) -> Statement:
    number = source.randint(2, 7)
    text, phrase = source.choice(
        [(f"i > {number}", f"above {number}"), (f"i < {number}", f"below {number}"), ("i % 2 == 0", "even")]
    )
    return Statement("when", f"if {text}:", phrase, block)


def _count(source: random.Random) -> Statement:
    number = source.randint(1, 5)
    return source.choice(
        [
            Statement("count", "n += i", "add i"),
            Statement("count", "n -= i", "take i"),
            Statement("count", f"n += {number}", f"add {number}"),
            Statement("count", f"n -= {number}", f"take {number}"),
            Statement("count", f"n += i * {number}", f"add i times {number}"),
        ]
    )


def _shared(source: random.Random, lines: int, parts: int) -> list[int]:
    """Return shares of the lines for each part, at least one each."""
    cuts = sorted(source.sample(range(1, lines), parts - 1))
    return [after - before for before, after in zip([0, *cuts], [*cuts, lines], strict=True)]


def _filled(source: random.Random, lines: int, simple: Callable[[], Statement]) -> tuple[Statement, ...]:
    """Return statements of one line, or of two with a condition, with this number of lines together."""
    written = []
    while lines > 0:
        conditional = lines > 1 and source.random() < 0.6
        written.append(_when(source, simple()) if conditional else simple())
        lines -= 1 + conditional
    return tuple(written)


def _automaton(source: random.Random, horizon: int) -> list[Statement]:
    """Return a machine whose state decides how the next number is taken."""
    lines = horizon - 3
    states = source.randint(2, min(4, lines // 2))
    branches = []
    for state, share in enumerate(_shared(source, lines - states, states)):
        goal = source.choice([other for other in range(states) if other != state])
        go = Statement("go", f"s = {goal}", f"go {goal}")
        last = _when(source, go) if share > 1 and source.random() < 0.5 else go
        text = "else:" if state == states - 1 else f"{'el' if state else ''}if s == {state}:"
        rest = _filled(source, share - 1 - len(last.block), lambda: _count(source))
        branches.append(Statement("else" if text == "else:" else "state", text, f"in {state}", (*rest, last)))
    return [_start("s", 0), _start("n", source.randint(0, 3)), _read(*branches), _return("n")]


def _walker(source: random.Random, horizon: int) -> list[Statement]:
    """Return a walker on a ring that counts at some places."""
    ring = source.randint(5, 9)
    moves = [
        Statement("move", f"p = (p + i) % {ring}", f"walk i round {ring}"),
        Statement("move", f"p = (p - i) % {ring}", f"back i round {ring}"),
        Statement("move", f"p = (p + {ring // 2}) % {ring}", f"walk {ring // 2} round {ring}"),
    ]
    place = source.randint(1, ring - 1)
    number = source.randint(1, 5)
    goal = Statement("count", f"n += {number} + p", f"add {number} and p")
    at = Statement("when", f"if p > {place}:", f"at above {place}", (goal,))
    block = (*_filled(source, horizon - 5, lambda: source.choice(moves)), at)
    end = source.choice(["n", "n + p"])
    return [_start("p", source.randint(0, ring - 1)), _start("n", 0), _read(*block), _return(end)]


def _stack(source: random.Random, horizon: int) -> list[Statement]:
    """Return a machine that keeps some numbers on a stack and takes them back later."""
    pushes = [Statement("push", "b.append(i)", "push i"), Statement("push", "b.append(i + n)", "push i and n")]
    pops = [Statement("pop", "n += b.pop()", "add pop"), Statement("pop", "n -= b.pop()", "take pop")]
    pop = Statement("when", "elif b:", "else if any", (source.choice(pops),))
    first, rest = _shared(source, horizon - 7, 2) if horizon > 8 else (horizon - 6, 0)
    block = [_when(source, source.choice(pushes), *_filled(source, first - 1, lambda: _count(source))), pop]
    if rest:
        block.append(Statement("else", "else:", "else", _filled(source, rest, lambda: _count(source))))
    end = source.choice(["n", "n + len(b)", "n - sum(b)"])
    return [_start("b", []), _start("n", source.randint(0, 3)), _read(*block), _return(end)]
