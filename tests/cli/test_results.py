"""Results on disk belong to what they were made from; tasks are taken by every name; errors are sentences."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from codegym import FakeSandbox, StdinCheck, Task
from codegym.cli import errors_as_sentences, main, options
from codegym.jsonl import lock
from codegym.sandbox.base import Execution, ExitReason, Request, Run
from codegym.tasks.datasets import save_tasks

TASKS = [Task(str(number), "Print it.", (StdinCheck("", str(number)),), solution=f"{number}") for number in range(2)]


def print_source(request: Request) -> Execution:
    """Run of a program that prints its own source."""
    return Execution(runs=(Run(ExitReason.EXITED, 0, request.source.encode(), None, 0.25),))


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder with two tasks and two samples; every sandbox is a fake."""
    monkeypatch.setattr(options, "open_sandbox", lambda *_, **__: FakeSandbox(print_source))
    save_tasks(TASKS, tmp_path / "tasks.jsonl")
    rows = [{"task_id": number, "completion": str(number)} for number in range(2)]
    (tmp_path / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def run(*args: object) -> int:
    with pytest.raises(SystemExit) as exit:
        main([str(arg) for arg in args])
    return int(exit.value.code or 0)


def judge(folder: Path, *args: object) -> int:
    return run("judge", folder / "samples.jsonl", "--tasks", folder / "tasks.jsonl", *args)


def test_kept_verdicts_are_reported(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert judge(data) == 0
    assert "kept" not in capsys.readouterr().err
    assert judge(data) == 0
    assert "2 verdicts kept from" in " ".join(capsys.readouterr().err.split())


CHANGES = [
    (["--limits.cpu-seconds", "9"], "got limits.cpu_seconds=9.0; expected"),
    (["--limits.memory-mb", "99"], "got limits.memory_mb=99; expected"),
    (["--packages", "numpy"], "got packages=['numpy']; expected []"),
    (["--preload", "json"], "got preload=['json']; expected []"),
    (["--sandbox", "docker"], "got sandbox='docker'; expected 'auto'"),
    (["--stop-at-first-failure"], "got stop_at_first_failure=True; expected False"),
    (["--trace-lines"], "got trace_lines=True; expected False"),
]


@pytest.mark.parametrize(("change", "message"), CHANGES, ids=lambda item: item[0] if isinstance(item, list) else "")
def test_verdicts_of_other_settings_are_refused(data: Path, change: list[str], message: str, capsys: Any) -> None:
    assert judge(data) == 0
    before = (data / "samples.verdicts.jsonl").read_bytes()
    assert judge(data, *change) == 1
    shown = capsys.readouterr().err
    assert f"samples.verdicts.jsonl was made with other settings: {message}" in shown and "--overwrite" in shown
    assert (data / "samples.verdicts.jsonl").read_bytes() == before
    assert judge(data, *change, "--overwrite") == 0


@pytest.mark.parametrize(
    "change",
    [{"checks": (StdinCheck("", "7"),)}, {"comparison": "apps"}, {"preamble": "x = 1\n"}],
    ids=["check", "comparison rule", "preamble"],
)
def test_verdicts_of_other_tasks_are_refused(data: Path, change: dict[str, Any], capsys: Any) -> None:
    assert judge(data) == 0
    first = {"task_id": "0", "prompt": "Print it.", "checks": (StdinCheck("", "0"),), "solution": "0"}
    save_tasks([Task(**first | change), TASKS[1]], data / "tasks.jsonl")
    assert judge(data) == 1
    assert "got tasks_digest='" in capsys.readouterr().err


def test_same_tasks_in_another_file_continue(data: Path) -> None:
    assert judge(data, "--workers", 1) == 0
    (data / "tasks.jsonl").rename(data / "moved.jsonl")
    moved = ("--tasks", data / "moved.jsonl", "--workers", 2)
    assert run("judge", data / "samples.jsonl", *moved) == 0


def test_second_process_is_refused(data: Path, capsys: Any) -> None:
    held = lock(data / "samples.verdicts.jsonl")
    assert judge(data) == 1
    assert "samples.verdicts.jsonl is in use" in capsys.readouterr().err
    held.release()
    assert judge(data) == 0


@pytest.mark.parametrize("name", ["own_tasks:TASKS", "own_tasks:OwnFamily"])
def test_tasks_of_the_users_own_are_named_by_their_path(
    data: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    (data / "own_tasks.py").write_text(
        "from codegym import StdinCheck, Task\n"
        "TASKS = [Task(str(n), 'Print it.', (StdinCheck('', str(n)),), solution=str(n)) for n in range(2)]\n"
        "class OwnFamily:\n"
        "    def draw(self, rng): return TASKS[int(rng.integers(2))]\n"
        "    def by_id(self, task_id): return TASKS[int(task_id)]\n"
    )
    monkeypatch.syspath_prepend(data)
    monkeypatch.delitem(sys.modules, "own_tasks", raising=False)
    assert run("validate", "--tasks", name, "--num-tasks", 9) == 0
    assert "2 of 2 gold solutions passed" in capsys.readouterr().out


@pytest.mark.parametrize("family", ["arithmetic", "pipelines"])
def test_families_are_tasks(data: Path, family: str, capsys: Any) -> None:
    run("validate", "--tasks", family, "--num-tasks", 3)
    assert "of 3 tasks refused the empty program" in capsys.readouterr().out


def test_version(capsys: Any) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out.startswith("codegym 0.")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ["evaluate", "nope", "--tasks", "arithmetic", "--num-tasks", 2],
            "no such policy: got 'nope'; expected a folder",
        ),
        (["evaluate", "agents/nope", "--tasks", "arithmetic", "--num-tasks", 2], "no such policy: got 'agents/nope'"),
        (["validate", "--tasks", "nope.jsonl"], "nope.jsonl: cannot be read"),
        (["validate", "--tasks", "no_module:TASKS"], "no module 'no_module'"),
        (["validate", "--tasks", "arithmetic"], "Add --num-tasks 100"),
        (["replay", "nope.jsonl"], "nope.jsonl"),
    ],
)
def test_what_is_missing_is_one_line_at_once(args: list[object], message: str, capsys: Any) -> None:
    assert run(*args) == 1
    shown = capsys.readouterr().err
    assert message in shown and shown.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("too small"), "tool: too small\n"),
        (ModuleNotFoundError("No module named 'torch'", name="torch"), "codegym[agents]"),
        (ModuleNotFoundError("No module named 'docker'", name="docker.errors"), "pip install 'codegym[docker]'\n"),
    ],
)
def test_expected_errors_are_sentences_with_a_hint(error: Exception, line: str, capsys: Any) -> None:
    with pytest.raises(SystemExit) as exit, errors_as_sentences("tool"):
        raise error
    assert exit.value.code == 1 and line in capsys.readouterr().err


def test_unexpected_errors_keep_their_traceback() -> None:
    with pytest.raises(ZeroDivisionError), errors_as_sentences("tool"):
        raise ZeroDivisionError
