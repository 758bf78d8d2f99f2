"""Terms and their weighted sum: pure arithmetic on facts, in two views that have the same total.

*Streaming* is what is paid at a step, from what is known then. *Credit* is known at the end: a vector over the
tokens of the completion, each part on the token that earned it. For every term, the stream summed over the steps of
an episode equals the sum of its credit. Lines that were given by a prefix earn nothing, and the end of a program
that could not be judged pays nothing.
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
    """When line scores must be there; the larger is the stricter."""

    NEVER = 0
    AT_END = 1
    """In the last step, for all lines."""
    PER_LINE = 2
    """In the step that closes the line."""


@dataclass(frozen=True)
class Term:
    """One summand of a reward, made by ``per_step``, ``from_verdict`` or ``at_end``."""

    name: str
    stream: Callable[[Step], float]
    """What is paid at a step; called once for every step of an episode, in order."""
    credit: Callable[[Step], NDArray[np.float64]]
    """From the last step: what each token of the completion earned, [num_tokens]."""
    scores: ScoresNeeded = ScoresNeeded.NEVER
    low: float = -math.inf
    """No episode earns less than this in total."""
    high: float = math.inf
    """No episode earns more than this in total."""
    needs_scorer: bool = True
    """Whether a term that reads scores makes no sense without a line scorer."""
    only_at_end: bool = False
    """Pays nothing before the program has ended, so that it need not be asked."""


@dataclass(frozen=True)
class Reward:
    """A weighted sum of terms.

    Raises:
        ValueError: no terms, two of one name, or a weight that is not a finite number.
    """

    terms: tuple[tuple[Term, float], ...]

    def __post_init__(self) -> None:
        if not self.terms:
            raise ValueError("a reward wants at least one term")
        names = [term.name for term, _ in self.terms]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"the term {twice[0]!r} stands there twice: give it once, with one weight")
        for term, weight in self.terms:
            if not is_finite(weight):
                raise ValueError(f"the weight of {term.name!r} is {weight!r}, wanted a finite number")

    @cached_property
    def _nothing_before_end(self) -> dict[str, float] | None:
        """What is paid at the lines of a program where all terms pay at its end."""
        only_at_end = all(term.only_at_end for term, _ in self.terms)
        return {term.name: 0.0 for term, _ in self.terms} if only_at_end else None

    @property
    def scores(self) -> ScoresNeeded:
        """When line scores must be there: the strictest that a term asks for."""
        return max(term.scores for term, _ in self.terms)

    @property
    def low(self) -> float:
        """No episode earns less than this in total."""
        return sum(_scaled(weight, term.low if weight > 0 else term.high) for term, weight in self.terms)

    @property
    def high(self) -> float:
        """No episode earns more than this in total."""
        return sum(_scaled(weight, term.high if weight > 0 else term.low) for term, weight in self.terms)

    def stream(self, step: Step) -> dict[str, float]:
        """What each term, times its weight, pays at this step; the reward is their sum.

        Raises:
            ValueError: a term is not a finite number here.
        """
        if not step.ended and (nothing := self._nothing_before_end) is not None:
            return nothing.copy()
        paid = {term.name: weight * float(term.stream(step)) + 0.0 for term, weight in self.terms}  # no -0.0 in logs
        for name, value in paid.items():
            if not math.isfinite(value):
                raise ValueError(
                    f"the term {name!r} pays {value} for task {step.task.task_id!r}: wanted a finite number"
                )
        return paid

    def credit(self, last: Step) -> NDArray[np.float64]:
        """What each token of the completion earned, [num_tokens], from the last step of an episode."""
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
    """A term whose credit is its stream: what a line was paid goes to the token that closed it, the rest to the last.

    ``stream`` is not asked about the end of a program that could not be judged.
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
    """A term that reads nothing but the verdict and goes to the last token."""

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
    """A term that is known only at the end (it reads the outcome or the final length) and is paid as a whole there.

    ``credit`` is asked about the last step of programs that were judged, and about nothing else.
    """

    def judged_credit(last: Step) -> NDArray[np.float64]:
        return np.zeros(last.num_tokens) if last.verdict is None else credit(last)

    def stream(step: Step) -> float:
        return 0.0 if step.verdict is None else float(credit(step).sum())

    return Term(name, stream, judged_credit, scores, low, high, only_at_end=True)


def _scaled(weight: float, bound: float) -> float:
    return weight * bound if weight else 0.0  # where nothing counts, an infinite bound does not either
