"""Episodes side by side with their rewards and infos: what the single and the vector environment are shells of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple, cast

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from codegym.envs.actions import check_tokens
from codegym.envs.config import EnvConfig
from codegym.envs.infos import Info
from codegym.envs.state import EpisodeReturns, EpisodeState, restore, snapshot
from codegym.judge import Verdict
from codegym.render import View
from codegym.step import Step
from codegym.syntax.completion import CompletableMask
from codegym.tasks.record import Task
from codegym.tasks.source import make_task_source
from codegym.tokenizers import load_tokenizer

Observation = dict[str, NDArray[np.int32]]


class StepResult(NamedTuple):
    """What a transition brought for one slot."""

    reward: float
    terminated: bool
    truncated: bool
    info: Info


class EpisodeBatch:
    """``num_slots`` episodes with rewards and infos.

    Args:
        config: what the episodes are made of.
        num_slots: how many there are.
    """

    def __init__(self, config: EnvConfig, num_slots: int) -> None:
        self.config = config
        self.num_slots = num_slots
        self.source = make_task_source(config.tasks, config.path)
        self.tokenizer = load_tokenizer(config.tokenizer)
        self.reward = config.make_reward()
        self.dynamics = config.make_dynamics(self.tokenizer, self.reward, num_slots)
        self.returns = [EpisodeReturns() for _ in range(num_slots)]
        vocabulary = self.tokenizer.token_bytes
        self.text_mask = np.array([bool(piece) for piece in vocabulary])
        self.text_mask[self.tokenizer.eos_token_id] = True
        self.text_mask.flags.writeable = False
        self._text_masks = np.broadcast_to(self.text_mask, (num_slots, len(vocabulary)))
        self._no_terms = dict.fromkeys((term.name for term, _ in self.reward.terms), 0.0)
        self._completable = (
            CompletableMask(vocabulary, self.tokenizer.eos_token_id) if config.mask == "completable" else None
        )

    @property
    def observation_space(self) -> spaces.Space[Observation]:
        """Space of the observation of one slot."""
        room = self.config.max_prompt_tokens + self.config.max_tokens
        space = spaces.Dict(
            {
                "tokens": spaces.Box(0, self.tokenizer.vocab_size - 1, (room,), np.int32),
                "length": spaces.Box(0, room, (1,), np.int32),
                "prompt_length": spaces.Box(0, self.config.max_prompt_tokens, (1,), np.int32),
            }
        )
        return cast("spaces.Space[Observation]", space)

    def observe(self, slot: int) -> Observation:
        """Copy the observation of one slot."""
        dynamics = self.dynamics
        return {
            "tokens": dynamics.tokens[slot].copy(),
            "length": np.array([dynamics.lengths[slot]], np.int32),
            "prompt_length": np.array([dynamics.prompt_lengths[slot]], np.int32),
        }

    def start(self, slot: int, rng: np.random.Generator, options: Mapping[str, Any] | None = None) -> Info:
        """Begin an episode in a slot.

        Raises:
            ValueError: unknown options, or a prefix that is not one.
            KeyError: no task of that id.
        """
        options = options or {}
        if unknown := set(options) - {"task_id", "prefix"}:
            raise ValueError(f"unknown reset option {min(unknown)!r}; there are 'task_id' and 'prefix'")
        wanted = options.get("task_id")
        task = self.source.draw(rng) if wanted is None else self.source.by_id(wanted)
        episode = self.dynamics.start(slot, task, self._prefix(options.get("prefix")))
        self.returns[slot] = EpisodeReturns()
        return {
            "task_id": episode.task.task_id,
            "prompt": episode.task.prompt,
            "prompt_truncated": episode.prompt_truncated,
            "text": self.text(slot),
        }

    def _prefix(self, prefix: str | Sequence[int] | None) -> list[int]:
        if prefix is None:
            return []
        if isinstance(prefix, str):
            return self.tokenizer.encode(prefix)
        return list(map(int, self.check_tokens(prefix)))

    def with_mask(self, slot: int, info: Info) -> Info:
        """Add the action mask of a slot, where the settings want one."""
        if self.config.mask is not None:
            info["action_mask"] = self.action_mask(slot).copy()  # an info is the caller's own
        return info

    def action_mask(self, slot: int) -> NDArray[np.bool_]:
        """Which tokens may come next in a slot: [vocab_size], True where allowed."""
        episode = self.dynamics.episodes[slot]
        if self._completable is None or episode is None or episode.ended:
            return self.text_mask
        left = self.config.max_tokens - self.dynamics.num_tokens(slot)
        return self._completable.mask(self._bytes(slot), left, preamble=episode.task.preamble)

    def action_masks(self, slots: Sequence[int]) -> NDArray[np.bool_]:
        """The action mask of every slot, [num_slots, vocab_size]; all False outside ``slots``; may be read-only."""
        if self._completable is None and len(slots) == self.num_slots:
            return self._text_masks
        masks = np.zeros((self.num_slots, len(self.text_mask)), np.bool_)
        for slot in slots:
            masks[slot] = self.action_mask(slot)
        return masks

    def check_tokens(self, tokens: Any) -> NDArray[np.int64]:
        """Token ids as an array, or an ``InvalidAction`` that says what came."""
        return check_tokens(tokens, self.tokenizer.vocab_size)

    def _bytes(self, slot: int) -> bytes:
        episode = self.dynamics.episodes[slot]
        assert episode is not None
        return episode.text.encode("utf-8", "surrogatepass") + self.dynamics.open_line(slot)

    def text(self, slot: int) -> str:
        """The completion in a slot so far."""
        episode = self.dynamics.episodes[slot]
        assert episode is not None
        pending = self.dynamics.open_line(slot)
        return episode.text + pending.decode("utf-8", "replace") if pending else episode.text

    def pending_verdict(self, slot: int) -> Future[Verdict] | None:
        """The verdict that the outcome of a slot waits for, if any."""
        episode = self.dynamics.episodes[slot]
        assert episode is not None
        return None if episode.verdict is None or episode.verdict.done() else episode.verdict

    def has_ended(self, slot: int) -> bool:
        """Whether the program in a slot has ended."""
        episode = self.dynamics.episodes[slot]
        return episode is not None and episode.ended

    def outcome(self, slot: int) -> StepResult:
        """What happened in a slot, its lines closed and scored; waits for the verdict of a program that has ended."""
        episode, returns = self.dynamics.episodes[slot], self.returns[slot]
        assert episode is not None
        lines: list[str] = []
        terms = self._no_terms.copy()
        for step in self.dynamics.new_steps(slot):
            amounts = self.reward.stream(step)
            for name, amount in amounts.items():
                terms[name] += amount
            if step.line is not None:
                lines.append(step.line.text)
                returns.lines.append(sum(amounts.values()))
            if step.ended:
                returns.last = step
        reward = sum(terms.values())
        returns.total += reward
        if not returns.terms or any(terms.values()):
            returns.terms = {name: returns.terms.get(name, 0.0) + amount for name, amount in terms.items()}
        text = episode.text + episode.unfinished.decode("utf-8", "replace") if episode.unfinished else episode.text
        info: Info = {"lines": tuple(lines), "text": text, "reward_terms": terms}
        if returns.last is None:
            if self.dynamics.score_per_line:
                info["line_scores"] = tuple([line.score for line in episode.lines[-len(lines) :]]) if lines else ()
            return StepResult(reward, False, False, info)
        if self.dynamics.line_scorer is not None:
            info["line_scores"] = tuple([line.score for line in returns.last.lines])
        info |= self._end_info(returns.last)
        return StepResult(reward, returns.last.valid, not returns.last.valid, info)

    def _end_info(self, last: Step) -> Info:
        credit = np.zeros(self.config.max_tokens)
        credit[: last.num_tokens] = self.reward.credit(last)
        return {
            "task_id": last.task.task_id,
            "verdict": last.verdict,
            "is_success": last.verdict is not None and last.verdict.passed,
            "reward_valid": last.valid,
            "budget_exhausted": last.budget_exhausted,
            "num_tokens": last.num_tokens,
            "credit": credit,
        }

    def task(self, slot: int) -> Task:
        """The task of a slot."""
        episode = self.dynamics.episodes[slot]
        assert episode is not None
        return episode.task

    def view(self, slot: int) -> View:
        """What there is to see of a slot."""
        episode, returns = self.dynamics.episodes[slot], self.returns[slot]
        assert episode is not None
        given = sum(line.from_prefix for line in episode.lines)
        return View(
            task=episode.task,
            lines=tuple(episode.lines),
            open_line=self.dynamics.open_line(slot).decode("utf-8", "replace"),
            line_rewards=(0.0,) * given + tuple(returns.lines),
            total=returns.total,
            terms=returns.terms,
            verdict=None if returns.last is None else returns.last.verdict,
            valid=returns.last is None or returns.last.valid,
            num_tokens=self.dynamics.num_tokens(slot),
            max_tokens=self.config.max_tokens,
            ended=episode.ended,
        )

    def get_state(self, slot: int, rng: np.random.Generator) -> EpisodeState:
        """Copy everything about the episode in a slot, and the state of its generator."""
        return snapshot(self.dynamics, self.returns[slot], slot, rng)

    def set_state(self, slot: int, state: EpisodeState, rng: np.random.Generator) -> None:
        """Put a copied episode into a slot."""
        self.returns[slot] = restore(self.dynamics, state, slot, rng)

    def close(self) -> None:
        """Give back what was opened for these episodes."""
        close = getattr(self.dynamics.judge, "close", None)
        if close is not None and isinstance(self.config.sandbox, str):
            close()
