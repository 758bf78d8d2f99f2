"""A machine that fails says nothing about a program; a line scorer that breaks its contract is an error."""

from __future__ import annotations

import contextlib
import threading
import time

import numpy as np
import pytest
from helpers.env_judges import FAILED, FailingAtTimes, JudgeSays, ScorerSays
from helpers.env_play import EOS, SINGLE, TASK, draw_actions, small

from codegym.envs.env import TokenEnv
from codegym.envs.vector import LineVectorEnv, TokenVectorEnv
from codegym.errors import LineScorerError, SandboxError
from codegym.rewards import REWARDS
from codegym.sandbox.base import FakeSandbox
from codegym.tasks.record import CallCheck, StdinCheck, Task

BROKEN = JudgeSays(SandboxError("the machine failed"))
EVERY_TERM = dict.fromkeys(REWARDS, 1.0)


def test_a_program_that_could_not_be_judged_is_cut_off_and_does_not_count():
    env = TokenEnv(sandbox=BROKEN)
    env.reset(seed=1)
    _, reward, terminated, truncated, info = env.step(EOS)
    assert (reward, terminated, truncated) == (0.0, False, True)
    assert (info["reward_valid"], info["verdict"], info["is_success"]) == (False, None, False)
    assert not info["credit"].any()


def test_a_program_that_fails_is_another_thing():
    env = TokenEnv(sandbox=JudgeSays(FAILED))
    env.reset(seed=1)
    _, reward, terminated, truncated, info = env.step(EOS)
    assert (reward, terminated, truncated, info["reward_valid"]) == (0.0, True, False, True)


@pytest.mark.parametrize("act", ["Token", "Line"])
def test_what_lines_earned_stays_and_the_end_pays_nothing(act):
    env = SINGLE[act](**small(act, sandbox=BROKEN, reward=EVERY_TERM, line_scorer=ScorerSays()))
    env.reset(seed=1)
    steps = [env.step(action) for action in ([*b"x\ny\n", EOS] if act == "Token" else ["x\n", "y\n", ""])]
    info = steps[-1][-1]
    assert steps[-1][1] == 0.0 and not any(info["reward_terms"].values())
    assert sum(step[1] for step in steps) == pytest.approx(info["credit"].sum())
    assert info["line_scores"] == (0.5, 0.5)


def test_a_failure_from_a_sandbox_goes_the_same_way():
    def fail(request):
        raise SandboxError("no box is up")

    env = TokenEnv(sandbox=FakeSandbox(fail), tasks=TASK)
    env.reset(seed=1)
    assert env.step(EOS)[2:4] == (False, True)
    env.reset()  # the next one may go well
    assert env.text == ""


def test_a_vector_goes_on_and_only_the_failed_slots_are_invalid():
    env = TokenVectorEnv(3, **small("Token", sandbox=FailingAtTimes()))
    env.reset(seed=1)
    for token in b"#", b"\n":
        env.step([97, token[0], 97])
    _, _, terminations, truncations, infos = env.step([EOS, EOS, 97])
    assert (terminations.tolist(), truncations.tolist()) == ([True, False, False], [False, True, False])
    assert infos["final_info"]["reward_valid"].tolist()[:2] == [True, False]
    assert env.batch.text(0) == env.batch.text(1) == ""
    rng = np.random.default_rng(0)
    ended = np.zeros(2, int)
    for _ in range(200):
        _, rewards, terminations, truncations, infos = env.step(draw_actions(rng, "Token", 3))
        ended += terminations.sum(), truncations.sum()
        for slot in np.flatnonzero(truncations):
            assert rewards[slot] == 0.0
            assert infos["final_info"]["verdict"][slot] is None
    assert (ended > 3).all()


def test_the_reason_of_a_truncation_is_in_the_info():
    env = TokenEnv(**small("Token", sandbox=JudgeSays(SandboxError("no space left on the device"))))
    env.reset(seed=1)
    _, _, terminated, truncated, info = env.step(EOS)
    assert (terminated, truncated, info["failure"]) == (False, True, "no space left on the device")
    assert env.get_state().failure == "no space left on the device"
    env = TokenEnv(**small("Token"))
    env.reset(seed=1)
    assert env.step(EOS)[-1]["failure"] is None


# --- line scorers ---------------------------------------------------------------------------------------------------

WRONG_ANSWERS = {
    "None": lambda requests: None,
    "a text": lambda requests: "0.5",
    "a flat list": lambda requests: [0.5 for _ in requests],
    "texts": lambda requests: [["0.5"] for _ in requests],
    "none at all": lambda requests: [],
    "too few": lambda requests: [[] for _ in requests],
    "too many": lambda requests: [[0.5] * (len(request.indices) + 1) for request in requests],
    "one too many": lambda requests: [[0.5] * len(request.indices) for request in requests] + [[]],
    "NaN": lambda requests: [[float("nan")] * len(request.indices) for request in requests],
    "infinite": lambda requests: [[np.inf] * len(request.indices) for request in requests],
}


@pytest.mark.parametrize("answer", WRONG_ANSWERS.values(), ids=WRONG_ANSWERS)
@pytest.mark.parametrize("act", ["Token", "Line"])
def test_wrong_scores_are_an_error_and_nothing_is_lost(act, answer):
    scorer = ScorerSays(answer)
    env = SINGLE[act](**small(act, line_scorer=scorer, reward="process"))
    env.reset(seed=1)
    if act == "Token":
        env.step(97)
    with pytest.raises(LineScorerError, match="wrong .* of .*: got .*; expected"):
        env.step(10 if act == "Token" else "a\n")
    scorer.answer = ScorerSays().answer
    assert env.text == "a\n"
    rewards = [env.step(action)[1] for action in ([98, 10] if act == "Token" else ["b\n"])]
    assert sum(rewards) == 1.0  # both lines, at the next step that tells of one
    assert sum(env.step(EOS if act == "Token" else "")[-1]["credit"]) == 1.0


@pytest.mark.parametrize("act", ["Token", "Line"])
def test_an_error_of_the_scorer_at_the_end_can_be_tried_again(act):
    scorer = ScorerSays(WRONG_ANSWERS["NaN"])
    env = SINGLE[act](**small(act, line_scorer=scorer, reward="psgpo"))
    env.reset(seed=1)
    env.step(97 if act == "Token" else "a")
    end = EOS if act == "Token" else ""
    with pytest.raises(LineScorerError):
        env.step(end)
    scorer.answer = ScorerSays().answer
    _, reward, terminated, _, info = env.step(end)  # is not written a second time
    assert (terminated, reward, info["num_tokens"]) == (True, 0.125, 2)


@pytest.mark.parametrize("overlap", [False, True])
@pytest.mark.parametrize("act", ["Token", "Line"])
def test_an_error_of_the_scorer_costs_no_slot_anything(act, overlap):
    scorer = ScorerSays(WRONG_ANSWERS["too few"])
    make, end = (TokenVectorEnv, EOS) if act == "Token" else (LineVectorEnv, "")
    env = make(3, overlap=overlap, **small(act, line_scorer=scorer, reward="process + psgpo"))
    env.reset(seed=1)
    if act == "Token":
        env.step([97, 97, 97])
        failing = [end, 10, 98]
    else:
        scorer.answer = ScorerSays().answer
        env.step(["a"] * 3)
        scorer.answer = WRONG_ANSWERS["too few"]
        failing = [end, "\n", "b"]
    with pytest.raises(LineScorerError):
        env.step(failing)
    scorer.answer = ScorerSays().answer
    _, rewards, terminations, _, infos = env.step([99, 99, 99] if act == "Token" else ["c"] * 3)
    assert terminations.tolist() == [True, False, False]
    assert rewards.tolist() == [0.5 + 0.125, 0.5, 0.0]
    assert infos["final_info"]["text"][0] == "a"
    assert [env.batch.text(slot) for slot in (1, 2)] == ["a\nc", "abc"]


# --- the real thing -------------------------------------------------------------------------------------------------


@pytest.mark.docker
@pytest.mark.slow
def test_killed_containers_leave_every_episode_right_or_invalid():
    docker = pytest.importorskip("docker")
    from codegym.sandbox.docker import OWNER, DockerSandbox, owner

    client = docker.from_env()
    over = threading.Event()
    killed = []

    def kill_containers():
        while not over.wait(0.3):
            for container in client.containers.list(filters={"label": f"{OWNER}={owner()}"}, ignore_removed=True):
                with contextlib.suppress(docker.errors.APIError):
                    client.api.kill(container.id)
                    killed.append(container.id)
            time.sleep(0.5)

    task = Task("t", "f\n", (CallCheck((1,), 2), CallCheck((2,), 3)), entry_point="f")
    script = Task("s", "s\n", (StdinCheck("1", "2"),))
    wait = "import time\ntime.sleep(0.05)\n"
    right = {"t": wait + "def f(x): return x + 1\n#", "s": wait + "print(int(input()) + 1)\n#"}
    with DockerSandbox(num_workers=2) as sandbox:
        env = LineVectorEnv(8, sandbox=sandbox, tasks=[task, script], max_tokens=200)
        killer = threading.Thread(target=kill_containers)
        infos = env.reset(seed=0)[1]
        killer.start()
        try:
            valid = 0
            for number in range(5):
                ids = list(infos["task_id"])
                wrong = [slot % 2 for slot in range(8)]
                texts = [right[name].replace("+ 1", f"+ {1 + bad}") for name, bad in zip(ids, wrong, strict=True)]
                env.step([f"{text}{number}.{slot}\n" for slot, text in enumerate(texts)])  # none twice: no cache
                _, rewards, terminations, truncations, infos = env.step([""] * 8)
                assert (terminations ^ truncations).all()
                for slot, ended in enumerate(terminations):
                    assert bool(infos["final_info"]["reward_valid"][slot]) is bool(ended)
                    if ended:
                        valid += 1
                        assert rewards[slot] == float(not wrong[slot])
                    else:
                        assert infos["final_info"]["verdict"][slot] is None
        finally:
            over.set()
            killer.join()
            client.close()
        assert killed and valid
