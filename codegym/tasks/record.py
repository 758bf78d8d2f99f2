"""Tasks and their checks: what a program has to do, as frozen records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from codegym.errors import TaskError
from codegym.tasks import validation
from codegym.tasks.plain_data import describe_value, find_unplain


@dataclass(frozen=True, slots=True)
class StdinCheck:
    """Run the program as a script with ``stdin``; what it prints must match ``stdout``.

    Args:
        stdin: Text on the standard input of the program.
        stdout: Text that the program has to print, compared by the rule ``Task.comparison``.

    Raises:
        TaskError: One of the two is not text.
    """

    stdin: str
    stdout: str

    def __post_init__(self) -> None:
        for name in ("stdin", "stdout"):
            if problem := validation.not_text(f"{name} of a StdinCheck", getattr(self, name)):
                raise TaskError(problem)


@dataclass(frozen=True, slots=True)
class CallCheck:
    """Call ``Task.entry_point`` with plain arguments; the plain value it returns must match ``expected``.

    Args:
        arguments: Positional arguments of the call. A list is kept as a tuple.
        expected: Value that the call has to return, compared by the rule ``Task.comparison``.

    Raises:
        TaskError: The arguments are not a tuple or list, or a value is not plain data
            (``codegym.tasks.plain_data.find_unplain``) and so could not be passed to the program.
    """

    arguments: tuple[object, ...]
    expected: object

    def __post_init__(self) -> None:
        arguments: object = self.arguments
        if not isinstance(arguments, tuple | list):
            raise TaskError(
                f"arguments of a CallCheck: got {describe_value(arguments)}; expected a tuple of positional arguments. "
                f"Write CallCheck(({describe_value(arguments)},), ...)"
            )
        for name, value in (("arguments", arguments), ("expected", self.expected)):
            if unplain := find_unplain(value):
                raise TaskError(
                    f"{name} of a CallCheck: got {unplain}; expected plain data (None, numbers, texts, bytes, and "
                    "lists, tuples, sets and dicts of them). Use an AssertCheck to compare other objects"
                )
        if isinstance(arguments, list):
            object.__setattr__(self, "arguments", tuple(arguments))


@dataclass(frozen=True, slots=True)
class AssertCheck:
    """Statements that must run without an exception, in the examiner's process (see ``Task.examiner``).

    Args:
        source: Python source, such as ``"assert f(1) == 2"``.

    Raises:
        TaskError: The source is not valid Python, or nothing in it could fail, such as a comparison without ``assert``.
    """

    source: str

    def __post_init__(self) -> None:
        name = "source of an AssertCheck"
        problem = validation.not_text(name, self.source) or validation.not_python(name, self.source)
        if problem := problem or validation.checks_nothing(self.source):
            raise TaskError(problem)


Check = StdinCheck | CallCheck | AssertCheck


@dataclass(frozen=True, slots=True)
class Task:
    """A programming problem with the checks that decide whether a program solves it.

    The judged program is ``preamble + completion``. It runs in one process. The author's code (``examiner`` and the
    source of every ``AssertCheck``) runs in another one, in which each name of ``exports`` is a stand-in for the
    program's function or class of that name.

        Task("inc", "Write inc(n).", (AssertCheck("assert inc(1) == 2"),), exports=("inc",))
        Task("add", "Write add(a, b).", (CallCheck((1, 2), 3),), entry_point="add")
        Task("echo", "Print the input.", (StdinCheck("a", "a"),))

    Args:
        task_id: Name of the task, unique in its data set.
        prompt: Text that the policy sees.
        checks: Checks of one kind, at least one. A list is kept as a tuple.
        preamble: Source before the completion; for HumanEval this is the prompt itself.
        entry_point: Function that a ``CallCheck`` calls: ``"f"``, or ``"Solution.f"`` for a method of a new instance.
        examiner: Trusted source that runs once before the first ``AssertCheck``, in the same namespace.
        exports: Names of the program that ``examiner`` and the assert checks use. A list is kept as a tuple.
        comparison: Name of the rule that compares output or return value with what was expected
            (``codegym.judge.comparison``).
        solution: A completion that passes, None if the data set has none.
        uses_candidate_types: Whether the checks read attributes of objects of classes that the program itself defines,
            as those of MBPP 601 do.
        metadata: Further information of the data set, such as difficulty, source and address, as plain JSON data.
            It does not change what a task means.

    Raises:
        TaskError: The task contradicts itself, or no program or every program would pass: there are no checks, or
            checks of several kinds; a field has another type; call checks have no entry point; assert checks use no
            name of the program, or one that is not defined anywhere; a name is not an identifier.
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
        problem = _wrong_field(self) or _wrong_checks(self.checks)
        if problem is None and isinstance(self.checks[0], CallCheck):
            problem = _wrong_calls(self)
        if problem is None and isinstance(self.checks[0], AssertCheck):
            problem = _wrong_asserts(self)
        if problem is not None:
            raise TaskError(f"task {self.task_id!r:.100}: {problem}")
        for name in ("checks", "exports"):
            object.__setattr__(self, name, tuple(getattr(self, name)))


_TEXTS = ("task_id", "prompt", "preamble", "entry_point", "examiner", "comparison")


def _wrong_field(task: Task) -> str | None:
    for name in _TEXTS if task.solution is None else (*_TEXTS, "solution"):
        if problem := validation.not_text(name, getattr(task, name)):
            return problem
    if not task.task_id:
        return "task_id: got the string ''; expected a name that is unique in the data set"
    if not isinstance(task.metadata, Mapping):
        return f"metadata: got {describe_value(task.metadata)}; expected a dict with plain JSON data"
    if not isinstance(task.uses_candidate_types, bool):
        return f"uses_candidate_types: got {describe_value(task.uses_candidate_types)}; expected True or False"
    return validation.bad_exports(task.exports)


def _wrong_checks(checks: object) -> str | None:
    expected = "expected a tuple of StdinCheck, CallCheck or AssertCheck"
    if not isinstance(checks, tuple | list):
        hint = ". Write (check,) for one check" if isinstance(checks, Check) else ""
        return f"checks: got {describe_value(checks)}; {expected}{hint}"
    if not checks:
        return "no checks: every program would pass; expected at least one"
    for check in checks:
        if not isinstance(check, Check):
            hint = ". Write AssertCheck(source) for assert statements" if isinstance(check, str) else ""
            return f"checks: got {describe_value(check)} among them; {expected}{hint}"
    kinds = sorted({type(check).__name__ for check in checks})
    return None if len(kinds) == 1 else f"checks of several kinds: got {', '.join(kinds)}; expected checks of one kind"


def _wrong_calls(task: Task) -> str | None:
    if not task.entry_point:
        return "call checks without an entry_point; expected the name of the function to call, such as 'f'"
    return validation.bad_entry_point(task.entry_point)


def _wrong_asserts(task: Task) -> str | None:
    sources = [check.source for check in task.checks if isinstance(check, AssertCheck)]
    return validation.not_python("examiner", task.examiner) or validation.bad_names(
        task.examiner, sources, task.exports
    )
