"""Programs that a box prepares together are judged as if each were alone."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from helpers.requests_for import PATIENCE, script

from codegym.sandbox.base import AssertJob, CallJob, ExitReason, Limits, Request
from codegym.sandbox.box.protocol import BATCH
from codegym.sandbox.docker import DockerSandbox
from codegym.sandbox.process import ProcessSandbox

SQUARES = AssertJob("", tuple(f"assert f({number}) == {number * number}" for number in range(3)), ("f",))
CHAINED = AssertJob("", ("assert g(f(3)) == 10", "assert f(2) == 4"), ("f", "g"))
LIMITS = Limits(cpu_seconds=1, wall_seconds=10, memory_mb=1024)
RIGHT = Request("def f(n): return n * n", SQUARES, LIMITS)


@pytest.fixture(scope="module", params=[ProcessSandbox, pytest.param(DockerSandbox, marks=pytest.mark.docker)])
def sandbox(request):
    with request.param(LIMITS, num_workers=1) as sandbox:
        sandbox.submit(RIGHT).result(PATIENCE)  # from here on the questions of these tests are known
        yield sandbox


def examined(source, job=SQUARES, limits=LIMITS):
    return Request(source, job, limits)


def submit_all(sandbox, requests):
    """So that all of them wait before the worker takes the first, and enough after them for the box to take many."""
    holder = sandbox.submit(Request("import time; time.sleep(.2)", CallJob("f", ((),)), LIMITS))  # has the box alone
    futures = [sandbox.submit(request) for request in [*requests, *[RIGHT] * 4 * BATCH]]
    holder.result(PATIENCE)
    return futures[: len(requests)]


def test_programs_that_wait_together_are_all_examined(sandbox):
    futures = submit_all(sandbox, [RIGHT] * 50)
    assert all(outcome.value is True for future in futures for outcome in future.result(PATIENCE).outcomes)


VARIED = [
    RIGHT,
    examined("def f(n): return n + n"),
    examined("def f(n) return n"),
    examined("def f(n): return 1 / n"),
    examined("import os\ndef f(n): os._exit(3)"),
    examined("def f(n):\n    while n: pass\n    return 0"),
    examined("raise KeyError(1)"),
    examined("f = print"),
    examined("import time\nprint('x' * 20_000_000)\ntime.sleep(9)\ndef f(n): return n * n"),
    examined("def f(n): return [bytes(200_000)] * 9"),  # more than a socket holds
    examined("def f(n): return bytearray(2 << 30)"),
    examined("import time\ndef f(n): time.sleep(.15); return n * n"),
    examined("def f(n): return n * n\ndef g(n): return n + 1", CHAINED),
    examined("def f(n): return n\ndef g(n): return n", CHAINED),
    examined("import os, signal\ndef f(n): os.kill(os.getpid(), signal.SIGSEGV)"),
    Request("print(input())", script("", "a", "b").job, LIMITS),
    Request("def f(n): return n", CallJob("f", ((1,), (2,))), LIMITS),
]


def seen(execution):
    """Everything but times, and what a program that printed too much had come to."""
    return execution.syntax_error, execution.outcomes, [(run.ended, run.error) for run in execution.runs]


def test_neighbours_change_nothing(sandbox):
    alone = [seen(sandbox.submit(request).result(PATIENCE)) for request in VARIED]
    for seed in range(2):
        order = random.Random(seed).sample(range(len(VARIED)), len(VARIED))
        futures = submit_all(sandbox, [request for number in order for request in (VARIED[number], RIGHT)])
        together = [seen(future.result(PATIENCE)) for future in futures]
        assert together[::2] == [alone[number] for number in order]
        assert together[1::2] == [alone[0]] * len(VARIED)


def test_a_slow_program_keeps_no_verdict_back(sandbox):
    slow = examined("import time\ntime.sleep(3)\ndef f(n): return n * n")
    *before, sleeping, after = submit_all(sandbox, [RIGHT, RIGHT, RIGHT, slow, RIGHT])
    started = time.monotonic()
    for future in before:
        assert future.result(PATIENCE).outcomes[0].value is True
    assert time.monotonic() - started < 2
    assert not sleeping.done()
    assert all(future.result(PATIENCE).outcomes[0].value is True for future in (sleeping, after))


def test_another_worker_takes_over_what_waits_behind_a_slow_program():
    slow = examined("import time\ntime.sleep(3)\ndef f(n): return n * n")
    with ProcessSandbox(LIMITS, num_workers=2) as sandbox:
        first, *others = [sandbox.submit(request) for request in [slow] + [RIGHT] * 20]
        assert all(future.result(PATIENCE).outcomes[0].value is True for future in others)
        assert not first.done()
        assert first.result(PATIENCE).outcomes[0].value is True


PRINTER = """
import os
for descriptor in (1, 3):
    for _ in range(60):
        os.write(descriptor, bytes(1 << 20))
def f(n): return n * n
"""
GREEDY = """
block = bytearray(1000 << 20)
for place in range(0, len(block), 4096):
    block[place] = 1
def f(n): return n * n
"""


def test_what_others_printed_takes_no_memory_from_a_program(sandbox):
    patient = replace(LIMITS, cpu_seconds=8)
    *printers, greedy = submit_all(sandbox, [examined(PRINTER)] * (BATCH - 1) + [examined(GREEDY, limits=patient)])
    assert {future.result(PATIENCE).runs[0].ended for future in printers} == {ExitReason.OUTPUT}
    assert greedy.result(PATIENCE).runs[0].ended is ExitReason.EXITED


SWEEP = """
import os
from codegym.sandbox.box.forker import Forker
from codegym.sandbox.box.protocol import Limits, REPORT_FD, STDOUT_FD
answers = os.dup2(1, 40)
files = {}
for descriptor, size in ((STDOUT_FD, 5000), (REPORT_FD, 700)):
    files[descriptor] = os.memfd_create("file")
    os.truncate(files[descriptor], size)
for descriptor in files:
    files[descriptor] = os.dup2(files[descriptor], descriptor + 20)
    os.dup2(files[descriptor], descriptor)
forker = Forker.__new__(Forker)
forker._free_files = []
forker._sweep(Limits(1, 1, 1, 1, 1, 1000, 0))
os.write(answers, repr([os.fstat(file).st_size for file in files.values()]).encode())
"""


def test_no_more_is_kept_of_what_a_program_printed_than_shows_that_it_was_too_much():
    done = subprocess.run([sys.executable, "-c", SWEEP], capture_output=True, check=True)
    assert done.stdout == b"[1001, 700]"
