"""Tasks: what is to be written. Records, data sets, procedural families, and the sources that tasks are drawn from."""

from codegym.tasks.datasets import DATASETS, DatasetSpec, HubSource, Row, TaskSet, load_tasks, save_tasks
from codegym.tasks.procedural import FAMILIES, Family, Procedural
from codegym.tasks.record import AssertCheck, CallCheck, Check, StdinCheck, Task
from codegym.tasks.source import ListSource, TasksLike, TaskSource, make_task_source

__all__ = [
    "DATASETS",
    "FAMILIES",
    "AssertCheck",
    "CallCheck",
    "Check",
    "DatasetSpec",
    "Family",
    "HubSource",
    "ListSource",
    "Procedural",
    "Row",
    "StdinCheck",
    "Task",
    "TaskSet",
    "TaskSource",
    "TasksLike",
    "load_tasks",
    "make_task_source",
    "save_tasks",
]
