"""What the workers of a pool share out among themselves: how much one takes, and what another takes over."""

from __future__ import annotations

import time
from collections import deque

import pytest
from helpers.requests_for import script

from codegym.errors import SandboxError
from codegym.sandbox.base import AssertJob, CallJob, Execution, Request
from codegym.sandbox.job_queue import SMALL_BYTES, STEAL_SECONDS, Job, JobQueue, Worker


def make_queue(*requests, num_workers=2):
    workers = [Worker() for _ in range(num_workers)]
    queue = JobQueue(workers)
    jobs = [Job(number, request) for number, request in enumerate(requests)]
    for job in jobs:
        queue.put(job)
    return queue, workers, jobs


def programs(count):
    return [script(str(number)) for number in range(count)]


def test_jobs_come_in_their_order():
    queue, _, jobs = make_queue(*programs(3))
    assert [queue.take(1) for _ in range(3)] == [[job] for job in jobs]


@pytest.mark.parametrize(("waiting", "num_workers", "taken"), [(1, 1, 1), (3, 1, 2), (100, 1, 4), (8, 2, 2), (8, 8, 1)])
def test_a_worker_takes_one_and_half_its_share_of_the_rest(waiting, num_workers, taken):
    queue, _, jobs = make_queue(*programs(waiting), num_workers=num_workers)
    assert queue.take(4) == jobs[:taken]


def test_a_box_gets_more_only_while_there_is_enough_for_all():
    queue, _, jobs = make_queue(*programs(10), num_workers=1)
    assert queue.take_more(4) == jobs[:4]
    assert queue.take_more(4) == jobs[4:7]  # half of six
    assert [len(queue.take_more(4)) for _ in range(4)] == [1, 1, 0, 0]
    assert queue.take(4) == jobs[9:]


NOT_SHARED = [
    Request("", CallJob("f", ((1,),))),
    Request("x" * SMALL_BYTES, AssertJob("", ("",), ())),
    Request("", AssertJob("é" * (SMALL_BYTES // 6 + 1), ("",), ())),
    Request("", AssertJob("", ("x" * (SMALL_BYTES // 2),) * 2, ())),
    script("", "x" * SMALL_BYTES),
]


@pytest.mark.parametrize("request_", NOT_SHARED, ids=["calls", "source", "not ascii", "checks", "stdin"])
def test_large_requests_have_a_box_for_themselves(request_):
    queue, _, jobs = make_queue(script("a"), request_, *programs(20), num_workers=1)
    assert queue.take(4) == jobs[:1]
    assert queue.take_more(4) == []
    assert queue.take(4) == jobs[1:2]
    assert queue.take(4) == jobs[2:6]


def test_a_job_that_was_in_a_box_that_failed_has_the_next_one_for_itself():
    queue, _, jobs = make_queue(*programs(20), num_workers=1)
    jobs[1].retry_alone = True
    assert [queue.take(4) for _ in range(3)] == [jobs[:1], jobs[1:2], jobs[2:6]]


def test_nothing_is_taken_beside_a_job_that_waits_to_be_alone():
    queue, _, jobs = make_queue(*programs(20))
    running = queue.take(1)
    queue.put(lonely := Job(99, script("alone"), exclusive=True))
    assert queue.take_more(4) == []
    queue.release(running[0])
    assert queue.take(4) == [lonely]
    assert queue.take_more(4) == []
    queue.release(lonely)
    assert queue.take(4) == jobs[1:5]


def test_who_has_nothing_to_do_takes_over_what_waits_behind_a_long_program():
    queue, (worker, _), jobs = make_queue(*programs(3))
    worker.jobs = deque(queue.take(1)[0] for _ in range(3))
    worker.since = time.monotonic()
    assert [queue.take(4), queue.take(4)] == [[jobs[2]], [jobs[1]]]  # the last first, and never the oldest
    assert time.monotonic() - worker.since >= STEAL_SECONDS
    assert worker.stealable() is None
    queue.close()
    assert queue.take(4) == []


def test_the_first_of_two_results_counts():
    first, second = Execution(), Execution()
    job = Job(1, script("a"))
    job.finish(first)
    job.finish(second)
    job.fail(SandboxError("too late"))
    assert job.future.result(0) is first


def test_a_closed_queue_fails_what_comes():
    queue, _, (waiting,) = make_queue(script("a"))
    queue.close()
    queue.put(late := Job(1, script("b")))
    assert isinstance(late.future.exception(0), SandboxError)
    assert queue.drain() == [waiting]
