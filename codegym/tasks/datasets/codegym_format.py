r"""The JSONL format of codegym: any task, exactly, as one JSON object a line.

The first four fields are required. All others may be missing, and then have the default of ``Task``:

    codegym                 version of the format, 1
    task_id                 text, unique in the file
    prompt                  text that the policy sees
    checks                  a list, not empty, all of one kind:
                                {"stdin": text, "stdout": text}
                                {"arguments": [values], "expected": value}
                                {"assert": source}
    preamble                text: source before the completion
    entry_point             text: function that is called, "f" or "Solution.f"; required for calls
    examiner                text: source that runs before the asserts
    exports                 a list of texts: names of the program that the asserts use; required for asserts
    comparison              text: name of a rule of codegym.judge.comparison, "exact" by default
    solution                text: a completion that passes
    uses_candidate_types    true if asserts read attributes of objects of the program's own classes
    metadata                an object: anything else, without a meaning for the judge

For example:

    {"codegym": 1, "task_id": "add", "prompt": "Write add(a, b).\n", "entry_point": "add",
     "checks": [{"arguments": [1, 2], "expected": 3}], "solution": "def add(a, b):\n    return a + b\n"}

Values are plain Python data, written as ``codegym.tasks.datasets.plain_json`` describes: a tuple is
``{"$tuple": [1, 2]}``. Files are UTF-8 with ``\n`` as line end, plain (``.jsonl``) or packed (``.jsonl.gz``).
An unknown field or another version is an error. ``save_tasks`` writes such files, and ``load_tasks("jsonl", path)``
reads them.

>>> import tempfile
>>> from codegym.tasks.datasets import load_tasks
>>> with tempfile.TemporaryDirectory() as folder:
...     save_tasks([Task("1", "Echo.", (StdinCheck("a", "a"),))], f"{folder}/tasks.jsonl")
...     load_tasks("jsonl", f"{folder}/tasks.jsonl").by_id(1).prompt
'Echo.'
"""

from __future__ import annotations

import dataclasses
import gzip
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from codegym.errors import DatasetError
from codegym.tasks.datasets.plain_json import decode, encode, plain_text
from codegym.tasks.datasets.row import Row
from codegym.tasks.plain_data import describe_value
from codegym.tasks.record import AssertCheck, CallCheck, Check, StdinCheck, Task

VERSION = 1
"""Version of the format that ``save_tasks`` writes; ``load_tasks`` reads no other."""

_TEXTS = ("preamble", "entry_point", "examiner", "comparison", "solution")
_DEFAULTS = {field.name: field.default for field in dataclasses.fields(Task)}
_FIELDS = {"codegym", "task_id", "prompt", "checks", "exports", "uses_candidate_types", "metadata", *_TEXTS}


def save_tasks(tasks: Iterable[Task], path: str | os.PathLike[str]) -> None:
    """Write tasks to a file in codegym's JSONL format; it appears only once all of them are written.

    Args:
        tasks: Tasks to write, in this order.
        path: File to write, which ends in ``.jsonl`` or ``.jsonl.gz``. An existing file is replaced.

    Raises:
        ValueError: The path ends otherwise.
        DatasetError: A value of a task cannot be written as JSON (``codegym.tasks.datasets.plain_json``).
    """
    target = Path(path)
    if not target.name.endswith((".jsonl", ".jsonl.gz")):
        raise ValueError(f"wanted a path that ends in .jsonl or .jsonl.gz, got {str(target)!r}")
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as raw:
            _write(tasks, raw, packed=target.name.endswith(".gz"))
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def read(row: Row) -> Task:
    """Return the task of a ``row`` of codegym's JSONL format.

    Raises:
        DatasetError: A field is missing, unknown, or has another form.
        TaskError: The task contradicts itself.
    """
    version = row.values.get("codegym")
    if version != VERSION:
        raise DatasetError(
            f"field 'codegym': got {describe_value(version)}, wanted {VERSION}: another version of the format"
        )
    if unknown := sorted(set(row.values) - _FIELDS):
        raise DatasetError(f"field {unknown[0]!r} is not one of the format; there are {', '.join(sorted(_FIELDS))}")
    checks = _field(row, "checks", list, None)
    exports = _field(row, "exports", list, [])
    if not all(isinstance(name, str) for name in exports):
        raise row.error("exports", "a list of strings")
    return Task(
        task_id=_field(row, "task_id", str, None),
        prompt=_field(row, "prompt", str, None),
        checks=tuple(map(_read_check, checks)),
        exports=tuple(exports),
        uses_candidate_types=_field(row, "uses_candidate_types", bool, False),
        metadata=_field(row, "metadata", dict, {}),
        **{name: _field(row, name, str, None) for name in _TEXTS if name in row.values},
    )


def _write(tasks: Iterable[Task], raw: Any, *, packed: bool) -> None:
    if not packed:
        raw.writelines(_line(task) for task in tasks)
        return
    # without a name and a time stamp the same tasks give the same bytes
    with gzip.GzipFile("", fileobj=raw, mode="wb", mtime=0) as file:
        file.writelines(_line(task) for task in tasks)


def _line(task: Task) -> bytes:
    kept = {name: getattr(task, name) for name in _TEXTS if getattr(task, name) != _DEFAULTS[name]}
    kept |= {"exports": list(task.exports)} if task.exports else {}
    kept |= {"uses_candidate_types": True} if task.uses_candidate_types else {}
    kept |= {"metadata": dict(task.metadata)} if task.metadata else {}
    head = {"codegym": VERSION, "task_id": task.task_id, "prompt": task.prompt}
    try:
        checks = ",".join(plain_text(_check_fields(check)) for check in task.checks)
        # the checks are put in by hand, so that a list of them is never held twice
        text = json.dumps({name: encode(value) for name, value in (head | kept).items()}, ensure_ascii=True)
    except (DatasetError, RecursionError) as error:
        raise DatasetError(f"task {task.task_id!r} cannot be written: {error}") from error
    return f'{text[:-1]}, "checks": [{checks}]}}\n'.encode()


def _check_fields(check: Check) -> dict[str, object]:
    if isinstance(check, StdinCheck):
        return {"stdin": check.stdin, "stdout": check.stdout}
    if isinstance(check, AssertCheck):
        return {"assert": check.source}
    return {"arguments": list(check.arguments), "expected": check.expected}


def _read_check(fields: object) -> Check:
    if isinstance(fields, dict):
        for names, make in _MAKERS.items():
            if set(fields) == set(names):
                return make(*(fields[name] for name in names))
    kinds = " or ".join("/".join(names) for names in _MAKERS)
    raise DatasetError(f"field 'checks': got {describe_value(fields)}, wanted objects with {kinds}")


def _text_check(make: Callable[..., Check]) -> Callable[..., Check]:
    def check(*texts: object) -> Check:
        for text in texts:
            if not isinstance(text, str):
                raise DatasetError(f"field 'checks': got {describe_value(text)}, wanted text")
        return make(*texts)

    return check


def _call_check(arguments: object, expected: object) -> CallCheck:
    if not isinstance(arguments, list):
        raise DatasetError(f"field 'checks': arguments: got {describe_value(arguments)}, wanted a list")
    return CallCheck(tuple(arguments), expected)


_MAKERS: dict[tuple[str, ...], Callable[..., Check]] = {
    ("stdin", "stdout"): _text_check(StdinCheck),
    ("arguments", "expected"): _call_check,
    ("assert",): _text_check(AssertCheck),
}


def _field(row: Row, name: str, kind: type, default: object) -> Any:
    try:
        value = decode(row.values.get(name, default))
    except RecursionError:
        raise DatasetError(f"field {name!r} is nested too deeply") from None
    if not isinstance(value, kind):
        raise row.error(name, f"a {kind.__name__}")
    return value
