"""Rows of the table as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmarks.speed.env_throughput.actions import Vocabulary

LENGTHS = (64, 128, 256, 512, 1024, 2048, 4096)
SLOTS = (1, 16, 64, 256)
MANY, SHORT, LENGTH, LONG = 256, 64, 512, 4096
"""Number of slots and lengths that the goals are about."""
FEW = (SHORT, LENGTH, LONG)
KINDS: tuple[Vocabulary, ...] = ("bytes", "bpe")
RIVAL_SLOTS = 16
MAX_PROMPT_TOKENS = 64


@dataclass(frozen=True, slots=True)
class EnvRow:
    """One row of the table."""

    env: Literal["codegym", "codegym, bare", "RL4LMs", "RL4LMs, processes", "CartPole", "copy"] = "codegym"
    """Environment. "bare" is without the wrappers of ``gym.make``; "copy" is only ``obs["tokens"].copy()``; RL4LMs
    with slots is one environment after another in this process, which no vector environment of SB3 beats, or
    processes."""
    slots: int = 0
    """Number of slots; 0 is the single environment."""
    length: int = LENGTH
    """Tokens of every program, and its budget."""
    vocabulary: Vocabulary = "bytes"
    dense: bool = False
    """Whether there are a line scorer and a process reward."""
    copy: bool = True
    in_phase: bool = False
    """Whether all slots end in the same step."""
    new_lines: bool = False
    """Whether four lines of five occur only once."""

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


def all_rows() -> list[EnvRow]:
    """Return the rows in the order of the table; all lengths only in rows about the cost of length."""
    single = [EnvRow(length=length) for length in LENGTHS]
    single += [EnvRow("codegym, bare"), EnvRow(vocabulary="bpe")]
    vector = [EnvRow(slots=slots) for slots in SLOTS if slots != MANY]
    vector += [EnvRow(slots=MANY, length=length) for length in FEW]
    vector += [EnvRow(slots=MANY, in_phase=True), EnvRow(slots=MANY, vocabulary="bpe")]
    vector += [EnvRow(slots=MANY, length=length, copy=False) for length in LENGTHS]
    vector += [EnvRow(slots=MANY, length=length, vocabulary="bpe", copy=False) for length in FEW]
    vector += [EnvRow(slots=slots, vocabulary=kind, new_lines=True) for slots in (0, MANY) for kind in KINDS]
    dense = [EnvRow(slots=slots, vocabulary=kind, dense=True) for slots in (0, MANY) for kind in KINDS]
    dense += [EnvRow("codegym", MANY, length, kind, dense=True, copy=False) for kind in KINDS for length in FEW]
    copies = [EnvRow("copy", slots, length) for slots in (0, MANY) for length in FEW]
    rivals = [EnvRow("RL4LMs", length=length, vocabulary="bpe") for length in FEW]
    rivals += [EnvRow("RL4LMs"), *(EnvRow("RL4LMs", RIVAL_SLOTS, vocabulary=kind) for kind in KINDS)]
    rivals += [EnvRow("RL4LMs, processes", RIVAL_SLOTS, vocabulary="bpe")]
    rivals += [EnvRow("CartPole", slots, length=0) for slots in (0, *SLOTS)]
    return [*single, *vector, *dense, *copies, *rivals]
