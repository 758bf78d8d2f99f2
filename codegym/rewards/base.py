"""Terms and their weighted sum: pure arithmetic on ``Step``s, in two views with the same total.

The *stream* is what is paid at a step, computed from what is known then. The *credit* is known at the end: a vector
over the tokens of the completion, with each amount on the token that earned it. For every term the stream, summed over
the steps of an episode, equals the sum of the credit. Lines of a prefix earn 0, and so does the end of a program that
could not be judged.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from codegym.judge import Verdict
from codegym.rewards.validation import is_finite
from codegym.step import Step, iter_steps


class ScoresNeeded(IntEnum):
    """When a term needs line scores; a larger value is stricter."""

    NEVER = 0
    AT_END = 1
    """All scores are needed in the last step."""
    PER_LINE = 2
    """The score is needed in the step that closes the line."""


@dataclass(frozen=True)
class Term:
    """One summand of a reward, made by ``per_step``, ``from_verdict`` or ``at_end``."""

    name: str
    stream: Callable[[Step], float]
    """Function of a step: the amount paid then. It is called once for every step of an episode, in order."""
    credit: Callable[[Step], NDArray[np.float64]]
    """Function of the last step: the amount that each token of the completion earned, float64 [num_tokens]."""
    scores: ScoresNeeded = ScoresNeeded.NEVER
    low: float = -math.inf
    """Lower bound of the total of an episode."""
    high: float = math.inf
    """Upper bound of the total of an episode."""
    needs_scorer: bool = True
    """Whether a term that reads scores requires a line scorer."""
    only_at_end: bool = False
    """Whether the stream is 0 before the end of the program, so that it need not be called."""


@dataclass(frozen=True)
class Reward:
    """A weighted sum of terms.

    Raises:
        ValueError: There is no term, two have one name, or a weight is not a finite number.
    """

    terms: tuple[tuple[Term, float], ...]
    """Terms with their weights."""

    def __post_init__(self) -> None:
        if not self.terms:
            raise ValueError("a reward without terms: got none; expected at least one term")
        names = [term.name for term, _ in self.terms]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"a term is there twice: got {twice[0]!r}; expected it once, with one weight")
        for term, weight in self.terms:
            if not is_finite(weight):
                raise ValueError(f"wrong weight of {term.name!r}: got {weight!r}; expected a finite number")

    @cached_property
    def _nothing_before_end(self) -> dict[str, float] | None:
        """Amounts before the end of a program if all terms pay at its end."""
        only_at_end = all(term.only_at_end for term, _ in self.terms)
        return {term.name: 0.0 for term, _ in self.terms} if only_at_end else None

    @property
    def scores(self) -> ScoresNeeded:
        """When the reward needs line scores: the strictest need of a term."""
        return max(term.scores for term, _ in self.terms)

    @property
    def low(self) -> float:
        """Lower bound of the total of an episode."""
        return sum(_scaled(weight, term.low if weight > 0 else term.high) for term, weight in self.terms)

    @property
    def high(self) -> float:
        """Upper bound of the total of an episode."""
        return sum(_scaled(weight, term.high if weight > 0 else term.low) for term, weight in self.terms)

    def stream(self, step: Step) -> dict[str, float]:
        """Return what each term pays at this ``step``, times its weight. The reward is their sum.

        Raises:
            ValueError: A term pays something that is not a finite number.
        """
        if not step.ended and (nothing := self._nothing_before_end) is not None:
            return nothing.copy()
        paid = {term.name: weight * float(term.stream(step)) + 0.0 for term, weight in self.terms}  # no -0.0 in logs
        for name, value in paid.items():
            if not math.isfinite(value):
                raise ValueError(
                    f"wrong amount of the term {name!r} for task {step.task.task_id!r}: got {value}; expected a finite "
                    "number"
                )
        return paid

    def credit(self, last: Step) -> NDArray[np.float64]:
        """Return what each token of the completion earned, float64 [num_tokens].

        Args:
            last: The last step of an episode.
        """
        total = np.zeros(last.num_tokens)
        for term, weight in self.terms:
            total += weight * term.credit(last)
        return total


def per_step(
    name: str,
    stream: Callable[[Step], float],
    scores: ScoresNeeded = ScoresNeeded.PER_LINE,
    low: float = -math.inf,
    high: float = math.inf,
) -> Term:
    """Make a term whose credit is its stream, each amount on the last token of its step.

    Args:
        name: Name of the term, the key of its amount in logs.
        stream: Function of a step that returns the amount. It is not called for the end of a program that could not be
            judged.
        scores: When the term needs line scores.
        low: Lower bound of the total of an episode.
        high: Upper bound of the total of an episode.
    """

    def valid_stream(step: Step) -> float:
        return float(stream(step)) if step.valid else 0.0

    def credit(last: Step) -> NDArray[np.float64]:
        earned = np.zeros(last.num_tokens)
        for step in iter_steps(last):
            earned[step.num_tokens - 1] += valid_stream(step)
        return earned

    return Term(name, valid_stream, credit, scores, low, high)


def from_verdict(name: str, value: Callable[[Verdict], float], low: float, high: float) -> Term:
    """Make a term that reads only the verdict and is paid on the last token.

    Args:
        name: Name of the term, the key of its amount in logs.
        value: Function of a verdict that returns the amount.
        low: Lower bound of the total of an episode.
        high: Upper bound of the total of an episode.
    """

    def stream(step: Step) -> float:
        return 0.0 if step.verdict is None else value(step.verdict)

    def credit(last: Step) -> NDArray[np.float64]:
        earned = np.zeros(last.num_tokens)
        earned[-1] = stream(last)
        return earned

    return Term(name, stream, credit, ScoresNeeded.NEVER, low, high, only_at_end=True)


def at_end(
    name: str,
    credit: Callable[[Step], NDArray[np.float64]],
    scores: ScoresNeeded = ScoresNeeded.AT_END,
    low: float = -math.inf,
    high: float = math.inf,
) -> Term:
    """Make a term that is known only at the end, because it reads the outcome or the final length, and is paid there.

    Args:
        name: Name of the term, the key of its amount in logs.
        credit: Function of the last step that returns what each token earned, float64 [num_tokens]. It is called only
            for programs that were judged.
        scores: When the term needs line scores.
        low: Lower bound of the total of an episode.
        high: Upper bound of the total of an episode.
    """

    def judged_credit(last: Step) -> NDArray[np.float64]:
        return np.zeros(last.num_tokens) if last.verdict is None else credit(last)

    def stream(step: Step) -> float:
        return 0.0 if step.verdict is None else float(credit(step).sum())

    return Term(name, stream, judged_credit, scores, low, high, only_at_end=True)


def _scaled(weight: float, bound: float) -> float:
    return weight * bound if weight else 0.0  # 0 times an infinite bound is 0 here
