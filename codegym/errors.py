"""What can go wrong, as exceptions.

    CodegymError
    ├── DatasetError        a row of a data set cannot be read (names file, line and field)
    ├── TaskError           a task contradicts itself
    ├── InvalidAction       an action is not one of the action space: nothing has changed, step again with a right one
    ├── LineScorerError     a line scorer did not give one finite number for each line
    ├── ResumeError         results on disk belong to other settings, or another process is writing them
    ├── ReplayError         an episode cannot be recorded, or a file is not one of recorded episodes
    └── SandboxError        the machine failed, not the program: never a verdict, never a zero reward
        └── SandboxUnavailable   this kind of sandbox cannot work here at all; the message says what is missing

A bad *program* is never an exception: it is a ``Verdict``.
"""

from __future__ import annotations


class CodegymError(Exception):
    """Base of every exception that codegym raises on purpose."""


class DatasetError(CodegymError, ValueError):
    """A row of a data set cannot be made into a task."""


class TaskError(CodegymError, ValueError):
    """A task that contradicts itself, for example one without checks."""


class InvalidAction(CodegymError, ValueError):
    """An action that is not in the action space; the episode stands where it stood."""


class LineScorerError(CodegymError, RuntimeError):
    """A line scorer that broke its contract."""


class ResumeError(CodegymError, ValueError):
    """Results on disk that this run cannot continue: other settings made them, or another process writes them."""


class ReplayError(CodegymError, ValueError):
    """An episode that cannot be recorded or played again."""


class SandboxError(CodegymError, RuntimeError):
    """The sandbox could not run a program although it was tried again: says nothing about the program."""


class SandboxUnavailable(SandboxError):
    """This kind of sandbox cannot work on this host; the message names what is missing."""
