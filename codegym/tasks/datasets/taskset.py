"""Task sets: a sequence of tasks that are made from their rows when they are asked for."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import overload

from codegym.errors import DatasetError, TaskError
from codegym.tasks.datasets.files import Rows
from codegym.tasks.datasets.row import Row
from codegym.tasks.record import Task


class TaskSet(Sequence[Task]):
    """The tasks of a source of rows, in its order.

    Every row is read once at the start, so that a bad one is reported now and not after hours of training, and is then
    forgotten: a task set of any length holds no task, only the index of each row. A slice is a task set as well.

        tasks = load_tasks("mbpp", "mbpp.jsonl")
        tasks[0].prompt, tasks.by_id(601).checks, len(tasks[:100])

    Args:
        rows: Rows of a file or of the Hub.
        read: Function that makes a task of a row.
        strict: Whether to raise ``DatasetError`` for the first bad row. Otherwise bad rows are left out, listed in
            ``rejected_rows``, and counted in one warning.
        limit: Largest number of tasks; None reads all rows.

    Raises:
        DatasetError: A row is bad and ``strict`` is set, an id occurs twice, or there is no task at all.
        ValueError: ``limit`` is below 1.
    """

    def __init__(
        self, rows: Rows, read: Callable[[Row], Task], *, strict: bool = True, limit: int | None = None
    ) -> None:
        if limit is not None and limit < 1:
            raise ValueError(f"limit must be above 0, got {limit}")
        self._rows = rows
        self._read = read
        self._ids: dict[str, int] = {}  # task id -> index of the row
        self.rejected_rows: list[tuple[int, str]] = []
        """Line and reason of every row that was left out."""
        self._scan(strict, limit)
        self._indices = list(self._ids.values())

    def _scan(self, strict: bool, limit: int | None) -> None:
        for index in range(len(self._rows)):
            if limit is not None and len(self._ids) >= limit:
                break
            try:
                self._admit(index, self._task(index).task_id)
            except DatasetError as error:
                if strict:
                    raise
                self.rejected_rows.append((self._rows.line(index), str(error)))
        if self.rejected_rows:
            warnings.warn(
                f"{self._rows.name}: {len(self.rejected_rows)} of {len(self.rejected_rows) + len(self._ids)} rows were "
                f"left out, the first because of: {self.rejected_rows[0][1]}",
                stacklevel=4,
            )
        if not self._ids:
            raise DatasetError(f"{self._rows.name}: not one task in {len(self._rows)} rows")

    def _admit(self, index: int, task_id: str) -> None:
        if task_id in self._ids:
            first = self._rows.line(self._ids[task_id])
            raise DatasetError(f"{self._place(index)}: task id {task_id!r} is already that of line {first}")
        self._ids[task_id] = index

    def _task(self, index: int) -> Task:
        try:
            return self._read(Row(self._rows.read(index), self._rows.line(index)))
        except (DatasetError, TaskError) as error:
            raise DatasetError(f"{self._place(index)}: {error}") from error

    def _place(self, index: int) -> str:
        return f"{self._rows.name}, line {self._rows.line(index)}"

    def by_id(self, task_id: object) -> Task:
        """Return the task with that id.

        Args:
            task_id: Id of the task, compared as text.

        Raises:
            KeyError: There is no such task.
        """
        index = self._ids.get(str(task_id))
        if index is None:
            raise KeyError(f"no task {task_id!r} among {len(self)} of {self._rows.name}")
        return self._task(index)

    @property
    def ids(self) -> tuple[str, ...]:
        """The id of every task, in order."""
        return tuple(self._ids)

    def __len__(self) -> int:
        return len(self._indices)

    @overload
    def __getitem__(self, index: int) -> Task: ...
    @overload
    def __getitem__(self, index: slice) -> TaskSet: ...
    def __getitem__(self, index: int | slice) -> Task | TaskSet:
        if not isinstance(index, slice):
            return self._task(self._indices[index])
        part = object.__new__(TaskSet)
        part._rows, part._read, part.rejected_rows = self._rows, self._read, []
        part._ids = dict(list(self._ids.items())[index])
        part._indices = list(part._ids.values())
        return part

    def __repr__(self) -> str:
        return f"<TaskSet of {len(self)} tasks from {self._rows.name}>"
