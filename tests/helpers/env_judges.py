"""Judges and line scorers for tests of environments: they say what the test wants, when the test wants it."""

from __future__ import annotations

from concurrent.futures import Future

from codegym.errors import SandboxError
from codegym.judge import FakeJudge, Status, Verdict

PASSED = Verdict(Status.PASSED, (Status.PASSED,))
FAILED = Verdict(Status.WRONG_ANSWER, (Status.WRONG_ANSWER,))


def made(result):
    """A future that holds a verdict or an exception."""
    future = Future()
    if isinstance(result, BaseException):
        future.set_exception(result)
    else:
        future.set_result(result)
    return future


class JudgeSays:
    """Says one thing of all programs: a verdict, or the exception that the machine failed with."""

    def __init__(self, result):
        self.result = result
        self.programs = []

    def submit(self, task, completion):
        self.programs.append(completion)
        return made(self.result)


class HeldJudge:
    """Says nothing until the test does; ``release`` lets the public fake judge the programs of these numbers."""

    def __init__(self):
        self.held = []

    def submit(self, task, completion):
        future = Future()
        self.held.append((future, task, completion))
        return future

    def release(self, *numbers):
        for number in numbers or range(len(self.held)):
            future, task, completion = self.held[number]
            if not future.done():
                future.set_result(FakeJudge().submit(task, completion).result())


class FailingAtTimes:
    """The public fake on a machine that fails for every program that holds ``mark``."""

    def __init__(self, mark="#"):
        self.mark = mark

    def submit(self, task, completion):
        if self.mark in completion:
            return made(SandboxError("the machine failed"))
        return FakeJudge().submit(task, completion)


class ScorerSays:
    """Answers every call of the line scorer with ``answer(requests)``, and keeps what it was asked."""

    def __init__(self, answer=lambda requests: [[0.5] * len(request.indices) for request in requests]):
        self.answer = answer
        self.calls = []

    def score(self, requests):
        self.calls.append(list(requests))
        return self.answer(requests)
