"""What the server and the forker of a box say to each other, and where a process finds its files.

Messages are marshalled: the limits of a process and whether its end may be told with that of the next, with its files
beside them; and a list of how processes ended, in the order in which they were asked for.
"""

from __future__ import annotations

from typing import NamedTuple

FILE_FDS = STDIN_FD, STDOUT_FD, STDERR_FD, REPORT_FD, JOB_FD, LINES_FD, CHANNEL_FD = range(7)
"""Descriptors of a process, in the order in which they are sent: they arrive at the lowest numbers, which are free."""
BATCH = 4
"""Programs that are prepared together, run one after another and are examined together."""
ENDS_BYTES = 1 << 12
"""Room for what is said of the ends of as many."""
MESSAGE_BYTES = 256
"""Room for what is said of one process. For more than 512 the interpreter goes to the C allocator, cuts off what was
not needed and leaves a little chunk behind for every program; each fork then looks through all of them."""

ENDS = ("exited", "crashed", "timeout", "memory", "output")
EXITED, CRASHED, TIMEOUT, MEMORY, OUTPUT = range(5)


class Limits(NamedTuple):
    """Of one process tree: seconds, bytes and counts."""

    cpu: float
    wall: float
    memory: int
    processes: int
    files: int
    """Size of any one file."""
    output: int
    lines: int
    """Lines of the program, to count those that run; 0 without tracing."""


class End(NamedTuple):
    """What became of a process."""

    ended: int
    """An index of ``ENDS``."""
    status: int
    cpu: float
    wall: float
