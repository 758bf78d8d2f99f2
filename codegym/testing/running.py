"""Contract of scripts: streams, ends and limits."""

from __future__ import annotations

from codegym.sandbox.base import ExitReason, Sandbox, ScriptJob
from codegym.testing.programs import CONTRACT_LIMITS, error_type, execute, expect_equal, printed, request, require, run


def every_stdin_gets_its_own_process(sandbox: Sandbox) -> None:
    """Each stdin is read and its stdout returned, in the order of the stdins; no global outlives a process."""
    source = "import sys\nsys.seen = getattr(sys, 'seen', 0) + 1\nprint(sys.seen, sys.stdin.buffer.read().decode())"
    execution = execute(sandbox, request(source, ScriptJob(("one", "", "three\n"))))
    expect_equal("what was printed", [seen.stdout for seen in execution.runs], [b"1 one\n", b"1 \n", b"1 three\n\n"])


def exit_status_is_kept(sandbox: Sandbox) -> None:
    """The exit status of a program is reported; ``sys.exit(0)`` is a success, and an exception is status 1."""
    for source, status in (("import sys; sys.exit(3)", 3), ("import sys; sys.exit(0)", 0), ("exit('why')", 1)):
        seen = run(sandbox, source)
        expect_equal(f"end of {source}", (seen.ended, seen.exit_code, seen.error), (ExitReason.EXITED, status, None))
    expect_equal("exit status of an exception", run(sandbox, "1 / 0").exit_code, 1)


def signals_are_crashes(sandbox: Sandbox) -> None:
    """A process that a signal ends has crashed, and its exit status is the negative number of the signal."""
    seen = run(sandbox, "import ctypes; ctypes.string_at(0)")
    expect_equal("end by a segmentation fault", (seen.ended, seen.exit_code), (ExitReason.CRASHED, -11))


def exceptions_have_type_message_and_line(sandbox: Sandbox) -> None:
    """An uncaught exception is located at the innermost line of the program at or after ``first_line``."""
    source = "def helper():\n    raise KeyError('who')\n\nhelper()\n"
    for first_line, line in ((1, 2), (3, 4)):
        execution = execute(sandbox, request(source, ScriptJob(("",)), first_line=first_line))
        error = execution.runs[0].error if execution.runs else None
        require("an exception is reported", error is not None, execution)
        if error is not None:
            expect_equal("the exception", (error.type, error.message, error.line), ("KeyError", "'who'", line))


def syntax_errors_are_distinguished(sandbox: Sandbox) -> None:
    """Source that does not compile runs nothing and has a line; a lone surrogate in the source counts as such."""
    execution = execute(sandbox, request("x = 1\nif x\n    pass\n", ScriptJob(("",))))
    error = execution.syntax_error
    expect_equal("syntax error", (error_type(error), error.line if error else None), ("SyntaxError", 2))
    expect_equal("runs of a program that does not compile", execution.runs, ())
    half = execute(sandbox, request("print('\ud800')", ScriptJob(("",))))
    require("a lone surrogate in the source is a syntax error", half.syntax_error is not None, half)


def cpu_time_is_limited(sandbox: Sandbox) -> None:
    """An endless loop ends with a timeout when its CPU time is used up, whatever it catches."""
    source = "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\n"
    seen = run(sandbox, source + "while True:\n    try:\n        while True: pass\n    except BaseException: pass")
    expect_equal("end of a loop", seen.ended, ExitReason.TIMEOUT)
    require("CPU time is reported", 0.5 <= seen.cpu_seconds <= 3, seen.cpu_seconds)


def cpu_time_of_children_counts(sandbox: Sandbox) -> None:
    """CPU time is limited for the whole tree: four children that stay below the limit exceed it together."""
    loop = "end = time.process_time() + 0.7\n    while time.process_time() < end: pass\n    os._exit(0)"
    source = f"import os, time\nif not all(os.fork() for _ in range(4)):\n    {loop}\nwhile True: os.wait()"
    expect_equal("end of four busy children", run(sandbox, source, wall_seconds=20).ended, ExitReason.TIMEOUT)


def wall_time_is_limited(sandbox: Sandbox) -> None:
    """A sleeping program ends with a timeout although it uses no CPU time, and its child with it."""
    seen = run(sandbox, "import os, time\nos.fork()\ntime.sleep(60)", wall_seconds=1)
    expect_equal("end of a sleeper", seen.ended, ExitReason.TIMEOUT)
    require("CPU time of a sleeper is small", seen.cpu_seconds < 0.9, seen.cpu_seconds)


def memory_of_a_process_is_limited(sandbox: Sandbox) -> None:
    """Memory above the limit is refused (``MemoryError``) or ends the program; half of the limit is available."""
    seen = run(sandbox, f"x = bytearray({4 * CONTRACT_LIMITS.memory_mb} << 20)\nprint(len(x))")
    require("too much memory", seen.ended is ExitReason.MEMORY or error_type(seen.error) == "MemoryError", seen)
    expect_equal(
        "half of the memory",
        printed(sandbox, f"print(len(bytes({CONTRACT_LIMITS.memory_mb // 2} << 20)) > 0)"),
        "True\n",
    )


def memory_of_a_tree_is_limited(sandbox: Sandbox) -> None:
    """Memory is limited for the whole tree: children that stay below the limit exceed it together."""
    each = CONTRACT_LIMITS.memory_mb // 2
    hold = f"x = b'x' * ({each} << 20)\n    time.sleep(3)\n    os._exit(0)"  # one copy: two would be over the limit
    source = f"import os, time\nif not all(os.fork() for _ in range(5)):\n    {hold}\ntime.sleep(3)\nprint('all')"
    expect_equal("end of five children with half of the memory each", run(sandbox, source).ended, ExitReason.MEMORY)


def output_is_limited(sandbox: Sandbox) -> None:
    """Endless output ends the program and is kept up to the limit, in many lines or in a single one."""
    for source in ("while True: print('x' * 1000)", "import sys\nwhile True: sys.stdout.write('x' * 65536)"):
        seen = run(sandbox, source)
        expect_equal(f"end of {source}", seen.ended, ExitReason.OUTPUT)
        kept = len(seen.stdout)
        require("output kept of a flood", 0 < kept <= CONTRACT_LIMITS.output_mb << 20, f"{kept:,} bytes")


def long_output_arrives_whole(sandbox: Sandbox) -> None:
    """Output below the limit is complete, even if it is one line or is printed just before the end."""
    size = (CONTRACT_LIMITS.output_mb << 20) - 10
    expect_equal("length of one huge line", len(printed(sandbox, f"print('x' * {size})")), size + 1)
    late = "import atexit, threading, time\natexit.register(print, 'last')\n"
    late += "threading.Thread(target=lambda: (time.sleep(0.1), print('late'))).start()\nprint('first')"
    expect_equal("output of threads and exit functions", printed(sandbox, late), "first\nlate\nlast\n")


def text_is_unicode(sandbox: Sandbox) -> None:
    """Source, stdin and stdout are UTF-8, and a lone surrogate survives a program that copies it."""
    expect_equal(
        "a letter of each plane",
        printed(sandbox, "print('ä\U0001f40d' + input())", "語\U0001f40d"),
        "ä\U0001f40d語\U0001f40d\n",
    )
    expect_equal("a lone surrogate", printed(sandbox, "print(input())", "a\ud800b"), "a\ud800b\n")


def executed_lines_are_reported_on_request(sandbox: Sandbox) -> None:
    """``trace_lines`` reports the 1-based executed lines, in threads too; without it there are none."""
    source = "import threading\ndef f():\n    return 1\ndef g():\n    return 2\nthreading.Thread(target=f).start()\n"
    for trace, lines in ((True, {1, 2, 3, 4, 6}), (False, None)):
        execution = execute(sandbox, request(source, ScriptJob(("",)), trace_lines=trace))
        expect_equal("executed lines", [seen.executed_lines for seen in execution.runs], [lines])


CHECKS = (
    every_stdin_gets_its_own_process,
    exit_status_is_kept,
    signals_are_crashes,
    exceptions_have_type_message_and_line,
    syntax_errors_are_distinguished,
    cpu_time_is_limited,
    cpu_time_of_children_counts,
    wall_time_is_limited,
    memory_of_a_process_is_limited,
    memory_of_a_tree_is_limited,
    output_is_limited,
    long_output_arrives_whole,
    text_is_unicode,
    executed_lines_are_reported_on_request,
)
