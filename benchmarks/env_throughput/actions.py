"""What the policies of this benchmark write: real program text as ids, no two programs alike.

A policy would cost more than the environment, so its choices are made before the clock starts.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable
from functools import cache
from typing import Literal

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

Vocabulary = Literal["bytes", "bpe"]
Actions = npt.NDArray[np.int64]

EOS = "<eos>"
BPE_SIZE = 512
"""So small that a token holds about 3.3 bytes, as in the vocabularies of code models, which are trained on more."""
SHORTEST = 64
MARK = "9"
"""Stands in the text below nowhere else, so that it is a token of its own: replaced by the digits of a number that
makes a program (or each of its lines) unlike all others, so that no judge can answer from memory."""
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


class Writer:
    """Endless actions of all slots: each writes program after program of exactly ``length`` tokens, the end included.

    Args:
        vocabulary: bytes, or tokens of several.
        slots: how many write side by side.
        length: tokens of every program; at least ``SHORTEST``.
        in_phase: all programs end in the same step; otherwise the slots begin at even distances within a program, so
            that as many end in one step as in another.
        new_lines: hardly a line stands there twice, so that nothing that is remembered about lines helps.
    """

    def __init__(
        self, vocabulary: Vocabulary, slots: int, length: int, in_phase: bool = False, new_lines: bool = False
    ) -> None:
        if length < SHORTEST:
            raise ValueError(f"length must be at least {SHORTEST}, got {length}")
        encode, eos = encoder(vocabulary)
        self._digits = np.array([encode(digit)[0] for digit in "0123456789"])
        head = encode(f"x{MARK * 7} = 1\n")
        programs = [head + _body(vocabulary, slot, length, new_lines) for slot in range(slots)]
        self._programs = np.array([program[: length - 1] + [eos] for program in programs])  # [slots, length]
        marks = self._programs == self._digits[int(MARK)]
        places = np.arange(length)
        self._digit = np.where(marks, places - np.maximum.accumulate(np.where(marks, 0, places), axis=1), 0) - 1
        self._phase = np.zeros(slots, int) if in_phase else np.arange(slots) * length // slots
        self._slots = np.arange(slots)
        self._done = 0

    def rows(self, count: int) -> Actions:
        """The next ``count`` steps, ``[count, slots]``."""
        slots, length = self._programs.shape
        time = self._done + np.arange(count)[:, None] + self._phase  # [count, slots]
        rows = self._programs[self._slots, time % length]
        digit = self._digit[self._slots, time % length]
        marks = np.nonzero(digit >= 0)
        number = time[marks] // SHORTEST * slots + marks[1]
        rows[marks] = self._digits[number // 10 ** digit[marks] % 10]
        self._done += count
        return rows.astype(np.int64)


def tokens_per_line(vocabulary: Vocabulary, new_lines: bool = False) -> float:
    """Of the programs here."""
    text = marked(PROGRAMS) if new_lines else PROGRAMS
    return len(encoder(vocabulary)[0](text)) / text.count("\n")


def marked(text: str) -> str:
    """The text with the first longer name of every line replaced by one that will be numbered."""
    return "".join(_NAME.sub("x" + MARK * 4, line, count=1) for line in text.splitlines(keepends=True))


@cache
def train_bpe() -> PreTrainedTokenizerFast:
    """A byte-level BPE of the usual kind, where newlines are merged with what stands around them."""
    fast = Tokenizer(models.BPE())
    fast.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    fast.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=BPE_SIZE, initial_alphabet=alphabet, special_tokens=[EOS], show_progress=False
    )
    fast.train_from_iterator([PROGRAMS], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=fast, eos_token=EOS)


def encoder(vocabulary: Vocabulary) -> tuple[Callable[[str], list[int]], int]:
    """What makes ids of a text, and the id that ends a program."""
    if vocabulary == "bytes":
        return lambda text: list(text.encode()), 256
    tokenizer = train_bpe()
    return lambda text: list(tokenizer(text)["input_ids"]), int(tokenizer.eos_token_id)


def _body(vocabulary: Vocabulary, slot: int, length: int, new_lines: bool) -> list[int]:
    """At least ``length`` tokens of program text that begins at another line for each slot."""
    once = _rotated(vocabulary, slot % PROGRAMS.count("\n"), new_lines)
    return once * (length // len(once) + 1)


@cache
def _rotated(vocabulary: Vocabulary, line: int, new_lines: bool) -> list[int]:
    lines = (marked(PROGRAMS) if new_lines else PROGRAMS).splitlines(keepends=True)
    return encoder(vocabulary)[0]("".join(lines[line:] + lines[:line]))
