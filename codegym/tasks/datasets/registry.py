"""The one table of data sets, and ``load_tasks``."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass

from codegym.errors import DatasetError
from codegym.tasks.datasets import apps, codecontests, codegym_format, humaneval, livecodebench, mbpp
from codegym.tasks.datasets.files import FileRows, Rows
from codegym.tasks.datasets.hub import HubSource
from codegym.tasks.datasets.row import Row
from codegym.tasks.datasets.taskset import TaskSet
from codegym.tasks.record import Task


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """A data set: how one of its rows becomes a task, and where it is on the Hub (None: only local files)."""

    read: Callable[..., Task]
    hub: HubSource | None = None


_MBPP = "google-research-datasets/mbpp"
_LITE = "livecodebench/code_generation_lite"

DATASETS: dict[str, DatasetSpec] = {
    "humaneval": DatasetSpec(humaneval.read, HubSource("openai/openai_humaneval", "test")),
    "humaneval+": DatasetSpec(humaneval.read_plus, HubSource("evalplus/humanevalplus", "test")),
    "mbpp": DatasetSpec(mbpp.read, HubSource(_MBPP, "train", config="full")),
    "mbpp-sanitized": DatasetSpec(mbpp.read, HubSource(_MBPP, "train", config="sanitized")),
    "mbpp+": DatasetSpec(mbpp.read_plus, HubSource("evalplus/mbppplus", "test")),
    "apps": DatasetSpec(apps.read, HubSource("codeparrot/apps", "train", builder="json", files="{split}.jsonl")),
    "taco": DatasetSpec(apps.read, HubSource("BAAI/TACO", "train", builder="arrow", files="{split}/*.arrow")),
    "codecontests": DatasetSpec(codecontests.read, HubSource("deepmind/code_contests", "train")),
    "livecodebench": DatasetSpec(livecodebench.read, HubSource(_LITE, "test", builder="json", files="{split}*.jsonl")),
    "jsonl": DatasetSpec(codegym_format.read),
}
"""Name -> data set. The split is the one for training where there is one; pass ``split="test"`` for another."""


def load_tasks(
    name: str,
    path: str | os.PathLike[str] | None = None,
    *,
    split: str | None = None,
    strict: bool = True,
    limit: int | None = None,
    **options: object,
) -> TaskSet:
    """Load a data set as a ``TaskSet``.

        load_tasks("humaneval")[0], load_tasks("mbpp", "mbpp.jsonl", shown_tests=1).by_id(601)

    Args:
        name: one of ``DATASETS``.
        path: a ``.jsonl``, ``.jsonl.gz`` or ``.json`` file; None takes it from the Hub.
        split: which split of the Hub; None is that of ``DATASETS``.
        strict: raise for a bad row; False leaves bad rows out, with one warning.
        limit: stop after so many tasks.
        options: what the loader of this data set takes besides a row, such as ``challenge`` for MBPP.

    Raises:
        DatasetError: a row, the file or the Hub cannot be read.
        ValueError: no such data set, or a split of a local file.
        TypeError: no such option.
    """
    source = get_dataset(name)
    read = functools.partial(source.read, **_checked(name, source.read, options)) if options else source.read
    return TaskSet(_open(name, source, path, split), read, strict=strict, limit=limit)


def get_dataset(name: str) -> DatasetSpec:
    """Look a data set up by name; ``ValueError`` lists the names there are."""
    try:
        return DATASETS[name]
    except KeyError:
        raise ValueError(f"no data set {name!r}; there are {', '.join(DATASETS)}") from None


def _open(name: str, source: DatasetSpec, path: str | os.PathLike[str] | None, split: str | None) -> Rows:
    if path is not None:
        if split is not None:
            raise ValueError(f"a local file has no splits: got split={split!r} and path={str(path)!r}")
        return FileRows(path)
    if source.hub is None:
        raise DatasetError(f"data set {name!r} is not on the Hub: give the path of a file")
    return source.hub.load(split)


def _checked(name: str, read: Callable[[Row], Task], options: dict[str, object]) -> dict[str, object]:
    known = [key for key, item in inspect.signature(read).parameters.items() if item.kind is item.KEYWORD_ONLY]
    if unknown := set(options) - set(known):
        raise TypeError(f"data set {name!r} has no option {min(unknown)!r}; it has {', '.join(known) or 'none'}")
    return options
