"""Memory files of a process for its streams, its job and its report."""

from __future__ import annotations

import marshal
import os
from typing import Any


class Files:
    """Standard streams, job and report of one process, as memory files, which need no reader while it runs."""

    def __init__(self, job: tuple[Any, ...], stdin: str | None, num_lines: int) -> None:
        self.num_lines = num_lines
        self.executed_lines: list[int] | None = None
        self._job = _filled("job", marshal.dumps(job))
        self._stdin = None
        if stdin is not None:
            self._stdin = _filled("stdin", stdin.encode("utf-8", "surrogatepass"))
            os.lseek(self._stdin, 0, os.SEEK_SET)
        self._stdout = os.memfd_create("stdout")
        self._report = os.memfd_create("report")
        self._lines = os.memfd_create("lines") if num_lines else None
        if self._lines is not None:
            os.truncate(self._lines, num_lines)

    def descriptors(self, nothing: int, channel: int | None) -> list[int]:
        """Return all descriptors in the order of ``FILE_FDS``, with ``nothing`` for those that do not exist."""
        stdin, lines, channel = (nothing if file is None else file for file in (self._stdin, self._lines, channel))
        return [stdin, self._stdout, nothing, self._report, self._job, lines, channel]

    def collect(self, output_bytes: int) -> tuple[bytes, bytes, bool]:
        """Return output and report up to the limit, and whether there was more; close all files."""
        written, reported = os.fstat(self._stdout).st_size, os.fstat(self._report).st_size
        out = os.pread(self._stdout, min(written, output_bytes), 0) if written else b""
        report = os.pread(self._report, min(reported, output_bytes), 0) if reported else b""
        if self._lines is not None:
            ran = os.pread(self._lines, self.num_lines, 0)
            self.executed_lines = [number for number, flag in enumerate(ran, 1) if flag]
        for file in (self._job, self._stdin, self._stdout, self._report, self._lines):
            if file is not None:
                os.close(file)
        return out, report, written + reported > output_bytes


def _filled(name: str, content: bytes) -> int:
    descriptor = os.memfd_create(name)
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
    return descriptor
