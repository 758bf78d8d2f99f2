"""The jobs of a pool: what waits, who takes how much of it, and what is taken over from a box that takes its time."""

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
"""Requests that a box has in hand at most: some wait in its socket while it works."""
SMALL_BYTES = 8192
"""Larger requests are not sent together: they could fill the socket while the box waits to answer."""
STEAL_SECONDS = 0.1
"""What waits longer than this behind another program is run by a worker that has nothing to do."""


@dataclass(eq=False)
class Job:
    """One request, until its future is done."""

    number: int
    request: Request
    exclusive: bool = False
    """Nothing else may run in the pool."""
    future: Future[Execution] = field(default_factory=Future)
    attempts: int = 0
    """How often a box failed that had only this one."""
    hangs: int = 0
    retry_alone: bool = False
    """A box failed that had it in hand, so that it has the next one for itself."""
    is_duplicated: bool = False
    """Two workers have it."""
    prefetch: bool = True
    """Its tests may send their questions together."""

    def __post_init__(self) -> None:
        self.future.set_running_or_notify_cancel()  # one that was cancelled could take no result
        self._is_small = _num_bytes(self.request) < SMALL_BYTES

    @property
    def box_request(self) -> BoxRequest:
        """What a box gets."""
        return BoxRequest(self.number, self.request, cold=self.attempts > 0, prefetch=self.prefetch)

    @property
    def can_share(self) -> bool:
        """Whether it may be in a box with others."""
        return self._is_small and not (self.exclusive or self.retry_alone)

    def finish(self, execution: Execution) -> None:
        """Set the result; where two workers have it the first one counts."""
        with suppress(InvalidStateError):
            self.future.set_result(execution)

    def fail(self, error: Exception) -> None:
        """Set an error in the place of a result."""
        with suppress(InvalidStateError):
            self.future.set_exception(error)


def _num_bytes(request: Request) -> int:
    """How long the message for it may be; endless where nobody knows."""
    job = request.job
    if isinstance(job, CallJob):
        return sys.maxsize
    texts = job.stdins if isinstance(job, ScriptJob) else (job.setup, *job.checks)
    return sum([len(text) if text.isascii() else 6 * len(text) for text in (request.source, *texts)])


@dataclass(eq=False)
class Worker:
    """What one worker holds: its box, and the jobs that are in it, oldest first."""

    box: Box | None = None
    jobs: deque[Job] = field(default_factory=deque)
    since: float = 0.0
    """When the oldest job became the oldest."""

    def stealable(self) -> Job | None:
        """The last job, where it has waited behind another one for long and nobody has taken it over."""
        if len(self.jobs) < 2 or time.monotonic() - self.since < STEAL_SECONDS:
            return None
        return next((job for job in [*self.jobs][:0:-1] if not job.is_duplicated), None)


class JobQueue:
    """Jobs for the workers. A job that wants to be alone starts when nothing runs, and nothing starts beside it."""

    def __init__(self, workers: list[Worker]) -> None:
        self.closed = False
        self._workers = workers
        self._changed = threading.Condition()
        self._waiting: deque[Job] = deque()
        self._waiting_exclusive: deque[Job] = deque()
        self._num_running = 0
        self._runs_exclusive = False

    def put(self, job: Job, first: bool = False) -> None:
        """Add a job, at the front where it was already begun; fails it where the sandbox is closed."""
        with self._changed:
            if self.closed:
                job.fail(SandboxError("the sandbox is closed"))
                return
            queue = self._waiting_exclusive if job.exclusive else self._waiting
            (queue.appendleft if first else queue.append)(job)
            self._changed.notify()

    def take(self, most: int) -> list[Job]:
        """The next job, with as many others that it may share a box with; none when the queue is closed."""
        with self._changed:
            while not self.closed:
                if (job := self._next() or self._steal()) is not None:
                    self._num_running += 1
                    return [job] + (self._some(most - 1) if job.can_share else [])
                self._changed.wait(STEAL_SECONDS if self._num_running else None)
        return []

    def take_more(self, most: int) -> list[Job]:
        """Jobs for a box that has others in hand, as far as there are any that may share it."""
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
        """Sociable jobs from the front, at most half of this worker's share of what waits."""
        jobs: list[Job] = []
        share = 0 if self._runs_exclusive or self._waiting_exclusive else len(self._waiting) // (2 * len(self._workers))
        while len(jobs) < min(most, share) and self._waiting[0].can_share:
            jobs.append(self._waiting.popleft())
        self._num_running += len(jobs)
        return jobs

    def _steal(self) -> Job | None:
        """One that waits in another box behind a long program; it stays there too, and the first to end counts."""
        if self._runs_exclusive or self._waiting_exclusive:
            return None
        job = next((job for worker in self._workers if (job := worker.stealable()) is not None), None)
        if job is not None:
            job.is_duplicated = True
        return job

    def release(self, job: Job) -> None:
        """The job no longer runs."""
        with self._changed:
            self._num_running -= 1
            if job.exclusive:
                self._runs_exclusive = False
            if self._waiting_exclusive or job.exclusive:
                self._changed.notify_all()

    def drain(self) -> list[Job]:
        """Take out everything that waits."""
        with self._changed:
            jobs = [*self._waiting_exclusive, *self._waiting]
            self._waiting_exclusive.clear()
            self._waiting.clear()
            return jobs

    def close(self) -> None:
        """Let every waiting worker go."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()
