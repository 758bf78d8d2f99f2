"""Exceptions that codegym raises on purpose.

    CodegymError
    ├── DatasetError        a row of a data set cannot be read (names file, line and field)
    ├── TaskError           a task contradicts itself
    ├── InvalidAction       an action is not in the action space: nothing has changed, step again with a valid one
    ├── LineScorerError     a line scorer did not return one finite number for each line
    ├── ResumeError         results on disk belong to other settings, or another process is writing them
    ├── ReplayError         an episode cannot be recorded, or a file does not hold recorded episodes
    └── SandboxError        the machine failed, not the program: never a verdict, never a zero reward
        └── SandboxUnavailable   this kind of sandbox cannot work here; the message names what is missing

A bad *program* is never an exception: it is a ``Verdict``.
"""

from __future__ import annotations


class CodegymError(Exception):
    """Base of every exception that codegym raises on purpose."""


class DatasetError(CodegymError, ValueError):
    """A row of a data set cannot be made into a task."""


class TaskError(CodegymError, ValueError):
    """A task contradicts itself or has a wrong field, for example no checks."""


class InvalidAction(CodegymError, ValueError):
    """An action is not in the action space; the episode is unchanged."""


class LineScorerError(CodegymError, RuntimeError):
    """A line scorer broke its contract."""


class ResumeError(CodegymError, ValueError):
    """Results on disk cannot be continued: other settings made them, or another process writes them."""


class ReplayError(CodegymError, ValueError):
    """An episode cannot be recorded or replayed."""


class SandboxError(CodegymError, RuntimeError):
    """The sandbox could not run a program, after retries. It has no bearing on the program."""


class SandboxUnavailable(SandboxError):
    """This kind of sandbox cannot work on this host; the message names what is missing."""
