"""What a state is worth, learned from the completions that labels were found with.

A hard label says whether a prefix can be saved by the best of K completions; a value, how often one completion passes.
The search for labels draws thousands of completions, and each of them is a sample of the return of every state on its
way, so a model of values costs no completion more. Where it starts from a process reward model it knows already what is
right so far, and has to learn how much can still go wrong.

A prefix that has a success is drawn from no more. That biases neither its mean number of successes nor that of its
draws (Wald's identity), so a mean over all draws is right, while one over the prefixes would not be.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from codegym.scorers.labels.labels import JudgedCompletion, LabeledProgram, code_line_indices
from codegym.scorers.prm.model import EncodedProgram, ProcessRewardModel
from codegym.scorers.prm.report import ScoredProgram
from codegym.syntax.lines import split_lines


def encode_completions(
    model: ProcessRewardModel, program: LabeledProgram
) -> Iterator[tuple[EncodedProgram, list[float]]]:
    """Give every outcome of a program as the model reads it, with a target after each token from the prefix on.

    The target is +1 where the completion passed and -1 where it did not, so that the expected score is ``2 V - 1``.
    An outcome is left out whose prefix is longer than the model reads.
    """
    for trial in program.all_completions:
        ids, ends = model.encoder.encode(program.prompt, _lines(program, trial))
        state = ends[trial.num_lines - 1] if trial.num_lines else _last_of_prompt(model, program.prompt)
        if state is not None and ids:
            positions = list(range(state, len(ids)))
            yield EncodedProgram(ids, positions), [_target(trial)] * len(positions)


def score_completions(model: ProcessRewardModel, programs: Sequence[LabeledProgram]) -> list[ScoredProgram]:
    """Set the scores of the lines that completions wrote beside what became of them; neutral lines are left out."""
    outcomes = [(program, trial, _lines(program, trial)) for program in programs for trial in program.all_completions]
    wanted = [
        [index for index in code_line_indices("".join(lines)) if index >= trial.num_lines]
        for _, trial, lines in outcomes
    ]
    read = [(program.prompt, lines, which) for (program, _, lines), which in zip(outcomes, wanted, strict=True)]
    return [
        ScoredProgram(program.task_id, [_target(trial)] * len(scores), scores)
        for (program, trial, _), scores in zip(outcomes, model.score_lines(read), strict=True)
    ]


def _last_of_prompt(model: ProcessRewardModel, prompt: str) -> int:
    """Index of the token that is the state before the first line; the first one of the program for an empty prompt."""
    return max(0, len(model.encoder.encode(prompt, ()).ids) - 1)


def _lines(program: LabeledProgram, trial: JudgedCompletion) -> list[str]:
    """The whole program that a trial is."""
    return [*program.lines[: trial.num_lines], *split_lines(trial.text)]


def _target(trial: JudgedCompletion) -> float:
    return 1.0 if trial.passed else -1.0
