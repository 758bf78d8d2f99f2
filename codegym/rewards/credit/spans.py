"""From lines to tokens: where on the completion a line stands, and which tokens and lines the policy wrote."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from codegym.step import Line, Step
from codegym.syntax.lines import LineKind

_LINE_BREAK = re.compile(r"\r\n|\r|\n")


def token_mask(lines: Iterable[Line], num_tokens: int) -> NDArray[np.bool_]:
    """Which tokens hold a part of any of the lines, [num_tokens]; a token may belong to several lines."""
    mask = np.zeros(num_tokens, dtype=np.bool_)
    for line in lines:
        mask[line.first_token : line.last_token + 1] = True
    return mask


def policy_lines(step: Step) -> tuple[Line, ...]:
    """The lines that were closed by the policy."""
    return tuple(line for line in step.lines if not line.from_prefix)


def policy_code_lines(step: Step) -> tuple[Line, ...]:
    """The lines that were closed by the policy and are not neutral."""
    return tuple(line for line in policy_lines(step) if line.kind is LineKind.CODE)


def is_rewardable(line: Line) -> bool:
    """Whether a line may earn by its score: it has one, is not neutral and was not given."""
    return line.score is not None and line.kind is LineKind.CODE and not line.from_prefix


def credit_lines(last: Step, amounts: Mapping[int, float]) -> NDArray[np.float64]:
    """Put amounts on the tokens that closed the lines of these numbers, [num_tokens]; one token may close several."""
    earned = np.zeros(last.num_tokens)
    for line in last.lines:
        earned[line.last_token] += amounts.get(line.number, 0.0)
    return earned


def source_lines(lines: Sequence[Line]) -> list[range]:
    r"""The numbers that Python gives to the lines within each of our lines, 1-based.

    Ours end at ``\n`` only; to Python a lone ``\r`` ends a line too, and verdicts count as Python does.
    """
    ranges, first = [], 1
    for line in lines:
        breaks = _LINE_BREAK.findall(line.text)
        after = first + len(breaks)
        ranges.append(range(first, after if line.text.endswith("\n") else after + 1))
        first = after
    return ranges
