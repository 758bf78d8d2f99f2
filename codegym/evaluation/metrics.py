"""Scores: unbiased pass@k of one task, its mean over tasks, how far that mean can be trusted, and all that as a record.

A score is made from verdicts, never from rewards. All samples of a task must come from one policy at one temperature:
picking the best temperature after the fact for every k makes pass@k too high.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from codegym.errors import SandboxError
from codegym.judge import Status, Verdict

INFRASTRUCTURE_FAILURE = "infrastructure_failure"
"""Status of a sample whose machine failed; says nothing about the program."""
DEFAULT_KS = (1, 10, 100)


def pass_at_k(num_samples: int, num_passed: int, k: int) -> float:
    """Probability that at least one of ``k`` samples passes, without bias (Chen et al., arXiv 2107.03374).

    It is ``1 - C(n - c, k) / C(n, k)``, in whole numbers up to the one division, so exact to the last digit.

    >>> pass_at_k(num_samples=5, num_passed=2, k=1), pass_at_k(num_samples=5, num_passed=2, k=2)
    (0.4, 0.7)

    Raises:
        ValueError: fewer than ``k`` samples, for which there is no unbiased estimate, or counts that cannot be.
    """
    if not 0 <= num_passed <= num_samples:
        raise ValueError(f"num_passed must be between 0 and num_samples={num_samples}, got {num_passed}")
    if not 1 <= k <= num_samples:
        raise ValueError(f"k must be between 1 and num_samples={num_samples}, got {k}: draw more samples")
    choices = math.comb(num_samples, k)
    return (choices - math.comb(num_samples - num_passed, k)) / choices


def mean_pass_at_k(counts: Iterable[tuple[int, int]], k: int) -> float:
    """Mean of ``pass_at_k`` over tasks; ``counts`` has (number of samples, number that passed) of each.

    >>> mean_pass_at_k([(10, 10), (10, 0), (2, 1)], k=1)
    0.5

    Raises:
        ValueError: no task, or one with fewer than ``k`` samples: leaving it out would change what is measured.
    """
    scores = [pass_at_k(num_samples, num_passed, k) for num_samples, num_passed in counts]
    if not scores:
        raise ValueError("pass@k of no tasks at all: there is nothing to take the mean of")
    return math.fsum(scores) / len(scores)


def supported_ks(counts: Collection[tuple[int, int]], ks: Iterable[int] = DEFAULT_KS) -> list[int]:
    """Those of ``ks`` for which every task has enough samples."""
    fewest = min((num_samples for num_samples, _ in counts), default=0)
    return [k for k in ks if k <= fewest]


def bootstrap_interval(
    scores: Sequence[float], confidence: float = 0.95, num_resamples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Interval of the mean of ``scores``, one score a task, by drawing tasks with replacement.

    Tasks are drawn and not samples, since the question is how the mean would come out on other tasks of this kind.

    >>> bootstrap_interval([0.5] * 8)
    (0.5, 0.5)
    """
    if not scores:
        raise ValueError("an interval of no scores at all")
    rng = random.Random(seed)
    means = sorted(math.fsum(rng.choices(scores, k=len(scores))) / len(scores) for _ in range(num_resamples))
    cut = round((1 - confidence) / 2 * (num_resamples - 1))
    return means[cut], means[-1 - cut]


class Score(NamedTuple):
    """Mean of pass@k over tasks, with the 95 % bootstrap interval of that mean."""

    k: int
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class JudgedSample:
    """A program that a policy wrote, and what became of it."""

    task_id: str
    number: int
    """Among the samples of its task, from 0."""
    completion: str
    verdict: Verdict | SandboxError
    """A ``SandboxError`` where the machine failed: such a sample counts in no score."""

    @property
    def status(self) -> str:
        """The verdict's status, or ``"infrastructure_failure"``."""
        return INFRASTRUCTURE_FAILURE if isinstance(self.verdict, SandboxError) else self.verdict.status.value


@dataclass(frozen=True)
class Evaluation:
    """What the samples of a policy come to."""

    scores: tuple[Score, ...]
    """One for each k for which every task has enough judged samples."""
    statuses: Mapping[str, int]
    """How many samples have each status, the most frequent first; a failure of the machine has one of its own."""
    num_tasks: int
    """Tasks with a judged sample: scores are means over these."""
    samples: tuple[JudgedSample, ...] = ()
    """All samples; none where they lie in a file."""


def score_samples(results: Iterable[tuple[str, str]], ks: Iterable[int] = DEFAULT_KS) -> Evaluation:
    """Count task ids and statuses, one pair a sample, and score them.

    >>> score_samples([("a", "passed"), ("a", "timeout"), ("b", "passed"), ("b", "passed")]).scores
    (Score(k=1, value=0.75, low=0.5, high=1.0),)
    """
    statuses: Counter[str] = Counter()
    num_samples: Counter[str] = Counter()
    num_passed: Counter[str] = Counter()
    for task_id, status in results:
        statuses[status] += 1
        if status != INFRASTRUCTURE_FAILURE:
            num_samples[task_id] += 1
            num_passed[task_id] += status == Status.PASSED.value
    counts = [(number, num_passed[task_id]) for task_id, number in num_samples.items()]
    scores = tuple(_score(counts, k) for k in supported_ks(counts, ks))
    return Evaluation(scores, dict(statuses.most_common()), len(counts))


def _score(counts: Sequence[tuple[int, int]], k: int) -> Score:
    scores = [pass_at_k(num_samples, num_passed, k) for num_samples, num_passed in counts]
    return Score(k, math.fsum(scores) / len(scores), *bootstrap_interval(scores))
