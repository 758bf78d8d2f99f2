"""The README is short, its examples run as pasted, and its links lead to files of the checkout."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from helpers.examples import ROOT, Example, check_example, examples_of

README = ROOT / "README.md"
EXAMPLES = examples_of(README)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 3


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.name for example in EXAMPLES])
def test_example_runs_as_pasted(example: Example, tmp_path: Path) -> None:
    check_example(example, tmp_path)


def test_readme_is_short() -> None:
    lines = README.read_text("utf-8").splitlines()
    assert len(lines) <= 220
    assert max(len(line) for line in lines if not line.startswith("|")) <= 120


@pytest.mark.parametrize("file", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"])
def test_links_lead_to_files(file: str) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", (ROOT / file).read_text("utf-8"))
    assert not [link for link in links if not (ROOT / link).exists()]
