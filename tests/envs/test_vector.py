"""The vector environment is the single one, many times: slot by slot equal to Gymnasium's own vectors around it."""

from __future__ import annotations

import functools

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from helpers.env_judges import FailingAtTimes
from helpers.env_play import AWKWARD, AWKWARD_TASKS, EOS, SINGLE, VECTOR, assert_same, draw_actions, of_slot, small

from codegym.envs.env import TokenEnv
from codegym.envs.vector import LineVectorEnv, TokenVectorEnv
from codegym.errors import InvalidAction

MODES = list(AutoresetMode)
ACTS = ["Token", "Line"]
DENSE = {"reward": "outcome + 0.5*process + 0.1*length_penalty", "line_scorer": "fake"}


def test_slots_are_single_environments_with_seeds_that_follow_each_other():
    vector = gym.make_vec("codegym/Token-v0", num_envs=2, sandbox="fake")
    single = gym.make("codegym/Token-v0", sandbox="fake")
    observations, infos = vector.reset(seed=4)
    observation, info = single.reset(seed=5)
    np.testing.assert_array_equal(observations["tokens"][1], observation["tokens"])
    assert (infos["task_id"][1], infos["prompt"][1]) == (info["task_id"], info["prompt"])
    rewards = vector.step([ord("x"), EOS])[1]
    assert rewards[1] == single.step(EOS)[1]


def play_both(one, other, act, steps, seed=0, awkward=False):
    """Play two vector environments side by side, all that comes back must be equal; how many episodes ended."""
    num_envs, rng, ended = one.num_envs, np.random.default_rng(seed), 0
    assert_same(one.reset(seed=seed), other.reset(seed=seed))
    done = np.zeros(num_envs, bool)
    for _ in range(steps):
        if one.metadata["autoreset_mode"] is AutoresetMode.DISABLED and done.any():
            options = {"reset_mask": done}
            assert_same(one.reset(options=options), other.reset(options=dict(options)))
        actions = draw_actions(rng, act, num_envs, awkward=awkward)
        result = one.step(actions)
        # Gymnasium's spaces keep the order of their keys, which is that of the dict here
        assert_same(result, other.step(actions))
        done = result[2] | result[3]
        ended += int(done.sum())
    one.close()
    other.close()
    return ended


KEYWORDS = {
    "outcome": {},
    "scores at the end": {"line_scorer": "fake"},
    "scores at once": DENSE,
    "failing machine": {**DENSE, "sandbox": FailingAtTimes()},
    "no mask": {"mask": None},
    "completable": {"mask": "completable"},
}


@pytest.mark.parametrize("keywords", KEYWORDS.values(), ids=KEYWORDS)
@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
def test_vector_equals_gymnasiums_own_across_autoresets(mode, act, keywords):
    keywords = small(act, **keywords)
    native = gym.make_vec(f"codegym/{act}-v0", num_envs=3, autoreset_mode=mode, **keywords)
    make = functools.partial(gym.make, f"codegym/{act}-v0", **keywords)
    assert play_both(native, SyncVectorEnv([make] * 3, autoreset_mode=mode), act, 150) >= 10


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
def test_vector_equals_gymnasiums_own_with_awkward_tokens(mode, act):
    keywords = small(act, **DENSE, tokenizer=AWKWARD, tasks=AWKWARD_TASKS)
    native = VECTOR[act](3, autoreset_mode=mode, **keywords)
    synced = SyncVectorEnv([functools.partial(SINGLE[act], **keywords)] * 3, autoreset_mode=mode)
    assert play_both(native, synced, act, 150, awkward=True) >= 10


@pytest.mark.parametrize("context", ["fork", "spawn"])
@pytest.mark.parametrize(
    ("act", "mode"), [("Token", AutoresetMode.SAME_STEP), ("Line", AutoresetMode.NEXT_STEP)], ids=str
)
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_vector_equals_processes_with_shared_memory(act, mode, context):
    keywords = small(act, **DENSE)
    make = functools.partial(gym.make, f"codegym:codegym/{act}-v0", **keywords)  # imports codegym where it is spawned
    processes = AsyncVectorEnv([make] * 2, shared_memory=True, context=context, autoreset_mode=mode)
    native = gym.make_vec(f"codegym/{act}-v0", num_envs=2, autoreset_mode=mode, **keywords)
    assert play_both(native, processes, act, 60) >= 4


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_objects_travel_to_processes():
    keywords = small("Token", tasks=AWKWARD_TASKS, tokenizer=AWKWARD, reward={"outcome": 1.0, "syntax_penalty": 0.5})
    processes = AsyncVectorEnv([functools.partial(TokenEnv, **keywords)] * 2, context="spawn")
    native = TokenVectorEnv(2, autoreset_mode=AutoresetMode.NEXT_STEP, **keywords)
    assert play_both(native, processes, "Token", 60, awkward=True) >= 2


# --- options ------------------------------------------------------------------------------------------------------

IDS = ["arithmetic:*3+2", "arithmetic:-1", "arithmetic:+7*2*2"]


@pytest.mark.parametrize(
    ("options", "of_each"),
    [
        ({"task_id": IDS[0]}, [{"task_id": IDS[0]}] * 3),
        ({"task_id": IDS}, [{"task_id": task_id} for task_id in IDS]),
        ({"task_id": [None, IDS[1], None]}, [{}, {"task_id": IDS[1]}, {}]),
        ({"prefix": "def f(x):\n"}, [{"prefix": "def f(x):\n"}] * 3),
        ({"prefix": list(b"x\ny")}, [{"prefix": "x\ny"}] * 3),
        ({"prefix": np.array([120, 10])}, [{"prefix": "x\n"}] * 3),
        ({"prefix": [np.int64(120), np.int64(10)]}, [{"prefix": "x\n"}] * 3),
        ({"prefix": []}, [{}] * 3),
        ({"prefix": ["x\n", None, [121, 10]]}, [{"prefix": "x\n"}, {}, {"prefix": "y\n"}]),
        (
            {"task_id": IDS, "prefix": [[120], "", "y"]},
            [{"task_id": IDS[0], "prefix": "x"}, {"task_id": IDS[1]}, {"task_id": IDS[2], "prefix": "y"}],
        ),
    ],
    ids=str,
)
def test_options_may_differ_from_slot_to_slot(options, of_each):
    vector = TokenVectorEnv(3, **small("Token", **DENSE))
    singles = [TokenEnv(**small("Token", **DENSE)) for _ in range(3)]
    observations, infos = vector.reset(seed=8, options=options)
    for slot, (env, own) in enumerate(zip(singles, of_each, strict=True)):
        observation, info = env.reset(seed=8 + slot, options=own)
        assert_same(of_slot(observations, slot), observation)
        assert_same(of_slot(infos, slot), info)
    for action in b"\n# \nx\n":
        observations, rewards, _, _, infos = vector.step([action] * 3)
        for slot, env in enumerate(singles):
            observation, reward, _, _, info = env.step(action)
            assert_same(of_slot(observations, slot), observation)
            assert_same(of_slot(infos, slot), info)
            assert rewards[slot] == reward


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"task": 1}, ValueError, "unknown reset option: got 'task' .did you mean 'task_id'"),
        ({"task_id": IDS[:2]}, ValueError, "values for 'task_id': got 2; expected one for each of 3"),
        ({"prefix": ["x", "y"]}, ValueError, "values for 'prefix': got 2; expected one for each of 3"),
        ({"task_id": "arithmetic:/2"}, KeyError, "no task .*arithmetic:/2"),
        ({"reset_mask": [True, False, True]}, ValueError, "expected a boolean array"),
        ({"reset_mask": np.ones(2, bool)}, ValueError, r"of shape \(3,\)"),
        ({"reset_mask": np.zeros(3, bool)}, ValueError, "with a True in it"),
        ({"reset_mask": np.ones(3)}, ValueError, "expected a boolean array"),
    ],
    ids=str,
)
def test_bad_options_are_clear_errors(options, error, message):
    with pytest.raises(error, match=message):
        TokenVectorEnv(3, **small("Token")).reset(options=options)


def test_a_list_of_seeds_has_one_for_each_slot():
    vector = TokenVectorEnv(3, **small("Token"))
    infos = vector.reset(seed=[5, None, 3])[1]
    for slot, seed in ((0, 5), (2, 3)):
        assert infos["task_id"][slot] == TokenEnv(**small("Token")).reset(seed=seed)[1]["task_id"]
    with pytest.raises(ValueError, match="wrong number of seeds: got 2; expected one for each of 3 slots"):
        vector.reset(seed=[1, 2])


# --- resetting ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
def test_stepping_before_reset_is_an_error(mode, act):
    env = VECTOR[act](2, autoreset_mode=mode, **small(act))
    with pytest.raises(ResetNeeded, match=r"slots \[0, 1\]: call reset first"):
        env.step(env.action_space.sample())


def test_without_autoreset_an_ended_slot_wants_a_reset():
    env = TokenVectorEnv(3, autoreset_mode="Disabled", **small("Token"))
    env.reset(seed=0)
    observations, _, terminations, _, _ = env.step([EOS, 97, EOS])
    assert terminations.tolist() == [True, False, True]
    with pytest.raises(ResetNeeded, match=r"no episode to step in slots \[0, 2\]"):
        env.step([97, 97, 97])
    again, infos = env.reset(options={"reset_mask": terminations})
    assert infos["_task_id"].tolist() == [True, False, True]
    assert again["length"][1] == observations["length"][1]  # the one that goes on stands where it stood
    assert env.step([97, 97, 97])[0]["length"][1] == observations["length"][1] + 1


def test_a_mask_resets_and_seeds_only_its_slots():
    env = TokenVectorEnv(2, autoreset_mode="Disabled", **small("Token"))
    env.reset(seed=0)
    before = env.get_state(0)
    env.reset(seed=50, options={"reset_mask": np.array([False, True])})
    assert_same(env.get_state(0).rng_state, before.rng_state)
    assert env.batch.task(1).task_id == TokenEnv(**small("Token")).reset(seed=51)[1]["task_id"]


def test_next_step_ignores_the_action_of_a_slot_that_it_resets():
    env = TokenVectorEnv(2, autoreset_mode="NextStep", **small("Token"))
    env.reset(seed=0)
    env.step([EOS, 97])
    observations, rewards, terminations, _, infos = env.step([97, 97])
    assert observations["length"][0] == observations["prompt_length"][0]
    assert (rewards[0], terminations[0]) == (0.0, False)
    assert infos["_task_id"].tolist() == [True, False]


def test_same_step_keeps_what_was_last_seen():
    env = TokenVectorEnv(2, **small("Token"))
    env.reset(seed=0, options={"task_id": IDS[0]})
    gold = b"def f(x):\n    x = x * 3\n    x = x"
    for token in gold:
        env.step([token, 97])
    observations, rewards, terminations, truncations, infos = env.step([EOS, 97])
    assert (terminations.tolist(), truncations.tolist()) == ([True, False], [False, False])
    last = infos["final_obs"][0]
    assert bytes(last["tokens"][last["prompt_length"][0] : last["length"][0] - 1].tolist()) == gold
    assert last["tokens"][last["length"][0] - 1] == EOS
    assert (infos["final_info"]["text"][0], infos["final_info"]["num_tokens"][0]) == (gold.decode(), len(gold) + 1)
    assert infos["_final_obs"].tolist() == infos["_final_info"].tolist() == [True, False]
    assert observations["length"][0] == observations["prompt_length"][0]  # of the next episode


# --- observations -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", ACTS)
def test_e10_observations_are_copies(act):
    env = VECTOR[act](2, **small(act))
    rng, held = np.random.default_rng(0), []
    for number in range(30):
        result = env.reset(seed=0) if number == 0 else env.step(draw_actions(rng, act, 2))
        observation, infos = result[0], result[-1]
        frozen = {key: value.copy() for key, value in observation.items()}
        held.append((observation, frozen, infos["action_mask"], infos["action_mask"].copy()))
    for observation, frozen, mask, mask_before in held:
        assert_same(observation, frozen)
        assert_same(mask, mask_before)


def test_without_copy_tokens_change_with_the_next_step():
    copied, shared = (TokenVectorEnv(2, copy=copy, **small("Token")) for copy in (True, False))
    rng = np.random.default_rng(0)
    first = shared.reset(seed=1)[0]
    copied.reset(seed=1)
    for _ in range(100):
        actions = draw_actions(rng, "Token", 2)
        assert_same(copied.step(actions), shared.step(actions))
    assert first["tokens"] is shared.step([97, 97])[0]["tokens"]


def test_masks_of_a_batch_are_those_of_the_slots():
    env = TokenVectorEnv(3, **small("Token", tokenizer=AWKWARD, tasks=AWKWARD_TASKS))
    infos = env.reset(seed=1)[1]
    np.testing.assert_array_equal(infos["action_mask"], env.action_masks())
    assert infos["action_mask"].shape == (3, AWKWARD.vocab_size)
    lines = LineVectorEnv(2, **small("Line"))
    assert lines.reset(seed=1)[1]["action_mask"].shape == (2, 257)
    assert lines.action_masks().shape == (2, 8 * 257)


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("wrong", [0, 2])
def test_an_invalid_action_of_one_slot_changes_nothing_in_any(act, wrong):
    env = VECTOR[act](3, **small(act))
    env.reset(seed=1)
    before = [env.get_state(slot) for slot in range(3)]
    actions = draw_actions(np.random.default_rng(0), act, 3)
    actions[wrong] = 257
    with pytest.raises(InvalidAction, match="no such token: got 257; expected an id from 0 to 256"):
        env.step(actions)
    for slot in range(3):
        np.testing.assert_array_equal(env.get_state(slot).context, before[slot].context)
