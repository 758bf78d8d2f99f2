"""Questions that tests ask every program are sent ahead of time; none that depends on an answer ever is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from codegym.sandbox.base import AssertJob, Limits, Request, Sandbox
from codegym.sandbox.process import ProcessSandbox

FIXED = AssertJob("", tuple(f"assert f({number}) == {number * number + 1}" for number in range(5)), ("f",))
CHAINED = AssertJob("", ("assert g(f(3)) == 20",), ("f", "g"))

LOOK = """
import socket
def waiting():
    channel = socket.socket(fileno=6)
    try:
        return channel.recv(65536, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return b""
    finally:
        channel.detach()

import time
time.sleep(0.1)
READY = waiting()
"""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with ProcessSandbox(Limits(), 1) as pool:
        yield pool


def values(sandbox: Sandbox, source: str, job: AssertJob) -> list[object]:
    outcomes = sandbox.submit(Request(source, job)).result(60).outcomes
    return [outcome and outcome.value for outcome in outcomes]


def test_verdicts_are_the_same_when_questions_are_known(sandbox: Sandbox) -> None:
    right, wrong = "def f(n): return n * n + 1", "def f(n): return n + 1"
    for _ in range(3):
        assert values(sandbox, right, FIXED) == [True] * 5
        assert values(sandbox, wrong, FIXED) == [True, True, False, False, False]


def test_known_questions_lie_ready(sandbox: Sandbox) -> None:
    spy = LOOK + "def f(n): return len(READY) > 20 and n * n + 1\n"
    values(sandbox, "def f(n): return 0", FIXED)
    assert values(sandbox, spy, FIXED) == [True] * 5


LOOP = "for n in range(40): assert abs(f(n) - n) < 1e-6"


def test_a_loop_is_known_although_the_first_program_failed_in_it(sandbox: Sandbox) -> None:
    job = AssertJob("", (LOOP,), ("f",))
    spy = LOOK + "def f(n): return n if len(READY) > 40 * 20 else -1\n"
    assert values(sandbox, "def f(n): return -1", job) == [False]
    assert values(sandbox, spy, job) == [True]
    assert values(sandbox, "def f(n): return n % 39", job) == [False]
    assert values(sandbox, "def f(n): return n", job) == [True]


COMPUTING = """
for n in range(40):
    a, b = f(n), f(-n)
    assert math.fabs(sum(x * 2 for x in [a, b])) < 1e-6, "they cancel out"
    assert max(a, b) == n
"""


def test_a_loop_that_computes_with_answers_is_known(sandbox: Sandbox) -> None:
    job = AssertJob("import math", (COMPUTING,), ("f",))
    spy = LOOK + "def f(n): return n if len(READY) > 80 * 20 else 7\n"
    assert values(sandbox, "def f(n): return n and 1", job) == [False]
    assert values(sandbox, spy, job) == [True]
    assert values(sandbox, "def f(n): return n + (n == 39)", job) == [False]
    assert values(sandbox, "def f(n): return n", job) == [True]


@pytest.mark.parametrize(
    "check",
    [
        "try:\n    assert f(1) == 2\nexcept AssertionError:\n    assert f(3) == 4",
        "def inner():\n    assert f(1) == 2\n    return f(3)\nassert inner() == 4",
        "if f(1) == 2:\n    assert f(3) == 4\nelse:\n    assert f(5) == 6",
    ],
)
def test_assertions_that_steer_a_test_do_so_for_every_program(sandbox: Sandbox, check: str) -> None:
    job = AssertJob("", (check, "assert f(7) == 8"), ("f",))
    programs = [f"def f(n): return n + 1 if n == 7 else {value}" for value in ("n + 1", "2", "4", "0")] * 2
    expected = [[holds(source, check), True] for source in programs]
    assert [values(sandbox, source, job) for source in programs] == expected
    assert [True, True] in expected and [False, True] in expected


def holds(source: str, check: str) -> bool:
    namespace: dict[str, object] = {}
    try:
        exec(f"{source}\n{check}", namespace)
    except AssertionError:
        return False
    return True


def test_a_call_that_would_not_be_made_does_not_hold_up_the_next_check(sandbox: Sandbox) -> None:
    job = AssertJob("", (LOOP, "assert f(7) == 7"), ("f",))
    hangs = "def f(n):\n    while n == 20: pass\n    return n and 7"
    for _ in range(3):  # the first check is over at f(1), so f(20) is not asked for
        assert values(sandbox, hangs, job) == [False, True]
    assert values(sandbox, "def f(n): return n", job) == [True, True]


@pytest.mark.parametrize(
    "check",
    [
        "assert sum(f(3)) == 3",
        "assert sorted(f(3))[0] == 0",
        "assert f(3)[2] == 2",
        "assert [*map(f, [1, 3])][1] == [0, 1, 2]",
    ],
)
def test_tests_that_look_into_an_answer_get_the_right_ones(sandbox: Sandbox, check: str) -> None:
    job = AssertJob("", (check, "assert f(1) == [0]"), ("f",))
    for _ in range(3):
        assert values(sandbox, "def f(n): return [*range(n)]", job) == [True, True]
        assert values(sandbox, "def f(n): return [5]", job) == [False, False]


def test_an_answer_of_one_program_is_never_shown_to_the_next(sandbox: Sandbox) -> None:
    right = "def f(n): return 123456789\ndef g(n): return 20"
    spy = LOOK + "def f(n): return 0\n"
    spy += "def g(n): return 20 if b'123456789' in READY else 0"
    for _ in range(3):
        assert values(sandbox, right, CHAINED) == [True]
    assert values(sandbox, spy, CHAINED) == [False]


def test_a_check_that_asks_twice_runs_question_by_question(sandbox: Sandbox) -> None:
    twice = AssertJob("", ("assert f(1) == 1 and f(2) == 2", "assert f(3) == 3"), ("f",))
    failing, counting = "def f(n): return 0", "SEEN = []\ndef f(n):\n    SEEN.append(n)\n    return len(SEEN)"
    assert values(sandbox, failing, twice) == [False, False]  # as at a rehearsal: each check asks once
    assert values(sandbox, counting, twice) == [True, True]  # in the order of the tests, although that was foreseen
    assert values(sandbox, counting, twice) == [True, True]


def test_tests_that_ask_differently_each_time_get_the_right_answers(sandbox: Sandbox) -> None:
    clock = AssertJob("import time", ("t = time.time_ns()\nassert f(t) == t + 1", "assert f(1) == 2"), ("f",))
    for _ in range(3):
        assert values(sandbox, "def f(n): return n + 1", clock) == [True, True]
        assert values(sandbox, "def f(n): return n", clock) == [False, False]
