"""StepCoder's fine-grained optimisation: which tokens stand in lines that ran."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from codegym.judge import Status
from codegym.rewards.credit.spans import source_lines, token_mask
from codegym.step import Line, Step
from codegym.syntax.lines import LineKind


def executed_mask(last: Step) -> NDArray[np.bool_]:
    """False for tokens that stand only in lines which no check ran, [num_tokens] (StepCoder FGO, arXiv 2402.01391).

    A mask for the learner's loss, not a reward. A statement over several lines ran where one of them did. Blank
    lines, comments and docstrings do not run. The end-of-sequence token is True, and so is every token of a program
    that does not compile: what is wrong with it can lie anywhere.

    Raises:
        ValueError: the program was not judged, or was judged without tracing its lines.
    """
    verdict = last.verdict
    if verdict is None:
        raise ValueError("the program was not judged: there is nothing to say about which lines ran")
    if verdict.status is Status.SYNTAX_ERROR:
        return np.ones(last.num_tokens, dtype=np.bool_)
    if verdict.executed_lines is None:
        raise ValueError("the executed lines are not known: the judge has to be made with trace_lines=True")
    idle: list[Line] = []
    ran: list[Line] = []
    numbers = dict(zip(last.lines, source_lines(last.lines), strict=True))
    for statement in _statements(last.lines):
        held = {number for line in statement for number in numbers[line]}
        (idle if held.isdisjoint(verdict.executed_lines) else ran).extend(statement)
    return ~token_mask(idle, last.num_tokens) | token_mask(ran, last.num_tokens)


def _statements(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """Lines together with the lines that they continue."""
    statement: list[Line] = []
    for line in lines:
        statement.append(line)
        if line.kind is not LineKind.CONTINUATION:
            yield statement
            statement = []
    if statement:
        yield statement
