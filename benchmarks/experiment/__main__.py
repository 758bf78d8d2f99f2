"""Does a process reward model pay? From a policy that knows nothing to a table, a plot and a page of words.

    python -m benchmarks.experiment

A tiny policy is trained from scratch on programs with plausible mistakes. Some of its programs get labels, line by
line, by completing their beginnings again and again; a process reward model (PRM) learns the labels. Then the policy is
trained by reinforcement on long tasks, in several arms that differ in what the PRM is used for. Everything lies in
``runs/experiment`` in the end; what is finished is not done again, so an interrupted run goes on.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import tyro
from rich.console import Console

from benchmarks.experiment.report import report
from benchmarks.experiment.settings import QUICK, Arm, Experiment
from benchmarks.experiment.start import make_prm, make_start
from codegym.sandbox.auto import Backend


@dataclass(frozen=True)
class Options:
    """What is run, and where."""

    experiment: Experiment = QUICK
    out: Path = Path("runs/experiment")
    cache: Path = Path("runs/cache")
    sandbox: Backend = "auto"
    processes: int = max(1, os.cpu_count() or 1)
    """Arms that are trained at the same time, with one thread each."""


def main(options: Options) -> None:
    """Run what is not finished yet, then report."""
    torch.set_num_threads(1)
    console = Console()
    options.out.mkdir(parents=True, exist_ok=True)
    claim(options.out / "experiment.json", options.experiment)
    console.rule("1. a policy that makes mistakes")
    start = make_start(options.experiment, options.cache, console)
    console.rule("2. labels and a process reward model")
    cost = make_prm(options.experiment, start, options.out, options.sandbox, console)
    console.rule("3. reinforcement learning")
    todo = [(arm, seed) for seed in options.experiment.seeds for arm in options.experiment.chosen_arms()]
    with ThreadPoolExecutor(options.processes) as pool:
        results = [*pool.map(lambda pair: run(pair[0], pair[1], start, options, console), todo)]
    console.rule("4. what came out")
    console.print(report(options.experiment, cost, results, options.out), highlight=False)


def claim(file: Path, experiment: Experiment) -> None:
    """A folder belongs to one experiment, so that no result of another one is taken for its own."""
    wanted = json.loads(json.dumps(experiment.as_dict()))
    if file.exists() and json.loads(file.read_text("utf-8")) != wanted:
        raise SystemExit(f"{file.parent} holds another experiment: choose another folder with --out, or remove it")
    file.write_text(json.dumps(wanted, indent=1) + "\n", encoding="utf-8")


def run(arm: Arm, seed: int, start: Path, options: Options, console: Console) -> dict[str, Any]:
    """Train one arm in a process of its own, unless its result is there."""
    out = options.out / f"{arm.name.replace(' ', '-')}-{seed}"
    file = out / "result.json"
    if not file.exists():
        out.mkdir(exist_ok=True)
        todo = {
            "arm": arm.name,
            "seed": seed,
            "experiment": options.experiment.as_dict(),
            "start": str(start),
            "prm": str(options.out / "prm"),
            "out": str(out),
            "sandbox": options.sandbox,
        }
        (out / "arm.json").write_text(json.dumps(todo), encoding="utf-8")
        _execute([sys.executable, "-m", "benchmarks.experiment.arm", str(out / "arm.json")], out / "log.txt")
    result: dict[str, Any] = json.loads(file.read_text("utf-8"))
    console.print(f"{arm.name}, seed {seed}: pass rate {result['sampled']['pass_rate']:.3f}", highlight=False)
    return result


def _execute(command: Sequence[str], log: Path) -> None:
    with log.open("w", encoding="utf-8") as file:
        done = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise SystemExit(f"an arm failed; the end of {log}:\n" + "\n".join(log.read_text("utf-8").splitlines()[-5:]))


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
