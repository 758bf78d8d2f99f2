"""A small file of every data set, in its own format, for tests of environments."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from codegym.tasks.datasets import save_tasks
from codegym.tasks.record import CallCheck, Task

Rows = list[dict[str, Any]]

HUMANEVAL = {
    "task_id": "Own/1",
    "prompt": 'def half(n: float) -> float:\n    """Half of n."""\n',
    "canonical_solution": "    return n / 2\n",
    "entry_point": "half",
}
MBPP = {"task_id": 7, "code": "def twice(n):\n    return 2 * n\n", "test_list": ["assert twice(2) == 4"]}
APPS = {
    "question": "Add.",
    "input_output": {"inputs": ["1 2\n"], "outputs": ["3\n"]},
    "solutions": ["print(sum(map(int, input().split())))"],
    "starter_code": "",
    "difficulty": "easy",
}
ROWS: dict[str, Rows] = {
    "humaneval": [HUMANEVAL | {"test": "def check(candidate):\n    assert candidate(8) == 4\n"}],
    "humaneval+": [HUMANEVAL | {"base_input": [[8]], "plus_input": [[6]], "atol": 0}],
    "mbpp": [MBPP | {"text": "Double it.", "test_setup_code": "", "challenge_test_list": []}],
    "mbpp-sanitized": [MBPP | {"prompt": "Double it.", "test_imports": []}],
    "mbpp+": [MBPP | {"prompt": "Double it.", "test": "assert twice(3) == 6"}],
    "apps": [APPS | {"problem_id": 5}],
    "taco": [APPS | {"task_id": 6}],
    "codecontests": [
        {
            "name": "1_A. Sum",
            "description": "Add.",
            "public_tests": {"input": ["1 2"], "output": ["3"]},
            "private_tests": {"input": [], "output": []},
            "generated_tests": {"input": ["3 4"], "output": ["7"]},
            "solutions": {"language": [3], "solution": ["print(3)"]},
        }
    ],
    "livecodebench": [
        {
            "question_id": "abc_1",
            "question_content": "Double it.",
            "public_test_cases": json.dumps([{"input": "1\n", "output": "2\n", "testtype": "stdin"}]),
            "private_test_cases": "[]",
            "metadata": "{}",
            "starter_code": "",
            "contest_date": "2024-01-01T00:00:00",
        }
    ],
}
OWN = Task(
    "double", "Write f(n), twice n.\n", (CallCheck((2,), 4),), entry_point="f", solution="def f(n): return 2 * n"
)


def write_rows(folder: Path, name: str) -> Path:
    """Write the file of a data set."""
    path = folder / "rows.jsonl"
    if name == "jsonl":
        save_tasks([OWN], path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS[name]), encoding="utf-8")
    return path
