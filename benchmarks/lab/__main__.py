"""Does a process reward model pay? From a policy that knows nothing to a table, a plot and a page of words.

    python -m benchmarks.lab                # a quarter of an hour: five arms on tasks of one length
    python -m benchmarks.lab --full         # hours: the map, with curricula, tuned arms and several seeds

A tiny policy is trained from scratch on programs with plausible mistakes. Some of its programs get labels, line by
line, by completing their beginnings again and again; a process reward model (PRM) learns the labels. Then the policy is
trained by reinforcement on longer tasks, in several arms that differ in what the PRM is used for. Everything lies in
``runs/experiment`` or ``runs/map`` in the end; what is finished is not done again, so an interrupted run goes on.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro
from rich.console import Console

from benchmarks.lab.experiment import FULL, QUICK, Experiment
from benchmarks.lab.plots import draw_map
from benchmarks.lab.prepare import make_prm, make_start, start_rates
from benchmarks.lab.report import Found, report
from benchmarks.lab.runner import Runner, plan, restore, tune, tuning_rows

WIDTH = 140
"""Cells of the table, in a narrower terminal too: broken rows are harder to read than long ones."""


@dataclass(frozen=True)
class Options:
    """What is run, and where."""

    full: bool = False
    """The map instead of the quick form."""
    out: Path | None = None
    """Folder of the results; runs/experiment or runs/map."""
    cache: Path = Path("runs/cache")
    """Folder of starts, which several experiments share."""
    sandbox: str = "auto"
    processes: int = max(1, os.cpu_count() or 1)
    """Arms that are trained at the same time, with one thread each."""
    seeds: int | None = None
    """Only the first so many seeds of each cell; more can be run later."""
    known: Path | None = None
    """Results of the same experiment that need not be run again, such as benchmarks/results/map.json with --full."""
    report: Path | None = None
    """Run nothing and report from this file, such as benchmarks/results/map.json."""

    @property
    def experiment(self) -> Experiment:
        """What is run."""
        return FULL if self.full else QUICK

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self.out or Path("runs/map" if self.full else "runs/experiment")


def main(options: Options) -> None:
    """Run what is not finished yet, then report."""
    torch.set_num_threads(1)
    console = Console()
    console = Console(width=max(console.width, WIDTH))
    options.folder.mkdir(parents=True, exist_ok=True)
    found = run(options, console) if options.report is None else Found.read(options.report)
    console.rule("4. what came out")
    console.print(report(found, options.folder), highlight=False)
    if len(found.experiment.cells) > 1:
        draw_map(found, options.folder)
    console.print(f"all of it lies in {options.folder}: summary.md, table.md, *.png, a policy for each arm")


def run(options: Options, console: Console) -> Found:
    """Do all that is not finished yet."""
    experiment, out = options.experiment, options.folder
    claim(out / "experiment.json", experiment)
    if options.known is not None:
        if (known := Found.read(options.known)).experiment != experiment:
            raise SystemExit(
                f"{options.known} holds results of another experiment: leave --known out, or is it --full?"
            )
        restore(known, out)
    console.rule("1. a policy that makes mistakes")
    start = make_start(experiment, options.cache, console)
    starts = start_rates(experiment, start, out, options.sandbox)
    for cell, (rate, low, high) in starts.items():
        console.print(f"{cell}: it solves {rate:.2g} of the tasks ({low:.2g}..{high:.2g})", highlight=False)
    console.rule("2. labels and a process reward model")
    cost = make_prm(experiment, start, out, options.sandbox, console)
    console.rule("3. reinforcement learning")
    runner = Runner(experiment, start, out, options.sandbox, options.processes, console, cost["completions"])
    chosen = tune(runner)
    results = runner.run_all(plan(runner, chosen, options.seeds))
    found = Found(experiment, starts, cost, results, tuning_rows(runner) if experiment.tuning else [])
    found.write(out / "results.json")
    return found


def claim(file: Path, experiment: Experiment) -> None:
    """A folder belongs to one experiment, so that no result of another one is taken for its own."""
    wanted = json.loads(json.dumps(experiment.as_dict()))
    if file.exists() and json.loads(file.read_text("utf-8")) != wanted:
        raise SystemExit(f"{file.parent} holds another experiment: choose another folder with --out, or remove it")
    file.write_text(json.dumps(wanted, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
