"""Runs a corpus: several sandboxes of one worker each, side by side, since many cases only wait for a limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from helpers.corpus import TASKS, Case

from codegym.errors import SandboxError
from codegym.judge import Judge, Verdict
from codegym.sandbox.base import Limits, Sandbox

LANES = 6


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a case: the verdict on its program (None where the machine failed), and on its ``after``."""

    verdict: Verdict | None
    after: Verdict | None
    failure: str = ""


def run_cases(cases: Sequence[Case], open_sandbox: Callable[[], Sandbox]) -> dict[str, Result]:
    """Results by name of case; ``"solutions-N"`` says what worker N still makes of good programs at the end."""

    def run_lane(number: int) -> dict[str, Result]:
        sandbox = open_sandbox()
        try:
            results = {case.name: _run(case, sandbox) for case in cases[number::LANES]}
            return results | {f"solutions-{number}": _judge_solutions(sandbox)}
        finally:
            sandbox.close()

    with ThreadPoolExecutor(LANES) as lanes:
        results: dict[str, Result] = {}
        for part in lanes.map(run_lane, range(LANES)):
            results |= part
    return results


def _run(case: Case, sandbox: Sandbox) -> Result:
    judge = Judge(sandbox, case.limits or Limits(), cache_size=0)
    try:
        for program in case.before:
            judge(case.task, program)
        verdict = judge(case.task, case.program)
        return Result(verdict, judge(case.task, case.after) if case.after is not None else None)
    except SandboxError as error:
        return Result(None, None, str(error))


def _judge_solutions(sandbox: Sandbox) -> Result:
    judge = Judge(sandbox, cache_size=0)
    verdicts = [judge(task, task.solution or "") for task in TASKS.values()]
    return Result(next((verdict for verdict in verdicts if not verdict.passed), verdicts[0]), None)


def thin_out(cases: Sequence[Case], everything: bool) -> list[Case]:
    """Of a cheat that takes long, one form is enough for every day; all others stay."""
    seen: set[str] = set()
    kept = []
    for case in cases:
        cheat = case.name.partition("@")[0]
        if everything or not case.slow or cheat not in seen:
            kept.append(case)
        seen.add(cheat)
    return kept
