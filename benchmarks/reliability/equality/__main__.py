"""Compare two checkouts to the bit: metrics of three trainers, labels, and the verdicts of both corpora.

    python -m benchmarks.reliability.equality OLD NEW                     # two checkouts, or fingerprints kept by --out
    python -m benchmarks.reliability.equality OLD NEW --docker            # the verdicts on the Docker back end too

Each checkout is fingerprinted in a process of its own, by its own ``current.py`` if it has one. A fingerprint has the
weights of a small supervised start, the labels of 50 programs and the process reward model that learns them, the
metrics and final weights of a PPO, a GRPO and a Stable-Baselines3 run, and the verdict of every case of
``tests/exploits`` and ``tests/oddities``. Names that differ between the checkouts are mapped to neutral ones. The exit
status is 1 if anything differs, except for verdicts that depend on the speed of the machine: these are reported apart.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich.console import Console
from rich.table import Table

from benchmarks.reliability.equality.compare import Comparison, compare
from benchmarks.reliability.equality.timing import without_timing

PROGRAMS = Path(__file__).parent
TRAINING = ("start", "labels", "ppo", "grpo", "sb3")
SIZES: dict[str, Any] = {
    "family": "pipelines",
    "lines": 2,
    "sft_programs": 6_000,
    "sft_epochs": 3,
    "label_programs": 50,
    "completions": 8,
    "iterations": 6,
    "batch_size": 64,
    "max_tokens": 70,
    "seed": 0,
}
"""Sizes of the training runs, the same for both checkouts."""


@dataclass(frozen=True)
class EqualityOptions:
    """Checkouts to compare."""

    old: Annotated[Path, tyro.conf.Positional]
    """Folder of the old checkout, or a fingerprint file of an earlier comparison."""
    new: Annotated[Path, tyro.conf.Positional]
    """Folder of the new checkout, or a fingerprint file."""
    docker: bool = False
    """Judge the corpora on the Docker back end too."""
    parts: tuple[Literal["training", "verdicts"], ...] = ("training", "verdicts")
    """Halves of the fingerprint to compare."""
    every: int = 1
    """Judge every n-th case of the corpora only."""
    out: Path = Path("runs/equality")
    """Folder for the fingerprints ``old.json`` and ``new.json``."""


def main(options: EqualityOptions) -> None:
    """Fingerprint both checkouts, print what is equal, and exit with status 1 if anything differs."""
    console = Console(width=140)
    options.out.mkdir(parents=True, exist_ok=True)
    old, new = (
        fingerprint(source, options, options.out / f"{name}.json", console)
        for name, source in (("old", options.old), ("new", options.new))
    )
    chosen = [part for part in old if ("verdicts" if part.startswith("verdicts") else "training") in options.parts]
    comparisons = [compare(part, old[part], new.get(part)) for part in chosen]
    steady = [
        without_timing(each, old[each.part], new.get(each.part, {})) if each.part.startswith("verdicts") else each
        for each in comparisons
    ]
    console.print(equality_table(steady), highlight=False)
    for each, rest in zip(comparisons, steady, strict=True):
        timed = {found.path.partition("/")[0] for found in set(each.differences) - set(rest.differences)}
        if timed:
            console.print(f"{each.part}: left out as dependent on time: {', '.join(sorted(timed))}", highlight=False)
    if not all(each.is_equal for each in steady):
        raise SystemExit(1)


def fingerprint(source: Path, options: EqualityOptions, out: Path, console: Console) -> dict[str, Any]:
    """Return the fingerprint of a checkout, or read it if ``source`` is a fingerprint file.

    Args:
        source: Folder of a checkout, or a fingerprint file.
        options: Size of the comparison.
        out: File that the fingerprint is written to.
        console: Console for messages.
    """
    if source.is_file():
        kept: dict[str, Any] = json.loads(source.read_text("utf-8"))
        return kept
    found: dict[str, Any] = {}
    if "training" in options.parts:
        found |= run_program(source, SIZES | {"parts": TRAINING}, out, console)
    for sandbox in ("process", "docker")[: 1 + options.docker] if "verdicts" in options.parts else ():
        plan = {"parts": ["verdicts"], "sandbox": sandbox, "every": options.every}
        found[f"verdicts, {sandbox}"] = run_program(source, plan, out, console)["verdicts"]
    out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return found


def run_program(checkout: Path, plan: dict[str, Any], out: Path, console: Console) -> dict[str, Any]:
    """Run the fingerprint program for a checkout, with one thread and fixed hash seeds.

    Args:
        checkout: Folder of the checkout.
        plan: Parts and sizes.
        out: File that the program writes to.
        console: Console for messages.
    """
    begun, checkout = time.perf_counter(), checkout.resolve()
    program = choose_program(checkout)
    paths = os.pathsep.join([str(checkout), str(checkout / "tests")])
    variables = {"PYTHONPATH": paths, "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, str(program), json.dumps(plan), str(out.resolve())]
    done = subprocess.run(
        command, cwd=checkout, env=os.environ | variables, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"no fingerprint of {checkout}: {program.name} exited with {done.returncode}:\n{done.stderr}")
    parts = ", ".join(plan["parts"])
    console.print(f"{checkout}: {parts} by {program.name} in {time.perf_counter() - begun:.0f} s", highlight=False)
    found: dict[str, Any] = json.loads(out.read_text("utf-8"))
    return found


def choose_program(checkout: Path) -> Path:
    """Return the fingerprint program for the layout of ``checkout``: its own, or one of ours."""
    own = checkout / "benchmarks/reliability/equality/current.py"
    if own.is_file():
        return own
    return PROGRAMS / ("before_layout.py" if (checkout / "codegym/facts.py").is_file() else "current.py")


def equality_table(comparisons: list[Comparison]) -> Table:
    """Return a table with a row for each part and its first difference.

    Args:
        comparisons: Results in the order of the rows.
    """
    table = Table("part", "values", "different", "first difference")
    for each in comparisons:
        first = str(each.differences[0]) if each.differences else ""
        table.add_row(each.part, f"{each.num_values:,}", f"{len(each.differences):,}", first)
    return table


if __name__ == "__main__":
    main(tyro.cli(EqualityOptions, description=__doc__))
