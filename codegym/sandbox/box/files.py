"""What a program reads and writes: memory files for its streams, and the directories that it may fill."""

from __future__ import annotations

import itertools
import marshal
import os
import socket
from typing import Any

PLACES = STDIN_FD, STDOUT_FD, REPORT_FD, JOB_FD, LINES_FD, CHANNEL_FD = 0, 1, 3, 4, 5, 6
"""Where a process finds its files: the lowest numbers that the forker has free, in the order in which it gets them."""
PROCESS_FD = 7
"""What the forker opens next, which is the process."""
NULL_FD, SERVER_FD, EVENTS_FD = 64, 65, 66
"""What belongs to the forker alone."""


class Files:
    """Standard streams, job and report of one process, as memory files: nothing to drain while it runs."""

    def __init__(self, job: tuple[Any, ...], stdin: str, num_lines: int) -> None:
        self.num_lines = num_lines
        self.executed_lines: list[int] | None = None
        self._job = _filled("job", marshal.dumps(job))
        self._stdin = _filled("stdin", stdin.encode("utf-8", "surrogatepass"))
        self._stdout = os.memfd_create("stdout")
        self._report = os.memfd_create("report")
        self._lines = os.memfd_create("lines") if num_lines else self._stdout
        if num_lines:
            os.truncate(self._lines, num_lines)

    def descriptors(self, channel: int | None) -> list[int]:
        """All of them, in the order of their places; what there is none of has the output in its place."""
        files = [self._stdin, self._stdout, self._report, self._job, self._lines]
        return [*files, self._stdout if channel is None else channel]

    def collect(self, output_bytes: int) -> tuple[bytes, bytes, bool]:
        """Output and report as far as the limit goes, and whether there was more; closes everything."""
        overflow = os.fstat(self._stdout).st_size + os.fstat(self._report).st_size > output_bytes
        out, report = os.pread(self._stdout, output_bytes, 0), os.pread(self._report, output_bytes, 0)
        if self.num_lines:
            ran = os.pread(self._lines, self.num_lines, 0)
            self.executed_lines = [number for number, flag in enumerate(ran, 1) if flag]
        for descriptor in {*self.descriptors(None)}:
            os.close(descriptor)
        return out, report, overflow


def _filled(name: str, content: bytes) -> int:
    descriptor = os.memfd_create(name)
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def arrange(server: socket.socket, events: int | None) -> socket.socket:
    """Move what the forker keeps to high numbers, so that files which come in arrive where a process looks for them.

    The second one stays: it is the log of the box.
    """
    null = os.open("/dev/null", os.O_RDWR)
    kept = {NULL_FD: null, SERVER_FD: server.detach()} | ({} if events is None else {EVENTS_FD: events})
    for place, descriptor in kept.items():
        os.dup2(descriptor, place, inheritable=False)
    free()
    os.closerange(CHANNEL_FD, NULL_FD)
    return socket.socket(fileno=SERVER_FD)


def free() -> None:
    """Close all files of a process, and the process."""
    os.closerange(STDIN_FD, STDOUT_FD + 1)
    os.closerange(REPORT_FD, PROCESS_FD + 1)


def empty(directory: str) -> None:
    """Delete everything in a directory, however deep or locked; where that fails the box is dirty and ends.

    Nested directories are moved to the top before they are emptied, so that no path grows too long.
    """
    names = itertools.count()
    try:
        doomed = [f"{directory}/{name}" for name in os.listdir(directory)]
        while doomed:
            path = doomed.pop()
            if os.path.islink(path) or not os.path.isdir(path):
                os.unlink(path)
                continue
            os.chmod(path, 0o700)
            for name in os.listdir(path):
                moved = f"{directory}/.{next(names)}-doomed"
                os.rename(f"{path}/{name}", moved)
                doomed.append(moved)
            os.rmdir(path)
    except OSError:
        os._exit(71)  # the host replaces the box
