"""Training of a process reward model on labeled programs, and its report on tasks that were held out.

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

from codegym.scorers.labels.files import split_by_task, summarize_labels
from codegym.scorers.labels.labels import LabeledProgram, code_line_indices, line_labels, select
from codegym.scorers.prm import value_labels
from codegym.scorers.prm.config import Loss, Target, TrainConfig
from codegym.scorers.prm.model import EncodedProgram, ProcessRewardModel
from codegym.scorers.prm.report import Report, ScoredProgram, make_report

_POOL = 8  # batches whose rows are sorted by length together, which saves padding


@dataclass
class Example:
    """A program as the model reads it, with a target for each position that is looked at."""

    row: EncodedProgram
    targets: list[float]


def train(
    model: ProcessRewardModel,
    programs: Sequence[LabeledProgram],
    config: TrainConfig = TrainConfig(),  # noqa: B008 - a frozen record
    *,
    about: dict[str, Any] | None = None,
    checkpoint: Path | None = None,
    on_epoch: Callable[[dict[str, float]], object] = lambda _: None,
) -> Report:
    """Train a model in place; its card then tells of labels, training and report.

    The same arguments give the same weights on the same machine, interrupted or not.

    Args:
        model: the model.
        programs: labeled programs; some of their tasks are held out.
        config: how.
        about: what the card says of the labels.
        checkpoint: file that is written after each epoch, and gone on from where it is there.
        on_epoch: is called with epoch, loss and held-out balanced accuracy.

    Raises:
        PRMQualityError: the gate is shut; the model is trained nonetheless.
        ValueError: nothing to learn from, nothing held out, or the checkpoint is of another run.
    """
    chosen, held_out = _divide(programs, config)
    examples = make_examples(model, chosen, config)
    if not examples or not held_out:
        counts = f"{len(examples)} programs to learn from (selection {config.selection!r}), {len(held_out)} held out"
        raise ValueError(f"{counts}, of {len(programs)}: label programs of more tasks")
    history = _Run(model, examples, config, checkpoint).go(held_out, on_epoch)
    report = evaluate(model, held_out, config.target)
    model.card = {
        "labels": about or {},
        "training": _summarize_training(config, chosen, held_out),
        "history": history,
        "report": report.as_dict(),
    }
    if config.on_useless == "raise":
        report.check_quality()
    elif not report.is_useful:
        warnings.warn(f"no better than guessing: balanced accuracy {report.balanced_accuracy:.3f}", stacklevel=2)
    return report


def _summarize_training(
    config: TrainConfig, learned: Sequence[LabeledProgram], held_out: Sequence[LabeledProgram]
) -> dict[str, Any]:
    return {
        "config": asdict(config),
        "learned": summarize_labels(learned),
        "held_out": summarize_labels(held_out),
    }


def _divide(
    programs: Sequence[LabeledProgram], config: TrainConfig
) -> tuple[list[LabeledProgram], list[LabeledProgram]]:
    """What is learned from, and what the report is made on; what is lost from its first line on has a value too."""
    learned, held_out = split_by_task(programs, config.holdout_fraction)
    if config.target == "values":
        return learned, held_out
    return select(learned, config.selection), select(held_out, "remove_hard")


def evaluate(model: ProcessRewardModel, programs: Sequence[LabeledProgram], target: Target = "hard") -> Report:
    """Compare the model's scores with labels, on all lines that are not neutral."""
    if target == "values":
        return make_report(value_labels.score_completions(model, programs), target)
    wanted = [code_line_indices(program.completion) for program in programs]
    scores = model.score_lines([(p.prompt, p.lines, lines) for p, lines in zip(programs, wanted, strict=True)])
    scored = []
    for program, lines, values in zip(programs, wanted, scores, strict=True):
        truth = line_labels(program, target)
        scored.append(ScoredProgram(program.task_id, [truth[line] for line in lines], values))
    return make_report(scored, target)


def make_examples(model: ProcessRewardModel, programs: Sequence[LabeledProgram], config: TrainConfig) -> list[Example]:
    """Encode programs, each with its witness after it where that is learned from."""
    if config.target == "values":
        return [Example(*row) for program in programs for row in value_labels.encode_completions(model, program)]
    use_witnesses = config.witnesses and config.target == "hard"
    pairs = [(program, program.from_witness if use_witnesses else None) for program in programs]
    made = [make_example(model, program, config) for pair in pairs for program in pair if program is not None]
    return [example for example in made if example is not None]


def make_example(model: ProcessRewardModel, program: LabeledProgram, config: TrainConfig) -> Example | None:
    """Encode a program with its targets, None where no line of it can be learned from."""
    assert config.target != "values"
    encoded = model.encoder.encode(program.prompt, program.lines)
    scored = {*code_line_indices(program.completion)}
    targets = {
        end: label
        for index, (end, label) in enumerate(zip(encoded.ends, line_labels(program, config.target), strict=True))
        if end is not None and (config.neutral_lines or index in scored)
    }
    return Example(EncodedProgram(encoded.ids, list(targets)), list(targets.values())) if targets else None


def loss_of(z: Tensor, targets: Tensor, loss: Loss) -> Tensor:
    """Mean loss over lines; ``z`` and ``targets`` in [-1, 1] are [N]."""
    if loss == "mse":
        return functional.mse_loss(z.tanh(), targets)
    return functional.binary_cross_entropy_with_logits(2 * z, (targets + 1) / 2)


class _Run:
    """Optimiser, schedule and checkpoint of a training."""

    def __init__(
        self, model: ProcessRewardModel, examples: Sequence[Example], config: TrainConfig, checkpoint: Path | None
    ) -> None:
        self.model, self.examples, self.config, self.checkpoint = model, examples, config, checkpoint
        self.optimizer = torch.optim.AdamW(
            model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.total = config.epochs * -(-len(examples) // config.batch_size)
        self.step = 0
        examined = repr((asdict(config), [(example.row, example.targets) for example in examples]))
        self.key = hashlib.blake2b(examined.encode(), digest_size=16).hexdigest()
        """What a checkpoint must have been made with."""
        self.history: list[dict[str, float]] = []

    def go(
        self, held_out: Sequence[LabeledProgram], on_epoch: Callable[[dict[str, float]], object]
    ) -> list[dict[str, float]]:
        """Train for all epochs that are left."""
        self._resume()
        for epoch in range(len(self.history), self.config.epochs):
            with torch.random.fork_rng():  # of dropout, where the trunk has any
                torch.manual_seed(self.config.seed * 1_000 + epoch)
                loss = self._epoch(epoch)
            report = evaluate(self.model, held_out, self.config.target)
            self.history.append({"epoch": epoch + 1, "loss": loss, "balanced_accuracy": report.balanced_accuracy})
            self._save()
            on_epoch(self.history[-1])
        self.model.eval()
        return self.history

    def _epoch(self, epoch: int) -> float:
        self.model.train()
        losses = [self._update(batch) for batch in self._batches(epoch)]
        return sum(losses) / len(losses)

    def _update(self, batch: Sequence[Example]) -> float:
        self.step += 1
        share = self.step / self.total
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.learning_rate * min(share / 0.1, (1 - share) / 0.9 + 1e-3, 1.0)
        z = self.model.outputs([example.row for example in batch])
        targets = torch.tensor([target for example in batch for target in example.targets], device=z.device)
        loss = loss_of(z, targets, self.config.loss)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.model.parameters(), self.config.max_grad_norm)
        self.optimizer.step()
        return loss.item()

    def _batches(self, epoch: int) -> Iterator[Sequence[Example]]:
        rng, size = random.Random(f"{self.config.seed} {epoch}"), self.config.batch_size
        order = rng.sample(self.examples, len(self.examples))
        found: list[Sequence[Example]] = []
        for start in range(0, len(order), size * _POOL):
            pool = sorted(order[start : start + size * _POOL], key=lambda example: len(example.row.ids))
            found += [pool[first : first + size] for first in range(0, len(pool), size)]
        rng.shuffle(found)
        yield from found

    def _save(self) -> None:
        if self.checkpoint is None:
            return
        state = {"key": self.key, "history": self.history, "step": self.step}
        state |= {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        part = self.checkpoint.with_name(self.checkpoint.name + ".part")
        self.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        torch.save(state, part)
        part.replace(self.checkpoint)

    def _resume(self) -> None:
        if self.checkpoint is None or not self.checkpoint.exists():
            return
        state = torch.load(self.checkpoint, weights_only=True)
        if state["key"] != self.key:
            raise ValueError(f"{self.checkpoint} is of a run with other settings or labels: give another folder")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.history, self.step = state["history"], state["step"]
