"""Data sets: one reader a file, and one table of all of them. ``load_tasks`` reads, ``save_tasks`` writes."""

from codegym.tasks.datasets.codegym_format import save_tasks
from codegym.tasks.datasets.registry import DATASETS, load_tasks
from codegym.tasks.datasets.taskset import TaskSet

__all__ = ["DATASETS", "TaskSet", "load_tasks", "save_tasks"]
