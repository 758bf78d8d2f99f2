"""Pool of boxes: one thread and one box for each worker, whatever the boxes are made of."""

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
"""Number of boxes that may fail with one job alone before the job fails."""
PROBE_EVERY = 1000
"""Number of programs between two health checks of a box."""
LAUNCH_SECONDS = 60.0
"""Time for which launching a box is retried, in seconds."""

Launch = Callable[[], Box]


class Pool(Sandbox):
    """Sandbox of several boxes; back ends are subclasses that launch boxes.

    A box holds several programs at once. One that dies, hangs or fails its health check is replaced, and its programs
    run again, one at a time. If the box of a single program fails ``MAX_ATTEMPTS`` times, the program's future gets a
    ``SandboxError`` (or a timeout, if the box hung each time). Boxes are recycled after ``recycle_after`` programs.
    The first box is launched at once, so that a back end that cannot work fails here.

    Args:
        launch: Function that starts a box.
        num_workers: Number of boxes.
        limits: Largest limits that a request may ask for.
        recycle_after: Number of programs after which a box is replaced.

    Raises:
        SandboxUnavailable: The first box could not be launched.
        ValueError: ``num_workers`` is below 1.
    """

    def __init__(self, launch: Launch, num_workers: int, limits: Limits, recycle_after: int) -> None:
        if num_workers < 1:
            raise ValueError(f"wrong num_workers: got {num_workers}; expected at least 1")
        self.num_workers = num_workers
        self.limits = limits
        self._launch = launch
        self._recycle_after = recycle_after
        self._first_health_check = min(PROBE_EVERY, recycle_after)
        """Number of programs that a fresh box serves before its first health check."""
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
        """Queue a request; see ``codegym.sandbox.Sandbox``.

        Raises:
            ValueError: The request asks for more memory, processes or temporary space than the boxes were made with.
        """
        for name in ("memory_mb", "processes", "temp_mb"):
            if getattr(request.limits, name) > getattr(self.limits, name):
                raise ValueError(
                    f"limit above the sandbox's own: got {name}={getattr(request.limits, name)}; expected at most "
                    f"{getattr(self.limits, name)}. Open the sandbox with these limits"
                )
        job = Job(next(self._numbers), request, exclusive)
        self._queue.put(job)
        return job.future

    def close(self) -> None:
        """End all workers; waiting requests fail with ``SandboxError``."""
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
        """Run one worker: keep its box supplied, replace the box if it fails."""
        is_open = True
        while is_open:
            try:
                is_open = self._serve(worker)
            except Exception as error:  # of any kind: a worker that ends here would leave its jobs waiting forever
                self._end(worker.box)
                worker.box = None
                self._requeue(worker.jobs, error)
        self._end(worker.box)

    def _serve(self, worker: Worker) -> bool:
        """Take the jobs that fit, send them, receive the oldest; return False if the sandbox is closed."""
        jobs = worker.jobs
        if not jobs and worker.box is not None and worker.box.num_served >= worker.box.next_health_check:
            self._health_check(worker, worker.box)
        if taken := self._take(worker):
            if not jobs:
                worker.since = time.monotonic()
            jobs.extend(taken)
            worker.box = worker.box or self._launch_patiently()
            if self._queue.closed:  # close() may have interrupted all boxes before this one was launched
                raise SandboxError("the sandbox was closed")
            worker.box.send(*[job.box_request for job in taken])
        if worker.box is None or not jobs:
            return False
        self._receive(worker, worker.box)
        return True

    def _take(self, worker: Worker) -> list[Job]:
        """Take jobs for the worker's box, several at once, so that the box does similar work together."""
        box, jobs = worker.box, worker.jobs
        until_check = self._first_health_check if box is None else box.next_health_check - box.num_served
        most = min(BATCH, until_check - len(jobs))
        if not jobs:
            return self._queue.take(most)
        return self._queue.take_more(most) if jobs[0].can_share and len(jobs) <= MAX_IN_FLIGHT - BATCH else []

    def _receive(self, worker: Worker, box: Box) -> None:
        """Wait for the oldest job; queue it again if it has to run without prefetching."""
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
        """Probe a box that has served many programs; replace it if it has served ``recycle_after``."""
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

    def _requeue(self, jobs: deque[Job], error: BaseException) -> None:
        """Requeue the jobs of a failed box, one a box, so that the job that caused the failure can be identified."""
        was_alone = len(jobs) == 1
        while jobs:
            job = jobs.pop()
            self._queue.release(job)
            job.retry_alone = True
            job.attempts += was_alone
            job.hangs += not jobs and isinstance(error, TimeoutError)  # jobs before it have been answered
            if job.hangs >= MAX_ATTEMPTS:  # it hung three boxes in a row: that is caused by the program
                job.finish(Execution(runs=(Run(ExitReason.TIMEOUT, cpu_seconds=job.request.limits.cpu_seconds),)))
            elif self._queue.closed or job.attempts >= MAX_ATTEMPTS or isinstance(error, SandboxUnavailable):
                reason = f"{type(error).__name__}: {error}"
                job.fail(SandboxError(f"no verdict after {job.attempts} attempts; the last error is {reason}"))
            elif not job.future.done():
                self._queue.put(job, first=True)

    def _launch_patiently(self) -> Box:
        """Launch a box, waiting for an engine that may be restarting; wait only once for one that stays down."""
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
            log = box.log_tail()
            self._end(box)
            raise SandboxError(
                f"a fresh box did not answer ({type(error).__name__}: {error}); its log ends with: {log}"
            ) from error
        box.next_health_check = self._first_health_check
        return box
