"""Runs of the experiment: which are to be done, in processes of their own, and what was done already."""

from __future__ import annotations

import json
import math
import re
import statistics
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.lab.experiment import Arm, Cell, Experiment, Options
from benchmarks.lab.report import Found
from benchmarks.lab.stats import evaluated, samples_to_threshold
from benchmarks.lab.train_arm import RunSpec

TUNING_SEED = 1_000
"""No seed that is reported."""
TUNING = "tuning.json"
Result = dict[str, Any]


class ArmFailedError(Exception):
    """The process of an arm ended without a result."""


@dataclass(frozen=True)
class Runner:
    """Where things lie, and how many processes there are."""

    experiment: Experiment
    start: Path
    out: Path
    sandbox: str
    processes: int
    console: Console
    completions: int = 0
    """That the labels took."""

    def run_all(self, todos: Sequence[RunSpec]) -> list[Result]:
        """Do what is not done yet, several at a time, in the order given.

        One that fails does not keep the others from being done; ``SystemExit`` tells of it after them.
        """
        with ThreadPoolExecutor(self.processes) as pool:
            found = [*pool.map(self._attempt, todos)]
        failures = [each for each in found if isinstance(each, ArmFailedError)]
        if failures:
            raise SystemExit("\n\n".join(map(str, failures)))
        return [each for each in found if not isinstance(each, ArmFailedError)]

    def run(self, todo: RunSpec) -> Result:
        """Train one arm in a process of its own, unless its result is there; ``ArmFailedError`` where that fails."""
        out = Path(todo.out)
        file = out / "result.json"
        if not file.exists():
            out.mkdir(parents=True, exist_ok=True)
            todo.write(out / "arm.json")
            _execute([sys.executable, "-m", "benchmarks.lab.train_arm", str(out / "arm.json")], out / "log.txt")
        result: Result = json.loads(file.read_text("utf-8"))
        rate = result["sampled"]["pass_rate"]
        self.console.print(f"{out.relative_to(self.out)}: pass rate {rate:.3f}", highlight=False)
        return result

    def _attempt(self, todo: RunSpec) -> Result | ArmFailedError:
        try:
            return self.run(todo)
        except ArmFailedError as error:
            self.console.print(str(error), style="red", highlight=False, markup=False)
            return error

    def todo(self, cell: Cell, arm: Arm, seed: int, options: Options, folder: Path) -> RunSpec:
        """One arm in one cell with one seed."""
        prm, out = str(self.out / "prm"), str(self.out / folder)
        if cell.equal_budgets and not arm.needs_labels:
            more = math.ceil(self.completions / self.experiment.programs)
            cell = replace(cell, iterations=cell.iterations + more)
        return RunSpec(self.experiment, cell, arm.name, options, seed, str(self.start), prm, out, self.sandbox)


def plan(runner: Runner, chosen: dict[str, Options], most_seeds: int | None = None) -> list[RunSpec]:
    """All runs, seed after seed, so that one that is interrupted has something of every cell."""
    experiment = runner.experiment
    seeds = max(cell.seeds for cell in experiment.cells)
    return [
        runner.todo(cell, arm, seed, chosen[arm.name], Path(_slug(cell.name)) / f"{_slug(arm.name)}-{seed}")
        for seed in range(seeds if most_seeds is None else min(seeds, most_seeds))
        for cell in experiment.cells
        if seed < cell.seeds
        for arm in experiment.chosen_arms()
    ]


def tune(runner: Runner) -> dict[str, Options]:
    """The settings with which each arm was the cheapest, all arms with the same number of trials.

    They are tried on one cell with a seed of their own, and then used in all cells.
    """
    experiment, arms = runner.experiment, runner.experiment.chosen_arms()
    if experiment.tuning is None:
        return {arm.name: arm.tuned for arm in arms}
    rows = tuning_rows(runner)
    return {arm.name: min((row for row in rows if row["arm"] == arm.name), key=_order)["options"] for arm in arms}


def tuning_rows(runner: Runner) -> list[Result]:
    """What tuning looks at, of all trials; they are run where that is not known yet."""
    experiment, file = runner.experiment, runner.out / TUNING
    known: list[Result] = json.loads(file.read_text("utf-8")) if file.exists() else []
    assert experiment.tuning is not None
    chosen = experiment.chosen_arms()
    assert len({len(arm.trials) for arm in chosen}) == 1, "arms with unequal numbers of trials"
    arms = [arm for arm in chosen if arm.name not in {row["arm"] for row in known}]
    if not arms:
        return known
    todos = [
        runner.todo(experiment.tuning, arm, TUNING_SEED, options, Path("tuning") / f"{_slug(arm.name)}-{number}")
        for arm in arms
        for number, options in enumerate(arm.trials)
    ]
    rows = [*known, *(tuning_row(result) for result in runner.run_all(todos))]
    file.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return rows


def restore(found: Found, out: Path) -> None:
    """Put results that were kept as data where runs put theirs, so that they are not run again."""
    (out / TUNING).write_text(json.dumps(found.tuning, indent=1) + "\n", encoding="utf-8")
    for result in found.results:
        cell = Cell(**result["cell"])
        folder = out / _slug(cell.name) / f"{_slug(result['arm'])}-{result['seed']}"
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "result.json"
        if not file.exists():
            file.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def _order(row: Result) -> tuple[float, float]:
    """The cheapest way to half of the tasks first; where that was never reached, the best on the way."""
    return (math.inf if row["price"] is None else row["price"], -row["mean_pass_rate"])


def tuning_row(result: Result) -> Result:
    """What tuning looks at."""
    price = samples_to_threshold(result["curve"])
    rates = [point["eval_pass_rate"] for point in evaluated(result["curve"])]
    found = {"price": None if math.isinf(price) else price, "mean_pass_rate": statistics.mean(rates)}
    return {"arm": result["arm"], "options": result["options"], **found}


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", text.lower())


def _execute(command: Sequence[str], log: Path) -> None:
    with log.open("w", encoding="utf-8") as file:
        done = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        end = "\n".join(log.read_text("utf-8").splitlines()[-5:])
        raise ArmFailedError(f"an arm failed with exit status {done.returncode}; the end of {log}:\n{end}")
