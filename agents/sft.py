"""Supervised start: a policy that writes programs of a family, with the mistakes that it was shown.

    python -m agents.sft --family pipelines --horizon 1 8

Draws tasks of a procedural family, spoils their solutions line by line
(``codegym.tasks.procedural.inject_bugs``), and trains a causal model on the completions by maximum likelihood.
What comes out knows the language and fails often: a start from which
reinforcement learning has something to do. The result is kept under a hash of the settings, so the same start is
trained once; an interrupted run goes on where its last checkpoint stands and ends in the same weights.
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
from codegym.sampling import derive_seed
from codegym.tasks.procedural import FAMILIES, Procedural, inject_bugs, vocabulary
from codegym.tasks.source import TaskSource

_VERSION = 1
"""Of what this file does with its settings: cached results of another version are not found."""
CHECKPOINT_EVERY = 200
"""Updates."""


@dataclass(frozen=True)
class Config:
    """Settings of the start; all of them are in the hash."""

    family: str = "pipelines"
    """Name in ``codegym.tasks.procedural.FAMILIES``."""
    horizon: tuple[int, int] = (1, 8)
    """Shortest and longest tasks to learn from."""
    difficulty: float = 0.0
    """0 to 1: how much of the tasks is what goes wrong easily."""
    rate: float = 1.0
    """What the family's bug rates are multiplied by; 0 shows right programs only."""
    num_programs: int = 16_000
    """Different programs."""
    num_epochs: int = 4
    """How often each of them is shown."""
    batch_size: int = 64
    """Programs in an update."""
    learning_rate: float = 3e-3
    """Of AdamW, after ``warmup_steps``."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """Whether the learning rate goes down to a tenth."""
    warmup_steps: int = 50
    """Updates in which the learning rate goes up."""
    max_grad_norm: float = 1.0
    """Longer gradients are shortened to it."""
    tiny: TinyConfig = TinyConfig()  # noqa: RUF009 - a frozen record
    """Size of the policy from scratch."""
    policy: str | None = None
    """Folder or Hub id of a causal model to start from instead."""
    lora: LoraConfig | None = None
    """Train matrices beside the weights of ``policy`` instead of the weights."""
    seed: int = 0
    """Of tasks, mistakes, weights and order."""

    def __post_init__(self) -> None:
        if self.lora is not None and self.policy is None:
            raise ValueError("lora needs a policy to start from: a tiny policy from scratch is trained whole")

    @property
    def key(self) -> str:
        """Hash of the settings."""
        content = json.dumps([_VERSION, asdict(self)], sort_keys=True)
        return hashlib.blake2b(content.encode(), digest_size=8).hexdigest()


def make_family(config: Config, split: Literal["train", "test"] = "train", horizon: int | None = None) -> TaskSource:
    """Make the family that the settings name, or its tasks of one horizon."""
    low_high = (horizon, horizon) if horizon is not None else config.horizon
    kind: Any = FAMILIES.get_plugin(config.family)
    family: TaskSource = kind(horizon=low_high, split=split, difficulty=config.difficulty)
    return family


def new_policy(config: Config) -> Policy:
    """Make the policy that is trained: from scratch with the words of the family, or a given one."""
    if config.policy is not None:
        return Policy.load(config.policy, config.lora, config.seed)
    family = make_family(config)
    tokenizer = vocabulary(family) if isinstance(family, Procedural) else "bytes"
    return make_tiny(tokenizer, config.tiny, derive_seed(config.seed, "weights"))


def draw_examples(config: Config, policy: Policy) -> list[Example]:
    """Draw tasks and write a program with mistakes for each."""
    rng = numpy_generator(config.seed, "programs")
    family = make_family(config)
    tasks = [family.draw(rng) for _ in range(config.num_programs)]
    programs = [inject_bugs(task, rng, config.rate) if config.rate else str(task.solution) for task in tasks]
    return [to_example(policy, task.prompt, program) for task, program in zip(tasks, programs, strict=True)]


def learning_rate(config: Config, step: int, num_steps: int) -> float:
    """Learning rate of an update, from 0."""
    warm = min(1.0, (step + 1) / max(1, config.warmup_steps))
    if config.schedule == "constant":
        return config.learning_rate * warm
    cosine = 0.5 * (1 + float(torch.tensor(torch.pi * step / num_steps).cos()))
    return config.learning_rate * warm * (0.1 + 0.9 * cosine)


class Fit:
    """Training of a policy on examples, which can be stopped and taken up again. Dropout is off."""

    def __init__(self, policy: Policy, config: Config, examples: Sequence[Example]) -> None:
        self.policy, self.config, self.examples = policy, config, examples
        self.weights = [weight for weight in policy.model.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.AdamW(self.weights, lr=config.learning_rate, weight_decay=0.0)
        self.step = 0
        self.steps_per_epoch = -(-len(examples) // config.batch_size)
        self.num_steps = config.num_epochs * self.steps_per_epoch

    def run(self) -> Iterator[float]:
        """Train to the end; gives the loss after each update."""
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
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.weights, self.config.max_grad_norm)
        self.optimizer.step()
        self.step += 1
        return float(loss.detach())

    def save(self, file: Path) -> None:
        """Write a checkpoint; an interruption leaves the one before."""
        state = {"step": self.step, "model": self.policy.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        torch.save(state, file.with_suffix(".new"))
        os.replace(file.with_suffix(".new"), file)

    def load(self, file: Path) -> None:
        """Go on from a checkpoint."""
        state = torch.load(file, weights_only=True)
        self.policy.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]


def train(config: Config, cache: Path = Path("runs/cache"), console: Console | None = None) -> Path:
    """Give the folder of the policy that these settings make, trained now or found; it is complete or not there."""
    folder = cache / f"supervised-{config.key}"
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    policy = new_policy(config)
    checkpoint = folder.with_suffix(".checkpoint")
    fit = Fit(policy, config, draw_examples(config, policy))
    if checkpoint.is_file():
        fit.load(checkpoint)
    run_with_progress(fit, checkpoint, console or Console(quiet=True))
    partial = folder.with_suffix(f".{os.getpid()}.partial")
    policy.save(partial)
    (partial / "settings.json").write_text(json.dumps(asdict(config), indent=1), encoding="utf-8")
    if folder.is_dir():  # another process was faster
        shutil.rmtree(partial)
    else:
        partial.rename(folder)
    checkpoint.unlink(missing_ok=True)
    return folder


def run_with_progress(fit: Fit, checkpoint: Path, console: Console) -> None:
    """Train to the end, with a bar and a checkpoint now and then."""
    columns = (*Progress.get_default_columns(), TextColumn("loss {task.fields[loss]:.3f}"))
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("supervised start", total=fit.num_steps, completed=fit.step, loss=0.0)
        for loss in fit.run():
            progress.update(bar, completed=fit.step, loss=loss)
            if fit.step % CHECKPOINT_EVERY == 0:
                fit.save(checkpoint)


def main(
    config: Annotated[Config, tyro.conf.arg(name="")],
    cache: Path = Path("runs/cache"),
    sandbox: str = "auto",
    eval_programs: int = 128,
    max_tokens: int = 128,
    num_threads: int = 1,
) -> None:
    """Train or find the start, then measure it.

    Args:
        config: settings of the start.
        cache: where results are kept.
        sandbox: where programs are judged: auto, docker, process, or fake (runs nothing).
        eval_programs: how many are sampled for each horizon; 0 leaves this out.
        max_tokens: budget of a sampled program.
        num_threads: of PyTorch; small models are fastest with one.
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
    tyro.cli(main, description=__doc__)
