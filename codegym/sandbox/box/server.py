"""Server of a box: receives programs from the host, compiles them, has them run and examined, and sends the results.

It is the only process of the box that holds a program's text or an author's tests outside the program's own process. No
program descends from it, so nothing of its memory can be found in the memory of a program.

Programs that arrive together are prepared together, run while this process sleeps, and are examined together. One by
one, the same work takes up to three times as long, because each program evicts it from the processor's caches.
"""

from __future__ import annotations

import gc
import marshal
import os
import select
import signal
import struct
import warnings
from _socket import SCM_RIGHTS, SOL_SOCKET, socket, socketpair  # the C types, without their Python wrappers
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from itertools import groupby
from types import CodeType
from typing import Any, NamedTuple

from .channel import Channel
from .examiner import Examiner, Tests
from .files import Files
from .frames import Stream, pack
from .program import compile_program
from .protocol import BATCH, ENDS, ENDS_BYTES, FILE_FDS, End

OUTPUT_PARTS = 4
"""All processes of one request together may print this many times the limit of one."""
COMPILE_SECONDS = 2.0
"""CPU time limit of compiling a program in the server, in seconds."""
COMPILE_CHARACTERS = 65536
"""Longer programs are compiled in their own process, under its limits; so are programs that killed a server."""
MAX_PATIENCE_MS = 50
"""Answers may fill the socket, and then have to be read before the candidate ends."""
LONG_BYTES = 1 << 14
"""An answer with more output is sent at once: several of them together would make this process grow."""
NULL_FD = 0
"""Descriptor of /dev/null in this process."""

_LIMITS = ("cpu", "wall", "memory", "processes", "files", "output_bytes")
"""Fields of a request that are fields of ``Limits``, in their order."""
_DESCRIPTORS = struct.Struct(f"{len(FILE_FDS)}i")

BoxRequest = dict[str, Any]
Message = tuple[BoxRequest, bytes]


class _AssertRun(NamedTuple):
    """A program whose asserts are to be run: it is running, or waits for the forker."""

    request: BoxRequest
    tests: Tests
    files: Files
    channel: Channel
    candidates_end: socket
    is_prefetched: bool
    """Whether all questions have been sent, so that no answer is needed before the candidate has ended."""


class _Refused(NamedTuple):
    """A program that does not compile, and the reason."""

    request: BoxRequest
    syntax: list[Any]


class Server:
    """Serves programs, one after another, until the host closes the connection."""

    def __init__(self, host: Stream, forker: socket) -> None:
        self.host = host
        self.forker = forker
        self.examiner = Examiner()
        self._ended: deque[End] = deque()
        """Ends of processes that the forker has reported, in the order of the starts."""
        self._unsent: list[bytes] = []
        self._forker_or_end = select.poll()
        self._forker_or_end.register(forker, select.POLLIN)
        self._forker_or_end.register(host.socket, select.POLLRDHUP)

    def serve(self) -> None:
        """Read requests until the end of the stream."""
        while True:
            for has_asserts, messages in groupby(self.host.receive_some(BATCH), _has_asserts):
                if has_asserts:
                    self._run_asserts(messages)
                else:
                    for message in messages:
                        self._run(*message)
            self._send_answers()

    def _run_asserts(self, messages: Iterable[Message]) -> None:
        begun = [self._begin(*message) for message in messages]
        running = [each for each in begun if isinstance(each, _AssertRun)]
        for each, after in zip(running, [*running[1:], None], strict=True):
            # If the next program needs this process while it runs, the end of this one has to be known by then.
            defer_end = after is not None and after.is_prefetched
            self._start(each.request, each.files, each.candidates_end.fileno(), defer_end)
            each.candidates_end.close()
        if running and running[0].is_prefetched:  # waking up for each answer would cost more than the answer
            self._forker_or_end.poll(MAX_PATIENCE_MS)
        for assert_run in begun:
            if isinstance(assert_run, _Refused):
                self._answer(assert_run.request, syntax=assert_run.syntax)
            else:
                self._finish_assert_run(assert_run)

    def _begin(self, request: BoxRequest, block: bytes) -> _AssertRun | _Refused:
        tests = self.examiner.tests(request["tests"], request["text"])
        job = _job(request, block)
        if isinstance(job, list):
            return _Refused(request, job)
        prefetched = tests.questions if request["prefetch"] and not request["stop"] else []
        ours, theirs = socketpair()
        channel = Channel(ours, request["output_bytes"], request["attributes"], prefetched)
        files = Files(job, None, _num_lines(request, block))
        return _AssertRun(request, tests, files, channel, theirs, bool(prefetched))

    def _finish_assert_run(self, assert_run: _AssertRun) -> None:
        request, tests, files, channel, *_ = assert_run
        if not self._ended:  # it may take long, and no other answer shall wait for it
            self._send_answers()
        results = self.examiner.examine(channel, tests, request["stop"], request["wall"])
        run, block = self._finish(files, request["output_bytes"])
        self._answer(request, block, run=run, results=results, prefetch_mismatch=results is None)

    def _run(self, request: BoxRequest, block: bytes) -> None:
        """Run a script or calls; send one message to the host for each process, the last one marked."""
        job = _job(request, block)
        if isinstance(job, list):
            self._answer(request, syntax=job)
            return
        stdins = request.get("stdins", [None])
        room = OUTPUT_PARTS * request["output_bytes"]
        for number, stdin in enumerate(stdins, 1):
            files = Files(job, stdin, _num_lines(request, block))
            limited = request | {"output_bytes": min(room, request["output_bytes"])}
            self._start(limited, files)
            run, output = self._finish(files, limited["output_bytes"])
            room -= len(output)
            last = run["ended"] in ("timeout", "memory", "output") or number == len(stdins)
            self._answer(request, output, run=run, last=last)
            if last:
                return

    def _start(self, request: BoxRequest, files: Files, channel: int | None = None, defer_end: bool = False) -> None:
        """Have the forker run a process; ``defer_end`` lets it report the end together with that of the next."""
        limits = *[request[name] for name in _LIMITS], files.num_lines
        descriptors = _DESCRIPTORS.pack(*files.descriptors(NULL_FD, channel))
        self.forker.sendmsg([marshal.dumps((limits, defer_end))], [(SOL_SOCKET, SCM_RIGHTS, descriptors)])

    def _finish(self, files: Files, output_bytes: int) -> tuple[dict[str, Any], bytes]:
        """Wait for the end of the process; return its run, and its output and report as one block."""
        end = self._next_end()
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

    def _next_end(self) -> End:
        if not self._ended:
            self._send_answers()
            ready = [descriptor for descriptor, _ in self._forker_or_end.poll()]
            message = self.forker.recv(ENDS_BYTES) if self.forker.fileno() in ready else b""
            if not message:
                raise EOFError("the forker has died, or the host is gone")
            self._ended += [End(*end) for end in marshal.loads(message)]
        return self._ended.popleft()

    def _answer(self, request: BoxRequest, block: bytes = b"", last: bool = True, **fields: Any) -> None:
        self._unsent.append(pack({"id": request["id"], "last": last} | fields, block))
        if len(block) > LONG_BYTES:
            self._send_answers()

    def _send_answers(self) -> None:
        """Send the finished answers to the host; called before this process waits."""
        if self._unsent:
            self.host.send(*self._unsent)
            self._unsent.clear()


def _has_asserts(message: Message) -> bool:
    request, _ = message
    return bool(request["kind"] == "asserts")


def _job(request: BoxRequest, block: bytes) -> tuple[Any, ...] | list[Any]:
    """Return the job of a process, or a list with the reason if the source does not compile."""
    source = block.decode("utf-8", "surrogatepass")
    cold = request["cold"] or len(source) > COMPILE_CHARACTERS
    code = source if cold else _compile(source)
    if isinstance(code, list):
        return code
    return code, request["kind"] == "script", request["first_line"], request.get("function"), request.get("calls")


def _num_lines(request: BoxRequest, block: bytes) -> int:
    """Return the number of lines to trace; 0 without tracing."""
    return block.count(b"\n") + block.count(b"\r") + 1 if request["trace"] else 0


def _compile(source: str) -> CodeType | list[Any]:
    """Compile within a time limit: after it the kernel ends this process, and the host sends the program as cold."""
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
