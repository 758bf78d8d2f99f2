"""The corpora are what they say: enough of them, well named, and every honest program right in a plain interpreter.

No exploit is run here. That no exploit passes and every oddity does is tested against each back end.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import exploits
import oddities
import pytest
from helpers.corpus import ARGUMENTS, GOLD, PROBE_END, TASKS, VISIBLE, Case, mix, rival

from codegym.tasks.record import AssertCheck, CallCheck, StdinCheck, Task

EVERYTHING = exploits.ALL_CASES + oddities.ALL_CASES
HOSTILE = [f"R{n}" for n in range(1, 12)] + [f"S{n}" for n in (1, 2, 3, 4, 5, 6, 7, 10, 12, 14)]
HARNESS = """\
import sys
nan, inf = float("nan"), float("inf")
program, examiner, checks, entry_point, calls = PARTS
module = type(sys)("program")
sys.modules["program"] = module
try:
    exec(compile(program, "<program>", "exec"), module.__dict__)
except SystemExit:
    pass
space = dict(module.__dict__)
exec(examiner, space)
for check in checks:
    exec(check, space)
for arguments, want in calls:
    owner, _, name = entry_point.rpartition(".")
    got = getattr(module.__dict__[owner]() if owner else module, name)(*arguments)
    assert got == want, (got, want)
print("THROUGH", file=sys.__stderr__)
"""


def base_name(case: Case) -> str:
    return case.name.split("@")[0]


def run(source: str, stdin: str, folder: Path, *options: str) -> subprocess.CompletedProcess[bytes]:
    """Run a program of our own in a plain interpreter."""
    path = folder / "program.py"
    path.write_bytes(source.encode())
    command = [sys.executable, "-I", "-X", "utf8", *options, str(path)]
    return subprocess.run(command, input=stdin.encode(), capture_output=True, timeout=60, cwd=folder, check=False)


def lines(output: str) -> list[str]:
    return [line.rstrip() for line in output.rstrip().split("\n")]


def assert_passes(program: str, task: Task, folder: Path) -> None:
    """What the tests of the task say in one process, without any defence."""
    source = task.preamble + program
    if isinstance(task.checks[0], StdinCheck):
        for check in task.checks:
            done = run(source, check.stdin, folder)
            assert done.returncode == 0, done.stderr[-500:]
            assert lines(done.stdout.decode()) == lines(check.stdout)
        return
    checks = [check.source for check in task.checks if isinstance(check, AssertCheck)]
    calls = [(check.arguments, check.expected) for check in task.checks if isinstance(check, CallCheck)]
    digits = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    parts = ascii((source, task.examiner, checks, task.entry_point, calls))
    sys.set_int_max_str_digits(digits)
    done = run(HARNESS.replace("PARTS", parts, 1), "", folder, "-X", "int_max_str_digits=0")
    assert b"THROUGH" in done.stderr, done.stderr[-500:]


def test_names_are_unique():
    twice = [name for name, count in Counter(case.name for case in EVERYTHING).items() if count > 1]
    assert not twice


def test_there_are_enough_programs():
    assert len({base_name(case) for case in exploits.ALL_CASES}) >= 130
    assert len({base_name(case) for case in oddities.ALL_CASES}) >= 80


@pytest.mark.parametrize("trap", HOSTILE)
def test_every_hostile_trap_has_an_exploit(trap):
    assert any(case.why.startswith(f"{trap}: ") for case in exploits.ALL_CASES)


def test_every_case_is_a_program_with_a_reason_in_one_line():
    for case in EVERYTHING:
        assert isinstance(case.program, str), case.name
        assert case.why[0] in "RS" and ": " in case.why and "\n" not in case.why, case.name


def test_only_probes_know_the_solution():
    for case in exploits.ALL_CASES:
        assert (GOLD in case.program) == (PROBE_END in case.program), case.name


def test_no_exploit_contains_an_answer_but_the_one_that_says_so():
    answers = [str(mix(*arguments)) for arguments in ARGUMENTS]
    for case in exploits.ALL_CASES:
        if base_name(case) != "exit-after-one-check":
            assert not any(answer in case.program for answer in answers), case.name


def test_the_visible_example_is_no_check():
    assert VISIBLE not in ARGUMENTS


@pytest.mark.parametrize("case", oddities.ALL_CASES, ids=lambda case: case.name)
def test_honest_program_is_right_in_a_plain_interpreter(case, tmp_path):
    assert_passes(case.program, case.task, tmp_path)


@pytest.mark.parametrize("kind", TASKS)
def test_solution_of_each_task_is_right(kind, tmp_path):
    assert_passes(rival(kind), TASKS[kind], tmp_path)
