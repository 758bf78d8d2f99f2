"""Where an environment takes its tasks from: a name, a file, a sequence of tasks or a procedural family."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Protocol, cast, runtime_checkable

import numpy as np

from codegym.tasks.datasets import DATASETS, TaskSet, load_tasks
from codegym.tasks.procedural import FAMILIES
from codegym.tasks.record import Task


@runtime_checkable
class TaskSource(Protocol):
    """What tasks are drawn from."""

    def draw(self, rng: np.random.Generator) -> Task:
        """Draw a task; the same state of ``rng`` gives the same task."""

    def by_id(self, task_id: object) -> Task:
        """Give the task of that id, compared as text; ``KeyError`` where there is none."""


class ListSource:
    """A task source over a sequence, each task as likely as the others."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        if not len(tasks):
            raise ValueError("an environment needs at least one task, got an empty sequence")
        self.tasks = tasks
        self._places: dict[str, int] | None = None

    def draw(self, rng: np.random.Generator) -> Task:
        """Draw a task uniformly."""
        return self.tasks[int(rng.integers(len(self.tasks)))]

    def by_id(self, task_id: object) -> Task:
        """Give the task of that id, compared as text; ``KeyError`` where there is none."""
        if isinstance(self.tasks, TaskSet):
            return self.tasks.by_id(task_id)
        if self._places is None:
            self._places = {task.task_id: index for index, task in enumerate(self.tasks)}
        if str(task_id) not in self._places:
            raise KeyError(f"no task {task_id!r} among {len(self.tasks)}, such as {next(iter(self._places))!r}")
        return self.tasks[self._places[str(task_id)]]


TasksLike = str | Task | Sequence[Task] | TaskSource


def make_task_source(tasks: TasksLike, path: str | os.PathLike[str] | None = None) -> TaskSource:
    """Make a task source of what a user names.

    Args:
        tasks: name of a procedural family or of a data set, a task, a sequence of tasks, or a task source.
        path: file of the data set; without it the data set comes from the Hub.

    Raises:
        ValueError: no such name, no task, or a path where no data set is named.
        DatasetError: the data set cannot be read.
        TypeError: something else.
    """
    if isinstance(tasks, str) and tasks in DATASETS:
        return ListSource(load_tasks(tasks, path))
    if path is not None:
        raise ValueError(
            f"path={str(path)!r} needs the name of a data set ({', '.join(DATASETS)}), got tasks={tasks!r}"
        )
    if isinstance(tasks, str):
        if tasks not in FAMILIES:
            raise ValueError(f"no tasks {tasks!r}; there are {', '.join([*FAMILIES, *DATASETS])}")
        return FAMILIES[tasks]()
    if isinstance(tasks, Task):
        return ListSource([tasks])
    if isinstance(tasks, TaskSource):
        return tasks
    if isinstance(tasks, Sequence):
        return ListSource(cast("Sequence[Task]", tasks))  # a str is a sequence too, but has been dealt with
    raise TypeError(f"tasks must be a name, a Task, a sequence of tasks or a task source, got {type(tasks).__name__}")
