"""Samples that a policy draws into a file that survives interruptions: what is sampled once is never sampled again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from codegym.evaluation.evaluate import sample_batches, validate_ks
from codegym.evaluation.samples import Sample
from codegym.jsonl import ResumableFile
from codegym.sampling import Completion, LabelingCost, PrefixRequest, Sampler, complete, derive_seed
from codegym.tasks.source import ListSource


@dataclass(frozen=True)
class DrawOptions:
    """Number and kind of the samples.

    Raises:
        ValueError: A number is out of range, or greedy sampling is asked for several samples of a task.
    """

    num_samples: int = 1
    """Number of programs for each task."""
    ks: tuple[int, ...] = ()
    """Values of k for pass@k. By default those of 1, 10 and 100 that --num-samples allows."""
    greedy: bool = False
    """Take the most likely token each time, whatever the temperature: one sample for each task."""
    max_prompt_tokens: int = 512
    """Maximum number of tokens of a prompt. Longer prompts lose their beginning."""
    batch_size: int = 64
    """Number of programs that are sampled at the same time."""
    seed: int = 0
    """Seed of the samples, and of the tasks that are drawn from a family."""

    def __post_init__(self) -> None:
        validate_ks(self.ks, self.num_samples)
        if self.batch_size < 1 or self.max_prompt_tokens < 1:
            raise ValueError(
                f"too small: got --batch-size {self.batch_size} and --max-prompt-tokens {self.max_prompt_tokens}; "
                "expected at least 1 of both"
            )
        if self.greedy and self.num_samples > 1:
            raise ValueError(
                f"--greedy samples the same program every time: got --num-samples {self.num_samples}; expected 1"
            )


class Draws:
    """Samples of some tasks: first those in the file, then the others, which are sampled and appended to it.

    They do not depend on interruptions: each sample has a seed of its own and is always sampled in a batch with the
    same others, since the composition of a batch changes the last digits of the logits.

    Args:
        file: Open file of samples. Its card gets the notes ``tokens`` and ``seconds``: the cost of the sampling.
        source: Tasks that programs are sampled for.
        options: Number and kind of the samples.
        open_sampler: Loads the policy; called when it is needed for the first time.
    """

    def __init__(
        self, file: ResumableFile, source: ListSource, options: DrawOptions, open_sampler: Callable[[], Sampler]
    ) -> None:
        self.file, self.source, self.options = file, source, options
        self.ids = tuple(task.task_id for task in source.tasks)
        self.total = len(self.ids) * options.num_samples
        """Number of samples."""
        self._open_sampler = open_sampler
        self._sampler: Sampler | None = None

    def __iter__(self) -> Iterator[Sample]:
        for row in self.file.rows():
            yield Sample(row, row["task_id"], row["completion"])
        yield from self._more(self.file.num_rows)

    def _more(self, num_done: int) -> Iterator[Sample]:
        num_known = num_done % self.options.batch_size  # the file has these samples of the first batch already
        for batch in sample_batches(len(self.ids), self.options.num_samples, self.options.batch_size, num_done):
            samples = self._draw(batch)[num_known:]
            for sample in samples:
                self.file.append(sample.row)
            yield from samples
            num_known = 0

    def _draw(self, batch: list[tuple[int, int]]) -> list[Sample]:
        """Sample a batch of (index of the task, number of the sample)."""
        if self._sampler is None:
            self._sampler = self._open_sampler()
        requests = [self._request(self.ids[index], number) for index, number in batch]
        cost, start = LabelingCost(), time.perf_counter()
        answers = complete(self._sampler, requests, cost)
        self._note_cost(cost.tokens, time.perf_counter() - start)
        return [
            _sample(request.task.task_id, number, answer)
            for request, (_, number), [answer] in zip(requests, batch, answers, strict=True)
        ]

    def _note_cost(self, tokens: int, seconds: float) -> None:
        known = self.file.card.notes
        self.file.card.note(
            tokens=known.get("tokens", 0) + tokens, seconds=round(known.get("seconds", 0.0) + seconds, 3)
        )

    def _request(self, task_id: str, number: int) -> PrefixRequest:
        return PrefixRequest(self.source.by_id(task_id), "", 1, derive_seed(self.options.seed, task_id, number))


def _sample(task_id: str, number: int, answer: Completion) -> Sample:
    row = {"task_id": task_id, "sample": number, "completion": answer.text, "num_tokens": answer.num_tokens}
    return Sample(row, task_id, answer.text)
