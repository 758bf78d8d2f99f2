"""Queue of a pool: the jobs that wait, how many of them a worker takes, and the jobs that idle workers steal."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field

from codegym.errors import SandboxError
from codegym.sandbox.base import CallJob, Execution, Request, ScriptJob
from codegym.sandbox.box.protocol import BATCH
from codegym.sandbox.connection import Box, BoxRequest

MAX_IN_FLIGHT = 2 * BATCH
"""Maximum number of requests that a box holds: some wait in its socket while it works on others."""
SMALL_BYTES = 8192
"""Requests of at least this size are sent one by one: together they could fill the socket while the box is busy."""
STEAL_SECONDS = 0.1
"""Idle workers steal a job that has waited this long behind another program."""


@dataclass(eq=False)
class Job:
    """One request, until its future is done."""

    number: int
    """Number of the request within its pool."""
    request: Request
    """Program and job."""
    exclusive: bool = False
    """Whether nothing else may run in the pool meanwhile."""
    future: Future[Execution] = field(default_factory=Future)
    """Future that gets the execution."""
    attempts: int = 0
    """Number of boxes that failed while they held only this job."""
    hangs: int = 0
    """Number of boxes that hung on this job."""
    retry_alone: bool = False
    """Whether a box that held it has failed, so that it gets the next one for itself."""
    is_duplicated: bool = False
    """Whether two workers have it."""
    prefetch: bool = True
    """Whether its tests may send their questions together."""

    def __post_init__(self) -> None:
        self.future.set_running_or_notify_cancel()  # a cancelled future could take no result
        self._is_small = _num_bytes(self.request) < SMALL_BYTES

    @property
    def box_request(self) -> BoxRequest:
        """Return the request as it is sent to a box."""
        return BoxRequest(self.number, self.request, cold=self.attempts > 0, prefetch=self.prefetch)

    @property
    def can_share(self) -> bool:
        """Whether it may be in a box with other jobs."""
        return self._is_small and not (self.exclusive or self.retry_alone)

    def finish(self, execution: Execution) -> None:
        """Set the result; if two workers have the job, the first ``execution`` counts."""
        with suppress(InvalidStateError):
            self.future.set_result(execution)

    def fail(self, error: Exception) -> None:
        """Set ``error`` in place of a result."""
        with suppress(InvalidStateError):
            self.future.set_exception(error)


def _num_bytes(request: Request) -> int:
    """Return an upper bound of the length of the message; unbounded if it is not known without encoding it."""
    job = request.job
    if isinstance(job, CallJob):
        return sys.maxsize
    texts = job.stdins if isinstance(job, ScriptJob) else (job.setup, *job.checks)
    return sum([len(text) if text.isascii() else 6 * len(text) for text in (request.source, *texts)])


@dataclass(eq=False)
class Worker:
    """State of one worker: its box, and the jobs that are in it, oldest first."""

    box: Box | None = None
    """The worker's box; None before its first job and after a failure."""
    jobs: deque[Job] = field(default_factory=deque)
    """Jobs that are in the box, oldest first."""
    since: float = 0.0
    """Time at which the oldest job became the oldest."""

    def stealable(self) -> Job | None:
        """Return the last job if it has waited long behind another one and no other worker has it yet."""
        if len(self.jobs) < 2 or time.monotonic() - self.since < STEAL_SECONDS:
            return None
        return next((job for job in [*self.jobs][:0:-1] if not job.is_duplicated), None)


class JobQueue:
    """Queue of jobs for the workers. An exclusive job starts when nothing runs, and nothing starts beside it.

    Args:
        workers: Workers of the pool, from which idle ones steal.
    """

    def __init__(self, workers: list[Worker]) -> None:
        self.closed = False
        self._workers = workers
        self._changed = threading.Condition()
        self._waiting: deque[Job] = deque()
        self._waiting_exclusive: deque[Job] = deque()
        self._num_running = 0
        self._runs_exclusive = False

    def put(self, job: Job, first: bool = False) -> None:
        """Add a job; fail it if the queue is closed.

        Args:
            job: The job to add.
            first: Put it at the front, because it had been started before.
        """
        with self._changed:
            if self.closed:
                job.fail(SandboxError("the sandbox is closed"))
                return
            queue = self._waiting_exclusive if job.exclusive else self._waiting
            (queue.appendleft if first else queue.append)(job)
            self._changed.notify()

    def take(self, most: int) -> list[Job]:
        """Wait for the next job and return up to ``most`` that may share a box; none if the queue is closed."""
        with self._changed:
            while not self.closed:
                if (job := self._next() or self._steal()) is not None:
                    self._num_running += 1
                    return [job] + (self._some(most - 1) if job.can_share else [])
                self._changed.wait(STEAL_SECONDS if self._num_running else None)
        return []

    def take_more(self, most: int) -> list[Job]:
        """Return up to ``most`` further jobs for a box that holds others, without waiting."""
        with self._changed:
            return self._some(most)

    def _next(self) -> Job | None:
        if self._runs_exclusive:
            return None
        if self._waiting_exclusive:
            self._runs_exclusive = self._num_running == 0
            return self._waiting_exclusive.popleft() if self._runs_exclusive else None
        return self._waiting.popleft() if self._waiting else None

    def _some(self, most: int) -> list[Job]:
        """Take jobs that can share from the front, at most half of this worker's share of the queue."""
        jobs: list[Job] = []
        share = 0 if self._runs_exclusive or self._waiting_exclusive else len(self._waiting) // (2 * len(self._workers))
        while len(jobs) < min(most, share) and self._waiting[0].can_share:
            jobs.append(self._waiting.popleft())
        self._num_running += len(jobs)
        return jobs

    def _steal(self) -> Job | None:
        """Return a job queued behind a slow program in another box. It runs in both; the first result counts."""
        if self._runs_exclusive or self._waiting_exclusive:
            return None
        job = next((job for worker in self._workers if (job := worker.stealable()) is not None), None)
        if job is not None:
            job.is_duplicated = True
        return job

    def release(self, job: Job) -> None:
        """Note that ``job`` no longer runs."""
        with self._changed:
            self._num_running -= 1
            if job.exclusive:
                self._runs_exclusive = False
            if self._waiting_exclusive or job.exclusive:
                self._changed.notify_all()

    def drain(self) -> list[Job]:
        """Remove and return all waiting jobs."""
        with self._changed:
            jobs = [*self._waiting_exclusive, *self._waiting]
            self._waiting_exclusive.clear()
            self._waiting.clear()
            return jobs

    def close(self) -> None:
        """Close the queue and wake every waiting worker."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()
