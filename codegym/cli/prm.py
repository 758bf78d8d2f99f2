"""``codegym prm``: label programs, train a process reward model on them, and say how good it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, NamedTuple

import numpy as np
import tyro
from rich.table import Table

from codegym.cli.common import ProgressBar, install_hint, output
from codegym.cli.options import INLINE, SamplingOptions, SandboxOptions
from codegym.judge import Judge
from codegym.sampling import LabelingCost, Sampler
from codegym.scorers.labels.files import append_labels, read_card, read_labels, split_by_task
from codegym.scorers.labels.labeler import Labeler, LabelSettings
from codegym.scorers.labels.labels import select
from codegym.scorers.prm.config import Target, TrainConfig
from codegym.scorers.prm.report import Report
from codegym.tasks.record import Task
from codegym.tasks.source import ListSource, make_task_source


@dataclass(frozen=True)
class DrawnTasks:
    """What the policy writes programs for."""

    tasks: str
    """Name of a procedural family or of a data set."""
    path: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """The data set's own file; without it the data set comes from the Hub."""
    num_tasks: int | None = None
    """Tasks to draw; by default all tasks of a data set. A family has no end, so it needs a number."""
    num_samples: int = 1
    """Programs for each task."""

    def draw(self, seed: int) -> Sequence[Task]:
        """Give the tasks."""
        source = make_task_source(self.tasks, self.path)
        if self.num_tasks is None and isinstance(source, ListSource):
            return source.tasks
        if self.num_tasks is None:
            raise ValueError(f"--num-tasks is missing: {self.tasks} has no end of tasks")
        rng = np.random.default_rng(seed)
        return [source.draw(rng) for _ in range(self.num_tasks)]


@dataclass(frozen=True)
class ModelOptions:
    """Where a model starts."""

    policy: str | None = None
    """Folder or Hub id of a policy, whose weights and tokenizer the model starts from; without it, random weights."""
    init_from: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = None
    """A process reward model to go on from, instead of a policy."""
    tokenizer: str = "bytes"
    """Of a model with random weights: "bytes", a folder or a Hub id."""
    width: int = 96
    """Of a model with random weights; a multiple of 32."""
    num_layers: int = 2
    """Of a model with random weights."""
    device: str = "cpu"
    num_threads: int = 1
    """Of torch on a CPU; small models are fastest with one."""

    def open(self) -> Any:
        """Make the model."""
        kind = _prm_modules(self.num_threads).model.ProcessRewardModel
        if self.init_from is not None and self.policy is not None:
            raise ValueError("--policy and --init-from were both given: a model starts from one of them")
        if self.init_from is not None:
            return kind.load(self.init_from).to(self.device)
        if self.policy is not None:
            return kind.from_policy(self.policy).to(self.device)
        model = kind.from_scratch(self.tokenizer, width=self.width, num_layers=self.num_layers)
        return model.to(self.device)


def label(
    policy: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="POLICY")],
    out: Annotated[Path, tyro.conf.arg(metavar="FILE")],
    tasks: Annotated[DrawnTasks, tyro.conf.arg(name="")],
    settings: Annotated[LabelSettings, tyro.conf.arg(name="")],
    sampling: Annotated[SamplingOptions, INLINE],
    sandbox: Annotated[SandboxOptions, INLINE],
) -> int:
    """Let a policy write programs, and find out which of their lines are right.

    For a program that fails, a binary search over its lines looks for the longest beginning that the policy can still
    complete: one of K completions must pass the task's checks. The lines up to there are labeled +1, the others -1,
    comments and empty lines 0. A program of 8 lines costs about 3 K completions, and less where one passes early.

    Try:
        codegym prm label runs/policy --tasks pipelines --num-tasks 3000 --out labels.jsonl
        codegym prm label Qwen/Qwen2.5-Coder-0.5B --tasks mbpp --path mbpp.jsonl --out labels.jsonl --device cuda

    The file grows as programs are finished; after an interruption the same command goes on where it ended. Choose tasks
    that the policy sometimes solves: where nothing can be completed every label is -1, and a model learns nothing.
    POLICY is a folder that save_pretrained wrote, or an id on the Hub.

    Args:
        policy: who writes.
        out: where the labels go, .jsonl; its card, with what they cost, lies beside it as .card.json.
        tasks: which tasks.
        settings: how labels are found.
        sampling: how the policy writes.
        sandbox: Sandbox in which the programs run.
    """
    if out.suffix != ".jsonl":
        raise ValueError(f"--out must end in .jsonl, got {str(out)!r}: it is appended to")
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
    """Label with a bar; gives the number of programs that could not be."""
    total, num_done = len(work.tasks) * work.num_samples, count(1)

    def tell(spent: LabelingCost) -> None:
        shown = f"labeling: {spent.completions:,} completions, {spent.executions:,} executions"
        progress("labeling", None, total, shown)

    def advance(_: object) -> None:
        progress("labeling", next(num_done), total)

    labeler = Labeler(work.sampler, work.judge, work.settings, on_round=tell)
    programs = labeler.sample(work.tasks, work.num_samples)
    append_labels(work.out, programs, labeler, about=work.about, on_program=advance)
    return labeler.skipped


def train(
    labels: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="LABELS")],
    out: Annotated[Path, tyro.conf.arg(metavar="FOLDER")],
    config: Annotated[TrainConfig, tyro.conf.arg(name="")],
    model: Annotated[ModelOptions, tyro.conf.arg(name="")],
) -> int:
    """Train a process reward model on labeled programs, and report on tasks that it has not seen.

    Try:
        codegym prm train labels.jsonl --out runs/prm --policy runs/policy
        codegym prm train labels.jsonl --target values --init-from runs/prm --out runs/value

    The second, after labeling with --keep-completions, makes a model of values of it, for a critic to start from.
    The report's balanced accuracy is what to look at: 0.5 is guessing, and below about 0.8 a policy learns little from
    such a model. Where it is no better than guessing the exit status is 1: label more programs, or easier ones.

    Args:
        labels: a file that codegym prm label wrote.
        out: where the model goes, with a card of its labels and its report. An interrupted training goes on there.
        config: how it is trained.
        model: where it starts.
    """
    programs, scorer = read_labels(labels), model.open()
    with ProgressBar() as progress:
        try:
            _prm_modules().train.train(
                scorer,
                programs,
                config,
                about={"file": str(labels), **read_card(labels)},
                checkpoint=out / "checkpoint.pt",
                on_epoch=lambda epoch: progress("training", epoch["epoch"], config.epochs),
            )
        finally:
            if "report" in scorer.card:  # trained, whatever the gate says
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

    Tasks that the model may have learned from are left out, and those that were too hard to say which lines are wrong.
    Exit status 1 where it is no better than guessing.

    Args:
        folder: a model that codegym prm train wrote.
        labels: a file that codegym prm label wrote.
        target: kind of label to compare with; by default what the model has learned.
        all_tasks: take all tasks, those that the model may have learned from included.
        device: where the model runs.
    """
    scorer = _prm_modules().model.ProcessRewardModel.load(folder).to(device)
    config = TrainConfig(**scorer.card["training"]["config"])
    programs, target = read_labels(labels), target or config.target
    if target != "values":
        programs = select(programs, "remove_hard")
    if not all_tasks:
        programs = split_by_task(programs, config.holdout_fraction)[1]
    report: Report = _prm_modules().train.evaluate(scorer, programs, target)
    _print_report(report.as_dict(), str(folder))
    report.check_quality()
    return 0


def _prm_modules(num_threads: int | None = None) -> Any:
    """Import what needs torch, which takes seconds and which most commands do without."""
    try:
        import torch

        from codegym.scorers.prm import model, train
    except ImportError as error:
        raise ImportError(f"this command needs torch and transformers ({error}): {install_hint('agents')}") from error
    if num_threads is not None:
        torch.set_num_threads(num_threads)
    return SimpleNamespace(model=model, train=train)


def _print_labels(path: Path, skipped: int) -> None:
    card = read_card(path)
    table = Table("class", title="Programs")
    table.add_column("programs", justify="right")
    for name, number in card["classes"].items():
        table.add_row(name, f"{number:,}")
    output.print(table)
    spent = LabelingCost(**card["spent"])
    output.print(
        f"{spent.completions:,} completions of {spent.tokens:,} tokens and {spent.executions:,} executions for "
        f"{card['programs']:,} programs of {card['tasks']:,} tasks; the labels are in {path}",
        soft_wrap=True,
    )
    if skipped:
        output.print(f"[red]The machine failed for {skipped} programs.[/] Run the same command again to label those.")


def _print_report(report: dict[str, Any], title: str) -> None:
    table = Table("held against labels", title=title)
    table.add_column("value", justify="right")
    rows = {name: value for name, value in report.items() if name != "first_error"}
    rows |= {f"first error {name}": number for name, number in report["first_error"].items()}
    for name, value in rows.items():
        table.add_row(name.replace("_", " "), f"{value:.3f}" if isinstance(value, float) else str(value))
    output.print(table)
