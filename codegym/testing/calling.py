"""Contract of ``submit`` and ``close``."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from codegym.errors import SandboxError
from codegym.sandbox.base import Execution, Request, Sandbox, ScriptJob
from codegym.testing.programs import TIMEOUT_SECONDS, execute, expect_equal, printed, request, require

_PROGRAMS = (
    "print(sum(range(100)))",
    "import random\nprint(random.random(), hash('text'), list({'a', 'b', 'c'}))",
    "import sys, time\nprint(time.tzname, sys.argv, sys.getrecursionlimit())",
    "print(undefined)",
    "raise SystemExit(7)",
    "if True print(1)",
)
_SPAN = "import time\nstart = time.monotonic()\ntime.sleep({seconds})\nprint(start, time.monotonic())"


def ten_threads_at_once(sandbox: Sandbox) -> None:
    """Requests from ten threads each get their own answer."""
    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(lambda n: printed(sandbox, "print(int(input()) ** 2)", str(n)), range(10)))
    expect_equal("answers", answers, [f"{n * n}\n" for n in range(10)])


def exclusive_runs_alone(sandbox: Sandbox) -> None:
    """While an exclusive request runs, no other does; all other requests run before or after it."""
    spans = [_request(_SPAN.format(seconds=0.15)) for _ in range(2 * sandbox.num_workers)]
    others = [sandbox.submit(wanted) for wanted in spans[::2]]
    exclusive = sandbox.submit(_request(_SPAN.format(seconds=0.3)), exclusive=True)
    others += [sandbox.submit(wanted) for wanted in spans[1::2]]
    start, end = _span(exclusive.result(TIMEOUT_SECONDS))
    for other in others:
        began, ended = _span(other.result(TIMEOUT_SECONDS))
        require("nothing runs beside it", ended <= start or end <= began, f"{began}-{ended} beside {start}-{end}")


def _span(execution: Execution) -> tuple[float, float]:
    words = b" ".join(seen.stdout for seen in execution.runs).split()
    expect_equal("times that a program printed", len(words), 2)
    return float(words[0]), float(words[1])


def order_makes_no_difference(sandbox: Sandbox) -> None:
    """Programs are repeatable: hashes, random numbers and surroundings depend neither on order nor on worker."""
    forwards = [_essence(execute(sandbox, _request(source))) for source in _PROGRAMS]
    for _ in range(sandbox.num_workers):
        futures = [sandbox.submit(_request(source)) for source in reversed(_PROGRAMS)]
        backwards = [_essence(future.result(TIMEOUT_SECONDS)) for future in futures]
        expect_equal("executions in the other order", backwards[::-1], forwards)
    expect_equal("a program that prints", forwards[0][1], [(b"4950\n", 0)])


def _essence(execution: Execution) -> tuple[bool, list[tuple[bytes, int]]]:
    return execution.syntax_error is None, [(seen.stdout, seen.exit_code) for seen in execution.runs]


def _request(source: str) -> Request:
    return request(source, ScriptJob(("",)))


def closes(sandbox: Sandbox) -> None:
    """``close`` fails waiting requests with ``SandboxError`` and may be repeated; then no request can be submitted."""
    waiting = [sandbox.submit(_request("import time\ntime.sleep(3)")) for _ in range(sandbox.num_workers + 4)]
    sandbox.close()
    expect_equal("error of a waiting request", type(waiting[-1].exception(TIMEOUT_SECONDS)), SandboxError)
    sandbox.close()
    try:
        sandbox.submit(_request("print(1)")).result(TIMEOUT_SECONDS)
    except SandboxError:
        return
    raise AssertionError("a closed sandbox ran a program")


CHECKS = (ten_threads_at_once, exclusive_runs_alone, order_makes_no_difference)
