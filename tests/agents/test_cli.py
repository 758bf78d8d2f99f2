"""An agent from the shell: what it prints, the picture it leaves, what a broken machine looks like."""

from __future__ import annotations

import sys

import pytest
from PIL import Image
from rich.console import Console

from agents import Agent, rloo
from agents.common import cli
from agents.common.curve import draw_curve
from agents.policies.causal import TinyConfig, make_tiny
from codegym import SandboxError

ROWS = [
    {"iteration": 0, "charts/programs": 64, "charts/pass_rate": 0.0, "charts/reward": -0.5},
    {"iteration": 1, "charts/programs": 128, "charts/pass_rate": 0.25, "charts/reward": 0.1},
]


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    size = TinyConfig(num_layers=1, width=32, num_heads=2, mlp_width=64, max_positions=256)
    return make_tiny("bytes", size).save(tmp_path_factory.mktemp("start"))


def test_the_curve_is_a_picture(tmp_path) -> None:
    draw_curve(ROWS, tmp_path / "curve.png")
    with Image.open(tmp_path / "curve.png") as picture:
        assert picture.size == (7 * 150, 4 * 150)
        assert len(picture.convert("RGB").getcolors(1 << 16)) > 2  # there is something on it


def test_a_run_from_the_shell_leaves_its_curve(start, tmp_path, monkeypatch, capsys) -> None:
    options = ["--policy", str(start), "--out", str(tmp_path / "run"), "--sandbox", "fake", "--num-iterations", "2"]
    monkeypatch.setattr(sys, "argv", ["agents.rloo", *options, "--batch-size", "8", "--max-tokens", "8"])
    cli.run_from_cli(rloo.AGENT, "what it is")
    assert "pass_rate" in capsys.readouterr().out
    assert (tmp_path / "run" / "curve.png").is_file()


def test_without_matplotlib_a_run_says_what_is_missing(start, tmp_path, monkeypatch, capsys) -> None:
    config = rloo.RLOOConfig(policy=start, out=tmp_path, sandbox="fake", num_iterations=1, batch_size=8, max_tokens=8)
    run = rloo.train(config)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)  # as if it were not installed
    cli.show(run, Console())
    assert "pip install 'codegym[benchmarks]'" in capsys.readouterr().out
    assert not (tmp_path / "curve.png").exists()


def test_a_broken_machine_is_one_sentence(start, tmp_path, monkeypatch, capsys) -> None:
    def train(config):
        raise SandboxError("none of the programs could be judged")

    monkeypatch.setattr(sys, "argv", ["agents.rloo", "--policy", str(start), "--out", str(tmp_path)])
    with pytest.raises(SystemExit) as stop:
        cli.run_from_cli(Agent(rloo.RLOOConfig, train), None)
    assert stop.value.code == 1
    assert "none of the programs could be judged" in capsys.readouterr().err
