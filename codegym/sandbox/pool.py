"""Workers that keep boxes busy: one thread and one box each, whatever the boxes are made of."""

from __future__ import annotations

import atexit
import itertools
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future

from codegym.errors import SandboxError, SandboxUnavailable
from codegym.sandbox.base import Execution, ExitReason, Limits, Request, Run, Sandbox
from codegym.sandbox.box.protocol import BATCH
from codegym.sandbox.connection import Box, PrefetchMismatch
from codegym.sandbox.job_queue import MAX_IN_FLIGHT, Job, JobQueue, Worker

MAX_ATTEMPTS = 3
PROBE_EVERY = 1000
LAUNCH_SECONDS = 60.0

Launch = Callable[[], Box]


class Pool(Sandbox):
    """A sandbox of ``num_workers`` boxes; back ends are subclasses that say how a box is launched.

    A box has several programs in hand. One that dies, hangs or fails its probe is replaced, and what it had in hand
    runs again, one at a time; where a program's box fails ``MAX_ATTEMPTS`` times so, its future gets a
    ``SandboxError`` (or a timeout, where the box hung each time). Boxes are recycled after ``recycle_after`` programs.
    The first box is launched at once, so that a back end that cannot work says so here.
    """

    def __init__(self, launch: Launch, num_workers: int, limits: Limits, recycle_after: int) -> None:
        if num_workers < 1:
            raise ValueError(f"num_workers must be at least 1, got {num_workers}")
        self.num_workers = num_workers
        self.limits = limits
        self._launch = launch
        self._recycle_after = recycle_after
        self._first_health_check = min(PROBE_EVERY, recycle_after)
        """How many programs a fresh box serves before it is looked at."""
        workers = [Worker() for _ in range(num_workers)]
        self._queue = JobQueue(workers)
        self._numbers = itertools.count()
        self._boxes: set[Box] = set()
        self._boxes_lock = threading.Lock()
        self._closing = threading.Event()
        self._is_down = False
        try:
            workers[0].box = self._launch_probed()
        except (OSError, SandboxError) as error:
            raise SandboxUnavailable(str(error)) from error
        self._threads = [
            threading.Thread(target=self._work, args=(worker,), daemon=True, name=f"sandbox-{number}")
            for number, worker in enumerate(workers)
        ]
        for thread in self._threads:
            thread.start()
        atexit.register(self.close)

    def submit(self, request: Request, *, exclusive: bool = False) -> Future[Execution]:
        """Queue a request; see ``codegym.sandbox.base.Sandbox``.

        Raises:
            ValueError: the request wants more memory, processes or temporary space than the boxes were made with.
        """
        for name in ("memory_mb", "processes", "temp_mb"):
            if getattr(request.limits, name) > getattr(self.limits, name):
                raise ValueError(
                    f"the request's limit {name}={getattr(request.limits, name)} is above the sandbox's own "
                    f"{getattr(self.limits, name)}: make the sandbox with these limits"
                )
        job = Job(next(self._numbers), request, exclusive)
        self._queue.put(job)
        return job.future

    def close(self) -> None:
        """End all workers; what still waits fails with ``SandboxError``."""
        self._closing.set()
        self._queue.close()
        for job in self._queue.drain():
            job.fail(SandboxError("the sandbox was closed"))
        with self._boxes_lock:
            for box in self._boxes:
                box.interrupt()  # its worker ends it
        for thread in self._threads:
            thread.join()
        atexit.unregister(self.close)

    def _work(self, worker: Worker) -> None:
        """One worker: keep a box supplied, replace it when it fails."""
        is_open = True
        while is_open:
            try:
                is_open = self._serve(worker)
            except Exception as error:  # of any kind: a worker that ends here would leave its jobs waiting for ever
                self._end(worker.box)
                worker.box = None
                self._give_back(worker.jobs, error)
        self._end(worker.box)

    def _serve(self, worker: Worker) -> bool:
        """One round: take what fits, send it, receive the oldest. False when the sandbox is closed."""
        jobs = worker.jobs
        if not jobs and worker.box is not None and worker.box.num_served >= worker.box.next_health_check:
            self._health_check(worker, worker.box)
        if taken := self._take(worker):
            if not jobs:
                worker.since = time.monotonic()
            jobs.extend(taken)
            worker.box = worker.box or self._launch_patiently()
            if self._queue.closed:  # close() may have interrupted all boxes before this one came
                raise SandboxError("the sandbox was closed")
            worker.box.send(*[job.box_request for job in taken])
        if worker.box is None or not jobs:
            return False
        self._receive(worker, worker.box)
        return True

    def _take(self, worker: Worker) -> list[Job]:
        """Jobs for the box, several at once, so that it does alike things together."""
        box, jobs = worker.box, worker.jobs
        until_check = self._first_health_check if box is None else box.next_health_check - box.num_served
        most = min(BATCH, until_check - len(jobs))
        if not jobs:
            return self._queue.take(most)
        return self._queue.take_more(most) if jobs[0].can_share and len(jobs) <= MAX_IN_FLIGHT - BATCH else []

    def _receive(self, worker: Worker, box: Box) -> None:
        """Wait for the oldest job; it goes back into the queue where it has to run again."""
        oldest = worker.jobs[0]
        try:
            execution = box.receive(oldest.number, oldest.request)
        except PrefetchMismatch:
            execution = None
        worker.jobs.popleft()
        worker.since = time.monotonic()
        self._queue.release(oldest)
        if execution is not None:
            oldest.finish(execution)
        elif not oldest.future.done():
            oldest.prefetch = False
            self._queue.put(oldest, first=True)

    def _health_check(self, worker: Worker, box: Box) -> None:
        """Probe a box that has served for a while, replace one that has done enough."""
        if box.num_served >= self._recycle_after:
            self._end(box)
            worker.box = None
            worker.box = self._launch_patiently()
            return
        box.probe(secrets.token_hex(8))
        box.next_health_check = min(box.num_served + PROBE_EVERY, self._recycle_after)

    def _end(self, box: Box | None) -> None:
        with self._boxes_lock:
            if box is None or box not in self._boxes:
                return
            self._boxes.remove(box)
        box.close()

    def _give_back(self, jobs: deque[Job], error: BaseException) -> None:
        """Queue the jobs of a failed box again, each to have a box for itself: then it is known whose doing it was."""
        was_alone = len(jobs) == 1
        while jobs:
            job = jobs.pop()
            self._queue.release(job)
            job.retry_alone = True
            job.attempts += was_alone
            job.hangs += not jobs and isinstance(error, TimeoutError)  # what came before has been answered
            if job.hangs >= MAX_ATTEMPTS:  # it hung three boxes in a row: that is the program's doing
                job.finish(Execution(runs=(Run(ExitReason.TIMEOUT, cpu_seconds=job.request.limits.cpu_seconds),)))
            elif self._queue.closed or job.attempts >= MAX_ATTEMPTS or isinstance(error, SandboxUnavailable):
                reason = f"{type(error).__name__}: {error}"
                job.fail(SandboxError(f"no verdict after {job.attempts} attempts; the last: {reason}"))
            elif not job.future.done():
                self._queue.put(job, first=True)

    def _launch_patiently(self) -> Box:
        """Launch a box, waiting for an engine that may be restarting; for one that stays down only once."""
        deadline = time.monotonic() + (0.0 if self._is_down else LAUNCH_SECONDS)
        pause = 0.1
        while True:
            try:
                box = self._launch_probed()
                self._is_down = False
                return box
            except Exception as error:
                if self._queue.closed or time.monotonic() > deadline:
                    self._is_down = True
                    raise SandboxUnavailable(f"no box could be launched for {LAUNCH_SECONDS:.0f} s: {error}") from error
                self._closing.wait(pause)
                pause = min(2 * pause, 5.0)

    def _launch_probed(self) -> Box:
        box = self._launch()
        with self._boxes_lock:
            self._boxes.add(box)
        try:
            box.probe(secrets.token_hex(8))
        except Exception as error:
            words = box.log_tail()
            self._end(box)
            raise SandboxError(
                f"a fresh box did not answer ({type(error).__name__}: {error}); it wrote: {words}"
            ) from error
        box.next_health_check = self._first_health_check
        return box
