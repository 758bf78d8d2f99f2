"""``codegym prm``: label programs, train a process reward model on them, and report its quality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import tyro
from rich.table import Table

import codegym.scorers.prm as prm
from codegym.cli.common import ProgressBar, install_hint, output
from codegym.cli.options import INLINE, SamplingOptions, SandboxOptions
from codegym.judge import Judge
from codegym.sampling import LabelingCost, Sampler
from codegym.scorers.labels import (
    Labeler,
    LabelSettings,
    append_labels,
    read_label_card,
    read_labels,
    select,
    split_by_task,
)
from codegym.scorers.prm.config import Target
from codegym.tasks.record import Task
from codegym.tasks.source import ListSource, make_task_source
from codegym.tokenizers import resolve_model


@dataclass(frozen=True)
class DrawnTasks:
    """Tasks that the policy writes programs for."""

    tasks: Annotated[str, tyro.conf.arg(metavar="NAME")]
    """Data set, procedural family (its training split), or "package.module:object" for a task source of your own."""
    path: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """File of the data set. By default the data set is loaded from the Hub."""
    num_tasks: int | None = None
    """Number of tasks to draw at random. By default all tasks of a data set; a family is endless and needs a number."""
    num_samples: int = 1
    """Number of programs for each task."""

    def draw(self, seed: int) -> Sequence[Task]:
        """Return the tasks.

        Args:
            seed: Seed of the tasks that are drawn at random.

        Raises:
            ValueError: The tasks are endless, and there is no number of them.
        """
        source = make_task_source(self.tasks, self.path)
        if self.num_tasks is None and isinstance(source, ListSource):
            return source.tasks
        if self.num_tasks is None:
            raise ValueError(
                f"--num-tasks is missing: got --tasks {self.tasks}, which is endless; expected a number, such as "
                "--num-tasks 3000"
            )
        rng = np.random.default_rng(seed)
        return [source.draw(rng) for _ in range(self.num_tasks)]


@dataclass(frozen=True)
class ModelOptions:
    """Model at the start of the training."""

    policy: str | None = None
    """Folder or Hub id of a policy, whose weights and tokenizer the model starts from. By default the model starts from
    random weights."""
    init_from: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = None
    """Folder of a process reward model to start from, instead of a policy."""
    tokenizer: str = "bytes"
    """Tokenizer of a model with random weights: "bytes", a folder or a Hub id."""
    width: int = 96
    """Width of the hidden states of a model with random weights, a multiple of 32."""
    num_layers: int = 2
    """Number of layers of a model with random weights."""
    device: str = "cpu"
    """Device of the model, such as cuda."""
    num_threads: int = 1
    """Number of threads of torch on a CPU. One is fastest for small models."""

    def open(self) -> Any:
        """Return the model.

        Raises:
            ValueError: Both a policy and a process reward model are named, or there is no such policy.
            ImportError: A package is missing; the message names the extra.
        """
        model_class = _model_class(self.num_threads)
        if self.init_from is not None and self.policy is not None:
            raise ValueError(
                f"two starts of the model: got --policy {self.policy} and --init-from {self.init_from}; expected one"
            )
        if self.init_from is not None:
            return model_class.load(self.init_from).to(self.device)
        if self.policy is not None:
            resolve_model(self.policy, "policy")
            return model_class.from_policy(self.policy).to(self.device)
        model = model_class.from_scratch(self.tokenizer, width=self.width, num_layers=self.num_layers)
        return model.to(self.device)


def _model_class(num_threads: int = 1) -> Any:
    """Import the model, which needs torch; that takes seconds, and most commands do without."""
    try:
        import torch

        model_class = prm.ProcessRewardModel
    except ImportError as error:
        raise ImportError(f"this command needs torch and transformers ({error}): {install_hint('agents')}") from error
    torch.set_num_threads(num_threads)
    return model_class


def label(
    policy: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="POLICY")],
    out: Annotated[Path, tyro.conf.arg(metavar="FILE")],
    tasks: Annotated[DrawnTasks, INLINE],
    settings: Annotated[LabelSettings, INLINE],
    sampling: Annotated[SamplingOptions, INLINE],
    sandbox: Annotated[SandboxOptions, INLINE],
) -> int:
    """Sample programs from a policy, and find out which of their lines are correct.

    For a program that fails, a binary search over its lines finds the longest prefix that the policy can still
    complete: one of K completions must pass the task's checks. The lines of that prefix have the label 1, the others
    -1, comments and empty lines 0. A program of 8 lines costs about 3 K completions, and fewer if one passes early.

    Try:
        codegym prm label runs/policy --tasks pipelines --num-tasks 3000 --out labels.jsonl
        codegym prm label Qwen/Qwen2.5-Coder-0.5B --tasks mbpp --path mbpp.jsonl --out labels.jsonl --device cuda

    The file grows while the command runs; after an interruption the same command resumes. Choose tasks that the policy
    sometimes solves: if nothing can be completed every label is -1, and a model learns nothing.

    Args:
        policy: Folder that save_pretrained wrote, or Hub id, of the policy that writes the programs.
        out: File for the labels, .jsonl. Its card with settings and cost is beside it as .card.json.
        tasks: Tasks that the policy writes programs for.
        settings: Settings of the search for labels.
        sampling: Settings of the sampling from the policy.
        sandbox: Sandbox in which the programs run.

    Raises:
        ValueError: ``out`` has another suffix.
    """
    if out.suffix != ".jsonl":
        raise ValueError(f"wrong file for labels: got --out {out}; expected a name that ends in .jsonl")
    chosen = tasks.draw(settings.seed)
    sampler = sampling.open(policy)
    about = {"policy": policy, **asdict(tasks), "path": str(tasks.path)}
    about |= {"max_tokens": sampling.max_tokens, "temperature": sampling.temperature}
    with sandbox.open_judge(stop_at_first_failure=True) as judge, ProgressBar() as progress:
        skipped = _label(Labeling(out, chosen, tasks.num_samples, sampler, judge, settings, about), progress)
    _print_labels(out, skipped)
    return 2 if skipped else 0


class Labeling(NamedTuple):
    """Everything that labels are made with."""

    out: Path
    tasks: Sequence[Task]
    num_samples: int
    sampler: Sampler
    judge: Judge
    settings: LabelSettings
    about: dict[str, Any]


def _label(work: Labeling, progress: ProgressBar) -> int:
    """Label with a progress bar, and return the number of programs that the machine failed for."""
    total, num_done = len(work.tasks) * work.num_samples, count(1)

    def show_cost(cost: LabelingCost) -> None:
        text = f"labeling: {cost.completions:,} completions, {cost.executions:,} executions"
        progress("labeling", None, total, text)

    def advance(_: object) -> None:
        progress("labeling", next(num_done), total)

    labeler = Labeler(work.sampler, work.judge, work.settings, on_round=show_cost)
    programs = labeler.sample(work.tasks, work.num_samples)
    append_labels(work.out, programs, labeler, about=work.about, on_program=advance)
    return labeler.skipped


def train(
    labels: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="LABELS")],
    out: Annotated[Path, tyro.conf.arg(metavar="FOLDER")],
    config: Annotated[prm.TrainConfig, INLINE],
    model: Annotated[ModelOptions, INLINE],
) -> int:
    """Train a process reward model on labeled programs, and report its quality on held-out tasks.

    Try:
        codegym prm train labels.jsonl --out runs/prm --policy runs/policy
        codegym prm train labels.jsonl --target values --init-from runs/prm --out runs/value

    The second command, after labeling with --keep-completions, makes a model of values from the first model, for a
    critic to start from. Read the balanced accuracy of the report: 0.5 is chance, and below about 0.8 a policy learns
    little from such a model. If it is no better than chance the exit status is 1: label more programs, or easier ones.

    Args:
        labels: File that codegym prm label wrote.
        out: Folder for the model, with a card of its labels and its report. An interrupted training resumes from it.
        config: Settings of the training.
        model: Model at the start of the training.
    """
    programs, scorer = read_labels(labels), model.open()
    with ProgressBar() as progress:
        try:
            prm.train_prm(
                scorer,
                programs,
                config,
                about={"file": str(labels), **read_label_card(labels)},
                checkpoint=out / "checkpoint.pt",
                on_epoch=lambda epoch: progress("training", int(epoch["epoch"]), config.epochs),
            )
        finally:
            if "report" in scorer.card:  # a useless model is saved, too
                scorer.save(out)
    _print_report(scorer.card["report"], f"Held-out tasks; the model is in {out}")
    return 0


def evaluate(
    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER")],
    labels: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="LABELS")],
    target: Target | None = None,
    all_tasks: bool = False,
    device: str = "cpu",
) -> int:
    """Report how well a process reward model scores labeled programs.

    Try:
        codegym prm evaluate runs/prm labels.jsonl

    Tasks that the model may have learned from are left out, and so are tasks that are too hard to show which lines are
    wrong. The exit status is 1 if the model is no better than chance.

    Args:
        folder: Folder of a model that codegym prm train wrote.
        labels: File that codegym prm label wrote.
        target: Kind of labels to compare with, by default the kind that the model has learned.
        all_tasks: Whether to take all tasks, also those that the model may have learned from.
        device: Device of the model, such as cuda.
    """
    scorer = _model_class().load(folder).to(device)
    config = prm.TrainConfig(**scorer.card["training"]["config"])
    programs, target = read_labels(labels), target or config.target
    if target != "values":
        programs = select(programs, "remove_hard")
    if not all_tasks:
        programs = split_by_task(programs, config.holdout_fraction)[1]
    report = prm.evaluate_prm(scorer, programs, target)
    _print_report(report.as_dict(), str(folder))
    report.check_quality()
    return 0


def _print_labels(path: Path, skipped: int) -> None:
    card = read_label_card(path)
    table = Table("class", title="Programs")
    table.add_column("programs", justify="right")
    for name, number in card["classes"].items():
        table.add_row(name, f"{number:,}")
    output.print(table)
    cost = LabelingCost(**card["cost"])
    output.print(
        f"{cost.completions:,} completions of {cost.tokens:,} tokens and {cost.executions:,} executions for "
        f"{card['programs']:,} programs of {card['tasks']:,} tasks; the labels are in {path}",
        soft_wrap=True,
    )
    if skipped:
        output.print(f"[red]The machine failed for {skipped} programs.[/] Run the same command again to label those.")


def _print_report(report: dict[str, Any], title: str) -> None:
    table = Table("measure", title=title)
    table.add_column("value", justify="right")
    rows = {name: value for name, value in report.items() if name != "first_error"}
    rows |= {f"first error {name}": number for name, number in report["first_error"].items()}
    for name, value in rows.items():
        table.add_row(name.replace("_", " "), f"{value:.3f}" if isinstance(value, float) else str(value))
    output.print(table)
