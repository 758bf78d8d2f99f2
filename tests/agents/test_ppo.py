"""Options of PPO that are off by default: target_kl, annealed learning rates, clipped values."""

from __future__ import annotations

import pytest
import torch

from agents import grpo, ppo
from agents.critics.critic import Critic, fit_step
from agents.policies.causal import TinyConfig, make_tiny
from codegym import CallCheck, Task

WORDS = ["# go\n", "x = 1\n", "y = 2\n", "# note\n", "z = 3"]
TASK = Task("go", "# go\n", (CallCheck((1,), 1), CallCheck((2,), 2)), entry_point="f", solution="x = 1\n")
SMALL = TinyConfig(num_layers=1, width=32, num_heads=2, mlp_width=64, max_positions=16)
OPTIONS = {
    "reward": "pass_ratio",
    "sandbox": "fake",
    "batch_size": 16,
    "minibatch_size": 4,
    "max_tokens": 6,
    "max_prompt_tokens": 4,
    "num_iterations": 3,
}


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    return make_tiny(WORDS, SMALL).save(tmp_path_factory.mktemp("start"))


def train(start, out, **changes):
    return ppo.train(ppo.PPOConfig(policy=start, out=out, **(OPTIONS | changes)), tasks=TASK)


def same_weights(one, other) -> bool:
    return all(torch.equal(*pair) for pair in zip(one.model.parameters(), other.model.parameters(), strict=True))


def test_an_update_stops_after_the_pass_that_exceeds_target_kl(start, tmp_path) -> None:
    one_pass = train(start, tmp_path / "one", update_epochs=1)
    stopped = train(start, tmp_path / "stopped", update_epochs=5, target_kl=-1.0)  # every pass exceeds it
    never = train(start, tmp_path / "never", update_epochs=5, target_kl=1e9)
    assert same_weights(stopped, one_pass)
    assert same_weights(never, train(start, tmp_path / "all", update_epochs=5))
    assert not same_weights(never, stopped)


def test_learning_rates_fall_linearly(start, tmp_path) -> None:
    run = train(start, tmp_path / "run", anneal_learning_rate=True, learning_rate=0.003)
    assert [row["charts/learning_rate"] for row in run.metrics()] == pytest.approx([0.003, 0.002, 0.001])
    state = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)
    assert state["actor_optimizer"]["param_groups"][0]["lr"] == pytest.approx(0.001)
    assert state["critic_optimizer"]["param_groups"][0]["lr"] == pytest.approx(0.001 / 3)
    constant = train(start, tmp_path / "constant", learning_rate=0.003)
    assert {row["charts/learning_rate"] for row in constant.metrics()} == {0.003}


def test_an_annealed_run_resumes_with_the_same_bits_and_cannot_be_extended(start, tmp_path, kill_at, learning) -> None:
    options = {"anneal_learning_rate": True, "checkpoint_every": 1, "learning_rate": 0.003}
    whole = train(start, tmp_path / "whole", **options)
    kill_at(2, lambda: train(start, tmp_path / "killed", **options))
    resumed = train(start, tmp_path / "killed", **options)
    assert learning(resumed) == learning(whole)
    assert same_weights(resumed, whole)
    with pytest.raises(ValueError, match="got num_iterations=9; expected 3"):
        train(start, tmp_path / "whole", **options | {"num_iterations": 9})


def test_a_clipped_value_has_no_gradient_beyond_its_range() -> None:
    tokens, mask = torch.tensor([[0, 1]]), torch.tensor([[False, True]])
    for clip_range, moves in ((None, True), (0.5, False)):
        body = torch.nn.Embedding(2, 1)
        torch.nn.init.ones_(body.weight)  # the value is 1, and its target 2
        critic = Critic(torch.nn.Sequential(body, torch.nn.Flatten(1)))
        optimizer = torch.optim.SGD(critic.parameters(), lr=0.1)
        old = torch.tensor([[0.0, 0.2]])  # beyond .2 + .5 the clipped error is the larger one, and it is constant
        fit_step(critic, tokens, torch.full((1, 2), 2.0), mask, optimizer, 1.0, old_values=old, clip_range=clip_range)
        assert bool((body.weight != 1).any()) == moves


def test_value_clipping_changes_a_run(start, tmp_path) -> None:
    clipped = train(start, tmp_path / "clipped", value_clip_range=1e-6, critic_learning_rate=0.05)
    free = train(start, tmp_path / "free", critic_learning_rate=0.05)
    assert clipped.metrics()[-1]["losses/value"] != free.metrics()[-1]["losses/value"]


def test_the_log_has_what_cleanrl_logs(start, tmp_path) -> None:
    row = train(start, tmp_path, reward="pass_ratio - 0.1*length_penalty").metrics()[-1]
    names = {"policy", "value", "entropy", "approx_kl", "clip_fraction", "explained_variance", "grad_norm"}
    assert {f"losses/{name}" for name in names} <= row.keys()
    assert row["losses/entropy"] > 0
    assert row["losses/grad_norm"] > 0
    assert row["charts/tokens_per_second"] > row["charts/programs_per_second"] > 0
    # terms come with their weights, so they add up to the reward
    terms = [value for name, value in row.items() if name.startswith("reward/")]
    assert len(terms) == 2
    assert sum(terms) == pytest.approx(row["charts/reward"], abs=1e-6)


def test_agents_without_a_critic_log_the_same_groups(start, tmp_path) -> None:
    run = grpo.train(grpo.GRPOConfig(policy=start, out=tmp_path, group_size=4, **OPTIONS), tasks=TASK)
    assert {name.partition("/")[0] for row in run.metrics() for name in row} == {
        "iteration",
        "charts",
        "losses",
        "reward",
    }
