"""Run one contender in a process of its own: orders arrive as lines of JSON, and measurements leave the same way."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.speed.sandbox.contenders import CONTENDERS, Submit
from benchmarks.speed.sandbox.programs import Program, make_programs, read_rows


def main() -> None:
    name, path, workers = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # programs may print
    rows = read_rows(path)
    in_flight = CONTENDERS[name].workers or workers
    with CONTENDERS[name].open(workers) as submit:
        print(json.dumps("ready"), file=answers, flush=True)
        for line in sys.stdin:
            order = json.loads(line)
            programs = list(make_programs(rows, order["count"], order["salt"]))
            if order["measure"] == "throughput":
                answer = measure_throughput(submit, programs)
            else:
                answer = measure_latency(submit, programs, in_flight)
            print(json.dumps(answer), file=answers, flush=True)


def measure_throughput(submit: Submit, programs: list[Program]) -> dict[str, object]:
    """Run all programs with everything in flight at once.

    Args:
        submit: Function that submits a program.
        programs: The programs.
    """
    started = time.perf_counter()
    pending = [submit(program) for program in programs]
    pending[-1].result()  # first: a thread that is woken for each one takes time from whoever judges them
    passed = [future.result() for future in pending]
    return {"seconds": time.perf_counter() - started, "failed": _failed(programs, passed)}


def measure_latency(submit: Submit, programs: list[Program], in_flight: int) -> dict[str, object]:
    """Measure the time from submitting a program to its verdict, one program at a time for each worker.

    Args:
        submit: Function that submits a program.
        programs: The programs.
        in_flight: Number of workers.
    """
    waiting, lock = iter(programs), threading.Lock()
    seconds: list[float] = []

    def work() -> None:
        for program in _shared(waiting, lock):
            started = time.perf_counter()
            submit(program).result()
            seconds.append(time.perf_counter() - started)

    threads = [threading.Thread(target=work) for _ in range(in_flight)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"latencies": seconds}


def _shared(waiting: Iterator[Program], lock: threading.Lock) -> Iterator[Program]:
    while True:
        with lock:
            program = next(waiting, None)
        if program is None:
            return
        yield program


def _failed(programs: list[Program], passed: list[bool]) -> list[str]:
    return sorted({p.row["task_id"] for p, held in zip(programs, passed, strict=True) if not held})


if __name__ == "__main__":
    main()
