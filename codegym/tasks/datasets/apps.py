"""APPS and TACO: contest problems that read standard input or are called.

Fields: ``question``, ``input_output`` (an object, or one as JSON text, with ``inputs``, ``outputs`` and for calls
``fn_name``), ``solutions`` (a list, or one as JSON text; may be empty), ``starter_code``, and what goes into the
metadata. A row without tests is a bad row, and so is one with unequally many inputs and outputs, or with one input
that has two different outputs; a test that only repeats an earlier one is left out.

As in the authors' harness, lists of lines are joined for standard input, and an object that is the first argument,
or the (first item of the) expected value, gets whole numbers as keys, which JSON has not.

The gold solution is the first that this Python can parse.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from codegym.errors import DatasetError
from codegym.tasks.datasets.asserts import is_python
from codegym.tasks.datasets.contest import PREAMBLE, entry_point, problem_prompt
from codegym.tasks.datasets.plain_json import plain_text
from codegym.tasks.datasets.row import Row, unix_newlines
from codegym.tasks.plain_data import describe_value
from codegym.tasks.record import CallCheck, Check, StdinCheck, Task

_FIELD = "input_output"
_METADATA = ("difficulty", "url", "source", "name", "tags", "skill_types", "time_limit", "memory_limit", "date")


def read(row: Row) -> Task:
    """Return the task of a ``row`` of APPS or TACO.

    Raises:
        DatasetError: A field is missing or has another form.
    """
    examples = row.mapping(_FIELD)
    function = examples.get("fn_name") or ""
    if not isinstance(function, str):
        raise DatasetError(f"field {_FIELD!r}: fn_name: got {describe_value(function)}, wanted a string")
    starter = row.text("starter_code", "")
    solution = next(filter(is_python, row.texts("solutions")), None)
    return Task(
        task_id=row.task_id("problem_id", "task_id", "id"),
        prompt=problem_prompt(row.text("question"), starter, is_call=bool(function)),
        checks=_checks(examples, is_call=bool(function)),
        preamble=PREAMBLE if function else "",
        entry_point=entry_point(function, starter or solution or "") if function else "",
        comparison="apps",
        solution=solution,
        metadata=row.mapping("metadata") | row.metadata(*_METADATA),
    )


def _checks(examples: dict[str, Any], *, is_call: bool) -> tuple[Check, ...]:
    inputs, outputs = examples.get("inputs"), examples.get("outputs")
    if not isinstance(inputs, list) or not isinstance(outputs, list):
        wanted = "wanted two lists"
        raise DatasetError(
            f"field {_FIELD!r}: inputs is {describe_value(inputs)}, outputs is {describe_value(outputs)}, {wanted}"
        )
    if len(inputs) != len(outputs):
        counts = f"{len(inputs)} inputs and {len(outputs)} outputs"
        raise DatasetError(f"field {_FIELD!r}: got {counts}, wanted equally many")
    if not inputs:
        raise DatasetError(f"field {_FIELD!r}: got no inputs, wanted at least one")
    make = _call_check if is_call else _stdin_check
    return _distinct(make(given, wanted) for given, wanted in zip(inputs, outputs, strict=True))


def _distinct(checks: Iterable[StdinCheck | CallCheck]) -> tuple[Check, ...]:
    """Leave repeated checks out; two outputs for one input are an error."""
    kept: dict[str, tuple[str, Check]] = {}
    for check in checks:
        given, wanted = _texts(check)
        if kept.setdefault(given, (wanted, check))[0] != wanted:
            raise DatasetError(f"field {_FIELD!r}: the input {given[:40]!r} has two different outputs")
    return tuple(check for _, check in kept.values())


def _texts(check: StdinCheck | CallCheck) -> tuple[str, str]:
    if isinstance(check, StdinCheck):
        return check.stdin, check.stdout
    return plain_text(check.arguments), plain_text(check.expected)


def _stdin_check(given: object, wanted: object) -> StdinCheck:
    return StdinCheck(_lines(given, "inputs"), _lines(wanted, "outputs"))


def _lines(value: object, name: str) -> str:
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        value = "\n".join(value)
    if not isinstance(value, str):
        raise DatasetError(f"field {_FIELD!r}: {name}: got {describe_value(value)}, wanted text or a list of lines")
    return unix_newlines(value)


def _call_check(given: object, wanted: object) -> CallCheck:
    if not isinstance(given, list):
        raise DatasetError(f"field {_FIELD!r}: inputs: got {describe_value(given)}, wanted a list of arguments")
    if given and isinstance(given[0], dict):
        given = [_whole_keys(given[0]), *given[1:]]
    wanted = _whole_keys(wanted) if isinstance(wanted, dict) else wanted
    if isinstance(wanted, list) and wanted and isinstance(wanted[0], dict):
        wanted = [_whole_keys(wanted[0]), *wanted[1:]]
    return CallCheck(tuple(given), wanted)


def _whole_keys(value: dict[Any, object]) -> dict[Any, object]:
    try:
        return {int(key): item for key, item in value.items()}
    except ValueError:
        return value
