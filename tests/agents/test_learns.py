"""Every agent solves a toy task in seconds, and a run that was killed ends with the same bits as one that was not."""

from __future__ import annotations

import json
from concurrent.futures import Future
from dataclasses import replace

import pytest
import torch

from agents import AGENTS, ppo, reinforce, rloo
from agents.common.losses import kl
from agents.common.run import Run
from agents.policies.causal import Policy, TinyConfig, make_tiny
from codegym import SandboxError, Status, Verdict
from examples.toy import SETTINGS, TASK

OPTIONS = {  # apart from these, the defaults
    "ppo": {"learning_rate": 3e-3},
    "grpo": {"learning_rate": 3e-3, "group_size": 64},
    "rloo": {"learning_rate": 5e-3, "group_size": 32, "minibatch_size": 32},
    "reinforce": {"learning_rate": 1e-2},
    "reinforce_pp": {"learning_rate": 3e-3},
    "psgpo": {"learning_rate": 3e-3, "line_scorer": "fake", "value_init": "distilled", "distill_batches": 2},
}
RIGHT, BROKEN = Future(), Future()
RIGHT.set_result(Verdict(Status.PASSED, (Status.PASSED,)))
BROKEN.set_exception(SandboxError("the machine failed"))


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """A policy that knows nothing: one program in a hundred passes."""
    size = TinyConfig(num_layers=1, width=32, num_heads=2, mlp_width=64, max_positions=16)
    return make_tiny(SETTINGS["tokenizer"], size).save(tmp_path_factory.mktemp("start"))


def make_config(name, start, out, **changes):
    common = {"reward": "coderl", "sandbox": "process", "batch_size": 128, "max_tokens": 4, "max_prompt_tokens": 4}
    return AGENTS[name].config(policy=start, out=out, **(common | OPTIONS[name] | changes))


@pytest.mark.parametrize("name", AGENTS)
def test_agent_solves_the_toy_task(name, start, tmp_path) -> None:
    run = AGENTS[name].train(make_config(name, start, tmp_path / "run", num_iterations=40), tasks=TASK)
    first, *_, last = run.metrics()
    assert first["charts/pass_rate"] < 0.1
    assert last["charts/pass_rate"] > 0.7
    assert (tmp_path / "run" / "policy" / "model.safetensors").is_file()


@pytest.mark.parametrize("name", ["ppo", "psgpo", "grpo"])
def test_a_killed_run_resumes_and_ends_with_the_same_bits(name, start, tmp_path, kill_at, learning) -> None:
    train = AGENTS[name].train
    config = make_config(name, start, tmp_path / "whole", num_iterations=5, batch_size=64, checkpoint_every=2)
    whole = train(config, tasks=TASK)

    config = replace(config, out=tmp_path / "killed")
    kill_at(3, lambda: train(config, tasks=TASK))  # the last checkpoint is that of iteration 2
    resumed = train(config, tasks=TASK)
    assert learning(resumed) == learning(whole)
    for one, other in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_folder_with_another_run_is_not_overwritten(start, tmp_path) -> None:
    config = make_config("ppo", start, tmp_path, num_iterations=1, batch_size=8)
    ppo.train(config, tasks=TASK)
    with pytest.raises(ValueError, match=r"made with other settings: got gae_lambda=0.9; expected 1.0"):
        ppo.train(replace(config, gae_lambda=0.9), tasks=TASK)
    assert json.loads((tmp_path / "config.json").read_text())["settings"]["gae_lambda"] == 1.0
    assert len(ppo.train(replace(config, num_iterations=3), tasks=TASK).metrics()) == 3  # to go on for longer is fine


def test_programs_that_the_machine_could_not_judge_teach_nothing(start, tmp_path) -> None:
    class Broken:
        """Fails for every second program."""

        count = 0

        def submit(self, task, completion):
            self.count += 1
            return BROKEN if self.count % 2 else RIGHT

    config = make_config("rloo", start, tmp_path, num_iterations=1, batch_size=8, group_size=4, sandbox=Broken())
    run = rloo.train(config, tasks=TASK)
    assert run.metrics()[0]["charts/unjudged"] == 4
    assert run.metrics()[0]["charts/pass_rate"] == 1.0  # of those that were judged


def test_the_greedy_baseline_is_the_score_of_the_greedy_program(start, tmp_path) -> None:
    config = make_config("reinforce", start, tmp_path, batch_size=8, baseline="greedy")
    with Run(config, tasks=TASK) as run:
        run.register()
        rollout = run.collect(0)
        greedy = run.collect(0, greedy=True)
        assert len(greedy.scores.unique()) == 1  # one task, one greedy program
        assert torch.equal(reinforce.baseline(run, 0, rollout), greedy.scores[:, None])


def test_before_it_learns_a_policy_is_its_own_reference(start, tmp_path) -> None:
    with Run(make_config("ppo", start, tmp_path, batch_size=8, minibatch_size=3), tasks=TASK) as run:
        run.register()
        rollout = run.collect(0)
        torch.testing.assert_close(run.reference_log_probs(rollout, run.model), rollout.log_probs, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("ppo", {"kl_placement": "loss"}),
        ("ppo", {"kl_placement": "reward"}),
        ("grpo", {}),
        ("reinforce", {"kl_placement": "loss"}),
        ("reinforce", {"kl_placement": "reward"}),
        ("reinforce_pp", {"kl_placement": "loss"}),
        ("reinforce_pp", {"kl_placement": "reward"}),
    ],
)
def test_a_divergence_that_costs_much_keeps_the_policy_where_it_was(name, options, start, tmp_path) -> None:
    moved = {}
    for kl_coef in (0.0, 100.0):
        config = make_config(
            name, start, tmp_path / str(kl_coef), num_iterations=6, batch_size=64, kl_coef=kl_coef, **options
        )
        run = AGENTS[name].train(config, tasks=TASK)
        pairs = zip(run.model.parameters(), Policy.load(start).model.parameters(), strict=True)
        with Run(replace(config, out=tmp_path / f"{kl_coef} measured"), tasks=TASK) as fresh:
            fresh.register()
            rollout = fresh.collect(0)
            moved[kl_coef] = float(kl(rollout.log_probs, fresh.reference_log_probs(rollout, run.model)).sum())
        assert any(not torch.equal(one, other) for one, other in pairs)
    assert moved[100.0] < 0.5 * moved[0.0]
