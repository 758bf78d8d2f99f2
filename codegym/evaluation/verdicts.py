"""Verdicts of samples, judged in order into a file that survives interruptions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from functools import lru_cache
from itertools import compress, count, islice
from typing import Any

from codegym.errors import ResumeError, SandboxError
from codegym.evaluation.evaluate import judge_in_order, stop_on_repeated_failures
from codegym.evaluation.metrics import INFRASTRUCTURE_FAILURE
from codegym.evaluation.samples import Sample
from codegym.jsonl import ResumableFile
from codegym.judge import JudgeLike, Verdict
from codegym.tasks.record import Task


class SampleJudge:
    """Judges samples into a file; the sandbox is opened for the first of them, so finished work needs none.

    Args:
        find_task: Returns the task with an id.
        open_judge: Opens a judge, as a context manager.
        on_progress: Called with the stage, the rows that are done and the rows that there will be.
    """

    def __init__(
        self,
        find_task: Callable[[str], Task],
        open_judge: Callable[[], AbstractContextManager[JudgeLike]],
        on_progress: Callable[[str, int, int], object] = lambda *_: None,
    ) -> None:
        self._find_task = lru_cache(maxsize=64)(find_task)  # samples of a task are mostly neighbours
        self._open_judge = open_judge
        self._on_progress = on_progress

    def judge(self, samples: Iterable[Sample], total: int, file: ResumableFile) -> None:
        """Judge the samples that have no verdict yet, after those for which the machine failed in an earlier run.

        Args:
            samples: Samples in the order of the rows. They are iterated several times, each time only as far as needed.
            total: Number of samples.
            file: Open file of verdicts.

        Raises:
            ResumeError: A row of the file is not the verdict of its sample.
            SandboxError: The machine failed for many samples in a row.
        """
        if failed := find_failures(file, samples):
            self._judge_again(samples, failed, file)
        self._fill(file, islice(samples, file.num_rows, None), total, "judging")

    def _fill(self, file: ResumableFile, samples: Iterable[Sample], total: int, stage: str) -> None:
        """Append the verdicts of ``samples`` until the file has ``total`` rows."""
        if file.num_rows == total:
            return
        self._on_progress(stage, file.num_rows, total)
        with self._open_judge() as judge:
            judged = judge_in_order(
                samples, lambda sample: judge.submit(self._find_task(sample.task_id), sample.completion)
            )
            for sample, verdict in stop_on_repeated_failures(judged):
                file.append(sample.row | verdict_fields(verdict))
                self._on_progress(stage, file.num_rows, total)

    def _judge_again(self, samples: Iterable[Sample], failed: list[int], file: ResumableFile) -> None:
        """Judge samples in the middle again, into a file of their own, so that this can be interrupted as well."""
        indices = frozenset(failed)
        chosen = compress(samples, (index in indices for index in count()))
        path = file.path.with_suffix(".retry.jsonl")
        settings = {**file.card.settings, "rows": failed}
        is_stale = bool(ResumableFile(path, settings).card.differences())
        with ResumableFile(path, settings, overwrite=is_stale) as retry:
            self._fill(retry, islice(chosen, retry.num_rows, len(failed)), len(failed), "judging again")
            new = retry.rows()
            file.replace(next(new) if index in indices else row for index, row in enumerate(file.rows()))
            retry.delete()


def find_failures(file: ResumableFile, samples: Iterable[Sample]) -> list[int]:
    """Return the indices of the rows for which the machine failed.

    Args:
        file: Open file of verdicts.
        samples: Samples in the order of the rows; iterated only as far as there are rows.

    Raises:
        ResumeError: A row is not the verdict of its sample.
    """
    failed = []
    for index, (row, sample) in enumerate(_pairs(file.rows(), samples)):
        if sample is None or (str(row.get("task_id")), row.get("completion")) != (sample.task_id, sample.completion):
            raise ResumeError(
                f"{file.path}, line {index + 1}: got the verdict of another sample; expected that of sample "
                f"{index + 1}. Choose another --out, or pass --overwrite to start anew"
            )
        if row.get("status") == INFRASTRUCTURE_FAILURE:
            failed.append(index)
    return failed


def _pairs(rows: Iterable[dict[str, Any]], samples: Iterable[Sample]) -> Iterator[tuple[dict[str, Any], Sample | None]]:
    """No more samples are taken than there are rows: they may have to be sampled first."""
    waiting = iter(samples)
    for row in rows:
        yield row, next(waiting, None)


def verdict_fields(verdict: Verdict | SandboxError) -> dict[str, Any]:
    """Return what a row has besides the sample.

    Args:
        verdict: Verdict of the sample, or the failure of the machine.
    """
    if isinstance(verdict, SandboxError):
        unknown = dict.fromkeys(("passed_checks", "total_checks", "error_line", "cpu_seconds"))
        failure = {"error_type": type(verdict).__name__, "error_message": str(verdict)}
        return {"passed": None, "status": INFRASTRUCTURE_FAILURE, **unknown, **failure}
    error = verdict.error
    fields: dict[str, Any] = {
        "passed": verdict.passed,
        "status": verdict.status.value,
        "passed_checks": verdict.passed_checks,
        "total_checks": verdict.total_checks,
        "error_type": error.type if error else None,
        "error_message": error.message if error else None,
        "error_line": error.line if error else None,
        "cpu_seconds": round(verdict.cpu_seconds, 6),
    }
    if verdict.executed_lines is not None:
        fields["executed_lines"] = sorted(verdict.executed_lines)
    return fields
