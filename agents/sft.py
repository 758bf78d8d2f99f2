"""Supervised fine-tuning (SFT): a policy that writes programs of a family, with the bugs that it was shown.

    python -m agents.sft --family pipelines --horizon 1 8

Draws tasks of a procedural family, injects bugs into their solutions line by line
(``codegym.tasks.procedural.inject_bugs``), and trains a causal model on the completions by maximum likelihood. The
resulting policy knows the language and often fails, so that reinforcement learning has something to improve. It is
kept under a hash of the configuration, so the same policy is trained once. An interrupted run resumes from its last
checkpoint and ends with the same weights.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import tyro
from rich.console import Console
from rich.progress import Progress, TextColumn

from agents.common.evaluate import pass_rates, show
from agents.common.sft_batches import Example, batches, completion_loss, to_example
from agents.generation.generate import Sampling
from agents.policies.causal import LoraConfig, Policy, TinyConfig, make_tiny
from agents.seeding import numpy_generator, torch_generator
from codegym.cli import errors_as_sentences
from codegym.sampling import derive_seed, load_checkpoint, save_checkpoint
from codegym.tasks import TaskSource
from codegym.tasks.procedural import FAMILIES, Procedural, inject_bugs, vocabulary

_VERSION = 1
"""Version of the training procedure; cached results of another version are not used."""
CHECKPOINT_EVERY = 200
"""Number of updates between checkpoints."""
CACHE = Path("runs/cache")
"""Folder of trained policies."""


@dataclass(frozen=True)
class SFTConfig:
    """Configuration of supervised training; all of it is in the hash.

    Raises:
        ValueError: ``lora`` is set without ``policy``.
    """

    family: str = "pipelines"
    """Name of a procedural family (``codegym.tasks.procedural.FAMILIES``)."""
    horizon: tuple[int, int] = (1, 8)
    """Lowest and highest horizon (lines of a solution) of the tasks."""
    difficulty: float = 0.0
    """Difficulty from 0 to 1: share of the tasks that is easily solved wrongly."""
    rate: float = 1.0
    """Factor of the family's bug rates. 0 shows correct programs only."""
    num_programs: int = 16_000
    """Number of different programs."""
    num_epochs: int = 4
    """Passes over the programs."""
    batch_size: int = 64
    """Programs per update."""
    learning_rate: float = 3e-3
    """Learning rate of AdamW, after ``warmup_steps``."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """Schedule of the learning rate: "cosine" lowers it to a tenth, "constant" does not."""
    warmup_steps: int = 50
    """Number of first updates, in which the learning rate rises linearly from 0."""
    max_grad_norm: float = 1.0
    """Largest norm of a gradient. Larger gradients are scaled down to it."""
    tiny: TinyConfig = TinyConfig()  # noqa: RUF009 - a frozen record
    """Size of the policy from scratch."""
    policy: str | None = None
    """Folder or Hub id of a causal model to start from instead."""
    lora: LoraConfig | None = None
    """LoRA: train small matrices beside the weights of ``policy`` instead of the weights."""
    seed: int = 0
    """Seed of tasks, bugs, weights and order."""

    def __post_init__(self) -> None:
        if self.lora is not None and self.policy is None:
            raise ValueError(
                "lora needs a policy to start from: got policy=None; expected a folder or Hub id. A tiny policy from "
                "scratch is trained without LoRA"
            )

    @property
    def key(self) -> str:
        """Hash of the configuration."""
        content = json.dumps([_VERSION, asdict(self)], sort_keys=True)
        return hashlib.blake2b(content.encode(), digest_size=8).hexdigest()


def make_family(config: SFTConfig, split: Literal["train", "test"] = "train", horizon: int | None = None) -> TaskSource:
    """Make the family that the configuration names, or its tasks of one horizon.

    Args:
        config: Configuration of supervised training.
        split: Split of the family.
        horizon: The only horizon of the tasks; by default those of the configuration.

    Raises:
        ValueError: There is no such family.
    """
    low_high = (horizon, horizon) if horizon is not None else config.horizon
    kind: Any = FAMILIES.get_plugin(config.family)
    family: TaskSource = kind(horizon=low_high, split=split, difficulty=config.difficulty)
    return family


def new_policy(config: SFTConfig) -> Policy:
    """Make the policy to train: that of ``config``, or one from scratch with a token for each word of the family."""
    if config.policy is not None:
        return Policy.load(config.policy, config.lora, config.seed)
    family = make_family(config)
    tokenizer = vocabulary(family) if isinstance(family, Procedural) else "bytes"
    return make_tiny(tokenizer, config.tiny, derive_seed(config.seed, "weights"))


def draw_examples(config: SFTConfig, policy: Policy) -> list[Example]:
    """Draw tasks and make a program with bugs for each.

    Args:
        config: Configuration of supervised training.
        policy: Policy whose tokenizer is used.
    """
    rng = numpy_generator(config.seed, "programs")
    family = make_family(config)
    tasks = [family.draw(rng) for _ in range(config.num_programs)]
    programs = [inject_bugs(task, rng, config.rate) if config.rate else str(task.solution) for task in tasks]
    return [to_example(policy, task.prompt, program) for task, program in zip(tasks, programs, strict=True)]


def learning_rate(config: SFTConfig, step: int, num_steps: int) -> float:
    """Return the learning rate of an update.

    Args:
        config: Configuration of supervised training.
        step: Number of the update, from 0.
        num_steps: Number of all updates.
    """
    warm = min(1.0, (step + 1) / max(1, config.warmup_steps))
    if config.schedule == "constant":
        return config.learning_rate * warm
    cosine = 0.5 * (1 + float(torch.tensor(torch.pi * step / num_steps).cos()))
    return config.learning_rate * warm * (0.1 + 0.9 * cosine)


class Fit:
    """Resumable training of a policy on examples, without dropout.

    Args:
        policy: Policy to train.
        config: Configuration of supervised training.
        examples: Token sequences to learn from.
    """

    def __init__(self, policy: Policy, config: SFTConfig, examples: Sequence[Example]) -> None:
        self.policy, self.config, self.examples = policy, config, examples
        self.weights = [weight for weight in policy.model.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.AdamW(self.weights, lr=config.learning_rate, weight_decay=0.0)
        self.step = 0
        self.steps_per_epoch = -(-len(examples) // config.batch_size)
        self.num_steps = config.num_epochs * self.steps_per_epoch

    def run(self) -> Iterator[float]:
        """Train to the end and yield the loss of each update."""
        while self.step < self.num_steps:
            epoch, done = divmod(self.step, self.steps_per_epoch)
            order = torch_generator(self.config.seed, "order", epoch)
            for batch in [*batches(self.examples, self.config.batch_size, order)][done:]:
                yield self._update(batch)

    def _update(self, batch: list[Example]) -> float:
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.config, self.step, self.num_steps)
        loss = completion_loss(self.policy.model, batch)
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.weights, self.config.max_grad_norm)
        self.optimizer.step()
        self.step += 1
        return float(loss.detach())

    def save(self, file: Path) -> None:
        """Write a checkpoint to ``file``; an interruption leaves the previous one."""
        save_checkpoint(file, self._parts, {"step": self.step})

    def load(self, file: Path) -> None:
        """Resume from the checkpoint in ``file``, if there is one."""
        if position := load_checkpoint(file, self._parts):
            self.step = position["step"]

    @property
    def _parts(self) -> dict[str, Any]:
        return {"model": self.policy.model, "optimizer": self.optimizer}


def train(config: SFTConfig, cache: Path = CACHE, console: Console | None = None) -> Path:
    """Return the folder of the policy of this configuration, which is trained now or was trained before.

    Args:
        config: Configuration of supervised training.
        cache: Folder of trained policies.
        console: Console that shows progress; by default nothing is shown.
    """
    folder = cache / f"supervised-{config.key}"
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    policy = new_policy(config)
    checkpoint = folder.with_suffix(".checkpoint")
    fit = Fit(policy, config, draw_examples(config, policy))
    fit.load(checkpoint)
    run_with_progress(fit, checkpoint, console or Console(quiet=True))
    partial = folder.with_suffix(f".{os.getpid()}.partial")
    policy.save(partial)
    (partial / "settings.json").write_text(json.dumps(asdict(config), indent=1), encoding="utf-8")
    if folder.is_dir():  # another process has finished it meanwhile
        shutil.rmtree(partial)
    else:
        partial.rename(folder)
    checkpoint.unlink(missing_ok=True)
    return folder


def default_policy(tasks: str) -> Path:
    """Return the folder of a tiny policy for a procedural family, trained now or before.

    Args:
        tasks: Name of the family.

    Raises:
        ValueError: ``tasks`` is not a procedural family, so there are no solutions to learn from.
    """
    family = FAMILIES[tasks]() if tasks in FAMILIES else None
    if not isinstance(family, Procedural):
        raise ValueError(
            f"a policy is needed: got policy=None with tasks={tasks!r}; expected the folder or Hub id of a causal "
            f"model. A tiny policy is trained only for a procedural family ({', '.join(FAMILIES)})"
        )
    config = SFTConfig(tasks, family.span, num_programs=8_000, num_epochs=4, learning_rate=4e-3, warmup_steps=20)
    return train(config, console=Console())


def run_with_progress(fit: Fit, checkpoint: Path, console: Console) -> None:
    """Train to the end, showing progress and saving checkpoints.

    Args:
        fit: Training to run.
        checkpoint: Path of the checkpoint.
        console: Console that shows progress.
    """
    columns = (*Progress.get_default_columns(), TextColumn("loss {task.fields[loss]:.3f}"))
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("supervised training", total=fit.num_steps, completed=fit.step, loss=0.0)
        for loss in fit.run():
            progress.update(bar, completed=fit.step, loss=loss)
            if fit.step % CHECKPOINT_EVERY == 0:
                fit.save(checkpoint)


def main(
    config: Annotated[SFTConfig, tyro.conf.arg(name="")],
    cache: Path = CACHE,
    sandbox: str = "auto",
    eval_programs: int = 128,
    max_tokens: int = 128,
    num_threads: int = 1,
) -> None:
    """Train the policy unless it exists, then measure its pass rates.

    Args:
        config: Configuration of supervised training.
        cache: Folder of trained policies.
        sandbox: Sandbox in which programs run: auto, docker, process, or fake (runs nothing).
        eval_programs: Programs sampled per horizon. 0: nothing is measured.
        max_tokens: Token budget of a sampled program.
        num_threads: Threads of PyTorch; small models are fastest with one.
    """
    torch.set_num_threads(num_threads)
    console = Console()
    folder = train(config, cache, console)
    console.print(f"policy: {folder}")
    if eval_programs:
        low, high = config.horizon
        sources = {horizon: make_family(config, "test", horizon) for horizon in range(low, high + 1)}
        sampling = Sampling(max_tokens=max_tokens)
        show(pass_rates(Policy.load(folder), sources, sampling, eval_programs, sandbox, config.seed), console)


if __name__ == "__main__":
    with errors_as_sentences("agents.sft"):
        tyro.cli(main, description=__doc__)
