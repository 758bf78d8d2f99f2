"""Exceptions that codegym raises on purpose.

    CodegymError
    ├── DatasetError        a row of a data set cannot be read (names file, line and field)
    ├── TaskError           a task contradicts itself
    ├── InvalidAction       an action outside of the action space: nothing has changed, step again with a valid one
    ├── LineScorerError     a line scorer did not return one finite number for each line
    ├── ReplayError         an episode cannot be recorded, or a file does not hold recorded episodes
    └── SandboxError        the machine failed, not the program: never a verdict, never a zero reward
        └── SandboxUnavailable   this kind of sandbox cannot work on this host; the message names what is missing

A bad *program* is never an exception: it is a ``Verdict``.
"""

from __future__ import annotations


class CodegymError(Exception):
    """Base of every exception that codegym raises on purpose."""


class DatasetError(CodegymError, ValueError):
    """A row of a data set cannot be made into a task."""


class TaskError(CodegymError, ValueError):
    """A task that contradicts itself or has a wrong field, for example one without checks."""


class InvalidAction(CodegymError, ValueError):
    """An action that is not in the action space. The episode has not changed."""


class LineScorerError(CodegymError, RuntimeError):
    """A line scorer that broke its contract."""


class ResumeError(CodegymError, ValueError):
    """Results on disk that this run cannot continue: other settings made them, or another process writes them."""


class ReplayError(CodegymError, ValueError):
    """An episode that cannot be recorded or played again."""


class SandboxError(CodegymError, RuntimeError):
    """The sandbox could not run a program although it tried again. The program may be right or wrong."""


class SandboxUnavailable(SandboxError):
    """This kind of sandbox cannot work on this host; the message names what is missing."""
