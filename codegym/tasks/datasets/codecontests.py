"""CodeContests: contest problems with public, private and generated tests.

Fields: ``name``, ``description``, ``public_tests``, ``private_tests``, ``generated_tests`` (each with ``input`` and
``output``, as an object of two lists or a list of objects), ``solutions`` (with ``language`` and ``solution``,
likewise) and those that go into the metadata. Only solutions in Python 3 (language 3) can be gold; most rows have one.

All three kinds of tests are checks, in that order. The description shows those of ``public_tests``, and their number is
in ``metadata["num_shown"]``. The prompt has the form of APPS.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from codegym.errors import DatasetError
from codegym.tasks.datasets.asserts import is_python
from codegym.tasks.datasets.contest import problem_prompt
from codegym.tasks.datasets.row import Row, unix_newlines
from codegym.tasks.record import StdinCheck, Task

KINDS = ("public", "private", "generated")
_PYTHON3 = (3, "3", "PYTHON3")
_METADATA = ("source", "difficulty", "cf_rating", "cf_tags", "cf_contest_id", "cf_index", "time_limit", "input_file")


def read(row: Row, *, tests: Sequence[str] = KINDS) -> Task:
    """Return the task of a row of CodeContests.

    Args:
        row: The row to read.
        tests: Kinds of tests that become checks, out of ``KINDS``.

    Raises:
        DatasetError: A field is missing or has another form.
        ValueError: A kind of tests is not one of ``KINDS``.
    """
    if not set(tests) <= set(KINDS):
        raise ValueError(f"tests must be some of {', '.join(KINDS)}, got {', '.join(tests)}")
    found = {kind: _tests(row, f"{kind}_tests") for kind in tests}
    # generated tests repeat others now and then
    checks = dict.fromkeys(check for kind in tests for check in found[kind])
    if not checks:
        raise DatasetError(f"fields {', '.join(f'{kind}_tests' for kind in tests)}: got no tests, wanted at least one")
    return Task(
        task_id=row.task_id("name"),
        prompt=problem_prompt(row.text("description"), "", is_call=False),
        checks=tuple(checks),
        comparison="codecontests",
        solution=_gold(row),
        metadata=row.metadata(*_METADATA) | {"num_shown": len(dict.fromkeys(found.get("public", [])))},
    )


def _tests(row: Row, field: str) -> list[StdinCheck]:
    pairs = _pairs(row, field, "input", "output")
    tests = [StdinCheck(_text(given, field), _text(wanted, field)) for given, wanted in pairs]
    outputs: dict[str, str] = {}
    for check in tests:
        if outputs.setdefault(check.stdin, check.stdout) != check.stdout:
            raise DatasetError(f"field {field!r}: the input {check.stdin[:40]!r} has two different outputs")
    return tests


def _text(value: object, field: str) -> str:
    if not isinstance(value, str):
        raise DatasetError(f"field {field!r}: got {value!r:.40}, wanted text")
    return unix_newlines(value)


def _gold(row: Row) -> str | None:
    solutions = _pairs(row, "solutions", "language", "solution")
    python = (_text(source, "solutions") for language, source in solutions if language in _PYTHON3)
    return next(filter(is_python, python), None)


def _pairs(row: Row, field: str, first: str, second: str) -> list[tuple[Any, Any]]:
    value = row.data(field)
    if not value:
        return []
    try:
        if isinstance(value, dict):
            return list(zip(value[first], value[second], strict=True))
        return [(item[first], item[second]) for item in value]  # type: ignore[attr-defined]  # checked by trying
    except (KeyError, TypeError, ValueError) as error:
        raise row.error(field, f"{first} and {second}, equally many") from error
