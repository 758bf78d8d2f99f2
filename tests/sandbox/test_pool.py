"""The rules by which a pool keeps its boxes busy and its promises, with boxes made for the test."""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import wait

import pytest
from helpers.requests_for import LIMITS, PATIENCE, printed, script, wait_until

from codegym.errors import SandboxError, SandboxUnavailable
from codegym.sandbox import pool
from codegym.sandbox.base import Execution, ExitReason, Run
from codegym.sandbox.pool import MAX_ATTEMPTS, Pool
from codegym.sandbox.process import ProcessSandbox


def test_a_pool_runs_a_program():
    with ProcessSandbox(LIMITS, num_workers=1) as sandbox:
        execution = sandbox.submit(script("print(int(input()) + 1)", "1", "2")).result(PATIENCE)
    assert printed(execution) == ["2\n", "3\n"]


# --- the rules of the queue, with boxes made for the test -------------------------------------------------------


class StubBox:
    """Answers with what was printed, or does what ``trouble`` says for a request."""

    def __init__(self, trouble=lambda request: None):
        self.trouble = trouble
        self.sent = deque()
        self.sizes = []
        self.was_cold = []
        self.num_served = 0
        self.next_health_check = 0
        self.num_probes = 0
        self.closed = False

    def send(self, *orders):
        self.sent.extend(orders)
        self.sizes.append(len(orders))
        self.was_cold += [order.cold for order in orders]

    def receive(self, number, request):
        order = self.sent.popleft()
        assert (order.number, order.request) == (number, request)
        self.trouble(request)
        self.num_served += 1
        return Execution(runs=(Run(ExitReason.EXITED, stdout=request.source.encode()),))

    def probe(self, nonce):
        self.num_probes += 1

    def log_tail(self):
        return "farewell"

    def interrupt(self):
        self.interrupted = True

    def close(self):
        self.closed = True


class Launcher:
    """Launches stub boxes and keeps them all; ``broken`` is what the launch raises."""

    def __init__(self, trouble=lambda request: None):
        self.trouble = trouble
        self.boxes = []
        self.broken = None
        self.on_launch = lambda box: None

    def __call__(self):
        if self.broken is not None:
            raise self.broken
        self.boxes.append(StubBox(self.trouble))
        self.on_launch(self.boxes[-1])
        return self.boxes[-1]


def fail(error):
    """A function that raises, whatever it is called with."""

    def failing(*_, **__):
        raise error

    return failing


def stub_pool(launcher, num_workers=1, recycle_after=10_000):
    return Pool(launcher, num_workers, LIMITS, recycle_after)


def failing(error, times=10**9, source="bad"):
    """Trouble with one program, so many times."""
    left = [times]

    def trouble(request):
        if request.source == source and left[0] > 0:
            left[0] -= 1
            raise error

    return trouble


def test_boxes_start_when_they_are_needed_and_end_with_the_pool():
    launcher = Launcher()
    with stub_pool(launcher, num_workers=4) as sandbox:
        assert len(launcher.boxes) == 1
        assert printed(sandbox.submit(script("a")).result(PATIENCE)) == ["a"]
    assert all(box.closed for box in launcher.boxes)


@pytest.mark.parametrize(
    "error", [EOFError("died"), OSError("died"), ValueError("odd"), TimeoutError("hung")], ids=repr
)
def test_program_runs_again_where_its_box_fails(error):
    launcher = Launcher(failing(error, times=MAX_ATTEMPTS - 1))
    with stub_pool(launcher) as sandbox:
        futures = [sandbox.submit(script(source)) for source in ("a", "bad", "b", "c")]
        assert [printed(future.result(PATIENCE)) for future in futures] == [["a"], ["bad"], ["b"], ["c"]]
    assert len(launcher.boxes) == MAX_ATTEMPTS
    assert all(box.closed for box in launcher.boxes)


def test_program_that_failed_a_box_is_compiled_in_its_own_process_the_next_time():
    launcher = Launcher(failing(EOFError(), times=1))
    with stub_pool(launcher) as sandbox:
        sandbox.submit(script("bad")).result(PATIENCE)
    assert [cold for box in launcher.boxes for cold in box.was_cold] == [False, True]


def test_program_that_always_breaks_its_box_is_a_broken_machine():
    launcher = Launcher(failing(EOFError("gone")))
    with stub_pool(launcher) as sandbox:
        bad, good = sandbox.submit(script("bad")), sandbox.submit(script("good"))
        with pytest.raises(SandboxError, match="no verdict after 3 attempts; the last error is EOFError: gone"):
            bad.result(PATIENCE)
        assert printed(good.result(PATIENCE)) == ["good"]


def test_program_that_always_hangs_its_box_has_timed_out():
    with stub_pool(Launcher(failing(TimeoutError()))) as sandbox:
        bad, good = sandbox.submit(script("bad")), sandbox.submit(script("good"))
        assert bad.result(PATIENCE) == Execution(runs=(Run(ExitReason.TIMEOUT, cpu_seconds=2),))
        assert printed(good.result(PATIENCE)) == ["good"]


def test_innocent_programs_beside_a_bad_one_do_not_lose_their_attempts():
    launcher = Launcher(lambda request: failing(EOFError())(request) if request.source == "bad" else None)
    with stub_pool(launcher) as sandbox:
        futures = [sandbox.submit(script(source)) for source in ("bad", "a", "bad", "b", "bad", "c")]
        wait(futures, PATIENCE)
    assert [future.exception() is None for future in futures] == [False, True] * 3


def test_after_a_failure_each_program_has_a_box_for_itself():
    gate = threading.Event()
    trouble = failing(EOFError(), times=2)
    launcher = Launcher(lambda request: gate.wait(PATIENCE) if request.source == "first" else trouble(request))
    with stub_pool(launcher) as sandbox:
        futures = [sandbox.submit(script(source)) for source in ("first", "a", "b", "bad", *"cdefghijkl")]
        gate.set()
        assert not wait(futures, PATIENCE).not_done
    sizes = [size for box in launcher.boxes[1:] for size in box.sizes]
    assert launcher.boxes[0].sizes[-1] > 1
    assert sizes[:3] == [1, 1, 1]  # all that were in it
    assert sum(cold for box in launcher.boxes for cold in box.was_cold) == 1  # who failed again when it was alone


@pytest.mark.parametrize("error", [TypeError("a bug"), RecursionError(), KeyError("id")], ids=repr)
def test_unforeseen_error_ends_no_worker(error):
    with stub_pool(Launcher(failing(error))) as sandbox:
        with pytest.raises(SandboxError, match=type(error).__name__):
            sandbox.submit(script("bad")).result(PATIENCE)
        assert printed(sandbox.submit(script("good")).result(PATIENCE)) == ["good"]


def test_box_that_fails_while_it_is_sent_to_is_closed():
    launcher = Launcher()
    with stub_pool(launcher) as sandbox:
        launcher.boxes[0].send = fail(BrokenPipeError())
        launcher.on_launch = lambda box: (
            setattr(box, "send", fail(BrokenPipeError())) if len(launcher.boxes) < 3 else None
        )
        assert printed(sandbox.submit(script("a")).result(PATIENCE)) == ["a"]  # by the third
        assert [box.closed for box in launcher.boxes] == [True, True, False]


def test_back_end_that_cannot_launch_says_so_at_once():
    launcher = Launcher()
    launcher.broken = SandboxUnavailable("no engine")
    with pytest.raises(SandboxUnavailable, match="no engine"):
        stub_pool(launcher)
    launcher.broken = OSError("no memory")
    with pytest.raises(SandboxUnavailable, match="no memory"):
        stub_pool(launcher)


def test_box_that_fails_its_first_probe_is_closed_and_quoted():
    class Dumb(StubBox):
        def probe(self, nonce):
            raise EOFError("silence")

    boxes = []
    with pytest.raises(SandboxUnavailable, match=r"did not answer \(EOFError: silence\); its log ends with: farewell"):
        Pool(lambda: boxes.append(Dumb()) or boxes[-1], 1, LIMITS, 10)
    assert [box.closed for box in boxes] == [True]


def test_boxes_that_never_start_again_are_an_error_and_no_hang(monkeypatch):
    monkeypatch.setattr(pool, "LAUNCH_SECONDS", 0.3)
    launcher = Launcher(failing(EOFError()))
    with stub_pool(launcher) as sandbox:
        launcher.broken = SandboxError("the engine is gone")
        start = time.monotonic()
        futures = [sandbox.submit(script("bad")) for _ in range(200)]
        for future in futures:
            with pytest.raises(SandboxError, match="no box could be launched.*the engine is gone"):
                future.result(PATIENCE)
        assert time.monotonic() - start < 30  # patient once, not 200 times
        launcher.broken = None
        assert printed(sandbox.submit(script("good")).result(PATIENCE)) == ["good"]


def test_engine_that_comes_back_in_time_costs_nothing():
    launcher = Launcher(failing(EOFError(), times=1))
    with stub_pool(launcher) as sandbox:
        launcher.broken = OSError("restarting")
        future = sandbox.submit(script("bad"))
        time.sleep(0.3)
        assert not future.done()
        launcher.broken = None
        assert printed(future.result(PATIENCE)) == ["bad"]


def test_closing_ends_the_wait_for_an_engine():
    launcher = Launcher(failing(EOFError()))
    sandbox = stub_pool(launcher)
    launcher.broken = OSError("gone for good")
    future = sandbox.submit(script("bad"))
    time.sleep(0.2)
    start = time.monotonic()
    sandbox.close()
    assert time.monotonic() - start < 10
    assert isinstance(future.exception(0), SandboxError)


def test_box_that_comes_while_the_sandbox_closes_runs_nothing():
    launcher = Launcher(failing(EOFError(), times=1))
    sandbox = stub_pool(launcher)
    gate = threading.Event()
    launcher.on_launch = lambda box: gate.wait(PATIENCE)
    future = sandbox.submit(script("bad"))
    wait_until(lambda: len(launcher.boxes) == 2)
    closing = threading.Thread(target=sandbox.close)
    closing.start()
    wait_until(lambda: sandbox._queue.closed)
    gate.set()
    closing.join()
    assert isinstance(future.exception(0), SandboxError)
    assert [box.closed for box in launcher.boxes] == [True, True]
    assert launcher.boxes[1].num_served == 0


def test_s8_boxes_are_recycled():
    launcher = Launcher()
    with stub_pool(launcher, recycle_after=5) as sandbox:
        futures = [sandbox.submit(script(str(number))) for number in range(20)]
        assert [printed(future.result(PATIENCE)) for future in futures] == [[str(number)] for number in range(20)]
        sandbox.submit(script("one more")).result(PATIENCE)
    assert [box.num_served for box in launcher.boxes] == [5, 5, 5, 5, 1]


def test_s8_boxes_are_probed_now_and_then(monkeypatch):
    monkeypatch.setattr(pool, "PROBE_EVERY", 4)
    launcher = Launcher()
    with stub_pool(launcher) as sandbox:
        for number in range(10):
            sandbox.submit(script(str(number))).result(PATIENCE)
    assert [box.num_probes for box in launcher.boxes] == [1 + 2]  # at its start, after 4 and after 8


def test_box_that_fails_a_later_probe_is_replaced(monkeypatch):
    monkeypatch.setattr(pool, "PROBE_EVERY", 2)
    launcher = Launcher()
    with stub_pool(launcher) as sandbox:
        launcher.boxes[0].probe = fail(SandboxError("wrong answer"))
        futures = [sandbox.submit(script(str(number))) for number in range(4)]
        assert [printed(future.result(PATIENCE)) for future in futures] == [["0"], ["1"], ["2"], ["3"]]
    assert [box.num_served for box in launcher.boxes] == [2, 2]
    assert all(box.closed for box in launcher.boxes)


def test_one_worker_keeps_the_order():
    order = []
    with stub_pool(Launcher(lambda request: order.append(request.source))) as sandbox:
        wait([sandbox.submit(script(str(number))) for number in range(100)], PATIENCE)
    assert order == [str(number) for number in range(100)]


def test_future_cannot_be_cancelled_under_a_worker():
    gate = threading.Event()
    with stub_pool(Launcher(lambda request: gate.wait(PATIENCE))) as sandbox:
        futures = [sandbox.submit(script(str(number))) for number in range(4)]
        assert not any(future.cancel() for future in futures)
        gate.set()
        assert [printed(future.result(PATIENCE)) for future in futures] == [["0"], ["1"], ["2"], ["3"]]


def test_failing_callback_ends_no_worker(caplog):
    with stub_pool(Launcher()) as sandbox:
        future = sandbox.submit(script("a"))
        future.add_done_callback(lambda done: 1 // 0)
        future.result(PATIENCE)
        assert printed(sandbox.submit(script("b")).result(PATIENCE)) == ["b"]


def test_callback_may_submit_more():
    with stub_pool(Launcher()) as sandbox:
        chained = []
        done = threading.Event()

        def again(future):
            chained.append(future.result())
            if len(chained) < 300:
                sandbox.submit(script(str(len(chained)))).add_done_callback(again)
            else:
                done.set()

        sandbox.submit(script("0")).add_done_callback(again)
        assert done.wait(PATIENCE)


@pytest.mark.parametrize("name", ["memory_mb", "processes", "temp_mb"])
def test_request_above_the_limits_of_the_sandbox_is_refused(name):
    with stub_pool(Launcher()) as sandbox:
        wanted = getattr(LIMITS, name) + 1
        with pytest.raises(ValueError, match=f"got {name}={wanted}; expected at most {wanted - 1}"):
            sandbox.submit(script("a", **{name: wanted}))
        more = script("a", cpu_seconds=100, wall_seconds=100, output_mb=100)  # these are no property of a box
        assert printed(sandbox.submit(more).result(PATIENCE)) == ["a"]


def test_number_of_workers_is_at_least_one():
    with pytest.raises(ValueError, match="wrong num_workers: got 0; expected at least 1"):
        stub_pool(Launcher(), num_workers=0)


def test_closed_sandbox_fails_what_comes_and_closes_twice():
    sandbox = stub_pool(Launcher())
    sandbox.close()
    sandbox.close()
    with pytest.raises(SandboxError, match="the sandbox is closed"):
        sandbox.submit(script("a")).result(PATIENCE)


def test_s1_nothing_runs_beside_a_program_that_is_alone():
    lock = threading.Lock()
    running, overlaps = set(), []

    def trouble(request):
        with lock:
            running.add(request.source)
            if len(running) > 1 and any(name.startswith("alone") for name in running):
                overlaps.append(set(running))
        time.sleep(0.005)
        with lock:
            running.remove(request.source)

    with stub_pool(Launcher(trouble), num_workers=4) as sandbox:
        futures = [
            sandbox.submit(script(f"alone {number}" if number % 5 == 2 else str(number)), exclusive=number % 5 == 2)
            for number in range(60)
        ]
        assert not wait(futures, PATIENCE).not_done
    assert overlaps == []


def test_s1_program_that_is_alone_stays_alone_when_its_box_fails():
    launcher = Launcher(failing(EOFError(), times=2))
    with stub_pool(launcher, num_workers=3) as sandbox:
        futures = [sandbox.submit(script(str(number))) for number in range(10)]
        lonely = sandbox.submit(script("bad"), exclusive=True)
        futures += [sandbox.submit(script(str(number))) for number in range(10)]
        assert printed(lonely.result(PATIENCE)) == ["bad"]
        assert not wait(futures, PATIENCE).not_done
