"""Task sources: what an environment draws its tasks from, and how it is made of what a user names."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Protocol, cast, runtime_checkable

import numpy as np

from codegym.plugins import load_object, suggest
from codegym.tasks.datasets import DATASETS, DatasetSpec, TaskSet, get_dataset, load_tasks
from codegym.tasks.plain_data import describe_value
from codegym.tasks.procedural import FAMILIES
from codegym.tasks.record import Task


@runtime_checkable
class TaskSource(Protocol):
    """Something that tasks are drawn from; any object with these two methods is one.

        class Doubling:
            def draw(self, rng):
                return self.by_id(rng.integers(1, 100))

            def by_id(self, task_id):
                n = int(task_id)
                return Task(str(n), f"Print {n} times the input.", (StdinCheck("3", str(3 * n)),))

        gym.make("codegym/Token-v0", tasks=Doubling())

    ``draw`` and ``by_id`` return equal tasks for equal ids: saved episodes, labels and replays name a task by its id.
    An environment calls them from one thread; a vector environment shares one source among its slots.
    """

    def draw(self, rng: np.random.Generator) -> Task:
        """Draw a task.

        Args:
            rng: The only source of randomness: the same state of the generator gives the same task.
        """

    def by_id(self, task_id: object) -> Task:
        """Return the task with that id.

        Args:
            task_id: Id of the task, compared as text.

        Raises:
            KeyError: There is no such task.
        """


class ListSource:
    """A task source over a sequence; each task is as likely as the others.

    Args:
        tasks: A ``TaskSet`` or any other sequence of tasks, at least one.

    Raises:
        ValueError: The sequence is empty, or two different tasks have one id.
        TypeError: An item of the sequence is not a ``Task``.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        if not len(tasks):
            raise ValueError("no tasks: got an empty sequence; expected at least one task")
        self.tasks = tasks
        self._indices = {} if isinstance(tasks, TaskSet) else _index(tasks)

    def draw(self, rng: np.random.Generator) -> Task:
        """Draw a task uniformly."""
        return self.tasks[int(rng.integers(len(self.tasks)))]

    def by_id(self, task_id: object) -> Task:
        """Return the task with that id.

        Raises:
            KeyError: There is no such task.
        """
        if isinstance(self.tasks, TaskSet):
            return self.tasks.by_id(task_id)
        if str(task_id) not in self._indices:
            raise KeyError(f"no task {task_id!r} among {len(self.tasks)}, such as {next(iter(self._indices))!r}")
        return self.tasks[self._indices[str(task_id)]]


def _index(tasks: Sequence[Task]) -> dict[str, int]:
    indices: dict[str, int] = {}
    for index, task in enumerate(tasks):
        if not isinstance(task, Task):
            raise TypeError(f"tasks: got {describe_value(task)} at index {index}; expected a codegym.Task")
        first = indices.setdefault(task.task_id, index)
        if tasks[first] != task:
            raise ValueError(
                f"tasks: got different tasks at {first} and {index} with the id {task.task_id!r}; expected one id each"
            )
    return indices


TasksLike = str | Task | Sequence[Task] | TaskSource | DatasetSpec | Callable[..., object]
"""Everything that ``tasks=`` accepts; see ``make_task_source``."""


def make_task_source(tasks: TasksLike, path: str | os.PathLike[str] | None = None) -> TaskSource:
    """Return a task source for what a user names.

    Args:
        tasks: Name of a procedural family or of a data set, ``"package.module:object"``, a ``Task``, a sequence of
            tasks, a task source, a ``DatasetSpec``, a family class or another function without arguments that returns
            one of these, or, together with ``path``, a function from a ``Row`` to a ``Task``.
        path: File of the data set; without it the data set comes from the Hugging Face Hub.

    Raises:
        ValueError: There is no such name, there is no task, or a path is given for something else than a data set.
        DatasetError: The data set cannot be read.
        TypeError: The object is none of the above.
    """
    named = tasks
    if isinstance(tasks, str):
        tasks = cast(TasksLike, _look_up(tasks))
    if isinstance(tasks, DatasetSpec) or (path is not None and _is_reader(tasks)):
        return ListSource(load_tasks(get_dataset(cast("Callable[..., Task]", tasks)), path))
    if path is not None:
        raise ValueError(
            f"a path without a data set: got path={str(path)!r} and tasks={named!r:.80}; expected one of "
            f"{', '.join(DATASETS)} as tasks"
        )
    if isinstance(tasks, Task):
        return ListSource([tasks])
    if isinstance(tasks, TaskSource) and not isinstance(tasks, type):
        return tasks
    if isinstance(tasks, Sequence) and not isinstance(tasks, str | bytes):
        return ListSource(tasks)
    if callable(tasks):
        return make_task_source(cast(TasksLike, tasks()))
    raise TypeError(
        f"tasks: got {describe_value(tasks)}; expected the name of a family or data set, a Task, a sequence of tasks "
        "or an object with draw(rng) and by_id(task_id)"
    )


def _is_reader(tasks: object) -> bool:
    return callable(tasks) and not isinstance(tasks, type | TaskSource)


def _look_up(name: str) -> object:
    if name in DATASETS:
        return get_dataset(name)
    if name in FAMILIES:
        return FAMILIES[name]
    if ":" in name:
        return load_object(name)
    known = [*FAMILIES, *DATASETS]
    is_file = name.endswith((".jsonl", ".jsonl.gz", ".json"))
    hint = f" (for a file: tasks='jsonl', path={name!r})" if is_file else suggest(name, known)
    raise ValueError(
        f"unknown tasks: got {name!r}{hint}; expected one of {', '.join(known)}, or 'package.module:object' of yours"
    )
