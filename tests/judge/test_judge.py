"""What the judge makes of an execution."""

from __future__ import annotations

import pytest
from helpers.judging import (
    ASSERT,
    ASSERTION,
    CALL,
    ERROR,
    LIMIT_STATUS,
    MEMORY,
    NO_MEMORY,
    NOT_RUN,
    OUTPUT,
    PASSED,
    RAISED,
    STDIN,
    SYNTAX,
    TIMEOUT,
    WRONG,
    CountingSandbox,
    outcomes,
    printing,
    verdict_of,
)

from codegym.errors import SandboxError
from codegym.judge import Judge, Status
from codegym.sandbox.base import (
    AssertJob,
    CallJob,
    CheckResult,
    Execution,
    ExitReason,
    Failure,
    FakeSandbox,
    Limits,
    Request,
    Run,
    ScriptJob,
)
from codegym.tasks.record import CallCheck, StdinCheck, Task


def test_judge_runs_the_program_and_compares_what_it_printed():
    task = Task("double", "Print twice the number.", (StdinCheck("2", "4"),))
    sandbox = FakeSandbox(lambda request: Execution(runs=(Run(ExitReason.EXITED, stdout=b"4\n", cpu_seconds=0.1),)))
    verdict = Judge(sandbox)(task, "print(int(input()) * 2)")
    assert verdict.passed
    assert verdict.checks == (Status.PASSED,)
    assert (verdict.passed_checks, verdict.total_checks, verdict.cpu_seconds) == (1, 1, 0.1)
    assert verdict.error is None
    assert verdict.executed_lines is None


# --- what is asked of the sandbox -------------------------------------------------------------------------------


def asked(task, completion="", **options):
    sandbox = CountingSandbox()
    Judge(sandbox, **options).submit(task, completion)
    return sandbox.requests[0]


def test_program_is_preamble_and_completion():
    task = Task("t", "p", STDIN.checks, preamble="import math\n\n")
    limits = Limits(cpu_seconds=3)
    request = asked(task, "print(math.pi)", limits=limits, trace_lines=True)
    assert request == Request("import math\n\nprint(math.pi)", ScriptJob(("1", "2", "3")), limits, 3, True)


@pytest.mark.parametrize(
    ("preamble", "first_line"),
    [("", 1), ("a", 1), ("a\n", 2), ("a\r\n", 2), ("a\r", 2), ("a\r\n\r\n", 3), ("a\n\r", 3), ("a\x0c\x0b\u2028", 1)],
    ids=ascii,
)
def test_completion_begins_where_python_counts_its_first_line(preamble, first_line):
    assert asked(Task("t", "p", STDIN.checks, preamble=preamble)).first_line == first_line


def test_expected_values_never_leave_the_judge():
    assert asked(CALL).job == CallJob("f", ((1,), (2,), (3,)))
    assert asked(STDIN).job == ScriptJob(("1", "2", "3"))


def test_assert_checks_go_to_the_examiner():
    task = Task("t", "p", ASSERT.checks[:1], examiner="import math", exports=("f",))
    assert asked(task).job == AssertJob("import math", ("assert f(1) == 2",), ("f",))
    own_types = Task("t", "p", ASSERT.checks[:1], exports=("f",), uses_candidate_types=True)
    assert asked(own_types, stop_at_first_failure=True).job == AssertJob(
        "", ("assert f(1) == 2",), ("f",), attributes=True, stop_at_first_failure=True
    )


# --- scripts ----------------------------------------------------------------------------------------------------


def test_all_checks_of_a_script_have_a_status():
    verdict = verdict_of(STDIN, printing("2", "5", "6\n"))
    assert (verdict.status, verdict.checks) == (WRONG, (PASSED, WRONG, PASSED))
    assert verdict.cpu_seconds == 0.75  # three runs of a quarter


@pytest.mark.parametrize(
    ("second", "status"),
    [
        (Run(ExitReason.EXITED, stdout=b"4"), PASSED),
        (Run(ExitReason.EXITED, stdout=b"4 "), PASSED),
        (Run(ExitReason.EXITED, stdout=b"4\xff"), WRONG),
        (Run(ExitReason.EXITED, stdout=b""), WRONG),
        (Run(ExitReason.EXITED, 1, stdout=b"4"), ERROR),
        (Run(ExitReason.EXITED, 0, stdout=b"4", error=Failure("ValueError", "told, but it went on")), PASSED),
        (Run(ExitReason.EXITED, 1, error=Failure("MemoryError", "")), MEMORY),
        (Run(ExitReason.EXITED, 0, stdout=b"5", error=Failure("MemoryError", "caught")), WRONG),
        (Run(ExitReason.CRASHED, -11, stdout=b"4"), ERROR),
        (Run(ExitReason.CRASHED, 0, stdout=b"4"), ERROR),
        (Run(ExitReason.CRASHED, -6, error=Failure("MemoryError", "")), MEMORY),
    ],
    ids=str,
)
def test_run_of_a_script_passes_by_its_output_and_a_clean_end(second, status):
    first, third = printing("2", "6").runs
    verdict = verdict_of(STDIN, Execution(runs=(first, second, third)))
    assert verdict.checks == (PASSED, status, PASSED)
    assert verdict.status is status


@pytest.mark.parametrize("ended", LIMIT_STATUS)
def test_after_a_limit_nothing_more_runs(ended):
    (first,) = printing("2").runs
    verdict = verdict_of(STDIN, Execution(runs=(first, Run(ended, stdout=b"4", cpu_seconds=10))))
    assert verdict.checks == (PASSED, LIMIT_STATUS[ended], NOT_RUN)
    assert verdict.status is LIMIT_STATUS[ended]


def test_status_is_that_of_the_first_check_that_did_not_pass():
    first, second = printing("3", "4").runs
    failed = Run(ExitReason.EXITED, 1, error=Failure("ValueError", "late"))
    verdict = verdict_of(STDIN, Execution(runs=(first, second, failed)))
    assert (verdict.status, verdict.checks, verdict.error) == (WRONG, (WRONG, PASSED, ERROR), None)
    verdict = verdict_of(STDIN, Execution(runs=(failed, first, second)))
    assert (verdict.status, verdict.error) == (ERROR, Failure("ValueError", "late"))


def test_r9_fewer_runs_than_checks_are_no_pass():
    assert verdict_of(STDIN, printing("2", "4")).checks == (PASSED, PASSED, NOT_RUN)
    assert not verdict_of(STDIN, printing("2", "4")).passed


@pytest.mark.parametrize("task", [STDIN, CALL, ASSERT], ids=lambda task: task.task_id)
def test_execution_that_says_nothing_is_the_fault_of_the_sandbox(task):
    with pytest.raises(SandboxError, match="empty execution"):
        verdict_of(task, Execution())


# --- calls and assert checks ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("execution", "checks"),
    [
        (outcomes(2, 4, 6), (PASSED, PASSED, PASSED)),
        (outcomes(2, 5, 6), (PASSED, WRONG, PASSED)),
        (outcomes(2, "4", 6), (PASSED, WRONG, PASSED)),
        (outcomes(2, CheckResult(None), 6), (PASSED, WRONG, PASSED)),
        (outcomes(2, RAISED, 6), (PASSED, ERROR, PASSED)),
        (outcomes(2, NO_MEMORY, 6), (PASSED, MEMORY, PASSED)),
        (outcomes(2, 4, 6, code=1), (PASSED, PASSED, PASSED)),  # how the process ended decides nothing
        (outcomes(2, 4, 6, ended=ExitReason.TIMEOUT), (PASSED, PASSED, PASSED)),
        (outcomes(2, None, None), (PASSED, ERROR, NOT_RUN)),  # os._exit(0) in the second call
        (outcomes(2), (PASSED, ERROR, NOT_RUN)),
        (outcomes(), (ERROR, NOT_RUN, NOT_RUN)),
        (outcomes(2, None, None, ended=ExitReason.CRASHED, code=-11), (PASSED, ERROR, NOT_RUN)),
        (outcomes(2, None, None, ended=ExitReason.TIMEOUT), (PASSED, TIMEOUT, NOT_RUN)),
        (outcomes(2, None, None, ended=ExitReason.MEMORY), (PASSED, MEMORY, NOT_RUN)),
        (outcomes(2, None, None, ended=ExitReason.OUTPUT), (PASSED, OUTPUT, NOT_RUN)),
        (outcomes(None, None, None, ended=ExitReason.TIMEOUT), (TIMEOUT, NOT_RUN, NOT_RUN)),  # in the module code
        (outcomes(ended=ExitReason.TIMEOUT), (TIMEOUT, NOT_RUN, NOT_RUN)),  # what the pool says where the box hung
        (outcomes(None, None, None, error=Failure("NameError", "x", 1)), (ERROR, ERROR, ERROR)),  # in the module code
        (outcomes(None, None, None, error=Failure("MemoryError", "", 1)), (MEMORY, MEMORY, MEMORY)),
        (outcomes(2, 4, 6, 8), (PASSED, PASSED, PASSED)),
    ],
)
def test_every_call_needs_an_answer_of_its_own(execution, checks):
    verdict = verdict_of(CALL, execution)
    assert verdict.checks == checks
    assert verdict.status is next((status for status in checks if status is not PASSED), PASSED)


@pytest.mark.parametrize(
    ("execution", "checks"),
    [
        (outcomes(True, True, True), (PASSED, PASSED, PASSED)),
        (outcomes(True, ASSERTION, True), (PASSED, WRONG, PASSED)),
        (outcomes(True, CheckResult(False, Failure("MemoryError", "of the test")), True), (PASSED, WRONG, PASSED)),
        (outcomes(True, RAISED, True), (PASSED, ERROR, PASSED)),
        (outcomes(True, NO_MEMORY, True), (PASSED, MEMORY, PASSED)),
        (outcomes(True, 1, True), (PASSED, WRONG, PASSED)),  # only True is True
        (outcomes(True, "True", True), (PASSED, WRONG, PASSED)),
        (outcomes(True, CheckResult(None), True), (PASSED, WRONG, PASSED)),
        (outcomes(True, None, None), (PASSED, ERROR, NOT_RUN)),
        (outcomes(None, None, None, ended=ExitReason.TIMEOUT), (TIMEOUT, NOT_RUN, NOT_RUN)),
        (outcomes(ended=ExitReason.MEMORY), (MEMORY, NOT_RUN, NOT_RUN)),
        (outcomes(None, None, None, error=Failure("NameError", "x", 1)), (ERROR, ERROR, ERROR)),
    ],
)
def test_every_assert_check_needs_a_record_that_it_held(execution, checks):
    verdict = verdict_of(ASSERT, execution)
    assert verdict.checks == checks
    assert verdict.status is next((status for status in checks if status is not PASSED), PASSED)


def test_error_is_that_of_the_check_behind_the_status():
    assert verdict_of(CALL, outcomes(2, RAISED, NO_MEMORY)).error == RAISED.error
    assert verdict_of(ASSERT, outcomes(True, ASSERTION, RAISED)).error == ASSERTION.error
    assert verdict_of(CALL, outcomes(2, 5, RAISED)).error is None
    assert verdict_of(CALL, outcomes(2, None, None)).error.type == "ProcessEnded"
    error = Failure("NameError", "x", 1)
    assert verdict_of(CALL, outcomes(None, None, None, error=error)).error == error


@pytest.mark.parametrize("task", [STDIN, CALL, ASSERT], ids=lambda task: task.task_id)
def test_source_that_does_not_compile_fails_every_check(task):
    verdict = verdict_of(task, Execution(syntax_error=Failure("SyntaxError", "invalid syntax", 1)))
    assert (verdict.status, verdict.checks, verdict.cpu_seconds) == (SYNTAX, (SYNTAX,) * 3, 0.0)
    assert verdict.error == Failure("SyntaxError", "invalid syntax", 1)


def test_values_are_compared_by_the_rule_of_the_task():
    task = Task("t", "p", (CallCheck((), [1, 2]),), entry_point="f")
    lists = Task("t", "p", (CallCheck((), [1, 2]),), entry_point="f", comparison="livecodebench")
    assert not verdict_of(task, outcomes((1, 2))).passed
    assert verdict_of(lists, outcomes((1, 2))).passed


# --- lines ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "told"),
    [(1, None), (2, None), (3, 1), (5, 3), (9, 3), (None, None)],
    ids=["preamble", "end of preamble", "first", "last", "beyond the end", "unknown"],
)
def test_lines_are_counted_in_the_completion(line, told):
    task = Task("t", "p", (StdinCheck("", ""),), preamble="a = 1\nb = 2\n")
    execution = Execution(runs=(Run(ExitReason.EXITED, 1, error=Failure("E", "m", line)),))
    assert verdict_of(task, execution, "c = 3\nd = 4\ne = 5\n").error == Failure("E", "m", told)
    assert verdict_of(task, Execution(syntax_error=Failure("E", "m", line)), "c\nd\ne").error == Failure("E", "m", told)


def test_executed_lines_are_those_of_all_runs_counted_in_the_completion():
    runs = (
        Run(ExitReason.EXITED, executed_lines=frozenset({1, 2, 3})),
        Run(ExitReason.EXITED, executed_lines=frozenset({2, 5})),
    )
    task = Task("t", "p", (StdinCheck("", ""),) * 2, preamble="a = 1\n")
    assert verdict_of(task, Execution(runs=runs), "b\nc\nd\ne\n").executed_lines == {1, 2, 4}
    assert (
        verdict_of(task, Execution(runs=(Run(ExitReason.EXITED, executed_lines=frozenset()),))).executed_lines == set()
    )
