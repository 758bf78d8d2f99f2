"""The labeler: samples programs and searches through many of them at the same time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice, takewhile
from typing import get_args

from codegym.judge import JudgeLike
from codegym.sampling import LabelingCost, PrefixRequest, Sampler, complete, derive_seed
from codegym.scorers.labels.labels import LabeledProgram
from codegym.scorers.labels.prober import PrefixEvaluator, judge_programs
from codegym.scorers.labels.search import MeasuredPrefix, Method, PrefixSearch, SampledProgram
from codegym.tasks.record import Task


@dataclass(frozen=True)
class LabelSettings:
    """How labels are found.

    Raises:
        ValueError: A number is out of range, or there is no such method.
    """

    method: Method = "binary_search"
    """Method that finds labels: PSGPO's "binary_search" for hard labels, or "monte_carlo", which measures every prefix,
    for soft and marginal ones."""
    num_completions: int = 20
    """K, the number of completions of a measured prefix. A prefix is lost if none of them passes."""
    batch_size: int = 256
    """Number of programs whose searches run together. A larger number gives the sampler larger batches."""
    witnesses: bool = True
    """Let a passing completion also prove the next lines of the program that it begins with. Without this it is PSGPO's
    procedure to the letter, which errs more often at the same cost."""
    keep_completions: int = 0
    """Number of completions of each measured prefix to keep with their verdict. They are samples of its value, which a
    model with the target "values" learns from, and cost no further sample."""
    seed: int = 0
    """Seed of all programs and completions."""

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise ValueError(f"unknown method: got {self.method!r}; expected one of {', '.join(get_args(Method))}")
        for name, least in {"num_completions": 1, "batch_size": 1, "keep_completions": 0}.items():
            if getattr(self, name) < least:
                raise ValueError(f"wrong {name}: got {getattr(self, name)}; expected at least {least}")

    @property
    def stages(self) -> tuple[int, ...]:
        """Number of completions of a prefix after each round: 2, 4, 8 and so on up to K.

        A prefix with a success is not sampled further. Success rates need all K completions of every prefix.
        """
        if self.method != "binary_search":
            return (self.num_completions,)
        doubled = takewhile(lambda number: number < self.num_completions, (2**power for power in count(1)))
        return (*doubled, self.num_completions)


class Labeler:
    r"""Finds the labels of programs.

        labeler = Labeler(sampler, judge, LabelSettings(num_completions=20))
        for program in labeler.label(programs):
            print(line_labels(program))

    A failure of the machine never becomes a label: programs that it touches are left out and counted in ``skipped``.

    Args:
        sampler: Policy that completes prefixes.
        judge: Judge of the completed programs.
        settings: Settings of the search.
        on_round: Function that is called with the cost so far after each round.
    """

    def __init__(
        self,
        sampler: Sampler,
        judge: JudgeLike,
        settings: LabelSettings = LabelSettings(),
        *,
        on_round: Callable[[LabelingCost], object] = lambda _: None,
    ) -> None:
        self.settings = settings
        self.skipped = 0
        self._on_round = on_round
        self._evaluator = PrefixEvaluator(sampler, judge, settings.stages, settings.seed, settings.keep_completions)

    @property
    def cost(self) -> LabelingCost:
        """Cost of the labels so far."""
        return self._evaluator.cost

    def sample(self, tasks: Iterable[Task], num_samples: int = 1) -> Iterator[SampledProgram]:
        """Sample programs for each task and judge them.

        Args:
            tasks: Tasks to write programs for.
            num_samples: Number of programs for each task.
        """
        seeded = ((task, derive_seed(self.settings.seed, "programs", number)) for number, task in enumerate(tasks))
        while batch := list(islice(seeded, max(1, self.settings.batch_size // num_samples))):
            yield from self._sample([PrefixRequest(task, "", num_samples, seed) for task, seed in batch])
            self._on_round(self.cost)

    def _sample(self, requests: Sequence[PrefixRequest]) -> Iterator[SampledProgram]:
        answers = complete(self._evaluator.sampler, requests, self.cost)
        programs = [
            (request.task, one.text) for request, answer in zip(requests, answers, strict=True) for one in answer
        ]
        verdicts = judge_programs(self._evaluator.judge, programs, self.cost)
        for task, text in programs:
            passed = verdicts[task.task_id, text]
            if passed is None:
                self.skipped += 1
            else:
                yield SampledProgram(task, text, passed)

    def label(self, programs: Iterable[SampledProgram]) -> Iterator[LabeledProgram]:
        """Label programs, and yield them in their order, each as soon as it is labeled.

        Args:
            programs: Sampled programs with their verdicts.
        """
        waiting, queue = iter(programs), deque[PrefixSearch]()
        while True:
            fresh = islice(waiting, self.settings.batch_size - len(queue))
            queue.extend(PrefixSearch(program, self.settings.method, self.settings.witnesses) for program in fresh)
            if not queue:
                return
            self._advance([search for search in queue if search.queries])
            while queue and not queue[0].queries:
                result = queue.popleft().result()
                if result is None:
                    self.skipped += 1
                else:
                    yield result

    def _advance(self, searches: Sequence[PrefixSearch]) -> None:
        """Measure what every search queries, once for all."""
        if not searches:
            return
        self._evaluator.measure(
            (search.program.task, search.prefix(num_lines)) for search in searches for num_lines in search.queries
        )
        for search in searches:
            self._update(search)
        self._on_round(self.cost)

    def _update(self, search: PrefixSearch) -> None:
        evaluator, task_id = self._evaluator, search.program.task.task_id
        keys = {num_lines: (task_id, search.prefix(num_lines)) for num_lines in search.queries}
        unknown = [key for key in keys.values() if key in evaluator.failed]
        if self.settings.method == "binary_search":  # one success is enough, even if other programs could not be judged
            unknown = [key for key in unknown if not evaluator.counts[key].successes]
        if unknown:
            search.give_up()
            return
        search.update(
            {
                num_lines: MeasuredPrefix(evaluator.counts[key], evaluator.passing[key], evaluator.kept[key])
                for num_lines, key in keys.items()
            }
        )
