"""A back end of one's own is one file: named by its path or by an entry point, it works wherever a name does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from codegym.sandbox import Limits, open_sandbox
from codegym.sandbox.process import unavailable_reason
from codegym.tasks.datasets import save_tasks
from codegym.tasks.record import StdinCheck, Task
from codegym.testing import check_sandbox

ROOT = Path(__file__).resolve().parents[2]
BACKEND = '''
"""Counts the programs that it passes on to the process back end."""
from codegym.errors import SandboxUnavailable
from codegym.sandbox import ProcessSandbox, Sandbox

AVAILABLE = True


class CountingSandbox(Sandbox):
    count = 0

    @staticmethod
    def check_available():
        if not AVAILABLE:
            raise SandboxUnavailable("the counter is broken")

    def __init__(self, limits, num_workers=None, *, packages=(), preload=()):
        self.inner = ProcessSandbox(limits, num_workers or 2, packages=packages, preload=preload)
        self.num_workers = self.inner.num_workers

    def submit(self, request, *, exclusive=False):
        CountingSandbox.count += 1
        return self.inner.submit(request, exclusive=exclusive)

    def close(self):
        self.inner.close()
'''
PATH = "counting_backend:CountingSandbox"

pytestmark = pytest.mark.skipif(
    unavailable_reason("root") is not None and unavailable_reason("user") is not None, reason="no process sandbox here"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one file, from which Python imports."""
    (tmp_path / "counting_backend.py").write_text(BACKEND)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "counting_backend", raising=False)
    return tmp_path


def make_count() -> int:
    return sys.modules["counting_backend"].CountingSandbox.count  # type: ignore[no-any-return]


@pytest.mark.usefixtures("folder")
def test_it_is_opened_by_its_path() -> None:
    with open_sandbox(PATH, Limits(), 1) as sandbox:
        assert sandbox.num_workers == 1


@pytest.mark.usefixtures("folder")
def test_it_is_checked_by_the_contract() -> None:
    check_sandbox(lambda limits: open_sandbox(PATH, limits, 2))
    assert make_count() > 100


@pytest.mark.usefixtures("folder")
def test_environments_judge_in_it() -> None:
    gym = pytest.importorskip("gymnasium")
    env = gym.make("codegym/Line-v0", tasks="arithmetic", sandbox=PATH, disable_env_checker=True)
    _, info = env.reset(seed=1)
    assert info["task_id"]
    terminated = False
    while not terminated:
        *_, terminated, _, info = env.step(env.action_space.sample())
    assert info["verdict"] is not None
    assert make_count() == 1
    env.close()


@pytest.mark.usefixtures("folder")
def test_its_own_reason_is_the_error_of_make(monkeypatch: pytest.MonkeyPatch) -> None:
    gym = pytest.importorskip("gymnasium")
    with open_sandbox(PATH, Limits(), 1):
        monkeypatch.setattr(sys.modules["counting_backend"], "AVAILABLE", False)
    with pytest.raises(Exception, match="the counter is broken"):
        gym.make("codegym/Line-v0", tasks="arithmetic", sandbox=PATH)


def run_command(folder: Path, *arguments: str) -> str:
    environment = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", "codegym.cli", *arguments]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_commands_take_its_path(folder: Path) -> None:
    save_tasks([Task("double", "Print twice the number.", (StdinCheck("2", "4"),))], folder / "tasks.jsonl")
    sample = {"task_id": "double", "completion": "print(2 * int(input()))"}
    (folder / "samples.jsonl").write_text(json.dumps(sample) + "\n")
    tasks = ["--tasks", "jsonl", "--path", "tasks.jsonl"]
    run_command(folder, "judge", "samples.jsonl", *tasks, "--sandbox", PATH, "--workers", "1")
    (verdict,) = (folder / "samples.verdicts.jsonl").read_text().splitlines()
    assert json.loads(verdict)["passed"] is True


def test_an_entry_point_gives_it_a_name(folder: Path) -> None:
    metadata = folder / "counting_backend-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: counting-backend\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[codegym.sandboxes]\ncounting = {PATH}\n")
    assert "Measured inside CountingSandbox" in run_command(folder, "sandbox", "check", "--sandbox", "counting")
    assert "counting" in run_command(folder, "sandbox", "check", "--help")
