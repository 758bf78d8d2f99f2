"""Text to learn from, and the words that it consists of."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from codegym.tasks.procedural.base import Procedural
from codegym.tasks.procedural.mutants import inject_bugs

# An indentation and a newline are tokens of their own; a space belongs to the word after it.
_WORD = re.compile(
    r" {4}|def f\(|\):| for i in| for i, j in| ?\"[^\"\n]*\"| ?[a-z]+| ?\d+|\[::-1\]| //| [=!<>]=| ?[^\s\w]| ?[A-Z]|\s"
)


def sample_corpus(family: Procedural, seed: int, count: int, rate: float = 1.0) -> Iterator[str]:
    """Yield prompts with programs for random tasks of a family, with mistakes as ``inject_bugs`` makes them.

    Args:
        family: Procedural family to draw from.
        seed: Seed of tasks and mistakes.
        count: Number of texts.
        rate: Factor of the bug rates; 0 yields right programs only.
    """
    rng = np.random.default_rng(seed)
    for _ in range(count):
        task = family.draw(rng)
        yield task.prompt + inject_bugs(task, rng, rate)


def vocabulary(family: Procedural) -> list[str]:
    """Return tokens for ``VocabularyTokenizer``, of which all prompts and programs of a ``family`` consist.

    >>> from codegym.tasks.procedural import Pipelines
    >>> len(vocabulary(Pipelines()))
    103
    """
    return sorted({word for text in family.examples() for word in _WORD.findall(text)})
