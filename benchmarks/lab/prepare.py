"""What all arms share: the initial policy, the labels and the process reward model."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
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
from benchmarks.lab.design import Design, Setting
from benchmarks.lab.records import read_record, write_record
from benchmarks.lab.results import PRMSummary
from benchmarks.lab.train_arm import VALUE_MODEL, make_tasks
from codegym import Judge, Task
from codegym.sampling import Completion, PrefixRequest, derive_seed
from codegym.sandbox import open_sandbox
from codegym.scorers.labels import LabeledProgram, Labeler, LabelSettings, agreement, append_labels, read_label_card
from codegym.scorers.prm import ProcessRewardModel, TrainConfig, train_prm
from codegym.tasks.procedural import first_wrong_line

SAMPLING_BATCH = 1024
"""Completions that are sampled together."""
VALUE_TRAINING = TrainConfig(
    target="values", loss="cross_entropy", epochs=4, learning_rate=5e-4, batch_size=64, on_useless="warn"
)
"""Fine-tuning of the process reward model into the value model."""


class PolicySampler:
    """Completes prefixes with a policy of ``agents``; the end of a line is always the end of a token.

    Args:
        policy: Policy that writes the completions.
        max_tokens: Token budget of a completion.
    """

    def __init__(self, policy: Policy, max_tokens: int) -> None:
        self.policy, self.max_tokens = policy, max_tokens

    def __call__(self, requests: Sequence[PrefixRequest]) -> list[list[Completion]]:
        """Return ``num_completions`` completions for each of ``requests``."""
        encode = self.policy.tokenizer.encode
        rows = [
            (index, [*encode(request.task.prompt), *encode(request.text)])
            for index, request in enumerate(requests)
            for _ in range(request.num_completions)
        ]
        generator = torch.Generator().manual_seed(derive_seed(*[request.seed for request in requests]))
        answers: list[list[Completion]] = [[] for _ in requests]
        for first in range(0, len(rows), SAMPLING_BATCH):
            part = rows[first : first + SAMPLING_BATCH]
            sampling, eos = Sampling(self.max_tokens), self.policy.tokenizer.eos_token_id
            written = generate(self.policy.model, [ids for _, ids in part], eos, sampling, generator=generator)
            for row, (index, _) in enumerate(part):
                tokens = written.row(row)
                answers[index].append(Completion(self.policy.text(tokens), len(tokens)))
        return answers


def make_initial_policy(design: Design, cache: Path, console: Console) -> Path:
    """Return the folder of the policy that all arms start from, trained on programs with plausible mistakes.

    Args:
        design: Design of the experiment.
        cache: Folder of initial policies, shared by experiments.
        console: Console for progress.
    """
    config = sft.SFTConfig(family=design.family, horizon=(1, design.max_lines), num_programs=design.sft_programs)
    return sft.train(config, cache, console)


@dataclass(frozen=True)
class Preparation:
    """Measures the initial policy and makes the process reward model; results on disk are reused."""

    design: Design
    """Design of the experiment."""
    out: Path
    """Folder of the experiment."""
    sandbox: str
    """Sandbox back end."""
    console: Console
    """Console for progress and messages."""

    def measure_initial_pass_rates(self, policy: Path) -> dict[str, tuple[float, float, float]]:
        """Return the pass rate of ``policy`` on unseen tasks of each setting, with its exact 95 % interval."""
        file, loaded = self.out / "initial_pass_rates.json", Policy.load(policy)
        found: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.exists() else {}
        for setting in self.design.settings:
            if setting.name not in found:
                found[setting.name] = self._pass_rate(loaded, setting)
                write_record(file, found)
        return {name: (rate, low, high) for name, (rate, low, high) in found.items()}

    def _pass_rate(self, policy: Policy, setting: Setting) -> tuple[float, float, float]:
        tasks = {setting.num_lines: make_tasks(self.design, setting, "test")}
        sampling, count = Sampling(setting.max_tokens), self.design.initial_eval_programs
        (rate,) = pass_rates(policy, tasks, sampling, count, self.sandbox)
        return rate.pass_rate, *clopper_pearson(rate.pass_rate, rate.num_programs)

    def make_prm(self, policy: Path) -> PRMSummary:
        """Label programs of ``policy``, train the process reward model, and return its cost and quality."""
        file = self.out / "prm" / "summary.json"
        if file.exists():
            return read_record(PRMSummary, file)
        begun, labels = time.perf_counter(), self.out / "labels.jsonl"
        tasks = draw_label_tasks(self.design)
        programs = self._label(tasks, policy, labels)
        labeled = time.perf_counter()
        model = ProcessRewardModel.from_policy(policy, Policy.load(policy).tokenizer)
        report = train_prm(model, programs, TrainConfig(epochs=self.design.prm_epochs, on_useless="warn"))
        model.save(self.out / "prm")
        trained = time.perf_counter()
        if self.design.keep_completions:
            train_prm(model, programs, VALUE_TRAINING)
            model.save(self.out / VALUE_MODEL)
        summary = PRMSummary(
            programs=len(programs),
            label_seconds=labeled - begun,
            train_seconds=trained - labeled,
            value_model_seconds=time.perf_counter() - trained,
            agreement_with_oracle=agreement(programs, lambda program: _first_wrong_line(tasks, program)).share,
            accuracy=report.accuracy,
            balanced_accuracy=report.balanced_accuracy,
            same_line_auc=report.same_line_auc,
            majority_accuracy=report.majority_accuracy,
            calibration_error=report.calibration_error,
            **read_label_card(labels)["cost"],  # of all sessions, if the labeling was interrupted
        )
        write_record(file, summary)
        return summary

    def _label(self, tasks: dict[str, Task], policy: Path, file: Path) -> list[LabeledProgram]:
        design = self.design
        sampler = PolicySampler(Policy.load(policy), Setting(design.label_lines[1]).max_tokens)
        settings = LabelSettings(num_completions=design.num_completions, keep_completions=design.keep_completions)
        with open_sandbox(self.sandbox) as boxes, Progress(console=self.console) as progress:
            bar = progress.add_task("labels", total=len(tasks))
            labeler = Labeler(sampler, Judge(boxes, cache_size=1 << 17), settings)
            return append_labels(
                file,
                labeler.sample(tasks.values()),
                labeler,
                about={"policy": policy.name},
                on_program=lambda _: progress.advance(bar),
            )


def clopper_pearson(rate: float, count: int) -> tuple[float, float]:
    """Return the exact 95 % interval of a share (Clopper and Pearson, 1934), which holds for shares near 0 too.

    Args:
        rate: Observed share.
        count: Number of observations.
    """
    interval = binomtest(round(rate * count), count).proportion_ci()
    return float(interval.low), float(interval.high)


def draw_label_tasks(design: Design) -> dict[str, Task]:
    """Return the tasks whose programs are labeled, by id, the same in every session.

    Args:
        design: Design of the experiment.
    """
    config = sft.SFTConfig(family=design.family, horizon=design.label_lines)
    family, rng = sft.make_family(config), numpy_generator(0, "label tasks")
    drawn = [family.draw(rng) for _ in range(design.label_programs)]
    return {task.task_id: task for task in drawn}


def _first_wrong_line(tasks: dict[str, Task], program: LabeledProgram) -> int | None:
    return first_wrong_line(tasks[program.task_id], program.completion)
