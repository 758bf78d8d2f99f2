r"""``evaluate``: any policy writes programs, which are judged while it writes the next ones.

>>> from codegym import CallCheck
>>> task = Task("twice", "Double x.", (CallCheck((3,), 6),), entry_point="f", solution="f = lambda x: x * 2\n")
>>> answers = ["f = lambda x: x * 2\n", "f = 2"]
>>> evaluate(lambda prompts: [answers.pop() for _ in prompts], task, num_samples=2, sandbox="fake").scores
(Score(k=1, value=0.5, low=0.5, high=0.5),)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import NamedTuple, TypeVar

from codegym.errors import SandboxError
from codegym.evaluation.metrics import DEFAULT_KS, Evaluation, JudgedSample, score_samples
from codegym.judge import JudgeLike, Verdict
from codegym.judge.shared import SharedJudge, make_judge
from codegym.sandbox.base import Limits, Sandbox
from codegym.tasks.record import Task
from codegym.tasks.source import ListSource, TasksLike, make_task_source

T = TypeVar("T")
Policy = Callable[[Sequence[str]], Sequence[str]]
"""Completes prompts: one completion for each, in their order; a prompt that comes again asks for another sample."""

MAX_CONSECUTIVE_FAILURES = 64
"""Samples in a row whose machine failed: by then it will not get better by itself."""
_WINDOW = 512  # programs in flight: enough that a slow one holds nobody up for long, few enough to keep in memory


class _Written(NamedTuple):
    task: Task
    number: int
    completion: str


def evaluate(
    policy: Policy,
    tasks: TasksLike,
    *,
    num_samples: int = 1,
    ks: Sequence[int] = (),
    sandbox: str | Sandbox | JudgeLike = "auto",
    limits: Limits = Limits(),  # noqa: B008 - a frozen record
    batch_size: int = 64,
) -> Evaluation:
    r"""Let a policy write programs, judge them, and score them: pass@k with 95 % intervals over tasks.

        found = evaluate(ask_my_model, load_tasks("mbpp", "mbpp.jsonl")[:100], num_samples=20)
        print(found.scores, found.statuses)

    The policy is any callable, so it may ask a model behind an API. A completion is judged as it is: where a model
    answers in Markdown, have the policy give ``codegym.adapters.completions.fenced_code`` of each answer.

    Args:
        policy: takes up to ``batch_size`` prompts, those of a task one after the other.
        tasks: as in the environment; a procedural family has no end, so draw a list of its tasks.
        num_samples: programs for each task.
        ks: for which pass@k is wanted; by default those of 1, 10 and 100 that ``num_samples`` allows.
        sandbox: as in the environment.
        limits: of each program.
        batch_size: prompts at a time.

    Raises:
        ValueError: a number is out of range, the tasks have no end, or there is not one completion a prompt.
        TypeError: a completion is no string.
        SandboxError: the machine failed for 64 samples in a row.
    """
    ks = validate_ks(ks, num_samples)
    source = make_task_source(tasks)
    if not isinstance(source, ListSource):
        raise ValueError("these tasks have no end: draw some of them, [family.draw(rng) for _ in range(100)]")
    judge = make_judge(sandbox, limits)
    written = _write(policy, source.tasks, num_samples, batch_size)
    try:
        judged = stop_on_repeated_failures(judge_in_order(written, lambda one: judge.submit(one.task, one.completion)))
        samples = tuple(JudgedSample(one.task.task_id, one.number, one.completion, verdict) for one, verdict in judged)
    finally:
        if isinstance(judge, SharedJudge):
            judge.close()
    return replace(score_samples(((sample.task_id, sample.status) for sample in samples), ks), samples=samples)


def validate_ks(ks: Sequence[int], num_samples: int) -> Sequence[int]:
    """The usual ones where none are given.

    Raises:
        ValueError: there are too few samples for one of them, or none at all.
    """
    if num_samples < 1:
        raise ValueError(f"num_samples must be at least 1, got {num_samples}")
    if ks and not 1 <= min(ks) <= max(ks) <= num_samples:
        raise ValueError(f"every k must be from 1 to num_samples={num_samples}, got {list(ks)}: draw more samples")
    return ks or DEFAULT_KS


def sample_batches(num_tasks: int, num_samples: int, batch_size: int, done: int = 0) -> Iterator[list[tuple[int, int]]]:
    """Batches of (index of a task, number among its samples), from the batch on that holds sample ``done``.

    Batches are the same wherever one begins, so that what is written in them is too.

    >>> list(sample_batches(2, 3, 4)), list(sample_batches(2, 3, 4, done=5))
    ([[(0, 0), (0, 1), (0, 2), (1, 0)], [(1, 1), (1, 2)]], [[(1, 1), (1, 2)]])
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    total = num_tasks * num_samples
    for first in range(done - done % batch_size, total, batch_size):
        yield [divmod(number, num_samples) for number in range(first, min(first + batch_size, total))]


def _write(policy: Policy, tasks: Sequence[Task], num_samples: int, batch_size: int) -> Iterator[_Written]:
    for batch in sample_batches(len(tasks), num_samples, batch_size):
        chosen = [tasks[place] for place, _ in batch]
        completions = list(policy([task.prompt for task in chosen]))
        if len(completions) != len(batch):
            raise ValueError(
                f"the policy gave {len(completions)} completions of {len(batch)} prompts: one each is wanted"
            )
        for task, (_, number), completion in zip(chosen, batch, completions, strict=True):
            if not isinstance(completion, str):
                raise TypeError(f"the policy must give strings, got {completion!r:.80} for task {task.task_id!r}")
            yield _Written(task, number, completion)


def judge_in_order(
    items: Iterable[T], submit: Callable[[T], Future[Verdict]], window: int = _WINDOW
) -> Iterator[tuple[T, Verdict | SandboxError]]:
    """Judge ``items`` with at most ``window`` in flight; verdicts come in their order, as soon as they can."""
    waiting: deque[tuple[T, Future[Verdict]]] = deque()
    for item in items:
        waiting.append((item, submit(item)))
        while waiting and (len(waiting) >= window or waiting[0][1].done()):
            yield _settled(*waiting.popleft())
    while waiting:
        yield _settled(*waiting.popleft())


def _settled(item: T, future: Future[Verdict]) -> tuple[T, Verdict | SandboxError]:
    try:
        return item, future.result()
    except SandboxError as error:
        return item, error


def stop_on_repeated_failures(
    judged: Iterable[tuple[T, Verdict | SandboxError]],
) -> Iterator[tuple[T, Verdict | SandboxError]]:
    """Pass verdicts on; ``SandboxError`` after those of a machine that failed for too many in a row."""
    num_failed = 0
    for item, verdict in judged:
        yield item, verdict
        num_failed = num_failed + 1 if isinstance(verdict, SandboxError) else 0
        if num_failed >= MAX_CONSECUTIVE_FAILURES:
            raise SandboxError(
                f"the machine failed for {num_failed} samples in a row, the last time with: {verdict}. Mend it and run "
                "the same again"
            )
