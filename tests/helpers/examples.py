"""The examples of Markdown files: they run as pasted, in an empty folder, and print the output that follows them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(r"```python\n(?P<code>.*?)```\n(?:\n```\n(?P<output>.*?)```)?", re.DOTALL)


class Example(NamedTuple):
    """A block of Python in a Markdown file, and the block of output after it, if there is one."""

    name: str
    code: str
    output: str | None


def examples_of(*files: Path) -> list[Example]:
    """Return all examples of ``files``, named by file and number."""
    return [
        Example(f"{file.stem}-{number}", match["code"], match["output"])
        for file in files
        for number, match in enumerate(_BLOCK.finditer(file.read_text("utf-8")), 1)
    ]


def check_example(example: Example, folder: Path) -> None:
    """Run an example in ``folder`` with an interpreter of its own."""
    finished = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", example.code],
        capture_output=True,
        text=True,
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
        timeout=120,
    )
    assert finished.returncode == 0, finished.stderr
    if example.output is not None:
        assert finished.stdout == example.output
