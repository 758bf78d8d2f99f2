"""Break boxes at random while programs with known verdicts are judged; then interrupt ``codegym judge`` by Ctrl-C.

    python -m benchmarks.reliability.faults --programs 2000 --sandbox docker
    python -m benchmarks.reliability.faults --programs 2000 --sandbox docker --restart-engine   # stops all containers

Every program must get its correct verdict or a ``SandboxError``; none may be wrong or lost, and nothing may be left
over. Otherwise the exit status is 1.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console
from rich.table import Table

from benchmarks.reliability.box_inspection import leftovers, own_temp_folder
from benchmarks.reliability.chaos import Chaos, restart_engine
from benchmarks.reliability.known_programs import KnownProgram, known_programs, open_backend
from benchmarks.speed.sandbox.programs import HUMANEVAL, find_rows, read_rows
from codegym.errors import SandboxError
from codegym.judge import Judge, Verdict
from codegym.sandbox import Limits
from codegym.sandbox.docker import OWNER, engine

LIMITS = Limits(cpu_seconds=4, wall_seconds=5)
"""Limits of each program; a box counts as hung 15 s after the wall limit, so a short limit keeps the run short."""
LOST_SECONDS = 300.0
"""Seconds without any verdict after which a program counts as lost."""
FOLDER = Path(__file__).parents[2]


@dataclass(frozen=True)
class FaultsOptions:
    """Options of a run with faults."""

    programs: int = 2000
    """Programs that are judged."""
    sandbox: str = "docker"
    """Sandbox back end."""
    workers: int = 2
    """Programs that run at the same time."""
    restart_engine: bool = False
    """Restart the Docker engine once, half way; this ends all containers of this machine."""
    stopped_for_good: int = 1
    """Processes of boxes that are stopped and never continued; each costs 20 s."""
    interrupt: bool = True
    """Also interrupt ``codegym judge`` by Ctrl-C and run it again."""
    seed: int = 0
    """Seed of programs and faults."""


def judge_under_fire(options: FaultsOptions, console: Console) -> Counter[str]:
    """Judge programs while boxes are broken, and return the number of programs with each outcome.

    Args:
        options: Options of the run.
        console: Console for messages.
    """
    found: Counter[str] = Counter()
    with own_temp_folder() as folder:
        with open_backend(options.sandbox, LIMITS, options.workers, recycle_after=500) as sandbox:
            judge = Judge(sandbox, LIMITS, cache_size=0)
            with Chaos(options.sandbox, options.seed, options.stopped_for_good) as chaos:
                programs = [*known_programs(options.programs, options.seed)]
                futures = [judge.submit(known.task, known.completion) for known in programs]
                restarted = False
                for number, (known, future) in enumerate(zip(programs, futures, strict=True)):
                    found[_outcome(known, future, console)] += 1
                    if options.restart_engine and not restarted and number >= options.programs // 2:
                        console.print(f"engine: {restart_engine()}", highlight=False)
                        restarted = True
        left = leftovers(folder, options.sandbox)
    console.print("harm done: " + ", ".join(f"{what} {count}" for what, count in chaos.done.items()), highlight=False)
    return found + Counter({f"left over: {name}": count for name, count in left.items()})


def _outcome(known: KnownProgram, future: Future[Verdict], console: Console) -> str:
    try:
        verdict = future.result(LOST_SECONDS)
    except TimeoutError:
        return "LOST"
    except SandboxError as error:
        console.print(f"infrastructure: {error}"[:160], highlight=False, markup=False)
        return "infrastructure failure"
    if verdict.status is known.status:
        return "right"
    console.print(f"WRONG: {verdict.status} for {known.status}: {verdict}"[:400], highlight=False, markup=False)
    return "WRONG"


def interrupt_judge(options: FaultsOptions, folder: Path) -> dict[str, bool]:
    """Interrupt ``codegym judge`` by Ctrl-C, run it again, and return whether each requirement holds.

    Args:
        options: Options of the run.
        folder: Temporary folder.
    """
    rows = read_rows(find_rows(HUMANEVAL))
    samples, out = folder / "samples.jsonl", folder / "verdicts.jsonl"
    with samples.open("w") as file:
        for number in range(4 * len(rows)):
            row = rows[number % len(rows)]
            completion = f"{row['canonical_solution']}\n# {number}\n" if number % 3 else "    return None\n"
            print(json.dumps({"task_id": row["task_id"], "completion": completion}), file=file)
    command = [sys.executable, "-m", "codegym.cli", "judge", str(samples), "--tasks", "humaneval"]
    command += ["--path", str(find_rows(HUMANEVAL)), "--sandbox", options.sandbox, "--out", str(out), "--workers", "2"]
    first = _interrupt_in_the_middle(command, folder, out)
    before = [line for line in _lines(out) if line.endswith(b"\n")]
    second = subprocess.run(command, cwd=FOLDER, env=_environment(folder), capture_output=True, text=True, check=False)
    after = _lines(out)
    right = [json.loads(line)["passed"] == bool(number % 3) for number, line in enumerate(after)]
    return {
        "it was in the middle when it was interrupted": 0 < len(before) < 4 * len(rows),
        "it ended by itself": first.returncode is not None,
        f"its exit status is 130 (it is {first.returncode})": first.returncode == 130,
        "no container is left": options.sandbox != "docker" or not _containers_of(first.pid),
        "no other file is left": {path.name for path in folder.iterdir()} <= {samples.name, out.name, "out.txt"},
        f"the second run ended well ({second.returncode} {second.stderr[-300:].strip()})": second.returncode == 0,
        "the rows of the first run stand": after[: len(before)] == before,
        "every sample has its verdict": len(after) == 4 * len(rows),
        "every verdict is right": all(right),
    }


def _interrupt_in_the_middle(command: list[str], folder: Path, out: Path) -> subprocess.Popen[bytes]:
    with (folder / "out.txt").open("wb") as log:
        process = subprocess.Popen(command, cwd=FOLDER, env=_environment(folder), stdout=log, stderr=log)
        while process.poll() is None and len(_lines(out)) < 100:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(60)
    return process


def _environment(folder: Path) -> dict[str, str]:
    return os.environ | {"TMPDIR": str(folder)}


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True) if path.exists() else []


def _containers_of(pid: int) -> list[str]:
    with engine() as client:
        labels = [c.labels.get(OWNER, "") for c in client.containers.list(all=True, filters={"label": OWNER})]
    return [label for label in labels if label.split("/")[1:2] == [str(pid)]]


def main(options: FaultsOptions) -> int:
    console = Console(width=140)
    table = Table("outcome", "programs", title=f"{options.programs:,} programs, boxes broken all the while")
    found = judge_under_fire(options, console)
    for what, count in found.items():
        table.add_row(what, f"{count:,}")
    console.print(table)
    good = found["right"] + found["infrastructure failure"] == options.programs
    good &= not any(count for what, count in found.items() if what.startswith("left over"))
    if options.interrupt:
        with own_temp_folder() as folder:
            held = interrupt_judge(options, folder)
        for what, holds in held.items():
            console.print(f"{'holds ' if holds else 'FAULT '} Ctrl-C: {what}", highlight=False)
        good &= all(held.values())
    console.print("none wrong, none lost, nothing left over" if good else "FAULTS, see above")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(tyro.cli(FaultsOptions, description=__doc__)))
