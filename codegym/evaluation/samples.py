"""Files of samples: one JSON object a line, with a task id and a completion."""

from __future__ import annotations

import gzip
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from codegym.errors import DatasetError
from codegym.tasks.datasets.row import Row, decode_json
from codegym.tasks.plain_data import describe_value


@dataclass(frozen=True, slots=True)
class Sample:
    """One row of a file of samples."""

    row: dict[str, Any]
    """All fields of the row."""
    task_id: str
    """Id of the task, as text."""
    completion: str
    """Program without the preamble of the task."""


class SampleFile:
    """A ``.jsonl`` or ``.jsonl.gz`` file of samples, read anew in every iteration, so of any length.

    Args:
        path: File of samples.
        known_ids: Ids of all tasks.

    Raises:
        DatasetError: The name of the file ends in something else.
    """

    def __init__(self, path: Path, known_ids: Collection[str]) -> None:
        if not path.name.endswith((".jsonl", ".jsonl.gz")):
            raise DatasetError(f"wrong kind of file: got {path}; expected a name that ends in .jsonl or .jsonl.gz")
        self.path = path
        self._known_ids = frozenset(known_ids)

    def __iter__(self) -> Iterator[Sample]:
        with self._open() as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield self._sample(number, line)

    def _open(self) -> IO[bytes]:
        try:
            is_gzipped = self.path.suffix == ".gz"
            return gzip.open(self.path) if is_gzipped else self.path.open("rb")  # type: ignore[return-value]
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
                    f"field 'task_id': got {describe_value(task_id)}; expected the id of one of the "
                    f"{len(self._known_ids)} tasks"
                )
        except DatasetError as error:
            raise DatasetError(f"{self.path}, line {number}: {error}") from error
        return Sample(dict(row.values), str(task_id), completion)


def parse_row(line: bytes) -> dict[str, Any]:
    """Decode one line of JSON, whole numbers of any length included.

    Args:
        line: Text of a JSON object, as bytes.

    Raises:
        DatasetError: The line is something else.
    """
    try:
        row = decode_json(line)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"not JSON: {error}") from error
    if not isinstance(row, dict):
        raise DatasetError(f"got {describe_value(row)}; expected a JSON object")
    return row
