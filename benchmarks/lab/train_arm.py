"""One arm with one seed, in a process of its own: ``python -m benchmarks.lab.train_arm ARM.json``."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from agents import grpo, ppo, sft
from agents.common.evaluate import pass_rates
from agents.common.run import Run
from agents.generation.generate import Sampling
from agents.policies.causal import Policy
from benchmarks.lab.experiment import ARMS, Arm, Cell, Experiment, Options
from codegym.scorers.prm.model import ProcessRewardModel

MAX_PROMPT_TOKENS = 64
VALUE_MODEL = "value_model"
"""Folder beside that of the process reward model."""


@dataclass(frozen=True)
class RunSpec:
    """All that an arm's process must know."""

    experiment: Experiment
    cell: Cell
    arm: str
    options: Options
    seed: int
    start: str
    """Folder of the policy."""
    prm: str
    """Folder of the process reward model."""
    out: str
    sandbox: str

    def write(self, file: Path) -> None:
        """Write it to a file."""
        values = asdict(self) | {"experiment": self.experiment.as_dict()}
        file.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, file: Path) -> RunSpec:
        """Read it from a file."""
        values = json.loads(file.read_text("utf-8"))
        experiment, cell = Experiment.of(values["experiment"]), Cell(**values["cell"])
        return cls(**(values | {"experiment": experiment, "cell": cell}))


def run_arm(todo: RunSpec) -> dict[str, Any]:
    """Train; gives the learning curve and the pass rate on unseen tasks."""
    arm = next(arm for arm in ARMS if arm.name == todo.arm)
    run = train(todo, arm)
    curve = [
        {key: row[key] for key in ("programs", "pass_rate", "eval_pass_rate", "tokens") if key in row}
        for row in run.metrics()
    ]
    final = evaluate(todo, run.folder / "policy")
    return {
        "cell": asdict(todo.cell),
        "arm": todo.arm,
        "seed": todo.seed,
        "options": dict(todo.options),
        "curve": curve,
        **final,
    }


def train(todo: RunSpec, arm: Arm) -> Run:
    """Train the arm in its folder; what was interrupted goes on."""
    experiment, cell = todo.experiment, todo.cell
    common = {
        "policy": Path(todo.start),
        "out": Path(todo.out),
        "reward": experiment.reward,
        "shaping": experiment.shaping if arm.dense else "",
        "sandbox": todo.sandbox,
        "num_iterations": cell.iterations,
        "batch_size": experiment.programs,
        "max_tokens": cell.max_tokens,
        "max_prompt_tokens": MAX_PROMPT_TOKENS,
        "eval_every": experiment.eval_every,
        "eval_programs": experiment.eval_programs,
        "stop_at_pass_rate": experiment.stop_at,
        "seed": todo.seed,
        **todo.options,
    }
    given = {
        "line_scorer": ProcessRewardModel.load(prm_of(todo, arm)) if arm.needs_labels else None,
        "tasks": tasks_of(experiment, cell, curriculum=arm.curriculum),
        "eval_tasks": tasks_of(experiment, cell, split="test"),
    }
    if arm.agent == "grpo":
        return grpo.train(grpo.GRPOConfig(**common), **given)
    critic = {"critic_epochs": 2, "value_init": "weights" if arm.value_init else "none"}
    return ppo.train(ppo.PPOConfig(**(critic | common)), **given)


def prm_of(todo: RunSpec, arm: Arm) -> Path:
    """Folder of what an arm's lines are scored with, or its critic starts from."""
    prm = Path(todo.prm)
    return prm.with_name(VALUE_MODEL) if arm.value_init == "returns" else prm


def tasks_of(experiment: Experiment, cell: Cell, split: str = "train", *, curriculum: bool = False) -> Any:
    """The tasks of a cell, or those of all lengths up to its own."""
    config = sft.Config(family=experiment.family, horizon=(1, cell.horizon), difficulty=cell.difficulty)
    return sft.make_family(config, split, None if curriculum else cell.horizon)  # type: ignore[arg-type]


def evaluate(todo: RunSpec, policy: Path) -> dict[str, Any]:
    """Pass rates on unseen tasks, of sampled programs and of the likeliest ones."""
    source = {todo.cell.horizon: tasks_of(todo.experiment, todo.cell, "test")}
    loaded, found = Policy.load(policy), {}
    for name, greedy in (("sampled", False), ("greedy", True)):
        sampling = Sampling(todo.cell.max_tokens, greedy=greedy)
        (rate,) = pass_rates(loaded, source, sampling, 2 * todo.experiment.eval_programs, todo.sandbox)
        found[name] = {"pass_rate": rate.pass_rate, "interval": list(rate.interval)}
    return found


def main(file: Path) -> None:
    """Read what to do and do it, with one thread: two processes of one beat one of two."""
    torch.set_num_threads(1)
    todo = RunSpec.read(file)
    result = json.dumps(run_arm(todo), indent=1)
    (Path(todo.out) / "result.json").write_text(result + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
