"""Targets for a model of values, from the completions that were sampled for labels.

A hard label shows whether the best of K completions of a prefix passes; a value, how often one completion passes. The
search for labels samples thousands of completions, and each is a sample of the return of every state on its way, so a
model of values costs no further completion. If it starts from a process reward model, it already knows what is correct
so far and learns how much can still go wrong.

A prefix with a success is not sampled further. This biases neither the mean number of its successes nor that of its
samples (Wald's identity), so a mean over all samples is unbiased, while a mean over prefixes would not be.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from codegym.scorers.labels import JudgedCompletion, LabeledProgram, code_line_indices
from codegym.scorers.prm.model import EncodedProgram, ProcessRewardModel
from codegym.scorers.prm.report import ScoredProgram
from codegym.syntax.lines import split_lines


def encode_completions(
    model: ProcessRewardModel, program: LabeledProgram
) -> Iterator[tuple[EncodedProgram, list[float]]]:
    """Yield every completion of a program as the model reads it, with a target after each token from the prefix on.

    The target is 1 if the completion passed and -1 if not, so the expected score is ``2 V - 1``. A completion whose
    prefix is longer than the model reads is left out.

    Args:
        model: The model to be trained.
        program: A labeled program with its completions.
    """
    for completion in program.all_completions:
        ids, ends = model.encoder.encode(program.prompt, _lines(program, completion))
        num_lines = completion.num_lines
        state = ends[num_lines - 1] if num_lines else _last_of_prompt(model, program.prompt)
        if state is not None and ids:
            positions = list(range(state, len(ids)))
            yield EncodedProgram(ids, positions), [_target(completion)] * len(positions)


def score_completions(model: ProcessRewardModel, programs: Sequence[LabeledProgram]) -> list[ScoredProgram]:
    """Score the lines of code that completions wrote, and return the scores with the outcome as their label.

    Args:
        model: A model of values.
        programs: Labeled programs with their completions.
    """
    completions = [(program, completion) for program in programs for completion in program.all_completions]
    requests = []
    for program, completion in completions:
        lines = _lines(program, completion)
        indices = [index for index in code_line_indices("".join(lines)) if index >= completion.num_lines]
        requests.append((program.prompt, lines, indices))
    return [
        ScoredProgram(program.task_id, [_target(completion)] * len(scores), scores)
        for (program, completion), scores in zip(completions, model.score_lines(requests), strict=True)
    ]


def _last_of_prompt(model: ProcessRewardModel, prompt: str) -> int:
    """Return the index of the token before the first line; for an empty prompt, of the first token."""
    return max(0, len(model.encoder.encode(prompt, ()).ids) - 1)


def _lines(program: LabeledProgram, completion: JudgedCompletion) -> list[str]:
    """Return the lines of the whole program that a completion makes of its prefix."""
    return [*program.lines[: completion.num_lines], *split_lines(completion.text)]


def _target(completion: JudgedCompletion) -> float:
    return 1.0 if completion.passed else -1.0
