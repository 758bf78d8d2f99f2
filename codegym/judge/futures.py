"""Sequences of asynchronous steps: a generator that yields futures, and the future of what it returns."""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import TypeAlias, TypeVar

from codegym.sandbox.base import Execution

T = TypeVar("T")

Steps: TypeAlias = Generator[Future[Execution], Execution, T]
"""Generator that yields the futures it needs, is resumed with their results, and returns a ``T``."""


def new_future() -> Future[T]:
    """Return a future that one of the callers who wait for it cannot cancel for the others."""
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()
    return future


def run_steps(
    steps: Steps[T], awaited: Future[Execution], result: Future[T], on_error: Callable[[], object] = lambda: None
) -> None:
    """Resume ``steps`` whenever the future it waits for is done; put what it returns or raises on ``result``.

    Nothing blocks: the steps run in the threads that complete the futures.

    Args:
        steps: Generator that has been started.
        awaited: The future that ``steps`` has yielded last.
        result: Future that gets the return value or the error.
        on_error: Action before an error is put on ``result``.
    """
    try:
        while awaited.done():  # a loop, because a sandbox may answer at once, for each of many checks
            awaited = steps.send(awaited.result())
    except StopIteration as end:
        result.set_result(end.value)
    except Exception as error:  # it belongs on the future, not in the worker thread that has called back
        on_error()
        result.set_exception(error)
    else:
        awaited.add_done_callback(lambda done: run_steps(steps, done, result, on_error))
