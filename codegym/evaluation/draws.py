"""Samples that a policy is still writing, as a file that grows: what was written once is never written again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from codegym.evaluation.evaluate import places, validate_ks
from codegym.evaluation.samples import Sample, SampleFile
from codegym.sampling import Completion, LabelingCost, PrefixRequest, Sampler, complete, derive_seed
from codegym.tasks.datasets.row import truncate_partial_line
from codegym.tasks.source import ListSource


@dataclass(frozen=True)
class DrawOptions:
    """Which samples are drawn."""

    num_samples: int = 1
    """Programs for each task."""
    ks: tuple[int, ...] = ()
    """For which pass@k is wanted; by default those of 1, 10 and 100 that --num-samples allows."""
    greedy: bool = False
    """Write the likeliest token each time, whatever the temperature: one sample a task."""
    max_prompt_tokens: int = 512
    """Of a longer prompt only the last so many are read."""
    batch_size: int = 64
    """Programs that are written at the same time."""
    seed: int = 0
    """Of the samples, and of the tasks of a family."""

    def __post_init__(self) -> None:
        validate_ks(self.ks, self.num_samples)
        if self.batch_size < 1 or self.max_prompt_tokens < 1:
            raise ValueError("--batch-size and --max-prompt-tokens must be at least 1")
        if self.greedy and self.num_samples > 1:
            raise ValueError(f"--greedy writes the same program every time, got --num-samples {self.num_samples}")


class Draws:
    """The samples of some tasks: those that the file has, and then the others, which are written and added to it.

    They are the same wherever it was interrupted: each has a seed of its own, and is written together with the same
    others, since how a batch is made up changes the last digits of the logits.

    Args:
        path: the file, which one process uses at a time.
        source: the tasks.
        options: which samples.
        open_sampler: loads the policy; called when it is needed for the first time.
    """

    def __init__(
        self, path: Path, source: ListSource, options: DrawOptions, open_sampler: Callable[[], Sampler]
    ) -> None:
        self.path, self.source, self.options = path, source, options
        self.ids = tuple(task.task_id for task in source.tasks)
        self.total = len(self.ids) * options.num_samples
        self.spent = LabelingCost()
        """What was written by this object."""
        self.seconds = 0.0
        """Time of writing, loading the policy not included."""
        self._open = open_sampler
        self._sampler: Sampler | None = None

    def __iter__(self) -> Iterator[Sample]:
        done = 0
        if self.path.exists():
            truncate_partial_line(self.path)
            for sample in SampleFile(self.path, self.ids):
                yield sample
                done += 1
        yield from self._more(done)

    def _more(self, done: int) -> Iterator[Sample]:
        skipped = done % self.options.batch_size  # of the first batch the file has these already
        for batch in places(len(self.ids), self.options.num_samples, self.options.batch_size, done):
            samples = self._write(batch)[skipped:]
            with self.path.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(sample.row) + "\n" for sample in samples)
            yield from samples
            skipped = 0

    def _write(self, batch: list[tuple[int, int]]) -> list[Sample]:
        """Have a batch written: (index of the task, number of the sample) of each."""
        if self._sampler is None:
            self._sampler = self._open()
        requests = [self._request(self.ids[place], number) for place, number in batch]
        begun = time.perf_counter()
        answers = complete(self._sampler, requests, self.spent)
        self.seconds += time.perf_counter() - begun
        return [
            _sample(request.task.task_id, number, answer)
            for request, (_, number), [answer] in zip(requests, batch, answers, strict=True)
        ]

    def _request(self, task_id: str, number: int) -> PrefixRequest:
        return PrefixRequest(self.source.by_id(task_id), "", 1, derive_seed(self.options.seed, task_id, number))


def _sample(task_id: str, number: int, answer: Completion) -> Sample:
    row = {"task_id": task_id, "sample": number, "completion": answer.text, "num_tokens": answer.num_tokens}
    return Sample(row, task_id, answer.text)
