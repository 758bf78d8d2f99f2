"""Tasks and their checks: what a program has to do, as frozen records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from codegym.errors import TaskError


@dataclass(frozen=True, slots=True)
class StdinCheck:
    """Run the program as a script with ``stdin``; what it prints must agree with ``stdout``."""

    stdin: str
    stdout: str


@dataclass(frozen=True, slots=True)
class CallCheck:
    """Call ``Task.entry_point`` with plain arguments; the plain value it returns must agree with ``expected``."""

    arguments: tuple[object, ...]
    expected: object


@dataclass(frozen=True, slots=True)
class AssertCheck:
    """Statements that must run without an exception, in the examiner's process (see ``Task.examiner``)."""

    source: str


Check = StdinCheck | CallCheck | AssertCheck


@dataclass(frozen=True, slots=True)
class Task:
    """A programming problem with the checks that decide whether a program solves it.

    The program that is judged is ``preamble + completion``. It runs in one process; the author's code
    (``examiner`` and the source of every ``AssertCheck``) runs in another one, in which each name of
    ``exports`` is a stand-in for the program's function or class of that name.

    Args:
        task_id: unique in its data set.
        prompt: what the policy sees.
        checks: at least one, all of one kind.
        preamble: source that stands before the completion (for HumanEval the prompt itself).
        entry_point: what a ``CallCheck`` calls: ``"f"``, or ``"Solution.f"`` for a method of a fresh instance.
        examiner: trusted source that runs once before the first ``AssertCheck``, in the same namespace.
        exports: names of the program which ``examiner`` and the assert checks may use.
        comparison: name of the rule that compares what came with what was expected (``codegym.judge.comparison``).
        solution: a completion that passes, or None where the data set has none.
        uses_candidate_types: Whether the checks read attributes of the program's own objects: the tests of MBPP 601
            pass instances of a class that the program defines.
        metadata: what else the data set says (difficulty, source, url ...), plain JSON data.

    Raises:
        TaskError: no checks, checks of several kinds, or a call check without an entry point.
    """

    task_id: str
    prompt: str
    checks: tuple[Check, ...]
    preamble: str = ""
    entry_point: str = ""
    examiner: str = ""
    exports: tuple[str, ...] = ()
    comparison: str = "exact"
    solution: str | None = None
    uses_candidate_types: bool = False
    metadata: Mapping[str, object] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        kinds = {type(check).__name__ for check in self.checks}
        if not kinds:
            raise TaskError(f"task {self.task_id!r} has no checks: every program would pass it")
        if len(kinds) > 1:
            raise TaskError(
                f"task {self.task_id!r} mixes {', '.join(sorted(kinds))}: the checks of a task are of one kind"
            )
        if kinds == {"CallCheck"} and not self.entry_point:
            raise TaskError(f"task {self.task_id!r} has call checks but no entry_point to call")
