"""Tokens of lines, and the lines and tokens that the policy wrote itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from codegym.step import Line, Step
from codegym.syntax.lines import LineKind

_LINE_BREAK = re.compile(r"\r\n|\r|\n")


def token_mask(lines: Iterable[Line], num_tokens: int) -> NDArray[np.bool_]:
    """Return which tokens hold a part of any of the lines, bool [num_tokens]. A token may belong to several lines.

    Args:
        lines: Lines of one completion.
        num_tokens: Number of tokens of the completion.
    """
    mask = np.zeros(num_tokens, dtype=np.bool_)
    for line in lines:
        mask[line.first_token : line.last_token + 1] = True
    return mask


def policy_lines(step: Step) -> tuple[Line, ...]:
    """Return the lines up to a ``step`` that the policy closed."""
    return tuple(line for line in step.lines if not line.from_prefix)


def policy_code_lines(step: Step) -> tuple[Line, ...]:
    """Return the lines of code up to a ``step`` that the policy closed."""
    return tuple(line for line in policy_lines(step) if line.kind is LineKind.CODE)


def is_rewardable(line: Line) -> bool:
    """Return whether a ``line`` may earn by its score: it has one, is code and is not from the prefix."""
    return line.score is not None and line.kind is LineKind.CODE and not line.from_prefix


def credit_lines(last: Step, amounts: Mapping[int, float]) -> NDArray[np.float64]:
    """Return amounts on the tokens that close lines, float64 [num_tokens]. One token may close several lines.

    Args:
        last: The last step of an episode.
        amounts: Number of a line -> amount.
    """
    earned = np.zeros(last.num_tokens)
    for line in last.lines:
        earned[line.last_token] += amounts.get(line.number, 0.0)
    return earned


def source_lines(lines: Sequence[Line]) -> list[range]:
    r"""Return the 1-based numbers that Python gives to the parts of each of these ``lines``.

    A ``Line`` ends at ``\n`` only. For Python a lone ``\r`` ends a line too, and verdicts count as Python does.
    """
    ranges, first = [], 1
    for line in lines:
        breaks = _LINE_BREAK.findall(line.text)
        after = first + len(breaks)
        ranges.append(range(first, after if line.text.endswith("\n") else after + 1))
        first = after
    return ranges
