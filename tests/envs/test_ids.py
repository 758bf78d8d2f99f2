"""Every registered id passes the checkers of Gymnasium and of Stable-Baselines3, and bad keywords are clear errors."""

from __future__ import annotations

import gymnasium as gym
import pytest
from gymnasium.envs.registration import registry
from gymnasium.utils.env_checker import check_env
from helpers.env_rows import write_rows

from codegym.envs.registration import register_all
from codegym.errors import DatasetError
from codegym.tasks.datasets import DATASETS

IDS = sorted(env_id for env_id, spec in registry.items() if spec.namespace == "codegym")
SHARED = {"MBPP-": "mbpp.jsonl", "HumanEval-": "humaneval-first20.jsonl", "APPS-": "apps-sample2.jsonl"}


@pytest.fixture(scope="module")
def check_for_sb3():
    return pytest.importorskip("stable_baselines3.common.env_checker").check_env


@pytest.fixture
def make(tmp_path):
    """Makes the environment of an id, with a file of its data set."""
    made = []

    def make_env(env_id, **keywords):
        tasks = registry[env_id].kwargs.get("tasks")
        path = {} if tasks is None else {"path": write_rows(tmp_path, tasks)}
        made.append(gym.make(env_id, **({"sandbox": "fake"} | path | keywords)))
        return made[-1]

    yield make_env
    for env in made:
        env.close()


def test_an_environment_is_made_by_its_id_alone():
    env = gym.make("codegym/Token-v0")
    observation, info = env.reset(seed=1)
    assert env.observation_space.contains(observation)
    assert sorted(info) == ["action_mask", "prompt", "prompt_truncated", "task_id", "text"]
    assert env.step(ord("x"))[1:4] == (0.0, False, False)
    env.close()


def test_there_are_two_ids_for_every_data_set():
    names = ["", *(f"{spec.env_name}-" for spec in DATASETS.values())]
    assert sorted(f"codegym/{name}{act}-v0" for name in names for act in ("Token", "Line")) == IDS
    assert {registry[env_id].kwargs.get("tasks") for env_id in IDS} == {None, *DATASETS}
    register_all()  # a second time


@pytest.mark.parametrize("env_id", IDS)
def test_gymnasium_accepts(env_id, make, capsys):
    check_env(make(env_id).unwrapped)


@pytest.mark.parametrize("env_id", IDS)
def test_stable_baselines_accepts(env_id, make, capsys, check_for_sb3):
    check_for_sb3(make(env_id).unwrapped, skip_render_check=False)


@pytest.mark.parametrize(
    "keywords",
    [
        {"mask": "completable"},
        {"mask": None},
        {"line_scorer": "fake", "reward": "outcome + 0.5*process"},
        {"tokenizer": ["x = 1\n", "x"]},
        {"limits": {"cpu_seconds": 2}},
        {"render_mode": "ansi"},
        {"render_mode": "rgb_array"},
    ],
    ids=str,
)
@pytest.mark.parametrize("act", ["Token", "Line"])
def test_checkers_accept_with_keywords(act, keywords, make, capsys, check_for_sb3):
    env = make(f"codegym/{act}-v0", **keywords, tasks="arithmetic").unwrapped
    if "tokenizer" in keywords:  # a prompt has to be written in the tokens, too
        env.close()
        task = env.batch.source.by_id("arithmetic:+1")
        words = [task.prompt, *task.solution.splitlines(keepends=True)]
        env = make(f"codegym/{act}-v0", tokenizer=words, tasks=task).unwrapped
    check_env(env)
    check_for_sb3(env, skip_render_check=False)


@pytest.mark.parametrize("act", ["Token", "Line"])
@pytest.mark.parametrize("name", SHARED)
def test_rows_of_the_real_data_sets_are_read(name, act, shared_data, make, capsys, check_for_sb3):
    env = make(f"codegym/{name}{act}-v0", path=shared_data / SHARED[name]).unwrapped
    check_env(env)
    check_for_sb3(env)
    for task in env.batch.source.tasks[:60]:
        _, info = env.reset(options={"task_id": task.task_id})
        assert (info["task_id"], info["prompt"]) == (task.task_id, task.prompt)


@pytest.mark.parametrize("env_id", IDS)
def test_a_gold_program_is_written_by_every_id(env_id, make):
    env = make(env_id).unwrapped
    _, info = env.reset(seed=3)
    gold = env.batch.task(0).solution or "print(2 * int(input()))\n"  # LiveCodeBench has none; what runs is a fake
    for action in [gold, ""] if "Line" in env_id else [*env.batch.tokenizer.encode(gold), 256]:
        observation, reward, terminated, truncated, info = env.step(action)
    known = env.batch.task(0).solution is not None
    assert (reward, terminated, truncated, info["is_success"]) == (float(known), True, False, known)
    assert env.observation_space.contains(observation)


@pytest.mark.parametrize("env_id", IDS)
def test_vector_environments_have_the_spaces_of_their_ids(env_id, tmp_path):
    tasks = registry[env_id].kwargs.get("tasks")
    path = {} if tasks is None else {"path": write_rows(tmp_path, tasks)}
    env = gym.make_vec(env_id, num_envs=3, sandbox="fake", **path)
    single = gym.make(env_id, sandbox="fake", **path)
    assert (env.single_observation_space, env.single_action_space) == (single.observation_space, single.action_space)
    observation, _ = env.reset(seed=1)
    assert env.observation_space.contains(observation)
    assert env.observation_space.contains(env.step(env.action_space.sample())[0])
    env.close()
    single.close()


# --- keywords that cannot be --------------------------------------------------------------------------------------

BAD = [
    ({"max_token": 5}, TypeError, "unknown keyword: got max_token=5 .did you mean 'max_tokens'"),
    ({"rewards": "outcome"}, TypeError, "unknown keyword: got rewards='outcome' .did you mean 'reward'"),
    ({"max_tokens": 0}, ValueError, "wrong max_tokens: got 0; expected a whole number above 0"),
    ({"max_tokens": 5.0}, ValueError, "wrong max_tokens: got 5.0; expected a whole number above 0"),
    ({"max_tokens": True}, ValueError, "wrong max_tokens: got True; expected a whole number above 0"),
    ({"max_prompt_tokens": -1}, ValueError, "wrong max_prompt_tokens: got -1; expected a whole number above 0"),
    ({"mask": "all"}, ValueError, "wrong mask: got 'all'; expected one of 'text', 'completable', None"),
    ({"tasks": "arithmetics"}, ValueError, "unknown tasks: got 'arithmetics' .did you mean 'arithmetic'"),
    ({"tasks": []}, ValueError, "at least one task"),
    ({"tasks": 3}, TypeError, "tasks: got 3; expected the name of a family or data set, a Task"),
    ({"path": "rows.jsonl"}, ValueError, "a path without a data set: got path='rows.jsonl' and tasks='arithmetic'"),
    ({"tasks": [{}]}, TypeError, "Task"),
    ({"tasks": "mbpp", "path": "no/such/file.jsonl"}, DatasetError, "no/such/file.jsonl"),
    ({"tokenizer": "byte"}, ValueError, "did you mean 'bytes'"),
    ({"tokenizer": 3}, TypeError, "no tokenizer can be made of 3"),
    ({"reward": "outcom"}, ValueError, "unknown reward term: got 'outcom' .did you mean 'outcome'"),
    ({"reward": 3}, TypeError, "no reward can be made from this: got 3"),
    ({"reward": "process"}, ValueError, "needs line scores: got line_scorer=None; expected a line scorer"),
    ({"line_scorer": 7}, ValueError, "wrong line scorer: got 7; expected a name"),
    ({"line_scorer": "fakes"}, ValueError, "unknown line scorer: got 'fakes' .did you mean 'fake'"),
    ({"sandbox": "dockr"}, ValueError, "unknown sandbox back end: got 'dockr'"),
    ({"sandbox": 3}, TypeError, "wrong sandbox: got int"),
    ({"limits": {"cpu_second": 1}}, TypeError, "unknown limit: got cpu_second=1 .did you mean 'cpu_seconds'"),
    (
        {"limits": 5},
        TypeError,
        "wrong limits: got 5; expected a codegym.Limits or a mapping of its",
    ),
    ({"packages": "numpy"}, TypeError, "wrong packages: got 'numpy'; expected a sequence of names"),
    ({"observation": "onehot"}, ValueError, "wrong observation: got 'onehot' .did you mean 'one_hot'"),
    ({"window": 0}, ValueError, "wrong window: got 0"),
    ({"render_mode": "text"}, ValueError, "wrong render_mode: got 'text'; expected one of ansi, human, rgb_array"),
]


@pytest.mark.parametrize("make_env", [gym.make, gym.make_vec], ids=["make", "make_vec"])
@pytest.mark.parametrize("act", ["Token", "Line"])
@pytest.mark.parametrize(("keywords", "error", "message"), BAD, ids=[str(keywords) for keywords, _, _ in BAD])
@pytest.mark.filterwarnings("ignore:.*render_mode.*:UserWarning")
def test_bad_keywords_are_clear_errors(make_env, act, keywords, error, message):
    with pytest.raises(error, match=message):
        make_env(f"codegym/{act}-v0", **({"sandbox": "fake"} | keywords))


@pytest.mark.parametrize("value", [0, True, 8.0, "8"])
def test_room_of_a_line_is_a_whole_number(value):
    with pytest.raises(ValueError, match="wrong max_line_tokens: got .*; expected a whole number above 0"):
        gym.make("codegym/Line-v0", max_line_tokens=value)
    with pytest.raises(TypeError, match="max_line_tokens"):
        gym.make("codegym/Token-v0", max_line_tokens=8)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"num_envs": 0}, "wrong num_envs: got 0; expected a whole number above 0"),
        ({"autoreset_mode": "Same"}, "did you mean 'SameStep'"),
    ],
)
def test_bad_keywords_of_vector_environments_are_clear_errors(keywords, message):
    with pytest.raises(ValueError, match=message):
        gym.make_vec("codegym/Token-v0", **keywords)
