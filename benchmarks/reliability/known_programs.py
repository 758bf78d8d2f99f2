"""Small tasks and programs with known verdicts, in the proportions that a learning policy might produce."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import cast

from codegym.judge import Status
from codegym.sandbox import BACKENDS, Limits, Pool
from codegym.tasks import AssertCheck, CallCheck, StdinCheck, Task

_GOLD = "def total(numbers):\n    result = 0\n    for number in numbers:\n        result += number\n    return result\n"
_MAIN = "print(total([int(word) for word in input().split()]))\n"
_CASES: tuple[tuple[list[int], int], ...] = (([1, 2, 3], 6), ([10, -4], 6), ([], 0), ([7] * 9, 63))
_ASSERTS = Task(
    "mixture/assert",
    "Add up a list of numbers.",
    tuple(AssertCheck(f"assert total({numbers}) == {want}") for numbers, want in _CASES),
    exports=("total",),
)
_CALLS = Task(
    "mixture/call",
    "Add up a list of numbers.",
    tuple(CallCheck((numbers,), want) for numbers, want in _CASES),
    entry_point="total",
)
_STDIN = Task(
    "mixture/stdin",
    "Read numbers, print their sum.",
    (StdinCheck("1 2 3\n", "6\n"), StdinCheck("5\n", "5\n")),
)
_LITTER = """import os
for number in range(5):
    os.makedirs(f"/tmp/a{number}/b")
    with open(f"/tmp/a{number}/b/c", "w") as file:
        file.write("x" * 4096)
"""
_DAEMON = """import os, time
if os.fork() == 0:
    os.setsid()
    time.sleep(600)
    os._exit(0)
"""
_CRASH = "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n"
_KINDS: tuple[tuple[int, Task, str, Status], ...] = (
    (30, _ASSERTS, _GOLD, Status.PASSED),
    (20, _CALLS, _GOLD, Status.PASSED),
    (10, _STDIN, _GOLD + _MAIN, Status.PASSED),
    (12, _ASSERTS, _GOLD.replace("+=", "-="), Status.WRONG_ANSWER),
    (6, _STDIN, _GOLD.replace("result = 0", "result = 1") + _MAIN, Status.WRONG_ANSWER),
    (6, _ASSERTS, _GOLD.replace("result +=", "missing +="), Status.RUNTIME_ERROR),
    (4, _CALLS, "def total(numbers)\n    return sum(numbers)\n", Status.SYNTAX_ERROR),
    (3, _ASSERTS, _CRASH + _GOLD, Status.RUNTIME_ERROR),
    (2, _CALLS, "import os\nos._exit(0)\n" + _GOLD, Status.RUNTIME_ERROR),
    (3, _ASSERTS, _LITTER + _GOLD, Status.PASSED),
    (1, _STDIN, _LITTER + _GOLD + _MAIN, Status.PASSED),
    (2, _CALLS, _DAEMON + _GOLD, Status.PASSED),
    (1, _ASSERTS, "print('x' * 200000)\n" + _GOLD, Status.PASSED),
)


@dataclass(frozen=True, slots=True)
class KnownProgram:
    """A program whose verdict is known."""

    task: Task
    completion: str
    status: Status


def known_programs(count: int, seed: int = 0) -> Iterator[KnownProgram]:
    """Yield ``count`` different programs.

    Args:
        count: Number of programs.
        seed: Seed of the choice.
    """
    generator = random.Random(seed)
    weights = [weight for weight, *_ in _KINDS]
    for number, (_, task, completion, status) in enumerate(generator.choices(_KINDS, weights, k=count)):
        yield KnownProgram(task, f"{completion}# {seed}-{number}\n", status)


def open_backend(backend: str, limits: Limits, workers: int, recycle_after: int) -> Pool:
    """Open a pool whose boxes are replaced after ``recycle_after`` programs.

    Args:
        backend: Name of the back end.
        limits: Limits of each program process.
        workers: Programs that run at the same time.
        recycle_after: Programs after which a box is replaced.
    """
    make_pool = cast("Callable[..., Pool]", BACKENDS.get_plugin(backend))
    return make_pool(limits, workers, recycle_after=recycle_after)
