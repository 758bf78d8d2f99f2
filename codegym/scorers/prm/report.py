"""Quality of line scores on programs of tasks that the model has not seen.

A weak process reward model does more harm than none: a policy learns nothing from it, or learns to please it. So a
report also decides whether the model is better than chance.
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
    """A process reward model that is no better than chance at separating correct lines from wrong ones."""


class ScoredProgram(NamedTuple):
    """Labels and scores of the lines of code of a program."""

    task_id: str
    labels: Sequence[float]
    scores: Sequence[float]


@dataclass(frozen=True)
class Report:
    """Comparison of scores with labels.

    A line is correct if its label is above 0, and predicted correct if its score is. For marginal labels, which are
    about 0 on correct lines, the threshold is -0.1.
    """

    target: Target
    programs: int
    lines: int
    positive_rate: float
    """Share of the lines that are correct."""
    majority_accuracy: float
    """Accuracy of always predicting the more frequent class."""
    accuracy: float
    """Share of the lines that are predicted right."""
    balanced_accuracy: float
    """Mean of the shares of correct and of wrong lines that are recognised; 0.5 if one class is missing."""
    balanced_accuracy_low: float
    """Lower end of its 95 % interval, by bootstrap over tasks."""
    mean_squared_error: float
    """Mean of ``(score - label)^2`` over lines."""
    explained_variance: float
    """1 - mean squared error / variance of the labels; 0 if all labels are equal."""
    calibration_error: float
    """Expected calibration error of (score + 1) / 2 as a probability, over ten bins of equal width."""
    same_line_auc: float
    """Share of pairs of a correct line and another program's first wrong line at the same position in which the correct
    one scores higher; chance is 0.5. Late lines are mostly wrong, so a model that knows only positions may be accurate,
    but is at chance here."""
    first_error: dict[str, int]
    """Numbers of programs by the position of the first wrong line by scores: exact, early, late, missed, false_alarm,
    none."""

    @property
    def is_useful(self) -> bool:
        """Whether the model is better than chance, with 95 % confidence."""
        return self.balanced_accuracy_low > 0.5

    def check_quality(self) -> None:
        """Raise an error if the model is no better than chance.

        Raises:
            PRMQualityError: The model is no better than chance.
        """
        if not self.is_useful:
            raise PRMQualityError(
                f"no better than chance: got a balanced accuracy of {self.balanced_accuracy:.3f} on held-out tasks, "
                f"with a lower bound of {self.balanced_accuracy_low:.3f}; expected a bound above 0.5. "
                f"{self.positive_rate:.0%} of {self.lines} lines are correct. Label more programs, or shorter and "
                "easier ones, so that both classes are frequent; or train for longer"
            )

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return asdict(self)


def make_report(programs: Sequence[ScoredProgram], target: Target = "hard") -> Report:
    """Compare scores with labels.

    Args:
        programs: Labels and scores, program by program.
        target: Kind of the labels.

    Raises:
        ValueError: There is no line to compare.
    """
    y = np.array([label for program in programs for label in program.labels], dtype=float)  # [N]
    scores = np.array([score for program in programs for score in program.scores], dtype=float)  # [N]
    if not len(y):
        raise ValueError("no lines to compare: got programs without lines of code; expected some. Hold out more tasks")
    threshold = -_DROP if target == "marginal" else 0.0
    correct, predicted = y > threshold, scores > threshold
    low = _lower_bound(programs, correct, predicted)
    error = float(np.mean((scores - y) ** 2))
    return Report(
        target=target,
        programs=len(programs),
        lines=len(y),
        positive_rate=float(correct.mean()),
        majority_accuracy=float(max(correct.mean(), 1 - correct.mean())),
        accuracy=float((correct == predicted).mean()),
        balanced_accuracy=_balanced(_counts(correct, predicted)[None])[0],
        balanced_accuracy_low=low,
        mean_squared_error=error,
        explained_variance=float(1 - error / y.var()) if y.var() > 0 else 0.0,
        calibration_error=calibration_error((scores + 1) / 2, (y + 1) / 2),
        same_line_auc=same_line_auc(programs, threshold),
        first_error=_first_errors(programs, threshold),
    )


def calibration_error(probabilities: NDArray[np.floating], outcomes: NDArray[np.floating]) -> float:
    """Return the expected calibration error: the sum over bins of n_b / N |mean probability - mean outcome|.

    Source: Naeini et al., AAAI 2015, with ten bins of equal width.

    Args:
        probabilities: Predicted probabilities, [N].
        outcomes: Outcomes that they predict, 0 to 1, [N].
    """
    bins = np.minimum((probabilities * _BINS).astype(int), _BINS - 1)
    gaps = [abs(probabilities[bins == b].sum() - outcomes[bins == b].sum()) for b in np.unique(bins)]
    return float(sum(gaps) / len(probabilities))


def same_line_auc(programs: Sequence[ScoredProgram], threshold: float = 0.0) -> float:
    """Return the share of pairs of a correct and a first wrong line, at the same position, that scores order correctly.

    It is the area under the ROC curve (Mann and Whitney, 1947) within each position, over the pairs of all positions.
    Equal scores count half. Without any pair it is 0.5.

    Args:
        programs: Labels and scores, program by program.
        threshold: Label above which a line is correct.
    """
    correct, wrong = defaultdict[int, list[float]](list), defaultdict[int, list[float]](list)
    for program in programs:
        first = _first(program.labels, threshold)
        for position, score in enumerate(program.scores[:first]):
            correct[position].append(score)
        if first is not None:
            wrong[first].append(program.scores[first])
    won = pairs = 0.0
    for position in correct.keys() & wrong.keys():
        rivals = np.sort(wrong[position])
        sides = [np.searchsorted(rivals, correct[position], side).sum() for side in ("left", "right")]
        won, pairs = won + sum(sides) / 2, pairs + len(rivals) * len(correct[position])
    return float(won / pairs) if pairs else 0.5


def _counts(correct: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the numbers of correct lines recognised and not, then of wrong lines recognised and not, [4]."""
    cells = [correct & predicted, correct & ~predicted, ~correct & ~predicted, ~correct & predicted]
    return np.array([cell.sum() for cell in cells])


def _balanced(counts: NDArray[Any]) -> list[float]:
    """Return the balanced accuracy of each row of [R, 4]."""
    correct, wrong = counts[:, :2].sum(1), counts[:, 2:].sum(1)
    both = (correct > 0) & (wrong > 0)
    mean = (counts[:, 0] / np.maximum(correct, 1) + counts[:, 2] / np.maximum(wrong, 1)) / 2
    return [float(value) for value in np.where(both, mean, 0.5)]


def _lower_bound(programs: Sequence[ScoredProgram], correct: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> float:
    """Return the lower end of the 95 % interval of balanced accuracy, by bootstrap over tasks."""
    by_task: dict[str, NDArray[np.int64]] = defaultdict(lambda: np.zeros(4, np.int64))
    start = 0
    for program in programs:
        end = start + len(program.labels)
        by_task[program.task_id] += _counts(correct[start:end], predicted[start:end])
        start = end
    counts = np.array([*by_task.values()])  # [T, 4]
    rng = np.random.default_rng(0)
    times = rng.multinomial(len(counts), np.full(len(counts), 1 / len(counts)), size=_RESAMPLES)  # [R, T]
    return float(np.quantile(_balanced(times @ counts), 0.025))


def _first_errors(programs: Sequence[ScoredProgram], threshold: float) -> dict[str, int]:
    counts = Counter(
        _compare(_first(program.labels, threshold), _first(program.scores, threshold))
        for program in programs
        if program.labels
    )
    return {name: counts[name] for name in ("exact", "early", "late", "missed", "false_alarm", "none")}


def _first(values: Sequence[float], threshold: float) -> int | None:
    return next((index for index, value in enumerate(values) if value <= threshold), None)


def _compare(true: int | None, predicted: int | None) -> str:
    """Return the class of a predicted first wrong line."""
    if true is None:
        return "none" if predicted is None else "false_alarm"
    if predicted is None:
        return "missed"
    return "exact" if predicted == true else "early" if predicted < true else "late"
