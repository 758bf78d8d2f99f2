"""Data sets: one reader a file, and one table of all of them. ``load_tasks`` reads, ``save_tasks`` writes."""

from codegym.tasks.datasets.codegym_format import save_tasks
from codegym.tasks.datasets.hub import HubSource
from codegym.tasks.datasets.registry import DATASETS, environment_keywords, get_dataset, load_tasks
from codegym.tasks.datasets.row import Row
from codegym.tasks.datasets.spec import DatasetSpec
from codegym.tasks.datasets.taskset import TaskSet

__all__ = [
    "DATASETS",
    "DatasetSpec",
    "HubSource",
    "Row",
    "TaskSet",
    "environment_keywords",
    "get_dataset",
    "load_tasks",
    "save_tasks",
]
