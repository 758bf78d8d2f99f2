"""The server of a box: takes programs from the host, compiles them, has them run and examined, sends back what came.

It is the only process of the box that holds a program's text or an author's tests outside the program's own process,
and no program descends from it: what is in its memory can never be found in a program's.
"""

from __future__ import annotations

import gc
import marshal
import os
import select
import signal
import struct
import warnings
from _socket import SCM_RIGHTS, SOL_SOCKET, socket, socketpair  # as they are, without the shell around them
from contextlib import suppress
from types import CodeType
from typing import Any

from .channel import Channel
from .examiner import Examiner
from .files import Files
from .frames import Stream
from .program import compile_program
from .protocol import ENDS, MESSAGE_BYTES, PLACES, End, Limits

OUTPUT_PARTS = 4
"""All processes of one request together may print this many times the limit of one."""
COMPILE_SECONDS = 2.0
COMPILE_CHARACTERS = 65536
"""Longer programs are compiled in their own process, under its limits; so are those that killed a server."""
MAX_PATIENCE_MS = 50
"""Answers may fill the socket: then they have to be read before the candidate is through."""
NULL_FD = 0
"""Where this process has /dev/null."""

_LIMITS = Limits._fields[:-2]
_DESCRIPTORS = struct.Struct(f"{len(PLACES)}i")

Request = dict[str, Any]


class Server:
    """Serves programs, one after another, until the host closes the connection."""

    def __init__(self, host: Stream, forker: socket) -> None:
        self.host = host
        self.forker = forker
        self.examiner = Examiner()
        self._forker_or_end = select.poll()
        self._forker_or_end.register(forker, select.POLLIN)
        self._forker_or_end.register(host.socket, select.POLLRDHUP)

    def serve(self) -> None:
        """Read requests until the end of the stream."""
        while True:
            request, block = self.host.receive()
            source = block.decode("utf-8", "surrogatepass")
            if request["kind"] == "examination":
                self._examine(request, source)
            else:
                self._run(request, source)

    def _examine(self, request: Request, source: str) -> None:
        tests = self.examiner.tests(request["tests"], request["text"])
        job = self._job(request, source)
        if job is None:
            return
        stop, output_bytes = request["stop"], request["output_bytes"]
        ahead = tests.questions if request["ahead"] and not stop else []
        ours, theirs = socketpair()
        channel = Channel(ours, output_bytes, request["attributes"], ahead)
        files = Files(job, None, _num_lines(request, source))
        self._start(request, files, output_bytes, theirs.fileno())
        theirs.close()
        if ahead:  # being woken for each answer costs both sides more than it
            self._forker_or_end.poll(MAX_PATIENCE_MS)
        outcomes = self.examiner.examine(channel, tests, stop, request["wall"])
        run, block = self._finish(files, output_bytes)
        self._answer(request, block, run=run, outcomes=outcomes, diverged=outcomes is None)

    def _run(self, request: Request, source: str) -> None:
        """One message to the host for each process, the last one marked."""
        job = self._job(request, source)
        if job is None:
            return
        stdins = request.get("stdins", [None])
        room = OUTPUT_PARTS * request["output_bytes"]
        for number, stdin in enumerate(stdins, 1):
            files = Files(job, stdin, _num_lines(request, source))
            output_bytes = min(room, request["output_bytes"])
            self._start(request, files, output_bytes)
            run, block = self._finish(files, output_bytes)
            room -= len(block)
            last = run["ended"] in ("timeout", "memory", "output") or number == len(stdins)
            self._answer(request, block, run=run, last=last)
            if last:
                return

    def _job(self, request: Request, source: str) -> tuple[Any, ...] | None:
        """What a process has to do; None where the source does not compile, which the host is told."""
        cold = request["cold"] or len(source) > COMPILE_CHARACTERS
        code: CodeType | str | list[Any] = source if cold else _compile(source)
        if isinstance(code, list):
            self._answer(request, syntax=code)
            return None
        is_script = request["kind"] == "script"
        return code, is_script, request["first_line"], request.get("function"), request.get("calls")

    def _start(self, request: Request, files: Files, output_bytes: int, channel: int | None = None) -> None:
        limits = tuple([request[name] for name in _LIMITS]) + (output_bytes, files.num_lines)
        descriptors = _DESCRIPTORS.pack(*files.descriptors(NULL_FD, channel))
        self.forker.sendmsg([marshal.dumps(limits)], [(SOL_SOCKET, SCM_RIGHTS, descriptors)])

    def _finish(self, files: Files, output_bytes: int) -> tuple[dict[str, Any], bytes]:
        """Wait for the process; gives what it was like, and its output and report as one block."""
        ready = [descriptor for descriptor, _ in self._forker_or_end.poll()]
        message = self.forker.recv(MESSAGE_BYTES) if self.forker.fileno() in ready else b""
        if not message:
            raise EOFError("the forker has died, or the host is gone")
        end = End(*marshal.loads(message))
        out, report, overflow = files.collect(output_bytes)
        run = {
            "ended": "output" if overflow else ENDS[end.ended],
            "status": end.status,
            "cpu": end.cpu,
            "wall": end.wall,
            "out": len(out),
            "report": len(report),
            "lines": files.executed_lines,
        }
        return run, out + report

    def _answer(self, request: Request, block: bytes = b"", last: bool = True, **fields: Any) -> None:
        self.host.send({"id": request["id"], "last": last} | fields, block)


def _num_lines(request: Request, source: str) -> int:
    """How many lines to look after; 0 where nobody wants to know."""
    return source.count("\n") + source.count("\r") + 1 if request["trace"] else 0


def _compile(source: str) -> CodeType | list[Any]:
    """Compile within a time limit: at its end the kernel ends this process, and the host tries the program cold."""
    signal.setitimer(signal.ITIMER_PROF, COMPILE_SECONDS)
    try:
        return compile_program(source)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def serve(host: Stream, forker: socket) -> None:
    """Serve until the host or the forker is gone."""
    warnings.simplefilter("ignore")
    gc.freeze()
    with suppress(EOFError, OSError):
        Server(host, forker).serve()
    os._exit(0)
