"""The labeler: samples programs, and searches through many of them at the same time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice, takewhile

from codegym.judge import JudgeLike
from codegym.sampling import LabelingCost, PrefixRequest, Sampler, complete, derive_seed
from codegym.scorers.labels.labels import LabeledProgram
from codegym.scorers.labels.prober import PrefixEvaluator, judge_programs
from codegym.scorers.labels.search import Measured, Method, SampledProgram, Search
from codegym.tasks.record import Task


@dataclass(frozen=True)
class LabelSettings:
    """How labels are found."""

    method: Method = "binary_search"
    """"binary_search" is PSGPO's binary search, for hard labels; "monte_carlo" measures every prefix, for soft and
    marginal ones."""
    num_completions: int = 20
    """K: completions of a prefix that is tried. A prefix is lost where none of them passes."""
    batch_size: int = 256
    """Programs whose searches go on together: the larger, the better the batches of the sampler."""
    witnesses: bool = True
    """A completion that passes also proves those of the program's next lines that it begins with. False is PSGPO's
    procedure to the letter, which errs more often at the same cost."""
    keep_completions: int = 0
    """Of each prefix that is tried the first so many completions are kept with their outcome: they are samples of its
    value, which "values" are learned from, and cost nothing more."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in ("binary_search", "monte_carlo"):
            raise ValueError(f'method must be "binary_search" or "monte_carlo", got {self.method!r}')
        if self.num_completions < 1 or self.batch_size < 1:
            raise ValueError(
                f"num_completions and batch_size must be at least 1, got {self.num_completions} and {self.batch_size}"
            )
        if self.keep_completions < 0:
            raise ValueError(f"keep_completions must be at least 0, got {self.keep_completions}")

    @property
    def stages(self) -> tuple[int, ...]:
        """How many completions a prefix has had after each round: 2, 4, 8 and so on up to K.

        A prefix that has a success needs no further one. Rates need all K of every prefix.
        """
        if self.method != "binary_search":
            return (self.num_completions,)
        doubled = takewhile(lambda number: number < self.num_completions, (2**power for power in count(1)))
        return (*doubled, self.num_completions)


class Labeler:
    r"""Finds labels for programs.

        labeler = Labeler(sampler, judge, LabelSettings(num_completions=20))
        for labeled in labeler.label(programs):
            print(line_labels(labeled))

    A failure of the machine never becomes a label: programs that it touches are left out and counted in ``skipped``.

    Args:
        sampler: completes prefixes.
        judge: judges programs.
        settings: how labels are found.
        on_round: is called with what was spent, after each round.
    """

    def __init__(
        self,
        sampler: Sampler,
        judge: JudgeLike,
        settings: LabelSettings = LabelSettings(),  # noqa: B008 - a frozen record
        *,
        on_round: Callable[[LabelingCost], object] | None = None,
    ) -> None:
        self.settings = settings
        self.skipped = 0
        self._on_round = on_round
        self._prober = PrefixEvaluator(sampler, judge, settings.stages, settings.seed, settings.keep_completions)

    @property
    def spent(self) -> LabelingCost:
        """What the labels have cost so far."""
        return self._prober.spent

    def sample(self, tasks: Iterable[Task], num_samples: int = 1) -> Iterator[SampledProgram]:
        """Let the sampler write so many programs for each task, and judge them."""
        seeded = ((task, derive_seed(self.settings.seed, "programs", number)) for number, task in enumerate(tasks))
        while batch := list(islice(seeded, max(1, self.settings.batch_size // num_samples))):
            yield from self._sample([PrefixRequest(task, "", num_samples, seed) for task, seed in batch])
            self._tell()

    def _sample(self, requests: Sequence[PrefixRequest]) -> Iterator[SampledProgram]:
        answers = complete(self._prober.sampler, requests, self.spent)
        programs = [
            (request.task, one.text) for request, answer in zip(requests, answers, strict=True) for one in answer
        ]
        verdicts = judge_programs(self._prober.judge, programs, self.spent)
        for task, text in programs:
            passed = verdicts[task.task_id, text]
            if passed is None:
                self.skipped += 1
            else:
                yield SampledProgram(task, text, passed)

    def label(self, programs: Iterable[SampledProgram]) -> Iterator[LabeledProgram]:
        """Label programs; they come in the order of ``programs``, each as soon as it can."""
        waiting, queue = iter(programs), deque[Search]()
        while True:
            fresh = islice(waiting, self.settings.batch_size - len(queue))
            queue.extend(Search(program, self.settings.method, self.settings.witnesses) for program in fresh)
            if not queue:
                return
            self._advance([search for search in queue if not search.is_done])
            while queue and queue[0].is_done:
                result = queue.popleft().result
                if result is None:
                    self.skipped += 1
                else:
                    yield result

    def _advance(self, searches: Sequence[Search]) -> None:
        """Bring every search one question further."""
        if not searches:
            return
        self._prober.measure(
            (search.program.task, search.prefix(count)) for search in searches for count in search.wanted
        )
        for search in searches:
            self._answer(search)
        self._tell()

    def _answer(self, search: Search) -> None:
        prober, task_id = self._prober, search.program.task.task_id
        keys = {count: (task_id, search.prefix(count)) for count in search.wanted}
        unsure = [key for key in keys.values() if key in prober.failed]
        if self.settings.method == "binary_search":  # one success is enough, whatever else could not be run
            unsure = [key for key in unsure if not prober.known[key].successes]
        if unsure:
            search.give_up()
        else:
            search.answer(
                {
                    count: Measured(prober.known[key], prober.passing[key], prober.kept[key])
                    for count, key in keys.items()
                }
            )

    def _tell(self) -> None:
        if self._on_round is not None:
            self._on_round(self.spent)
