"""A pool keeps its promises whatever happens to real boxes, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from helpers.requests_for import LIMITS, PATIENCE, printed, script, wait_until

from codegym.errors import SandboxError, SandboxUnavailable
from codegym.sandbox import connection, process
from codegym.sandbox.base import AssertJob, CallJob, CheckResult, ExitReason, Request
from codegym.sandbox.process import BOX, ProcessSandbox

# --- with real boxes --------------------------------------------------------------------------------------------


def box_processes():
    """Every process that descends from this one and belongs to a box."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found = [pid for pid, parent in parents.items() if parent == os.getpid() and is_box(pid)]
    for pid in found:  # grows while it is read: children of children follow
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def is_box(pid):
    try:
        return str(BOX).encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def send_signal(pids, signum):
    for pid in pids:
        try:
            os.kill(pid, signum)
        except ProcessLookupError:
            continue


def control_groups():
    return set(Path("/sys/fs/cgroup").glob(f"**/codegym-{os.getpid()}-*"))


@pytest.fixture
def traces(tmp_path, monkeypatch):
    """The folder in which boxes put their directories; after the test nothing of a box may be left."""
    tmp_path.chmod(0o755)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    processes, groups = set(box_processes()), control_groups()
    yield tmp_path
    wait_until(lambda: set(box_processes()) <= processes)
    assert control_groups() <= groups
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def sandbox():
    with ProcessSandbox(LIMITS, num_workers=2) as sandbox:
        yield sandbox


SLOW = "import time\ntime.sleep(0.02)\nprint({})"


@contextlib.contextmanager
def open_sandbox(**options):
    """A sandbox, and a function that gives the processes of its boxes, from the outermost to the innermost."""
    others = {*box_processes()}
    with ProcessSandbox(LIMITS, **options) as sandbox:
        yield sandbox, lambda: [pid for pid in box_processes() if pid not in others]


def test_killed_boxes_cost_no_verdict():
    with open_sandbox(num_workers=2) as (sandbox, processes):
        futures = [sandbox.submit(script(SLOW.format(number))) for number in range(100)]
        for share in (10, 50):  # a program is hit twice at most, and has three attempts
            wait_until(lambda share=share: sum(future.done() for future in futures) >= share)
            send_signal(processes(), signal.SIGKILL)
        assert [printed(future.result(PATIENCE)) for future in futures] == [[f"{number}\n"] for number in range(100)]


@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_one_killed_process_of_a_box_costs_no_verdict(place):
    """The outermost process, then whatever lies inside: server, forker, the program."""
    with open_sandbox(num_workers=1) as (sandbox, processes):
        futures = [sandbox.submit(script(SLOW.format(number))) for number in range(20)]
        wait_until(lambda: sum(future.done() for future in futures) >= 5)
        send_signal(processes()[place : place + 1], signal.SIGKILL)
        results = [future.result(PATIENCE) for future in futures]
    wrong = [printed(result) for number, result in enumerate(results) if printed(result) != [f"{number}\n"]]
    assert wrong in ([], [[""]])  # a program that is killed has crashed; that is a verdict on what happened


def test_hung_box_is_replaced(monkeypatch):
    with open_sandbox(num_workers=1) as (sandbox, processes):
        before = processes()
        monkeypatch.setattr(connection, "GRACE_SECONDS", 2.0)
        futures = [sandbox.submit(script(SLOW.format(number), wall_seconds=2)) for number in range(40)]
        wait_until(lambda: sum(future.done() for future in futures) >= 5)
        send_signal(before, signal.SIGSTOP)
        monkeypatch.setattr(connection, "GRACE_SECONDS", 15.0)
        assert [printed(future.result(PATIENCE)) for future in futures] == [[f"{number}\n"] for number in range(40)]
        assert not {*before} & {*processes()}


def test_recycled_boxes_leave_nothing(traces):
    with open_sandbox(num_workers=1, recycle_after=3) as (sandbox, processes):
        first = processes()
        for number in range(7):  # a box does two, since its probe counts: the last one stays
            assert printed(sandbox.submit(script(f"print({number})")).result(PATIENCE)) == [f"{number}\n"]
        assert first
        assert not {*first} & {*processes()}
        assert len(list(traces.iterdir())) == 1


def test_s9_closing_while_programs_run_is_quick_and_leaves_nothing(traces):
    sandbox = ProcessSandbox(LIMITS, num_workers=2)
    endless = "import os, time\nfor _ in range(3): os.fork()\ntime.sleep(100)"
    futures = [sandbox.submit(script(endless, wall_seconds=50)) for _ in range(10)]
    time.sleep(0.5)
    start = time.monotonic()
    sandbox.close()
    assert time.monotonic() - start < 20  # the programs would take 50 s each
    assert all(isinstance(future.exception(0), SandboxError) for future in futures)
    sandbox.close()


def test_box_that_cannot_be_started_leaves_nothing(traces, monkeypatch):
    with pytest.raises(SandboxUnavailable, match="package not installed in .*: got 'no_such_package'"):
        ProcessSandbox(LIMITS, num_workers=1, packages=("no_such_package",))
    monkeypatch.setattr(process.sys, "executable", "/no/such/python")
    with pytest.raises(SandboxUnavailable, match="no/such/python"):
        ProcessSandbox(LIMITS, num_workers=1, level="plain")


INTERVAL = "import time\nstart = time.monotonic()\ntime.sleep(0.03)\nprint(start, time.monotonic())"


def test_s1_program_that_is_alone_overlaps_with_no_other(sandbox):
    futures = [(number % 6 == 3, sandbox.submit(script(INTERVAL), exclusive=number % 6 == 3)) for number in range(24)]
    intervals = [(alone, *map(float, printed(future.result(PATIENCE))[0].split())) for alone, future in futures]
    for index, (alone, start, end) in enumerate(intervals):
        others = intervals[:index] + intervals[index + 1 :]
        if alone:
            assert all(other_end < start or end < other_start for _, other_start, other_end in others)


def test_many_threads_may_submit(sandbox):
    def judge(thread):
        futures = [sandbox.submit(script(f"print({thread}, {number})")) for number in range(10)]
        return [printed(future.result(PATIENCE)) for future in futures]

    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(judge, range(16)))
    assert answers == [[[f"{thread} {number}\n"] for number in range(10)] for thread in range(16)]


def test_s3_large_inputs_and_outputs_do_not_block_each_other(sandbox):
    text = "".join(random.Random(0).choices("ab\n", k=1_000_000))
    echo = "import sys\nsys.stdout.write(sys.stdin.read()[::-1])"
    flood = "import sys\nsys.stdout.write('x' * 3_000_000)"
    futures = []
    for _ in range(6):
        futures += [
            sandbox.submit(script(echo, text, text)),
            sandbox.submit(script(flood)),
            sandbox.submit(script("print(1)")),
        ]
    for index, future in enumerate(futures):
        wanted = [[text[::-1]] * 2, ["x" * 3_000_000], ["1\n"]][index % 3]
        assert printed(future.result(PATIENCE)) == wanted


def test_s3_large_sources_arguments_and_tests_do_not_block_either(sandbox):
    big = "x" * 400_000
    source = f"TEXT = '{big}'\ndef f(text):\n    return text + TEXT\n"
    calls = Request(source, CallJob("f", ((big,), ("",))), LIMITS)
    tests = Request("def f(n): return n", AssertJob(f"TEXT = '{big}'", ("assert f(TEXT) == TEXT",), ("f",)), LIMITS)
    futures = [sandbox.submit(request) for request in (calls, tests, script("print(1)")) for _ in range(4)]
    results = [future.result(PATIENCE) for future in futures]
    assert all(result.outcomes == (CheckResult(2 * big), CheckResult(big)) for result in results[:4])
    assert all(result.outcomes == (CheckResult(True),) for result in results[4:8])
    assert all(printed(result) == ["1\n"] for result in results[8:])


def make_kinds():
    """Requests of every kind, each with what is to come of it."""
    f = "def f(n):\n    return n * {0}\n"
    for number in range(8):
        yield script(f"print(input() * {number})", "a", "b"), ["a" * number + "\n", "b" * number + "\n"]
        yield (
            Request(f.format(number), CallJob("f", ((2,), (3,))), LIMITS),
            (CheckResult(2 * number), CheckResult(3 * number)),
        )
        check = f"assert f(2) == {2 * number}"
        yield (
            Request(f.format(number), AssertJob("", (check, check), ("f",)), LIMITS),
            (CheckResult(True), CheckResult(True)),
        )
        yield script(f"x = {number}\nprint("), "SyntaxError"
        yield Request(f"x = {number} +", AssertJob("", (check,), ("f",)), LIMITS), "SyntaxError"
        yield script(f"raise SystemExit({number})"), number
        yield script("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)"), -signal.SIGSEGV
    yield script("while True: pass", cpu_seconds=0.2), ExitReason.TIMEOUT
    yield script("print('x' * 10**7)", output_mb=1), ExitReason.OUTPUT


def seen(execution, wanted):
    """The part of an execution that ``wanted`` is about."""
    if isinstance(wanted, str) and not isinstance(wanted, ExitReason):
        return execution.syntax_error and execution.syntax_error.type
    if isinstance(wanted, tuple):
        return execution.outcomes
    if isinstance(wanted, list):
        return printed(execution)
    return execution.runs[0].ended if isinstance(wanted, ExitReason) else execution.runs[0].exit_code


@pytest.mark.parametrize("seed", [1, 2])
def test_kinds_in_any_order_do_not_disturb_each_other(sandbox, seed):
    kinds = list(make_kinds())
    random.Random(seed).shuffle(kinds)
    futures = [
        (sandbox.submit(request, exclusive=index % 17 == 0), wanted) for index, (request, wanted) in enumerate(kinds)
    ]
    for future, wanted in futures:
        assert seen(future.result(PATIENCE), wanted) == wanted


def test_a_program_gives_the_same_the_second_time(sandbox):
    source = "import random\nprint(random.random(), hash('a'), {'b', 'a'}, id(random) % 16)"
    executions = [sandbox.submit(script(source)).result(PATIENCE) for _ in range(6)]
    assert len({execution.runs[0].stdout for execution in executions}) == 1
