"""The command line: judge and resume, validate, and what the sandbox commands say."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest

from codegym import AssertCheck, FakeSandbox, SandboxError, StdinCheck, Task, Verdict
from codegym.cli import main, options
from codegym.evaluation.evaluate import judge_in_order
from codegym.judge import Status
from codegym.sandbox.base import Execution, ExitReason, Failure, Request, Run
from codegym.sandbox.process import unavailable_reason
from codegym.tasks.datasets import save_tasks

ROOT = Path(__file__).resolve().parents[2]
TASKS = [Task(str(number), "Print it.", (StdinCheck("", str(number)),), solution=f"{number}") for number in range(3)]


class Machine(FakeSandbox):
    """A sandbox in which a program prints its own source; ``broken`` and ``stop`` are what their names say."""

    def __init__(self) -> None:
        super().__init__(self.run)
        self.sources: list[str] = []
        self.is_mended = False

    def run(self, request: Request) -> Execution:
        self.sources.append(request.source)
        if not self.is_mended and request.source.startswith("broken"):
            raise SandboxError("no power")
        if not self.is_mended and request.source.startswith("stop"):
            raise KeyboardInterrupt
        error = Failure("KeyError", "'x'", 1) if request.source.startswith("raise") else None
        return Execution(runs=(Run(ExitReason.EXITED, int(error is not None), request.source.encode(), error, 0.25),))


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr(options, "open_sandbox", lambda *_, **__: machine)
    return machine


@pytest.fixture
def data(tmp_path: Path) -> Path:
    save_tasks(TASKS, tmp_path / "tasks.jsonl")
    return tmp_path


def write_samples(path: Path, *samples: tuple[object, str]) -> None:
    text = "".join(json.dumps({"task_id": task, "completion": text, "seed": 7}) + "\n" for task, text in samples)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


def run(*args: object) -> int:
    with pytest.raises(SystemExit) as exit:
        main([str(arg) for arg in args])
    return int(exit.value.code or 0)


def judge(folder: Path, *args: object, samples: str = "samples.jsonl") -> int:
    return run("judge", folder / samples, "--tasks", "jsonl", "--path", folder / "tasks.jsonl", *args)


def verdicts(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "samples.verdicts.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("name", ["samples.jsonl", "samples.jsonl.gz"])
def test_judge_adds_a_verdict_to_every_sample(data: Path, machine: Machine, name: str, capsys) -> None:
    write_samples(data / name, (0, "0"), ("1", "wrong"), (2, "raise"), (0, "wrong"))
    assert judge(data, samples=name) == 0
    first, second, third, _ = verdicts(data)
    assert first == {
        **{"task_id": 0, "completion": "0", "seed": 7, "passed": True, "status": "passed", "passed_checks": 1},
        **{"total_checks": 1, "error_type": None, "error_message": None, "error_line": None, "cpu_seconds": 0.25},
    }
    assert (second["passed"], second["status"], second["passed_checks"]) == (False, "wrong_answer", 0)
    assert (third["error_type"], third["error_message"], third["error_line"]) == ("KeyError", "'x'", 1)
    out = capsys.readouterr().out
    assert "pass@1 │ 0.1667" in out  # (1/2 + 0 + 0) / 3
    assert "pass@10" not in out
    assert "3 of 3 tasks have samples" in out


def test_pass_at_ten_needs_ten_samples_of_every_task(data: Path, machine: Machine, capsys) -> None:
    write_samples(data / "samples.jsonl", *[(task, str(copy)) for task in range(3) for copy in range(10)])
    assert judge(data) == 0
    out = capsys.readouterr().out
    assert "pass@1  │ 0.1000" in out
    assert "pass@10 │ 1.0000" in out


def test_interrupted_judge_goes_on_where_it_ended(data: Path, machine: Machine) -> None:
    write_samples(data / "samples.jsonl", (0, "0"), (1, "1"), (2, "stop"), (0, "x"))
    assert judge(data) == 130
    assert [row["passed"] for row in verdicts(data)] == [True, True]
    machine.sources.clear()
    machine.is_mended = True
    assert judge(data) == 0
    assert machine.sources == ["stop", "x"]
    assert [row["passed"] for row in verdicts(data)] == [True, True, False, False]


def test_finished_judge_needs_no_machine(data: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    write_samples(data / "samples.jsonl", (0, "0"))
    assert judge(data) == 0
    monkeypatch.setattr(options, "open_sandbox", None)
    assert judge(data) == 0


@pytest.mark.parametrize("rest", [b'{"task_id": 1, "compl', b'{"task_id": 1, "completion": "1"}', b"\0\0\0"])
def test_half_written_last_line_is_repaired(data: Path, machine: Machine, rest: bytes) -> None:
    write_samples(data / "samples.jsonl", (0, "0"), (1, "1"))
    assert judge(data) == 0
    path = data / "samples.verdicts.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole.split(b"\n")[0] + b"\n" + rest)
    assert judge(data) == 0
    assert path.read_bytes() == whole


def test_verdicts_of_other_samples_are_refused(data: Path, machine: Machine, capsys) -> None:
    write_samples(data / "samples.jsonl", (0, "0"), (1, "1"))
    assert judge(data) == 0
    before = (data / "samples.verdicts.jsonl").read_bytes()
    write_samples(data / "samples.jsonl", (0, "0"), (1, "2"))
    assert judge(data) == 1
    assert "samples.verdicts.jsonl, line 2: got the verdict of another sample; expected that of sample 2" in (
        said := capsys.readouterr().err
    )
    assert "--overwrite" in said
    assert (data / "samples.verdicts.jsonl").read_bytes() == before
    assert judge(data, "--overwrite") == 0
    assert verdicts(data)[1]["completion"] == "2"


def test_fewer_samples_than_verdicts_are_refused(data: Path, machine: Machine) -> None:
    write_samples(data / "samples.jsonl", (0, "0"), (1, "1"))
    assert judge(data) == 0
    write_samples(data / "samples.jsonl", (0, "0"))
    assert judge(data) == 1


def test_failure_of_the_machine_is_no_verdict_and_is_mended(data: Path, machine: Machine, capsys) -> None:
    write_samples(data / "samples.jsonl", (0, "broken"), (0, "0"), (1, "broken"), (2, "2"))
    assert judge(data) == 2
    assert [row["passed"] for row in verdicts(data)] == [None, True, None, True]
    assert verdicts(data)[0]["status"] == "infrastructure_failure"
    assert "pass@1 │ 1.0000" in capsys.readouterr().out  # of the two tasks that have a verdict
    machine.sources.clear()
    machine.is_mended = True
    assert judge(data) == 0
    assert machine.sources == ["broken", "broken"]
    assert [row["passed"] for row in verdicts(data)] == [False, True, False, True]
    shown = sorted(path.name for path in data.iterdir() if not path.name.startswith("."))
    assert shown == ["samples.jsonl", "samples.verdicts.card.json", "samples.verdicts.jsonl", "tasks.jsonl"]


def test_mending_can_be_interrupted_as_well(data: Path, machine: Machine) -> None:
    write_samples(data / "samples.jsonl", (0, "broken 0"), (1, "broken 1"), (2, "2"))
    assert judge(data) == 2
    answer, machine.answer = machine.answer, lambda request: stop_at(request, "broken 1")
    machine.is_mended = True

    def stop_at(request: Request, source: str) -> Execution:
        if request.source == source:
            raise KeyboardInterrupt
        return answer(request)

    assert judge(data) == 130
    machine.answer = answer
    machine.sources.clear()
    assert judge(data) == 0
    assert machine.sources == ["broken 1"]  # "broken 0" was kept
    assert [row["status"] for row in verdicts(data)] == ["wrong_answer", "wrong_answer", "passed"]


def test_machine_that_stays_broken_ends_the_run(data: Path, machine: Machine, capsys) -> None:
    write_samples(data / "samples.jsonl", *[(0, f"broken {number}") for number in range(200)])
    assert judge(data) == 1
    assert "in a row" in capsys.readouterr().err
    assert len(verdicts(data)) == 64


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "not JSON"),
        ("[1]", "got a list of 1; expected a JSON object"),
        ('{"completion": ""}', "field 'task_id' is missing"),
        ('{"task_id": 0}', "field 'completion' is missing"),
        ('{"task_id": 0, "completion": 3}', "field 'completion': got 3, wanted a string"),
        ('{"task_id": true, "completion": ""}', "field 'task_id': got True"),
        ('{"task_id": 9, "completion": ""}', "field 'task_id': got 9; expected the id of one of the 3 tasks"),
    ],
)
def test_bad_sample_names_file_line_and_field(data: Path, machine: Machine, line: str, said: str, capsys) -> None:
    (data / "samples.jsonl").write_text(f'{{"task_id": 0, "completion": ""}}\n\n{line}\n')
    assert judge(data) == 1
    message = capsys.readouterr().err
    assert "samples.jsonl, line 3: " in message
    assert said in message
    assert message.count("\n") == 1  # no traceback
    assert not (data / "samples.verdicts.jsonl").exists()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["judge", "no.jsonl", "--tasks", "jsonl", "--path", "{tasks}"], "no.jsonl: cannot be read"),
        (["judge", "no.txt", "--tasks", "jsonl", "--path", "{tasks}"], "expected a name that ends in .jsonl"),
        (["judge", "no.jsonl", "--tasks", "jsonl", "--path", "no.jsonl"], "no.jsonl: cannot be read"),
        (["judge", "no.jsonl", "--tasks", "pascal"], "unknown tasks: got 'pascal'; expected one of arithmetic"),
        (
            ["validate", "--tasks", "jsonl", "--path", "{tasks}", "--repeats", "0"],
            "got --repeats 0; expected at least 1",
        ),
        (
            ["validate", "--tasks", "jsonl", "--path", "{tasks}", "--limits.processes", "0"],
            "wrong limit processes: got",
        ),
    ],
)
def test_trouble_is_one_clear_line(data: Path, args: list[str], said: str, capsys) -> None:
    status = run(*(arg.format(tasks=data / "tasks.jsonl") for arg in args))
    message = capsys.readouterr().err
    assert status != 0
    assert said in message
    assert "Traceback" not in message


def test_out_may_not_be_the_samples(data: Path, machine: Machine, capsys) -> None:
    write_samples(data / "samples.jsonl", (0, "0"))
    assert judge(data, "--out", data / "samples.jsonl", "--overwrite") == 1
    assert "file of samples itself" in capsys.readouterr().err
    assert (data / "samples.jsonl").exists()


def test_window_is_kept_and_so_is_the_order() -> None:
    passed, waiting, most = Verdict(Status.PASSED, (Status.PASSED,)), [], 0

    def submit(item: int) -> Future[Verdict]:
        nonlocal most
        waiting.append(Future())
        most = max(most, sum(not future.done() for future in waiting))
        if len(waiting) % 10 == 0 or item == 94:  # ten finish at once, the last first
            for future in reversed(waiting):
                if not future.done():
                    future.set_result(passed)
        return waiting[-1]

    assert [item for item, _ in judge_in_order(range(95), submit, window=16)] == list(range(95))
    assert most <= 16


def test_validate_wants_gold_to_pass_and_nothing_to_fail(data: Path, machine: Machine, capsys) -> None:
    validate = ("validate", "--tasks", "jsonl", "--path", data / "tasks.jsonl")
    assert run(*validate, "--repeats", 2) == 0
    assert len(machine.sources) == 12  # three solutions and three empty programs, twice: nothing is remembered
    wrong = Task("wrong", "", (StdinCheck("", "1"),), solution="raise")
    empty = Task("empty", "", (StdinCheck("", ""),))
    own = Task("own", "", (AssertCheck("f()"),), exports=("f",), uses_candidate_types=True)
    save_tasks([*TASKS, wrong, empty, own], data / "tasks.jsonl")
    capsys.readouterr()
    assert run(*validate) == 1
    out = capsys.readouterr().out
    assert "3 of 4 gold solutions passed" in out
    assert "5 of 6 tasks refused the empty program" in out
    assert "2 tasks have no gold solution" in out
    assert "1 tasks use the candidate's own types" in out
    assert "KeyError" in out


def test_validate_tells_a_broken_machine_apart(data: Path, machine: Machine) -> None:
    save_tasks([Task("0", "", (StdinCheck("", "1"),), solution="broken")], data / "tasks.jsonl")
    assert run("validate", "--tasks", "jsonl", "--path", data / "tasks.jsonl") == 2


@pytest.mark.parametrize("command", ["judge", "validate", "sandbox build"])
def test_help_has_examples_and_every_limit(command: str, capsys) -> None:
    assert run(*command.split(), "--help") == 0
    said = capsys.readouterr().out
    assert f"codegym {command}" in said.partition("Try:")[2]
    for flag in ("cpu-seconds", "wall-seconds", "memory-mb", "processes", "output-mb", "temp-mb"):
        assert (f"--limits.{flag}" in said) is (command != "sandbox build")


def needs_process_sandbox() -> None:
    if all(unavailable_reason(level) for level in ("root", "user")):
        pytest.skip("no isolating process sandbox here")


def test_killed_judge_loses_nothing_finished(data: Path) -> None:
    needs_process_sandbox()
    slow = "import time\ntime.sleep(0.05)\nprint(0)"
    write_samples(data / "samples.jsonl", *[(0, f"{slow}  # {number}") for number in range(40)])
    arguments = ["judge", data / "samples.jsonl", "--tasks", "jsonl", "--path", data / "tasks.jsonl"]
    command = [sys.executable, "-m", "codegym.cli", *map(str, arguments), "--sandbox", "process", "--workers", "2"]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    out = data / "samples.verdicts.jsonl"
    wait_for(lambda: out.exists() and out.read_bytes().count(b"\n") >= 5)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = b"".join(line for line in out.read_bytes().splitlines(keepends=True) if line.endswith(b"\n"))
    assert 5 <= before.count(b"\n") < 40
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert out.read_bytes().startswith(before)
    assert [row["passed"] for row in verdicts(data)] == [True] * 40


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("sandbox", ["process", pytest.param("docker", marks=pytest.mark.docker)])
def test_check_measures_the_sandbox_from_inside(sandbox: str, capsys) -> None:
    if sandbox == "process":
        needs_process_sandbox()
    assert run("sandbox", "check", "--sandbox", sandbox) == 0
    lines = capsys.readouterr().out.partition("Measured inside")[2].splitlines()[1:]
    states = {line[8:26].strip(): line.split()[0] for line in lines if line.strip() and not line.startswith("    ")}
    assert len(states) == 13
    assert "absent" not in states.values()
    if sandbox == "docker" or os.geteuid() == 0:
        assert set(states.values()) == {"ok"}


def test_check_sees_what_is_missing_at_the_plain_level(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr("codegym.sandbox.process.strongest_level", lambda: "plain")
    assert run("sandbox", "check", "--sandbox", "process") == 1
    measured = capsys.readouterr().out.partition("Measured inside ProcessSandbox plain")[2]
    assert "absent  file system" in measured
    assert "absent  processes" in measured


def test_bench_times_what_works_here(capsys) -> None:
    needs_process_sandbox()
    assert run("sandbox", "bench", "--programs", 20, "--workers", 1) == 0
    assert "process (" in capsys.readouterr().out


@pytest.mark.docker
def test_image_is_built_and_leftovers_are_removed(capsys) -> None:
    assert run("sandbox", "build") == 0
    assert "codegym-sandbox:" in capsys.readouterr().out
    assert run("sandbox", "clean") == 0
    assert "containers removed" in capsys.readouterr().out
