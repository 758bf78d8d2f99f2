"""Actions of this benchmark: real program text as token ids, no two programs alike.

A policy would cost more than the environment, so its choices are made before the clock starts.
"""

from __future__ import annotations

import keyword
import re
from functools import cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

Vocabulary = Literal["bytes", "bpe"]
Actions = npt.NDArray[np.int64]

EOS = "<eos>"
SIZES: dict[Vocabulary, int] = {"bytes": 257, "bpe": 512}
"""Vocabulary sizes; the larger is chosen so that a token holds about 3.3 bytes, as in code models."""
SHORTEST = 64
MARK = "9"
"""Mark in the program text that occurs nowhere else, so that it is a token of its own. It is replaced by the digits of
a number that makes a program (or each of its lines) unique, so that no judge can answer from its cache."""
_NAME = re.compile(rf"\b(?!(?:{'|'.join(keyword.kwlist)})\b)[a-z_]{{4,}}\b")

PROGRAMS = '''\
def running_mean(values, width):
    """Mean of the last width values."""
    total = 0.0
    means = []
    for index, value in enumerate(values):
        total += value
        if index >= width:
            total -= values[index - width]
        means.append(total / min(index + 1, width))
    return means

def is_balanced(text):
    pairs = {")": "(", "]": "[", "}": "{"}
    stack = []
    for char in text:
        if char in pairs.values():
            stack.append(char)
        elif char in pairs:
            if not stack or stack.pop() != pairs[char]:
                return False
    return not stack

def collatz(n):
    steps = 0
    while n != 1:
        n = 3 * n + 1 if n % 2 else n // 2
        steps += 1
    return steps

class Queue:
    # two stacks
    def __init__(self):
        self.front = []
        self.back = []

    def push(self, item):
        self.back.append(item)

    def pop(self):
        if not self.front:
            while self.back:
                self.front.append(self.back.pop())
        return self.front.pop()

def primes(limit):
    sieve = [True] * (limit + 1)
    found = []
    for n in range(2, limit + 1):
        if sieve[n]:
            found.append(n)
            for multiple in range(n * n, limit + 1, n):
                sieve[multiple] = False
    return found

def edit_distance(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            cost = last + (x != y)
            last = row[j]
            row[j] = min(cost, row[j] + 1, row[j - 1] + 1)
    return row[-1]

count = int(input())
best = {}
for _ in range(count):
    name, score = input().split()
    best[name] = max(
        best.get(name, 0),
        int(score),
    )
for name in sorted(best):
    print(name, best[name])

'''


class ActionWriter:
    """Endless actions of all slots: each slot writes programs of exactly ``length`` tokens, the end token included.

    Args:
        tokenizer: Tokenizer with ``encode`` and ``eos_token_id``, in which a 9 is a token of its own.
        slots: Number of slots that write side by side.
        length: Tokens of every program; at least ``SHORTEST``.
        in_phase: Whether all programs end in the same step. Otherwise slots start at even distances within a program,
            so that about the same number ends in every step.
        new_lines: Whether four lines of five occur only once, so that caches of lines help little.
    """

    def __init__(
        self, tokenizer: Any, slots: int, length: int, in_phase: bool = False, new_lines: bool = False
    ) -> None:
        if length < SHORTEST:
            raise ValueError(f"length must be at least {SHORTEST}, got {length}")
        self._digits = np.array([tokenizer.encode(digit)[0] for digit in "0123456789"])
        lines = (marked(PROGRAMS) if new_lines else PROGRAMS).splitlines(keepends=True)
        head = tokenizer.encode(f"x{MARK * 7} = 1\n")
        programs = []  # each begins at another line
        for start in range(min(slots, len(lines))):
            body = tokenizer.encode("".join(lines[start:] + lines[:start]))
            programs.append([*(head + body * (length // len(body) + 1))[: length - 1], tokenizer.eos_token_id])
        self._programs = np.array([programs[slot % len(programs)] for slot in range(slots)])  # [slots, length]
        marks = self._programs == self._digits[int(MARK)]
        places = np.arange(length)
        self._digit = np.where(marks, places - np.maximum.accumulate(np.where(marks, 0, places), axis=1), 0) - 1
        self._phase = np.zeros(slots, int) if in_phase else np.arange(slots) * length // slots
        self._slots = np.arange(slots)
        self._done = 0

    def rows(self, count: int) -> Actions:
        """Return the next ``count`` steps, ``[count, slots]``."""
        slots, length = self._programs.shape
        time = self._done + np.arange(count)[:, None] + self._phase  # [count, slots]
        rows = self._programs[self._slots, time % length]
        digit = self._digit[self._slots, time % length]
        marks = np.nonzero(digit >= 0)
        number = time[marks] // SHORTEST * slots + marks[1]
        rows[marks] = self._digits[number // 10 ** digit[marks] % 10]
        self._done += count
        return rows.astype(np.int64)


def tokens_per_line(tokenizer: Any, new_lines: bool = False) -> float:
    """Return the mean number of tokens in a line of the programs.

    Args:
        tokenizer: The tokenizer.
        new_lines: Whether lines are numbered.
    """
    text = marked(PROGRAMS) if new_lines else PROGRAMS
    return len(tokenizer.encode(text)) / text.count("\n")


def marked(text: str) -> str:
    """Return ``text`` with the first longer name of every line replaced by one that will be numbered."""
    return "".join(_NAME.sub("x" + MARK * 4, line, count=1) for line in text.splitlines(keepends=True))


@cache
def train(vocabulary: Vocabulary) -> PreTrainedTokenizerFast:
    """Return a usual byte-level BPE; for the ``vocabulary`` "bytes" it merges nothing."""
    fast = Tokenizer(models.BPE())
    fast.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    fast.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=SIZES[vocabulary], initial_alphabet=alphabet, special_tokens=[EOS], show_progress=False
    )
    fast.train_from_iterator([PROGRAMS], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=fast, eos_token=EOS)
