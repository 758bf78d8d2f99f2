"""Training of a process reward model on labeled programs, with a report on held-out tasks.

Sources: Dai et al., arXiv 2410.17621, minimise the mean over lines of ``(score - label)^2``, with the label 0 for
neutral lines; Math-Shepherd, arXiv 2312.08935, the cross-entropy between ``(score + 1) / 2`` and ``(label + 1) / 2``.
"""

from __future__ import annotations

import hashlib
import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from codegym.sampling.batching import bucket_by_length
from codegym.sampling.checkpoint import load_checkpoint, save_checkpoint
from codegym.scorers.labels import (
    LabeledProgram,
    code_line_indices,
    line_labels,
    select,
    split_by_task,
    summarize_labels,
)
from codegym.scorers.prm import value_labels
from codegym.scorers.prm.config import Loss, Target, TrainConfig
from codegym.scorers.prm.model import EncodedProgram, ProcessRewardModel
from codegym.scorers.prm.report import Report, ScoredProgram, make_report

_POOL_SIZE = 8  # batches whose programs are sorted by length together, which saves padding


@dataclass
class Example:
    """A program as the model reads it, with a target for each position that is read out."""

    row: EncodedProgram
    targets: list[float]
    """Target of the score at each of the positions, in [-1, 1]."""


def train_prm(
    model: ProcessRewardModel,
    programs: Sequence[LabeledProgram],
    config: TrainConfig = TrainConfig(),  # noqa: B008 - a frozen record
    *,
    about: dict[str, Any] | None = None,
    checkpoint: Path | None = None,
    on_epoch: Callable[[dict[str, float]], object] = lambda _: None,
) -> Report:
    """Train a model in place and return the report; the model's card then records labels, training and report.

    The same arguments give the same weights on the same machine, interrupted or not.

    Args:
        model: The model to train.
        programs: Labeled programs; some of their tasks are held out.
        config: Settings of the training.
        about: Record of the labels for the card.
        checkpoint: File that is written after each epoch, and from which training resumes if it exists.
        on_epoch: Function that is called with epoch, loss and held-out balanced accuracy after each epoch.

    Raises:
        PRMQualityError: The model is no better than chance; it is trained nonetheless.
        ValueError: There is no program to learn from or none held out, or the checkpoint is of another run.
    """
    chosen, held_out = _divide(programs, config)
    examples = make_examples(model, chosen, config)
    if not examples or not held_out:
        raise ValueError(
            f"too few programs: got {len(examples)} to learn from (selection {config.selection!r}) and {len(held_out)} "
            f"held out, of {len(programs)}; expected some of both. Label programs of more tasks"
        )
    history = _Training(model, examples, config, checkpoint).run(held_out, on_epoch)
    report = evaluate_prm(model, held_out, config.target)
    training = {"learned": summarize_labels(chosen), "held_out": summarize_labels(held_out)}
    model.card = {
        "labels": about or {},
        "training": {"config": asdict(config), **training},
        "history": history,
        "report": report.as_dict(),
    }
    _check(report, config)
    return report


def _check(report: Report, config: TrainConfig) -> None:
    if config.on_useless == "raise":
        report.check_quality()
    elif not report.is_useful:
        warnings.warn(f"no better than chance: balanced accuracy {report.balanced_accuracy:.3f}", stacklevel=3)


def _divide(
    programs: Sequence[LabeledProgram], config: TrainConfig
) -> tuple[list[LabeledProgram], list[LabeledProgram]]:
    """Return the programs to learn from and those of the report."""
    learned, held_out = split_by_task(programs, config.holdout_fraction)
    if config.target == "values":  # a program that is lost from its first line on has a value, too
        return learned, held_out
    return select(learned, config.selection), select(held_out, "remove_hard")


def evaluate_prm(model: ProcessRewardModel, programs: Sequence[LabeledProgram], target: Target = "hard") -> Report:
    """Compare the model's scores of all lines of code with labels.

    Args:
        model: A process reward model.
        programs: Labeled programs, best of tasks that the model has not seen.
        target: Kind of labels to compare with, or "values".
    """
    if target == "values":
        return make_report(value_labels.score_completions(model, programs), target)
    indices = [code_line_indices(program.completion) for program in programs]
    scores = model.score_lines([(p.prompt, p.lines, lines) for p, lines in zip(programs, indices, strict=True)])
    scored = []
    for program, lines, values in zip(programs, indices, scores, strict=True):
        labels = line_labels(program, target)
        scored.append(ScoredProgram(program.task_id, [labels[line] for line in lines], values))
    return make_report(scored, target)


def make_examples(model: ProcessRewardModel, programs: Sequence[LabeledProgram], config: TrainConfig) -> list[Example]:
    """Encode programs, each followed by its witness if witnesses are learned from.

    Args:
        model: The model to train.
        programs: Labeled programs to encode.
        config: Settings of the training.
    """
    if config.target == "values":
        return [Example(*row) for program in programs for row in value_labels.encode_completions(model, program)]
    use_witnesses = config.witnesses and config.target == "hard"
    pairs = [(program, program.from_witness if use_witnesses else None) for program in programs]
    made = [make_example(model, program, config) for pair in pairs for program in pair if program is not None]
    return [example for example in made if example is not None]


def make_example(model: ProcessRewardModel, program: LabeledProgram, config: TrainConfig) -> Example | None:
    """Encode a program with its targets; None if no line of it can be learned from.

    Args:
        model: The model to train.
        program: A labeled program.
        config: Settings of the training, with a target other than "values".
    """
    assert config.target != "values"
    encoded = model.encoder.encode(program.prompt, program.lines)
    code = {*code_line_indices(program.completion)}
    targets = {
        end: label
        for index, (end, label) in enumerate(zip(encoded.ends, line_labels(program, config.target), strict=True))
        if end is not None and (config.neutral_lines or index in code)
    }
    return Example(EncodedProgram(encoded.ids, list(targets)), list(targets.values())) if targets else None


def mean_loss(z: Tensor, targets: Tensor, loss: Loss) -> Tensor:
    """Return the mean loss over lines.

    Args:
        z: Outputs of the head, [N].
        targets: Labels in [-1, 1], [N].
        loss: Kind of loss.
    """
    if loss == "mse":
        return functional.mse_loss(z.tanh(), targets)
    return functional.binary_cross_entropy_with_logits(2 * z, (targets + 1) / 2)


def learning_rate_factor(step: int, num_steps: int) -> float:
    """Return the factor of the learning rate: up over the first tenth of the updates, then down to .001.

    Args:
        step: Number of updates before this one.
        num_steps: Number of updates of the training.
    """
    share = (step + 1) / num_steps
    return min(share / 0.1, (1 - share) / 0.9 + 1e-3, 1.0)


class _Training:
    """Optimizer, schedule and checkpoint of a training."""

    def __init__(
        self, model: ProcessRewardModel, examples: Sequence[Example], config: TrainConfig, checkpoint: Path | None
    ) -> None:
        self.model, self.examples, self.config, self.checkpoint = model, examples, config, checkpoint
        self.optimizer = torch.optim.AdamW(
            model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        num_steps = config.epochs * -(-len(examples) // config.batch_size)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: learning_rate_factor(step, num_steps)
        )
        settings = repr((asdict(config), [(example.row, example.targets) for example in examples]))
        self.key = hashlib.blake2b(settings.encode(), digest_size=16).hexdigest()
        """Digest of settings and examples; a checkpoint of another key is refused."""
        self.history: list[dict[str, float]] = []

    def run(
        self, held_out: Sequence[LabeledProgram], on_epoch: Callable[[dict[str, float]], object]
    ) -> list[dict[str, float]]:
        """Train for all epochs that are left."""
        self._resume()
        for epoch in range(len(self.history), self.config.epochs):
            with torch.random.fork_rng():  # dropout draws from the global generator, if the trunk has any
                torch.manual_seed(self.config.seed * 1_000 + epoch)
                loss = self._epoch(epoch)
            report = evaluate_prm(self.model, held_out, self.config.target)
            self.history.append({"epoch": epoch + 1, "loss": loss, "balanced_accuracy": report.balanced_accuracy})
            if self.checkpoint is not None:
                save_checkpoint(self.checkpoint, self._parts, {"key": self.key, "history": self.history})
            on_epoch(self.history[-1])
        self.model.eval()
        return self.history

    @property
    def _parts(self) -> dict[str, Any]:
        return {"model": self.model, "optimizer": self.optimizer, "schedule": self.schedule}

    def _resume(self) -> None:
        position = self.checkpoint and load_checkpoint(self.checkpoint, self._parts, self.key)
        if position:
            self.history = position["history"]

    def _epoch(self, epoch: int) -> float:
        self.model.train()
        losses = [self._update(batch) for batch in self._batches(epoch)]
        return sum(losses) / len(losses)

    def _update(self, batch: Sequence[Example]) -> float:
        z = self.model.outputs([example.row for example in batch])
        targets = torch.tensor([target for example in batch for target in example.targets], device=z.device)
        loss = mean_loss(z, targets, self.config.loss)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.config.max_grad_norm)
        self.optimizer.step()
        self.schedule.step()
        return loss.item()

    def _batches(self, epoch: int) -> Iterator[Sequence[Example]]:
        rng = random.Random(f"{self.config.seed} {epoch}")
        order = rng.sample(range(len(self.examples)), len(self.examples))
        lengths = [len(example.row.ids) for example in self.examples]
        batches = bucket_by_length(order, lengths, self.config.batch_size, _POOL_SIZE)
        rng.shuffle(batches)
        yield from ([self.examples[index] for index in batch] for batch in batches)
