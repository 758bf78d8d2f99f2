"""Each recipe of CONTRIBUTING.md: one file of somebody else's package is used everywhere, with no edit of ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import pytest

from agents import AGENTS
from agents.policies.causal import TinyConfig, make_tiny
from benchmarks.experiments.prm_pays import QUICK
from benchmarks.lab.design import Arm, RunSpec, Setting
from benchmarks.lab.records import read_record, write_record
from benchmarks.lab.results import ArmResult
from benchmarks.lab.train_arm import main as train_arm
from codegym import StdinCheck, Task
from codegym.cli import main
from codegym.tasks.datasets import save_tasks

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder on the path of this process and its children, for the one file of a recipe."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT)]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def codegym(*args: object) -> int:
    """Exit status of the command line."""
    with pytest.raises(SystemExit) as exit:
        main([str(arg) for arg in args])
    return int(exit.value.code or 0)


def python(*args: object) -> str:
    """Output of another interpreter."""
    command = [sys.executable, *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def tiny_policy(folder: Path) -> Path:
    """Policy that has learned nothing, with a token for each byte, so that it reads any task."""
    size = TinyConfig(num_layers=1, width=16, num_heads=2, mlp_width=16, max_positions=256)
    return make_tiny("bytes", size).save(folder)


def run_arm(folder: Path, arm: Arm, **design: object) -> ArmResult:
    """One arm of an experiment, as the laboratory trains it."""
    chosen = replace(QUICK, arms=(arm,), batch_size=4, eval_programs=4, eval_every=1, **design)
    (folder / "arm").mkdir()
    policy, out = tiny_policy(folder / "start"), folder / "arm"
    write_record(
        folder / "arm.json",
        RunSpec(chosen, Setting(1, num_iterations=1), arm.name, {}, 0, str(policy), "", str(out), "fake"),
    )
    train_arm(folder / "arm.json")
    return read_record(ArmResult, out / "result.json")


def test_recipe_of_a_data_set(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (package / "recipe_dataset.py").write_text("""
from codegym import StdinCheck, Task
from codegym.tasks.datasets import DatasetSpec

def read(row):
    check = StdinCheck("", row.text("answer"))
    return Task(row.task_id("id"), row.text("question"), (check,), solution=f"print({row.text('answer')!r})")

DATASET = DatasetSpec(read)
""")
    rows = [{"id": number, "question": f"Print {number}.\n", "answer": str(number)} for number in range(3)]
    (package / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    name = {"tasks": "recipe_dataset:DATASET", "path": "rows.jsonl"}
    env = gym.make("codegym/Token-v0", sandbox="fake", **name)
    assert env.reset(seed=0, options={"task_id": 2})[1]["prompt"] == "Print 2.\n"
    env.close()
    options = ("--tasks", name["tasks"], "--path", name["path"], "--sandbox", "process")
    assert codegym("validate", *options) == 0
    assert "3 of 3 gold solutions passed" in capsys.readouterr().out


def test_recipe_of_a_reward(package: Path) -> None:
    (package / "recipe_reward.py").write_text("""
from codegym.rewards import from_verdict

def shares(weight=2.0):
    return from_verdict("shares", lambda verdict: weight * verdict.passed_checks, 0.0, 100.0)
""")
    info = package / "recipe-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: recipe\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[codegym.rewards]\nshares = recipe_reward:shares\n")
    env = gym.make("codegym/Token-v0", reward="recipe_reward:shares(weight=3)", sandbox="fake")
    env.reset(seed=0)
    env.close()
    out = package / "run"
    sizes = ("--num-iterations", 1, "--batch-size", 4, "--minibatch-size", 4, "--max-tokens", 8, "--sandbox", "fake")
    python(
        "-m", "agents.reinforce", "--policy", tiny_policy(package / "start"), "--out", out, "--reward", "shares", *sizes
    )
    assert "reward/shares" in (out / "metrics.jsonl").read_text()
    result = run_arm(package, Arm("own", agent="reinforce"), reward="recipe_reward:shares")
    assert len(result.curve) == 1


AGENT = '''
from dataclasses import dataclass
from agents import Agent
from agents.common.cli import run_from_cli
from agents.common.config import RunConfig
from agents.common.run import Run

@dataclass(frozen=True)
class LazyConfig(RunConfig):
    """Configuration of an agent that never learns."""

    patience: int = 1
    """Number of times that it does not learn in each iteration."""

def train(config, **inputs):
    with Run(config, **inputs) as run:
        for iteration in run.iterations():
            run.log(iteration, run.collect(iteration), {"charts/patience": config.patience})
    return run

AGENT = Agent(LazyConfig, train)

if __name__ == "__main__":
    run_from_cli(AGENT, "Learn nothing.")
'''


def test_recipe_of_an_agent(package: Path) -> None:
    (package / "recipe_agent.py").write_text(AGENT)
    assert AGENTS.get_plugin("recipe_agent:AGENT").config(out=package / "x").patience == 1
    sizes = ("--num-iterations", 1, "--batch-size", 4, "--minibatch-size", 4, "--max-tokens", 8, "--sandbox", "fake")
    out = package / "run"
    shown = python("-m", "recipe_agent", "--policy", tiny_policy(package / "p"), "--out", out, *sizes, "--patience", 7)
    assert "charts/patience" in shown and '"charts/patience": 7' in (out / "metrics.jsonl").read_text()
    result = run_arm(package, Arm("lazy", agent="recipe_agent:AGENT", options={"patience": 3}))
    assert [point.programs for point in result.curve] == [4]


def test_recipe_of_a_back_end(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (package / "recipe_sandbox.py").write_text("""
from concurrent.futures import Future
from codegym.sandbox import Execution, ExitReason, Run, Sandbox

class Parrot(Sandbox):
    def __init__(self, limits, num_workers=None, *, packages=(), preload=()):
        self.num_workers = num_workers or 1

    def submit(self, request, *, exclusive=False):
        future = Future()
        future.set_result(Execution(runs=(Run(ExitReason.EXITED, stdout=request.source.encode()),)))
        return future

    def close(self):
        pass
""")
    env = gym.make("codegym/Line-v0", sandbox="recipe_sandbox:Parrot")
    env.reset(seed=0)
    env.close()
    save_tasks([Task("a", "Say a.", (StdinCheck("", "a"),))], package / "tasks.jsonl")
    (package / "samples.jsonl").write_text('{"task_id": "a", "completion": "a"}\n')
    options = ("--tasks", "tasks.jsonl", "--sandbox", "recipe_sandbox:Parrot")
    assert codegym("judge", "samples.jsonl", *options) == 0
    assert "pass@1 │ 1.0000" in capsys.readouterr().out


FAMILY = '''
from dataclasses import dataclass
from codegym.tasks.procedural import Procedural
from codegym.tasks.procedural.base import SolutionLine, TaskDraft

@dataclass(frozen=True)
class Adding(Procedural):
    """Additions, one a line."""

    name = "adding"
    horizons = (1, 6)

    def draft(self, source, horizon, difficulty):
        adds = [source.randint(1, 9) for _ in range(horizon)]
        lines = [SolutionLine(f"    a = a + {n}", "add", 0.2, (f"    a = a - {n}",)) for n in adds]
        lines = (SolutionLine("def f(a):", "def"), *lines, SolutionLine("    return a", "return"))
        return TaskDraft(f"f(a): add {adds}\\n", lines)

    @staticmethod
    def sample_arguments(source):
        return (source.randint(-9, 9),)

    def examples(self):
        yield "f(a): add [1, 2]\\n"
        yield "def f(a):\\n    a = a + 1\\n    a = a - 2\\n    return a\\n"
'''


def test_recipe_of_a_family(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (package / "recipe_family.py").write_text(FAMILY)
    env = gym.make("codegym/Token-v0", tasks="recipe_family:Adding", sandbox="fake")
    assert env.reset(seed=0)[1]["task_id"].startswith("adding:train:")
    env.close()
    options = ("--tasks", "recipe_family:Adding", "--num-tasks", 4, "--horizon", 2, "--sandbox", "process")
    assert codegym("validate", *options) == 0
    assert "4 of 4 gold solutions passed" in capsys.readouterr().out
    result = run_arm(package, Arm("own", agent="reinforce"), family="recipe_family:Adding")
    assert len(result.curve) == 1


def test_recipe_of_a_line_scorer(package: Path) -> None:
    (package / "recipe_scorer.py").write_text("""
class Optimist:
    def score(self, requests):
        return [[1.0 for _ in request.indices] for request in requests]
""")
    env = gym.make("codegym/Line-v0", reward="outcome + process", line_scorer="recipe_scorer:Optimist", sandbox="fake")
    env.reset(seed=0)
    env.close()
    out, policy = package / "run", tiny_policy(package / "start")
    sizes = ("--num-iterations", 1, "--batch-size", 4, "--minibatch-size", 4, "--max-tokens", 8, "--sandbox", "fake")
    reward = ("--reward", "process", "--line-scorer", "recipe_scorer:Optimist")
    python("-m", "agents.reinforce", "--policy", policy, "--out", out, *reward, *sizes)
    assert "reward/process" in (out / "metrics.jsonl").read_text()


def test_recipe_of_an_experiment(package: Path) -> None:
    (package / "recipe_experiment.py").write_text("""
from benchmarks.experiments.prm_pays import FULL, QUICK
from benchmarks.lab.experiment import Experiment

EXPERIMENT = Experiment("own", QUICK, FULL, lambda results: f"{len(results.runs)} runs of my own")
""")
    results = ROOT / "benchmarks/results/map.json"
    python("-m", "benchmarks.lab", "recipe_experiment:EXPERIMENT", "--report", results, "--out", package / "out")
    assert "runs of my own" in (package / "out" / "summary.md").read_text()
