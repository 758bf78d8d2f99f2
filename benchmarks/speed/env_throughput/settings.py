"""What is measured, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmarks.speed.env_throughput.actions import Vocabulary

LENGTHS = (64, 128, 256, 512, 1024, 2048, 4096)
SLOTS = (1, 16, 64, 256)
MANY, SHORT, LENGTH, LONG = 256, 64, 512, 4096
"""Where the goals are."""
FEW = (SHORT, LENGTH, LONG)
KINDS: tuple[Vocabulary, ...] = ("bytes", "bpe")
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
    """Four lines of five stand there once only."""

    @property
    def title(self) -> str:
        marks = {
            "dense": self.dense,
            "copy=False": not self.copy,
            "in phase": self.in_phase,
            "new lines": self.new_lines,
        }
        return ", ".join([self.env, *(name for name, holds in marks.items() if holds)])

    def __str__(self) -> str:
        where = f"{self.slots} slots" if self.slots else "single"
        return f"{self.title}, {where}" + f", length {self.length}, {self.vocabulary}" * (self.env != "CartPole")


def all_settings() -> list[Setting]:
    """Rows in the order of the table; all lengths only where the cost of length is looked at."""
    single = [Setting(length=length) for length in LENGTHS]
    single += [Setting("codegym, bare"), Setting(vocabulary="bpe")]
    vector = [Setting(slots=slots) for slots in SLOTS if slots != MANY]
    vector += [Setting(slots=MANY, length=length) for length in FEW]
    vector += [Setting(slots=MANY, in_phase=True), Setting(slots=MANY, vocabulary="bpe")]
    vector += [Setting(slots=MANY, length=length, copy=False) for length in LENGTHS]
    vector += [Setting(slots=MANY, length=length, vocabulary="bpe", copy=False) for length in FEW]
    vector += [Setting(slots=slots, vocabulary=kind, new_lines=True) for slots in (0, MANY) for kind in KINDS]
    dense = [Setting(slots=slots, vocabulary=kind, dense=True) for slots in (0, MANY) for kind in KINDS]
    dense += [Setting("codegym", MANY, length, kind, dense=True, copy=False) for kind in KINDS for length in FEW]
    copies = [Setting("copy", slots, length) for slots in (0, MANY) for length in FEW]
    rivals = [Setting("RL4LMs", length=length, vocabulary="bpe") for length in FEW]
    rivals += [Setting("RL4LMs"), *(Setting("RL4LMs", RIVAL_SLOTS, vocabulary=kind) for kind in KINDS)]
    rivals += [Setting("RL4LMs, processes", RIVAL_SLOTS, vocabulary="bpe")]
    rivals += [Setting("CartPole", slots, length=0) for slots in (0, *SLOTS)]
    return [*single, *vector, *dense, *copies, *rivals]
