from __future__ import annotations

import dataclasses

import pytest

from codegym.errors import CodegymError, TaskError
from codegym.tasks.record import AssertCheck, CallCheck, StdinCheck, Task


def test_a_task_is_a_frozen_record():
    task = Task("1", "Echo.", (StdinCheck("a", "a"),))
    assert (task.comparison, task.solution, task.metadata) == ("exact", None, {})
    assert task == Task("1", "Echo.", (StdinCheck("a", "a"),))
    with pytest.raises(dataclasses.FrozenInstanceError):
        task.prompt = "x"


def test_r9_a_task_without_checks_is_an_error():
    # all([]) is True, so every program would pass
    with pytest.raises(TaskError, match="task '1' has no checks"):
        Task("1", "p", ())


def test_a_task_with_several_kinds_of_checks_is_an_error():
    with pytest.raises(TaskError, match="mixes AssertCheck, StdinCheck"):
        Task("1", "p", (StdinCheck("", ""), AssertCheck("pass")))


def test_call_checks_without_an_entry_point_are_an_error():
    with pytest.raises(TaskError, match="has call checks but no entry_point"):
        Task("1", "p", (CallCheck((), None),))
    with pytest.raises(CodegymError):
        Task("1", "p", (CallCheck((), None),))
