"""The labeler on a procedural family, whose first wrong lines are known."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future

import numpy as np
import pytest

from codegym.judge import Status, Verdict
from codegym.sampling import Completion, PrefixRequest
from codegym.scorers.labels import Labeler, LabelSettings, agreement
from codegym.tasks.procedural import Pipelines, first_wrong_line, inject_bugs
from codegym.tasks.procedural.interpreter import compile_program, passes


class InProcessJudge:
    """Runs programs of the families here: they are our own."""

    def submit(self, task, completion):
        status = Status.PASSED if passes(task.checks, compile_program(completion.split("\n"))) else Status.WRONG_ANSWER
        future: Future[Verdict] = Future()
        future.set_result(Verdict(status, (status,) * len(task.checks)))
        return future


def sloppy(requests: Sequence[PrefixRequest]) -> list[list[Completion]]:
    """Goes on with the task's own lines, each wrong with a probability of its own."""

    def one(request: PrefixRequest, number: int) -> Completion:
        written = inject_bugs(request.task, np.random.default_rng((request.seed, number)), 0.7).splitlines(
            keepends=True
        )
        return Completion("".join(written[request.text.count("\n") :]), len(written))

    return [[one(request, number) for number in range(request.num_completions)] for request in requests]


@pytest.mark.parametrize(("horizon", "least"), [((1, 5), 0.97), ((2, 6), 0.96)])
def test_labels_agree_with_the_oracle(horizon, least):
    rng = np.random.default_rng(1)
    tasks = {task.task_id: task for task in (Pipelines(horizon=horizon).draw(rng) for _ in range(150))}
    labeler = Labeler(sloppy, InProcessJudge(), LabelSettings(num_completions=20))
    found = list(labeler.label(labeler.sample(tasks.values())))
    result = agreement(found, lambda program: first_wrong_line(tasks[program.task_id], program.completion))
    assert result.share > least
    assert result.late <= 3  # what errs is bad luck with a prefix that could have been completed
    assert labeler.cost.completions < 150 * 40
