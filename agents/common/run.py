"""One training run: environments, policy, folder, log, checkpoints; what every agent does alike.

A run is a function of its configuration: tasks, tokens and minibatches of an iteration are drawn from generators that
are seeded by the run's seed and the number of the iteration. So a run that was interrupted goes on from its last
checkpoint and ends with the same bits.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import gymnasium as gym
import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from agents.common.generation import Sampling
from agents.common.policy import Policy
from agents.common.rollout import Rollout, collect, log_probs_of
from agents.common.seeding import derive, torch_generator
from codegym.vector import CodeVectorEnv


@dataclass(frozen=True)
class RunConfig:
    """What all agents are told."""

    policy: Path
    """Folder of the policy to start from."""
    out: Path
    """Folder of the run; one that holds the same run goes on."""
    tasks: str = "arithmetic"
    """Name of a procedural family or of a data set."""
    path: Path | None = None
    """File of the data set."""
    reward: str = "outcome"
    """Terms of the reward, such as "outcome + 0.5*process"."""
    line_scorer: str | None = None
    """"fake" or None; a process reward model is handed over as ``train(config, line_scorer=...)``."""
    sandbox: str = "auto"
    """Where programs run."""
    iterations: int = 30
    """Updates of the policy, each on programs of its own."""
    programs: int = 256
    """Programs an iteration."""
    max_tokens: int = 128
    """Token budget of a program."""
    max_prompt_tokens: int = 128
    """Room for the prompt."""
    temperature: float = 1.0
    """Of the sampling."""
    missing_end_penalty: float = 0.0
    """Taken from a program that its budget ended."""
    learning_rate: float = 3e-4
    """Of the policy."""
    minibatch: int = 64
    """Programs a gradient step."""
    max_grad_norm: float = 1.0
    """Gradients are scaled down to this norm."""
    seed: int = 0
    """Of tasks, tokens and minibatches."""
    checkpoint_every: int = 5
    """Iterations from one checkpoint to the next."""

    def __post_init__(self) -> None:
        for name in ("iterations", "programs", "minibatch", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")


class Run:
    """An open run; use it as a context.

    Args:
        config: of the agent.
        line_scorer: a process reward model, instead of the name in ``config``.
        tasks: a task source, instead of the name in ``config``.
    """

    def __init__(self, config: RunConfig, *, line_scorer: Any = None, tasks: Any = None) -> None:
        self.config = config
        self.folder = config.out
        self.folder.mkdir(parents=True, exist_ok=True)
        self._claim()
        self.policy = Policy.load(config.policy)
        self.model = self.policy.model
        self.allowed = None if bool(self.policy.allowed.all()) else self.policy.allowed
        self.sampling = Sampling(config.max_tokens, config.temperature)
        self.envs = self._make_envs(line_scorer, tasks)
        self._kept: dict[str, Any] = {"policy": self.model}
        self._first = 0
        self._done = 0
        self._writer: SummaryWriter | None = None

    def _claim(self) -> None:
        """The folder belongs to one configuration, apart from how long to train."""
        wanted = json.loads(json.dumps(asdict(self.config), default=str))
        file = self.folder / "config.json"
        if file.exists():
            known = json.loads(file.read_text("utf-8"))
            changed = [key for key in wanted if key != "iterations" and known.get(key) != wanted[key]]
            if changed:
                raise ValueError(
                    f"{self.folder} holds another run ({changed[0]} was {known.get(changed[0])!r}, now "
                    f"{wanted[changed[0]]!r}): choose another folder, or remove it"
                )
        file.write_text(json.dumps(wanted, indent=1) + "\n", encoding="utf-8")

    def _make_envs(self, line_scorer: Any, tasks: Any) -> CodeVectorEnv:
        config = self.config
        envs = gym.make_vec(
            "codegym/Token-v0",
            num_envs=config.programs,
            tasks=config.tasks if tasks is None else tasks,
            path=config.path,
            tokenizer=self.policy.tokenizer,
            reward=config.reward,
            line_scorer=config.line_scorer if line_scorer is None else line_scorer,
            sandbox=config.sandbox,
            max_tokens=config.max_tokens,
            max_prompt_tokens=config.max_prompt_tokens,
            mask=None,
            copy=False,
        )
        assert isinstance(envs, CodeVectorEnv)
        return envs

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.envs.close()
        if self._writer is not None:
            self._writer.close()

    def keep(self, **parts: Any) -> None:
        """Have modules and optimisers in the checkpoints, and set them to the last one where there is one."""
        self._kept |= parts
        file = self.folder / "checkpoint.pt"
        if not file.exists():
            return
        state = torch.load(file, weights_only=True)
        for name, part in self._kept.items():
            part.load_state_dict(state[name])
        self._first = self._done = state["iteration"]

    def iterations(self) -> Iterator[int]:
        """The iterations that are left, with a progress bar; a checkpoint now and then, and at the end."""
        self._open_log()
        columns = (TextColumn(self.folder.name), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, TextColumn("{task.fields[said]}"), transient=True) as self._progress:
            self._bar = self._progress.add_task("", total=self.config.iterations, completed=self._first, said="")
            for iteration in range(self._first, self.config.iterations):
                yield iteration
                self._done = iteration + 1
                self._progress.advance(self._bar)
                if self._done % self.config.checkpoint_every == 0 or self._done == self.config.iterations:
                    self._save()
        self.policy.save(self.folder / "policy")

    def _open_log(self) -> None:
        """Go on with the log from the iteration where training goes on."""
        file = self.folder / "metrics.jsonl"
        lines = file.read_text("utf-8").splitlines(keepends=True) if file.exists() else []
        file.write_text("".join(line for line in lines if json.loads(line)["iteration"] < self._first), "utf-8")
        self._writer = SummaryWriter(str(self.folder / "tensorboard"), purge_step=self._first)

    def _save(self) -> None:
        state = {name: part.state_dict() for name, part in self._kept.items()} | {"iteration": self._done}
        file = self.folder / "checkpoint.pt"
        torch.save(state, file.with_suffix(".tmp"))
        os.replace(file.with_suffix(".tmp"), file)

    def generator(self, iteration: int, purpose: str) -> torch.Generator:
        """A generator that depends on the run's seed, the iteration and what it is for."""
        return torch_generator(self.config.seed, purpose, iteration)

    def collect(self, iteration: int, group_size: int = 1, *, greedy: bool = False) -> Rollout:
        """Write the programs of an iteration; ``group_size`` of them answer each prompt, sampled or the likeliest."""
        count = self.config.programs
        if count % group_size:
            raise ValueError(f"programs={count} is not a multiple of the group size {group_size}")
        seeds = [derive(self.config.seed, "task", iteration, group) for group in range(count // group_size)]
        return collect(
            self.envs,
            self.model,
            replace(self.sampling, greedy=greedy),
            [seed for seed in seeds for _ in range(group_size)],
            self.generator(iteration, "tokens"),
            allowed=self.allowed,
            missing_end_penalty=self.config.missing_end_penalty,
        )

    def log_probs(self, rollout: Rollout, model: nn.Module | None = None) -> tuple[Tensor, Tensor]:
        """Log-probability of each chosen token under the policy (or ``model``), and entropy there, both [B, T]."""
        temperature = self.config.temperature
        return log_probs_of(model or self.model, rollout.tokens, rollout.mask, temperature, self.allowed)

    @torch.no_grad()
    def reference_log_probs(self, rollout: Rollout, reference: nn.Module) -> Tensor:
        """Log-probability of each chosen token under a policy that does not learn, [B, T]."""
        rows = torch.arange(len(rollout.tokens)).split(self.config.minibatch)
        return torch.cat([self.log_probs(rollout.select(part), reference)[0] for part in rows])

    def minibatches(self, iteration: int, epoch: int, count: int) -> Iterator[Tensor]:
        """Indices of programs, shuffled, in minibatches."""
        order = torch.randperm(count, generator=self.generator(iteration, f"order {epoch}"))
        yield from order.split(self.config.minibatch)

    def log(self, iteration: int, rollout: Rollout, numbers: Mapping[str, float]) -> None:
        """Write what an iteration came to, to ``metrics.jsonl`` and TensorBoard."""
        row = {
            "iteration": iteration,
            "programs": (iteration + 1) * self.config.programs,
            "pass_rate": float(rollout.passed.float().mean()),
            "reward": float(rollout.scores.mean()),
            "finished": float(rollout.finished.float().mean()),
            "tokens": float(rollout.mask.sum(1).float().mean()),
            "invalid": rollout.num_invalid,
            **numbers,
        }
        with (self.folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        assert self._writer is not None
        for name, value in row.items():
            self._writer.add_scalar(name, value, iteration)
        self._progress.update(self._bar, said=f"pass rate {row['pass_rate']:.3f}, reward {row['reward']:.3f}")

    def metrics(self) -> list[dict[str, float]]:
        """All rows of the log so far."""
        return [json.loads(line) for line in (self.folder / "metrics.jsonl").read_text("utf-8").splitlines()]
