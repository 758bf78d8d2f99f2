"""The folder of a run: claimed only by what works, described by what it was made from, used by one process."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from agents import ppo
from agents.common.config import describe
from agents.policies.causal import TinyConfig, make_tiny
from codegym import CallCheck, Task
from codegym.errors import ResumeError
from codegym.judge import FakeJudge
from codegym.scorers import FakeLineScorer
from codegym.tasks.procedural import Arithmetic

WORDS = ["# go\n", "x = 1\n", "y = 2\n"]
TASK = Task("go", "# go\n", (CallCheck((1,), 1),), entry_point="f", solution="x = 1\n")
SMALL = TinyConfig(num_layers=1, width=16, num_heads=2, mlp_width=16, max_positions=16)


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    return make_tiny(WORDS, SMALL).save(tmp_path_factory.mktemp("start"))


def make_config(start, out, **changes):
    sizes = {"sandbox": "fake", "num_iterations": 1, "batch_size": 4, "max_tokens": 4, "max_prompt_tokens": 4}
    return ppo.PPOConfig(policy=start, out=out, **(sizes | changes))


def settings(folder):
    return json.loads((folder / "config.json").read_text())["settings"]


def count_lines(step):
    """A reward that is a function."""
    return 0.0 if step.line is None else 1.0


def test_a_folder_records_its_configuration(start, tmp_path) -> None:
    ppo.train(make_config(start, tmp_path / "run"), tasks=TASK)
    assert settings(tmp_path / "run")["batch_size"] == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reward": "outcom"}, "outcom"),
        ({"tasks": "aritmetic"}, "aritmetic"),
        ({"sandbox": "proces"}, "proces"),
        ({"line_scorer": "no/such/folder"}, "no/such/folder"),
        ({"reward": "process"}, "needs line scores"),
    ],
)
def test_a_typo_claims_no_folder(changes, message, start, tmp_path) -> None:
    config = make_config(start, tmp_path / "run", **changes)
    with pytest.raises(ValueError, match=message):
        ppo.train(config)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("policy", ["nope", "./nope", "nope/with/parts"])
def test_a_policy_that_does_not_exist_is_refused_at_once(policy, tmp_path) -> None:
    begun = time.perf_counter()
    with pytest.raises(ValueError, match="no such policy"):
        ppo.train(make_config(policy, tmp_path / "run"), tasks=TASK)
    assert time.perf_counter() - begun < 5
    assert not (tmp_path / "run").exists()


def test_objects_are_recorded_by_a_description(start, tmp_path) -> None:
    inputs = {"tasks": [TASK], "line_scorer": FakeLineScorer(), "reward": count_lines, "sandbox": FakeJudge()}
    ppo.train(make_config(start, tmp_path / "run"), **inputs)
    recorded = settings(tmp_path / "run")
    assert recorded["tasks"].startswith("1 tasks, digest ")
    assert recorded["line_scorer"] == "codegym.scorers.base:FakeLineScorer"
    assert recorded["reward"].endswith(":count_lines")
    assert recorded["sandbox"].endswith(":FakeJudge")


def test_a_run_with_a_function_as_reward_resumes_in_another_process(start, tmp_path) -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[3])\n"
        "from pathlib import Path\nfrom agents import ppo\nfrom my_reward import reward\n"
        "from codegym import CallCheck, Task\n"
        "task = Task('go', '# go\\n', (CallCheck((1,), 1),), entry_point='f', solution='x = 1\\n')\n"
        "sizes = {'num_iterations': int(sys.argv[4]), 'sandbox': 'fake', 'batch_size': 4}\n"
        "sizes |= {'max_tokens': 4, 'max_prompt_tokens': 4}\n"
        "config = ppo.PPOConfig(policy=Path(sys.argv[1]), out=Path(sys.argv[2]), **sizes)\n"
        "print(len(ppo.train(config, tasks=task, reward=reward).metrics()))\n"
    )
    (tmp_path / "my_reward.py").write_text("def reward(step):\n    return 1.0\n")
    for count in (1, 2):
        command = [sys.executable, "-c", program, str(start), str(tmp_path / "run"), str(tmp_path), str(count)]
        answer = subprocess.run(command, capture_output=True, text=True)
        assert answer.stdout.strip() == str(count), answer.stderr


def test_other_tasks_are_another_run(start, tmp_path) -> None:
    config = make_config(start, tmp_path / "run")
    ppo.train(config, tasks=[TASK])
    other = Task("stop", "# stop\n", (CallCheck((1,), 1),), entry_point="f", solution="x = 1\n")
    with pytest.raises(ResumeError, match="got tasks='1 tasks, digest"):
        ppo.train(config, tasks=[other])


def test_a_folder_is_used_by_one_process_at_a_time(start, tmp_path) -> None:
    config = make_config(start, tmp_path / "run")
    with ppo.Run(config, tasks=TASK), pytest.raises(ResumeError, match="is in use"):
        ppo.train(config, tasks=TASK)
    assert len(ppo.train(config, tasks=TASK).metrics()) == 1  # it is free again


def test_shaping_cannot_be_added_to_a_reward_object(start, tmp_path) -> None:
    with pytest.raises(ValueError, match="shaping cannot be added to a reward object"):
        ppo.train(make_config(start, tmp_path / "run", shaping="length_penalty"), tasks=TASK, reward=count_lines)


def test_without_a_policy_the_tasks_must_be_a_procedural_family(tmp_path) -> None:
    with pytest.raises(ValueError, match="a policy is needed: got policy=None with tasks='mbpp'"):
        ppo.train(make_config(None, tmp_path / "run", tasks="mbpp"), tasks=TASK)


def test_descriptions_are_plain_and_equal_in_every_process() -> None:
    assert describe({"a": (1, None, 0.5), "b": count_lines}) == {"a": [1, None, 0.5], "b": f"{__name__}:count_lines"}
    family = describe(Arithmetic(horizon=2))
    assert family["type"].endswith(":Arithmetic")
    assert family["horizon"] == 2
    assert describe([TASK]) == describe((TASK,)) != describe([TASK, TASK])
