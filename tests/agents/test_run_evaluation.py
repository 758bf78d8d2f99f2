"""Evaluations during a run: on tasks of their own, without a trace in what is learned, and an end when it is enough."""

from __future__ import annotations

from concurrent.futures import Future

import pytest
import torch

from agents import ppo
from agents.policies.causal import Policy, TinyConfig, make_tiny
from codegym import CallCheck, Task
from codegym.judge import FakeJudge, Status, Verdict

SMALL = TinyConfig(num_layers=1, width=32, num_heads=2, mlp_width=64, max_positions=16)
WORDS = ["# go\n", "# stop\n", "x = 1\n", "z = 3"]
TRAIN, EVAL = (
    Task(name, f"# {name}\n", (CallCheck((1,), 1),), entry_point="f", solution="x = 1\n") for name in ("go", "stop")
)


class Listening:
    """Knows what it was asked."""

    def __init__(self, inner):
        self.inner, self.asked = inner, []

    def submit(self, task, completion):
        self.asked.append(task.task_id)
        return self.inner.submit(task, completion)


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    return make_tiny(WORDS, SMALL).save(tmp_path_factory.mktemp("start"))


def train(start, out, sandbox="fake", **changes):
    common = {"batch_size": 8, "max_tokens": 4, "max_prompt_tokens": 4, "num_iterations": 4, "reward": "pass_ratio"}
    config = ppo.PPOConfig(policy=start, out=out, sandbox=sandbox, **(common | changes))
    return ppo.train(config, tasks=[TRAIN], eval_tasks=[EVAL])


def evaluated(run):
    return [row["iteration"] for row in run.metrics() if "charts/eval_pass_rate" in row]


def test_smallest_use(start, tmp_path):
    run = train(start, tmp_path, eval_every=2, eval_programs=4)
    assert evaluated(run) == [1, 3]


def test_evaluations_have_tasks_of_their_own(start, tmp_path):
    judge = Listening(FakeJudge())
    train(start, tmp_path, sandbox=judge, num_iterations=1, eval_every=1, eval_programs=3)
    assert (judge.asked.count("go"), judge.asked.count("stop")) == (8, 3)


def test_evaluations_leave_no_trace_in_what_is_learned(start, tmp_path):
    plain, watched = train(start, tmp_path / "plain"), train(start, tmp_path / "watched", eval_every=1, eval_programs=4)
    pairs = zip(plain.model.parameters(), watched.model.parameters(), strict=True)
    assert all(torch.equal(*pair) for pair in pairs)


def test_a_run_ends_when_two_evaluations_are_good_enough_and_stays_so(start, tmp_path):
    settings = {"eval_every": 1, "eval_programs": 4, "stop_at_pass_rate": 0.0, "num_iterations": 9}
    assert evaluated(train(start, tmp_path, **settings)) == [0, 1]
    assert (tmp_path / "policy").is_dir()
    assert evaluated(train(start, tmp_path, **settings)) == [0, 1]  # it has arrived: there is nothing to go on with
    assert len(evaluated(train(start, tmp_path / "never", **settings | {"stop_at_pass_rate": 1.1}))) == 9


def test_settings_that_contradict_each_other_are_refused(start, tmp_path):
    with pytest.raises(ValueError, match=r"stop_at_pass_rate needs evaluations: got 0.5"):
        train(start, tmp_path, stop_at_pass_rate=0.5)
    with pytest.raises(ValueError, match="eval_programs is too small: got 0"):
        train(start, tmp_path, eval_programs=0)


class PassesAtFirst:
    """Passes every second one of the first eight programs, and nothing after them."""

    def __init__(self):
        self.count = 0

    def submit(self, task, completion):
        self.count += 1
        status = Status.PASSED if self.count <= 8 and self.count % 2 else Status.WRONG_ANSWER
        verdict = Future()
        verdict.set_result(Verdict(status, (status,)))
        return verdict


def test_a_policy_is_left_alone_where_all_programs_earned_the_same(start, tmp_path):
    # the critic has learned in the first iteration, its warm-up; what it says later would move the policy
    run = train(start, tmp_path, sandbox=PassesAtFirst(), reward="outcome", num_iterations=3, critic_learning_rate=0.01)
    assert [row["charts/pass_rate"] for row in run.metrics()] == [0.5, 0.0, 0.0]
    before = Policy.load(start)
    assert all(torch.equal(*pair) for pair in zip(before.model.parameters(), run.model.parameters(), strict=True))
