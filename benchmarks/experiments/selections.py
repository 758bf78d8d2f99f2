"""Which labeled programs should a process reward model learn from? The four selections of PSGPO on the same labels.

Each is trained on with and without the witnesses, the programs that pass and that the labels were found with.

    python -m benchmarks.experiments.selections --labels runs/map/labels.jsonl --policy runs/cache/supervised-...

All of them are compared on the same held-out tasks, those that are not too hard for the sampler. The labels and the
policy are those of ``python -m benchmarks.lab``.
"""

from __future__ import annotations

import json
import statistics
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import torch
import tyro
from rich.console import Console
from rich.table import Table

from benchmarks.lab.spread import Spread
from codegym.scorers.labels.files import read_labels
from codegym.scorers.labels.labels import LabeledProgram, Selection, select
from codegym.scorers.prm.config import TrainConfig
from codegym.scorers.prm.model import ProcessRewardModel
from codegym.scorers.prm.train import train


@dataclass(frozen=True)
class Options:
    """What is compared."""

    labels: Path
    """Written by ``codegym prm label`` or by the experiment."""
    policy: Path
    """Folder of the policy whose trunk the models start from."""
    seeds: int = 3
    epochs: int = 12
    out: Path = Path("runs/selections.json")


WIDTH = 150
"""Cells of the table, in a narrower terminal too."""
MEASURES = ("balanced_accuracy", "same_line_auc", "calibration_error", "exact")


def main(options: Options) -> None:
    """Train a model on each selection with each seed and print what they are worth."""
    torch.set_num_threads(1)
    programs = read_labels(options.labels)
    rows = [
        compare(selection, witnesses, programs, options)
        for witnesses in (True, False)
        for selection in get_args(Selection)
    ]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    console = Console()
    Console(width=max(console.width, WIDTH)).print(table(rows, options.seeds))


def compare(
    selection: Selection, witnesses: bool, programs: Sequence[LabeledProgram], options: Options
) -> dict[str, Any]:
    """Train on one selection with each seed; gives all seeds' measures."""
    row: dict[str, Any] = {
        "selection": selection,
        "witnesses": witnesses,
        "programs": len(select(programs, selection)),
    }
    row |= {name: [] for name in MEASURES}
    for seed in range(options.seeds):
        model = ProcessRewardModel.from_policy(options.policy)
        config = TrainConfig(
            selection=selection, witnesses=witnesses, epochs=options.epochs, seed=seed, on_useless="warn"
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it is no better than guessing is in the table
            report = train(model, programs, config)
        found = report.as_dict()
        found["exact"] = report.first_error["exact"] / max(1, sum(report.first_error.values()))
        for name in MEASURES:
            row[name].append(found[name])
    return row


def table(rows: Sequence[dict[str, Any]], seeds: int) -> Table:
    """Mean over seeds, and smallest and largest."""
    made = Table(title=f"mean of {seeds} seeds (smallest..largest)")
    heads = ("selection", "witnesses", "programs", "balanced accuracy", "same place", "calibration error", "exact")
    for name in heads:
        made.add_column(name, justify="left" if name == "selection" else "right")
    for row in rows:
        cells = [Spread.of(row[m], statistics.mean).show(".3f") for m in MEASURES]
        made.add_row(row["selection"], "yes" if row["witnesses"] else "no", f"{row['programs']:,}", *cells)
    return made


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
