"""Train one arm with one seed in a process of its own: ``python -m benchmarks.lab.train_arm SPEC.json``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch

from agents import AGENTS, sft
from agents.common.evaluate import pass_rates
from agents.common.run import Run
from agents.generation.generate import Sampling
from agents.policies.causal import Policy
from benchmarks.lab.design import Arm, Design, RunSpec, Setting
from benchmarks.lab.records import from_plain, read_record, write_record
from benchmarks.lab.results import ArmResult, PassRate
from benchmarks.lab.stats import CurvePoint
from codegym.scorers.prm import ProcessRewardModel

MAX_PROMPT_TOKENS = 64
VALUE_MODEL = "value_model"
"""Folder of the value model, beside that of the process reward model."""
RESULT = "result.json"
"""File of the result in the folder of a run."""
CURVE = {
    "programs": "charts/programs",
    "pass_rate": "charts/pass_rate",
    "eval_pass_rate": "charts/eval_pass_rate",
    "tokens": "charts/completion_tokens",
}
"""Field of ``CurvePoint`` -> log key."""


def run_arm(spec: RunSpec) -> ArmResult:
    """Train the arm of ``spec`` and return its learning curve and final pass rates."""
    run = train(spec, spec.design.get_arm(spec.arm))
    points = [{name: row[key] for name, key in CURVE.items() if key in row} for row in run.metrics()]
    curve = tuple(from_plain(CurvePoint, point) for point in points)
    policy = Policy.load(run.folder / "policy")
    final = {name: evaluate(spec, policy, greedy=name == "greedy") for name in ("sampled", "greedy")}
    return ArmResult(spec.setting, spec.arm, spec.seed, spec.options, curve, **final)


def train(spec: RunSpec, arm: Arm) -> Run:
    """Train an arm in its folder, or resume an interrupted run.

    Args:
        spec: The run.
        arm: The arm of the run.
    """
    design, setting = spec.design, spec.setting
    options: dict[str, Any] = {
        "policy": Path(spec.initial_policy),
        "out": Path(spec.out),
        "reward": design.reward,
        "shaping": design.shaping if arm.dense else "",
        "sandbox": spec.sandbox,
        "num_iterations": setting.num_iterations,
        "batch_size": design.batch_size,
        "max_tokens": setting.max_tokens,
        "max_prompt_tokens": MAX_PROMPT_TOKENS,
        "eval_every": design.eval_every,
        "eval_programs": design.eval_programs,
        "stop_at_pass_rate": design.stop_at_pass_rate,
        "seed": spec.seed,
        **({"value_init": "weights"} if arm.value_init != "none" else {}),
        **arm.options,
        **spec.options,
    }
    agent = AGENTS.get_plugin(arm.agent)
    return agent.train(
        agent.config(**options),
        line_scorer=ProcessRewardModel.load(prm_folder(spec, arm)) if arm.needs_labels else None,
        tasks=make_tasks(design, setting, curriculum=arm.curriculum),
        eval_tasks=make_tasks(design, setting, split="test"),
    )


def prm_folder(spec: RunSpec, arm: Arm) -> Path:
    """Return the folder of the model that scores the lines of an arm or initialises its critic.

    Args:
        spec: The run.
        arm: The arm of the run.
    """
    prm = Path(spec.prm)
    return prm.with_name(VALUE_MODEL) if arm.value_init == "value_model" else prm


def make_tasks(design: Design, setting: Setting, split: str = "train", *, curriculum: bool = False) -> Any:
    """Return the task source of a setting.

    Args:
        design: Design of the experiment, which names the family.
        setting: Length and difficulty of the tasks.
        split: "train" or "test".
        curriculum: Whether to return tasks of all lengths up to the setting's own.
    """
    config = sft.SFTConfig(family=design.family, horizon=(1, setting.num_lines), difficulty=setting.difficulty)
    return sft.make_family(config, split, None if curriculum else setting.num_lines)  # type: ignore[arg-type]


def evaluate(spec: RunSpec, policy: Policy, *, greedy: bool) -> PassRate:
    """Return the pass rate on unseen tasks.

    Args:
        spec: The run.
        policy: Policy that writes the programs.
        greedy: Whether to take the most likely token each time instead of sampling.
    """
    tasks = {spec.setting.num_lines: make_tasks(spec.design, spec.setting, "test")}
    sampling = Sampling(spec.setting.max_tokens, greedy=greedy)
    (found,) = pass_rates(policy, tasks, sampling, 2 * spec.design.eval_programs, spec.sandbox)
    return PassRate(found.pass_rate, (found.interval[0], found.interval[1]))


def main(file: Path) -> None:
    """Train the arm that ``file`` specifies, with one thread: two processes of one thread beat one of two."""
    torch.set_num_threads(1)
    spec = read_record(RunSpec, file)
    write_record(Path(spec.out) / RESULT, run_arm(spec))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
