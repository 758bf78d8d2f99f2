"""One training run: what every agent shares besides its algorithm (environments, policy, folder, log, checkpoints).

A run is a function of its configuration: tasks, tokens and minibatches of an iteration are drawn from generators that
are seeded with the run's seed and the number of the iteration. So an interrupted run resumes from its last checkpoint
and ends with the same bits.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from types import TracebackType
from typing import Generic, Self, TypeVar, Unpack, cast

import gymnasium as gym
import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from transformers import PreTrainedModel

from agents.common.config import RunConfig, RunInputs, make_card
from agents.common.evaluate import sample_verdicts
from agents.common.log import Log, Metrics
from agents.common.losses import aggregate, approx_kl, gradient_step
from agents.common.rollout import Rollout, collect, score_tokens
from agents.generation.generate import Sampling
from agents.policies.causal import Policy
from agents.seeding import torch_generator
from agents.sft import default_policy
from codegym.envs.config import EnvConfig
from codegym.envs.vector import CodeVectorEnv
from codegym.errors import SandboxError
from codegym.jsonl import lock
from codegym.judge import JudgeLike, make_judge
from codegym.rewards import RewardLike, parse_reward
from codegym.sampling import derive_seed, load_checkpoint, save_checkpoint
from codegym.sandbox import Limits
from codegym.step import Step
from codegym.tasks import make_task_source

ConfigT_co = TypeVar("ConfigT_co", bound=RunConfig, covariant=True)
Learnable = nn.Module | torch.optim.Optimizer


class Run(Generic[ConfigT_co]):
    """An open training run; use it as a context manager.

    Everything is made and checked before the folder is claimed, so a typo leaves no trace.

    Args:
        config: Configuration of the agent.
        **inputs: Objects that replace names in ``config``; see ``RunInputs``.

    Raises:
        ResumeError: The folder belongs to another configuration, or another process trains in it.
        ValueError: A name in the configuration does not exist, or settings contradict each other.
    """

    def __init__(self, config: ConfigT_co, **inputs: Unpack[RunInputs]) -> None:
        self.config = config
        self.folder = config.out
        self._card = make_card(config, inputs)
        self._parts: dict[str, Learnable] = {}
        self._first = self._done = self._saved = 0
        self._log: Log | None = None
        self._begun = time.perf_counter()
        with ExitStack() as opened:
            opened.callback(lock(self.folder).release)
            if self._card.differences():
                self._card.claim()  # raises; what follows may take long
            self._open(inputs, opened)
            self._card.claim()
            self._opened = opened.pop_all()

    def _open(self, inputs: RunInputs, opened: ExitStack) -> None:
        """Make policy, tasks, judge, line scorer and environments."""
        config = self.config
        if "reward" in inputs and config.shaping.strip():
            raise ValueError(
                f"shaping cannot be added to a reward object: got shaping={config.shaping!r} and reward="
                f"{inputs['reward']!r}; expected one of them. Add the terms to the reward instead"
            )
        self.tasks = make_task_source(inputs.get("tasks", config.tasks), config.tasks_path)
        self.eval_tasks = make_task_source(inputs["eval_tasks"]) if "eval_tasks" in inputs else self.tasks
        self.line_scorer = EnvConfig(line_scorer=inputs.get("line_scorer", config.line_scorer)).make_line_scorer()
        self._reward_object = inputs.get("reward")
        self.policy = Policy.load(config.policy or default_policy(config.tasks))
        self.model: PreTrainedModel = self.policy.model
        self._parts["policy"] = self.model
        self.allowed = None if bool(self.policy.allowed.all()) else self.policy.allowed
        self.sampling = Sampling(config.max_tokens, config.temperature)
        sandbox = inputs.get("sandbox", config.sandbox)
        self.judge = make_judge(sandbox, Limits())
        if isinstance(sandbox, str) and hasattr(self.judge, "close"):
            opened.callback(self.judge.close)  # a sandbox or judge that was handed over is closed by its owner
        self.reward = self._reward_at(0)
        """Reward of the environments, with the current weight of shaping."""
        self.envs = self.make_envs(self.reward, config.batch_size)
        opened.callback(lambda: self.envs.close())

    def make_envs(self, reward: RewardLike, num_envs: int, judge: JudgeLike | None = None) -> CodeVectorEnv:
        """Make environments with the tasks and sizes of the run. The caller closes them.

        They have a line scorer only if the reward reads line scores.

        Args:
            reward: Reward of the environments.
            num_envs: Number of slots.
            judge: Judge to use instead of the run's.
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
        return cast(CodeVectorEnv, envs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def register(self, **parts: Learnable) -> None:
        """Put modules and optimizers into the checkpoints, and load the last checkpoint if there is one.

        Args:
            **parts: Modules and optimizers by name. The policy is registered already.
        """
        self._parts |= parts
        if position := load_checkpoint(self.folder / "checkpoint.pt", self._parts):
            self._first = self._done = self._saved = position["iteration"]

    def iterations(self) -> Iterator[int]:
        """Yield the numbers of the remaining iterations, showing progress and saving checkpoints."""
        self._log = Log(self.folder, self._first, self.config.wandb_project, self._card.settings)
        self._opened.callback(self._log.close)
        columns = (TextColumn(self.folder.name), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, TextColumn("{task.fields[status]}"), transient=True) as self._progress:
            self._bar = self._progress.add_task("", total=self.config.num_iterations, completed=self._first, status="")
            while self._done < self.config.num_iterations and not self._has_reached_goal():
                self._anneal()
                self._begun = time.perf_counter()
                yield self._done
                self._done += 1
                self._progress.advance(self._bar)
                if self._done % self.config.checkpoint_every == 0:
                    self._save()
            if self._saved != self._done:
                self._save()
        self.policy.save(self.folder / "policy")

    def _has_reached_goal(self) -> bool:
        """Return whether the mean pass rate of the last two evaluations is at least ``stop_at_pass_rate``."""
        if self.config.stop_at_pass_rate is None:
            return False
        key = "charts/eval_pass_rate"
        last = [row[key] for row in self.metrics() if key in row][-2:]
        return len(last) == 2 and sum(last) / 2 >= self.config.stop_at_pass_rate

    def _anneal(self) -> None:
        """Set the learning rates of this iteration, if the configuration wants them to fall."""
        if not self.config.anneal_learning_rate:
            return
        for optimizer in self._parts.values():
            if isinstance(optimizer, torch.optim.Optimizer):
                for group in optimizer.param_groups:
                    group.setdefault("initial_lr", group["lr"])
                    group["lr"] = group["initial_lr"] * self.config.learning_rate_factor(self._done)

    def _save(self) -> None:
        save_checkpoint(self.folder / "checkpoint.pt", self._parts, {"iteration": self._done})
        self._saved = self._done

    def generator(self, iteration: int, purpose: str) -> torch.Generator:
        """Return a generator that depends on the run's seed and the arguments alone.

        Args:
            iteration: Number of the iteration.
            purpose: Purpose of the random numbers.
        """
        return torch_generator(self.config.seed, purpose, iteration)

    def collect(self, iteration: int, group_size: int = 1, *, greedy: bool = False) -> Rollout:
        """Write the programs of an iteration.

        Args:
            iteration: Number of the iteration.
            group_size: Number of programs that answer each prompt.
            greedy: Take the most likely token instead of sampling.

        Raises:
            ValueError: ``batch_size`` is not a multiple of ``group_size``.
            SandboxError: None of the sampled programs could be judged.
        """
        count = self.config.batch_size
        if count % group_size:
            raise ValueError(f"groups do not fill a batch: got batch_size={count}; expected a multiple of {group_size}")
        seeds = [derive_seed(self.config.seed, "task", iteration, group) for group in range(count // group_size)]
        self._set_reward(iteration)
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
        if not len(rollout.tokens) and not greedy:  # without a greedy program the baseline is the mean
            raise self._nothing_judged(iteration, rollout)
        return rollout

    def _reward_at(self, iteration: int) -> RewardLike:
        return self.config.reward_at(iteration) if self._reward_object is None else self._reward_object

    def _set_reward(self, iteration: int) -> None:
        """Make new environments if the reward changes; tasks, judge and sandbox stay open."""
        reward = self._reward_at(iteration)
        if reward != self.reward:
            self.envs.close()
            self.envs, self.reward = self.make_envs(reward, self.config.batch_size), reward

    def _nothing_judged(self, iteration: int, rollout: Rollout) -> SandboxError:
        return SandboxError(
            f"no program could be judged in iteration {iteration}: got 0 verdicts of {self.config.batch_size} programs "
            f"(the first failed with: {rollout.results[0].failure}); expected at least 1. Check the sandbox "
            f"{self.config.sandbox!r}; the same command then resumes from iteration {self._saved} in {self.folder}"
        )

    def last_steps(self, rollout: Rollout) -> list[Step]:
        """Return the last step (task, lines, verdict) of each program of the most recent ``rollout``."""
        last = [rollout.results[slot].last for slot in rollout.slots.tolist()]
        return [step for step in last if step is not None]

    def log_probs(self, rollout: Rollout, model: nn.Module | None = None) -> tuple[Tensor, Tensor]:
        """Return log-probability and entropy of each chosen token under the policy, both [B, T].

        Args:
            rollout: Programs to score.
            model: Model to use instead of the run's policy.
        """
        temperature = self.config.temperature
        return score_tokens(model or self.model, rollout.tokens, rollout.mask, temperature, self.allowed)

    def make_reference(self, kl_coef: float) -> nn.Module | None:
        """Return a frozen copy of the starting policy, or None if ``kl_coef`` is 0."""
        return copy.deepcopy(self.model).eval().requires_grad_(False) if kl_coef else None

    @torch.no_grad()
    def reference_log_probs(self, rollout: Rollout, reference: nn.Module) -> Tensor:
        """Return the log-probability of each chosen token under the reference, [B, T].

        Args:
            rollout: Programs to score.
            reference: Policy that does not learn.
        """
        rows = torch.arange(len(rollout.tokens)).split(self.config.minibatch_size)
        return torch.cat([self.log_probs(rollout.select(part), reference)[0] for part in rows])

    def minibatches(self, iteration: int, epoch: int, count: int) -> Iterator[Tensor]:
        """Yield shuffled indices of programs, ``minibatch_size`` at a time.

        Args:
            iteration: Number of the iteration.
            epoch: Number of the pass over the programs.
            count: Number of programs.
        """
        order = torch.randperm(count, generator=self.generator(iteration, f"order {epoch}"))
        yield from order.split(self.config.minibatch_size)

    def policy_step(
        self, optimizer: torch.optim.Optimizer, loss: Tensor, part: Rollout, log_probs: Tensor, entropy: Tensor
    ) -> Metrics:
        """Take one gradient step of the policy and return the metrics that all agents log.

        Args:
            optimizer: Optimizer of the policy.
            loss: Scalar to minimize.
            part: Programs of the minibatch.
            log_probs: Log-probability of each chosen token before the step, [B, T].
            entropy: Entropy of the distribution of each chosen token, [B, T].
        """
        grad_norm = gradient_step(optimizer, loss, self.model, self.config.max_grad_norm)
        return {
            "losses/policy": float(loss.detach()),
            "losses/entropy": float(aggregate(entropy.detach(), part.mask)),
            "losses/approx_kl": approx_kl(log_probs.detach(), part.log_probs, part.mask),
            "losses/grad_norm": grad_norm,
        }

    def log(self, iteration: int, rollout: Rollout, metrics: Mapping[str, float]) -> None:
        """Log one row; numbers that are not finite are left out.

        Args:
            iteration: Number of the iteration.
            rollout: Programs of the iteration.
            metrics: Metrics of the update.
        """
        config, seconds = self.config, time.perf_counter() - self._begun
        row: Metrics = {
            "iteration": iteration,
            "charts/programs": (iteration + 1) * config.batch_size,
            "charts/pass_rate": float(rollout.passed.float().mean()),
            "charts/reward": float(rollout.scores.mean()),
            "charts/eos_rate": float(rollout.ended_by_eos.float().mean()),
            "charts/completion_tokens": float(rollout.mask.sum(1).float().mean()),
            "charts/unjudged": rollout.num_unjudged,
            "charts/learning_rate": config.learning_rate * config.learning_rate_factor(iteration),
            "charts/tokens_per_second": int(rollout.mask.sum()) / seconds,
            "charts/programs_per_second": config.batch_size / seconds,
            **self._evaluation(iteration),
            **({"charts/shaping_weight": config.shaping_weight(iteration)} if config.shaping else {}),
            **{f"reward/{name}": float(amounts.mean()) for name, amounts in rollout.terms.items()},
            **metrics,
        }
        assert self._log is not None
        self._log.write(row)
        status = f"pass rate {row['charts/pass_rate']:.3f}, reward {row['charts/reward']:.3f}"
        self._progress.update(self._bar, status=status)

    def _evaluation(self, iteration: int) -> Metrics:
        """Return the pass rate on the evaluation tasks if an evaluation is due; each draws tasks of its own."""
        if not self.config.eval_every or (iteration + 1) % self.config.eval_every:
            return {}
        seed = (self.config.seed, iteration)
        verdicts = sample_verdicts(
            self.policy, self.eval_tasks, self.sampling, self.config.eval_programs, self.judge, seed
        )
        passed = [verdict.passed for verdict in verdicts]
        return {"charts/eval_pass_rate": sum(passed) / len(passed)} if passed else {}

    def metrics(self) -> list[Metrics]:
        """Return all rows of the log so far."""
        return [json.loads(line) for line in (self.folder / "metrics.jsonl").read_text("utf-8").splitlines()]
