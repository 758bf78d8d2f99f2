"""Data sets: ``load("humaneval")``, ``load("apps", "train.jsonl")``; one loader a file, one table of all of them."""

from codegym.tasks.datasets.codegym_format import dump
from codegym.tasks.datasets.registry import DATASETS, load
from codegym.tasks.datasets.taskset import TaskSet

__all__ = ["DATASETS", "TaskSet", "dump", "load"]
