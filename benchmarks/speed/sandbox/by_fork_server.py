"""Contenders: a bare fork server that compiles the program in the server or in the child."""

from __future__ import annotations

import queue
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

from benchmarks.speed.sandbox.fork_server import LENGTH
from benchmarks.speed.sandbox.programs import Program
from codegym.sandbox.process import ENVIRONMENT, PRELOAD

IN_FLIGHT = 4
"""Programs in flight for each server, so that it never waits for the next one."""

_Job = tuple[bytes, "Future[bool]"]


@contextmanager
def compiled_in_server(workers: int) -> Iterator[Callable[[Program], Future[bool]]]:
    with _pool("server", workers) as submit:
        yield submit


@contextmanager
def compiled_in_child(workers: int) -> Iterator[Callable[[Program], Future[bool]]]:
    with _pool("child", workers) as submit:
        yield submit


@contextmanager
def _pool(mode: str, workers: int) -> Iterator[Callable[[Program], Future[bool]]]:
    jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
    threads = [threading.Thread(target=_work, args=(mode, jobs)) for _ in range(workers)]
    for thread in threads:
        thread.start()

    def submit(program: Program) -> Future[bool]:
        future: Future[bool] = Future()
        jobs.put((program.script.encode(), future))
        return future

    try:
        yield submit
    finally:
        for _ in threads:
            jobs.put(None)
        for thread in threads:
            thread.join()


def _work(mode: str, jobs: queue.SimpleQueue[_Job | None]) -> None:
    mine, theirs = socket.socketpair()
    script = str(Path(__file__).with_name("fork_server.py"))
    command = [sys.executable, "-I", "-S", "-X", "utf8", script, mode, *PRELOAD]
    server = subprocess.Popen(command, stdin=theirs.fileno(), stdout=subprocess.DEVNULL, env=ENVIRONMENT)
    theirs.close()
    with server, mine:  # closing the socket ends the server, so that comes first
        flying: deque[Future[bool]] = deque()
        while True:
            try:
                job = jobs.get(block=not flying) if len(flying) < IN_FLIGHT else None
                if job is None and not flying:
                    return
            except queue.Empty:
                job = None
            if job is not None:
                mine.sendall(LENGTH.pack(len(job[0])) + job[0])
                flying.append(job[1])
            elif flying:
                flying.popleft().set_result(mine.recv(1) == b"\1")
