"""The examiner: runs the author's tests in a process that the candidate cannot reach.

The functions and classes that the tests use are ``Remote`` stand-ins, which send plain arguments over to the
candidate's process and rebuild the plain values that come back. Objects that are not plain stay on the other side and
are used through handles; comparing never crosses, so no object of the candidate's ever sees an expected value or
decides equality.
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
"""For tests, and for reading what comes back; programs are compiled and run with the usual one."""

RECORDING_SECONDS = 1.0

CheckResult = Literal[True] | list[Any]
"""Of a check: True where it holds, [False, type, message, None] where it does not, [None, type, message, line] where
the program raised."""
CheckResults = list[CheckResult | None]
"""One for each check; None where it was not reached."""


class ExaminerTimeout(BaseException):
    """The tests themselves ran over the wall limit."""


class Tests:
    """Compiled tests, and what they ask every program."""

    def __init__(self, setup: str, checks: list[str], exports: list[str]) -> None:
        self._sources = [setup, *checks]
        self.setup, *self.checks = map(_compile, self._sources)
        self.exports = exports
        self.use_random = any("random" in source for source in self._sources)
        self.questions: list[bytes] = []
        self.is_learned = False

    def learn(self, questions: list[bytes]) -> None:
        """Once tests have run, see what they would ask of a program that tells them nothing.

        Only such questions are sent ahead: one that depends on an answer would tell it to the next program.
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
    """Tests that are known, and their use."""

    def __init__(self) -> None:
        self._tests: dict[int, Tests] = {}
        signal.signal(signal.SIGALRM, _alarm)

    def tests(self, number: int, text: str | None) -> Tests:
        """Tests come with their text the first time and by their number alone after that."""
        if text is not None:  # the host gives numbers again when it has known enough: so there are never more
            self._tests[number] = Tests(*plain_codec.decode(text.encode("ascii")))
        return self._tests[number]

    def examine(self, channel: Channel, tests: Tests, stop: bool, wall_seconds: float) -> CheckResults | None:
        """Put the tests to the candidate behind ``channel``; None where it must run again, without questions ahead."""
        results: CheckResults = [None] * len(tests.checks)
        usual = sys.getrecursionlimit()
        sys.setrecursionlimit(RECURSION_LIMIT)
        signal.setitimer(signal.ITIMER_REAL, wall_seconds + 1)
        try:
            if channel.ready():
                _check_all(channel, tests, results, stop)
                channel.close()  # the candidate may go while the tests are looked at
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
    """Run the checks, and note for each what came of it."""
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
    """Run it, and say what came of it."""
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
    except SyntaxError as error:  # the author's mistake: it shows as a check that cannot hold
        return compile(f"raise SyntaxError({str(error)!r})", "<examiner>", "exec")


def _alarm(signum: int, frame: Any) -> None:
    raise ExaminerTimeout
