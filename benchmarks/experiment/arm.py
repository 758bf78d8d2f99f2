"""One arm with one seed, in a process of its own: ``python -m benchmarks.experiment.arm ARM.json``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch

from agents import grpo, ppo, supervised
from agents.common.critic import Critic
from agents.common.generation import Sampling
from agents.common.pass_rates import pass_rates
from agents.common.policy import Policy
from agents.common.run import Run
from benchmarks.experiment.settings import ARMS, Experiment
from codegym.prm.model import ProcessRewardModel


def run_arm(name: str, seed: int, experiment: Experiment, start: Path, prm: Path, out: Path, sandbox: str) -> None:
    """Train an arm and write ``result.json``: its learning curve and its pass rate on unseen tasks."""
    arm = next(arm for arm in ARMS if arm.name == name)
    common = {
        "policy": start,
        "out": out,
        "reward": arm.reward,
        "sandbox": sandbox,
        "iterations": experiment.iterations,
        "programs": experiment.programs,
        "max_tokens": experiment.max_tokens,
        "max_prompt_tokens": experiment.max_prompt_tokens,
        "seed": seed,
    }
    settings = supervised.Config(family=experiment.family, hard=experiment.hard)
    tasks = supervised.make_family(settings, "train", experiment.horizon)
    model = ProcessRewardModel.load(prm) if arm.needs_labels else None
    scorer = model if arm.dense else None
    if arm.agent == "grpo":
        run = grpo.train(grpo.GRPOConfig(**common, **arm.options), line_scorer=scorer, tasks=tasks)
    else:
        tokenizer = Policy.load(start).tokenizer
        critic = Critic(model.value_model(tokenizer)) if model is not None and arm.value_init else None
        run = ppo.train(ppo.PPOConfig(**common, **arm.options), critic=critic, line_scorer=scorer, tasks=tasks)
    result = {"arm": name, "seed": seed, "curve": run.metrics(), **evaluate(run, experiment, settings, sandbox)}
    (out / "result.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def evaluate(run: Run, experiment: Experiment, settings: supervised.Config, sandbox: str) -> dict[str, Any]:
    """Pass rates on unseen tasks, of sampled programs and of the likeliest ones."""
    source = {experiment.horizon: supervised.make_family(settings, "test", experiment.horizon)}
    policy, found = Policy.load(run.folder / "policy"), {}
    for name, greedy in (("sampled", False), ("greedy", True)):
        sampling = Sampling(experiment.max_tokens, greedy=greedy)
        (rate,) = pass_rates(policy, source, sampling, experiment.eval_programs, sandbox)
        found[name] = {"pass_rate": rate.pass_rate, "interval": list(rate.interval)}
    return found


def main(file: Path) -> None:
    """Read what to do and do it, with one thread: two processes of one beat one of two."""
    torch.set_num_threads(1)
    todo = json.loads(file.read_text("utf-8"))
    lists = {key: tuple(value) for key, value in todo["experiment"].items() if isinstance(value, list)}
    experiment = Experiment(**(todo["experiment"] | lists))
    paths = {key: Path(todo[key]) for key in ("start", "prm", "out")}
    run_arm(todo["arm"], todo["seed"], experiment, sandbox=todo["sandbox"], **paths)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
