"""The examples of the documentation run as pasted, and every name they import from codegym is public."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from helpers.examples import ROOT, Example, check_example, examples_of

import codegym

PAGES = sorted((ROOT / "docs").glob("*.md"))
EXAMPLES = examples_of(*PAGES)
IDS = [example.name for example in EXAMPLES]


def test_the_guide_has_examples() -> None:
    assert {example.name.rpartition("-")[0] for example in EXAMPLES} >= {"quickstart", "credit", "tasks"}


@pytest.mark.parametrize("example", EXAMPLES, ids=IDS)
def test_example_runs_as_pasted(example: Example, tmp_path: Path) -> None:
    check_example(example, tmp_path)


SHOWN = [*EXAMPLES, *examples_of(ROOT / "README.md")]


@pytest.mark.parametrize("example", SHOWN, ids=[example.name for example in SHOWN])
def test_example_imports_only_public_names(example: Example) -> None:
    for node in ast.walk(ast.parse(example.code)):
        if isinstance(node, ast.ImportFrom) and node.module == "codegym":
            assert {alias.name for alias in node.names} <= set(codegym.__all__)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("codegym."):
            assert node.module.count(".") == 1 or node.module in PUBLIC_MODULES
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "codegym":
            assert node.attr in codegym.__all__


PUBLIC_MODULES = {
    "codegym.adapters.sb3",
    "codegym.adapters.completions",
    "codegym.tasks.procedural",
    "codegym.tasks.datasets",
}
"""Modules below a package that examples import: what they need is not needed by the rest of the package."""
