"""StepCoder's fine-grained optimisation: a mask of the tokens in lines that ran."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from codegym.judge import Status
from codegym.rewards.credit.spans import source_lines, token_mask
from codegym.step import Line, Step
from codegym.syntax.lines import LineKind


def executed_mask(last: Step) -> NDArray[np.bool_]:
    """Return False for tokens that are only in lines which no check ran, bool [num_tokens].

    It is a mask for the learner's loss and not a reward (fine-grained optimisation of StepCoder, arXiv 2402.01391). A
    statement over several lines ran if one of them did. Blank lines, comments and docstrings do not run. The
    end-of-sequence token is True, and so is every token of a program that does not compile, because its error may be
    anywhere.

    Args:
        last: The last step of an episode.

    Raises:
        ValueError: The program was not judged, or was judged without tracing its lines.
    """
    verdict = last.verdict
    if verdict is None:
        raise ValueError(
            "no verdict: got a program that was not judged; expected a judged one. Leave such episodes out"
        )
    if verdict.status is Status.SYNTAX_ERROR:
        return np.ones(last.num_tokens, dtype=np.bool_)
    if verdict.executed_lines is None:
        raise ValueError(
            "no executed lines: got a verdict without them; expected a judge that was made with trace_lines=True"
        )
    idle: list[Line] = []
    ran: list[Line] = []
    numbers = dict(zip(last.lines, source_lines(last.lines), strict=True))
    for statement in _statements(last.lines):
        held = {number for line in statement for number in numbers[line]}
        (idle if held.isdisjoint(verdict.executed_lines) else ran).extend(statement)
    return ~token_mask(idle, last.num_tokens) | token_mask(ran, last.num_tokens)


def _statements(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """Yield statements, each a list of lines: a line with the lines that continue it."""
    statement: list[Line] = []
    for line in lines:
        statement.append(line)
        if line.kind is not LineKind.CONTINUATION:
            yield statement
            statement = []
    if statement:
        yield statement
