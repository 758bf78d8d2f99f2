r"""Labels of lines, derived from how often prefixes of programs can still be completed.

A labeled program records what was measured about its prefixes; labels, classes and selections are computed from that:

    >>> program = LabeledProgram("t", "Add one.\n", "def f(x):\n    # Off.\n    return x\n", False, num_correct_lines=1)
    >>> line_labels(program), program.label_class.value
    ((1.0, 0.0, -1.0), 'revised')

A prefix is *recoverable* if at least one of K sampled completions of it passes the task's checks. With a finite K this
is noisy: a false "wrong" is possible, while a false "correct" is not, as far as the sampler's own abilities go.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import Literal, NamedTuple, get_args

from codegym.syntax.lines import LineKind, line_kinds, split_lines


class SuccessCount(NamedTuple):
    """Number of completions of a prefix that passed, and of all that were judged."""

    successes: int
    completions: int

    @property
    def rate(self) -> float:
        """Share of the completions that passed."""
        return self.successes / self.completions


class JudgedCompletion(NamedTuple):
    """A completion of a prefix with its verdict: one sample of the return of every state on its way."""

    num_lines: int
    """Length of the prefix, in lines."""
    text: str
    """The completion, without the prefix."""
    passed: bool


class LabelClass(StrEnum):
    """Class of a program (Dai et al., arXiv 2410.17621, data selection)."""

    CORRECT = "correct"
    """The program passes as it was sampled."""
    REVISED = "revised"
    """The program fails, but one of its prefixes with at least one line is recoverable."""
    WRONG = "wrong"
    """The program fails, and no such prefix is recoverable: its first line is wrong, or the task is too hard."""


@dataclass(frozen=True, slots=True)
class LabeledProgram:
    """A sampled program and what was measured about its prefixes.

    Args:
        task_id: Id of the task.
        prompt: Prompt that the policy read.
        completion: The program.
        passed: Whether the program passes all checks.
        num_correct_lines: Number of lines of the longest recoverable prefix: all if the program passes, 0 for none.
        success_counts: Length of a measured prefix, in lines -> how many of its completions passed.
        witness: A program that passes and shares the most first lines with this one; empty for none.
        completions: The first completions of each measured prefix, if they were kept.
    """

    task_id: str
    prompt: str
    completion: str
    passed: bool
    num_correct_lines: int
    success_counts: Mapping[int, SuccessCount] = field(default_factory=dict)
    witness: str = ""
    completions: tuple[JudgedCompletion, ...] = ()

    @property
    def all_completions(self) -> tuple[JudgedCompletion, ...]:
        """The program itself, as a completion of its prompt, and the kept completions."""
        return (JudgedCompletion(0, self.completion, self.passed), *self.completions)

    @property
    def lines(self) -> list[str]:
        """Lines of the program, each with its newline if it has one."""
        return split_lines(self.completion)

    @property
    def from_witness(self) -> LabeledProgram | None:
        """The witness as a labeled program, all lines of which are correct; None if there is no witness.

        It costs no further sample, and it has what sampled programs lack: correct lines late in a program, and a
        correct line after the same lines after which this program has its first wrong one.
        """
        if not self.witness:
            return None
        return LabeledProgram(self.task_id, self.prompt, self.witness, True, len(split_lines(self.witness)))

    @property
    def label_class(self) -> LabelClass:
        """Class of the program."""
        if self.passed:
            return LabelClass.CORRECT
        return LabelClass.REVISED if self.num_correct_lines else LabelClass.WRONG

    @property
    def is_hard(self) -> bool:
        """Whether no completion passed, not even of the prompt alone. Such a program shows nothing about its lines."""
        return self.label_class is LabelClass.WRONG and not self.success_counts.get(0, SuccessCount(0, 1)).successes


LabelKind = Literal["hard", "soft", "marginal"]


def code_line_indices(completion: str) -> list[int]:
    r"""Return the indices, from 0, of the lines of code in a ``completion``: those that are not neutral.

    >>> code_line_indices("x = 1\n\n# Done.\nprint(x)\n")
    [0, 3]
    """
    return [index for index, kind in enumerate(line_kinds(completion)) if kind is LineKind.CODE]


def line_labels(program: LabeledProgram, kind: LabelKind = "hard") -> tuple[float, ...]:
    """Return one label in [-1, 1] for each line. Neutral lines have the label 0 in every kind.

    - ``"hard"`` (PSGPO, arXiv 2410.17621): 1 for the lines of the longest recoverable prefix, -1 for those after it.
    - ``"soft"`` (Math-Shepherd, arXiv 2312.08935): ``2 p - 1``, with the share p of completions that passed.
    - ``"marginal"``: ``p(m) - p(m - 1)``, the change of that share by the line.

    Args:
        program: A labeled program.
        kind: Kind of the labels.

    Raises:
        ValueError: Soft or marginal labels are requested, but not all prefixes were measured (method "monte_carlo").
    """
    indices = code_line_indices(program.completion)
    labels = [0.0] * len(program.lines)
    values = {"hard": _hard, "soft": _soft, "marginal": _marginal}[kind](program, indices)
    for index, value in zip(indices, values, strict=True):
        labels[index] = value
    return tuple(labels)


def _hard(program: LabeledProgram, indices: Sequence[int]) -> list[float]:
    return [1.0 if index < program.num_correct_lines else -1.0 for index in indices]


def _soft(program: LabeledProgram, indices: Sequence[int]) -> list[float]:
    return [2 * rate - 1 for rate in _rates(program, [index + 1 for index in indices])]


def _marginal(program: LabeledProgram, indices: Sequence[int]) -> list[float]:
    return [after - before for before, after in pairwise(_rates(program, [0, *(index + 1 for index in indices)]))]


def _rates(program: LabeledProgram, lengths: Sequence[int]) -> list[float]:
    if missing := [length for length in lengths if length not in program.success_counts]:
        raise ValueError(
            f"a prefix was not measured: got no success rate of the first {missing[0]} lines of a program of task "
            f"{program.task_id!r}; expected one for every prefix. Soft and marginal labels need the method "
            '"monte_carlo"'
        )
    return [program.success_counts[length].rate for length in lengths]


Selection = Literal["full", "remove_hard", "medium_only", "revised_only"]


def select(programs: Iterable[LabeledProgram], selection: Selection = "full") -> list[LabeledProgram]:
    """Return the programs that a model is trained on, by one of PSGPO's four selections (arXiv 2410.17621, ablation).

    - ``"full"``: all programs.
    - ``"remove_hard"``: without tasks no program of which passes or is Revised and whose prompt alone could not be
      completed either: their -1 shows that the task is too hard for the sampler, and not that the line is wrong.
    - ``"medium_only"``: without those and without tasks whose programs are all Correct.
    - ``"revised_only"``: only Revised programs, each of which has lines of both signs; the paper's best.

    The wording of the second and third in the paper was not available; they are inferred from their names.

    Args:
        programs: Labeled programs to choose from.
        selection: Name of the selection.

    Raises:
        ValueError: There is no such selection.
    """
    if selection not in get_args(Selection):
        raise ValueError(f"unknown selection: got {selection!r}; expected one of {', '.join(get_args(Selection))}")
    by_task: dict[str, list[LabeledProgram]] = defaultdict(list)
    for program in programs:
        by_task[program.task_id].append(program)
    chosen = []
    for of_task in by_task.values():
        is_hard = all(program.is_hard for program in of_task)
        is_easy = all(program.passed for program in of_task)
        if selection == "full" or not (is_hard or (is_easy and selection != "remove_hard")):
            chosen += of_task
    if selection == "revised_only":
        return [program for program in chosen if program.label_class is LabelClass.REVISED]
    return chosen
