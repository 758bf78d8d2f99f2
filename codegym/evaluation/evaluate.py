r"""Evaluation of any policy: it completes prompts, and its programs are judged while it completes the next ones.

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
from codegym.sampling import LabelingCost, PrefixRequest, Sampler, complete, derive_seed
from codegym.sandbox import Limits, Sandbox
from codegym.tasks.record import Task
from codegym.tasks.source import ListSource, TasksLike, make_task_source

T = TypeVar("T")
PromptPolicy = Callable[[Sequence[str]], Sequence[str]]
"""Completes prompts: one completion for each, in order. A prompt that is repeated asks for another sample."""

MAX_CONSECUTIVE_FAILURES = 64
"""Number of failures of the machine in a row after which it is given up."""
_WINDOW = 512  # programs in flight: a slow one delays few others, and all fit in memory


class SamplerPolicy(NamedTuple):
    """A ``Sampler`` as the policy of an evaluation, with a seed for each of its samples."""

    sampler: Sampler
    """Sampler of a model, such as ``TransformersSampler.load("runs/policy")``."""
    seed: int = 0
    """Seed that the seeds of the samples are derived from."""


class _Written(NamedTuple):
    task: Task
    number: int
    completion: str


def evaluate(
    policy: PromptPolicy | SamplerPolicy,
    tasks: TasksLike,
    *,
    num_samples: int = 1,
    ks: Sequence[int] = (),
    sandbox: str | Sandbox | JudgeLike = "auto",
    limits: Limits = Limits(),  # noqa: B008 - a frozen record
    batch_size: int = 64,
) -> Evaluation:
    r"""Return pass@k of a policy, with 95 % intervals over tasks, and all samples with their verdicts.

        found = evaluate(ask_my_model, load_tasks("mbpp", "mbpp.jsonl")[:100], num_samples=20)
        print(found.scores, found.statuses)

    The policy may be any callable, for example one that asks a model behind an API. Completions are judged unchanged.
    If a model answers in Markdown, let the policy return ``codegym.adapters.completions.fenced_code`` of each answer.

    Args:
        policy: Callable that takes up to ``batch_size`` prompts, those of a task in a row, and returns as many
            completions; or ``SamplerPolicy(sampler)`` for any ``codegym.sampling.Sampler``.
        tasks: Tasks as in ``gym.make``. A procedural family is endless, so pass a list of tasks that it has drawn.
        num_samples: Number of programs for each task.
        ks: Values of k for pass@k. By default those of 1, 10 and 100 that ``num_samples`` allows.
        sandbox: Name of a back end, a sandbox or a judge, as in ``gym.make``.
        limits: Resource limits of each program: seconds and MiB.
        batch_size: Number of prompts in a call of the policy.

    Raises:
        ValueError: A number is out of range, the tasks are endless, or there is not one completion for each prompt.
        TypeError: A completion is no string.
        SandboxError: The machine failed for 64 samples in a row.
    """
    ks = validate_ks(ks, num_samples)
    source = _finite_source(tasks)
    judge = make_judge(sandbox, limits)
    written = _write(policy, source.tasks, num_samples, batch_size)
    try:
        judged = stop_on_repeated_failures(judge_in_order(written, lambda one: judge.submit(one.task, one.completion)))
        samples = tuple(JudgedSample(one.task.task_id, one.number, one.completion, verdict) for one, verdict in judged)
    finally:
        if isinstance(judge, SharedJudge):
            judge.close()
    return replace(score_samples(((sample.task_id, sample.status) for sample in samples), ks), samples=samples)


def _finite_source(tasks: TasksLike) -> ListSource:
    source = make_task_source(tasks)
    if not isinstance(source, ListSource):
        raise ValueError(
            f"endless tasks: got {type(source).__name__}; expected a list of tasks. Draw some of them: "
            "[family.draw(rng) for _ in range(100)]"
        )
    return source


def validate_ks(ks: Sequence[int], num_samples: int) -> Sequence[int]:
    """Return the values of k for pass@k: ``ks``, or the usual ones if it is empty.

    Args:
        ks: Values of k, each at most ``num_samples``.
        num_samples: Number of samples for each task.

    Raises:
        ValueError: There are too few samples for a value of k, or none at all.
    """
    if num_samples < 1:
        raise ValueError(f"too few samples: got num_samples={num_samples}; expected at least 1")
    if ks and not 1 <= min(ks) <= max(ks) <= num_samples:
        raise ValueError(
            f"wrong k for pass@k: got {list(ks)}; expected values from 1 to num_samples={num_samples}. Draw more "
            "samples"
        )
    return ks or DEFAULT_KS


def sample_batches(num_tasks: int, num_samples: int, batch_size: int, done: int = 0) -> Iterator[list[tuple[int, int]]]:
    """Yield batches of (index of a task, number among its samples), beginning with the batch of sample ``done``.

    The composition of a batch does not depend on ``done``, so neither do the programs that are sampled in it.

    >>> list(sample_batches(2, 3, 4)), list(sample_batches(2, 3, 4, done=5))
    ([[(0, 0), (0, 1), (0, 2), (1, 0)], [(1, 1), (1, 2)]], [[(1, 1), (1, 2)]])

    Args:
        num_tasks: Number of tasks.
        num_samples: Number of samples for each task.
        batch_size: Number of samples in a batch.
        done: Number of samples that exist already.

    Raises:
        ValueError: The batch size is below 1.
    """
    if batch_size < 1:
        raise ValueError(f"too small: got batch_size={batch_size}; expected at least 1")
    total = num_tasks * num_samples
    for first in range(done - done % batch_size, total, batch_size):
        yield [divmod(number, num_samples) for number in range(first, min(first + batch_size, total))]


def _write(
    policy: PromptPolicy | SamplerPolicy, tasks: Sequence[Task], num_samples: int, batch_size: int
) -> Iterator[_Written]:
    for batch in sample_batches(len(tasks), num_samples, batch_size):
        wanted = [(tasks[index], number) for index, number in batch]
        completions = _ask(policy, wanted)
        if len(completions) != len(batch):
            raise ValueError(
                f"wrong number of completions: got {len(completions)} completions of {len(batch)} prompts; expected "
                "one for each prompt"
            )
        for (task, number), completion in zip(wanted, completions, strict=True):
            if not isinstance(completion, str):
                raise TypeError(f"wrong completion of task {task.task_id!r}: got {completion!r:.80}; expected a string")
            yield _Written(task, number, completion)


def _ask(policy: PromptPolicy | SamplerPolicy, wanted: Sequence[tuple[Task, int]]) -> Sequence[object]:
    """Return a completion for each (task, number of the sample)."""
    if not isinstance(policy, SamplerPolicy):
        return list(policy([task.prompt for task, _ in wanted]))
    requests = [PrefixRequest(task, "", 1, derive_seed(policy.seed, task.task_id, number)) for task, number in wanted]
    return [answer.text for [answer] in complete(policy.sampler, requests, LabelingCost())]


def judge_in_order(
    items: Iterable[T], submit: Callable[[T], Future[Verdict]], window: int = _WINDOW
) -> Iterator[tuple[T, Verdict | SandboxError]]:
    """Yield items with their verdicts in order, each as soon as it and those before it are judged.

    Args:
        items: Items to judge; taken only as needed.
        submit: Starts judging an item.
        window: Maximum number of items in flight.
    """
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
    """Yield what comes, and raise if the machine fails too often.

    Args:
        judged: Items with their verdicts.

    Raises:
        SandboxError: The machine failed for ``MAX_CONSECUTIVE_FAILURES`` samples in a row.
    """
    num_failed = 0
    for item, verdict in judged:
        yield item, verdict
        num_failed = num_failed + 1 if isinstance(verdict, SandboxError) else 0
        if num_failed >= MAX_CONSECUTIVE_FAILURES:
            raise SandboxError(
                f"the machine failed for {num_failed} samples in a row, the last time with: {verdict}. Repair it and "
                "run the same command again"
            )
