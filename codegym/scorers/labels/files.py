"""Files of labeled programs: one JSON object a line, appended as programs are finished, so that a run can go on.

Beside ``labels.jsonl`` lies its card, ``labels.card.json``: how the labels were found, and what they have cost.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from codegym.errors import DatasetError
from codegym.sampling import LabelingCost
from codegym.scorers.labels.labeler import Labeler
from codegym.scorers.labels.labels import JudgedCompletion, LabeledProgram, SuccessCount
from codegym.scorers.labels.search import SampledProgram
from codegym.tasks.datasets.row import truncate_partial_line


def write_row(program: LabeledProgram) -> str:
    """Give the line of a file that holds a program."""
    row = asdict(program) | {
        "success_counts": [[count, *estimate] for count, estimate in sorted(program.success_counts.items())]
    }
    return json.dumps(row) + "\n"


def read_row(line: str) -> LabeledProgram:
    """Read a line of a file; ``ValueError`` where it is none."""
    row = json.loads(line)
    known = set(LabeledProgram.__slots__)
    if not isinstance(row, dict) or not known - {"witness", "completions"} <= set(row) <= known:
        raise ValueError(f"wanted an object with {', '.join(LabeledProgram.__slots__)}")
    success_counts = {count: SuccessCount(*found) for count, *found in row.pop("success_counts")}
    completions = tuple(JudgedCompletion(*trial) for trial in row.pop("completions", ()))
    return LabeledProgram(**row, success_counts=success_counts, completions=completions)


def read_labels(path: Path) -> list[LabeledProgram]:
    """Read a file of labeled programs; a half-written last line, as an interruption leaves it, is passed over.

    Raises:
        DatasetError: it cannot be read, or a line is no labeled program.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror or error})") from error
    programs = []
    for number, line in enumerate(text[: text.rfind("\n") + 1].splitlines(), start=1):
        try:
            programs.append(read_row(line))
        except (ValueError, TypeError) as error:
            raise DatasetError(f"{path}, line {number}: not a labeled program: {error}") from error
    return programs


def card_path(path: Path) -> Path:
    """Where the card of a file of labels lies."""
    return path.with_suffix(".card.json")


def read_card(path: Path) -> dict[str, Any]:
    """Read the card of a file of labels, empty where it has none."""
    card = card_path(path)
    found: dict[str, Any] = json.loads(card.read_text(encoding="utf-8")) if card.exists() else {}
    return found


def append_labels(
    path: Path,
    programs: Iterable[SampledProgram],
    labeler: Labeler,
    *,
    about: dict[str, Any] | None = None,
    on_program: Callable[[LabeledProgram], object] = lambda _: None,
) -> list[LabeledProgram]:
    """Label programs into a file, going on where an earlier run with the same settings was interrupted.

    Args:
        path: the file, ``.jsonl``.
        programs: the same ones in the same order in every run; those that the file has already are passed over.
        labeler: finds the labels.
        about: what else the card says, such as the policy; as much a part of the settings as the labeler's own.
        on_program: called with each program, those that the file has already included.

    Returns:
        Everything that is in the file in the end.

    Raises:
        DatasetError: the file was made with other settings.
    """
    settings = json.loads(json.dumps(asdict(labeler.settings) | {"about": about or {}}))
    settings.pop("batch_size")  # changes nothing but the speed
    before = _earlier(path, settings)
    found = _whole_lines(path)
    for program in found:
        on_program(program)
    path.parent.mkdir(parents=True, exist_ok=True)
    _write_card(path, settings, found, before, 0)
    try:
        with path.open("a", encoding="utf-8") as file:
            for program in labeler.label(_without(programs, found)):
                file.write(write_row(program))
                file.flush()
                found.append(program)
                on_program(program)
    finally:
        _write_card(path, settings, found, before + labeler.spent, labeler.skipped)
    return found


def _earlier(path: Path, settings: dict[str, Any]) -> LabelingCost:
    """What an earlier run has spent, whose settings must be the same."""
    card = read_card(path)
    if card and card["settings"] != settings:
        raise DatasetError(
            f"{path} was made with other settings: {card['settings']}, now wanted are {settings}. Write to another file"
        )
    return LabelingCost(**card["spent"]) if card else LabelingCost()


def _whole_lines(path: Path) -> list[LabeledProgram]:
    """Read what an earlier run left, and cut off a half-written last line."""
    if not path.exists():
        return []
    found = read_labels(path)
    truncate_partial_line(path)
    return found


def _without(programs: Iterable[SampledProgram], found: Sequence[LabeledProgram]) -> Iterator[SampledProgram]:
    """Those programs that are not found yet; a program may be there several times."""
    there = Counter((program.task_id, program.completion) for program in found)
    for program in programs:
        key = (program.task.task_id, program.completion)
        if there[key]:
            there[key] -= 1
        else:
            yield program


def _write_card(
    path: Path, settings: dict[str, Any], programs: Sequence[LabeledProgram], spent: LabelingCost, skipped: int
) -> None:
    card = {"settings": settings, "spent": asdict(spent), "skipped": skipped, **summarize_labels(programs)}
    card_path(path).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")


def summarize_labels(programs: Sequence[LabeledProgram]) -> dict[str, Any]:
    """Count what a data card tells of labeled programs."""
    classes = Counter(program.label_class.value for program in programs)
    tasks = len({program.task_id for program in programs})
    witnesses = sum(bool(program.witness) for program in programs)
    return {"programs": len(programs), "tasks": tasks, "classes": dict(sorted(classes.items())), "witnesses": witnesses}


def split_by_task(
    programs: Iterable[LabeledProgram], held_out: float
) -> tuple[list[LabeledProgram], list[LabeledProgram]]:
    """Divide programs into those to learn from and those held out, by task and without chance.

    A task is what its prompt says: two tasks that say the same stay together.

    Args:
        programs: labeled programs.
        held_out: share of the tasks, 0 to 1.
    """
    parts: tuple[list[LabeledProgram], list[LabeledProgram]] = ([], [])
    for program in programs:
        digest = hashlib.blake2b((program.prompt or program.task_id).encode("utf-8", "replace"), digest_size=8).digest()
        parts[int.from_bytes(digest) < held_out * 2**64].append(program)
    return parts
