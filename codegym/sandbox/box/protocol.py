"""Messages between the server and the forker of a box, and the file descriptors of a process.

Messages are marshalled. The server sends the limits of a process and whether its end may be reported together with that
of the next one, with the files of the process beside them. The forker sends a list of ends, in the order of the starts.
"""

from __future__ import annotations

from typing import NamedTuple

FILE_FDS = STDIN_FD, STDOUT_FD, STDERR_FD, REPORT_FD, JOB_FD, LINES_FD, CHANNEL_FD = range(7)
"""Descriptors of a process, in the order in which they are sent: they arrive at the lowest free numbers."""
BATCH = 4
"""Number of programs that are prepared together, run one after another, and are examined together."""
ENDS_BYTES = 1 << 12
"""Size limit of a message about the ends of a batch."""
MESSAGE_BYTES = 256
"""Size limit of a message about one process. Above 512 bytes the interpreter uses the C allocator, which leaves a small
free chunk behind for every program; each fork would then search all of them."""

ENDS = ("exited", "crashed", "timeout", "memory", "output")
EXITED, CRASHED, TIMEOUT, MEMORY, OUTPUT = range(5)


class Limits(NamedTuple):
    """Limits of one process tree, in seconds and bytes."""

    cpu: float
    wall: float
    memory: int
    processes: int
    files: int
    """Size limit of a single file."""
    output: int
    lines: int
    """Number of lines of the program for tracing; 0 without tracing."""


class End(NamedTuple):
    """End of a process."""

    ended: int
    """Reason as an index of ``ENDS``."""
    status: int
    cpu: float
    wall: float
