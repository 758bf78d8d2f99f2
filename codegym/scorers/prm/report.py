"""How good the scores of lines are, on programs of tasks that the model has not seen.

A weak process reward model does more harm than none: below a quality that is reached quite suddenly, a policy learns
nothing from it, or learns to please it. So a report comes with a gate.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from codegym.errors import CodegymError
from codegym.scorers.prm.config import Target

_BINS = 10
_RESAMPLES = 1000
_DROP = 0.1


class PRMQualityError(CodegymError, RuntimeError):
    """A process reward model that tells right lines from wrong ones no better than guessing does."""


class ScoredProgram(NamedTuple):
    """The labels and scores of the lines of a program that are not neutral."""

    task_id: str
    labels: Sequence[float]
    scores: Sequence[float]


@dataclass(frozen=True)
class Report:
    """How scores compare with labels.

    A line is right where its label is above 0, and is taken to be right where its score is; for marginal labels, which
    are about 0 on right lines, where it is above -0.1.
    """

    target: Target
    programs: int
    lines: int
    positive_rate: float
    """Share of the lines that are right."""
    majority_accuracy: float
    """Accuracy of always saying what is more frequent."""
    accuracy: float
    balanced_accuracy: float
    """Mean of the shares of right and of wrong lines that are recognised; 0.5 where one kind is missing."""
    balanced_accuracy_low: float
    """Lower end of its 95 % interval, by bootstrap over tasks."""
    mean_squared_error: float
    explained_variance: float
    """1 - mean squared error / variance of the labels; 0 where they have none."""
    calibration_error: float
    """Expected calibration error of (score + 1) / 2 as a probability, over ten bins of equal width."""
    same_line_auc: float
    """How often a right line scores higher than another program's first wrong line of the same number; guessing: 0.5.
    Late lines are mostly wrong, so a model that knows nothing but numbers of lines may be accurate; here it guesses."""
    first_error: dict[str, int]
    """Programs by where scores put the first wrong line: exact, early, late, missed, false_alarm, none."""

    @property
    def is_useful(self) -> bool:
        """Whether it is better than guessing, beyond doubt."""
        return self.balanced_accuracy_low > 0.5

    def check_quality(self) -> None:
        """Be the gate.

        Raises:
            PRMQualityError: the model is no better than guessing.
        """
        if not self.is_useful:
            raise PRMQualityError(
                f"balanced accuracy on held-out tasks is {self.balanced_accuracy:.3f}, with a lower bound of "
                f"{self.balanced_accuracy_low:.3f}: no better than guessing (0.5). {self.positive_rate:.0%} of "
                f"{self.lines} lines are right. Label more programs, or shorter and easier ones, so that both kinds "
                "are frequent; or train for longer"
            )

    def as_dict(self) -> dict[str, Any]:
        """Give plain data."""
        return asdict(self)


def make_report(programs: Sequence[ScoredProgram], target: Target = "hard") -> Report:
    """Compare scores with labels.

    Raises:
        ValueError: there is no line to compare.
    """
    y = np.array([label for program in programs for label in program.labels], dtype=float)  # [N]
    scores = np.array([score for program in programs for score in program.scores], dtype=float)  # [N]
    if not len(y):
        raise ValueError("a report of no lines at all: hold out more tasks")
    border = -_DROP if target == "marginal" else 0.0
    right, said = y > border, scores > border
    low = _lower_bound(programs, right, said)
    error = float(np.mean((scores - y) ** 2))
    return Report(
        target=target,
        programs=len(programs),
        lines=len(y),
        positive_rate=float(right.mean()),
        majority_accuracy=float(max(right.mean(), 1 - right.mean())),
        accuracy=float((right == said).mean()),
        balanced_accuracy=_balanced(_counts(right, said)[None])[0],
        balanced_accuracy_low=low,
        mean_squared_error=error,
        explained_variance=float(1 - error / y.var()) if y.var() > 0 else 0.0,
        calibration_error=calibration_error((scores + 1) / 2, (y + 1) / 2),
        same_line_auc=same_line_auc(programs, border),
        first_error=_first_errors(programs, border),
    )


def calibration_error(said: NDArray[np.floating], came: NDArray[np.floating]) -> float:
    """Give the expected calibration error (Naeini et al., AAAI 2015): sum over bins of n_b / N |mean said - mean came|.

    Args:
        said: probabilities, [N].
        came: what they are probabilities of, 0 to 1, [N].
    """
    bins = np.minimum((said * _BINS).astype(int), _BINS - 1)
    gaps = [abs(said[bins == b].sum() - came[bins == b].sum()) for b in np.unique(bins)]
    return float(sum(gaps) / len(said))


def same_line_auc(programs: Sequence[ScoredProgram], border: float = 0.0) -> float:
    """Give the share of pairs of a right line and a first wrong one, of the same number, that scores tell apart.

    It is the area under the ROC curve (Mann and Whitney, 1947) within each number, pairs of all numbers together; equal
    scores count half, and without any pair it is 0.5.
    """
    right, wrong = defaultdict[int, list[float]](list), defaultdict[int, list[float]](list)
    for program in programs:
        first = _first(program.labels, border)
        for number, score in enumerate(program.scores[:first]):
            right[number].append(score)
        if first is not None:
            wrong[first].append(program.scores[first])
    won = pairs = 0.0
    for number in right.keys() & wrong.keys():
        rivals = np.sort(wrong[number])
        sides = [np.searchsorted(rivals, right[number], side).sum() for side in ("left", "right")]
        won, pairs = won + sum(sides) / 2, pairs + len(rivals) * len(right[number])
    return float(won / pairs) if pairs else 0.5


def _counts(right: NDArray[np.bool_], said: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Right lines recognised and not, then wrong lines recognised and not: [4]."""
    cells = [right & said, right & ~said, ~right & ~said, ~right & said]
    return np.array([cell.sum() for cell in cells])


def _balanced(counts: NDArray[Any]) -> list[float]:
    """Balanced accuracy of each row of [R, 4]."""
    right, wrong = counts[:, :2].sum(1), counts[:, 2:].sum(1)
    both = (right > 0) & (wrong > 0)
    mean = (counts[:, 0] / np.maximum(right, 1) + counts[:, 2] / np.maximum(wrong, 1)) / 2
    return [float(value) for value in np.where(both, mean, 0.5)]


def _lower_bound(programs: Sequence[ScoredProgram], right: NDArray[np.bool_], said: NDArray[np.bool_]) -> float:
    by_task: dict[str, NDArray[np.int64]] = defaultdict(lambda: np.zeros(4, np.int64))
    start = 0
    for program in programs:
        end = start + len(program.labels)
        by_task[program.task_id] += _counts(right[start:end], said[start:end])
        start = end
    counts = np.array([*by_task.values()])  # [T, 4]
    rng = np.random.default_rng(0)
    times = rng.multinomial(len(counts), np.full(len(counts), 1 / len(counts)), size=_RESAMPLES)  # [R, T]
    return float(np.quantile(_balanced(times @ counts), 0.025))


def _first_errors(programs: Sequence[ScoredProgram], border: float) -> dict[str, int]:
    counts = Counter(
        _place(_first(program.labels, border), _first(program.scores, border)) for program in programs if program.labels
    )
    return {name: counts[name] for name in ("exact", "early", "late", "missed", "false_alarm", "none")}


def _first(values: Sequence[float], border: float) -> int | None:
    return next((index for index, value in enumerate(values) if value <= border), None)


def _place(true: int | None, said: int | None) -> str:
    if true is None:
        return "none" if said is None else "false_alarm"
    if said is None:
        return "missed"
    return "exact" if said == true else "early" if said < true else "late"
