"""What all arms share: the policy that they start from, the labels and the process reward model, and their price."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import Progress
from scipy.stats import binomtest

from agents import sft
from agents.common.evaluate import pass_rates
from agents.generation.generate import Sampling, generate
from agents.policies.causal import Policy
from agents.seeding import numpy_generator
from benchmarks.lab.experiment import Cell, Experiment
from benchmarks.lab.train_arm import VALUE_MODEL, tasks_of
from codegym import Judge, Task
from codegym.sampling import Completion, PrefixRequest, derive_seed
from codegym.sandbox import open_sandbox
from codegym.scorers.labels.files import append_labels, read_card
from codegym.scorers.labels.labeler import Labeler, LabelSettings
from codegym.scorers.labels.labels import LabeledProgram, agreement
from codegym.scorers.prm.config import TrainConfig
from codegym.scorers.prm.model import ProcessRewardModel
from codegym.scorers.prm.train import train as train_prm
from codegym.tasks.procedural import first_wrong_line

ROWS = 1024
"""Completions that are sampled at the same time."""
VALUES = TrainConfig(
    target="values", loss="cross_entropy", epochs=4, learning_rate=5e-4, batch_size=64, on_useless="warn"
)
"""How the process reward model goes on to learn values."""


class PolicySampler:
    """Completes prefixes with a policy of ``agents``; its tokens end where lines end."""

    def __init__(self, policy: Policy, max_tokens: int) -> None:
        self.policy, self.max_tokens = policy, max_tokens

    def __call__(self, requests: Sequence[PrefixRequest]) -> list[list[Completion]]:
        """Complete every prefix as often as it wants."""
        encode = self.policy.tokenizer.encode
        rows = [
            (place, [*encode(request.task.prompt), *encode(request.text)])
            for place, request in enumerate(requests)
            for _ in range(request.num_completions)
        ]
        generator = torch.Generator().manual_seed(derive_seed(*[request.seed for request in requests]))
        answers: list[list[Completion]] = [[] for _ in requests]
        for first in range(0, len(rows), ROWS):
            part = rows[first : first + ROWS]
            sampling, eos = Sampling(self.max_tokens), self.policy.tokenizer.eos_token_id
            written = generate(self.policy.model, [ids for _, ids in part], eos, sampling, generator=generator)
            for row, (place, _) in enumerate(part):
                tokens = written.row(row)
                answers[place].append(Completion(self.policy.text(tokens), len(tokens)))
        return answers


def make_start(experiment: Experiment, cache: Path, console: Console) -> Path:
    """The policy that all arms start from: trained on programs with plausible mistakes."""
    config = sft.Config(
        family=experiment.family,
        horizon=(1, experiment.longest),
        num_programs=experiment.supervised_programs,
    )
    return sft.train(config, cache, console)


def start_rates(experiment: Experiment, start: Path, folder: Path, sandbox: str) -> dict[str, list[float]]:
    """Pass rate of the start in each cell, on unseen tasks: the rate and its 95 % interval."""
    file = folder / "start.json"
    found: dict[str, list[float]] = json.loads(file.read_text("utf-8")) if file.exists() else {}
    policy = Policy.load(start)
    for cell in experiment.cells:
        if cell.name not in found:
            source = {cell.horizon: tasks_of(experiment, cell, "test")}
            (rate,) = pass_rates(policy, source, Sampling(cell.max_tokens), experiment.start_programs, sandbox)
            found[cell.name] = [rate.pass_rate, *clopper_pearson(rate.pass_rate, rate.num_programs)]
            file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return found


def clopper_pearson(rate: float, count: int) -> tuple[float, float]:
    """Exact 95 % interval of a share (Clopper and Pearson, 1934), which is right where it is near 0, too."""
    interval = binomtest(round(rate * count), count).proportion_ci()
    return float(interval.low), float(interval.high)


def make_prm(experiment: Experiment, start: Path, folder: Path, sandbox: str, console: Console) -> dict[str, Any]:
    """Label programs of the start and train a process reward model on them; gives what that has cost and is worth."""
    card = folder / "prm" / "cost.json"
    if card.exists():
        found: dict[str, Any] = json.loads(card.read_text("utf-8"))
        return found
    begun = time.perf_counter()
    tasks = _label_tasks(experiment)
    programs = _label(experiment, tasks, start, folder / "labels.jsonl", sandbox, console)
    labeled = time.perf_counter() - begun
    spent = read_card(folder / "labels.jsonl")["spent"]  # of all runs, where this one went on with another one's file
    console.print(f"labels: {len(programs)} programs, {spent['completions']} completions, {labeled:.0f} s")
    model = ProcessRewardModel.from_policy(start, Policy.load(start).tokenizer)
    report = train_prm(model, programs, TrainConfig(epochs=experiment.prm_epochs, on_useless="warn"))
    model.save(folder / "prm")
    trained = time.perf_counter()
    if experiment.keep_completions:
        train_prm(model, programs, VALUES)
        model.save(folder / VALUE_MODEL)
    agreed = agreement(programs, lambda program: _oracle(tasks, program))
    cost = {
        "programs": len(programs),
        **spent,
        "label_seconds": labeled,
        "train_seconds": trained - begun - labeled,
        "value_model_seconds": time.perf_counter() - trained,
        "agreement_with_oracle": agreed.share,
        "accuracy": report.accuracy,
        "balanced_accuracy": report.balanced_accuracy,
        "same_line_auc": report.same_line_auc,
        "base_rate": report.majority_accuracy,
        "calibration_error": report.calibration_error,
    }
    card.write_text(json.dumps(cost, indent=1) + "\n", encoding="utf-8")
    return cost


def _label(
    experiment: Experiment, tasks: dict[str, Task], start: Path, file: Path, sandbox: str, console: Console
) -> list[LabeledProgram]:
    sampler = PolicySampler(Policy.load(start), Cell(experiment.label_horizon[1]).max_tokens)
    settings = LabelSettings(num_completions=experiment.num_completions, keep_completions=experiment.keep_completions)
    with open_sandbox(sandbox) as boxes, Progress(console=console) as progress:
        bar = progress.add_task("labels", total=len(tasks))
        labeler = Labeler(sampler, Judge(boxes, cache_size=1 << 17), settings)
        return append_labels(
            file,
            labeler.sample(tasks.values()),
            labeler,
            about={"policy": start.name},
            on_program=lambda _: progress.advance(bar),
        )


def _label_tasks(experiment: Experiment) -> dict[str, Task]:
    config = sft.Config(family=experiment.family, horizon=experiment.label_horizon)
    family, rng = sft.make_family(config), numpy_generator(0, "label tasks")
    drawn = [family.draw(rng) for _ in range(experiment.label_programs)]
    return {task.task_id: task for task in drawn}


def _oracle(tasks: dict[str, Task], program: LabeledProgram) -> int | None:
    return first_wrong_line(tasks[program.task_id], program.completion)
