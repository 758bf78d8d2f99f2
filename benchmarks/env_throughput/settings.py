"""What is measured, as data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from benchmarks.env_throughput.actions import Vocabulary

LENGTHS = (64, 128, 256, 512, 1024, 2048, 4096)
SLOTS = (1, 16, 64, 256)
MANY, SHORT, LENGTH, LONG = 256, 64, 512, 4096
"""Where the goals are."""
RIVAL_SLOTS = 16
MAX_PROMPT_TOKENS = 64


@dataclass(frozen=True, slots=True)
class Setting:
    """One row."""

    env: Literal["codegym", "codegym, bare", "RL4LMs", "RL4LMs, processes", "CartPole", "copy"] = "codegym"
    """"bare" is without the wrappers of ``gym.make``, "copy" nothing but ``obs["tokens"].copy()``, RL4LMs with slots
    one environment after another in this process, as no vector environment of SB3 could be faster, or in processes."""
    slots: int = 0
    """0 is the single environment."""
    length: int = LENGTH
    """Tokens of every program, which is also the budget."""
    vocabulary: Vocabulary = "bytes"
    dense: bool = False
    """A line scorer and a process reward."""
    copy: bool = True
    in_phase: bool = False
    """All slots end in the same step."""
    new_lines: bool = False
    """Hardly a line stands there twice."""

    @property
    def title(self) -> str:
        marks = ["dense" * self.dense, "copy=False" * (not self.copy), "in phase" * self.in_phase]
        marks.append("new lines" * self.new_lines)
        return ", ".join([self.env, *filter(None, marks)])

    def __str__(self) -> str:
        where = f"{self.slots} slots" if self.slots else "single"
        return f"{self.title}, {where}" + f", length {self.length}, {self.vocabulary}" * (self.env != "CartPole")


def all_settings(lengths: tuple[int, ...] = LENGTHS, slots: tuple[int, ...] = SLOTS) -> list[Setting]:
    """Rows in the order of the table; the longer list of lengths only where the cost of length is looked at."""
    few = [length for length in lengths if length in (SHORT, LENGTH, LONG)]
    single = [Setting(length=length) for length in lengths]
    single += [replace(Setting(), env="codegym, bare"), Setting(vocabulary="bpe")]
    vector = [Setting(slots=number) for number in slots if number != MANY]
    vector += [Setting(slots=MANY, length=length) for length in few]
    vector += [Setting(slots=MANY, in_phase=True), Setting(slots=MANY, vocabulary="bpe")]
    vector += [Setting(slots=MANY, length=length, copy=False) for length in lengths]
    vector += [Setting(slots=MANY, length=length, copy=False, vocabulary="bpe") for length in few]
    both: tuple[Vocabulary, ...] = ("bytes", "bpe")
    vector += [Setting(slots=n, vocabulary=vocabulary, new_lines=True) for n in (0, MANY) for vocabulary in both]
    dense = [Setting(vocabulary=vocabulary, dense=True) for vocabulary in both]
    dense += [Setting(slots=MANY, vocabulary=vocabulary, dense=True) for vocabulary in both]
    dense += [Setting(slots=MANY, length=length, copy=False, dense=True) for length in few]
    copies = [Setting("copy", slots=number, length=length) for number in (0, MANY) for length in few]
    rivals = [Setting("RL4LMs", length=length, vocabulary="bpe") for length in few]
    rivals += [Setting("RL4LMs", slots=RIVAL_SLOTS, vocabulary="bpe")]
    rivals += [Setting("RL4LMs, processes", slots=RIVAL_SLOTS, vocabulary="bpe")]
    rivals += [Setting("CartPole", slots=number, length=0) for number in (0, *slots)]
    return [*single, *vector, *dense, *copies, *rivals]
