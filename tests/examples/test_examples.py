"""Every example is short, runs as its docstring says, and learns."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NEEDS = {
    "cleanrl_style_ppo": "torch",
    "rllib_ppo": "ray",
    "sb3_maskable_ppo": "sb3_contrib",
    "sb3_ppo": "stable_baselines3",
    "tianshou_ppo": "tianshou",
    "torchrl_ppo": "torchrl",
    "trl_grpo": "trl",
}


def test_every_example_is_listed():
    assert {path.stem for path in ROOT.glob("examples/*.py")} == {*NEEDS, "toy"}


@pytest.mark.parametrize("name", NEEDS)
def test_an_example_has_at_most_forty_lines_of_code(name):
    source = (ROOT / "examples" / f"{name}.py").read_text("utf-8")
    tree = ast.parse(source)
    assert f"``python -m examples.{name}``" in ast.get_docstring(tree)
    asides = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom) or _is_docstring(node)]
    outside = {number for node in asides for number in range(node.lineno, node.end_lineno + 1)}
    lines = enumerate(source.splitlines(), start=1)
    assert sum(bool(line.strip()) and number not in outside for number, line in lines) <= 40


def _is_docstring(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


@pytest.mark.slow
@pytest.mark.parametrize("name", NEEDS)
def test_an_example_learns(name):
    if importlib.util.find_spec(NEEDS[name]) is None:
        pytest.skip(f"{NEEDS[name]} is not installed")
    command = [sys.executable, "-m", f"examples.{name}"]
    # Networks of a few hundred weights; what would be compiled for them takes longer to compile than to run.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_DISABLE_JIT": "1"}
    answer = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    before, after = map(float, re.search(r"before (\S+), after (\S+)", answer.stdout).groups())
    assert after > 0.8 > 0.2 > before
