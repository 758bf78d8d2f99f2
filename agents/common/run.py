"""One training run: environments, policy, folder, log, checkpoints; what every agent does alike.

A run is a function of its configuration: tasks, tokens and minibatches of an iteration are drawn from generators that
are seeded by the run's seed and the number of the iteration. So a run that was interrupted goes on from its last
checkpoint and ends with the same bits.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from types import TracebackType
from typing import Any, Self

import gymnasium as gym
import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from agents.common.config import RunConfig, check_same_config
from agents.common.evaluate import sample_verdicts
from agents.common.log import Log
from agents.common.rollout import Rollout, collect, log_probs_of
from agents.generation.generate import Sampling
from agents.policies.causal import Policy
from agents.seeding import torch_generator
from codegym.envs.config import EnvConfig
from codegym.envs.vector import CodeVectorEnv
from codegym.errors import SandboxError
from codegym.judge import JudgeLike, make_judge
from codegym.rewards import parse_reward
from codegym.sampling import derive_seed
from codegym.sandbox import Limits
from codegym.step import Step
from codegym.tasks.source import make_task_source


class Run:
    """An open run; use it as a context.

    Args:
        config: of the agent.
        line_scorer: a process reward model, instead of the name in ``config``.
        tasks: a task source, instead of the name in ``config``.
        eval_tasks: a task source for evaluations; None: ``tasks``.
    """

    def __init__(
        self, config: RunConfig, *, line_scorer: Any = None, tasks: Any = None, eval_tasks: Any = None
    ) -> None:
        self.config = config
        self.folder = config.out
        check_same_config(self.folder, config)
        self.policy = Policy.load(config.policy)
        self.model = self.policy.model
        self.allowed = None if bool(self.policy.allowed.all()) else self.policy.allowed
        self.sampling = Sampling(config.max_tokens, config.temperature)
        self.tasks = make_task_source(config.tasks if tasks is None else tasks, config.tasks_path)
        self.eval_tasks = self.tasks if eval_tasks is None else make_task_source(eval_tasks)
        self.judge: Any = make_judge(config.sandbox, Limits())
        scorer = config.line_scorer if line_scorer is None else line_scorer
        self.line_scorer = EnvConfig(line_scorer=scorer).make_line_scorer()
        self.reward = config.reward_at(0)
        """Of the environments, with the weight that shaping has now."""
        self.envs = self.make_envs(self.reward, config.batch_size)
        self._kept: dict[str, Any] = {"policy": self.model}
        self._first = 0
        self._done = 0
        self._saved = 0
        self._log: Log | None = None

    def make_envs(self, reward: str, num_envs: int, judge: JudgeLike | None = None) -> CodeVectorEnv:
        """Environments with the tasks, the judge (or another one) and the sizes of the run; close them after use.

        They have a line scorer only where the reward reads line scores: without need it is not asked.
        """
        config = self.config
        envs = gym.make_vec(
            "codegym/Token-v0",
            num_envs=num_envs,
            tasks=self.tasks,
            tokenizer=self.policy.tokenizer,
            reward=reward,
            line_scorer=self.line_scorer if parse_reward(reward).scores else None,
            sandbox=judge or self.judge,
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
        if isinstance(self.config.sandbox, str) and hasattr(self.judge, "close"):
            self.judge.close()  # a sandbox or judge that was handed over is its owner's
        if self._log is not None:
            self._log.close()

    def register(self, **parts: Any) -> None:
        """Have modules and optimisers in the checkpoints, and set them to the last one where there is one."""
        self._kept |= parts
        file = self.folder / "checkpoint.pt"
        if not file.exists():
            return
        state = torch.load(file, weights_only=True)
        for name, part in self._kept.items():
            part.load_state_dict(state[name])
        self._first = self._done = self._saved = state["iteration"]

    def iterations(self) -> Iterator[int]:
        """The iterations that are left, with a progress bar; a checkpoint now and then, and at the end."""
        self._log = Log(self.folder, self._first, self.config.wandb_project, asdict(self.config))
        columns = (TextColumn(self.folder.name), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, TextColumn("{task.fields[status]}"), transient=True) as self._progress:
            self._bar = self._progress.add_task("", total=self.config.num_iterations, completed=self._first, status="")
            while self._done < self.config.num_iterations and not self._has_arrived():
                yield self._done
                self._done += 1
                self._progress.advance(self._bar)
                if self._done % self.config.checkpoint_every == 0:
                    self._save()
            if self._saved != self._done:
                self._save()
        self.policy.save(self.folder / "policy")

    def _has_arrived(self) -> bool:
        """Whether the last two evaluations were as good as ``stop_at_pass_rate``."""
        if self.config.stop_at_pass_rate is None:
            return False
        last = [row["eval_pass_rate"] for row in self.metrics() if "eval_pass_rate" in row][-2:]
        return len(last) == 2 and sum(last) / 2 >= self.config.stop_at_pass_rate

    def _save(self) -> None:
        state = {name: part.state_dict() for name, part in self._kept.items()} | {"iteration": self._done}
        file = self.folder / "checkpoint.pt"
        torch.save(state, file.with_suffix(".tmp"))
        os.replace(file.with_suffix(".tmp"), file)
        self._saved = self._done

    def generator(self, iteration: int, purpose: str) -> torch.Generator:
        """A generator that depends on the run's seed, the iteration and what it is for."""
        return torch_generator(self.config.seed, purpose, iteration)

    def collect(self, iteration: int, group_size: int = 1, *, greedy: bool = False) -> Rollout:
        """Write the programs of an iteration; ``group_size`` of them answer each prompt, sampled or the likeliest.

        Raises:
            SandboxError: the machine could judge none of the sampled programs.
        """
        count = self.config.batch_size
        if count % group_size:
            raise ValueError(f"programs={count} is not a multiple of the group size {group_size}")
        seeds = [derive_seed(self.config.seed, "task", iteration, group) for group in range(count // group_size)]
        self._set_reward(self.config.reward_at(iteration))
        rollout = collect(
            self.envs,
            self.model,
            replace(self.sampling, greedy=greedy),
            [seed for seed in seeds for _ in range(group_size)],
            self.generator(iteration, "tokens"),
            allowed=self.allowed,
            missing_eos_penalty=self.config.missing_eos_penalty,
            placement=self.config.reward_placement,
        )
        if not len(rollout.tokens) and not greedy:  # for the greedy ones there is a substitute
            raise self._nothing_judged(iteration)
        return rollout

    def _set_reward(self, reward: str) -> None:
        """Have environments with this reward: new ones, since theirs is fixed; tasks, judge and sandbox stay open."""
        if reward != self.reward:
            self.envs.close()
            self.envs, self.reward = self.make_envs(reward, self.config.batch_size), reward

    def _nothing_judged(self, iteration: int) -> SandboxError:
        episode = self.envs.batch.dynamics.episodes[0]
        assert episode is not None
        assert episode.verdict is not None
        return SandboxError(
            f"none of the {self.config.batch_size} programs of iteration {iteration} could be judged (the first one: "
            f"{episode.verdict.exception()}), so there is nothing to learn from. See to the sandbox "
            f"{self.config.sandbox!r}; the same command then goes on from iteration {self._saved} in {self.folder}"
        )

    def last_steps(self, rollout: Rollout) -> list[Step]:
        """Task, lines and verdict of each program of the rollout that was collected last."""
        last = [self.envs.batch.returns[slot].last for slot in rollout.slots.tolist()]
        return [step for step in last if step is not None]

    def log_probs(self, rollout: Rollout, model: nn.Module | None = None) -> tuple[Tensor, Tensor]:
        """Log-probability of each chosen token under the policy (or ``model``), and entropy there, both [B, T]."""
        temperature = self.config.temperature
        return log_probs_of(model or self.model, rollout.tokens, rollout.mask, temperature, self.allowed)

    @torch.no_grad()
    def reference_log_probs(self, rollout: Rollout, reference: nn.Module) -> Tensor:
        """Log-probability of each chosen token under a policy that does not learn, [B, T]."""
        rows = torch.arange(len(rollout.tokens)).split(self.config.minibatch_size)
        return torch.cat([self.log_probs(rollout.select(part), reference)[0] for part in rows])

    def minibatches(self, iteration: int, epoch: int, count: int) -> Iterator[Tensor]:
        """Indices of programs, shuffled, in minibatches."""
        order = torch.randperm(count, generator=self.generator(iteration, f"order {epoch}"))
        yield from order.split(self.config.minibatch_size)

    def log(self, iteration: int, rollout: Rollout, numbers: Mapping[str, float]) -> None:
        """Log what an iteration came to; numbers that are not finite are left out."""
        row = {
            "iteration": iteration,
            "programs": (iteration + 1) * self.config.batch_size,
            "pass_rate": float(rollout.passed.float().mean()),
            "reward": float(rollout.scores.mean()),
            "finished": float(rollout.finished.float().mean()),
            "tokens": float(rollout.mask.sum(1).float().mean()),
            "invalid": rollout.num_invalid,
            **self._evaluation(iteration),
            **({"shaping_weight": self.config.shaping_weight(iteration)} if self.config.shaping else {}),
            **numbers,
        }
        assert self._log is not None
        self._log.write(row)
        self._progress.update(self._bar, status=f"pass rate {row['pass_rate']:.3f}, reward {row['reward']:.3f}")

    def _evaluation(self, iteration: int) -> dict[str, float]:
        """The pass rate on the evaluation tasks, where one is due; each evaluation has tasks of its own."""
        if not self.config.eval_every or (iteration + 1) % self.config.eval_every:
            return {}
        seed = (self.config.seed, iteration)
        verdicts = sample_verdicts(
            self.policy, self.eval_tasks, self.sampling, self.config.eval_programs, self.judge, seed
        )
        passed = [verdict.passed for verdict in verdicts]
        return {"eval_pass_rate": sum(passed) / len(passed)} if passed else {}

    def metrics(self) -> list[dict[str, float]]:
        """All rows of the log so far."""
        return [json.loads(line) for line in (self.folder / "metrics.jsonl").read_text("utf-8").splitlines()]
