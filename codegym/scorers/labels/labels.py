r"""Labels of lines: what a process reward model learns, from how often prefixes of programs could still be completed.

A labeled program holds what was found out about its prefixes; labels, classes and selections are read from that:

    >>> program = LabeledProgram("t", "Add one.\n", "def f(x):\n    # Off.\n    return x\n", False, num_correct_lines=1)
    >>> line_labels(program), program.label_class.value
    ((1.0, 0.0, -1.0), 'revised')

A prefix is *recoverable* where at least one of K sampled completions of it passes the task's checks. With finite K
this is a noisy statement: a false "wrong" is possible, a false "right" is not (for the sampler's own abilities).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import Literal, NamedTuple, get_args

from codegym.syntax.lines import LineKind, line_kinds, split_lines


class SuccessCount(NamedTuple):
    """How often completions of a prefix passed."""

    successes: int
    completions: int

    @property
    def rate(self) -> float:
        """The share that passed."""
        return self.successes / self.completions


class JudgedCompletion(NamedTuple):
    """A completion of a prefix, and what became of it: one sample of the return of every state on its way."""

    num_lines: int
    """Of the prefix."""
    text: str
    """What the policy wrote after them."""
    passed: bool


class LabelClass(StrEnum):
    """What became of a program (Dai et al., arXiv 2410.17621, data selection)."""

    CORRECT = "correct"
    """Passes as it was sampled."""
    REVISED = "revised"
    """Fails, but one of its prefixes, of at least one line, is recoverable."""
    WRONG = "wrong"
    """Fails, and no such prefix is: from its first line on, or the task is too hard for the sampler."""


@dataclass(frozen=True, slots=True)
class LabeledProgram:
    """A sampled program and what was found out about its prefixes.

    Args:
        task_id: the task.
        prompt: what the policy saw.
        completion: the program.
        passed: whether it passes all checks.
        num_correct_lines: how many lines the longest recoverable prefix has, all of them where it passes; 0 for none.
        success_counts: number of lines of a prefix -> how often its completions passed, for those that were tried.
        witness: a program that passes and begins with as many of its lines as any that came up; empty for none.
        completions: the first completions of each prefix that was tried, where they were kept.
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
        """The program itself, which completes its prompt, and the completions."""
        return (JudgedCompletion(0, self.completion, self.passed), *self.completions)

    @property
    def lines(self) -> list[str]:
        """The lines of the program."""
        return split_lines(self.completion)

    @property
    def from_witness(self) -> LabeledProgram | None:
        """The witness as a labeled program, all of whose lines are right; None where there is none.

        It costs nothing more, and it has what sampled programs lack: right lines late in a program, and a right line
        after the same beginning after which the program has its first wrong one.
        """
        if not self.witness:
            return None
        return LabeledProgram(self.task_id, self.prompt, self.witness, True, len(split_lines(self.witness)))

    @property
    def label_class(self) -> LabelClass:
        """What became of the program."""
        if self.passed:
            return LabelClass.CORRECT
        return LabelClass.REVISED if self.num_correct_lines else LabelClass.WRONG

    @property
    def is_hard(self) -> bool:
        """Whether nothing was seen to pass, from the prompt alone neither: it does not show which lines are wrong."""
        return self.label_class is LabelClass.WRONG and not self.success_counts.get(0, SuccessCount(0, 1)).successes


LabelKind = Literal["hard", "soft", "marginal"]


def code_line_indices(completion: str) -> list[int]:
    r"""Return the indices of the lines of code, from 0: those that are not neutral.

    >>> code_line_indices("x = 1\n\n# Done.\nprint(x)\n")
    [0, 3]
    """
    return [index for index, kind in enumerate(line_kinds(completion)) if kind is LineKind.CODE]


def line_labels(program: LabeledProgram, kind: LabelKind = "hard") -> tuple[float, ...]:
    """Give one label in [-1, 1] for each line; neutral lines have 0 in every kind.

    - ``"hard"`` (PSGPO, arXiv 2410.17621): +1 up to the end of the longest recoverable prefix, -1 after it. Without
      the zeros the labels are +1 ... +1, -1 ... -1.
    - ``"soft"`` (Math-Shepherd, arXiv 2312.08935): ``2 p - 1``, where p is the share of completions that passed.
    - ``"marginal"``: ``p(m) - p(m - 1)``, how much the line changed that share.

    Raises:
        ValueError: soft and marginal labels of a program whose prefixes were not all tried (method "monte_carlo").
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


def _rates(program: LabeledProgram, counts: Sequence[int]) -> list[float]:
    if missing := [count for count in counts if count not in program.success_counts]:
        raise ValueError(
            f"a program of task {program.task_id!r} has no success rate of its first {missing[0]} lines: soft and "
            'marginal labels need every prefix, label with the method "monte_carlo"'
        )
    return [program.success_counts[count].rate for count in counts]


Selection = Literal["full", "remove_hard", "medium_only", "revised_only"]


def select(programs: Iterable[LabeledProgram], selection: Selection = "full") -> list[LabeledProgram]:
    """Choose what a model is trained on; the four selections of PSGPO (arXiv 2410.17621, ablation of the PRM's data).

    - ``"full"``: everything;
    - ``"remove_hard"``: without the tasks of which no program passes or can be mended, and whose prompt alone could not
      be completed either: their -1 says that the task is too hard for the sampler, not that the line is wrong;
    - ``"medium_only"``: without those and without the tasks whose programs are all Correct;
    - ``"revised_only"``: only Revised programs, each of which has lines of both signs. The paper's best.

    The paper's own wording of the second and third was not at hand; they are read from their names.

    Raises:
        ValueError: no such selection.
    """
    if selection not in get_args(Selection):
        raise ValueError(f"no selection {selection!r}; there are {', '.join(get_args(Selection))}")
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


class Agreement(NamedTuple):
    """How hard labels compare with an oracle that knows the first wrong line."""

    lines: int
    """Lines that are not neutral."""
    agreed: int
    """Those whose label has the sign that the oracle says."""
    programs: int
    exact: int
    """Programs of which all lines agree."""
    early: int
    """Programs whose labels turn -1 too early: a recoverable prefix was missed."""
    late: int
    """Programs whose labels turn -1 too late: the sampler mended what the oracle holds to be wrong."""

    @property
    def share(self) -> float:
        """Share of the lines that agree; 1 of none."""
        return self.agreed / self.lines if self.lines else 1.0


def agreement(programs: Iterable[LabeledProgram], oracle: Callable[[LabeledProgram], int | None]) -> Agreement:
    """Compare hard labels with an oracle.

    Args:
        programs: what was labeled.
        oracle: gives the number, from 1, of the first wrong line; None where no line is. A program that fails though no
            line is wrong has ended too early, and its last line counts as the wrong one, as in the labels.
    """
    counts = dict.fromkeys(Agreement._fields, 0)
    for program in programs:
        ours = [label for label in line_labels(program) if label]
        theirs = _true_labels(program, oracle(program))
        difference = ours.count(1.0) - theirs.count(1.0)
        counts["lines"] += len(ours)
        counts["agreed"] += len(ours) - abs(difference)  # both are +1 ... +1, -1 ... -1
        counts["programs"] += 1
        counts["exact" if not difference else "early" if difference < 0 else "late"] += 1
    return Agreement(**counts)


def _true_labels(program: LabeledProgram, first_wrong: int | None) -> list[float]:
    indices = code_line_indices(program.completion)
    if first_wrong is None:
        first_wrong = len(program.lines) + 1 if program.passed or not indices else indices[-1] + 1
    return [1.0 if index + 1 < first_wrong else -1.0 for index in indices]
