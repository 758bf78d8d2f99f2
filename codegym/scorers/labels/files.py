"""Files of labeled programs, one JSON object a line, appended as programs are finished, so that a run can be resumed.

The card of ``labels.jsonl`` is ``labels.card.json``: how the labels were found, and what they have cost.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from codegym.errors import DatasetError
from codegym.jsonl import ResumableFile, card_path, read_card, read_rows
from codegym.sampling import LabelingCost
from codegym.scorers.labels.labeler import Labeler
from codegym.scorers.labels.labels import JudgedCompletion, LabeledProgram, SuccessCount
from codegym.scorers.labels.search import SampledProgram

_OPTIONAL = {"witness", "completions"}


def to_row(program: LabeledProgram) -> dict[str, Any]:
    """Return a labeled ``program`` as plain data."""
    counts = [[num_lines, *count] for num_lines, count in sorted(program.success_counts.items())]
    return asdict(program) | {"success_counts": counts}


def from_row(row: dict[str, Any]) -> LabeledProgram:
    """Return the labeled program of a row.

    Args:
        row: Plain data that ``to_row`` returned.

    Raises:
        ValueError: The row has other fields.
    """
    fields = set(LabeledProgram.__slots__)
    if not fields - _OPTIONAL <= set(row) <= fields:
        raise ValueError(f"wrong fields: got {', '.join(row)}; expected {', '.join(LabeledProgram.__slots__)}")
    counts = {num_lines: SuccessCount(*count) for num_lines, *count in row["success_counts"]}
    completions = tuple(JudgedCompletion(*completion) for completion in row.get("completions", ()))
    return LabeledProgram(**row | {"success_counts": counts, "completions": completions})


def read_labels(path: Path) -> list[LabeledProgram]:
    """Read a file of labeled programs; a half-written last line is left out.

    Args:
        path: File that ``append_labels`` wrote.

    Raises:
        DatasetError: The file cannot be read, or a line is no labeled program.
    """
    try:
        return [_program(row, f"{path}, line {number}") for number, row in enumerate(read_rows(path), start=1)]
    except OSError as error:
        raise DatasetError(
            f"cannot read labels: got {str(path)!r} ({error.strerror or error}); expected a file that codegym prm "
            "label wrote"
        ) from error


def _program(row: dict[str, Any], place: str) -> LabeledProgram:
    try:
        return from_row(row)
    except (ValueError, TypeError) as error:
        raise DatasetError(f"{place}: not a labeled program: {error}") from error


def read_label_card(path: Path) -> dict[str, Any]:
    """Return the card of the file of labels at ``path``, empty if it has none."""
    return read_card(card_path(path))


def append_labels(
    path: Path,
    programs: Iterable[SampledProgram],
    labeler: Labeler,
    *,
    about: dict[str, Any] | None = None,
    on_program: Callable[[LabeledProgram], object] = lambda _: None,
) -> list[LabeledProgram]:
    """Label programs into a file. If the file holds labels with the same settings, labeling resumes.

    Args:
        path: The file, ``.jsonl``.
        programs: The programs, the same in every run. Those that the file holds are skipped.
        labeler: Labeler of the programs.
        about: Further settings for the card, such as the policy. They must be the same in every run, too.
        on_program: Function that is called with each program, those that the file holds included.

    Returns:
        All programs in the file.

    Raises:
        ResumeError: The file was made with other settings, or another process is writing it.
    """
    settings = asdict(labeler.settings) | {"about": about or {}}
    with ResumableFile(path, settings, ignored=("batch_size",)) as file:
        found = read_labels(path)
        earlier = LabelingCost(**file.card.notes.get("cost", {}))
        for program in found:
            on_program(program)
        try:
            for program in labeler.label(_without(programs, found)):
                file.append(to_row(program))
                found.append(program)
                on_program(program)
        finally:
            cost = asdict(earlier + labeler.cost)
            file.card.note(cost=cost, skipped=labeler.skipped, **summarize_labels(found))
    return found


def _without(programs: Iterable[SampledProgram], found: Sequence[LabeledProgram]) -> Iterator[SampledProgram]:
    """Yield the programs that are not found yet; the same program may be there several times."""
    there = Counter((program.task_id, program.completion) for program in found)
    for program in programs:
        key = (program.task.task_id, program.completion)
        if there[key]:
            there[key] -= 1
        else:
            yield program


def summarize_labels(programs: Sequence[LabeledProgram]) -> dict[str, Any]:
    """Return the numbers of labeled ``programs``, of their tasks, classes and witnesses."""
    classes = Counter(program.label_class.value for program in programs)
    tasks = len({program.task_id for program in programs})
    witnesses = sum(bool(program.witness) for program in programs)
    return {"programs": len(programs), "tasks": tasks, "classes": dict(sorted(classes.items())), "witnesses": witnesses}


def split_by_task(
    programs: Iterable[LabeledProgram], holdout_fraction: float
) -> tuple[list[LabeledProgram], list[LabeledProgram]]:
    """Divide programs into those to learn from and those held out, by a hash of their task's prompt.

    Two tasks with the same prompt stay together.

    Args:
        programs: Labeled programs to divide.
        holdout_fraction: Fraction of the tasks that is held out, 0 to 1.
    """
    parts: tuple[list[LabeledProgram], list[LabeledProgram]] = ([], [])
    for program in programs:
        text = program.prompt or program.task_id
        digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()
        parts[int.from_bytes(digest) < holdout_fraction * 2**64].append(program)
    return parts
