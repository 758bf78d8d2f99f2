"""Scores: unbiased pass@k of one task, its mean over tasks and the interval of that mean.

Scores are made from verdicts, never from rewards. All samples of a task must come from one policy at one temperature:
choosing the best temperature for each k after the evaluation makes pass@k too high.
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
"""Status of a sample for which the machine failed. It is no evidence about the program."""
DEFAULT_KS = (1, 10, 100)
"""Values of k for pass@k if none are chosen."""


def pass_at_k(num_samples: int, num_passed: int, k: int) -> float:
    """Return the unbiased estimate of the probability that at least one of ``k`` samples passes, from 0 to 1.

    The estimate is ``1 - C(n - c, k) / C(n, k)`` for ``c`` of ``n`` samples that passed (Chen et al., arXiv 2107.03374,
    equation 1), computed in whole numbers up to the one division, so exact to the last digit.

    >>> pass_at_k(num_samples=5, num_passed=2, k=1), pass_at_k(num_samples=5, num_passed=2, k=2)
    (0.4, 0.7)

    Args:
        num_samples: Number of judged samples of the task, n.
        num_passed: Number of samples that passed, c.
        k: Number of attempts.

    Raises:
        ValueError: There are fewer than ``k`` samples, so no unbiased estimate exists, or the counts are impossible.
    """
    if not 0 <= num_passed <= num_samples:
        raise ValueError(f"impossible count: got num_passed={num_passed}; expected 0 to num_samples={num_samples}")
    if not 1 <= k <= num_samples:
        raise ValueError(f"wrong k: got {k}; expected 1 to num_samples={num_samples}. Draw more samples")
    choices = math.comb(num_samples, k)
    return (choices - math.comb(num_samples - num_passed, k)) / choices


def mean_pass_at_k(counts: Iterable[tuple[int, int]], k: int) -> float:
    """Return the mean of ``pass_at_k`` over tasks.

    >>> mean_pass_at_k([(10, 10), (10, 0), (2, 1)], k=1)
    0.5

    Args:
        counts: Number of samples and number of those that passed, for each task.
        k: Number of attempts.

    Raises:
        ValueError: There is no task, or one with fewer than ``k`` samples, which cannot be left out without changing
            the meaning of the score.
    """
    scores = [pass_at_k(num_samples, num_passed, k) for num_samples, num_passed in counts]
    if not scores:
        raise ValueError("pass@k of no tasks: got an empty list of counts; expected at least one task")
    return math.fsum(scores) / len(scores)


def supported_ks(counts: Collection[tuple[int, int]], ks: Iterable[int] = DEFAULT_KS) -> list[int]:
    """Return the values of k for which every task has enough samples.

    Args:
        counts: Number of samples and number of those that passed, for each task.
        ks: Values of k to choose from.
    """
    fewest = min((num_samples for num_samples, _ in counts), default=0)
    return [k for k in ks if k <= fewest]


def bootstrap_interval(
    scores: Sequence[float], confidence: float = 0.95, num_resamples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the mean of ``scores`` as (low, high).

    Tasks are resampled, and not samples of a task: the interval is for the mean on other tasks of this kind.

    >>> bootstrap_interval([0.5] * 8)
    (0.5, 0.5)

    Args:
        scores: One score for each task.
        confidence: Probability that the interval holds the mean, between 0 and 1.
        num_resamples: Number of bootstrap resamples.
        seed: Seed of the resamples.

    Raises:
        ValueError: There are no scores.
    """
    if not scores:
        raise ValueError("interval of no scores: got an empty list; expected at least one score")
    rng = random.Random(seed)
    means = sorted(math.fsum(rng.choices(scores, k=len(scores))) / len(scores) for _ in range(num_resamples))
    cut = round((1 - confidence) / 2 * (num_resamples - 1))
    return means[cut], means[-1 - cut]


class Score(NamedTuple):
    """Mean of pass@k over tasks, with the 95 % bootstrap interval of that mean."""

    k: int
    """Number of attempts."""
    value: float
    """Mean over tasks, from 0 to 1."""
    low: float
    """Lower end of the interval."""
    high: float
    """Upper end of the interval."""


@dataclass(frozen=True, slots=True)
class JudgedSample:
    """A program of a policy with its verdict."""

    task_id: str
    """Id of the task."""
    number: int
    """Number of the sample among those of its task, from 0."""
    completion: str
    """Program without the preamble of the task."""
    verdict: Verdict | SandboxError
    """Verdict, or ``SandboxError`` if the machine failed. Such a sample counts in no score."""

    @property
    def status(self) -> str:
        """Status of the verdict, or ``"infrastructure_failure"``."""
        return INFRASTRUCTURE_FAILURE if isinstance(self.verdict, SandboxError) else self.verdict.status.value


@dataclass(frozen=True)
class Evaluation:
    """Scores of the samples of a policy."""

    scores: tuple[Score, ...]
    """One score for each k for which every task has enough judged samples."""
    statuses: Mapping[str, int]
    """Status -> number of samples, the most frequent first. Failures of the machine have a status of their own."""
    num_tasks: int
    """Number of tasks with a judged sample. Scores are means over these tasks."""
    samples: tuple[JudgedSample, ...] = ()
    """All samples; empty if they are kept in a file."""


def score_samples(results: Iterable[tuple[str, str]], ks: Iterable[int] = DEFAULT_KS) -> Evaluation:
    """Return the scores of samples.

    >>> score_samples([("a", "passed"), ("a", "timeout"), ("b", "passed"), ("b", "passed")]).scores
    (Score(k=1, value=0.75, low=0.5, high=1.0),)

    Args:
        results: Task id and status of each sample.
        ks: Values of k for pass@k; those for which a task has too few samples are left out.
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
