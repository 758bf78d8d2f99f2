"""The table of data sets, and ``load_tasks``."""

from __future__ import annotations

import functools
import inspect
import os
import re
from collections.abc import Callable

from codegym.errors import DatasetError
from codegym.plugins import Plugins
from codegym.tasks.datasets import apps, codecontests, codegym_format, humaneval, livecodebench, mbpp
from codegym.tasks.datasets.files import FileRows, Rows
from codegym.tasks.datasets.hub import HubSource
from codegym.tasks.datasets.row import Row
from codegym.tasks.datasets.spec import DatasetSpec
from codegym.tasks.datasets.taskset import TaskSet
from codegym.tasks.record import Task

_MBPP = "google-research-datasets/mbpp"
_LITE = "livecodebench/code_generation_lite"
_LONG = {"max_tokens": 2048, "max_prompt_tokens": 4096}
_ASSERTS = "asserts of the authors, one check each"
_INPUTS = "one check for each input, by the rules of evalplus (tolerance 1e-6 for floats; oracles for some tasks)"
_UNMEASURED = "not measured as a whole: run `codegym validate` on the file"

_BUILT_IN: dict[str, DatasetSpec] = {
    "humaneval": DatasetSpec(
        humaneval.read,
        HubSource("openai/openai_humaneval", "test"),
        env_name="HumanEval",
        size="164",
        licence="MIT",
        homepage="https://arxiv.org/abs/2107.03374",
        comparison=_ASSERTS,
        gold="164 of 164 pass on both back ends, three times over",
    ),
    "humaneval+": DatasetSpec(
        humaneval.read_plus,
        HubSource("evalplus/humanevalplus", "test"),
        env_name="HumanEvalPlus",
        size="164",
        licence="Apache-2.0",
        homepage="https://arxiv.org/abs/2305.01210",
        comparison=_INPUTS,
        gold="expected values come from the gold solution; " + _UNMEASURED,
    ),
    "mbpp": DatasetSpec(
        mbpp.read,
        HubSource(_MBPP, "train", config="full"),
        env_name="MBPP",
        size="974 (374 for training, 90 for validation, 500 for testing, 10 for prompting)",
        licence="CC BY 4.0",
        homepage="https://arxiv.org/abs/2108.07732",
        comparison=_ASSERTS,
        gold="974 of 974 pass on both back ends, three times over",
    ),
    "mbpp-sanitized": DatasetSpec(
        mbpp.read,
        HubSource(_MBPP, "train", config="sanitized"),
        env_name="MBPPSanitized",
        size="427",
        licence="CC BY 4.0",
        homepage="https://arxiv.org/abs/2108.07732",
        comparison=_ASSERTS,
        gold=_UNMEASURED,
    ),
    "mbpp+": DatasetSpec(
        mbpp.read_plus,
        HubSource("evalplus/mbppplus", "test"),
        env_name="MBPPPlus",
        size="378",
        licence="Apache-2.0",
        homepage="https://arxiv.org/abs/2305.01210",
        comparison=_INPUTS,
        gold=_UNMEASURED,
    ),
    "apps": DatasetSpec(
        apps.read,
        HubSource("codeparrot/apps", "train", builder="json", files="{split}.jsonl"),
        env_name="APPS",
        size="10,000 (5,000 for training, 5,000 for testing)",
        licence="MIT",
        homepage="https://arxiv.org/abs/2105.09938",
        comparison="rule `apps`",
        gold=f"the sampled rows pass; {_UNMEASURED}",
        **_LONG,
    ),
    "taco": DatasetSpec(
        apps.read,
        HubSource("BAAI/TACO", "train", builder="arrow", files="{split}/*.arrow"),
        env_name="TACO",
        size="26,443 (25,443 for training, 1,000 for testing)",
        licence="Apache-2.0; parts under MIT and CC BY 4.0",
        homepage="https://arxiv.org/abs/2312.14852",
        comparison="rule `apps`",
        gold=_UNMEASURED,
        **_LONG,
    ),
    "codecontests": DatasetSpec(
        codecontests.read,
        HubSource("deepmind/code_contests", "train"),
        env_name="CodeContests",
        size="13,610 (13,328 for training, 117 for validation, 165 for testing)",
        licence="CC BY 4.0",
        homepage="https://arxiv.org/abs/2203.07814",
        comparison="rule `codecontests`",
        gold=f"some rows have no solution in Python 3; {_UNMEASURED}",
        **_LONG,
    ),
    "livecodebench": DatasetSpec(
        livecodebench.read,
        HubSource(_LITE, "test", builder="json", files="{split}*.jsonl"),
        env_name="LiveCodeBench",
        size="see the authors' page: each release adds problems",
        licence="see the authors' page",
        homepage="https://arxiv.org/abs/2403.07974",
        comparison="rule `livecodebench`",
        gold="the data set has no gold solutions",
        **_LONG,
    ),
    "jsonl": DatasetSpec(
        codegym_format.read,
        env_name="JSONL",
        size="any",
        licence="that of your tasks",
        comparison="the rule that each task names",
        gold="run `codegym validate` on the file",
    ),
}

DATASETS = Plugins[DatasetSpec]("data set", "codegym.datasets", _BUILT_IN)
"""Name -> data set. The split is the one for training if there is one; pass ``split="test"`` for another."""


def load_tasks(
    dataset: str | DatasetSpec | Callable[[Row], Task],
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
        dataset: A name in ``DATASETS``, ``"package.module:object"``, a ``DatasetSpec``, or a function from a ``Row`` to
            a ``Task``.
        path: A ``.jsonl``, ``.jsonl.gz`` or ``.json`` file; None loads the data set from the Hugging Face Hub.
        split: Split on the Hub; None is the one that the data set's row in ``DATASETS`` names.
        strict: Whether to raise for a bad row. False leaves bad rows out, with one warning.
        limit: Largest number of tasks; None loads all.
        options: Keyword arguments of the data set's own reader, such as ``challenge`` for MBPP.

    Raises:
        DatasetError: A row, the file or the Hub cannot be read.
        ValueError: There is no such data set, or a split is named for a local file.
        TypeError: The data set has no such option, or the object is not a data set.
    """
    spec = get_dataset(dataset)
    name = dataset if isinstance(dataset, str) else getattr(spec.read, "__name__", "data set")
    read = functools.partial(spec.read, **_checked(name, spec.read, options)) if options else spec.read
    return TaskSet(_open(name, spec, path, split), read, strict=strict, limit=limit)


def get_dataset(dataset: str | DatasetSpec | Callable[[Row], Task]) -> DatasetSpec:
    """Return the description of a data set.

    Args:
        dataset: A name in ``DATASETS``, ``"package.module:object"``, a ``DatasetSpec``, or a function from a ``Row`` to
            a ``Task``.

    Raises:
        ValueError: There is no data set of that name; the message lists the names.
        TypeError: The object is neither a ``DatasetSpec`` nor a function.
    """
    found: object = DATASETS.get_plugin(dataset) if isinstance(dataset, str) else dataset
    if isinstance(found, DatasetSpec):
        return found
    if callable(found):
        return DatasetSpec(found)
    raise TypeError(
        f"no data set: got {found!r:.100}; expected a name, a DatasetSpec, or a function from a Row to a Task"
    )


def environment_keywords() -> dict[str, dict[str, object]]:
    """Return name and keywords of the environments of every data set, such as ``"MBPP": {"tasks": "mbpp", ...}``.

    Data sets of entry points are not imported for this, so their environments have the usual token budgets.
    """
    found: dict[str, dict[str, object]] = {
        spec.env_name: {"tasks": name, "max_tokens": spec.max_tokens, "max_prompt_tokens": spec.max_prompt_tokens}
        for name, spec in _BUILT_IN.items()
    }
    others = [name for name in DATASETS if name not in _BUILT_IN]
    return found | {re.sub(r"[^\w.-]", "-", name): {"tasks": name} for name in others}


def _open(name: str, spec: DatasetSpec, path: str | os.PathLike[str] | None, split: str | None) -> Rows:
    if path is not None:
        if split is not None:
            raise ValueError(f"a local file has no splits: got split={split!r} and path={str(path)!r}")
        return FileRows(path)
    if spec.hub is None:
        raise DatasetError(f"data set {name!r} is not on the Hub: got path=None; expected the path of a file")
    return spec.hub.load(split)


def _checked(name: str, read: Callable[..., Task], options: dict[str, object]) -> dict[str, object]:
    known = [key for key, item in inspect.signature(read).parameters.items() if item.kind is item.KEYWORD_ONLY]
    if unknown := set(options) - set(known):
        raise TypeError(f"data set {name!r} has no option {min(unknown)!r}; it has {', '.join(known) or 'none'}")
    return options
