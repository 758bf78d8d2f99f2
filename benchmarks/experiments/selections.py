"""Which labeled programs should a process reward model learn from? The four selections of PSGPO on the same labels.

    python -m benchmarks.experiments.selections --labels runs/prm_pays-full/labels.jsonl \
        --policy runs/cache/supervised-...

Each selection is trained on with and without the witnesses, which are passing programs found while labeling. All models
are compared on the same held-out tasks, those that are not too hard for the sampler. Labels and policy are those of
``python -m benchmarks.lab``.
"""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import torch
import tyro
from rich.console import Console
from rich.table import Table

from benchmarks.lab.records import write_record
from benchmarks.lab.spread import Spread
from codegym.scorers.labels import LabeledProgram, Selection, read_labels, select
from codegym.scorers.prm import ProcessRewardModel, TrainConfig, train_prm

WIDTH = 150
"""Columns of the table even in a narrower terminal."""
MEASURES = ("balanced_accuracy", "same_line_auc", "calibration_error", "exact")
"""Measures of a model in the order of the table."""


@dataclass(frozen=True)
class SelectionsOptions:
    """Options of the comparison of selections."""

    labels: Path
    """File of labeled programs, written by ``codegym prm label`` or by the laboratory."""
    policy: Path
    """Folder of the policy whose trunk the models start from."""
    seeds: int = 3
    """Models of each selection."""
    epochs: int = 12
    """Epochs of training."""
    out: Path = Path("runs/selections.json")
    """File of the results."""


@dataclass(frozen=True)
class SelectionRow:
    """Quality of the models that learned from one selection."""

    selection: str
    """Name of the selection."""
    witnesses: bool
    """Whether they learned from witnesses too."""
    num_programs: int
    """Labeled programs in the selection."""
    measures: Mapping[str, Sequence[float]]
    """Name of a measure -> one value a seed."""


def main(options: SelectionsOptions) -> None:
    """Train a model on each selection with each seed and print a table of their quality."""
    torch.set_num_threads(1)
    programs = read_labels(options.labels)
    rows = [
        compare_seeds(selection, witnesses, programs, options)
        for witnesses in (True, False)
        for selection in get_args(Selection)
    ]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_record(options.out, rows)
    Console(width=max(Console().width, WIDTH)).print(selections_table(rows, options.seeds))


def compare_seeds(
    selection: Selection, witnesses: bool, programs: Sequence[LabeledProgram], options: SelectionsOptions
) -> SelectionRow:
    """Train models on one selection, one a seed, and return their quality.

    Args:
        selection: Name of the selection.
        witnesses: Whether to learn from witnesses too.
        programs: All labeled programs.
        options: Options of the comparison.
    """
    measures: dict[str, list[float]] = {name: [] for name in MEASURES}
    for seed in range(options.seeds):
        model = ProcessRewardModel.from_policy(options.policy)
        config = TrainConfig(
            selection=selection, witnesses=witnesses, epochs=options.epochs, seed=seed, on_useless="warn"
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the table shows if a model is no better than chance
            report = train_prm(model, programs, config)
        found = report.as_dict()
        found["exact"] = report.first_error["exact"] / max(1, sum(report.first_error.values()))
        for name in MEASURES:
            measures[name].append(found[name])
    return SelectionRow(selection, witnesses, len(select(programs, selection)), measures)


def selections_table(rows: Sequence[SelectionRow], seeds: int) -> Table:
    """Return a table with the mean over seeds, and the smallest and largest value.

    Args:
        rows: Lines of the table.
        seeds: Number of seeds, for the title.
    """
    table = Table(title=f"mean of {seeds} seeds (smallest..largest)")
    heads = ("selection", "witnesses", "programs", "balanced accuracy", "same-line AUC", "calibration error", "exact")
    for name in heads:
        table.add_column(name, justify="left" if name == "selection" else "right")
    for row in rows:
        cells = [Spread.of(row.measures[name], statistics.mean).format(".3f") for name in MEASURES]
        table.add_row(row.selection, "yes" if row.witnesses else "no", f"{row.num_programs:,}", *cells)
    return table


if __name__ == "__main__":
    main(tyro.cli(SelectionsOptions, description=__doc__))
