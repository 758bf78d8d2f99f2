"""How often prefixes end well, measured: completions are sampled and judged, for many prefixes at once.

Where completions come from is a callable, so that any policy and any decode loop can label.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from codegym.errors import SandboxError
from codegym.judge import JudgeLike
from codegym.sampling import LabelingCost, PrefixRequest, Sampler, complete, derive_seed
from codegym.scorers.labels.labels import SuccessCount
from codegym.tasks.record import Task

_TRIES = 3
_MANY = 16  # executions which, all failed, say that the machine will not get better by itself


Key = tuple[str, str]
"""Task id and prefix."""


class PrefixEvaluator:
    """Measures prefixes and remembers what it found.

    Args:
        sampler: completes prefixes.
        judge: judges programs.
        stages: cumulative numbers of completions: a prefix that has a success after a stage needs no further one. The
            last is K.
        seed: of all completions.
        num_kept: of each prefix the first so many completions are kept with their outcome.
    """

    def __init__(
        self, sampler: Sampler, judge: JudgeLike, stages: Sequence[int], seed: int = 0, num_kept: int = 0
    ) -> None:
        if not stages or list(stages) != sorted(set(stages)) or stages[0] < 1:
            raise ValueError(f"stages must be growing numbers of completions, got {list(stages)}")
        self.sampler, self.judge, self.stages, self.seed = sampler, judge, tuple(stages), seed
        self.spent = LabelingCost()
        self.known: dict[Key, SuccessCount] = {}
        self.passing: dict[Key, tuple[str, ...]] = {}
        """Prefix -> different programs that begin with it and pass, as far as they came up."""
        self.num_kept = num_kept
        self.kept: dict[Key, tuple[tuple[str, bool], ...]] = {}
        """Prefix -> programs that begin with it, in the order in which they were drawn, and whether they pass."""
        self.failed: set[Key] = set()
        """Prefixes that cannot be measured since the machine failed."""

    def measure(self, prefixes: Iterable[tuple[Task, str]]) -> None:
        """Make all prefixes known, or failed."""
        wanted = {(task.task_id, text): task for task, text in prefixes}
        todo = [(task, text) for (_, text), task in wanted.items() if not self._is_settled((task.task_id, text))]
        self.spent.cache_hits += len(wanted) - len(todo)
        for target in self.stages:
            todo = [(task, text) for task, text in todo if not self._is_settled((task.task_id, text), target)]
            if todo:
                self._draw([self._request(task, text, target) for task, text in todo])

    def _is_settled(self, key: Key, target: int | None = None) -> bool:
        known = self.known.get(key, SuccessCount(0, 0))
        stops_early = len(self.stages) > 1 and known.successes > 0
        return key in self.failed or stops_early or known.completions >= (target or self.stages[-1])

    def _request(self, task: Task, text: str, target: int) -> PrefixRequest:
        drawn = self.known.get((task.task_id, text), SuccessCount(0, 0)).completions
        return PrefixRequest(task, text, target - drawn, derive_seed(self.seed, task.task_id, text, drawn))

    def _draw(self, requests: Sequence[PrefixRequest]) -> None:
        """Complete, judge, count."""
        answers = complete(self.sampler, requests, self.spent)
        programs = [
            (request.task, request.text + completion.text)
            for request, completions in zip(requests, answers, strict=True)
            for completion in completions
        ]
        passed = judge_programs(self.judge, programs, self.spent)
        for request, completions in zip(requests, answers, strict=True):
            id, texts = request.task.task_id, [request.text + completion.text for completion in completions]
            self._count((id, request.text), [(text, passed[id, text]) for text in texts])

    def _count(self, key: Key, results: Sequence[tuple[str, bool | None]]) -> None:
        before = self.known.get(key, SuccessCount(0, 0))
        judged = [(text, passed) for text, passed in results if passed is not None]
        successes = sum(passed for _, passed in judged)
        self.known[key] = SuccessCount(before.successes + successes, before.completions + len(judged))
        self.kept[key] = (*self.kept.get(key, ()), *judged)[: self.num_kept]
        passing = [text for text, passed in judged if passed]
        self.passing[key] = tuple(dict.fromkeys([*self.passing.get(key, ()), *passing]))
        if len(judged) < len(results):
            self.failed.add(key)


def judge_programs(
    judge: JudgeLike, programs: Iterable[tuple[Task, str]], spent: LabelingCost
) -> dict[Key, bool | None]:
    """Judge programs, equal ones once: (task id, program) -> whether it passes, None where the machine kept failing.

    Raises:
        SandboxError: every one of many executions failed.
    """
    waiting = {(task.task_id, text): task for task, text in programs}
    passed: dict[Key, bool | None] = dict.fromkeys(waiting)
    for _ in range(_TRIES):
        futures = {(task_id, text): judge.submit(task, text) for (task_id, text), task in waiting.items()}
        spent.executions += len(futures)
        failures: dict[Key, SandboxError] = {}
        for key, future in futures.items():
            try:
                passed[key] = future.result().passed
            except SandboxError as error:
                failures[key] = error
        waiting = {key: waiting[key] for key in failures}
    if len(waiting) == len(passed) and len(passed) >= _MANY:
        raise SandboxError(
            f"the machine failed for all of {len(passed)} programs, for example: {[*failures.values()][0]}"
        )
    return passed
