"""The table of agents, and an agent of another package in one file."""

from __future__ import annotations

import sys

import pytest

from agents import AGENTS
from agents.common import cli
from agents.policies.causal import TinyConfig, make_tiny

OWN = '''
from dataclasses import dataclass
from pathlib import Path

from agents import Agent
from agents.common.config import RunConfig
from agents.common.run import Run


@dataclass(frozen=True)
class IdleConfig(RunConfig):
    """Configuration of an agent that learns nothing."""

    out: Path = Path("runs/idle")
    """Folder of the run."""


def train(config, **inputs):
    with Run(config, **inputs) as run:
        run.register()
        for iteration in run.iterations():
            run.log(iteration, run.collect(iteration), {})
    return run


AGENT = Agent(IdleConfig, train)
'''


def test_smallest_use() -> None:
    agent = AGENTS.get_plugin("grpo")
    assert agent.config(out="runs/grpo").group_size == 8
    assert callable(agent.train)


def test_an_agent_of_another_package_is_one_file(tmp_path, monkeypatch) -> None:
    (tmp_path / "idle_agent.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    agent = AGENTS.get_plugin("idle_agent:AGENT")
    policy = make_tiny("bytes", TinyConfig(num_layers=1, width=16, num_heads=2, mlp_width=16)).save(tmp_path / "start")
    config = agent.config(policy=policy, out=tmp_path / "run", sandbox="fake", num_iterations=1, batch_size=4)
    assert len(agent.train(config).metrics()) == 1


def test_an_unknown_agent_gets_a_hint() -> None:
    with pytest.raises(ValueError, match="unknown agent: got 'pp0'.*did you mean 'ppo'"):
        AGENTS.get_plugin("pp0")


@pytest.mark.parametrize("name", AGENTS)
def test_the_help_of_an_agent_is_sentences(name, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", [f"agents.{name}", "--help"])
    with pytest.raises(SystemExit) as stop:
        cli.run_from_cli(AGENTS[name], None)
    assert stop.value.code == 0
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "Learning rate of the policy." in text
    assert "If it already holds a run with this configuration, training resumes." in text


def test_an_expected_error_is_one_sentence(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["agents.ppo", "--out", str(tmp_path / "run"), "--policy", "nope"])
    with pytest.raises(SystemExit) as stop:
        cli.run_from_cli(AGENTS["ppo"], None)
    assert stop.value.code == 1
    error = capsys.readouterr().err
    assert "no such policy: got 'nope'" in error
    assert "Traceback" not in error
