"""Environments on a real sandbox: programs run, one sandbox serves all episodes of a process, nothing is left."""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import subprocess
import sys
import tempfile
import threading
import time
from multiprocessing import resource_tracker
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv
from helpers.env_play import EOS

from codegym.envs.env import LineEnv, TokenEnv
from codegym.envs.vector import LineVectorEnv
from codegym.sandbox.process import ProcessSandbox

ROOT = Path(__file__).resolve().parents[2]
LIMITS = {"cpu_seconds": 2, "wall_seconds": 6, "memory_mb": 256}
BACKENDS = ["process", pytest.param("docker", marks=pytest.mark.docker)]


def children():
    """Processes that this one has started."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):
            found |= {int(pid) for pid in (task / "children").read_text().split()}
    return found


def containers():
    from codegym.sandbox.docker import OWNER, engine, owner

    with engine() as client:
        return {
            one.id
            for one in client.containers.list(all=True, filters={"label": f"{OWNER}={owner()}"}, ignore_removed=True)
        }


def wait_until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextlib.contextmanager
def nothing_left(backend, folder, monkeypatch):
    """Afterwards there are no processes, threads, files or containers that were not there before."""
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    resource_tracker.ensure_running()  # a process of Python's own, which stays
    before, threads = children(), set(threading.enumerate())
    boxes = containers() if backend == "docker" else set()
    yield
    gc.collect()
    wait_until(lambda: children() <= before)
    wait_until(lambda: set(threading.enumerate()) <= threads)
    assert list(folder.iterdir()) == []
    if backend == "docker":
        wait_until(lambda: containers() <= boxes)


def test_a_gold_program_passes_and_a_wrong_one_does_not():
    env = gym.make("codegym/Line-v0", sandbox="process", limits=LIMITS)
    found = []
    for wrong in (False, True):
        env.reset(seed=1)
        gold = env.unwrapped.batch.task(0).solution
        env.step(gold.replace("return x", "return x + 1") if wrong else gold)
        found.append(env.step("")[1])
    env.close()
    assert found == [1.0, 0.0]


@pytest.mark.parametrize("backend", BACKENDS)
def test_many_episodes_and_environments_share_one_sandbox_and_leave_nothing(backend, tmp_path, monkeypatch):
    with nothing_left(backend, tmp_path, monkeypatch):
        idle = children()
        one, other = (TokenEnv(sandbox=backend, limits=LIMITS) for _ in range(2))
        assert children() == idle  # nothing is opened before a program has ended
        judges = set()
        for number in range(6):
            env = (one, other)[number % 2]
            env.reset(seed=number)
            gold = env.batch.task(0).solution + f"# {number}"
            for token in [*gold.encode(), EOS]:
                _, reward, terminated, _, info = env.step(token)
            assert (reward, terminated, info["reward_valid"]) == (1.0, True, True)
            judges.add(env.batch.dynamics.judge._judge)
        assert len(judges) == 1
        assert containers() if backend == "docker" else children() > idle
        one.close()
        one.close()
        other.reset(seed=1)
        other.step(97)
        assert other.step(EOS)[-1]["verdict"].status.value == "runtime_error"  # the other one goes on: no name a
        other.close()


def test_an_environment_can_be_used_again_after_close():
    env = TokenEnv(sandbox="process", limits=LIMITS)
    for _ in range(2):
        env.reset(seed=1)
        assert env.step(EOS)[-1]["reward_valid"]
        env.close()


def test_a_sandbox_of_ones_own_stays_open():
    with ProcessSandbox(num_workers=1) as sandbox:
        for _ in range(2):
            env = TokenEnv(sandbox=sandbox)
            env.reset(seed=1)
            assert env.step(EOS)[2]
            env.close()


@pytest.mark.parametrize("backend", BACKENDS)
def test_gold_programs_of_mbpp_pass_and_wrong_ones_do_not(backend, shared_data):
    path = shared_data / "mbpp.jsonl"
    env = gym.make_vec("codegym/MBPP-Line-v0", num_envs=8, path=path, sandbox=backend, limits=LIMITS, max_tokens=2048)
    assert isinstance(env, LineVectorEnv)
    task_ids = [env.batch.source.tasks[index].task_id for index in range(0, 64, 8)]
    for wrong in (False, True):
        env.reset(seed=0, options={"task_id": task_ids})
        texts = [env.batch.task(slot).solution for slot in range(8)]
        env.step([text.replace("return", "return None;") if wrong else text for text in texts])
        rewards = env.step([""] * 8)[1]
        assert rewards.tolist() == [float(not wrong)] * 8
    env.close()


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_verdict_says_what_happened(backend):
    env = LineEnv(sandbox=backend, limits={"cpu_seconds": 1, "wall_seconds": 2})
    found = {}
    for name, program in {
        "syntax_error": "def f(x)\n",
        "runtime_error": "def f(x):\n    return 1 // 0\n",
        "wrong_answer": "def f(x):\n    return 'no'\n",
        "timeout": "def f(x):\n    while True: pass\n",
    }.items():
        env.reset(seed=1)
        env.step(program)
        info = env.step("")[-1]
        found[name] = info["verdict"].status.value
    env.close()
    assert list(found) == list(found.values())


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_processes_open_a_sandbox_each_and_leave_nothing(context, tmp_path, monkeypatch):
    with nothing_left("process", tmp_path, monkeypatch):
        make = functools.partial(LineEnv, sandbox="process", limits=LIMITS, max_line_tokens=8)
        env = AsyncVectorEnv([make] * 2, context=context)
        env.reset(seed=1)
        actions = np.full((2, 8), EOS)
        _, rewards, terminations, _, infos = env.step(actions)
        assert (rewards.tolist(), terminations.tolist(), infos["reward_valid"].tolist()) == (
            [0, 0],
            [True] * 2,
            [True] * 2,
        )
        env.close()


def test_a_program_that_forgets_to_close_leaves_nothing(tmp_path):
    code = "import codegym, gymnasium as gym\nenv = gym.make('codegym/Token-v0', sandbox='process')\n"
    code += "env.reset(seed=1)\nprint(env.step(256)[2])\n"
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error", "-c", code]
    answer = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert (answer.stdout, answer.stderr, answer.returncode) == ("True\n", "", 0)
    assert list(tmp_path.iterdir()) == []
