"""The server of a box: takes programs from the host, compiles them, has them run by the forker, sends back what came.

It is the only process of the box that holds the text of a program outside that program's own process, and no program
descends from it: what one program says can never be found in the memory of the next.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import warnings
from contextlib import nullcontext, suppress
from types import CodeType
from typing import Any

from .candidate import compile_program
from .files import Files
from .frames import Stream
from .watch import ENDS, LIMITS, RESULT

OUTPUT_PARTS = 4
"""All processes of one request together may print this many times the limit of one."""
COMPILE_SECONDS = 2.0
COMPILE_CHARACTERS = 65536
"""Longer programs are compiled in their own process, under its limits; so are those that killed a server."""


class Server:
    """Serves programs, one after another, until the host closes the connection."""

    def __init__(self, host: Stream, forker: socket.socket, examiner: socket.socket) -> None:
        self.host = host
        self.forker = forker
        self.examiner = examiner

    def serve(self) -> None:
        """Read requests until the end of the stream."""
        while True:
            header, block = self.host.receive()
            self._run(header, block.decode("utf-8", "surrogatepass"))

    def _run(self, request: dict[str, Any], source: str) -> None:
        """One message to the host for each process, the last one marked."""
        cold = request["cold"] or len(source) > COMPILE_CHARACTERS
        code: CodeType | str | list[Any] = source if cold else _compile(source)
        if isinstance(code, list):
            if request["kind"] == "examination":
                self.examiner.sendall(b"-")
            self.host.send({"id": request["id"], "syntax": code, "last": True})
            return
        num_lines = source.count("\n") + source.count("\r") + 1 if request["trace"] else 0
        job = (code, request["kind"], request["first_line"], request.get("function"), request.get("calls"))
        stdins = request.get("stdins", [""])
        room = OUTPUT_PARTS * request["output_bytes"]
        for number, stdin in enumerate(stdins, 1):
            files = Files(job, stdin, num_lines)
            run, block = self._run_process(request, files, min(room, request["output_bytes"]))
            room -= len(block)
            last = run["ended"] in ("timeout", "memory", "output") or number == len(stdins)
            self.host.send({"id": request["id"], "run": run, "last": last}, block)
            if last:
                return

    def _run_process(self, request: dict[str, Any], files: Files, output_bytes: int) -> tuple[dict[str, Any], bytes]:
        """Have one process run; gives what it was like, and its output and report as one block."""
        limits = [request[name] for name in ("cpu", "wall", "memory", "processes", "files")]
        message = LIMITS.pack(*limits, output_bytes, files.num_lines)
        with self._channel(request["kind"]) as channel:
            descriptors = files.descriptors(None if channel is None else channel.fileno())
            socket.send_fds(self.forker, [message], descriptors)
        reply = self.forker.recv(RESULT.size)
        if not reply:
            raise EOFError("the forker has died")
        ended, status, cpu, wall = RESULT.unpack(reply)
        out, report, overflow = files.collect(output_bytes)
        run = {
            "ended": "output" if overflow else ENDS[ended],
            "status": status,
            "cpu": cpu,
            "wall": wall,
            "out": len(out),
            "report": len(report),
            "lines": files.executed_lines,
        }
        return run, out + report

    def _channel(self, kind: str) -> socket.socket | nullcontext[None]:
        """For an examination: a fresh socket pair, one end of which goes to the examiner."""
        if kind != "examination":
            return nullcontext()
        theirs, examiners = socket.socketpair()
        with examiners:
            socket.send_fds(self.examiner, [b"+"], [examiners.fileno()])
        return theirs


def _compile(source: str) -> CodeType | list[Any]:
    """Compile within a time limit: at its end the kernel ends this process, and the host tries the program cold."""
    signal.setitimer(signal.ITIMER_PROF, COMPILE_SECONDS)
    try:
        return compile_program(source)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def serve(host: Stream, forker: socket.socket, examiner: socket.socket) -> None:
    """Serve until the host is gone."""
    warnings.simplefilter("ignore")
    gc.freeze()
    with suppress(EOFError, OSError):
        Server(host, forker, examiner).serve()
    os._exit(0)
