"""``overlap=True``: slots write on while programs of others are judged, and nothing is lost."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from helpers.env_judges import HeldJudge
from helpers.env_play import EOS, VECTOR, assert_same, draw_actions, small

from codegym.envs.vector import TokenVectorEnv

DENSE = {"reward": "outcome + 0.5*process + psgpo", "line_scorer": "fake"}
MODES = list(AutoresetMode)


def held(num_envs, **keywords):
    judge = HeldJudge()
    env = TokenVectorEnv(num_envs, overlap=True, **small("Token", sandbox=judge, **DENSE) | keywords)
    env.reset(seed=1, options={"task_id": "arithmetic:+1"})
    return env, judge


def test_a_slot_waits_for_its_verdict_while_another_writes():
    env, judge = held(2)
    observations, rewards, terminations, _, infos = env.step([EOS, 97])
    assert (rewards.tolist(), terminations.tolist()) == ([0.0, 0.0], [False, False])
    assert (infos["waiting"].tolist(), infos["_waiting"].tolist()) == ([True, False], [True, False])
    again, _, _, _, infos = env.step([97, 98])  # the first action is ignored
    np.testing.assert_array_equal(again["tokens"][0], observations["tokens"][0])
    assert env.batch.text(1) == "ab"
    judge.release()
    _, _, terminations, _, infos = env.step([97, 99])
    assert terminations.tolist() == [True, False]
    assert "waiting" not in infos
    assert infos["final_info"]["num_tokens"][0] == 1
    assert env.batch.text(0) == "" and env.batch.text(1) == "abc"


def test_where_all_wait_a_step_blocks_until_one_verdict_is_there():
    env, judge = held(2)
    env.step([EOS, 97])
    found = []
    thread = threading.Thread(target=lambda: found.append(env.step([97, EOS])))
    thread.start()
    time.sleep(0.1)
    assert thread.is_alive() and len(judge.held) == 2
    judge.release(1)
    thread.join(20)
    assert not thread.is_alive()
    assert found[0][2].tolist() == [False, True]
    assert found[0][-1]["waiting"].tolist() == [True, False]
    judge.release()
    assert env.step([97, 97])[2].tolist() == [True, False]


def test_verdicts_may_come_in_any_order():
    env, judge = held(3)
    env.step([EOS, EOS, 97])
    judge.release(1)
    assert env.step([97, 97, 97])[2].tolist() == [False, True, False]
    judge.release(0)
    assert env.step([97, 97, 97])[2].tolist() == [True, False, False]


def test_lines_of_a_step_that_ends_are_told_with_the_verdict():
    env, judge = held(2)
    for token in b"def f(x):\n    x = x + 1\n    return x\n":
        env.step([token, 97 if token != 10 else 10])
    env.step([97, 97])
    env.step([EOS, 97])  # the line "a" is closed by the end
    judge.release()
    infos = env.step([97, 97])[-1]
    assert infos["final_info"]["lines"][0] == ("a",)


def test_a_verdict_that_is_there_at_once_costs_no_step():
    plain, overlapping = (TokenVectorEnv(3, overlap=overlap, **small("Token", **DENSE)) for overlap in (False, True))
    assert_same(plain.reset(seed=2), overlapping.reset(seed=2))
    rng = np.random.default_rng(0)
    for _ in range(100):
        actions = draw_actions(rng, "Token", 3)
        assert_same(plain.step(actions), overlapping.step(actions))


def test_reset_and_set_state_give_up_on_a_verdict():
    env, judge = held(2)
    state = env.get_state(0)
    env.step([EOS, EOS - 159])
    env.reset(seed=3, options={"reset_mask": np.array([True, False])})
    infos = env.step([97, 97])[-1]
    assert "waiting" not in infos and env.batch.text(0) == "a"
    env.step([EOS, 97])
    env.set_state(0, state)
    env.step([98, 97])
    assert env.batch.text(0) == "b"
    judge.release()
    assert env.step([97, 97])[2].tolist() == [False, False]


def episodes_of(env, scripts, release):
    """Play each slot's programs in turn, whenever the slot is not waiting; what every episode earned, by slot."""
    num_envs, mode = env.num_envs, env.autoreset_mode
    earned = [[] for _ in range(num_envs)]
    totals, places = np.zeros(num_envs), [0] * num_envs
    skip = np.zeros(num_envs, bool)  # slots whose action is ignored
    env.reset(seed=7)
    for step in range(2000):
        if all(len(found) >= 3 for found in earned):
            return [found[:3] for found in earned]
        actions = [script[place % len(script)] for script, place in zip(scripts, places, strict=True)]
        places = [place + (not ignored) for place, ignored in zip(places, skip, strict=True)]
        _, rewards, terminations, _, infos = env.step(actions)
        totals += rewards
        waiting = infos.get("waiting", np.zeros(num_envs, bool)).astype(bool)
        for slot in np.flatnonzero(terminations):
            final = infos["final_info"] if mode is AutoresetMode.SAME_STEP else infos
            earned[slot].append((round(totals[slot], 9), final["text"][slot], round(final["credit"][slot].sum(), 9)))
            totals[slot] = 0.0
        skip = waiting | (terminations & (mode is AutoresetMode.NEXT_STEP))
        if mode is AutoresetMode.DISABLED and terminations.any():
            env.reset(options={"reset_mask": terminations})
        release(step)
    raise AssertionError("some episodes never end")


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
def test_nothing_is_lost(mode):
    scripts = [[*b"def f(x):\n", 97, EOS], [*b"x = 1\ny = 2\n", EOS], [*b"# n\n", EOS]]
    keywords = small("Token", **DENSE)
    wanted = episodes_of(TokenVectorEnv(3, autoreset_mode=mode, **keywords), scripts, lambda step: None)
    judge = HeldJudge()
    rng = np.random.default_rng(0)

    def release(step):
        if step % 5 == 0 and judge.held:
            judge.release(*rng.integers(len(judge.held), size=2), len(judge.held) - 1, 0)

    ticker = Ticker(judge)
    env = TokenVectorEnv(3, autoreset_mode=mode, overlap=True, **keywords | {"sandbox": judge})
    with ticker:
        assert episodes_of(env, scripts, release) == wanted


class Ticker:
    """Releases everything from time to time, so that a step that blocks goes on."""

    def __init__(self, judge):
        self.judge, self.over = judge, threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.over.wait(0.05):
            for number, (future, _, _) in enumerate(list(self.judge.held)):
                if not future.done():
                    self.judge.release(number)
                    break

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


@pytest.mark.parametrize("act", ["Token", "Line"])
def test_lines_overlap_too(act):
    judge = HeldJudge()
    env = VECTOR[act](2, overlap=True, **small(act, sandbox=judge))
    env.reset(seed=0)
    action = {"Token": [EOS, 97], "Line": ["", "a"]}[act]
    assert env.step(action)[-1]["waiting"].tolist() == [True, False]
    judge.release()
    assert env.step(action)[2].tolist() == [True, False]
