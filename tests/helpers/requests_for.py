"""Requests for tests of a pool."""

from __future__ import annotations

import time

from codegym.sandbox.base import Limits, Request, ScriptJob

LIMITS = Limits(cpu_seconds=2, wall_seconds=5, memory_mb=256, processes=32, output_mb=4, temp_mb=8)
PATIENCE = 60


def script(source, *stdins, **limits):
    return Request(source, ScriptJob(stdins or ("",)), Limits(**{**vars_of(LIMITS), **limits}))


def vars_of(limits):
    return {name: getattr(limits, name) for name in limits.__slots__}


def printed(execution):
    return [run.stdout.decode() for run in execution.runs]


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
