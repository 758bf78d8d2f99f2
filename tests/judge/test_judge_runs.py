"""When the judge lets a program run: again, no further, once, or not at all."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from helpers.judging import (
    ASSERT,
    ASSERTION,
    CALL,
    ERROR,
    NOT_RUN,
    PASSED,
    RAISED,
    STDIN,
    SYNTAX,
    TIMEOUT,
    WRONG,
    CountingSandbox,
    HeldSandbox,
    outcomes,
    printing,
    verdict_of,
)

from codegym.errors import SandboxError
from codegym.judge import Judge
from codegym.sandbox.base import (
    Execution,
    ExitReason,
    Failure,
    FakeSandbox,
    Limits,
    Run,
)
from codegym.tasks.record import CallCheck, StdinCheck, Task

# --- timeouts are confirmed -------------------------------------------------------------------------------------


def test_s1_wall_timeout_is_confirmed_alone_before_it_counts():
    slow = Execution(runs=(Run(ExitReason.TIMEOUT, cpu_seconds=0.2),))
    sandbox = CountingSandbox(lambda request: printing("2", "4", "6") if len(sandbox.requests) > 1 else slow)
    assert Judge(sandbox)(STDIN, "").passed
    assert sandbox.exclusive == [False, True]
    assert sandbox.requests[0] == sandbox.requests[1]


def test_s1_second_wall_timeout_counts():
    sandbox = CountingSandbox(lambda request: Execution(runs=(Run(ExitReason.TIMEOUT, cpu_seconds=0.2),)))
    assert Judge(sandbox)(STDIN, "").status is TIMEOUT
    assert sandbox.exclusive == [False, True]


def test_timeout_by_cpu_time_counts_at_once():
    sandbox = CountingSandbox(lambda request: Execution(runs=(Run(ExitReason.TIMEOUT, cpu_seconds=10.0),)))
    assert Judge(sandbox, Limits(cpu_seconds=10))(STDIN, "").status is TIMEOUT
    assert sandbox.exclusive == [False]


def test_timeouts_of_calls_and_assert_checks_are_confirmed_too():
    for task in (CALL, ASSERT):
        sandbox = CountingSandbox(lambda request: Execution(runs=(Run(ExitReason.TIMEOUT),), outcomes=(None,) * 3))
        assert Judge(sandbox)(task, "").checks == (TIMEOUT, NOT_RUN, NOT_RUN)
        assert sandbox.exclusive == [False, True]


# --- stop at the first failure ----------------------------------------------------------------------------------


def scripted(printed):
    """A sandbox that prints by stdin, whatever the program; a run for each stdin."""
    return CountingSandbox(lambda request: printing(*(printed[stdin] for stdin in request.job.stdins)))


def test_script_that_stops_at_its_first_failure_runs_check_by_check():
    sandbox = scripted({"1": "2", "2": "wrong", "3": "6"})
    verdict = Judge(sandbox, stop_at_first_failure=True)(STDIN, "")
    assert verdict.checks == (PASSED, WRONG, NOT_RUN)
    assert [request.job.stdins for request in sandbox.requests] == [("1",), ("2",)]
    assert verdict.cpu_seconds == 0.5  # of both runs


def test_script_without_a_failure_runs_to_its_end():
    sandbox = scripted({"1": "2", "2": "4", "3": "6"})
    assert Judge(sandbox, stop_at_first_failure=True)(STDIN, "").checks == (PASSED,) * 3
    assert len(sandbox.requests) == 3


def test_script_that_does_not_compile_is_tried_once():
    sandbox = CountingSandbox(lambda request: Execution(syntax_error=Failure("SyntaxError", "", 1)))
    assert Judge(sandbox, stop_at_first_failure=True)(STDIN, "").checks == (SYNTAX,) * 3
    assert len(sandbox.requests) == 1


def test_script_may_have_more_checks_than_the_recursion_limit():
    task = Task("t", "p", (StdinCheck("", "7"),) * 2000)
    sandbox = CountingSandbox(lambda request: printing("7"))
    assert Judge(sandbox, stop_at_first_failure=True)(task, "").passed
    assert len(sandbox.requests) == 2000


def test_script_that_stops_goes_on_in_whatever_thread_answers():
    sandbox = HeldSandbox()
    verdict = Judge(sandbox, stop_at_first_failure=True).submit(STDIN, "")
    for index, text in enumerate(("2", "4", "wrong")):
        assert not verdict.done()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(sandbox.futures[index].set_result, printing(text)).result()
    assert verdict.result(1).checks == (PASSED, PASSED, WRONG)


def test_script_that_stops_runs_alone_from_its_start_where_a_timeout_is_confirmed():
    def answer(request):
        timed_out = request.job.stdins == ("2",) and not sandbox.exclusive[-1]
        return (
            Execution(runs=(Run(ExitReason.TIMEOUT),)) if timed_out else printing(str(2 * int(request.job.stdins[0])))
        )

    sandbox = CountingSandbox(answer)
    assert Judge(sandbox, stop_at_first_failure=True)(STDIN, "").passed
    assert sandbox.exclusive == [False, False, True, True, True]


@pytest.mark.parametrize(
    ("task", "execution", "checks"),
    [
        (CALL, outcomes(2, 5, 6), (PASSED, WRONG, NOT_RUN)),
        (CALL, outcomes(2, RAISED, 6), (PASSED, ERROR, NOT_RUN)),
        (ASSERT, outcomes(True, ASSERTION, None), (PASSED, WRONG, NOT_RUN)),
        (ASSERT, outcomes(ASSERTION, True, True), (WRONG, NOT_RUN, NOT_RUN)),
        (ASSERT, outcomes(True, True, True), (PASSED, PASSED, PASSED)),
        (CALL, outcomes(None, None, None, error=Failure("NameError", "")), (ERROR, NOT_RUN, NOT_RUN)),
    ],
)
def test_other_kinds_stop_at_their_first_failure_in_one_request(task, execution, checks):
    sandbox = CountingSandbox(lambda request: execution)
    verdict = Judge(sandbox, stop_at_first_failure=True)(task, "")
    assert verdict.checks == checks
    assert len(sandbox.requests) == 1


# --- the same program runs once ---------------------------------------------------------------------------------


def test_same_program_with_same_checks_and_limits_runs_once():
    sandbox = CountingSandbox(lambda request: printing("2", "4", "6"))
    judge = Judge(sandbox)
    first = judge(STDIN, "print(1)")
    assert judge(STDIN, "print(1)") is first
    assert judge(Task("other name", "other prompt", STDIN.checks), "print(1)") is first
    assert len(sandbox.requests) == 1


def changed(**changes):
    return Task(**{"task_id": "t", "prompt": "", "checks": CALL.checks, "entry_point": "f"} | changes)


def call_checks(argument, expected):
    return changed(checks=(CallCheck((argument,), expected),))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((CALL, "a"), (CALL, "b")),
        ((CALL, "a"), (changed(entry_point="g"), "a")),
        ((CALL, "a"), (changed(comparison="apps"), "a")),
        ((CALL, "a"), (changed(preamble="\n"), "a")),
        ((CALL, "a"), (changed(checks=CALL.checks[:2]), "a")),
        ((call_checks(1, 1), ""), (call_checks(1, 2), "")),
        ((call_checks(1, 1), ""), (call_checks(True, 1), "")),  # 1 == True == 1.0, but they print differently
        ((call_checks(1, 1), ""), (call_checks(1.0, 1), "")),
        ((call_checks([1], 1), ""), (call_checks((1,), 1), "")),
        ((call_checks(1, 1), ""), (call_checks(1, 1.0), "")),
        ((STDIN, ""), (Task("t", "", (StdinCheck("1", "3"), *STDIN.checks[1:])), "")),
        ((ASSERT, ""), (Task("t", "", ASSERT.checks, exports=("f",), examiner="import math"), "")),
        ((ASSERT, ""), (Task("t", "", ASSERT.checks, exports=("f", "g")), "")),
    ],
)
def test_what_differs_in_anything_that_matters_runs_again(one, other):
    sandbox = CountingSandbox()
    judge = Judge(sandbox)
    judge.submit(*one)
    judge.submit(*other)
    assert len(sandbox.requests) == 2


def test_program_that_still_runs_is_not_started_again_from_any_thread():
    sandbox = HeldSandbox()
    judge = Judge(sandbox)
    together = threading.Barrier(8)

    def submit(_):
        together.wait()
        return judge.submit(STDIN, "print(1)")

    with ThreadPoolExecutor(8) as pool:
        futures = list(pool.map(submit, range(8)))
    assert len(sandbox.futures) == 1
    sandbox.futures[0].set_result(printing("2", "4", "6"))
    assert {id(future.result(1)) for future in futures} == {id(futures[0].result())}


def test_one_who_waits_cannot_cancel_for_the_others():
    sandbox = HeldSandbox()
    judge = Judge(sandbox)
    future = judge.submit(STDIN, "")
    assert not future.cancel()
    sandbox.futures[0].set_result(printing("2", "4", "6"))
    assert judge.submit(STDIN, "").result(1).passed


def test_oldest_verdict_is_forgotten_first():
    sandbox = CountingSandbox()
    judge = Judge(sandbox, cache_size=2)
    for completion in ("a", "b", "a", "c", "a", "b"):  # "b" was used least recently when "c" came
        judge.submit(STDIN, completion)
    assert [request.source for request in sandbox.requests] == ["a", "b", "c", "b"]


def test_without_a_cache_every_program_runs():
    sandbox = CountingSandbox()
    judge = Judge(sandbox, cache_size=0)
    judge.judge_all([(STDIN, "a")] * 3)
    assert len(sandbox.requests) == 3


def test_many_programs_are_judged_in_the_order_of_the_pairs():
    judge = Judge(FakeSandbox(lambda request: printing(*[request.source] * 3)))
    task = Task("t", "p", (StdinCheck("", "a"),) * 3)
    assert [verdict.passed for verdict in judge.judge_all((task, text) for text in "abca")] == [
        True,
        False,
        False,
        True,
    ]


# --- a broken machine is an exception ---------------------------------------------------------------------------


@pytest.mark.parametrize("stop", [False, True])
def test_r3_broken_machine_is_an_exception_and_is_not_remembered(stop):
    def answer(request):
        if len(sandbox.requests) == 1:
            raise SandboxError("the engine is gone")
        return printing(*(str(2 * int(stdin)) for stdin in request.job.stdins))

    sandbox = CountingSandbox(answer)
    judge = Judge(sandbox, stop_at_first_failure=stop)
    future = judge.submit(STDIN, "")
    with pytest.raises(SandboxError, match="the engine is gone"):
        future.result(1)
    assert judge(STDIN, "").passed


def test_r3_machine_that_breaks_in_the_middle_of_a_script_is_an_exception():
    def answer(request):
        if request.job.stdins == ("2",):
            raise SandboxError("gone")
        return printing("2")

    with pytest.raises(SandboxError, match="gone"):
        Judge(FakeSandbox(answer), stop_at_first_failure=True)(STDIN, "")


def test_r3_machine_that_breaks_while_a_timeout_is_confirmed_is_an_exception():
    def answer(request):
        if len(sandbox.requests) == 2:
            raise SandboxError("gone")
        return Execution(runs=(Run(ExitReason.TIMEOUT),))

    sandbox = CountingSandbox(answer)
    with pytest.raises(SandboxError, match="gone"):
        Judge(sandbox)(STDIN, "")


def test_request_that_the_sandbox_refuses_is_refused_every_time():
    class Refusing(FakeSandbox):
        def submit(self, request, *, exclusive=False):
            raise ValueError("above the sandbox's own limit")

    judge = Judge(Refusing())
    for _ in range(2):
        with pytest.raises(ValueError, match="above"):
            judge(STDIN, "")


def test_unknown_rule_is_an_error_and_no_verdict():
    task = Task("t", "p", STDIN.checks, comparison="fuzzy")
    with pytest.raises(ValueError, match="unknown comparison rule: got 'fuzzy'"):
        verdict_of(task, printing("2", "4", "6"))
