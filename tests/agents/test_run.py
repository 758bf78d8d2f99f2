"""What all runs have: a reward whose shaping falls away, placement of rewards, a log, an end when nothing is judged."""

from __future__ import annotations

import json
from concurrent.futures import Future
from dataclasses import replace

import gymnasium as gym
import pytest
import torch
from helpers.make_steps import make_last

from agents import AGENTS, ppo
from agents.common.rollout import streamed_rewards
from agents.common.run import Run
from agents.policies.causal import TinyConfig, make_tiny
from codegym import CallCheck, SandboxError, Task
from codegym.judge import FakeJudge
from codegym.rewards import parse_reward
from codegym.scorers import FakeLineScorer
from codegym.scorers.prm import ProcessRewardModel

WORDS = ["# go\n", "x = 1\n", "y = 2\n", "# note\n", "z = 3"]
TASK = Task("go", "# go\n", (CallCheck((1,), 1), CallCheck((2,), 2)), entry_point="f", solution="x = 1\n")
SMALL = TinyConfig(num_layers=1, width=32, num_heads=2, mlp_width=64, max_positions=16)


class Counting(FakeLineScorer):
    """Knows how often it was asked."""

    calls = 0

    def score(self, requests):
        self.calls += 1
        return super().score(requests)


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    return make_tiny(WORDS, SMALL).save(tmp_path_factory.mktemp("start"))


def make_config(start, out, name="ppo", **changes):
    common = {"sandbox": "fake", "batch_size": 16, "max_tokens": 6, "max_prompt_tokens": 4, "num_iterations": 4}
    of_agent = {"value_init": "none", "shaping": ""} if name == "psgpo" else {}
    return AGENTS[name].config(policy=start, out=out, **({"reward": "pass_ratio"} | common | of_agent | changes))


def same_weights(one, other) -> bool:
    return all(torch.equal(*pair) for pair in zip(one.model.parameters(), other.model.parameters(), strict=True))


def test_the_weight_of_shaping_falls_to_0(start, tmp_path) -> None:
    config = make_config(start, tmp_path, reward="outcome", shaping="psgpo - 0.5*length_penalty", shaping_iterations=4)
    assert [config.shaping_weight(iteration) for iteration in (0, 1, 3, 4, 9)] == [1, 0.75, 0.25, 0, 0]
    assert config.reward_at(3) == "outcome + 0.25*(psgpo - 0.5*length_penalty)"
    assert [(term.name, weight) for term, weight in parse_reward(config.reward_at(3)).terms] == [
        ("outcome", 1),
        ("psgpo", 0.25),
        ("length_penalty", -0.125),
    ]
    assert config.reward_at(4) == "outcome"


@pytest.mark.parametrize("name", AGENTS)
def test_once_shaping_has_ended_nobody_asks_the_line_scorer(name, start, tmp_path) -> None:
    scorer = Counting()
    config = make_config(start, tmp_path, name, shaping="psgpo", shaping_iterations=2)
    run = AGENTS[name].train(config, line_scorer=scorer, tasks=TASK)
    assert [row["charts/shaping_weight"] for row in run.metrics()] == [1, 0.5, 0, 0]
    assert scorer.calls == 2


def test_a_reward_that_reads_line_scores_itself_goes_on_doing_so(start, tmp_path) -> None:
    scorer = Counting()
    config = make_config(start, tmp_path, reward="outcome + process", shaping="psgpo", shaping_iterations=2)
    ppo.train(config, line_scorer=scorer, tasks=TASK)
    assert scorer.calls == 4


def test_shaping_without_an_end_is_a_part_of_the_reward(start, tmp_path) -> None:
    shaped = make_config(start, tmp_path / "shaped", shaping="psgpo", line_scorer="fake")
    whole = make_config(start, tmp_path / "whole", reward="pass_ratio + psgpo", line_scorer="fake")
    one, other = ppo.train(shaped, tasks=TASK), ppo.train(whole, tasks=TASK)
    assert same_weights(one, other)
    assert [row["charts/reward"] for row in one.metrics()] == [row["charts/reward"] for row in other.metrics()]


@pytest.mark.parametrize("name", ["ppo", "grpo"])
def test_a_run_that_is_killed_while_shaping_falls_ends_with_the_same_bits(
    name, start, tmp_path, kill_at, learning
) -> None:
    train = AGENTS[name].train
    options = {"num_iterations": 6, "checkpoint_every": 2, "shaping": "psgpo", "shaping_iterations": 5}
    config = make_config(start, tmp_path / "whole", name, line_scorer="fake", **options)
    whole = train(config, tasks=TASK)
    config = replace(config, out=tmp_path / "killed")
    kill_at(3, lambda: train(config, tasks=TASK))
    resumed = train(config, tasks=TASK)
    assert learning(resumed) == learning(whole)
    assert same_weights(resumed, whole)


@pytest.mark.parametrize(
    "changes",
    [
        {"shaping_iterations": 3},
        {"shaping": " ", "shaping_iterations": 3},
        {"shaping": "psgpo", "shaping_iterations": 0},
    ],
)
def test_an_end_of_shaping_wants_shaping(changes, start, tmp_path) -> None:
    with pytest.raises(ValueError, match="expected at least 1 iteration, and terms such as"):
        make_config(start, tmp_path, **changes)


def test_streamed_rewards_stand_where_they_are_paid() -> None:
    last = make_last(("x = 1\n", 0.5), ("y = 2\n", -1.0))  # two tokens a line, then the end-of-sequence token
    # process pays each score where its line closes; psgpo .025 / 2 times their sum, and outcome 1, at the end
    assert streamed_rewards(parse_reward("outcome + process + psgpo"), last).tolist() == [
        0,
        0.5,
        0,
        -1,
        1 - 0.025 / 2 * 0.5,
    ]


def test_streamed_rewards_are_those_of_an_environment_step_by_step(start, tmp_path) -> None:
    reward = "pass_ratio + process + psgpo - length_penalty + 2*missing_eos"
    rollouts = {}
    for placement in ("credit", "stream"):
        config = make_config(start, tmp_path / placement, reward=reward, line_scorer="fake", reward_placement=placement)
        with Run(config, tasks=TASK) as run:
            run.register()
            rollouts[placement] = run.collect(0)
    torch.testing.assert_close(rollouts["credit"].scores, rollouts["stream"].scores)
    assert not torch.equal(rollouts["credit"].rewards, rollouts["stream"].rewards)
    env = gym.make(
        "codegym/Token-v0", tasks=TASK, tokenizer=WORDS, reward=reward, line_scorer="fake", sandbox="fake", max_tokens=6
    )
    stream = rollouts["stream"]
    for tokens, mask, rewards in zip(stream.tokens, stream.mask, stream.rewards, strict=True):
        env.reset()
        assert rewards[mask].tolist() == pytest.approx([env.step(token)[1] for token in tokens[mask].tolist()])


def test_a_machine_that_judges_nothing_ends_the_run_and_says_how_to_go_on(start, tmp_path) -> None:
    class Dying:
        """Fails from the third iteration on, if it is told to."""

        def __init__(self, programs: float) -> None:
            self.left = programs

        def submit(self, task, completion):
            self.left -= 1
            if self.left >= 0:
                return FakeJudge().submit(task, completion)
            future: Future[object] = Future()
            future.set_exception(SandboxError("no space left"))
            return future

        def __deepcopy__(self, memo):
            return self

        def __repr__(self) -> str:
            return "Dying()"

    for name in AGENTS:
        config = make_config(start, tmp_path / name, name, sandbox=Dying(32), checkpoint_every=1)
        message = r"judged in iteration 2: got 0 verdicts of 16 programs .*no space left.* resumes from iteration 2"
        with pytest.raises(SandboxError, match=message):
            AGENTS[name].train(config, tasks=TASK)
        run = AGENTS[name].train(replace(config, sandbox=Dying(float("inf"))), tasks=TASK)
        assert [row["iteration"] for row in run.metrics()] == [0, 1, 2, 3]


def test_a_folder_from_before_there_was_a_setting_goes_on_with_its_default(start, tmp_path) -> None:
    config = make_config(start, tmp_path, num_iterations=1)
    ppo.train(config, tasks=TASK)
    file = tmp_path / "config.json"
    known = json.loads(file.read_text())
    del known["settings"]["reward_placement"]
    file.write_text(json.dumps(known))
    assert len(ppo.train(replace(config, num_iterations=2), tasks=TASK).metrics()) == 2
    file.write_text(json.dumps(known))
    with pytest.raises(ValueError, match="got reward_placement='stream'; expected 'credit'"):
        ppo.train(replace(config, reward_placement="stream"), tasks=TASK)


# --- the line scorer --------------------------------------------------------------------------------------------


def test_a_process_reward_model_is_named_by_its_folder(start, tmp_path):
    ProcessRewardModel.from_policy(start).save(tmp_path / "prm")
    config = make_config(start, tmp_path / "run", reward="process", line_scorer=str(tmp_path / "prm"), num_iterations=1)
    run = ppo.train(config, tasks=[TASK])
    assert isinstance(run.line_scorer, ProcessRewardModel)
    assert run.metrics()[0]["charts/reward"] == 0.0  # it has learned nothing yet: every line has the score 0
    with pytest.raises(ValueError, match="expected a folder that codegym prm train or ProcessRewardModel.save wrote"):
        ppo.train(make_config(start, tmp_path / "other", line_scorer=str(tmp_path)), tasks=[TASK])
