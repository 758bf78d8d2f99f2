"""Samples in, verdicts out: two files of JSON objects, row by row in the same order."""

from __future__ import annotations

import fcntl
import gzip
import json
import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from codegym.errors import DatasetError
from codegym.evaluation.metrics import INFRASTRUCTURE_FAILURE
from codegym.tasks.datasets.row import Row, decode_json
from codegym.tasks.plain_data import describe_value


@dataclass(frozen=True, slots=True)
class Sample:
    """One row of a samples file; a task id is compared as text."""

    row: dict[str, Any]
    task_id: str
    completion: str


class SampleFile:
    """A ``.jsonl`` or ``.jsonl.gz`` file of samples, read anew for every pass, so of any length.

    Args:
        path: the file.
        known_ids: ids of the tasks there are.
    """

    def __init__(self, path: Path, known_ids: Collection[str]) -> None:
        if not path.name.endswith((".jsonl", ".jsonl.gz")):
            raise DatasetError(f"{path}: wanted a file that ends in .jsonl or .jsonl.gz")
        self.path = path
        self._known_ids = frozenset(known_ids)

    def __iter__(self) -> Iterator[Sample]:
        with self._open() as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield self._sample(number, line)

    def _open(self) -> IO[bytes]:
        try:
            is_packed = self.path.suffix == ".gz"
            return gzip.open(self.path) if is_packed else self.path.open("rb")  # type: ignore[return-value]
        except OSError as error:
            raise DatasetError(f"{self.path}: cannot be read ({error.strerror or error})") from error

    def _sample(self, number: int, line: bytes) -> Sample:
        try:
            row = Row(parse_row(line.removeprefix(b"\xef\xbb\xbf")), number)
            task_id, completion = row.values.get("task_id"), row.values.get("completion")
            if isinstance(task_id, bool) or not isinstance(task_id, str | int):
                raise row.error("task_id", "a string or a whole number")
            if not isinstance(completion, str):
                raise row.error("completion", "a string")
            if str(task_id) not in self._known_ids:
                raise DatasetError(
                    f"field 'task_id': {describe_value(task_id)} is none of the {len(self._known_ids)} tasks"
                )
        except DatasetError as error:
            raise DatasetError(f"{self.path}, line {number}: {error}") from error
        return Sample(dict(row.values), str(task_id), completion)


def parse_row(line: bytes) -> dict[str, Any]:
    """Decode one line that must be a JSON object."""
    try:
        row = decode_json(line)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"not JSON: {error}") from error
    if not isinstance(row, dict):
        raise DatasetError(f"got {describe_value(row)}, wanted a JSON object")
    return row


class VerdictFile:
    """Rows with verdicts for the first so many of some samples; open for one process at a time.

    What an earlier run left is compared with the samples; a half-written last line is cut off.

    Raises:
        DatasetError: the rows belong to other samples, or another process is writing them.
    """

    def __init__(self, path: Path, samples: Iterable[Sample]) -> None:
        self.path = path
        self.num_rows = 0
        self.failed: list[int] = []
        """Indices of the rows whose machine failed."""
        self._file = path.open("ab+")
        try:
            self._lock()
            self._file.truncate(self._match(samples))
        except BaseException:
            self._file.close()
            raise

    def write(self, row: dict[str, Any]) -> None:
        """Append a row, at once."""
        self._file.write(json.dumps(row).encode() + b"\n")
        self._file.flush()
        self.num_rows += 1

    def __enter__(self) -> VerdictFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DatasetError(f"{self.path}: another process is writing it") from error

    def _match(self, samples: Iterable[Sample]) -> int:
        """Go through the whole rows; gives the offset where the last one ends."""
        self._file.seek(0)
        end = 0
        whole = (line for line in self._file if line.endswith(b"\n"))
        for line, sample in _pairs(whole, samples):
            if not _belongs(line, sample):
                raise DatasetError(
                    f"{self.path}, line {self.num_rows + 1}: not the verdict of sample {self.num_rows + 1}. Was it "
                    "made from other samples? Give another --out, or --overwrite to start anew"
                )
            if decode_json(line)["status"] == INFRASTRUCTURE_FAILURE:
                self.failed.append(self.num_rows)
            self.num_rows += 1
            end += len(line)
        return end


def _pairs(lines: Iterable[bytes], samples: Iterable[Sample]) -> Iterator[tuple[bytes, Sample | None]]:
    """No more samples are asked for than there are lines: they may have to be written first."""
    waiting = iter(samples)
    for line in lines:
        yield line, next(waiting, None)


def _belongs(line: bytes, sample: Sample | None) -> bool:
    try:
        row = parse_row(line)
    except DatasetError:
        return False
    found = (str(row.get("task_id")), row.get("completion"))
    return sample is not None and "status" in row and found == (sample.task_id, sample.completion)


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a verdict file that is whole."""
    with path.open("rb") as file:
        for line in file:
            yield parse_row(line)


def replace_rows(path: Path, indices: Collection[int], others: Path) -> None:
    """Put the rows of ``others`` where those with these ``indices`` stand; the file changes all at once."""
    wanted, part = set(indices), path.with_name(f"{path.name}.part")
    with path.open("rb") as old, others.open("rb") as new, part.open("wb") as file:
        for index, line in enumerate(old):
            file.write(new.readline() if index in wanted else line)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    others.unlink()
