"""Measurement of prefixes: sample completions, judge them and count successes, for many prefixes at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from codegym.errors import SandboxError
from codegym.judge import JudgeLike
from codegym.sampling import LabelingCost, PrefixRequest, Sampler, complete, derive_seed
from codegym.scorers.labels.labels import SuccessCount
from codegym.tasks.record import Task

_TRIES = 3
_MANY = 16  # if so many executions all fail, the machine will not recover by itself

Key = tuple[str, str]
"""Task id and prefix."""


class PrefixEvaluator:
    """Measures prefixes and caches the results.

    Args:
        sampler: Policy that completes prefixes.
        judge: Judge of the completed programs.
        stages: Cumulative numbers of completions: a prefix with a success after a stage is not sampled further. The
            last number is K.
        seed: Seed of all completions.
        num_kept: Number of completions of each prefix that are kept with their verdict.

    Raises:
        ValueError: ``stages`` are not ascending numbers above 0.
    """

    def __init__(
        self, sampler: Sampler, judge: JudgeLike, stages: Sequence[int], seed: int = 0, num_kept: int = 0
    ) -> None:
        if not stages or list(stages) != sorted(set(stages)) or stages[0] < 1:
            raise ValueError(f"wrong stages: got {list(stages)}; expected ascending numbers of completions above 0")
        self.sampler, self.judge, self.stages, self.seed = sampler, judge, tuple(stages), seed
        self.cost = LabelingCost()
        self.counts: dict[Key, SuccessCount] = {}
        self.passing: dict[Key, tuple[str, ...]] = {}
        """Prefix -> different programs seen so far that begin with it and pass."""
        self.num_kept = num_kept
        self.kept: dict[Key, tuple[tuple[str, bool], ...]] = {}
        """Prefix -> programs that begin with it, in the order of sampling, and whether they pass."""
        self.failed: set[Key] = set()
        """Prefixes that cannot be measured because the machine failed."""

    def measure(self, prefixes: Iterable[tuple[Task, str]]) -> None:
        """Measure all prefixes that were not measured before; those that the machine cannot judge are in ``failed``.

        Args:
            prefixes: Tasks with the first lines of a program for each.
        """
        requested = {(task.task_id, text): task for task, text in prefixes}
        todo = [(task, text) for (_, text), task in requested.items() if not self._is_settled((task.task_id, text))]
        self.cost.cache_hits += len(requested) - len(todo)
        for target in self.stages:
            todo = [(task, text) for task, text in todo if not self._is_settled((task.task_id, text), target)]
            if todo:
                self._sample([self._request(task, text, target) for task, text in todo])

    def _is_settled(self, key: Key, target: int | None = None) -> bool:
        count = self.counts.get(key, SuccessCount(0, 0))
        stops_early = len(self.stages) > 1 and count.successes > 0
        return key in self.failed or stops_early or count.completions >= (target or self.stages[-1])

    def _request(self, task: Task, text: str, target: int) -> PrefixRequest:
        done = self.counts.get((task.task_id, text), SuccessCount(0, 0)).completions
        return PrefixRequest(task, text, target - done, derive_seed(self.seed, task.task_id, text, done))

    def _sample(self, requests: Sequence[PrefixRequest]) -> None:
        """Complete prefixes, judge the programs and count."""
        answers = complete(self.sampler, requests, self.cost)
        programs = [
            (request.task, request.text + completion.text)
            for request, completions in zip(requests, answers, strict=True)
            for completion in completions
        ]
        passed = judge_programs(self.judge, programs, self.cost)
        for request, completions in zip(requests, answers, strict=True):
            id, texts = request.task.task_id, [request.text + completion.text for completion in completions]
            self._count((id, request.text), [(text, passed[id, text]) for text in texts])

    def _count(self, key: Key, results: Sequence[tuple[str, bool | None]]) -> None:
        before = self.counts.get(key, SuccessCount(0, 0))
        judged = [(text, passed) for text, passed in results if passed is not None]
        successes = sum(passed for _, passed in judged)
        self.counts[key] = SuccessCount(before.successes + successes, before.completions + len(judged))
        self.kept[key] = (*self.kept.get(key, ()), *judged)[: self.num_kept]
        passing = [text for text, passed in judged if passed]
        self.passing[key] = tuple(dict.fromkeys([*self.passing.get(key, ()), *passing]))
        if len(judged) < len(results):
            self.failed.add(key)


def judge_programs(
    judge: JudgeLike, programs: Iterable[tuple[Task, str]], cost: LabelingCost
) -> dict[Key, bool | None]:
    """Judge programs, equal ones once, and retry those that the machine failed for.

    Args:
        judge: Judge of the programs.
        programs: Tasks with a program for each.
        cost: Record that the number of executions is added to.

    Returns:
        (task id, program) -> whether it passes, None if the machine kept failing.

    Raises:
        SandboxError: Every one of many executions failed.
    """
    waiting = {(task.task_id, text): task for task, text in programs}
    passed: dict[Key, bool | None] = dict.fromkeys(waiting)
    for _ in range(_TRIES):
        futures = {(task_id, text): judge.submit(task, text) for (task_id, text), task in waiting.items()}
        cost.executions += len(futures)
        failures: dict[Key, SandboxError] = {}
        for key, future in futures.items():
            try:
                passed[key] = future.result().passed
            except SandboxError as error:
                failures[key] = error
        waiting = {key: waiting[key] for key in failures}
    if len(waiting) == len(passed) and len(passed) >= _MANY:
        raise SandboxError(
            f"the machine failed for all of {len(passed)} programs: got, for example, {next(iter(failures.values()))}; "
            "expected verdicts. Check the sandbox with codegym sandbox check"
        )
    return passed
