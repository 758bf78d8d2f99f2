"""Run an experiment: from a policy that knows nothing to a table, figures and a summary.

    python -m benchmarks.lab                          # "Does a process reward model pay?" in a quarter of an hour
    python -m benchmarks.lab --full                   # the complete experiment: hours
    python -m benchmarks.lab my_module:EXPERIMENT     # an experiment of your own

A tiny policy is trained from scratch on programs with plausible mistakes. Some of its programs are labeled line by
line, by completing their prefixes many times, and a process reward model (PRM) learns the labels. Then the arms of the
experiment are trained by reinforcement learning on longer tasks. All results are kept in ``runs/NAME`` or
``runs/NAME-full``; the same command continues an interrupted run.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import torch
import tyro
from rich.console import Console

from benchmarks.lab.design import Design
from benchmarks.lab.experiment import DEFAULT_EXPERIMENT, EXPERIMENTS, Experiment
from benchmarks.lab.plots import draw_map
from benchmarks.lab.prepare import Preparation, make_initial_policy
from benchmarks.lab.records import read_record, to_plain, write_record
from benchmarks.lab.report import write_report
from benchmarks.lab.results import Results
from benchmarks.lab.runner import Runner, import_results, plan, tune, tuning_trials
from codegym.errors import CodegymError
from codegym.jsonl import SettingsCard

WIDTH = 140
"""Columns of the table even in a narrower terminal."""


@dataclass(frozen=True)
class LabOptions:
    """Options of a laboratory run."""

    experiment: Annotated[str, tyro.conf.Positional] = DEFAULT_EXPERIMENT
    """Name of an experiment, or "package.module:object" for one of your own."""
    full: bool = False
    """Run the complete design instead of the quick one."""
    out: Path | None = None
    """Folder of the results. Default: runs/NAME, or runs/NAME-full with --full."""
    cache: Path = Path("runs/cache")
    """Folder of initial policies, shared by experiments."""
    sandbox: str = "auto"
    """Sandbox back end."""
    processes: int = max(1, os.cpu_count() or 1)
    """Arms that are trained at the same time, with one thread each."""
    seeds: int | None = None
    """Run at most this number of seeds in each setting; the others can be run later."""
    reuse: Path | None = None
    """Results of the same design that are not run again, such as benchmarks/results/map.json with --full."""
    report: Path | None = None
    """Run nothing and report on this file of results, such as benchmarks/results/map.json."""


def main(options: LabOptions) -> None:
    """Run what is not finished yet, then write the report."""
    torch.set_num_threads(1)
    console = Console()
    console = Console(width=max(console.width, WIDTH))
    experiment = EXPERIMENTS.get_plugin(options.experiment)
    folder = options.out or Path("runs") / (experiment.name + ("-full" if options.full else ""))
    folder.mkdir(parents=True, exist_ok=True)
    if options.report is None:
        design = experiment.full if options.full else experiment.quick
        results = run(design, folder, options, console)
    else:
        results = read_record(Results, options.report)
    console.rule("4. results")
    report(experiment, results, folder, console)


def run(design: Design, folder: Path, options: LabOptions, console: Console) -> Results:
    """Return the results of a design after running everything that is not finished yet.

    Args:
        design: The design.
        folder: Folder of the results.
        options: Options of the command.
        console: Console for messages.
    """
    claim(folder, design)
    if options.reuse is not None:
        import_results(read_same_design(options.reuse, design), folder)
    preparation = Preparation(design, folder, options.sandbox, console)
    console.rule("1. initial policy")
    policy = make_initial_policy(design, options.cache, console)
    rates = preparation.measure_initial_pass_rates(policy)
    for name, (rate, low, high) in rates.items():
        console.print(f"{name}: pass rate {rate:.2g} ({low:.2g}..{high:.2g})", highlight=False)
    console.rule("2. labels and process reward model")
    prm = preparation.make_prm(policy)
    console.print(f"{prm.programs:,} programs labeled with {prm.completions:,} completions", highlight=False)
    console.rule("3. reinforcement learning")
    runner = Runner(design, policy, folder, options.sandbox, options.processes, console, prm.completions)
    runs = runner.run_all(plan(runner, tune(runner), options.seeds))
    trials = () if design.tuning is None else tuple(tuning_trials(runner, design.tuning))
    results = Results(design, rates, prm, tuple(runs), trials)
    write_record(folder / "results.json", results, indent=None)
    return results


def report(experiment: Experiment, results: Results, folder: Path, console: Console) -> None:
    """Write tables, figures and summary, and print the table.

    Args:
        experiment: The experiment.
        results: Its results.
        folder: Folder for the report.
        console: Console for the table.
    """
    console.print(write_report(experiment, results, folder), highlight=False)
    if len(results.settings) > 1:
        draw_map(results, experiment.panels, folder / "map.png")
    console.print(f"{folder}: summary.md, table.md, *.png, and a policy for each run", highlight=False)


def claim(folder: Path, design: Design) -> None:
    """Let a folder belong to one design, so that results of another one are not taken for its own.

    Args:
        folder: Folder of the results.
        design: Design of the results; descriptions and colors of arms do not count.
    """
    arms = tuple(replace(arm, description="", color="") for arm in design.arms)
    settings = to_plain(replace(design, arms=arms))
    SettingsCard(folder / "design.card.json", settings, owner=str(folder), advice="Choose another --out").claim()


def read_same_design(file: Path, design: Design) -> Results:
    """Return the results in a file.

    Args:
        file: File of results.
        design: Design that the results must have.
    """
    results = read_record(Results, file)
    if results.design != design:
        raise SystemExit(f"{file} has results of another design: leave --reuse out, or add --full")
    return results


if __name__ == "__main__":
    try:
        main(tyro.cli(LabOptions, description=__doc__))
    except (CodegymError, ValueError) as error:
        raise SystemExit(str(error)) from None
