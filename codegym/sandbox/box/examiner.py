"""Examiner: runs the author's tests in a process that the candidate cannot reach.

The functions and classes that the tests use are ``Remote`` stand-ins, which send plain arguments to the candidate's
process and rebuild the plain values that come back. Other objects stay on the other side and are used through numbers.
Comparisons never cross, so no object of the candidate ever sees an expected value or decides equality.
"""

from __future__ import annotations

import ast
import random
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from copy import copy
from functools import partial
from types import CodeType
from typing import Any, Literal

from . import plain_codec
from .channel import MAX_PREFETCH_BYTES, REPORTED, CandidateGone, Channel, PrefetchMismatch
from .prefetch import PermissiveAnswer, QuestionRecorder, raise_error, remove_asserts

RECURSION_LIMIT = 5000
"""Recursion limit of tests and of reading answers; programs are compiled and run with the usual one."""
RECORDING_SECONDS = 1.0
"""Time limit of recording the questions of tests, in seconds."""

CheckResult = Literal[True] | list[Any]
"""Result of a check: True if it holds, [False, type, message, None] if it does not, [None, type, message, line] if the
program raised."""
CheckResults = list[CheckResult | None]
"""One result for each check; None if it was not reached."""


class ExaminerTimeout(BaseException):
    """The tests themselves exceeded the wall limit."""


class Tests:
    """Compiled tests, and the questions that they ask every program."""

    def __init__(self, setup: str, checks: list[str], exports: list[str]) -> None:
        self._sources = [setup, *checks]
        self.setup, *self.checks = map(_compile, self._sources)
        self.exports = exports
        self.use_random = any("random" in source for source in self._sources)
        self.questions: list[bytes] = []
        self.is_learned = False

    def learn(self, questions: list[bytes]) -> None:
        """After the tests have run once, record what they ask a program whose answers carry no information.

        Only these questions are prefetched: one that depends on an answer would leak that answer to the next program.
        """
        self.is_learned = True
        without_asserts = copy(self)
        without_asserts.setup, *without_asserts.checks = [_compile(remove_asserts(source)) for source in self._sources]
        self._sources.clear()
        refused, agreed = (
            without_asserts._record_questions(raise_error),
            without_asserts._record_questions(PermissiveAnswer),
        )
        if all(agreed[: len(asked)] == asked for asked in (questions, refused)):
            self._prefetch(agreed)
        elif questions == refused:
            self._prefetch(refused)

    def _prefetch(self, questions: list[bytes]) -> None:
        if sum(map(len, questions)) <= MAX_PREFETCH_BYTES:
            self.questions = questions

    def _record_questions(self, answer: Callable[[], Any]) -> list[bytes]:
        recorder = QuestionRecorder(answer)
        signal.setitimer(signal.ITIMER_REAL, RECORDING_SECONDS)
        with suppress(ExaminerTimeout, CandidateGone):
            _check_all(recorder, self, [None] * len(self.checks), stop=False)
        return recorder.questions


class Examiner:
    """Runs tests, and remembers them compiled."""

    def __init__(self) -> None:
        self._tests: dict[int, Tests] = {}
        signal.signal(signal.SIGALRM, _alarm)

    def tests(self, number: int, text: str | None) -> Tests:
        """Return the tests with this number; they arrive with their text the first time only."""
        if text is not None:  # the host reuses numbers, so their count is bounded
            self._tests[number] = Tests(*plain_codec.decode(text.encode("ascii")))
        return self._tests[number]

    def examine(self, channel: Channel, tests: Tests, stop: bool, wall_seconds: float) -> CheckResults | None:
        """Run the tests on the candidate behind ``channel``; return None if it must run again without prefetching."""
        results: CheckResults = [None] * len(tests.checks)
        usual = sys.getrecursionlimit()
        sys.setrecursionlimit(RECURSION_LIMIT)
        signal.setitimer(signal.ITIMER_REAL, wall_seconds + 1)
        try:
            if channel.ready():
                _check_all(channel, tests, results, stop)
                channel.close()  # the candidate may end while the questions are recorded
                if not tests.is_learned:
                    tests.learn(channel.questions)
        except PrefetchMismatch:
            tests.questions = []
            return None
        except (CandidateGone, ExaminerTimeout, plain_codec.PlainError, OSError):
            pass
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            sys.setrecursionlimit(usual)
            channel.close()
        return results


def _check_all(channel: Channel, tests: Tests, results: CheckResults, stop: bool) -> None:
    """Run the checks and record the result of each."""
    if tests.use_random:
        random.seed(0)
    namespace: dict[str, Any] = {"__name__": "examiner"}
    preparation = _run_check(partial(_prepare, channel, tests, namespace))
    for number, check in enumerate(tests.checks):
        result = _run_check(partial(exec, check, namespace)) if preparation is True else preparation
        results[number] = result
        if stop and result is not True:
            break


def _prepare(channel: Channel, tests: Tests, namespace: dict[str, Any]) -> None:
    for name in tests.exports:
        namespace[name] = channel.name(name)
    exec(tests.setup, namespace)


def _run_check(action: Callable[[], object]) -> CheckResult:
    """Run ``action`` and return the result of the check."""
    try:
        action()
    except (CandidateGone, ExaminerTimeout, PrefetchMismatch):
        raise
    except BaseException as error:
        reported = error.__dict__.get(REPORTED)
        if reported is not None:
            return [None, *reported]
        return [False, type(error).__name__, _message(error), None]
    return True


def _message(error: BaseException) -> str:
    try:
        return str(error)[:2000]
    except Exception:
        return ""


def _compile(source: str | ast.Module) -> CodeType:
    try:
        return compile(source, "<examiner>", "exec", dont_inherit=True)
    except SyntaxError as error:  # the author's mistake becomes a check that cannot hold
        return compile(f"raise SyntaxError({str(error)!r})", "<examiner>", "exec")


def _alarm(signum: int, frame: Any) -> None:
    raise ExaminerTimeout
