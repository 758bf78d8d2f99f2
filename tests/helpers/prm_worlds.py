"""A world whose truth is known: programs are right as far as they are the gold one."""

from __future__ import annotations

import random
from collections.abc import Sequence
from concurrent.futures import Future

from codegym.errors import SandboxError
from codegym.judge import FakeJudge, Verdict
from codegym.sampling import Completion, PrefixRequest
from codegym.scorers.labels import LabeledProgram, SampledProgram, SuccessCount
from codegym.tasks.record import StdinCheck, Task


def gold_lines(task: Task) -> list[str]:
    return (task.solution or "").splitlines(keepends=True)


def make_task(name: str = "t", num_lines: int = 8) -> Task:
    lines = [f"{name}_{number} = {number}\n" for number in range(1, num_lines + 1)]
    return Task(name, f"Write {name}.\n", (StdinCheck("", ""),), solution="".join(lines))


def make_program(task: Task, first_wrong: int | None = None) -> SampledProgram:
    """The gold program, with other lines from ``first_wrong`` on."""
    lines = gold_lines(task)
    if first_wrong is not None:
        lines[first_wrong - 1 :] = [f"wrong_{n} = 0\n" for n in range(first_wrong, len(lines) + 1)]
    return SampledProgram(task, "".join(lines), first_wrong is None)


def make_labeled(num_correct_lines: int, completion: str = "a = 1\nb = 2\nc = 3\n", **fields) -> LabeledProgram:
    known = {"task_id": "t", "prompt": "p\n", "passed": False} | fields
    return LabeledProgram(completion=completion, num_correct_lines=num_correct_lines, **known)


class TellingSampler:
    """Completes a right prefix rightly with some probability, and a wrong one never."""

    def __init__(self, skill: float = 1.0) -> None:
        self.skill = skill
        self.calls: list[list[PrefixRequest]] = []

    def __call__(self, requests: Sequence[PrefixRequest]) -> list[list[Completion]]:
        self.calls.append(list(requests))
        return [[self.one(request, number) for number in range(request.num_completions)] for request in requests]

    def one(self, request: PrefixRequest, number: int) -> Completion:
        luck = random.Random(f"{request.seed} {number}").random()
        gold = request.task.solution or ""
        right = gold.startswith(request.text) and luck < self.skill
        return Completion(gold[len(request.text) :] if right else f"lost {luck}\n", 3)


class SometimesBrokenJudge(FakeJudge):
    """A fake judge whose machine fails for programs that hold a mark."""

    def __init__(self, mark: str) -> None:
        self.mark = mark

    def submit(self, task: Task, completion: str) -> Future[Verdict]:
        if self.mark not in completion:
            return super().submit(task, completion)
        future: Future[Verdict] = Future()
        future.set_exception(SandboxError("no machine"))
        return future


def toy_programs(count: int = 400, rule=lambda line: "x" in line) -> list[LabeledProgram]:
    """Lines with an x are bad, and nothing after them can be right."""
    rng = random.Random(0)
    programs = []
    for number in range(count):
        lines = [f"{rng.choice('abcx')} = {rng.randint(0, 9)}\n" for _ in range(rng.randint(2, 6))]
        right = next((index for index, line in enumerate(lines) if rule(line)), len(lines))
        rates = {n: SuccessCount(8 if n <= right else 0, 10) for n in range(len(lines) + 1)}
        programs.append(
            LabeledProgram(f"t{number}", f"Task {number}.\n", "".join(lines), right == len(lines), right, rates)
        )
    return programs
