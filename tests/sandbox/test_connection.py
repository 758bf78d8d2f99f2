"""The host's end of a box: whatever bytes come back, they become an execution or a ``ValueError``."""

from __future__ import annotations

import contextlib
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegym.sandbox import connection
from codegym.sandbox.base import (
    AssertJob,
    CallJob,
    CheckResult,
    Execution,
    ExitReason,
    Failure,
    Limits,
    Request,
    Run,
    ScriptJob,
)
from codegym.sandbox.box.frames import Stream, pack
from codegym.sandbox.box.plain_codec import PlainError, decode, encode
from codegym.sandbox.connection import Box, BoxRequest, PrefetchMismatch, _read_execution, _read_run

SCRIPT = Request("print(1)", ScriptJob(("", "")))
CALLS = Request("def f(x): return x", CallJob("f", ((1,), (2,))))
TESTS = Request("def f(): return 1", AssertJob("", ("assert f() == 1", "assert f() == 2"), ("f",)))


def make_run(report: bytes = b"", stdout: bytes = b"", **changes):
    """What a box says of one process, and the block that comes with it."""
    run = {"ended": "exited", "status": 0, "cpu": 0.5, "wall": 0.6, "out": len(stdout), "report": len(report)}
    return {"id": 1, "last": True, "run": run | {"lines": None} | changes}, stdout + report


def events(*lines) -> bytes:
    return b"".join(encode([*line]) + b"\n" for line in lines)


@contextlib.contextmanager
def open_box():
    """A box whose other side is a stream in this process, and the list that says whether it was killed."""
    host, server = socket.socketpair()
    killed = []
    with server:
        box = Box(host, lambda: killed.append(True))
        try:
            yield box, Stream(server), killed
        finally:
            box.close()


# --- requests and answers ---------------------------------------------------------------------------------------


def test_a_request_goes_out_and_an_execution_comes_in():
    with open_box() as (box, server, _):
        box.send(BoxRequest(1, Request("print(2)", ScriptJob(("",)))))
        header, source = server.receive()
        assert (header["id"], header["kind"], header["stdins"], source) == (1, "script", [""], b"print(2)")
        server.send(pack(*make_run(stdout=b"2\n")))
        run = Run(ExitReason.EXITED, stdout=b"2\n", cpu_seconds=0.5, wall_seconds=0.6)
        assert box.receive(1, SCRIPT) == Execution(runs=(run,))
        assert box.num_served == 1


def test_every_stdin_has_a_run_of_its_own():
    with open_box() as (box, server, _):
        for number, stdout in enumerate((b"one", b"two")):
            header, block = make_run(stdout=stdout)
            server.send(pack(header | {"last": number == 1}, block))
        assert [run.stdout for run in box.receive(1, SCRIPT).runs] == [b"one", b"two"]


def test_source_may_hold_half_characters():
    with open_box() as (box, server, _):
        box.send(BoxRequest(1, Request("'\ud800'", ScriptJob(("\udfff",)))))
        header, source = server.receive()
        assert source.decode("utf-8", "surrogatepass") == "'\ud800'"
        assert header["stdins"] == ["\udfff"]


def test_arguments_that_are_not_plain_are_an_error_before_anything_is_sent():
    with open_box() as (box, _, _), pytest.raises(PlainError, match="not plain data"):
        box.send(BoxRequest(1, Request("", CallJob("f", ((object(),),)))))


def test_tests_are_sent_once_and_by_number_after_that():
    with open_box() as (box, server, _):
        for number in range(3):
            box.send(BoxRequest(number, TESTS))
        headers = [server.receive()[0] for _ in range(3)]
        assert len({header["tests"] for header in headers}) == 1
        assert decode(headers[0]["text"].encode()) == ["", ["assert f() == 1", "assert f() == 2"], ["f"]]
        assert [header["text"] for header in headers[1:]] == [None, None]


def test_known_tests_are_forgotten_all_at_once_and_numbers_given_again(monkeypatch):
    monkeypatch.setattr(connection, "CACHED_TESTS", 2)
    with open_box() as (box, server, _):
        sent = []
        for number in (1, 2, 1, 3, 1, 3, 2):  # the third different one makes the host forget
            box.send(BoxRequest(number, Request("", AssertJob("", (str(number),), ()))))
            header, _ = server.receive()
            sent.append((header["tests"], header["text"] is not None))
        assert sent == [(0, True), (1, True), (0, False), (0, True), (1, True), (0, False), (0, True)]


def test_answer_to_another_request_is_an_error():
    with open_box() as (box, server, _):
        server.send(pack(*make_run()))
        with pytest.raises(ValueError, match="answered another request: got 1; expected 2"):
            box.receive(2, SCRIPT)


def test_closed_box_is_an_error_and_is_killed_whatever_it_does():
    with open_box() as (box, server, killed):
        server.socket.close()
        with pytest.raises((EOFError, OSError)):
            box.receive(1, SCRIPT)
        box.close()
        box.close()
        assert killed


def test_interruption_wakes_whoever_waits_and_leaves_closing_to_him():
    with open_box() as (box, _, killed), ThreadPoolExecutor(1) as other:
        answer = other.submit(box.receive, 1, SCRIPT)
        box.interrupt()
        with pytest.raises((EOFError, OSError)):
            answer.result(10)
        assert box._stream.socket.fileno() >= 0  # a number that is free could be another file's before he looks
        assert not killed
        box.close()
        assert box._stream.socket.fileno() == -1
        assert killed


def test_silent_box_is_a_timeout(monkeypatch):
    monkeypatch.setattr(connection, "GRACE_SECONDS", 0.01)
    silent = Request("", ScriptJob(("",)), Limits(wall_seconds=0.01))
    with open_box() as (box, _, _), pytest.raises(TimeoutError):
        box.receive(1, silent)


# --- what a report means ----------------------------------------------------------------------------------------


def read(request, report, **changes):
    return _read_execution(request, [make_run(report, **changes)])


def read_tests(outcomes, report=b"", prefetch_mismatch=False):
    header, block = make_run(report)
    return _read_execution(TESTS, [(header | {"results": outcomes, "prefetch_mismatch": prefetch_mismatch}, block)])


def test_calls_have_an_outcome_each_in_order():
    report = events(["value", [1, 2]], ["raised", "ValueError", "no", 3])
    assert read(CALLS, report).outcomes == (CheckResult([1, 2]), CheckResult(error=Failure("ValueError", "no", 3)))


def test_process_that_died_early_leaves_none_behind():
    assert read(CALLS, events(["value", 1]), ended="crashed").outcomes == (CheckResult(1), None)
    assert read(CALLS, events(["value", 1]) + b'["value",[2').outcomes == (CheckResult(1), None)
    assert read(CALLS, b"").outcomes == (None, None)


def test_line_without_an_end_is_no_answer():
    assert read(CALLS, events(["value", 1], ["value", 22])[:-1]).outcomes == (CheckResult(1), None)
    # the digits that did arrive would make another value
    assert read(CALLS, b'["value",1]\n["value",2]').outcomes == (CheckResult(1), None)


def test_value_that_cannot_be_read_fails_alone():
    report = b'["value",{"D":"sNaN"}]\n' + events(["value", 2])
    first, second = read(CALLS, report).outcomes
    assert first.error.type == "PlainError"
    assert second == CheckResult(2)


def test_more_answers_than_calls_do_not_count():
    assert read(CALLS, events(*(["value", number] for number in range(9)))).outcomes == (CheckResult(0), CheckResult(1))


def test_exception_that_ended_the_process_is_told():
    assert read(SCRIPT, events(["error", "KeyError", "'a'", 2])).runs[0].error == Failure("KeyError", "'a'", 2)


def test_source_that_was_compiled_in_its_own_process_may_fail_there():
    report = events(["syntax", "SyntaxError", "invalid syntax", 4])
    assert read(SCRIPT, report) == Execution(syntax_error=Failure("SyntaxError", "invalid syntax", 4))


def test_source_that_does_not_compile_has_no_runs():
    execution = _read_execution(SCRIPT, [({"id": 1, "syntax": ["SyntaxError", "bad", 7], "last": True}, b"")])
    assert execution == Execution(syntax_error=Failure("SyntaxError", "bad", 7))


def test_examiner_decides_what_held():
    outcomes = [True, [False, "AssertionError", "", None], [None, "KeyError", "1", 2], None]
    assert read_tests(outcomes, events(["value", 1], ["value", 1])).outcomes == (
        CheckResult(True),
        CheckResult(False, Failure("AssertionError", "")),
        CheckResult(None, Failure("KeyError", "1", 2)),
        None,
    )


def test_report_of_an_examined_program_makes_no_outcomes():
    assert read_tests([], events(["value", True], ["value", True])).outcomes == ()


def test_a_program_whose_tests_asked_for_something_else_runs_again():
    with pytest.raises(PrefetchMismatch):
        read_tests(None, prefetch_mismatch=True)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ((), Failure("Exception", "")),
        ((1, 2, 3), Failure("Exception", "", 3)),
        (("E" * 300, "m" * 3000, 1), Failure("E" * 200, "m" * 2000, 1)),
        (("E", "m", 0), Failure("E", "m")),
        (("E", "m", -1), Failure("E", "m")),
        (("E", "m", 1 << 31), Failure("E", "m")),
        (("E", "m", True), Failure("E", "m")),
        (("E", "m", "1"), Failure("E", "m")),
        (("E", None, [1], "more"), Failure("E", "")),
    ],
    ids=str,
)
def test_of_a_failure_only_the_right_types_are_kept(said, kept):
    assert read(SCRIPT, events(["error", *said])).runs[0].error == kept


# --- hostile bytes ----------------------------------------------------------------------------------------------

lines = st.one_of(
    st.binary(max_size=30),
    st.sampled_from(
        [b'["value"]', b'["value",1,2]', b'["value",{"r":0}]', b'["raised"]', b'["error",{},[]]', b'["syntax"]']
        + [b"[]", b"[[]]", b"{}", b'["x"]', b"null", b"[1]", b'[null,"a"]', b"\xff", b"[" * 5000, b'{"t":["value"]}']
        + [b'["value",{"t":{"R":[0,1000000000000]}}]', b'["error","' + b"x" * 5000 + b'"]']
    ),
)
reports = st.lists(lines, max_size=6).map(b"\n".join)


@given(st.sampled_from([SCRIPT, CALLS, TESTS]), reports, st.binary(max_size=20))
def test_any_report_of_a_program_is_an_execution(request_, report, stdout):
    header, block = make_run(report, stdout)
    execution = _read_execution(request_, [(header | {"results": [], "prefetch_mismatch": False}, block)])
    if execution.syntax_error is None:
        assert execution.runs[0].stdout == stdout
        assert len(execution.outcomes) == (2 if request_ is CALLS else 0)
        for outcome in execution.outcomes:
            assert outcome is None or type(outcome) is CheckResult


@given(reports)
def test_any_report_gives_at_most_the_events_that_were_asked_for(report):
    _, found = _read_run(make_run(report)[0]["run"], report, 3)
    assert len(found) <= 3
    assert all(type(event[0]) is str for event in found)


things = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.integers())
names = st.sampled_from(
    ["id", "last", "syntax", "run", "ended", "status", "cpu", "wall", "out", "lines", "prefetch_mismatch", "results"]
)
header_like = st.recursive(
    things, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=6), max_leaves=12
)


@given(st.sampled_from([SCRIPT, CALLS, TESTS]), st.lists(header_like, max_size=3), header_like, st.binary(max_size=20))
def test_any_header_is_an_execution_or_a_known_error(request_, headers, run, block):
    """A worker of the pool replaces a box for these errors."""
    genuine, _ = make_run()
    with open_box() as (box, server, _):
        for header in [*headers, genuine | {"run": run}]:
            server.send(pack(header | {"id": 1} if isinstance(header, dict) else header, block))
        server.socket.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ValueError, OSError, EOFError, PrefetchMismatch):
            assert type(box.receive(1, request_)) is Execution


@given(st.dictionaries(names, things, max_size=3))
def test_any_change_to_a_genuine_header_is_an_execution_or_a_known_error(changes):
    with open_box() as (box, server, _):
        server.send(pack(*make_run(b"", b"out", **changes)))
        server.socket.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ValueError, OSError, EOFError):
            run = box.receive(1, SCRIPT).runs[0]
            assert (type(run.exit_code), type(run.cpu_seconds), type(run.ended)) == (int, float, ExitReason)


@given(st.binary(max_size=100))
def test_any_bytes_of_the_box_are_a_known_error(data):
    with open_box() as (box, server, _):
        server.socket.sendall(data)
        server.socket.shutdown(socket.SHUT_WR)
        with pytest.raises((ValueError, OSError, EOFError)):
            box.receive(1, SCRIPT)


@pytest.mark.parametrize("outcomes", [None, 1, "x", [1], [[]], [{"r": 0}], [[True]] * 3, [[[]]], {"a": 1}], ids=repr)
def test_any_outcomes_are_an_execution_or_a_known_error(outcomes):
    with open_box() as (box, server, _):
        header, block = make_run()
        server.send(pack(header | {"results": outcomes, "prefetch_mismatch": False}, block))
        with contextlib.suppress(ValueError):
            assert type(box.receive(1, TESTS)) is Execution


def test_deep_header_is_a_known_error():
    with open_box() as (box, server, _):
        header = b'{"id":' + b"[" * 50_000 + b"]" * 50_000 + b"}"
        server.socket.sendall(len(header).to_bytes(4, "big") + bytes(4) + header)
        with pytest.raises(ValueError, match="malformed answer: RecursionError"):
            box.receive(1, SCRIPT)
