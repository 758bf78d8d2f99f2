"""Fingerprint the checkout that is first in PYTHONPATH: ``python current.py PLAN OUT``.

``PLAN`` is JSON with the parts and their sizes, ``OUT`` the file for the fingerprint. All names in a fingerprint are
neutral: a fingerprint program of another layout maps its own names to them.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from exploits import ALL_CASES as EXPLOITS
from helpers.hostile import run_cases, thin_out
from oddities import ALL_CASES as ODDITIES
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback

from agents import grpo, psgpo, sft
from agents.policies.causal import Policy
from codegym import Judge
from codegym.adapters.sb3 import CreditCallback, SB3VecEnv
from codegym.sampling import TransformersSampler
from codegym.sandbox import open_sandbox
from codegym.scorers.labels import Labeler, LabelSettings, line_labels
from codegym.scorers.prm import ProcessRewardModel, TrainConfig, train_prm
from codegym.tasks.procedural import FAMILIES
from examples.toy import SETTINGS

METRICS = {
    "programs": "charts/programs",
    "pass_rate": "charts/pass_rate",
    "reward": "charts/reward",
    "eos_rate": "charts/eos_rate",
    "completion_tokens": "charts/completion_tokens",
    "unjudged": "charts/unjudged",
    "eval_pass_rate": "charts/eval_pass_rate",
    "shaping_weight": "charts/shaping_weight",
    "explained_variance": "losses/explained_variance",
    "mc_explained_variance": "losses/mc_explained_variance",
    "clip_fraction": "losses/clip_fraction",
    "value_loss": "losses/value",
    "groups_with_differences": "charts/mixed_groups",
}
"""Neutral name of a metric -> its name in this layout."""


def start(plan: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Train the policy that labels, PPO and GRPO start from."""
    config = sft.SFTConfig(
        family=plan["family"],
        horizon=(1, plan["lines"]),
        num_programs=plan["sft_programs"],
        num_epochs=plan["sft_epochs"],
    )
    sft.train(config, folder / "cache").rename(folder / "start")
    return {"weights": weights_digest(Policy.load(folder / "start").model.state_dict())}


def labels(plan: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Label programs of the start and train a process reward model on them."""
    family = FAMILIES[plan["family"]](horizon=(1, plan["lines"]))
    tasks = [family.draw(np.random.default_rng(number)) for number in range(plan["label_programs"])]
    sampler = TransformersSampler.load(folder / "start", max_tokens=plan["max_tokens"])
    settings = LabelSettings(num_completions=plan["completions"], keep_completions=2)
    with open_sandbox("process", num_workers=1) as sandbox:
        labeler = Labeler(sampler, Judge(sandbox), settings)
        programs = [*labeler.label(labeler.sample(tasks))]
    model = ProcessRewardModel.from_policy(folder / "start")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a model of 50 programs may be no better than chance
        report = train_prm(model, programs, TrainConfig(epochs=2, on_useless="warn"))
    model.save(folder / "prm")
    rows = [
        {
            "task": program.task_id,
            "completion": program.completion,
            "labels": line_labels(program),
            "counts": [[count, *found] for count, found in sorted(program.success_counts.items())],
            "witness": program.witness,
            "completions": [list(one) for one in program.completions],
        }
        for program in programs
    ]
    spent = asdict(labeler.cost)
    return {
        "programs": rows,
        "cost": {name: spent[name] for name in ("completions", "tokens", "executions", "rounds")},
        "report": {"accuracy": report.accuracy, "calibration_error": report.calibration_error},
        "weights": weights_digest(model.state_dict()),
    }


def run_ppo(plan: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Train PPO with line rewards and a critic from the process reward model."""
    config = psgpo.PSGPOConfig(
        **common(plan, folder, "ppo"),
        shaping="0.25*progress",
        shaping_iterations=4,
        value_init="weights",
        ent_coef=0.001,
        kl_coef=0.01,
        mc_completions=4,
        mc_states=16,
        eval_every=2,
        eval_programs=32,
    )
    run = psgpo.train(config, line_scorer=ProcessRewardModel.load(folder / "prm"), tasks=tasks_of(plan))
    return found(run)


def run_grpo(plan: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Train GRPO on the outcome."""
    return found(grpo.train(grpo.GRPOConfig(**common(plan, folder, "grpo"), kl_coef=0.01), tasks=tasks_of(plan)))


def common(plan: dict[str, Any], folder: Path, name: str) -> dict[str, Any]:
    """Return the settings of both agents."""
    return {
        "policy": folder / "start",
        "out": folder / name,
        "sandbox": "process",
        "num_iterations": plan["iterations"],
        "batch_size": plan["batch_size"],
        "minibatch_size": plan["batch_size"] // 2,
        "max_tokens": plan["max_tokens"],
        "max_prompt_tokens": 64,
        "seed": plan["seed"],
    }


def tasks_of(plan: dict[str, Any]) -> Any:
    """Return the tasks that both agents are trained on."""
    return FAMILIES[plan["family"]](horizon=plan["lines"])


def found(run: Any) -> dict[str, Any]:
    """Return the metrics of a run under neutral names, and a digest of each part of its last checkpoint."""
    state = torch.load(run.folder / "checkpoint.pt", weights_only=True)
    return {
        "metrics": [{name: row[key] for name, key in METRICS.items() if key in row} for row in run.metrics()],
        "weights": {name: weights_digest(state[name]) for name in ("policy", "critic") if name in state},
    }


class Recorder(BaseCallback):
    """Records what was collected and how the updates went."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[dict[str, float]] = []

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        buffer = self.locals["rollout_buffer"]
        row = {name: float(getattr(buffer, name).sum()) for name in ("rewards", "returns", "values", "advantages")}
        updates = {name: float(value) for name, value in self.logger.name_to_value.items() if name.startswith("train/")}
        self.rows.append(row | updates)


def run_sb3(plan: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Train Stable-Baselines3's PPO with credit on the toy task of the examples."""
    envs = SB3VecEnv(gym.make_vec("codegym/Token-v0", num_envs=16, **SETTINGS))
    options = {"n_steps": 16, "batch_size": 64, "ent_coef": 0.03, "gamma": 1.0, "seed": plan["seed"], "device": "cpu"}
    model, recorder = PPO("MultiInputPolicy", envs, **options), Recorder()
    model.learn(16 * 16 * plan["iterations"], callback=[CreditCallback(), recorder], log_interval=1_000)
    envs.close()
    return {"metrics": recorder.rows, "weights": weights_digest(model.policy.state_dict())}


def verdicts(plan: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Judge both corpora."""
    cases = thin_out([*EXPLOITS, *ODDITIES], everything=False)[:: plan["every"]]
    results = run_cases(cases, lambda: open_sandbox(plan["sandbox"], num_workers=1))
    shown = {}
    for name, result in results.items():
        verdict, error = result.verdict, result.verdict and result.verdict.error
        shown[name] = {
            "status": verdict and verdict.status.value,
            "checks": verdict and [status.value for status in verdict.checks],
            "error": error and [error.type, error.line],
            "after": result.after and result.after.status.value,
            "failure": result.failure,
        }
    return shown


def weights_digest(state: dict[str, torch.Tensor]) -> str:
    """Return a hash of all tensors in their order; their names do not count."""
    digest = hashlib.sha256()
    for tensor in state.values():
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


PARTS = {"start": start, "labels": labels, "ppo": run_ppo, "grpo": run_grpo, "sb3": run_sb3, "verdicts": verdicts}


def main(plan: dict[str, Any], out: Path) -> None:
    """Write the fingerprint of each part of the plan."""
    with tempfile.TemporaryDirectory() as folder:
        fingerprint = {name: PARTS[name](plan, Path(folder)) for name in plan["parts"]}
    out.write_text(json.dumps(fingerprint, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    main(json.loads(sys.argv[1]), Path(sys.argv[2]))
